//! The store in Redis or Valkey, which the processes of many machines share.

mod cluster;
mod connection;
mod examine;
mod fence;
mod line;
mod nodes;
mod owners;
mod pushes;
mod scripts;
mod sentinel;
#[cfg(feature = "tokio")]
mod shared;
mod slots;
mod url;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kogia_core::{Fill, Generation, OwnerId, ReadRequest, ReadResponse, Tag, TagSet};
use redis::{RedisResult, Script, ScriptInvocation, Value};
use smallvec::SmallVec;

use self::cluster::is_moving;
use self::connection::{Connection, Meanwhile, Refused, is_full};
use self::fence::{FENCE, Fence};
use self::line::{Line, Way};
use self::nodes::{Nodes, Place, Slots};
#[cfg(feature = "tokio")]
use self::shared::Lanes;
pub use self::url::{RedisAddress, RedisCluster, RedisSentinels, RedisUrl};
#[cfg(feature = "tokio")]
use super::StoreFuture;
use super::pushed::{Life, Pushing};
use super::remote::{
    ATTEMPTS, GENERATION_TTL, backend, count_out_of_memory, entry, failed, in_incarnation,
    stored_generation as generation,
};
use super::{Abandoned, Finding, Mark, Store, StoreError, Usage};
use crate::caller::at_once;
use crate::token::fresh_generation;

/// Keeps entries and generations in a Redis or Valkey server.
///
/// # Round trips
///
/// A read is one `MGET` of the incarnation, the generations and the entry; a miss has a second one
/// if a tag has no generation yet. Marking and clearing are one script each. Filling does not
/// wait.
///
/// # What may be lost
///
/// Anything, at any time: entries and generations have a time to live, and a server that is full
/// may evict them. The marks of all tags are one key without a time to live, which also says on
/// which server they were set; when it is lost, or belongs to another server (a restart, with or
/// without an old dump, a replica that was promoted), a new *incarnation* begins. Its token is
/// part of every generation that the store gives out, so nothing from before is current, and for
/// the length of the quarantine everything counts as marked, because a writer may rely on a mark
/// that was lost. See `DESIGN.md`.
///
/// # Clusters
///
/// In a cluster one slot has all generations and marks of a prefix, and entries are everywhere. A
/// read asks the node of that slot and the node of the entry at once. When the slot comes to another
/// node, by a failover or because it is moved, the store starts cold; the entries of a node that is
/// gone are not asked for, and all others are.
///
/// # Clocks
///
/// Leases and the quarantine are measured on the server's clock, and nothing else is.
#[derive(Debug)]
pub struct RedisStore {
    nodes: Nodes,
    #[cfg(feature = "tokio")]
    lanes: Lanes,
    url: RedisUrl,
    keys: Keys,
    fence: Fence,
    /// The entries that the server had evicted when the store was opened.
    evicted_before: AtomicU64,
}

impl RedisStore {
    /// The store on a server. It is connected to at the first use, and again whenever it has to
    /// be: an application starts, and works, without it.
    pub fn new(url: RedisUrl) -> Self {
        let keys = Keys::new(&url.prefix);
        RedisStore {
            nodes: Nodes::new(&url, &keys.incarnation),
            #[cfg(feature = "tokio")]
            lanes: Lanes::new(&url),
            keys,
            fence: Fence::default(),
            url,
            evicted_before: AtomicU64::new(u64::MAX),
        }
    }

    /// The incarnation, the generations of some tags and an entry, in one round trip. Tags without
    /// a generation get one in a second.
    async fn look(
        &self,
        way: &mut Way<'_>,
        tags: &[Tag],
        wanted: Wanted<'_>,
    ) -> Result<Looked, Refused> {
        match way {
            Way::Blocking(meanwhile) => self.look_blocking(meanwhile, tags, wanted),
            #[cfg(feature = "tokio")]
            Way::Shared(lane) => {
                let look = |line| self.look_at(line, tags, wanted, Slots::One);
                lane.with(look).await
            }
        }
    }

