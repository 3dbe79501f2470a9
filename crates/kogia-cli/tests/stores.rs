//! `kogia doctor` and `kogia stats`, over stores in folders.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking
#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use bytes::Bytes;
use kogia::core::{
    DatabaseId, DatabaseTags, Decision, KeyPrefix, QueryKey, ReadRequest, Statement, TableTags,
    Wide,
};
use kogia::{FileStore, Store};
use serde_json::Value;

const CAPACITY: u64 = 4_000_000;

fn kogia(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kogia"))
        .args(arguments)
        .env_remove("KOGIA_STORE")
        .output()
        .unwrap()
}

fn url(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// What `kogia doctor` found of one level, as one text.
fn findings(report: &Value, level: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let of_level = findings.iter().filter(|found| found["level"] == level);
    let texts = of_level.map(|found| format!("{} {}", found["what"], found["advice"]));
    texts.collect::<Vec<_>>().join("\n")
}

fn request() -> ReadRequest {
    let database = DatabaseId::new("test");
    let statement = Statement {
        digest: [1; 32],
        reads: Vec::new(),
        writes: Vec::new(),
        wide: Wide::Nothing,
        uncacheable: None,
        effects: Vec::new(),
    };
    let key = QueryKey::new(&KeyPrefix::new([]), &statement.digest, b"", &[]);
    let mut request = ReadRequest::new(key, &DatabaseTags::new(&database), &statement, &[]);
    request.add_tag(TableTags::new(&database, "book").any);
    request
}

/// A store with one entry.
fn filled(folder: &Path) -> FileStore {
    let store = FileStore::open(folder, CAPACITY).unwrap();
    let request = request();
    let Decision::Miss(fill) = request.decide(store.read(&request).unwrap()) else {
        panic!("the store is not empty");
    };
    let rows = Bytes::from_static(b"rows");
    store
        .fill(&fill, 1, rows, Duration::from_secs(3600))
        .unwrap();
    store
}

fn is_hit(store: &FileStore) -> bool {
    let request = request();
    let response = store.read(&request).unwrap();
    matches!(request.decide(response), Decision::Hit(_))
}

#[test]
fn a_store_in_use_is_examined_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    let output = kogia(&["doctor", "--json", "--store", &url(folder.path())]);
    assert!(output.status.success(), "{output:?}");
    let report = json(&output);
    let fine = findings(&report, "fine");
    for what in [
        "can be written to, and its files have format 1",
        "forgets what is invalidated",
        "4000000 bytes",
        "1 other processes use it",
        "no clocks need to agree",
    ] {
        assert!(fine.contains(what), "{what} is not in {fine}");
    }
    assert_eq!(findings(&report, "error"), "");
    assert!(report["median_read_nanoseconds"].as_u64().unwrap() > 0);
    assert!(is_hit(&store));
}

#[test]
fn a_store_that_nobody_uses_keeps_its_capacity_and_its_entries() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    // The URL names no capacity, and the default is another one.
    let address = url(folder.path());
    for arguments in [&["doctor", "--store", &address][..], &["stats", &address]] {
        let output = kogia(arguments);
        assert!(output.status.success(), "{output:?}");
        let store = FileStore::open(folder.path(), CAPACITY).unwrap();
        assert!(is_hit(&store), "{arguments:?} emptied the store");
    }
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("store");
    for arguments in [
        &["doctor", "--json", "--store", &url(&missing)][..],
        &["doctor", "--store", &format!("{}?local=2MB", url(&missing))],
        &["stats", &url(&missing)],
    ] {
        let output = kogia(arguments);
        assert!(!output.status.success(), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("there is no store yet"), "{said}");
        assert!(!missing.exists());
    }
}

#[test]
fn a_folder_that_others_can_write_to_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let _store = filled(folder.path());
    let doctor = || {
        json(&kogia(&[
            "doctor",
            "--json",
            "--store",
            &url(folder.path()),
        ]))
    };
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    assert!(!findings(&doctor(), "warning").contains("can replace its files"));
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let warnings = findings(&doctor(), "warning");
    assert!(
        warnings.contains("everybody on this machine can replace"),
        "{warnings}"
    );
    assert!(warnings.contains("chmod 700"), "{warnings}");
}

