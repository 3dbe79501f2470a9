//! A Redis cluster: what is where in it, and what may happen to it without making anything stale.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::{Decision, Tag};
use kogia::{Level, RedisStore, Store};
use rustix::process::Signal;
use store_support::cluster::Cluster;
use store_support::load::work_during;
use store_support::proxy::Proxy;
use store_support::redis::{Server, open};
use store_support::*;

/// No quarantine: only for tests in which nobody relies on a lost mark.
const NONE: &str = "quarantine=0s&timeout=2s";
/// One that does not end within a test.
const LONG: &str = "quarantine=3600s&timeout=2s";

/// What stands before the keys of entries, and of generations.
const ENTRIES: &str = "kogia:1:e";
const TAGS: &str = "{kogia:1}:";
const GENERATIONS: &str = "{kogia:1}:g";
const MARKS: &str = "{kogia:1}:m";

/// So many entries that every node has some.
const MANY: u64 = 40;

fn fill_many(store: &RedisStore) {
    (0..MANY).for_each(|key| fill(store, key, &[table("book")], b"rows"));
}

/// The slot of the generations and marks, its node, and another one.
fn slot_of_tags(cluster: &Cluster) -> (u16, usize, usize) {
    let slot = cluster.slot_of(TAGS.as_bytes());
    let owner = cluster.owner_of(slot, 0);
    (slot, owner, (owner + 1) % 3)
}

#[test]
fn entries_are_everywhere_and_generations_are_in_one_node() {
    let cluster = Cluster::start();
    let store = open(&cluster.url(NONE));
    fill_many(&store);
    let tags = [table("book")];
    assert!((0..MANY).all(|key| hit(&store, key, &tags).is_some()));
    let (_, owner, _) = slot_of_tags(&cluster);
    for node in 0..3 {
        let entries = count(&cluster, node, ENTRIES);
        assert!(entries > 0, "node {node} has none");
        assert_eq!(count(&cluster, node, TAGS) > 0, node == owner, "{node}");
    }
    let usage = store.usage();
    assert!(usage.entries >= MANY && usage.bytes > 0, "{usage:?}");
    let request = request(1, &tags);
    let timed = request.decide(store.read_with_lifetime(&request).unwrap());
    assert!(matches!(timed, Decision::Hit(_)), "{timed:?}");
    mark(&store, 1, &tags);
    clear(&store, 1, &tags);
    assert!((0..MANY).all(|key| hit(&store, key, &tags).is_none()));
}

fn count(cluster: &Cluster, node: usize, begin: &str) -> usize {
    const COUNT: &str = "return #redis.call('KEYS', ARGV[1] .. '*')";
    let said = cluster.nodes[node].ask(&["EVAL", COUNT, "0", begin]);
    said.parse().unwrap()
}

/// The lifetime of an entry is read where the entry is, be that the node of the generations or not.
#[test]
fn the_lifetime_of_an_entry_comes_with_it() {
    let cluster = Cluster::start();
    let store = open(&cluster.url(NONE));
    let tags = [table("book")];
    fill_many(&store);
    for key in 0..MANY {
        let response = store.read_with_lifetime(&request(key, &tags)).unwrap();
        let remaining = response.entry.unwrap().remaining.unwrap();
        assert!(remaining <= HOUR && remaining > HOUR / 2, "{remaining:?}");
    }
}

/// Both nodes are asked before either answer is waited for.
#[test]
fn a_read_of_two_nodes_takes_the_time_of_one_round_trip() {
    const DELAY: Duration = Duration::from_millis(100);
    let cluster = Cluster::start();
    let (tags, (_, owner, other)) = ([table("book")], slot_of_tags(&cluster));
    let proxies = [owner, other].map(|node| announce_proxy(&cluster, node));
    let store = open(&cluster.url(NONE));
    let key = entry_at(&cluster, other);
    fill(&store, key, &tags, b"rows");
    assert!(hit(&store, key, &tags).is_some());
    proxies.iter().for_each(|proxy| proxy.delay(DELAY));
    // Some reads find that it is time to ask who has which slot, and some that the machine is busy.
    let took = |_| {
        let begun = Instant::now();
        assert!(hit(&store, key, &tags).is_some());
        begun.elapsed()
    };
    let shortest = (0..20).map(took).min().unwrap();
    assert!(shortest >= DELAY && shortest < DELAY * 2, "{shortest:?}");
}