    /// [`RedisStore::look`] in one server, or in the nodes of a cluster.
    fn look_blocking(
        &self,
        meanwhile: &mut Meanwhile<'_>,
        tags: &[Tag],
        wanted: Wanted<'_>,
    ) -> Result<Looked, Refused> {
        let mut look_at = |one: &mut Connection, wanted, slots| {
            let line = Line::Own(one, meanwhile);
            at_once(self.look_at(line, tags, wanted, slots))
        };
        self.nodes.read(wanted.key(), |place| match place {
            Place::One(node, slots) => node.with(|one| look_at(one, wanted, slots)),
            Place::Apart {
                tags: node,
                entries,
            } => entries.with(|other| {
                // Both are asked before either is waited for.
                let mut commands = wanted.commands(Slots::Two).into_iter();
                commands.try_for_each(|command| other.send(&command))?;
                let looked = node.with(|one| look_at(one, Wanted::Nothing, Slots::One));
                let Ok(looked) = looked else {
                    return Ok(looked);
                };
                let remaining = match wanted {
                    Wanted::Lifetime(_) => other.receive()?,
                    _ => FOR_EVER,
                };
                Ok(Ok(looked.with_entry(other.receive()?, remaining)))
            })?,
        })
    }

    /// [`RedisStore::look`] at one server, with which everything is that is wanted.
    async fn look_at(
        &self,
        mut line: Line<'_, '_>,
        tags: &[Tag],
        wanted: Wanted<'_>,
        slots: Slots,
    ) -> RedisResult<Looked> {
        for _ in 0..ATTEMPTS {
            let found = self.ask(&mut line, tags, wanted, slots).await?;
            let incarnation = found.incarnation.and_then(|bytes| {
                Incarnation::parse(&bytes).filter(|found| found.server == line.server())
            });
            let Some(incarnation) = incarnation else {
                self.begin(&mut line).await?;
                continue;
            };
            let mut generations = found.generations;
            if generations.iter().any(|found| found.is_missing())
                && !self
                    .create(&mut line, &incarnation, tags, &mut generations)
                    .await?
            {
                continue;
            }
            let looked = Looked::new(incarnation, generations);
            return Ok(looked.with_entry(found.entry, found.remaining));
        }
        Err(unstable())
    }

    /// What stands in a server, whoever wrote it.
    async fn ask(
        &self,
        line: &mut Line<'_, '_>,
        tags: &[Tag],
        wanted: Wanted<'_>,
        slots: Slots,
    ) -> RedisResult<Found> {
        let room = (tags.len() + 2) * (self.keys.entries.len() + 32);
        let mut get = redis::Cmd::with_capacity(tags.len() + 3, room);
        get.arg("MGET").arg(&self.keys.incarnation);
        for tag in tags {
            get.arg(self.keys.generation(*tag));
        }
        let mut pipe = redis::pipe();
        wanted.commands(slots).into_iter().for_each(|command| {
            pipe.add_command(command);
        });
        if let (Slots::One, Some(key)) = (slots, wanted.key()) {
            get.arg(key);
        }
        // A replica refuses to wait for replicas: what it has may be older than what its
        // primary has given out, and its primary may have been this one's replica before.
        pipe.add_command(get).cmd("WAIT").arg(0).arg(0);
        let mut answers = line.ask(&pipe).await?.into_iter();
        let mut next = || answers.next().unwrap_or(Value::Nil);
        let remaining = match wanted {
            Wanted::Lifetime(_) => redis::from_redis_value(next())?,
            _ => FOR_EVER,
        };
        let entry = match slots {
            Slots::Two => redis::from_redis_value(next())?,
            Slots::One => None,
        };
        let values: Vec<Option<Vec<u8>>> = redis::from_redis_value(next())?;
        let mut values = values.into_iter();
        Ok(Found {
            incarnation: values.next().flatten(),
            generations: values
                .by_ref()
                .take(tags.len())
                .map(|found| generation(found.as_deref()))
                .collect(),
            entry: entry.or_else(|| values.next().flatten()),
            remaining,
        })
    }

