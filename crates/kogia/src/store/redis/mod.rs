//! The store in Redis or Valkey, which the processes of many machines share.

mod connection;
mod examine;
mod owners;
mod scripts;
mod sentinel;
mod url;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kogia_core::{Fill, Generation, OwnerId, ReadRequest, ReadResponse, Tag, TagSet};
use redis::{RedisResult, Script, ScriptInvocation, Value};
use smallvec::SmallVec;

use self::connection::{Busy, Connection, Connections, Meanwhile, Refused, Server, is_full};
pub use self::url::{RedisAddress, RedisSentinels, RedisUrl};
use super::remote::{
    ATTEMPTS, GENERATION_TTL, backend, count_out_of_memory, entry, failed, in_incarnation,
    stored_generation as generation,
};
use super::{Abandoned, Finding, Mark, Store, StoreError, Usage};
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
/// # Clocks
///
/// Leases and the quarantine are measured on the server's clock, and nothing else is.
#[derive(Debug)]
pub struct RedisStore {
    connections: Connections,
    url: RedisUrl,
    keys: Keys,
    /// The entries that the server had evicted when the store was opened.
    evicted_before: AtomicU64,
}

impl RedisStore {
    /// The store on a server. It is connected to at the first use, and again whenever it has to
    /// be: an application starts, and works, without it.
    pub fn new(url: RedisUrl) -> Self {
        RedisStore {
            connections: Connections::new(Server::new(url.clone())),
            keys: Keys::new(&url.prefix),
            url,
            evicted_before: AtomicU64::new(u64::MAX),
        }
    }

    /// The incarnation, the generations of some tags and an entry, in one round trip. Tags without
    /// a generation get one in a second.
    fn look(
        &self,
        tags: &[Tag],
        entry: Wanted<'_>,
        mut meanwhile: Meanwhile<'_>,
    ) -> Result<Looked, Refused> {
        self.connections.with(|connection| {
            for _ in 0..ATTEMPTS {
                let mut get = redis::cmd("MGET");
                get.arg(&self.keys.incarnation);
                for tag in tags {
                    get.arg(self.keys.generation(*tag));
                }
                let mut pipe = redis::pipe();
                match entry {
                    Wanted::Nothing => {}
                    Wanted::Entry(key) => {
                        get.arg(key);
                    }
                    // Asked first: an entry that takes the other's place lives longer, not less.
                    Wanted::Lifetime(key) => {
                        pipe.cmd("PTTL").arg(key);
                        get.arg(key);
                    }
                }
                let is_timed = matches!(entry, Wanted::Lifetime(_));
                // A replica refuses to wait for replicas: what it has may be older than what its
                // primary has given out, and its primary may have been this one's replica before.
                pipe.add_command(get).cmd("WAIT").arg(0).arg(0);
                let mut raw = Busy {
                    raw: &mut connection.raw,
                    meanwhile: &mut meanwhile,
                };
                let (remaining, values): (i64, Vec<Option<Vec<u8>>>) = match is_timed {
                    true => {
                        let (remaining, values, _): (_, _, i64) = pipe.query(&mut raw)?;
                        (remaining, values)
                    }
                    false => {
                        let (values, _): (_, i64) = pipe.query(&mut raw)?;
                        (-1, values)
                    }
                };
                let mut values = values.into_iter();
                let incarnation = values.next().flatten();
                let Some(incarnation) = incarnation.and_then(|bytes| {
                    Incarnation::parse(&bytes).filter(|found| found.server == connection.server)
                }) else {
                    self.begin(connection)?;
                    continue;
                };
                let mut generations: SmallVec<[Generation; 8]> = values
                    .by_ref()
                    .take(tags.len())
                    .map(|found| generation(found.as_deref()))
                    .collect();
                if generations.iter().any(|found| found.is_missing())
                    && !self.create(connection, &incarnation, tags, &mut generations)?
                {
                    continue;
                }
                let entry = values.next().flatten();
                return Ok(Looked {
                    incarnation,
                    generations,
                    entry,
                    // It is negative for what is not there, or lives for ever.
                    remaining: u64::try_from(remaining).ok().map(Duration::from_millis),
                });
            }
            Err(unstable())
        })
    }

    /// Begins an incarnation of the server at the other end.
    fn begin(&self, connection: &mut Connection) -> RedisResult<()> {
        let mut call = self.script(&scripts::BEGIN, connection);
        call.arg(&fresh()?[..])
            .arg(milliseconds(self.url.quarantine));
        call.invoke(&mut connection.raw)
    }