/// A proxy in front of a node, where the cluster says that the node is.
fn announce_proxy(cluster: &Cluster, node: usize) -> Proxy {
    let proxy = Proxy::to(cluster.nodes[node].port());
    let port = proxy.port().to_string();
    cluster.nodes[node].ask(&["CONFIG", "SET", "cluster-announce-port", &port]);
    let knows = |node: &Server| node.ask(&["CLUSTER", "SLOTS"]).contains(&port);
    until(|| cluster.nodes.iter().all(knows));
    proxy
}

/// The slot of an entry.
fn slot_of_entry(cluster: &Cluster, key: u64) -> u16 {
    slot_with_prefix(cluster, "kogia", key)
}

fn slot_with_prefix(cluster: &Cluster, prefix: &str, key: u64) -> u16 {
    let name = request(key, &[]).key().as_bytes().to_vec();
    cluster.slot_of(&[prefix.as_bytes(), b":1:e", &name].concat())
}

/// An entry that is at a node.
fn entry_at(cluster: &Cluster, node: usize) -> u64 {
    entry_with_prefix(cluster, "kogia", node)
}

fn entry_with_prefix(cluster: &Cluster, prefix: &str, node: usize) -> u64 {
    let mut all = 0..;
    let owner = |key: &u64| cluster.owner_of(slot_with_prefix(cluster, prefix, *key), 0);
    all.find(|key| owner(key) == node).unwrap()
}

#[test]
fn an_entry_whose_slot_moves_is_found_again() {
    let cluster = Cluster::start();
    let store = open(&cluster.url(NONE));
    let (tags, (_, owner, other)) = ([table("book")], slot_of_tags(&cluster));
    for (from, to) in [(other, owner), (owner, other)] {
        let key = entry_at(&cluster, from);
        let slot = slot_of_entry(&cluster, key);
        fill(&store, key, &tags, b"rows");
        cluster.begin_to_move(slot, from, to);
        assert!(hit(&store, key, &tags).is_some(), "it has not left yet");
        cluster.move_keys(slot, from, to, "");
        // It is on its way (`ASK`).
        store.read(&request(key, &tags)).unwrap_err();
        cluster.end_move(slot, from, to);
        // The node says where it is (`MOVED`), and the store asks there.
        assert!(hit(&store, key, &tags).is_some());
        cluster.settle();
    }
}

/// Wherever the generations and marks come to, what they were before is over, also where they have
/// been before.
#[test]
fn generations_whose_slot_moves_start_cold() {
    let cluster = Cluster::start();
    let store = open(&cluster.url(NONE));
    let (tags, (slot, owner, other)) = ([table("book")], slot_of_tags(&cluster));
    fill(&store, 1, &tags, b"old rows");
    for (from, to) in [(owner, other), (other, owner)] {
        cluster.move_slot(slot, from, to);
        cluster.settle();
        assert_eq!(hit(&store, 1, &tags), None);
        mark(&store, 1, &tags);
        clear(&store, 1, &tags);
        fill(&store, 1, &tags, b"new rows");
        assert!(hit(&store, 1, &tags).is_some());
    }
    cluster.move_slot(slot, owner, other);
    cluster.settle();
    let careful = open(&cluster.url(LONG));
    assert!(generation(&careful, tags[0]).is_marked());
}