    /// Begins an incarnation of the server at the other end.
    async fn begin(&self, line: &mut Line<'_, '_>) -> RedisResult<()> {
        let mut call = self.script(&scripts::BEGIN, line);
        call.arg(&fresh()?[..])
            .arg(milliseconds(self.lost_marks_hold()));
        line.run(&call).await
    }

    /// How long a writer may rely on marks that were lost. Those of an older primary may be taken for
    /// a moment after the new one's incarnation has begun.
    fn lost_marks_hold(&self) -> Duration {
        match self.url.quarantine {
            Duration::ZERO => Duration::ZERO,
            quarantine if self.url.is_elected() => quarantine + FENCE,
            quarantine => quarantine,
        }
    }

    /// Gives the tags a generation that have none; false if the incarnation is another one by now.
    async fn create(
        &self,
        line: &mut Line<'_, '_>,
        incarnation: &Incarnation,
        tags: &[Tag],
        generations: &mut [Generation],
    ) -> RedisResult<bool> {
        let mut call = self.script(&scripts::CREATE, line);
        call.arg(milliseconds(GENERATION_TTL));
        let missing = |(_, found): &(&Tag, &mut Generation)| found.is_missing();
        let missing: Vec<_> = tags.iter().zip(generations).filter(missing).collect();
        for (tag, _) in &missing {
            call.key(self.keys.generation(**tag)).arg(&fresh()?[..]);
        }
        let created: Option<(Vec<u8>, Vec<Option<Vec<u8>>>)> = line.run(&call).await?;
        let Some((now, created)) = created else {
            self.begin(line).await?;
            return Ok(false);
        };
        for ((_, place), created) in missing.into_iter().zip(created) {
            *place = generation(created.as_deref());
        }
        Ok(Incarnation::parse(&now).as_ref() == Some(incarnation))
    }

