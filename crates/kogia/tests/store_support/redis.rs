//! Redis servers: the one that `scripts/servers` has started, and some of a test's own.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use kogia::core::{Fill, Generation, OwnerId, ReadRequest, ReadResponse, Tag, TagSet};
use kogia::{Abandoned, Mark, RedisStore, Store, StoreError, StoreFuture, StoreUrl, Usage};
use rustix::process::{Pid, Signal, kill_process};
use smallvec::SmallVec;
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

/// A store whose calls are awaited, those that can be.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(crate) struct Awaited {
    store: Box<dyn Store>,
    runtime: tokio::runtime::Runtime,
}

#[cfg(feature = "tokio")]
impl Awaited {
    pub(crate) fn open(url: &str) -> Awaited {
        Awaited::over(open(url))
    }

    pub(crate) fn over(store: impl Store + 'static) -> Awaited {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let store = Box::new(store);
        Awaited { store, runtime }
    }

    /// The answer to a call, which has to be made in the runtime.
    fn wait<'a, T>(
        &self,
        call: impl FnOnce() -> Option<StoreFuture<'a, T>>,
    ) -> Result<T, StoreError> {
        let answer = async { call().expect("the call would block").await };
        self.runtime.block_on(answer)
    }
}

#[cfg(feature = "tokio")]
impl Store for Awaited {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.wait(|| self.store.read_async(request))
    }

    fn read_with_lifetime(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.wait(|| self.store.read_with_lifetime_async(request))
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.wait(|| self.store.generations_async(tags))
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.store.fill(fill, rows, value, ttl)?;
        // The next call on that connection waits until the entry is stored, and ours are on another.
        self.store.generations(fill.tags()).map(drop)
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        let Some(tag) = mark.tags.as_slice().first() else {
            return Ok(());
        };
        self.mark_watching(mark, *tag).map(drop)
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.wait(|| self.store.mark_watching_async(mark, watched))
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.store.clear(owner, tags)
    }

    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        self.store.clear_watching(owner, tags, watched)
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.store.extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.store.abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.store.invalidate_everything()
    }

    fn waits(&self) -> bool {
        self.store.waits()
    }

    fn longest_lease(&self) -> Option<Duration> {
        self.store.longest_lease()
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }
}