/// Calls with several keys are refused while some have left, and a writer commits nevertheless.
#[test]
fn what_is_written_while_generations_move_is_invalidated() {
    let tags = [table("book")];
    for (left, stays) in [
        (MARKS, false),
        (MARKS, true),
        (GENERATIONS, false),
        (GENERATIONS, true),
    ] {
        let cluster = Cluster::start();
        let (slot, owner, other) = slot_of_tags(&cluster);
        let store = open(&cluster.url(NONE));
        fill(&store, 1, &tags, b"old rows");
        cluster.begin_to_move(slot, owner, other);
        assert!(hit(&store, 1, &tags).is_some(), "nothing has left yet");
        cluster.move_keys(slot, owner, other, left);
        let store = open(&cluster.url(LONG));
        mark(&store, 1, &tags);
        if let Ok(response) = store.read(&request(1, &tags)) {
            let decision = request(1, &tags).decide(response);
            assert!(!matches!(decision, Decision::Hit(_)), "{left}");
        }
        if stays {
            // Whoever moved it changes his mind.
            for node in [owner, other] {
                let stable = ["CLUSTER", "SETSLOT", &slot.to_string(), "STABLE"];
                assert_eq!(cluster.nodes[node].ask(&stable), "OK");
            }
        } else {
            cluster.move_keys(slot, owner, other, "");
            cluster.end_move(slot, owner, other);
        }
        // The mark may be lost, and the writer has not committed yet.
        assert!(generation(&store, tags[0]).is_marked(), "{left} {stays}");
        assert_eq!(hit(&store, 1, &tags), None);
    }
}

#[test]
fn a_node_that_dies_takes_its_entries_along() {
    let mut cluster = Cluster::start();
    let store = open(&cluster.url(NONE));
    let (tags, (_, owner, other)) = ([table("book")], slot_of_tags(&cluster));
    fill_many(&store);
    let gone = entry_at(&cluster, other);
    cluster.nodes[other].kill();
    let is_hit = |key| {
        let request = request(key, &tags);
        let response = store.read(&request).ok()?;
        Some(matches!(request.decide(response), Decision::Hit(_)))
    };
    let seen: Vec<_> = (0..MANY).map(is_hit).collect();
    assert!(
        seen.contains(&None) && seen.contains(&Some(true)),
        "{seen:?}"
    );
    assert!(!seen.contains(&Some(false)), "{seen:?}");
    mark(&store, 1, &tags);
    clear(&store, 1, &tags);

    cluster.nodes[other].start_again();
    until(|| store.read(&request(gone, &tags)).is_ok());
    fill(&store, gone, &tags, b"rows");
    assert!(hit(&store, gone, &tags).is_some());

    cluster.nodes[owner].kill();
    assert!((0..MANY).all(|key| store.read(&request(key, &tags)).is_err()));
    cluster.nodes[owner].start_again();
    until(|| store.read(&request(gone, &tags)).is_ok());
    assert_eq!(hit(&store, gone, &tags), None, "it starts cold");
}

/// The replica has never heard of a mark when it takes the place of its primary.
#[test]
fn a_replica_that_is_promoted_starts_cold_and_in_quarantine() {
    let mut cluster = Cluster::with_replicas();
    let store = open(&cluster.url(NONE));
    let (tags, (_, owner, _)) = ([table("book")], slot_of_tags(&cluster));
    fill(&store, 1, &tags, b"rows");
    let replica = owner + 3;
    cluster.nodes[replica].signal(Signal::STOP);
    mark(&store, 1, &tags);
    cluster.nodes[owner].kill();
    cluster.nodes[replica].signal(Signal::CONT);
    let promoted = open(&cluster.url(LONG));
    until(|| promoted.read(&request(1, &tags)).is_ok());
    assert!(generation(&promoted, tags[0]).is_marked());
    until(|| store.read(&request(1, &tags)).is_ok());
    assert_eq!(hit(&store, 1, &tags), None);
}

/// A cluster whose first primary has the generations, and can be cut off from the other nodes. It
/// then goes on, and says what it knew. Its clients still reach it.
struct Divided {
    cluster: Cluster,
    old: usize,
    slot: u16,
    prefix: String,
    proxy: Proxy,
}

impl Divided {
    fn start() -> Divided {
        let cluster = Cluster::with_replicas();
        let old = (0..3).min_by_key(|node| cluster.name(*node)).unwrap();
        let mut prefixes = (0..).map(|number| format!("shop{number}"));
        let slot_of = |prefix: &str| cluster.slot_of(format!("{{{prefix}:1}}:i").as_bytes());
        let prefix = prefixes.find(|prefix| cluster.owner_of(slot_of(prefix), 0) == old);
        let prefix = prefix.unwrap();
        let (slot, proxy) = (slot_of(&prefix), announce_proxy(&cluster, old));
        cluster.wait_for_link(old + 3);
        Divided {
            cluster,
            old,
            slot,
            prefix,
            proxy,
        }
    }