    /// Runs a script that answers with the incarnation and something else, and begins an
    /// incarnation where it refuses to run in the present one.
    async fn run<T: redis::FromRedisValue>(
        &self,
        way: &mut Way<'_>,
        script: &Script,
        arguments: &(impl Fn(&mut ScriptInvocation<'_>, &[u8]) + Sync),
    ) -> Result<(Incarnation, T), Refused> {
        match way {
            Way::Blocking(meanwhile) => self.nodes.with_tags(|one| {
                at_once(self.run_at(Line::Own(one, meanwhile), script, arguments))
            }),
            #[cfg(feature = "tokio")]
            Way::Shared(lane) => lane.with(|line| self.run_at(line, script, arguments)).await,
        }
    }

    async fn run_at<T: redis::FromRedisValue>(
        &self,
        mut line: Line<'_, '_>,
        script: &Script,
        arguments: &(impl Fn(&mut ScriptInvocation<'_>, &[u8]) + Sync),
    ) -> RedisResult<(Incarnation, T)> {
        for _ in 0..ATTEMPTS {
            let mut call = self.script(script, &line);
            // Each time another one: the server may have run the call that is repeated, and
            // what it gave out then must not come back.
            arguments(&mut call, &fresh()?);
            let answer: Option<(Vec<u8>, T)> = line.run(&call).await?;
            if let Some((incarnation, answer)) = answer
                && let Some(incarnation) = Incarnation::parse(&incarnation)
            {
                return Ok((incarnation, answer));
            }
            self.begin(&mut line).await?;
        }
        Err(unstable())
    }

    fn script<'a>(&self, script: &'a Script, line: &Line<'_, '_>) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(&self.keys.incarnation)
            .key(&self.keys.marks)
            .arg(&line.server()[..]);
        call
    }

    /// Marks or clears tags, and gives the generation that a watched tag has thereafter.
    async fn change(
        &self,
        way: &mut Way<'_>,
        script: &Script,
        tags: &TagSet,
        watched: Option<Tag>,
        arguments: impl Fn(&mut ScriptInvocation<'_>, &[u8]) + Sync,
    ) -> Result<Generation, Refused> {
        let watched = watched.or(tags.as_slice().first().copied());
        if watched.is_none() {
            return Ok(Generation::MISSING);
        }
        let arguments = |call: &mut ScriptInvocation<'_>, token: &[u8]| {
            for tag in tags.as_slice().iter().copied().chain(watched) {
                call.key(self.keys.generation(tag));
            }
            arguments(call, token);
        };
        match self.run(way, script, &arguments).await {
            Ok((incarnation, found)) => {
                let found: Option<Vec<u8>> = found;
                Ok(incarnation.of(generation(found.as_deref())))
            }
            Err(refused) if is_full(&refused) => {
                self.forget(way, tags).await?;
                Ok(Generation::MISSING)
            }
            Err(refused) => Err(refused),
        }
    }

    /// Invalidates everything while the slot of the marks is on its way to another node and nothing
    /// can be marked. Commands with one key still go through, or the key has already left: without
    /// the incarnation or the marks nobody reads on, be it here, in the other node, where another
    /// incarnation begins anyway, or here when the slot stays after all.
    fn abandon(&self) -> Result<(), Refused> {
        let mut lose_marks = redis::cmd("HDEL");
        lose_marks.arg(&self.keys.marks).arg("server");
        let mut end = redis::cmd("DEL");
        end.arg(&self.keys.incarnation);
        for command in [lose_marks, end] {
            let done = self
                .nodes
                .with_tags(|connection| command.query::<Value>(&mut connection.raw));
            match done {
                Err(Refused::Failed(error)) if is_moving(&error) => {}
                done => {
                    done?;
                }
            }
        }
        Ok(())
    }

    /// Invalidates where the server has no memory left for marks: deleting needs none.
    async fn forget(&self, way: &mut Way<'_>, tags: &TagSet) -> Result<(), Refused> {
        count_out_of_memory();
        match way {
            Way::Blocking(meanwhile) => self
                .nodes
                .with_tags(|one| at_once(self.forget_at(Line::Own(one, meanwhile), tags))),
            #[cfg(feature = "tokio")]
            Way::Shared(lane) => lane.with(|line| self.forget_at(line, tags)).await,
        }
    }

    async fn forget_at(&self, mut line: Line<'_, '_>, tags: &TagSet) -> RedisResult<()> {
        let mut call = self.script(&scripts::FORGET, &line);
        for tag in tags.as_slice() {
            call.key(self.keys.generation(*tag));
        }
        line.run::<Value>(&call).await.map(drop)
    }
}

impl RedisStore {
    async fn read_entry(
        &self,
        way: &mut Way<'_>,
        request: &ReadRequest,
        wanted: Wanted<'_>,
    ) -> Result<(ReadResponse<Bytes>, Incarnation), StoreError> {
        let looked = self
            .look(way, request.tags(), wanted)
            .await
            .map_err(|refused| failed("read", &refused))?;
        let (incarnation, remaining) = (looked.incarnation, looked.remaining);
        let response = ReadResponse {
            generations: incarnation.of_all(looked.generations),
            entry: looked
                .entry
                .and_then(|bytes| entry::decode(bytes, request.key(), remaining)),
        };
        Ok((response, incarnation))
    }

    async fn look_for_generations(
        &self,
        way: &mut Way<'_>,
        tags: &[Tag],
    ) -> Result<(SmallVec<[Generation; 8]>, Incarnation), StoreError> {
        let looked = self
            .look(way, tags, Wanted::Nothing)
            .await
            .map_err(|refused| failed("read generations", &refused))?;
        let generations = looked.incarnation.of_all(looked.generations);
        Ok((generations, looked.incarnation))
    }

    async fn claim_query(
        &self,
        way: &mut Way<'_>,
        fill: &Fill,
    ) -> Result<Option<Duration>, StoreError> {
        let Some(patience) = self.url.single_flight else {
            return Ok(None);
        };
        let key = self.keys.claim(fill);
        let mut set = redis::pipe();
        set.cmd("SET").arg(&key).arg(1).arg("NX");
        set.arg("PX").arg(milliseconds(patience));
        let answer = match way {
            Way::Blocking(meanwhile) => self.nodes.with_entry(&key, |connection| {
                at_once(ask(Line::Own(connection, meanwhile), &set))
            }),
            #[cfg(feature = "tokio")]
            Way::Shared(lane) => lane.with(|line| ask(line, &set)).await,
        };
        let answer = answer.map_err(|refused| failed("claim a query", &refused))?;
        let is_claimed_by_another = answer.contains(&Value::Nil);
        Ok(is_claimed_by_another.then_some(patience))
    }

    async fn mark_tags(
        &self,
        way: &mut Way<'_>,
        mark: &Mark<'_>,
        watched: Option<Tag>,
    ) -> Result<Generation, StoreError> {
        let backend = backend::encode(mark.backend);
        let arguments = |call: &mut ScriptInvocation<'_>, token: &[u8]| {
            call.arg(milliseconds(GENERATION_TTL))
                .arg(&owners::name(mark.owner)[..])
                .arg(milliseconds(mark.lease))
                .arg(&backend[..])
                .arg(token);
        };
        let marked = self
            .change(way, &scripts::MARK, mark.tags, watched, arguments)
            .await;
        let marked = match marked {
            Err(Refused::Failed(error)) if is_moving(&error) => {
                self.abandon().map(|()| Generation::MISSING)
            }
            marked => marked,
        };
        let marked = marked.map_err(|refused| failed("mark", &refused))?;
        if self.url.is_elected() {
            let waited = self.fence.wait(&self.nodes, &self.keys.marks);
            waited.map_err(|refused| failed("mark", &refused))?;
        }
        Ok(marked)
    }

    fn clear_tags(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Option<Tag>,
        meanwhile: Meanwhile<'_>,
    ) -> Result<Generation, StoreError> {
        let arguments = |call: &mut ScriptInvocation<'_>, token: &[u8]| {
            call.arg(milliseconds(GENERATION_TTL))
                .arg(&owners::name(owner)[..])
                .arg(token);
        };
        let mut way = Way::Blocking(meanwhile);
        at_once(self.change(&mut way, &scripts::CLEAR, tags, watched, arguments))
            .map_err(|refused| failed("clear", &refused))
    }

