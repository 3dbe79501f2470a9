//! What can be said about a server from what it tells of itself (`INFO`), for `kogia doctor`.

use super::cluster::Map;
use super::nodes::Said;
use super::slots::SLOTS;
use crate::store::{Finding, Level};

/// Examines a server by its `INFO`.
pub(super) fn examine(info: &str) -> Vec<Finding> {
    let info = Info(info);
    let mut found = vec![version(&info), role(&info)];
    if info.number("cluster_enabled") == 1 {
        found.push(Finding::warning(
            "it is a node of a cluster, and the store talks to this node alone",
            "begin the URL with redis-cluster:",
        ));
    }
    found.extend(settings(&info));
    found
}

/// Examines who has which slots of a cluster.
pub(super) fn cluster(map: &Map, slot: u16) -> Vec<Finding> {
    let (covered, count) = (map.view().covered(), map.view().primaries.len());
    let slots = format!("the cluster has {count} primaries, which have {covered} of {SLOTS} slots");
    vec![
        if covered == u64::from(SLOTS) {
            Finding::fine(slots)
        } else {
            Finding::error(slots, "mend it, as with redis-cli --cluster fix")
        },
        Finding::fine(format!(
            "generations and marks are in slot {slot} at {}; at another node the store starts cold",
            map.tags_name()
        )),
    ]
}

/// Examines a node of a cluster by its `INFO` and `CLUSTER INFO`; what is as it should be is not said
/// of each.
pub(super) fn node(said: &Said<(String, String)>) -> Vec<Finding> {
    let (info, cluster) = match &said.answer {
        Ok((info, cluster)) => (Info(info), Info(cluster)),
        Err(refused) => {
            return vec![Finding::error(
                format!("{} gives no answer: {refused}", said.name),
                "until it does, queries whose results it has go to the database",
            )];
        }
    };
    let mut found = vec![version(&info), role(&info), state(&cluster)];
    found.extend(settings(&info));
    found.retain(|found| found.level != Level::Fine);
    for found in &mut found {
        found.what = format!("{}: {}", said.name, found.what);
    }
    if found.is_empty() {
        found.push(Finding::fine(format!("{} is as it should be", said.name)));
    }
    found
}

fn state(cluster: &Info<'_>) -> Finding {
    match cluster.text("cluster_state") {
        "ok" => Finding::fine("it takes the cluster for healthy"),
        state => Finding::error(
            format!("it takes the cluster for down ({state})"),
            "see what CLUSTER INFO and CLUSTER NODES say there",
        ),
    }
}

fn settings(info: &Info<'_>) -> Vec<Finding> {
    let mut found = memory(info);
    found.push(eviction(info));
    found.extend(persistence(info));
    found
}

/// What a server says of itself: names and values, in lines.
pub(super) struct Info<'a>(pub(super) &'a str);

impl Info<'_> {
    fn text(&self, name: &str) -> &str {
        let mut lines = self.0.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim()
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }
}

fn version(info: &Info<'_>) -> Finding {
    let valkey = info.text("valkey_version");
    if !valkey.is_empty() {
        return Finding::fine(format!("it is Valkey {valkey}"));
    }
    let version = info.text("redis_version");
    let major: u64 = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    if major >= 6 {
        return Finding::fine(format!("it is Redis {version}"));
    }
    Finding::warning(
        format!("it is Redis {version:?}, with which nobody has tried this"),
        "use Redis 6 or newer, or Valkey",
    )
}

fn role(info: &Info<'_>) -> Finding {
    if info.text("role") == "slave" {
        return Finding::error(
            "it is a replica, which may be behind and takes no writes",
            "name the primary in the URL",
        );
    }
    match info.number("connected_slaves") {
        0 => Finding::fine("it is a primary without replicas"),
        count => Finding::fine(format!(
            "it is a primary with {count} replicas; after a failover the store starts cold"
        )),
    }
}

fn memory(info: &Info<'_>) -> Vec<Finding> {
    let (used, most) = (info.number("used_memory"), info.number("maxmemory"));
    if most == 0 {
        return vec![Finding::warning(
            format!("it holds {used} bytes and has no bound: it may take all of its machine's"),
            "set maxmemory, and maxmemory-policy volatile-lru",
        )];
    }
    let percent = used.saturating_mul(100) / most;
    let evicted = info.number("evicted_keys");
    vec![Finding::fine(format!(
        "{percent} % of its {most} bytes are in use, and {evicted} keys were evicted since it started"
    ))]
}

fn eviction(info: &Info<'_>) -> Finding {
    let policy = info.text("maxmemory_policy");
    if info.number("maxmemory") == 0 {
        return Finding::fine(format!("nothing is evicted without a bound ({policy})"));
    }
    match policy.split_once('-') {
        Some(("volatile", _)) => Finding::fine(format!(
            "when it is full it evicts entries and leaves marks alone ({policy})"
        )),
        Some(("allkeys", _)) => Finding::warning(
            format!(
                "when it is full it may evict marks ({policy}); nothing is cached for a while then"
            ),
            "set maxmemory-policy volatile-lru: all entries have a time to live",
        ),
        _ => Finding::warning(
            format!("when it is full nothing new is cached ({policy})"),
            "set maxmemory-policy volatile-lru: all entries have a time to live",
        ),
    }
}

fn persistence(info: &Info<'_>) -> Option<Finding> {
    (info.number("aof_enabled") == 1).then(|| {
        Finding::note(
            "it writes a log of all changes (AOF), of which a cache needs none: after a restart \
             the store starts cold",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found out of `INFO` with these lines beside those of a good server.
    fn worst(lines: &str) -> Finding {
        const GOOD: &str = "redis_version:7.0.15\r\nrole:master\r\nused_memory:10\r\n\
            maxmemory:100\r\nmaxmemory_policy:volatile-lru\r\naof_enabled:0\r\ncluster_enabled:0\r\n";
        let info = format!("{lines}\r\n{GOOD}");
        let found = examine(&info).into_iter().max_by_key(|found| found.level);
        found.unwrap_or_else(|| Finding::error("nothing was found", ""))
    }

    #[test]
    fn a_good_server_is_fine() {
        assert_eq!(worst("").level, Level::Fine);
        assert_eq!(
            worst("valkey_version:8.1.0\r\nredis_version:5.0").level,
            Level::Fine
        );
        assert_eq!(worst("connected_slaves:2").level, Level::Fine);
    }

    #[test]
    fn what_will_go_wrong_is_said() {
        for (lines, level, what) in [
            ("redis_version:5.0.3", Level::Warning, "5.0.3"),
            ("role:slave", Level::Error, "replica"),
            ("cluster_enabled:1", Level::Warning, "cluster"),
            ("maxmemory:0", Level::Warning, "no bound"),
            ("maxmemory_policy:noeviction", Level::Warning, "nothing new"),
            (
                "maxmemory_policy:allkeys-lru",
                Level::Warning,
                "evict marks",
            ),
            ("aof_enabled:1", Level::Note, "AOF"),
        ] {
            let found = worst(lines);
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.what.contains(what), "{found:?}");
        }
    }
}
