//! The command says what it found, and its exit code says whether that is well.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_kogia-model"))
        .args(arguments)
        .output()
        .expect("the command runs");
    let mut text = String::from_utf8(output.stdout).expect("text");
    text += &String::from_utf8(output.stderr).expect("text");
    (output.status.code(), text)
}

#[test]
fn a_configuration_that_holds_is_well() {
    let (code, text) = run(&["--configuration", "savepoint"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("all of them"), "{text}");
    assert!(
        text.contains("holds     nothing is stale for ever"),
        "{text}"
    );
}

#[test]
fn a_mutant_is_told_as_a_history() {
    let (code, text) = run(&["--mutant", "dirty-forgotten"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("VIOLATED"), "{text}");
    assert!(text.contains("ROLLBACK TO s"), "{text}");
}

#[test]
fn a_mutant_that_a_configuration_cannot_show_survives_there() {
    let (code, text) = run(&["--mutant", "counters", "--configuration", "savepoint"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("SURVIVES"), "{text}");
}

#[test]
fn a_wrong_name_is_an_error_that_names_the_option() {
    for option in ["--configuration", "--mutant"] {
        let (code, text) = run(&[option, "nothing"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("--list"), "{text}");
    }
}