    fn ask_usage(&self) -> Result<Usage, Refused> {
        let said = self.nodes.each(|connection| {
            redis::pipe()
                .cmd("DBSIZE")
                .cmd("INFO")
                .query::<(u64, String)>(&mut connection.raw)
        })?;
        let mut usage = Usage::default();
        for said in said {
            let (entries, info) = said.answer?;
            let info = examine::Info(&info);
            usage.entries += entries;
            usage.bytes += info.number("used_memory");
            usage.capacity += info.number("maxmemory");
            usage.evicted += info.number("evicted_keys");
        }
        let before = self
            .evicted_before
            .fetch_min(usage.evicted, Ordering::Relaxed);
        usage.evicted = usage.evicted.saturating_sub(before.min(usage.evicted));
        Ok(usage)
    }
}

impl Store for RedisStore {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        let key = self.keys.entry(request.key().as_bytes());
        let mut way = Way::blocking();
        let read = self.read_entry(&mut way, request, Wanted::Entry(&key));
        at_once(read).map(|(response, _)| response)
    }

    fn read_with_lifetime(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        let (response, _) = self.read_in_life(request)?;
        Ok(response)
    }

    #[cfg(feature = "tokio")]
    fn read_async<'a>(
        &'a self,
        request: &'a ReadRequest,
    ) -> Option<StoreFuture<'a, ReadResponse<Bytes>>> {
        let mut way = self.lanes.way(&self.nodes)?;
        let key = self.keys.entry(request.key().as_bytes());
        Some(Box::pin(async move {
            let read = self.read_entry(&mut way, request, Wanted::Entry(&key));
            read.await.map(|(response, _)| response)
        }))
    }

    #[cfg(feature = "tokio")]
    fn read_with_lifetime_async<'a>(
        &'a self,
        request: &'a ReadRequest,
    ) -> Option<StoreFuture<'a, ReadResponse<Bytes>>> {
        let mut way = self.lanes.way(&self.nodes)?;
        let key = self.keys.entry(request.key().as_bytes());
        Some(Box::pin(async move {
            let read = self.read_entry(&mut way, request, Wanted::Lifetime(&key));
            read.await.map(|(response, _)| response)
        }))
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        let (generations, _) = self.generations_in_life(tags)?;
        Ok(generations)
    }

    #[cfg(feature = "tokio")]
    fn generations_async<'a>(
        &'a self,
        tags: &'a [Tag],
    ) -> Option<StoreFuture<'a, SmallVec<[Generation; 8]>>> {
        let mut way = self.lanes.way(&self.nodes)?;
        Some(Box::pin(async move {
            let found = self.look_for_generations(&mut way, tags).await?;
            Ok(found.0)
        }))
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let ttl = milliseconds(ttl);
        let bytes = entry::encode(fill, rows, &value, self.url.max_entry);
        if let Some(bytes) = bytes.filter(|_| ttl > 0) {
            let key = self.keys.entry(fill.key().as_bytes());
            let mut set = redis::cmd("SET");
            set.arg(&key).arg(bytes).arg("PX").arg(ttl);
            self.nodes
                .with_entry(&key, |connection| connection.send(&set))
                .map_err(|refused| failed("store an entry", &refused))?;
        }
        if self.url.single_flight.is_none() {
            return Ok(());
        }
        // Whoever has not waited so far need not begin to.
        let claim = self.keys.claim(fill);
        let mut unclaim = redis::cmd("DEL");
        unclaim.arg(&claim);
        self.nodes
            .with_entry(&claim, |connection| connection.send(&unclaim))
            .map_err(|refused| failed("store an entry", &refused))
    }

    fn claim(&self, fill: &Fill) -> Result<Option<Duration>, StoreError> {
        at_once(self.claim_query(&mut Way::blocking(), fill))
    }

    #[cfg(feature = "tokio")]
    fn claim_async<'a>(&'a self, fill: &'a Fill) -> Option<StoreFuture<'a, Option<Duration>>> {
        let mut way = self.lanes.way(&self.nodes)?;
        Some(Box::pin(
            async move { self.claim_query(&mut way, fill).await },
        ))
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        at_once(self.mark_tags(&mut Way::blocking(), mark, None)).map(drop)
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        at_once(self.mark_tags(&mut Way::blocking(), mark, Some(watched)))
    }

    #[cfg(feature = "tokio")]
    fn mark_watching_async<'a>(
        &'a self,
        mark: &'a Mark<'a>,
        watched: Tag,
    ) -> Option<StoreFuture<'a, Generation>> {
        let mut way = self.lanes.way(&self.nodes)?;
        Some(Box::pin(async move {
            self.mark_tags(&mut way, mark, Some(watched)).await
        }))
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.clear_tags(owner, tags, None, None).map(|_| ())
    }

    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        self.clear_tags(owner, tags, Some(watched), None)
    }

    fn generations_meanwhile(
        &self,
        tags: &[Tag],
        meanwhile: &mut (dyn FnMut() + Send),
    ) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        let mut way = Way::Blocking(Some(meanwhile));
        at_once(self.look_for_generations(&mut way, tags)).map(|(generations, _)| generations)
    }

    fn mark_meanwhile(
        &self,
        mark: &Mark<'_>,
        watched: Tag,
        meanwhile: &mut (dyn FnMut() + Send),
    ) -> Result<Generation, StoreError> {
        let mut way = Way::Blocking(Some(meanwhile));
        at_once(self.mark_tags(&mut way, mark, Some(watched)))
    }

    fn clear_meanwhile(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
        meanwhile: &mut (dyn FnMut() + Send),
    ) -> Result<Generation, StoreError> {
        self.clear_tags(owner, tags, Some(watched), Some(meanwhile))
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        let arguments = |call: &mut ScriptInvocation<'_>, _: &[u8]| {
            call.arg(&owners::name(owner)[..]).arg(milliseconds(lease));
            for tag in tags.as_slice() {
                call.arg(&tag.to_bytes()[..]);
            }
        };
        at_once(self.run::<Value>(&mut Way::blocking(), &scripts::EXTEND, &arguments))
            .map_err(|refused| failed("extend", &refused))?;
        Ok(())
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        let arguments = |call: &mut ScriptInvocation<'_>, token: &[u8]| {
            for tag in tags {
                call.key(self.keys.generation(*tag));
            }
            call.arg(milliseconds(GENERATION_TTL)).arg(token);
        };
        let mut way = Way::blocking();
        let asked = self.run::<(u64, Vec<Vec<u8>>)>(&mut way, &scripts::OWNERS, &arguments);
        let (_, (now, held)) =
            at_once(asked).map_err(|refused| failed("look for abandoned marks", &refused))?;
        let longest = self
            .longest_lease()
            .map(|longest| longest.as_millis() as u64);
        Ok(owners::abandoned(tags, &held, now, longest))
    }

    /// Entries stay until their time is over or the server needs the room; none of them is current.
    fn invalidate_everything(&self) -> Result<(), StoreError> {
        let arguments = |call: &mut ScriptInvocation<'_>, token: &[u8]| {
            call.arg(token);
        };
        at_once(self.run::<Value>(&mut Way::blocking(), &scripts::RENEW_ALL, &arguments))
            .map_err(|refused| failed("invalidate everything", &refused))?;
        Ok(())
    }

    /// Of the server as a whole: others may keep something there, too.
    fn usage(&self) -> Usage {
        // A store that fails says so at the next read.
        self.ask_usage().unwrap_or_default()
    }

    fn waits(&self) -> bool {
        true
    }

    /// A commit is sent in the first half of a lease, and a quarantine must outlast it. One of
    /// nothing says that nobody relies on marks that were lost.
    fn longest_lease(&self) -> Option<Duration> {
        (!self.url.quarantine.is_zero()).then(|| self.url.quarantine * 2)
    }

    fn examine(&self) -> Vec<Finding> {
        self.nodes.examine().unwrap_or_else(|refused| {
            vec![Finding::error(
                format!("{} gives no answer: {refused}", self.url),
                "until it does, queries go to the database",
            )]
        })
    }
}

