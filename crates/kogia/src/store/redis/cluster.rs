//! A cluster: one node has the generations and marks, and all of them have entries.
//!
//! What makes an answer stale is a generation that is not the present one, so only the node of the
//! generations has to be the right one: the one that more than half of the primaries name, as they
//! did within the last second. A primary that is cut off, or sleeps, while another one takes its
//! place is none of these. From wherever an entry comes, its stamp tells whether it is current.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::connection::{self, Connection, Connections, FRESH, Refused, Server, is_final};
use super::slots::{Primary, View, slot_of};
use super::url::{RedisCluster, RedisUrl};
use crate::store::remote::{ATTEMPTS, Breaker};

/// A cluster, and what is known of it.
#[derive(Debug)]
pub(super) struct Cluster {
    url: RedisUrl,
    seeds: RedisCluster,
    /// The slot of the generations and marks.
    slot: u16,
    known: ArcSwapOption<Map>,
    /// Of the cluster as a whole: whether it can be known at all.
    breaker: Breaker,
    started: Instant,
    /// When it is to be asked again, in nanoseconds after `started`.
    due: AtomicU64,
}

/// A cluster as most of its primaries have seen it.
#[derive(Debug)]
pub(super) struct Map {
    view: View,
    /// One for each of the primaries.
    nodes: Vec<Arc<Connections>>,
    /// The number of the one that has the generations and marks.
    tags: usize,
    as_of: Instant,
}

/// Where to ask for the map.
enum Source<'a> {
    Known(&'a Primary, &'a Connections),
    Seed(&'a (String, u16)),
}

/// After this long one caller asks again, while the others go on.
const DUE: Duration = Duration::from_millis(500);

impl Cluster {
    /// The cluster of a URL, in which one slot has all generations and marks.
    pub(super) fn new(url: &RedisUrl, seeds: &RedisCluster, slot: u16) -> Self {
        Cluster {
            url: url.clone(),
            seeds: seeds.clone(),
            slot,
            known: ArcSwapOption::empty(),
            breaker: Breaker::new(),
            started: Instant::now(),
            due: AtomicU64::new(0),
        }
    }

    /// The slot of the generations and marks.
    pub(super) fn slot(&self) -> u16 {
        self.slot
    }

