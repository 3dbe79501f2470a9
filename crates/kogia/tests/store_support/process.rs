//! Child processes of a test: the test's own program, started again with a role.

// Every test file uses its own part of it.
#![allow(dead_code)]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::AtomicU64;

const ROLE: &str = "KOGIA_TEST_ROLE";
const FOLDER: &str = "KOGIA_TEST_FOLDER";

/// What marks an answer among what the test harness prints.
const ANSWER: &str = "= ";

/// The role that this process was started for, and the folder to work in.
pub(crate) fn role() -> Option<(String, std::path::PathBuf)> {
    let role = std::env::var(ROLE).ok()?;
    Some((role, std::env::var_os(FOLDER).unwrap().into()))
}

pub(crate) fn answer(text: impl std::fmt::Display) {
    // Not `println`, which the harness might catch.
    let mut out = std::io::stdout().lock();
    // A parent that is gone needs no answer.
    let _ = writeln!(out, "{ANSWER}{text}").and_then(|()| out.flush());
}

/// A child that is killed and waited for at the end.
pub(crate) struct Process {
    pub(crate) child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the test named `child` of this program with a role.
    pub(crate) fn start(role: &str, folder: &Path) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Process {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// The next answer, or `None` if the child has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The harness may have begun the line.
            if let Some((_, answer)) = line.trim_end().split_once(ANSWER) {
                return Some(answer.to_owned());
            }
        }
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear().expect("the child has ended")
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The database of the tests: numbers that all processes change.
pub(crate) struct Numbers(&'static [AtomicU64]);

impl Numbers {
    pub(crate) const LENGTH: usize = 512;

    pub(crate) fn open(folder: &Path) -> Numbers {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("numbers"))
            .unwrap();
        file.set_len(Self::LENGTH as u64 * 8).unwrap();
        // SAFETY: the mapping is never removed, the file keeps its size, and all processes touch
        // it through atomics.
        unsafe {
            let memory = rustix::mm::mmap(
                std::ptr::null_mut(),
                Self::LENGTH * 8,
                rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE,
                rustix::mm::MapFlags::SHARED,
                &file,
                0,
            );
            let words = memory.unwrap().cast::<AtomicU64>();
            Numbers(std::slice::from_raw_parts(words, Self::LENGTH))
        }
    }
}

impl std::ops::Deref for Numbers {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        self.0
    }
}