/// What stands in the server.
struct Found {
    incarnation: Option<Vec<u8>>,
    generations: SmallVec<[Generation; 8]>,
    entry: Option<Vec<u8>>,
    /// In milliseconds; negative for what is not there, or lives for ever.
    remaining: i64,
}

/// What one look found, in the server's present incarnation.
struct Looked {
    incarnation: Incarnation,
    generations: SmallVec<[Generation; 8]>,
    entry: Option<Vec<u8>>,
    remaining: Option<Duration>,
}

const FOR_EVER: i64 = -1;

impl Looked {
    fn new(incarnation: Incarnation, generations: SmallVec<[Generation; 8]>) -> Self {
        Looked {
            incarnation,
            generations,
            entry: None,
            remaining: None,
        }
    }

    fn with_entry(self, entry: Option<Vec<u8>>, remaining: i64) -> Self {
        let remaining = u64::try_from(remaining).ok().map(Duration::from_millis);
        Looked {
            entry,
            remaining,
            ..self
        }
    }
}

/// What a look is to find besides generations, by its key.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Nothing,
    Entry(&'a [u8]),
    /// The entry, and how long it still lives.
    Lifetime(&'a [u8]),
}

impl<'a> Wanted<'a> {
    fn key(self) -> Option<&'a [u8]> {
        match self {
            Wanted::Nothing => None,
            Wanted::Entry(key) | Wanted::Lifetime(key) => Some(key),
        }
    }

    /// The commands to ask for it, besides the one for the generations.
    fn commands(self, slots: Slots) -> SmallVec<[redis::Cmd; 2]> {
        let mut commands = SmallVec::new();
        let command = |name, key: &[u8]| {
            let mut command = redis::cmd(name);
            command.arg(key);
            command
        };
        // Asked first: an entry that takes the other's place lives longer, not less.
        if let Wanted::Lifetime(key) = self {
            commands.push(command("PTTL", key));
        }
        if let (Slots::Two, Some(key)) = (slots, self.key()) {
            commands.push(command("GET", key));
        }
        commands
    }
}

