//! Redis servers: the one that `scripts/servers` has started, and some of a test's own.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kogia::{RedisStore, StoreUrl};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{comes_up, start_server};

/// A store of its own on the server of all tests.
pub(crate) fn store(name: &str) -> RedisStore {
    let server = std::env::var("KOGIA_TEST_REDIS_URL").expect(
        "KOGIA_TEST_REDIS_URL is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\"",
    );
    // Nothing was there before, so nobody relies on marks of it.
    open(&format!("{server}?prefix={}&quarantine=0s", unique(name)))
}

pub(crate) fn open(url: &str) -> RedisStore {
    match url.parse().unwrap() {
        StoreUrl::Redis(url) => RedisStore::new(url),
        other => panic!("{other} is no Redis"),
    }
}

pub(super) fn unique(name: &str) -> String {
    format!("{name}-{:x}", RandomState::new().hash_one(name))
}

/// A server of a test's own, which ends with it.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    child: Child,
}

impl Server {
    /// Starts a server with some more options, such as `--maxmemory 5mb`.
    pub(crate) fn start(options: &str) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let options = options.split_whitespace().map(str::to_owned).collect();
        let (port, child) = start_server(|port| spawn(&folder, port, &options), is_up);
        Server {
            folder,
            port,
            options,
            child,
        }
    }

    pub(crate) fn url(&self, options: &str) -> String {
        format!("redis://127.0.0.1:{}/0?{options}", self.port)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What the server answers to a command, as text.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        ask(self.port, command)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills the server, and starts it again in the same folder.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.folder, self.port, &self.options);
        assert!(comes_up(&mut self.child, self.port, is_up));
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a server at a port of this machine answers, as text.
pub(crate) fn ask(port: u16, command: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(command)
        .output()
        .expect("redis-cli is missing: run ./scripts/test");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Whether a server at a port answers, which it does not while it reads its dump.
pub(crate) fn is_up(port: u16) -> bool {
    ask(port, &["PING"]) == "PONG"
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir, port: u16, options: &Vec<String>) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--dir"])
        .arg(folder.path())
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is missing: run ./scripts/test")
}
