//! Memcached servers: the one that `scripts/servers` has started, and some of a test's own.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use kogia::{MemcachedStore, StoreUrl};
use rustix::process::{Pid, Signal, kill_process};

use super::clock::Clock;
use super::{comes_up, start_server};

/// A store of its own on the server of all tests.
pub(crate) fn store(name: &str) -> MemcachedStore {
    let server = std::env::var("KOGIA_TEST_MEMCACHED_URL").expect(
        "KOGIA_TEST_MEMCACHED_URL is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\"",
    );
    let mut prefix = format!("{name}-{:x}", RandomState::new().hash_one(name));
    prefix.truncate(90);
    // Nothing was there before, so nobody relies on marks of it. On a machine that is busy an answer
    // may take its time.
    open(&format!(
        "{server}?prefix={prefix}&quarantine=0s&timeout=5s"
    ))
}

pub(crate) fn open(url: &str) -> MemcachedStore {
    match url.parse().unwrap() {
        StoreUrl::Memcached(url) => MemcachedStore::new(url),
        other => panic!("{other} is no Memcached"),
    }
}

/// A server of a test's own, which ends with it.
pub(crate) struct Server {
    port: u16,
    options: Vec<String>,
    clock: Option<Clock>,
    child: Child,
}

impl Server {
    /// Starts a server with some more options, such as `-m 2`.
    pub(crate) fn start(options: &str) -> Server {
        Server::start_by(None, options)
    }

    /// The same, with a clock of its own.
    pub(crate) fn start_by(clock: Option<Clock>, options: &str) -> Server {
        let options = options.split_whitespace().map(str::to_owned).collect();
        let (port, child) = start_server(|port| spawn(port, &options, clock.as_ref()), |_| true);
        Server {
            port,
            options,
            clock,
            child,
        }
    }

    /// Sets the clock that the server was given.
    pub(crate) fn set_clock(&self, offset: &str) {
        self.clock.as_ref().unwrap().set(offset);
    }

    pub(crate) fn url(&self, options: &str) -> String {
        format!("memcached://127.0.0.1:{}?{options}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The first line of what the server answers to a command.
    pub(crate) fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// What stands under a key.
    pub(crate) fn value(&self, key: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .write_all(format!("get {key}\r\n").as_bytes())
            .unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        reader.read_line(&mut head).unwrap();
        let length = head
            .split_whitespace()
            .next_back()
            .unwrap()
            .parse()
            .unwrap();
        let mut value = vec![0; length];
        reader.read_exact(&mut value).unwrap();
        value
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills the server, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.port, &self.options, self.clock.as_ref());
        assert!(comes_up(&mut self.child, self.port, |_| true));
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, options: &Vec<String>, clock: Option<&Clock>) -> Child {
    let mut command = Command::new("memcached");
    if let Some(clock) = clock {
        clock.give_to(&mut command);
    }
    command
        // The user counts for root alone, as whom it does not run.
        .args(["-u", "nobody", "-l", "127.0.0.1", "-U", "0", "-p"])
        .arg(port.to_string())
        .args(options)
        .stderr(Stdio::null())
        .spawn()
        .expect("memcached is missing: run ./scripts/test")
}