#[test]
fn another_capacity_than_that_of_the_url_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let _store = filled(folder.path());
    let warnings = |options: &str| {
        let address = format!("{}?{options}", url(folder.path()));
        let report = json(&kogia(&["doctor", "--json", "--store", &address]));
        findings(&report, "warning")
    };
    assert!(!warnings("capacity=4MB").contains("the URL says"));
    assert!(!warnings("capacity=4MB&local=2MB").contains("the URL says"));
    assert!(warnings("capacity=5MB").contains("the URL says 5000000"));
    assert!(warnings("local=2MB").contains("is 4000000 bytes"));
}

#[test]
fn a_tier_is_examined_with_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let _store = filled(folder.path());
    let address = format!("{}?local=2MB", url(folder.path()));
    let output = kogia(&["doctor", "--json", "--store", &address]);
    assert!(output.status.success(), "{output:?}");
    let notes = findings(&json(&output), "note");
    assert!(notes.contains("2000000 bytes for copies"), "{notes}");
}

#[test]
fn the_memory_store_says_what_it_is() {
    let output = kogia(&["doctor", "--json", "--store", "memory:"]);
    assert!(output.status.success(), "{output:?}");
    assert!(findings(&json(&output), "note").contains("sees no other one's writes"));
    let output = kogia(&["stats", "memory:"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn wrong_urls_are_refused() {
    let urls = ["nonsense://h", "file:///a?local=2MB&mode=pushed"];
    for (url, why) in urls.into_iter().zip(["unknown store", "mode=pushed needs"]) {
        for arguments in [&["doctor", "--store", url][..], &["stats", url]] {
            let output = kogia(arguments);
            assert_eq!(output.status.code(), Some(2));
            assert!(String::from_utf8(output.stderr).unwrap().contains(why));
        }
    }
}

#[test]
fn stats_say_what_a_store_holds() {
    let folder = tempfile::tempdir().unwrap();
    let _store = filled(folder.path());
    let report = json(&kogia(&["stats", "--json", &url(folder.path())]));
    assert_eq!(
        (&report["entries"], &report["capacity"]),
        (&1.into(), &CAPACITY.into())
    );
    assert!(report["bytes"].as_u64().unwrap() > 0);
    let text = String::from_utf8(kogia(&["stats", &url(folder.path())]).stdout).unwrap();
    assert!(text.contains("entries  1"), "{text}");
}

#[test]
fn a_server_is_examined() {
    let server = std::env::var("KOGIA_TEST_REDIS_URL").expect(
        "KOGIA_TEST_REDIS_URL is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\"",
    );
    let address = format!("{server}?prefix=doctor&quarantine=0s");
    let output = kogia(&["doctor", "--json", "--store", &address]);
    assert!(output.status.success(), "{output:?}");
    let fine = findings(&json(&output), "fine");
    for what in ["it is ", "primary", "forgets what is invalidated"] {
        assert!(fine.contains(what), "{what} is not in {fine}");
    }
    let stats = json(&kogia(&["stats", "--json", &address]));
    assert!(stats["bytes"].as_u64().unwrap() > 0, "{stats}");
}

#[test]
fn a_server_in_quarantine_is_no_error() {
    let server = std::env::var("KOGIA_TEST_REDIS_URL").expect("KOGIA_TEST_REDIS_URL is not set");
    let prefix = format!("quarantine-{}", std::process::id());
    let address = format!("{server}?quarantine=60s&prefix={prefix}");
    let output = kogia(&["doctor", "--json", "--store", &address]);
    assert!(output.status.success(), "{output:?}");
    let warnings = findings(&json(&output), "warning");
    assert!(warnings.contains("after the quarantine"), "{warnings}");
    // One that is over is found to be.
    let address = format!("{server}?quarantine=1ms&prefix={prefix}-over");
    let doctor = || json(&kogia(&["doctor", "--json", "--store", &address]));
    doctor();
    assert!(findings(&doctor(), "fine").contains("forgets what is invalidated"));
}

#[test]
fn a_server_that_does_not_answer_is_an_error() {
    // A port on which nobody listens any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("redis://:s3cret@{}", listener.local_addr().unwrap());
    drop(listener);
    let output = kogia(&["doctor", "--json", "--store", &address]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert!(findings(&report, "error").contains("gives no answer"));
    assert!(!report.to_string().contains("s3cret"));
}
