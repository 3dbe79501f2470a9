//! Clusters of Redis servers: one for the contract of stores, and some of a test's own.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use kogia::RedisStore;

use super::redis::{Server, open, unique};
use super::until;

/// Three primaries that share the slots, and perhaps a replica of each.
pub(crate) struct Cluster {
    /// The primaries, and then the replicas, as they were in the beginning.
    pub(crate) nodes: Vec<Server>,
    names: Vec<String>,
}

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;

/// A store of its own in a cluster that all tests of a program share.
pub(crate) fn store(name: &str) -> RedisStore {
    static CLUSTER: OnceLock<(Cluster, Child)> = OnceLock::new();
    let (cluster, _) = CLUSTER.get_or_init(|| {
        let cluster = Cluster::of((0..PRIMARIES).map(|_| Server::start(ENABLED)));
        let janitor = cluster.end_with_this_program();
        (cluster, janitor)
    });
    // Nothing was there before, so nobody relies on marks of it.
    open(&cluster.url(&format!("prefix={}&quarantine=0s&timeout=5s", unique(name))))
}

const ENABLED: &str = "--cluster-enabled yes --repl-diskless-sync-delay 0";

impl Cluster {
    /// Three primaries, which go on without one of them.
    pub(crate) fn start() -> Cluster {
        Cluster::of((0..PRIMARIES).map(|_| Server::start(&options())))
    }

    /// Three primaries, each with a replica.
    pub(crate) fn with_replicas() -> Cluster {
        let cluster = Cluster::of((0..2 * PRIMARIES).map(|_| Server::start(&options())));
        for number in 0..PRIMARIES {
            let replica = &cluster.nodes[PRIMARIES + number];
            until(|| replica.ask(&["CLUSTER", "REPLICATE", &cluster.names[number]]) == "OK");
        }
        for replica in PRIMARIES..2 * PRIMARIES {
            cluster.wait_for_link(replica);
        }
        // Until all have heard of it, nobody is promoted.
        until(|| {
            let mut nodes = cluster.nodes.iter();
            nodes.all(|node| node.ask(&["CLUSTER", "NODES"]).matches("slave").count() == PRIMARIES)
        });
        cluster
    }

    fn of(nodes: impl Iterator<Item = Server>) -> Cluster {
        let nodes: Vec<Server> = nodes.collect();
        let names = nodes
            .iter()
            .map(|node| node.ask(&["CLUSTER", "MYID"]))
            .collect();
        let first = nodes[0].port().to_string();
        for (number, node) in nodes.iter().enumerate() {
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
            if number < PRIMARIES {
                let (from, to) = (
                    number * SLOTS / PRIMARIES,
                    (number + 1) * SLOTS / PRIMARIES - 1,
                );
                let (from, to) = (from.to_string(), to.to_string());
                assert_eq!(node.ask(&["CLUSTER", "ADDSLOTSRANGE", &from, &to]), "OK");
            }
            node.ask(&["CLUSTER", "MEET", "127.0.0.1", &first]);
        }
        let cluster = Cluster { nodes, names };
        cluster.settle();
        cluster
    }

    /// Starts a process that ends the servers when this one is gone, and leaves nothing of them.
    fn end_with_this_program(&self) -> Child {
        let mut janitor = Command::new("sh");
        let script = "read -r _; for it; do case $it in /*) rm -rf \"$it\";; *) kill -9 \"$it\";; esac; done";
        janitor.args(["-c", script, "sh"]);
        for node in &self.nodes {
            janitor.arg(node.process().to_string());
            janitor.arg(node.folder());
        }
        // It reads until this program closes the pipe, which its end does, too.
        janitor
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        janitor.spawn().unwrap()
    }

    /// Waits until all nodes are well and see the same.
    pub(crate) fn settle(&self) {
        until(|| {
            let views = self
                .nodes
                .iter()
                .map(|node| node.ask(&["CLUSTER", "SLOTS"]));
            let mut views: Vec<String> = views.collect();
            views.dedup();
            let is_well = |node: &Server| {
                let info = node.ask(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
            };
            views.len() == 1 && self.nodes.iter().all(is_well)
        });
    }

    pub(crate) fn wait_for_link(&self, replica: usize) {
        until(|| {
            let said = self.nodes[replica].ask(&["INFO", "replication"]);
            said.contains("master_link_status:up")
        });
    }

    pub(crate) fn url(&self, options: &str) -> String {
        let hosts = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("redis-cluster://{hosts}/?{options}")
    }

    /// The slot of a key.
    pub(crate) fn slot_of(&self, key: &[u8]) -> u16 {
        // Keys have bytes that no command line takes.
        const SLOT: &str = "return redis.call('CLUSTER', 'KEYSLOT', (string.gsub(ARGV[1], '%x%x', \
                            function(byte) return string.char(tonumber(byte, 16)) end)))";
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let said = self.nodes[0].ask(&["EVAL", SLOT, "0", &digits]);
        said.parse().unwrap()
    }

    /// The number of the node that has a slot, as the node with another number sees it.
    pub(crate) fn owner_of(&self, slot: u16, seen_by: usize) -> usize {
        let slots = self.nodes[seen_by].ask(&["CLUSTER", "NODES"]);
        let owner = slots.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            let has_it = words.skip(7).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let (first, last) = (first.parse::<u16>(), last.parse::<u16>());
                matches!((first, last), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
            });
            has_it.then_some(name)
        });
        let owner = owner.expect("nobody has the slot");
        self.names.iter().position(|name| name == owner).unwrap()
    }

    /// Begins to move a slot: new keys are created at the other node.
    pub(crate) fn begin_to_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let begin = |node: usize, what, other: usize| {
            let said =
                self.nodes[node].ask(&["CLUSTER", "SETSLOT", &slot, what, &self.names[other]]);
            assert_eq!(said, "OK");
        };
        begin(to, "IMPORTING", from);
        begin(from, "MIGRATING", to);
    }

    /// Moves the keys of a slot that contain some bytes.
    pub(crate) fn move_keys(&self, slot: u16, from: usize, to: usize, part: &str) {
        const MOVE: &str = "for _, key in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], 1000)) do \
            if string.find(key, ARGV[2], 1, true) then \
            redis.call('MIGRATE', '127.0.0.1', ARGV[3], key, 0, 5000) end end return 'OK'";
        let (slot, port) = (slot.to_string(), self.nodes[to].port().to_string());
        let said = self.nodes[from].ask(&["EVAL", MOVE, "0", &slot, part, &port]);
        assert_eq!(said, "OK");
    }

    /// Ends the move of a slot.
    pub(crate) fn end_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        for node in [to, from] {
            let end = ["CLUSTER", "SETSLOT", &slot, "NODE", &self.names[to]];
            // Keys that came into being meanwhile have to be moved first.
            until(|| self.nodes[node].ask(&end) == "OK");
        }
    }

    /// Moves a slot with all of its keys.
    pub(crate) fn move_slot(&self, slot: u16, from: usize, to: usize) {
        self.begin_to_move(slot, from, to);
        self.move_keys(slot, from, to, "");
        self.end_move(slot, from, to);
    }

    pub(crate) fn name(&self, node: usize) -> &str {
        &self.names[node]
    }
}

/// Those of a test's own notice soon that a node is gone.
fn options() -> String {
    format!(
        "{ENABLED} --cluster-node-timeout 2000 --cluster-require-full-coverage no \
             --cluster-replica-validity-factor 0"
    )
}