    /// Gives the tags a generation that have none; false if the incarnation is another one by now.
    fn create(
        &self,
        connection: &mut Connection,
        incarnation: &Incarnation,
        tags: &[Tag],
        generations: &mut [Generation],
    ) -> RedisResult<bool> {
        let mut call = self.script(&scripts::CREATE, connection);
        call.arg(milliseconds(GENERATION_TTL));
        let missing = |(_, found): &(&Tag, &mut Generation)| found.is_missing();
        let missing: Vec<_> = tags.iter().zip(generations).filter(missing).collect();
        for (tag, _) in &missing {
            call.key(self.keys.generation(**tag)).arg(&fresh()?[..]);
        }
        let created: Option<(Vec<u8>, Vec<Option<Vec<u8>>>)> = call.invoke(&mut connection.raw)?;
        let Some((now, created)) = created else {
            self.begin(connection)?;
            return Ok(false);
        };
        for ((_, place), created) in missing.into_iter().zip(created) {
            *place = generation(created.as_deref());
        }
        Ok(Incarnation::parse(&now).as_ref() == Some(incarnation))
    }

    /// Runs a script that answers with the incarnation and something else, and begins an
    /// incarnation where it refuses to run in the present one.
    fn run<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        mut meanwhile: Meanwhile<'_>,
        arguments: impl Fn(&mut ScriptInvocation<'_>, &[u8]),
    ) -> Result<(Incarnation, T), Refused> {
        self.connections.with(|connection| {
            for _ in 0..ATTEMPTS {
                let mut call = self.script(script, connection);
                // Each time another one: the server may have run the call that is repeated, and
                // what it gave out then must not come back.
                arguments(&mut call, &fresh()?);
                let mut raw = Busy {
                    raw: &mut connection.raw,
                    meanwhile: &mut meanwhile,
                };
                let answer: Option<(Vec<u8>, T)> = call.invoke(&mut raw)?;
                if let Some((incarnation, answer)) = answer
                    && let Some(incarnation) = Incarnation::parse(&incarnation)
                {
                    return Ok((incarnation, answer));
                }
                self.begin(connection)?;
            }
            Err(unstable())
        })
    }

    fn script<'a>(&self, script: &'a Script, connection: &Connection) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(&self.keys.incarnation)
            .key(&self.keys.marks)
            .arg(&connection.server[..]);
        call
    }

    /// Marks or clears tags, and gives the generation that a watched tag has thereafter.
    fn change(
        &self,
        script: &Script,
        tags: &TagSet,
        watched: Option<Tag>,
        meanwhile: Meanwhile<'_>,
        arguments: impl Fn(&mut ScriptInvocation<'_>, &[u8]),
    ) -> Result<Generation, Refused> {
        let watched = watched.or(tags.as_slice().first().copied());
        if watched.is_none() {
            return Ok(Generation::MISSING);
        }
        let answer = self.run(script, meanwhile, |call, token| {
            for tag in tags.as_slice().iter().copied().chain(watched) {
                call.key(self.keys.generation(tag));
            }
            arguments(call, token);
        });
        match answer {
            Ok((incarnation, found)) => {
                let found: Option<Vec<u8>> = found;
                Ok(incarnation.of(generation(found.as_deref())))
            }
            Err(refused) if is_full(&refused) => {
                self.forget(tags)?;
                Ok(Generation::MISSING)
            }
            Err(refused) => Err(refused),
        }
    }

    /// Invalidates where the server has no memory left for marks: deleting needs none.
    fn forget(&self, tags: &TagSet) -> Result<(), Refused> {
        count_out_of_memory();
        self.connections.with(|connection| {
            let mut call = self.script(&scripts::FORGET, connection);
            for tag in tags.as_slice() {
                call.key(self.keys.generation(*tag));
            }
            call.invoke::<Value>(&mut connection.raw).map(|_| ())
        })
    }
}

impl RedisStore {
    fn read_entry(
        &self,
        request: &ReadRequest,
        wanted: Wanted<'_>,
    ) -> Result<ReadResponse<Bytes>, StoreError> {
        let looked = self
            .look(request.tags(), wanted, None)
            .map_err(|refused| failed("read", &refused))?;
        let (incarnation, remaining) = (looked.incarnation, looked.remaining);
        Ok(ReadResponse {
            generations: incarnation.of_all(looked.generations),
            entry: looked
                .entry
                .and_then(|bytes| entry::decode(bytes, request.key(), remaining)),
        })
    }

