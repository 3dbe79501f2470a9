//! A Redis whose place sentinels name, and its failovers.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking

mod store_support;

use std::process::{Child, Command, Stdio};

use kogia::Store;
use kogia::core::Decision;
use rustix::process::{Pid, Signal, kill_process};
use store_support::load::work_during;
use store_support::redis::{Server, open};
use store_support::*;
use tempfile::TempDir;

/// A primary, its replica, and three sentinels that watch both.
struct Guarded {
    servers: [Server; 2],
    sentinels: Vec<Sentinel>,
}

struct Sentinel {
    port: u16,
    child: Child,
    _folder: TempDir,
}

impl Guarded {
    fn start() -> Guarded {
        // Either gives the other its data at once, when it is the primary.
        let at_once = "--repl-diskless-sync-delay 0";
        let primary = Server::start(at_once);
        let replica = Server::start(&format!(
            "{at_once} --replicaof 127.0.0.1 {}",
            primary.port()
        ));
        until(|| {
            replica
                .ask(&["INFO", "replication"])
                .contains("master_link_status:up")
        });
        let sentinels = (0..3).map(|_| Sentinel::start(primary.port())).collect();
        let guarded = Guarded {
            servers: [primary, replica],
            sentinels,
        };
        // Until each of them knows the replica and both others, nobody is promoted.
        until(|| {
            guarded.sentinels.iter().all(|sentinel| {
                let known = sentinel.ask(&["SENTINEL", "master", "shop"]);
                let number = |name: &str| {
                    let mut lines = known.lines().skip_while(|line| *line != name).skip(1);
                    lines.next().map(str::to_owned)
                };
                number("num-slaves").as_deref() == Some("1")
                    && number("num-other-sentinels").as_deref() == Some("2")
            })
        });
        guarded
    }

    fn url(&self, options: &str) -> String {
        let hosts = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("redis-sentinel://{hosts}/shop/0?{options}")
    }

    /// Has the other server promoted in place of a primary, which is gone, or sleeps, and comes back
    /// before it is told.
    fn fail_over(&mut self, primary: usize, is_gone: bool) {
        if is_gone {
            self.servers[primary].kill();
        } else {
            self.servers[primary].signal(Signal::STOP);
        }
        self.wait_for(1 - primary);
        if is_gone {
            self.servers[primary].start_again();
        } else {
            self.servers[primary].signal(Signal::CONT);
        }
    }

    /// Waits until every sentinel names this one of the servers.
    fn wait_for(&self, server: usize) {
        let port = self.servers[server].port().to_string();
        until(|| {
            self.sentinels.iter().all(|sentinel| {
                let said = sentinel.ask(&["SENTINEL", "get-master-addr-by-name", "shop"]);
                said.ends_with(&port)
            })
        });
    }
}

impl Sentinel {
    fn start(primary: u16) -> Sentinel {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sentinel.conf");
        let spawn = |port| {
            let text = format!(
                "port {port}\nbind 127.0.0.1\nsentinel monitor shop 127.0.0.1 {primary} 2\n\
                 sentinel down-after-milliseconds shop 1300\nsentinel failover-timeout shop 2000\n"
            );
            std::fs::write(&path, text).unwrap();
            let mut command = Command::new("redis-server");
            let command = command.arg(&path).arg("--sentinel").stdout(Stdio::null());
            command
                .spawn()
                .expect("redis-server is missing: run ./scripts/test")
        };
        let (port, child) = start_server(spawn, store_support::redis::is_up);
        let sentinel = Sentinel {
            port,
            child,
            _folder: folder,
        };
        // They look and ask ten times a second, not every few seconds. They tell each other less often:
        // four times this period after one of them has promoted a replica, the others take that back.
        for (period, milliseconds) in [
            ("info-period", "100"),
            ("ask-period", "100"),
            ("publish-period", "1000"),
        ] {
            let said = sentinel.ask(&["SENTINEL", "DEBUG", period, milliseconds]);
            assert_eq!(said, "OK", "{period}");
        }
        sentinel
    }