/// The life of what a server holds, from its beginning or the loss of marks to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Incarnation {
    server: [u8; 16],
    token: [u8; 16],
    /// Marks were lost that somebody may still rely on.
    is_quarantined: bool,
}

impl Incarnation {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (server, rest) = bytes.split_first_chunk()?;
        let (token, flag) = rest.split_first_chunk()?;
        Some(Incarnation {
            server: *server,
            token: *token,
            is_quarantined: flag != b"0",
        })
    }

    fn life(&self) -> Life {
        let mut life = [u8::from(self.is_quarantined); 33];
        life[..16].copy_from_slice(&self.server);
        life[16..32].copy_from_slice(&self.token);
        Life(life)
    }

    fn of(&self, stored: Generation) -> Generation {
        let generation = in_incarnation(&self.token, stored);
        match self.is_quarantined && !generation.is_missing() {
            true => generation.marked(),
            false => generation,
        }
    }

    fn of_all(&self, mut stored: SmallVec<[Generation; 8]>) -> SmallVec<[Generation; 8]> {
        stored.iter_mut().for_each(|place| *place = self.of(*place));
        stored
    }
}

/// The names of what the store keeps in the server.
#[derive(Debug)]
struct Keys {
    incarnation: Vec<u8>,
    marks: Vec<u8>,
    generations: Vec<u8>,
    entries: Vec<u8>,
    claims: Vec<u8>,
}

