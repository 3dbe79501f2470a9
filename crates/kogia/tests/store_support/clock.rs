//! A clock that a server goes by, and that a test sets.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The clock of a host. Nobody sets the one that only counts (`CLOCK_MONOTONIC`), here neither.
pub(crate) struct Clock {
    folder: TempDir,
}

impl Clock {
    /// A clock that is right.
    pub(crate) fn new() -> Clock {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock { folder };
        clock.set("+0");
        clock
    }

    /// Sets it so much fast or slow, as in `+1h`.
    pub(crate) fn set(&self, offset: &str) {
        // Read at every look at the clock, so never half written.
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, offset).unwrap();
        std::fs::rename(fresh, self.file()).unwrap();
    }

    /// Has a program go by this clock.
    pub(crate) fn give_to(&self, command: &mut Command) {
        // With the allocator of glibc before that of the server: jemalloc looks at the clock while it
        // starts, when the library cannot answer yet.
        let preload = format!("{} libc.so.6", library().display());
        command
            .env("LD_PRELOAD", preload)
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }
}

/// The library that makes clocks wrong.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let found = libraries.find(|library| library.exists());
    found.expect("libfaketime is missing: run ./scripts/test")
}
