//! What the tests of stores share: requests for tags that a test names, and a database that is
//! numbers in a file.

// Every test file uses its own part of it.
#![allow(dead_code)]

#[cfg(all(feature = "redis", feature = "tokio"))]
pub(crate) mod awaited;
pub(crate) mod clock;
#[cfg(feature = "redis")]
pub(crate) mod cluster;
pub(crate) mod load;
#[cfg(feature = "memcached")]
pub(crate) mod memcached;
pub(crate) mod proxy;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(feature = "redis")]
pub(crate) mod tls;

use std::hash::{BuildHasher, RandomState};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;

use bytes::Bytes;
use kogia::core::{
    DatabaseId, DatabaseTags, Decision, Fill, Generation, OwnerId, QueryKey, ReadRequest,
    Statement, TableTags, Tag, TagSet, Wide,
};
use kogia::{Backend, Mark, Store};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn database() -> DatabaseId {
    DatabaseId::new("test")
}

/// The tag of a table.
pub(crate) fn table(name: &str) -> Tag {
    TableTags::new(&database(), name).any
}

/// The tag of a key value, of which there is no bound on the number.
pub(crate) fn pinned(number: u64) -> Tag {
    TableTags::new(&database(), "pinned").key(&number.to_le_bytes())
}

pub(crate) fn set(tags: &[Tag]) -> TagSet {
    tags.iter().copied().collect()
}

/// The read of an entry that depends on the two epochs and on these tags.
pub(crate) fn request(key: u64, tags: &[Tag]) -> ReadRequest {
    let statement = Statement {
        digest: [0; 32],
        reads: Vec::new(),
        writes: Vec::new(),
        wide: Wide::Nothing,
        uncacheable: None,
        effects: Vec::new(),
    };
    // Stores rely on keys being digests.
    let mut digest = [0; 32];
    let mut word = key;
    for part in digest.chunks_mut(8) {
        word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        part.copy_from_slice(&(mixed ^ mixed >> 31).to_le_bytes());
    }
    let tags_of_database = DatabaseTags::new(&database());
    let key = QueryKey::from_bytes(digest);
    let mut request = ReadRequest::new(key, &tags_of_database, &statement, &[]);
    tags.iter().for_each(|tag| request.add_tag(*tag));
    request
}

pub(crate) fn decide(store: &dyn Store, key: u64, tags: &[Tag]) -> Decision<Bytes> {
    let request = request(key, tags);
    let response = store.read(&request).unwrap();
    request.decide(response)
}

/// The right to fill, from a read that must be a miss.
pub(crate) fn miss(store: &dyn Store, key: u64, tags: &[Tag]) -> Fill {
    match decide(store, key, tags) {
        Decision::Miss(fill) | Decision::Stale(fill) => fill,
        other => panic!("a miss was due, not {other:?}"),
    }
}

pub(crate) fn fill(store: &dyn Store, key: u64, tags: &[Tag], value: &[u8]) {
    let fill = miss(store, key, tags);
    let value = Bytes::copy_from_slice(value);
    store.fill(&fill, 1, value, HOUR).unwrap();
}

/// The value, if the read is a hit.
pub(crate) fn hit(store: &dyn Store, key: u64, tags: &[Tag]) -> Option<Bytes> {
    match decide(store, key, tags) {
        Decision::Hit(value) => Some(value),
        _ => None,
    }
}

pub(crate) fn generation(store: &dyn Store, tag: Tag) -> Generation {
    store.generations(&[tag]).unwrap()[0]
}

pub(crate) fn mark(store: &dyn Store, owner: u128, tags: &[Tag]) {
    mark_for(store, owner, tags, HOUR, &Backend::Process);
}

pub(crate) fn mark_for(
    store: &dyn Store,
    owner: u128,
    tags: &[Tag],
    lease: Duration,
    backend: &Backend,
) {
    let mark = Mark {
        owner: OwnerId(owner),
        tags: &set(tags),
        lease,
        backend,
    };
    store.mark(&mark).unwrap();
}

pub(crate) fn clear(store: &dyn Store, owner: u128, tags: &[Tag]) {
    store.clear(OwnerId(owner), &set(tags)).unwrap();
}

/// A port that nothing listens on now, below those that the system hands out by itself: a connection
/// to one of these that is closed may end at itself.
///
/// Nothing is bound to find it: a process that another test forks at this moment would hold that
/// socket, too, and a server that is started next would not get the port.
pub(crate) fn free_port() -> u16 {
    let mut ports = (0..).map(|i| 12_000 + (RandomState::new().hash_one(i) % 20_000) as u16);
    ports
        .find(|port| TcpStream::connect(("127.0.0.1", *port)).is_err())
        .unwrap()
}

/// Starts a server on a port of its own: when it is a moment too late for one, on another.
pub(crate) fn start_server(
    mut spawn: impl FnMut(u16) -> Child,
    is_up: impl Fn(u16) -> bool,
) -> (u16, Child) {
    for _ in 0..20 {
        let port = free_port();
        let mut child = spawn(port);
        if comes_up(&mut child, port, &is_up) {
            return (port, child);
        }
    }
    panic!("no server starts");
}

/// Waits until a server is up; false if it has ended. What answers at its port may be another test's,
/// so it is asked only when the port is this child's.
pub(crate) fn comes_up(child: &mut Child, port: u16, is_up: impl Fn(u16) -> bool) -> bool {
    let mut has_ended = false;
    until(|| {
        has_ended = child.try_wait().unwrap().is_some();
        has_ended || listens(child.id(), port) && is_up(port)
    });
    !has_ended
}

/// Whether a process listens on a port of IPv4.
fn listens(process: u32, port: u16) -> bool {
    const LISTENING: &str = "0A";
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let place = format!(":{port:04X}");
    let owned = sockets.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let found = fields.get(1)?.ends_with(&place) && *fields.get(3)? == LISTENING;
        found.then(|| format!("socket:[{}]", fields[9]))
    });
    let Ok(files) = std::fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    let mut links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    owned.is_some_and(|owned| links.any(|link| link.as_os_str() == owned.as_str()))
}

/// Waits until something is true, at most twenty seconds.
pub(crate) fn until(mut is_true: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_true() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it never came about"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