impl Keys {
    /// The number of the format, which is part of all names.
    const FORMAT: u8 = 1;

    fn new(prefix: &str) -> Self {
        // What stands in braces chooses the slot of a cluster: scripts need all of it in one.
        let name = |kind: char| format!("{{{prefix}:{}}}:{kind}", Self::FORMAT).into_bytes();
        Keys {
            incarnation: name('i'),
            marks: name('m'),
            generations: name('g'),
            entries: format!("{prefix}:{}:e", Self::FORMAT).into_bytes(),
            claims: format!("{prefix}:{}:c", Self::FORMAT).into_bytes(),
        }
    }

    fn generation(&self, tag: Tag) -> Vec<u8> {
        [&self.generations[..], &tag.to_bytes()].concat()
    }

    /// The tag whose generation has this name.
    fn tag_of(&self, name: &[u8]) -> Option<Tag> {
        let digest = name.strip_prefix(&self.generations[..])?;
        digest.try_into().ok().map(Tag::from_bytes)
    }

    fn entry(&self, key: &[u8]) -> Vec<u8> {
        [&self.entries[..], key].concat()
    }

    fn claim(&self, fill: &Fill) -> Vec<u8> {
        [&self.claims[..], &entry::claim(fill)].concat()
    }
}

async fn ask(mut line: Line<'_, '_>, commands: &redis::Pipeline) -> RedisResult<Vec<Value>> {
    line.ask(commands).await
}

fn fresh() -> RedisResult<[u8; 16]> {
    let token = fresh_generation().map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(token.to_u128().to_le_bytes())
}

fn unstable() -> redis::RedisError {
    let kind = redis::ErrorKind::Client;
    redis::RedisError::from((kind, "the incarnation of the store changes all the time"))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