    fn url(&self, options: &str) -> String {
        let prefix = &self.prefix;
        self.cluster
            .url(&format!("quarantine=0s&prefix={prefix}&{options}"))
    }

    fn cut_off(&self) {
        self.proxy.freeze(b"*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n");
        for other in (0..6).filter(|other| *other != self.old) {
            let forget = ["CLUSTER", "FORGET", self.cluster.name(other)];
            assert_eq!(self.cluster.nodes[self.old].ask(&forget), "OK");
        }
    }

    /// Its replica takes its place, and something is written there.
    fn replace(&self, tags: &[Tag]) {
        let (cluster, new) = (&self.cluster, self.old + 3);
        let promote = ["CLUSTER", "FAILOVER", "TAKEOVER"];
        assert_eq!(cluster.nodes[new].ask(&promote), "OK");
        let others = (0..6).filter(|node| *node != self.old);
        until(|| {
            others
                .clone()
                .all(|node| cluster.owner_of(self.slot, node) == new)
        });
        let (port, prefix) = (cluster.nodes[new].port(), &self.prefix);
        let writer = open(&format!(
            "redis-cluster://127.0.0.1:{port}/?prefix={prefix}&{NONE}"
        ));
        mark(&writer, 1, tags);
        clear(&writer, 1, tags);
    }
}

#[test]
fn a_primary_that_was_replaced_and_does_not_know_it_is_not_asked() {
    let (divided, tags) = (Divided::start(), [table("book")]);
    let store = open(&divided.url("timeout=2s"));
    fill(&store, 1, &tags, b"old rows");
    assert!(hit(&store, 1, &tags).is_some());
    let last_used = Instant::now();
    divided.cut_off();
    divided.replace(&tags);
    let (old, slot) = (divided.old, divided.slot);
    assert_eq!(divided.cluster.owner_of(slot, old), old, "it knows");
    // Then whoever was asked before is asked no longer.
    until(|| last_used.elapsed() > Duration::from_secs(1));
    until(|| store.read(&request(1, &tags)).is_ok());
    assert_eq!(hit(&store, 1, &tags), None);
}

/// The others have named it until a moment ago, but it did not hear that.
#[test]
fn a_primary_that_was_replaced_while_it_slept_is_not_asked() {
    let (divided, tags) = (Divided::start(), [table("book")]);
    let store = open(&divided.url("timeout=100ms"));
    fill(&store, 1, &tags, b"old rows");
    assert!(hit(&store, 1, &tags).is_some());
    let other = (divided.old + 1) % 3;
    let key = entry_with_prefix(&divided.cluster, &divided.prefix, other);
    let elsewhere = miss(&store, key, &tags);
    let last_used = Instant::now();
    divided.cut_off();
    let sleeper = &divided.cluster.nodes[divided.old];
    sleeper.signal(Signal::STOP);
    until(|| last_used.elapsed() > Duration::from_secs(1));
    let fill_elsewhere = || store.fill(&elsewhere, 1, Bytes::new(), HOUR);
    until(|| fill_elsewhere().is_ok());
    divided.replace(&tags);
    sleeper.signal(Signal::CONT);
    until(|| store.read(&request(1, &tags)).is_ok());
    assert_eq!(hit(&store, 1, &tags), None);
}

#[test]
fn a_cluster_most_of_which_is_gone_is_not_asked() {
    let mut cluster = Cluster::start();
    let (tags, (_, owner, _)) = ([table("book")], slot_of_tags(&cluster));
    let store = open(&cluster.url(NONE));
    for other in (0..3).filter(|other| *other != owner) {
        cluster.nodes[other].kill();
    }
    let refused = store.generations(&tags).unwrap_err().to_string();
    assert!(refused.contains("fewer than half"), "{refused}");
}

#[test]
fn a_node_that_is_a_replica_knows_the_primaries() {
    let cluster = Cluster::with_replicas();
    let url = format!(
        "redis-cluster://127.0.0.1:{}/?{NONE}",
        cluster.nodes[4].port()
    );
    let (store, tags) = (open(&url), [table("book")]);
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
}

