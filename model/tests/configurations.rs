//! The protocol holds in every configuration, in every order of events.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use kogia_model::{Configuration, Protocol, check};

macro_rules! configurations {
    ($($test:ident $name:literal)*) => {
        const LISTED: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                holds($name);
            }
        )*
    };
}

configurations! {
    autocommit "autocommit"
    two_writers "two-writers"
    transaction "transaction"
    savepoint "savepoint"
    snapshot "snapshot"
    snapshot_writer "snapshot-writer"
    eviction "eviction"
    lease "lease"
    restart "restart"
    available "available"
    pinned "pinned"
    torn "torn"
    torn_snapshot "torn-snapshot"
    torn_backwards "torn-backwards"
}

#[test]
fn every_configuration_has_a_test() {
    let all: Vec<_> = Configuration::all().iter().map(|one| one.name).collect();
    assert_eq!(all, LISTED);
}

fn holds(name: &str) {
    let configuration = Configuration::named(name).expect("a listed configuration");
    let findings = check(&Protocol::new(configuration, None), 1);
    println!(
        "{name}: {} states, {} steps deep",
        findings.states, findings.depth
    );
    if let Some(history) = findings.violated.first() {
        panic!("{}:\n{}", history.property, history.steps.join("\n"));
    }
    assert_eq!(findings.missing, [""; 0], "examples that never happen");
    assert!(findings.exhausted, "some states were not visited");
}