    fn look_at_tags(
        &self,
        tags: &[Tag],
        meanwhile: Meanwhile<'_>,
    ) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        let looked = self
            .look(tags, Wanted::Nothing, meanwhile)
            .map_err(|refused| failed("read generations", &refused))?;
        Ok(looked.incarnation.of_all(looked.generations))
    }

    fn mark_tags(
        &self,
        mark: &Mark<'_>,
        watched: Option<Tag>,
        meanwhile: Meanwhile<'_>,
    ) -> Result<Generation, StoreError> {
        let backend = backend::encode(mark.backend);
        let arguments = |call: &mut ScriptInvocation<'_>, token: &[u8]| {
            call.arg(milliseconds(GENERATION_TTL))
                .arg(&owners::name(mark.owner)[..])
                .arg(milliseconds(mark.lease))
                .arg(&backend[..])
                .arg(token);
        };
        self.change(&scripts::MARK, mark.tags, watched, meanwhile, arguments)
            .map_err(|refused| failed("mark", &refused))
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
        self.change(&scripts::CLEAR, tags, watched, meanwhile, arguments)
            .map_err(|refused| failed("clear", &refused))
    }

    fn ask_usage(&self) -> Result<Usage, Refused> {
        let (entries, info): (u64, String) = self.connections.with(|connection| {
            redis::pipe()
                .cmd("DBSIZE")
                .cmd("INFO")
                .query(&mut connection.raw)
        })?;
        let number = |name: &str| {
            let mut lines = info.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value
                .and_then(|value| value.trim().parse().ok())
                .unwrap_or(0)
        };
        let evicted: u64 = number("evicted_keys");
        let before = self.evicted_before.fetch_min(evicted, Ordering::Relaxed);
        Ok(Usage {
            entries,
            bytes: number("used_memory"),
            capacity: number("maxmemory"),
            evicted: evicted.saturating_sub(before.min(evicted)),
            local: None,
        })
    }
}

impl Store for RedisStore {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        let key = self.keys.entry(request.key().as_bytes());
        self.read_entry(request, Wanted::Entry(&key))
    }

    fn read_with_lifetime(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        let key = self.keys.entry(request.key().as_bytes());
        self.read_entry(request, Wanted::Lifetime(&key))
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.look_at_tags(tags, None)
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let ttl = milliseconds(ttl);
        let bytes = entry::encode(fill, rows, &value, self.url.max_entry);
        let set = bytes.filter(|_| ttl > 0).map(|bytes| {
            let mut set = redis::cmd("SET");
            set.arg(self.keys.entry(fill.key().as_bytes()))
                .arg(bytes)
                .arg("PX")
                .arg(ttl);
            set
        });
        // Whoever has not waited so far need not begin to.
        let unclaim = self.url.single_flight.map(|_| {
            let mut unclaim = redis::cmd("DEL");
            unclaim.arg(self.keys.claim(fill));
            unclaim
        });
        if set.is_none() && unclaim.is_none() {
            return Ok(());
        }
        self.connections
            .with(|connection| {
                let mut commands = set.iter().chain(&unclaim);
                commands.try_for_each(|command| connection.send(command))
            })
            .map_err(|refused| failed("store an entry", &refused))
    }

    fn claim(&self, fill: &Fill) -> Result<Option<Duration>, StoreError> {
        let Some(patience) = self.url.single_flight else {
            return Ok(None);
        };
        let mut set = redis::cmd("SET");
        set.arg(self.keys.claim(fill))
            .arg(1)
            .arg("NX")
            .arg("PX")
            .arg(milliseconds(patience));
        let claimed: Option<String> = self
            .connections
            .with(|connection| set.query(&mut connection.raw))
            .map_err(|refused| failed("claim a query", &refused))?;
        Ok(claimed.is_none().then_some(patience))
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        self.mark_tags(mark, None, None).map(|_| ())
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.mark_tags(mark, Some(watched), None)
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
        meanwhile: &mut dyn FnMut(),
    ) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.look_at_tags(tags, Some(meanwhile))
    }

    fn mark_meanwhile(
        &self,
        mark: &Mark<'_>,
        watched: Tag,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Generation, StoreError> {
        self.mark_tags(mark, Some(watched), Some(meanwhile))
    }

    fn clear_meanwhile(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
        meanwhile: &mut dyn FnMut(),
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
        self.run::<Value>(&scripts::EXTEND, None, arguments)
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
        let (_, (now, held)) = self
            .run::<(u64, Vec<Vec<u8>>)>(&scripts::OWNERS, None, arguments)
            .map_err(|refused| failed("look for abandoned marks", &refused))?;
        Ok(owners::abandoned(tags, &held, now))
    }

    /// Entries stay until their time is over or the server needs the room; none of them is current.
    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.run::<Value>(&scripts::RENEW_ALL, None, |call, token| {
            call.arg(token);
        })
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
        let info: Result<String, Refused> = self
            .connections
            .with(|connection| redis::cmd("INFO").query(&mut connection.raw));
        match info {
            Ok(info) => examine::examine(&info),
            Err(refused) => vec![Finding::error(
                format!("{} gives no answer: {refused}", self.url),
                "until it does, queries go to the database",
            )],
        }
    }
}

/// What one look found, as it stands in the server.
struct Looked {
    incarnation: Incarnation,
    generations: SmallVec<[Generation; 8]>,
    entry: Option<Vec<u8>>,
    remaining: Option<Duration>,
}

/// What a look is to find besides generations, by its key.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Nothing,
    Entry(&'a [u8]),
    /// The entry, and how long it still lives.
    Lifetime(&'a [u8]),
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

    fn entry(&self, key: &[u8]) -> Vec<u8> {
        [&self.entries[..], key].concat()
    }

    fn claim(&self, fill: &Fill) -> Vec<u8> {
        [&self.claims[..], &entry::claim(fill)].concat()
    }
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