#[test]
fn a_server_without_a_cluster_is_an_error() {
    let server = Server::start("");
    let store = open(&format!("redis-cluster://127.0.0.1:{}/", server.port()));
    let refused = store.generations(&[table("book")]).unwrap_err().to_string();
    assert!(refused.contains("cluster support disabled"), "{refused}");
}

#[test]
fn an_examination_tells_what_is_wrong_with_the_cluster() {
    let mut cluster = Cluster::start();
    let store = open(&cluster.url(NONE));
    let found = store.examine();
    let worst = found.iter().map(|found| found.level).max();
    assert_eq!(worst, Some(Level::Warning), "no bound of memory: {found:?}");
    let (slot, owner, other) = slot_of_tags(&cluster);
    let place = format!("slot {slot} at 127.0.0.1:{}", cluster.nodes[owner].port());
    for part in ["16384 of 16384", &place] {
        assert!(
            found.iter().any(|found| found.what.contains(part)),
            "{part}: {found:?}"
        );
    }
    cluster.nodes[other].kill();
    let port = cluster.nodes[other].port();
    let found = store.examine();
    let gone = format!("127.0.0.1:{port} gives no answer");
    assert!(
        found.iter().any(|found| found.what.contains(&gone)),
        "{found:?}"
    );
}

#[test]
fn a_resharding_under_load_makes_nothing_stale() {
    let cluster = Cluster::start();
    let url = cluster.url("quarantine=100ms&timeout=2s");
    let (slot, owner, other) = slot_of_tags(&cluster);
    let (hits, stale) = work_during(
        || open(&url),
        |progress| {
            for (from, to) in [(owner, other), (other, owner), (owner, other)] {
                progress.wait_for_hits(40);
                // Slots of entries, beginning with those of the lowest numbers, ...
                reshard(&cluster, from, to, 200);
                progress.wait_for_hits(40);
                // ... and the one of the generations and marks, key by key.
                cluster.begin_to_move(slot, from, to);
                for part in [GENERATIONS, MARKS, ""] {
                    progress.wait_for_calls(50);
                    cluster.move_keys(slot, from, to, part);
                }
                progress.wait_for_calls(50);
                cluster.end_move(slot, from, to);
            }
            progress.wait_for_hits(40);
        },
    );
    assert_eq!(stale, 0);
    assert!(hits >= 280, "{hits} hits show little");
}

fn reshard(cluster: &Cluster, from: usize, to: usize, slots: usize) {
    cluster.settle();
    let address = format!("127.0.0.1:{}", cluster.nodes[from].port());
    let done = Command::new("redis-cli")
        .args(["--cluster", "reshard", &address, "--cluster-yes"])
        .args(["--cluster-from", cluster.name(from)])
        .args(["--cluster-to", cluster.name(to)])
        .args(["--cluster-slots", &slots.to_string()])
        .stdout(Stdio::null())
        .status();
    assert!(done.unwrap().success());
}

#[test]
fn failovers_under_load_make_nothing_stale() {
    let mut cluster = Cluster::with_replicas();
    let url = cluster.url("quarantine=300ms&timeout=100ms");
    let (slot, owner, _) = slot_of_tags(&cluster);
    let seen_by = (owner + 1) % 3;
    let (hits, stale) = work_during(
        || open(&url),
        |progress| {
            for (failover, old, new) in [(0, owner, owner + 3), (1, owner + 3, owner)] {
                progress.wait_for_hits(40);
                // By turns: it is gone, or it sleeps and comes back before it is told.
                if failover == 0 {
                    cluster.nodes[old].kill();
                } else {
                    cluster.nodes[old].signal(Signal::STOP);
                }
                until(|| cluster.owner_of(slot, seen_by) == new);
                if failover == 0 {
                    cluster.nodes[old].start_again();
                } else {
                    cluster.nodes[old].signal(Signal::CONT);
                }
                progress.wait_for_reads(400);
                cluster.wait_for_link(old);
            }
            progress.wait_for_hits(40);
        },
    );
    assert_eq!(stale, 0);
    assert!(hits >= 120, "{hits} hits show little");
}