    fn ask(&self, command: &[&str]) -> String {
        store_support::redis::ask(self.port, command)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_failover_starts_cold_and_goes_on() {
    let mut guarded = Guarded::start();
    let store = open(&guarded.url("quarantine=0s"));
    let tags = [table("book")];
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
    guarded.servers[0].kill();
    guarded.wait_for(1);
    until(|| store.read(&request(1, &tags)).is_ok());
    assert_eq!(hit(&store, 1, &tags), None);
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
}

/// Its clients still have their connections, and it is not yet told that it was replaced.
#[test]
fn a_primary_that_was_replaced_while_it_slept_is_not_asked() {
    let guarded = Guarded::start();
    let tags = [table("book")];
    let (idle, writer) = (
        open(&guarded.url("quarantine=0s")),
        open(&guarded.url("quarantine=0s")),
    );
    fill(&idle, 1, &tags, b"old rows");
    assert!(hit(&idle, 1, &tags).is_some());
    guarded.servers[0].signal(Signal::STOP);
    guarded.wait_for(1);
    until(|| writer.read(&request(1, &tags)).is_ok());
    mark(&writer, 1, &tags);
    clear(&writer, 1, &tags);
    // Cut off from the sentinels, so that nobody tells it.
    guarded
        .sentinels
        .iter()
        .for_each(|sentinel| sentinel.signal(Signal::STOP));
    guarded.servers[0].signal(Signal::CONT);
    assert!(guarded.servers[0].ask(&["ROLE"]).starts_with("master"));
    idle.read(&request(1, &tags)).unwrap_err();
    guarded
        .sentinels
        .iter()
        .for_each(|sentinel| sentinel.signal(Signal::CONT));
    until(|| idle.read(&request(1, &tags)).is_ok());
    assert_eq!(hit(&idle, 1, &tags), None);
}

#[test]
fn one_sentinel_may_be_away_and_two_may_not() {
    let mut guarded = Guarded::start();
    let tags = [table("book")];
    guarded.sentinels[0].child.kill().unwrap();
    let store = open(&guarded.url("quarantine=0s"));
    fill(&store, 1, &tags, b"rows");
    assert!(hit(&store, 1, &tags).is_some());
    guarded.sentinels[1].child.kill().unwrap();
    let refused = open(&guarded.url("")).read(&request(1, &tags)).unwrap_err();
    assert!(refused.to_string().contains("fewer than half"), "{refused}");
}

#[test]
fn a_service_that_nobody_knows_is_an_error() {
    let guarded = Guarded::start();
    let url = guarded.url("").replace("/shop/", "/no-such-service/");
    let refused = open(&url).read(&request(1, &[])).unwrap_err();
    assert!(refused.to_string().contains("no-such-service"), "{refused}");
}

#[test]
fn failovers_under_load_make_nothing_stale() {
    let mut guarded = Guarded::start();
    // No commit may take longer than the quarantine, and the writers wait for readers amid theirs.
    let url = guarded.url("quarantine=3s&timeout=100ms");
    let (hits, stale) = work_during(
        || open(&url),
        |progress| {
            for (failover, primary) in [0, 1, 0].into_iter().enumerate() {
                progress.wait_for_hits(40);
                guarded.fail_over(primary, failover % 2 == 0);
                // For a while it takes itself for the primary. The sentinels would tell it in the end.
                progress.wait_for_reads(400);
                let (old, new) = (&guarded.servers[primary], &guarded.servers[1 - primary]);
                old.ask(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
                // It can be promoted next time when it follows the other one.
                until(|| {
                    old.ask(&["INFO", "replication"])
                        .contains("master_link_status:up")
                });
            }
            progress.wait_for_hits(40);
        },
    );
    assert_eq!(stale, 0);
    assert!(hits >= 160, "{hits} hits show little");
}

/// An operator asks for it, or the sentinels do not reach the primary, and its clients do.
#[test]
fn whoever_asked_before_a_failover_reads_nothing_older_than_a_commit_after_it() {
    let guarded = Guarded::start();
    // Nobody tells the primary that it was replaced: its clients have to find out.
    let said = guarded.servers[0].ask(&["ACL", "SETUSER", "default", "-replicaof", "-slaveof"]);
    assert_eq!(said, "OK");
    let open = || open(&guarded.url("quarantine=0s"));
    let (tags, mut reader) = ([table("book")], open());
    fill(&reader, 1, &tags, b"old rows");
    let said = guarded.sentinels[0].ask(&["SENTINEL", "FAILOVER", "shop"]);
    assert_eq!(said, "OK");
    // The last one that found the old primary, and the first one that found the new one.
    let mut writer = None;
    until(|| {
        let store = open();
        let request = request(1, &tags);
        match store
            .read(&request)
            .map(|response| request.decide(response))
        {
            Ok(Decision::Hit(_)) => reader = store,
            Ok(_) => writer = Some(store),
            Err(_) => {}
        }
        writer.is_some()
    });
    let writer = writer.unwrap();
    mark(&writer, 1, &tags);
    let request = request(1, &tags);
    if let Ok(response) = reader.read(&request) {
        let decision = request.decide(response);
        assert!(!matches!(decision, Decision::Hit(_)), "{decision:?}");
    }
    assert!(guarded.servers[0].ask(&["ROLE"]).starts_with("master"));
}