    /// Has the node of the generations and marks do something.
    pub(super) fn with_tags<T>(
        &self,
        mut call: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Refused> {
        self.routed(|map| self.with_tags_of(map, &mut call))
    }

    /// Has the node of the generations and marks do something, as a map has it.
    pub(super) fn with_tags_of<T>(
        &self,
        map: &Map,
        mut call: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Refused> {
        map.tags().with(|connection| {
            // It may have slept until now, and another one have taken its place meanwhile.
            if map.as_of < connection.awake_since {
                let newer = self.ask();
                let newer = newer.map_err(|refused| disagreement(&refused.to_string()))?;
                if !Arc::ptr_eq(newer.tags(), map.tags()) {
                    return Err(RedisError::from((ErrorKind::Client, OUTDATED)));
                }
            }
            call(connection)
        })
    }

    /// Has the node of an entry do something.
    pub(super) fn with_entry<T>(
        &self,
        key: &[u8],
        mut call: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Refused> {
        self.routed(|map| map.entries(key)?.with(&mut call))
    }

    /// Does something at the nodes of a map, and again when these may no longer be the right ones, in
    /// which case they have done nothing.
    pub(super) fn routed<T>(
        &self,
        mut call: impl FnMut(&Map) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let mut map = self.map()?;
        for _ in 1..ATTEMPTS {
            match call(&map) {
                Err(Refused::Failed(error)) if is_outdated(&error) => map = self.ask()?,
                answer => return self.noted(answer),
            }
        }
        let answer = call(&map);
        self.noted(answer)
    }

    fn noted<T>(&self, answer: Result<T, Refused>) -> Result<T, Refused> {
        if let Err(Refused::Failed(error)) = &answer
            && is_final(error)
        {
            // The next caller asks who has taken its place.
            self.due.store(0, Ordering::Relaxed);
        }
        answer
    }

    /// The cluster as it was a moment ago.
    pub(super) fn map(&self) -> Result<Arc<Map>, Refused> {
        match self.known.load_full() {
            Some(map) if map.as_of.elapsed() < FRESH => {
                if self.is_due()
                    && let Ok(newer) = self.ask()
                {
                    return Ok(newer);
                }
                Ok(map)
            }
            _ => self.ask(),
        }
    }

    /// True for one caller each time that the cluster is to be asked again.
    fn is_due(&self) -> bool {
        let (due, now) = (self.due.load(Ordering::Relaxed), self.now());
        now >= due && self.postpone(due, now)
    }

    fn postpone(&self, due: u64, now: u64) -> bool {
        let next = now + nanoseconds(DUE);
        let changed = self
            .due
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        changed.is_ok()
    }

    fn now(&self) -> u64 {
        nanoseconds(self.started.elapsed())
    }

    /// Asks the cluster for its map.
    fn ask(&self) -> Result<Arc<Map>, Refused> {
        if !self.breaker.admits() {
            return Err(Refused::Open);
        }
        match self.ask_around() {
            Ok(map) => {
                let map = Arc::new(map);
                self.breaker.succeeded();
                self.known.store(Some(Arc::clone(&map)));
                self.postpone(self.due.load(Ordering::Relaxed), self.now());
                Ok(map)
            }
            Err(error) => {
                self.breaker.failed();
                Err(Refused::Failed(error))
            }
        }
    }

    /// The map that the first node to answer gives, if most of its primaries agree; else the next
    /// one's. The nodes of the URL are asked when those that are known do not help.
    fn ask_around(&self) -> RedisResult<Map> {
        let known = self.known.load_full();
        let known = known.as_deref();
        let (mut silent, mut disagreeing) = (None, None);
        let seeds = self.seeds.nodes.iter().map(Source::Seed);
        for source in known.into_iter().flat_map(Map::sources).chain(seeds) {
            match self.ask_at(source, known) {
                Ok(Ok(map)) => return Ok(map),
                Ok(Err(error)) => disagreeing = Some(error),
                Err(Refused::Failed(error)) => silent = Some(error),
                Err(Refused::Open) => {}
            }
        }
        let why = disagreeing.or(silent);
        Err(why.unwrap_or_else(|| disagreement("none answers")))
    }

    /// The map that a node gives, if it answers and most of the primaries agree.
    fn ask_at(&self, source: Source<'_>, known: Option<&Map>) -> Result<RedisResult<Map>, Refused> {
        let begun = Instant::now();
        let (asked, view) = match source {
            Source::Known(primary, node) => (Some(primary), view_of(primary, node)?),
            Source::Seed((host, port)) => {
                (None, self.view_at(host, *port).map_err(Refused::Failed)?)
            }
        };
        let map = self.map_of(view, known, begun).and_then(|mut map| {
            if asked == Some(&map.view.primaries[map.tags]) {
                // What the others say counts, and they are asked from now on.
                map.as_of = Instant::now();
            }
            map.is_agreed(self.slot, asked).map(|()| map)
        });
        Ok(map)
    }

    /// What a node says that may be a replica.
    fn view_at(&self, host: &str, port: u16) -> RedisResult<View> {
        let url = self.url.of_node(&self.seeds, host, port);
        let mut raw = connection::open(&url, None, redis::ProtocolVersion::RESP2)?;
        let said = redis::cmd("CLUSTER").arg("SLOTS").query(&mut raw)?;
        View::parse(&said, host)
    }

    /// A map with the connections that there are already.
    fn map_of(&self, view: View, known: Option<&Map>, as_of: Instant) -> RedisResult<Map> {
        let tags = view.owner_of(self.slot);
        let tags = tags.ok_or_else(|| disagreement("the slot of the marks is nobody's"))?;
        let connections = |primary: &Primary| {
            let mut all = known.into_iter().flat_map(Map::all);
            match all.find(|(other, _)| *other == primary) {
                Some((_, connections)) => Arc::clone(connections),
                None => {
                    let url = self.url.of_node(&self.seeds, &primary.host, primary.port);
                    Arc::new(Connections::new(Server::new(url)))
                }
            }
        };
        let nodes = view.primaries.iter().map(connections).collect();
        Ok(Map {
            view,
            nodes,
            tags,
            as_of,
        })
    }
}

impl Map {
    fn tags(&self) -> &Arc<Connections> {
        &self.nodes[self.tags]
    }

    /// The node of an entry.
    pub(super) fn entries(&self, key: &[u8]) -> Result<&Connections, Refused> {
        let owner = self.view.owner_of(slot_of(key));
        let owner = owner.ok_or_else(|| Refused::Failed(disagreement("the slot is nobody's")))?;
        Ok(&self.nodes[owner])
    }

    /// Whether an entry is where the generations and marks are.
    pub(super) fn is_with_tags(&self, key: &[u8]) -> bool {
        self.view.owner_of(slot_of(key)) == Some(self.tags)
    }

    /// The name of the node of the generations and marks.
    pub(super) fn tags_name(&self) -> String {
        self.view.primaries[self.tags].to_string()
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// All primaries and how to reach them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Primary, &Arc<Connections>)> {
        self.view.primaries.iter().zip(&self.nodes)
    }

    /// Where to ask for the next map: first the node of the generations and marks, which is needed
    /// anyway.
    fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        let count = self.nodes.len();
        let from_tags = (0..count).map(move |number| (self.tags + number) % count);
        from_tags.map(|number| Source::Known(&self.view.primaries[number], &self.nodes[number]))
    }

    /// Whether more than half of the primaries see these primaries, and the same one with a slot. It
    /// takes as many of them to make another one its primary. The one whose view this is has been
    /// asked.
    fn is_agreed(&self, slot: u16, asked: Option<&Primary>) -> RedisResult<()> {
        let mut votes = 0;
        let mut last = None;
        for (primary, node) in self.all() {
            let agrees = match asked == Some(primary) {
                true => Ok(true),
                false => view_of(primary, node).map(|view| self.view.agrees(&view, slot)),
            };
            match agrees {
                Ok(agrees) => votes += usize::from(agrees),
                Err(refused) => last = Some(refused),
            }
            if votes > self.nodes.len() / 2 {
                return Ok(());
            }
        }
        let last = last.map(|refused| refused.to_string());
        Err(disagreement(
            last.as_deref().unwrap_or("they name different ones"),
        ))
    }
}

/// What a primary says of the cluster.
fn view_of(primary: &Primary, node: &Connections) -> Result<View, Refused> {
    node.with(|connection| {
        let mut slots = redis::cmd("CLUSTER");
        let said = slots.arg("SLOTS").query(&mut connection.raw)?;
        View::parse(&said, &primary.host)
    })
}

/// Whether a map is not to be used any longer: the slot of a call is another node's, or may be. Nothing
/// was done.
fn is_outdated(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::Moved)
        || error.to_string().contains(OUTDATED)
}

const OUTDATED: &str = "the cluster may have changed while the node slept";

/// Whether a slot is on its way to another node, so that a call with several keys finds some of them
/// here and some there, and does nothing.
pub(super) fn is_moving(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::TryAgain | ServerErrorKind::Ask)
    )
}

fn disagreement(why: &str) -> RedisError {
    let text = "fewer than half of the cluster's primaries agree on who has which slots";
    RedisError::from((ErrorKind::Client, text, why.to_owned()))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}
