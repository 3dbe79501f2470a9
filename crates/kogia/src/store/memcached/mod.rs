//! The store in Memcached.

mod examine;
mod marks;
mod protocol;
mod url;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia_core::{Fill, Generation, OwnerId, QueryKey, ReadRequest, ReadResponse, Tag, TagSet};
use smallvec::SmallVec;

use self::marks::Marks;
use self::protocol::{Answer, Connection, Item};
pub use self::url::{MemcachedAddress, MemcachedUrl};
use super::remote::{
    self, ATTEMPTS, Dial, GENERATION_TTL, backend, count_out_of_memory, entry, failed,
    in_incarnation, stored_generation,
};
use super::{Abandoned, Finding, Mark, Store, StoreError, Usage};
use crate::token::fresh_generation;

/// Keeps entries and generations in one or more Memcached servers.
///
/// # Round trips
///
/// A read is one `gets` of the marks, the generations and the entry; if the entry is on another
/// server, both are asked at the same time. A miss has a second one if a tag has no generation yet,
/// and a hit if the entry is longer than an item may be. Marking and clearing are one round trip
/// each, and one more for each other writer who changes the marks at the same moment. Filling does
/// not wait.
///
/// # What may be lost
///
/// Anything, at any time. All marks are one item; when it is lost (a restart, a flush, an
/// eviction), a new *incarnation* begins. Its token is part of every generation that the store gives
/// out, so nothing from before is current, and for the length of the quarantine everything counts as
/// marked, because a writer may rely on a mark that was lost. See `DESIGN.md`.
///
/// # Several servers
///
/// The first one keeps marks and generations, and each of them the entries whose keys fall to it. A
/// server that does not answer costs its keys: they are never looked for on another one.
///
/// # Clocks
///
/// Leases and the quarantine are measured by how long the server runs, and nothing else is.
#[derive(Debug)]
pub struct MemcachedStore {
    servers: Vec<Connections>,
    url: MemcachedUrl,
    evicted_before: AtomicU64,
}

type Connections = remote::Connections<Server>;
type Refused = remote::Refused<io::Error>;

/// One of the servers.
#[derive(Debug, Clone)]
pub(in crate::store) struct Server {
    address: MemcachedAddress,
    url: MemcachedUrl,
}

impl Dial for Server {
    type Connection = Connection;
    type Error = io::Error;

    fn dial(&self) -> io::Result<Connection> {
        Connection::open(&self.address, &self.url)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.address)))
    }

    fn resume(&self, connection: &mut Connection) -> io::Result<()> {
        connection.catch_up()
    }

    /// What a server refuses is no error of the connection's.
    fn is_final(error: &io::Error) -> bool {
        error.kind() != io::ErrorKind::StorageFull
    }

    fn is_timeout(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        )
    }
}

/// How often at least the marks are changed anew because another writer was faster, and for how long.
/// One whose answers take longer than those of others may lose against them for as long as they are
/// at it.
const CONTENDED: usize = 200;
const PATIENCE: Duration = Duration::from_secs(2);

/// Memcached takes longer times to live for points in time.
const LONGEST_TTL: u64 = 30 * 86_400 - 1;

/// Room in an item beside its value: its key and what the server keeps of it.
const ITEM_OVERHEAD: usize = 1024;

/// What stands before an entry: what follows, and the second of the server's clock in which it ends.
const HEAD: usize = 9;
const WHOLE: u8 = 0;
const IN_PARTS: u8 = 1;

impl MemcachedStore {
    /// The store on these servers. They are connected to at the first use, and again whenever they
    /// have to be: an application starts, and works, without them.
    pub fn new(url: MemcachedUrl) -> Self {
        let server = |address: &MemcachedAddress| {
            Connections::new(Server {
                address: address.clone(),
                url: url.clone(),
            })
        };
        MemcachedStore {
            servers: url.servers.iter().map(server).collect(),
            url,
            evicted_before: AtomicU64::new(u64::MAX),
        }
    }

    /// Who keeps the marks and the generations.
    fn keeper(&self) -> &Connections {
        &self.servers[0]
    }

    /// Who keeps an entry.
    fn server_of(&self, key: &QueryKey) -> usize {
        let (word, _) = key.as_bytes().split_first_chunk().unwrap_or((&[0; 8], &[]));
        (u64::from_le_bytes(*word) % self.servers.len() as u64) as usize
    }

    /// The generations of some tags, and with them an entry.
    fn look(&self, tags: &[Tag], entry: Option<&QueryKey>) -> Result<Looked, Refused> {
        let names: Vec<_> = tags.iter().map(|tag| self.name_of(*tag)).collect();
        let marks_name = self.name('m', &[]);
        let entry_name = entry.map(|key| self.name('e', key.as_bytes()));
        let other = entry
            .map(|key| self.server_of(key))
            .filter(|server| *server > 0);
        // Asked with the generations where it can be.
        let with_them = entry_name.as_deref().filter(|_| other.is_none());
        self.keeper().with(|connection| {
            let keys: Vec<&[u8]> = [&marks_name[..]]
                .into_iter()
                .chain(names.iter().map(|name| &name[..]))
                .chain(with_them)
                .collect();
            for _ in 0..ATTEMPTS {
                connection.get(keys.iter().copied());
                connection.send()?;
                // The other server works at the same time.
                let elsewhere = match (other, &entry_name) {
                    (Some(server), Some(name)) => Some(self.fetch(server, name)),
                    _ => None,
                };
                let mut items = connection.items(&keys)?;
                let found = items.split_off(1 + tags.len()).pop();
                let Some(marks) = self.understand(connection, items.remove(0)) else {
                    self.begin(connection)?;
                    continue;
                };
                if items.iter().any(Option::is_none) {
                    self.create(connection, &names, &items)?;
                    continue;
                }
                let now = connection.now();
                let generations = tags.iter().zip(&items);
                let generations = generations
                    .map(|(tag, item)| generation(&marks, *tag, item.as_ref(), now))
                    .collect();
                let entry = match elsewhere {
                    Some(found) => found,
                    None => Ok(Found::new(found.flatten(), now)),
                };
                return Ok(Looked { generations, entry });
            }
            Err(io::Error::other(
                "the marks of the store are lost all the time",
            ))
        })
    }

    fn fetch(&self, server: usize, name: &[u8]) -> Result<Option<Found>, Refused> {
        self.servers[server].with(|connection| {
            connection.get([name]);
            connection.send()?;
            let item = connection.items(&[name])?.pop().flatten();
            Ok(Found::new(item, connection.now()))
        })
    }

    /// The marks, if there are any. The connection remembers them, for whoever changes them next.
    fn understand(&self, connection: &mut Connection, item: Option<Item>) -> Option<Marks> {
        connection.marks = item;
        Marks::parse(&connection.marks.as_ref()?.value)
    }

    /// Begins an incarnation, unless somebody else is faster.
    fn begin(&self, connection: &mut Connection) -> io::Result<()> {
        let quarantine = match self.url.quarantine.is_zero() {
            true => 0,
            false => later(connection.now(), self.url.quarantine),
        };
        let marks = Marks::new(fresh()?, quarantine).encode();
        let name = self.name('m', &[]);
        // What stands there and is no marks makes room.
        if connection.marks.is_some() {
            connection.delete(&name);
            connection.send()?;
            connection.answer()?;
        }
        connection.store(protocol::Store::Add, &name, &marks, 0);
        connection.send()?;
        Self::expect(connection, 1)
    }

    /// Gives the tags a generation that have none.
    fn create(
        &self,
        connection: &mut Connection,
        names: &[Vec<u8>],
        items: &[Option<Item>],
    ) -> io::Result<()> {
        let missing = names.iter().zip(items).filter(|(_, item)| item.is_none());
        let mut asked = 0;
        for (name, _) in missing {
            let ttl = seconds(GENERATION_TTL);
            connection.store(protocol::Store::Add, name, &fresh()?, ttl);
            asked += 1;
        }
        connection.send()?;
        Self::expect(connection, asked)
    }

    /// Renews the generations of tags and changes the marks, in this order: a read looks at the marks
    /// first, so whoever finds them changed finds the new generations, too. Answers with the
    /// generation that a watched tag then has.
    fn change(
        &self,
        tags: &TagSet,
        watched: Option<Tag>,
        edit: impl Fn(&mut Marks, u64) -> io::Result<()>,
    ) -> Result<Generation, Refused> {
        let begun = Instant::now();
        let goes_on = |attempt| attempt < CONTENDED || begun.elapsed() < PATIENCE;
        self.keeper().with(|connection| {
            for _ in (0..).take_while(|attempt| goes_on(*attempt)) {
                let Some(seen) = connection.marks.clone() else {
                    self.see(connection)?;
                    continue;
                };
                let Some(mut marks) = Marks::parse(&seen.value) else {
                    self.begin(connection)?;
                    connection.marks = None;
                    continue;
                };
                edit(&mut marks, connection.now())?;
                if let Some(generation) =
                    self.try_change(connection, tags, watched, &marks, seen.version)?
                {
                    return Ok(generation);
                }
            }
            Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "other writers change the marks all the time",
            ))
        })
    }

    /// Looks at the marks alone.
    fn see(&self, connection: &mut Connection) -> io::Result<()> {
        let name = self.name('m', &[]);
        connection.get([&name[..]]);
        connection.send()?;
        connection.marks = connection.items(&[&name])?.pop().flatten();
        if connection.marks.is_none() {
            self.begin(connection)?;
        }
        Ok(())
    }

    /// One attempt; nothing if another writer was faster.
    fn try_change(
        &self,
        connection: &mut Connection,
        tags: &TagSet,
        watched: Option<Tag>,
        marks: &Marks,
        version: u64,
    ) -> io::Result<Option<Generation>> {
        let marks_name = self.name('m', &[]);
        let watched_name = watched.map(|tag| self.name_of(tag));
        let keys: Vec<&[u8]> = [&marks_name[..]]
            .into_iter()
            .chain(watched_name.as_deref())
            .collect();
        for tag in tags.as_slice() {
            let ttl = seconds(GENERATION_TTL);
            connection.store(protocol::Store::Set, &self.name_of(*tag), &fresh()?, ttl);
        }
        let replace = protocol::Store::Replace(version);
        connection.store(replace, &marks_name, &marks.encode(), 0);
        connection.get(keys.iter().copied());
        connection.send()?;
        let mut not_renewed = Vec::new();
        for tag in tags.as_slice() {
            if connection.answer()? != Answer::Done {
                not_renewed.push(*tag);
            }
        }
        let changed = connection.answer()?;
        let mut items = connection.items(&keys)?;
        let found = items.split_off(1).pop().flatten();
        connection.marks = items.pop().flatten();
        // A generation that could not be renewed must go, too. Memcached sees to it itself, other
        // servers with its protocol may not.
        self.forget(connection, not_renewed.iter().map(|tag| self.name_of(*tag)))?;
        match changed {
            Answer::Refused => Ok(None),
            Answer::Done => Ok(Some(match (watched, connection.marks.as_ref()) {
                (Some(tag), Some(item)) => Marks::parse(&item.value)
                    .map_or(Generation::MISSING, |marks| {
                        generation(&marks, tag, found.as_ref(), connection.now())
                    }),
                _ => Generation::MISSING,
            })),
            Answer::Failed(_) => {
                // There is no room for the marks. Without any, everything counts as marked until
                // nobody relies on them, and deleting needs no room.
                count_out_of_memory();
                self.forget(connection, [marks_name])?;
                connection.marks = None;
                Ok(Some(Generation::MISSING))
            }
        }
    }

    fn forget(
        &self,
        connection: &mut Connection,
        names: impl IntoIterator<Item = Vec<u8>>,
    ) -> io::Result<()> {
        let names: Vec<_> = names.into_iter().collect();
        for name in &names {
            connection.delete(name);
        }
        connection.send()?;
        Self::expect(connection, names.len())
    }

    /// Reads answers, all of which ought to be good.
    fn expect(connection: &mut Connection, answers: usize) -> io::Result<()> {
        let mut refused = None;
        for _ in 0..answers {
            if let Answer::Failed(why) = connection.answer()? {
                refused = Some(why);
            }
        }
        refused.map_or(Ok(()), |why| Err(full(why)))
    }

    /// The bytes of an entry.
    fn assemble(&self, key: &QueryKey, found: Found) -> Result<Option<Vec<u8>>, Refused> {
        match (found.kind, Parts::parse(&found.body)) {
            (WHOLE, _) => Ok(Some(found.body)),
            (IN_PARTS, Some(parts)) => self.fetch_parts(self.server_of(key), &parts),
            _ => Ok(None),
        }
    }

    fn fetch_parts(&self, server: usize, parts: &Parts) -> Result<Option<Vec<u8>>, Refused> {
        let names: Vec<_> = (0..parts.count)
            .map(|part| self.name_of_part(parts, part))
            .collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let items = self.servers[server].with(|connection| {
            connection.get(names.iter().copied());
            connection.send()?;
            connection.items(&names)
        })?;
        let mut whole = Vec::with_capacity(parts.length as usize);
        for item in items {
            let Some(item) = item else { return Ok(None) };
            whole.extend_from_slice(&item.value);
        }
        let is_whole = whole.len() as u64 == parts.length && checksum(&whole) == parts.checksum;
        Ok(is_whole.then_some(whole))
    }

    /// Sends an entry's commands; how many.
    fn store_entry(
        &self,
        connection: &mut Connection,
        key: &QueryKey,
        bytes: &[u8],
        ttl: u64,
    ) -> io::Result<usize> {
        let name = self.name('e', key.as_bytes());
        let longest = connection.longest.saturating_sub(ITEM_OVERHEAD).max(1024);
        let set = protocol::Store::Set;
        let until = connection.now() + ttl;
        if bytes.len() < longest {
            connection.store(set, &name, &with_head(WHOLE, until, bytes), ttl);
            return Ok(1);
        }
        let parts = Parts {
            id: fresh()?,
            count: bytes.len().div_ceil(longest) as u32,
            length: bytes.len() as u64,
            checksum: checksum(bytes),
        };
        for (part, bytes) in (0..).zip(bytes.chunks(longest)) {
            connection.store(set, &self.name_of_part(&parts, part), bytes, ttl);
        }
        // The list comes last: whoever finds it finds the parts, unless they are evicted.
        let list = with_head(IN_PARTS, until, &parts.encode());
        connection.store(set, &name, &list, ttl);
        Ok(parts.count as usize + 1)
    }

    fn name_of(&self, tag: Tag) -> Vec<u8> {
        self.name('g', &tag.to_bytes())
    }

    fn name_of_part(&self, parts: &Parts, part: u32) -> Vec<u8> {
        self.name('p', &[&parts.id[..], &part.to_be_bytes()].concat())
    }

    /// A key: the prefix, the number of the format, a letter, and some bytes in hexadecimal digits.
    fn name(&self, kind: char, bytes: &[u8]) -> Vec<u8> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut name = format!("{}:{}:{kind}", self.url.prefix, FORMAT).into_bytes();
        for byte in bytes {
            name.push(DIGITS[usize::from(byte >> 4)]);
            name.push(DIGITS[usize::from(byte & 15)]);
        }
        name
    }
}

/// The number of the format, which is part of all names.
const FORMAT: u8 = 1;

fn with_head(kind: u8, until: u64, body: &[u8]) -> Vec<u8> {
    [&[kind], &until.to_le_bytes()[..], body].concat()
}

/// What one look found.
struct Looked {
    generations: SmallVec<[Generation; 8]>,
    entry: Result<Option<Found>, Refused>,
}

/// An entry, or the list of its parts, and until when it lives.
struct Found {
    kind: u8,
    body: Vec<u8>,
    remaining: Duration,
}

impl Found {
    /// What an item is, at a second of its server's clock.
    fn new(item: Option<Item>, now: u64) -> Option<Self> {
        let value = item?.value;
        let (head, body) = value.split_first_chunk::<HEAD>()?;
        let (kind, until) = head.split_first()?;
        let until = u64::from_le_bytes(until.try_into().ok()?);
        Some(Found {
            kind: *kind,
            body: body.to_vec(),
            remaining: Duration::from_secs(until.saturating_sub(now)),
        })
    }
}

/// The list of the parts of an entry that is longer than an item may be.
struct Parts {
    /// Of this fill: parts of two fills are never mixed.
    id: [u8; 16],
    count: u32,
    length: u64,
    checksum: u64,
}

impl Parts {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (checksum, rest) = rest.split_first_chunk()?;
        let parts = Parts {
            id: *id,
            count: u32::from_le_bytes(*count),
            length: u64::from_le_bytes(*length),
            checksum: u64::from_le_bytes(*checksum),
        };
        // More parts than bytes, or more bytes than anyone stores, are a lie.
        let is_true = u64::from(parts.count) <= parts.length && parts.length < 1 << 30;
        (rest.is_empty() && is_true).then_some(parts)
    }

    fn encode(&self) -> Vec<u8> {
        let (count, length) = (self.count.to_le_bytes(), self.length.to_le_bytes());
        [&self.id[..], &count, &length, &self.checksum.to_le_bytes()].concat()
    }
}

impl Store for MemcachedStore {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        let key = request.key();
        let found = self.look(request.tags(), Some(key)).and_then(|looked| {
            let entry = match looked.entry? {
                Some(found) => {
                    let remaining = Some(found.remaining);
                    let bytes = self.assemble(key, found)?;
                    bytes.and_then(|bytes| entry::decode(bytes, key, remaining))
                }
                None => None,
            };
            Ok(ReadResponse {
                generations: looked.generations,
                entry,
            })
        });
        found.map_err(|refused| failed("read", &refused))
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        let looked = self.look(tags, None);
        let looked = looked.map_err(|refused| failed("read generations", &refused))?;
        Ok(looked.generations)
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let ttl = ttl.as_secs().min(LONGEST_TTL);
        let bytes = entry::encode(fill, rows, &value, self.url.max_entry);
        let bytes = bytes.filter(|_| ttl > 0);
        if bytes.is_none() && self.url.single_flight.is_none() {
            return Ok(());
        }
        let key = fill.key();
        let stored = self.servers[self.server_of(key)].with(|connection| {
            let mut answers = match &bytes {
                Some(bytes) => self.store_entry(connection, key, bytes, ttl)?,
                None => 0,
            };
            // Whoever has not waited so far need not begin to.
            if self.url.single_flight.is_some() {
                connection.delete(&self.name('c', &entry::claim(fill)));
                answers += 1;
            }
            connection.send_off(answers)
        });
        stored.map_err(|refused| failed("store an entry", &refused))
    }

    fn claim(&self, fill: &Fill) -> Result<Option<Duration>, StoreError> {
        let Some(patience) = self.url.single_flight else {
            return Ok(None);
        };
        let name = self.name('c', &entry::claim(fill));
        let claimed = self.servers[self.server_of(fill.key())].with(|connection| {
            connection.store(protocol::Store::Add, &name, b"1", seconds(patience));
            connection.send()?;
            connection.answer()
        });
        let claimed = claimed.map_err(|refused| failed("claim a query", &refused))?;
        Ok(matches!(claimed, Answer::Refused).then_some(patience))
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        self.mark_tags(mark, None).map(|_| ())
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.mark_tags(mark, Some(watched))
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.clear_tags(owner, tags, None).map(|_| ())
    }

    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        self.clear_tags(owner, tags, Some(watched))
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        let edit = |marks: &mut Marks, now| {
            marks.extend(owner, tags, later(now, lease));
            Ok(())
        };
        self.change(&TagSet::default(), None, edit)
            .map_err(|refused| failed("extend", &refused))?;
        Ok(())
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        let found = self.keeper().with(|connection| {
            self.see(connection)?;
            let now = connection.now();
            let item = connection.marks.as_ref();
            Ok(item
                .and_then(|item| Marks::parse(&item.value))
                .map_or(Vec::new(), |marks| marks.abandoned(tags, now)))
        });
        found.map_err(|refused| failed("look for abandoned marks", &refused))
    }

    /// Entries stay until their time is over or the server needs the room; none of them is current.
    fn invalidate_everything(&self) -> Result<(), StoreError> {
        // Each time another one: the server may have done what is repeated, and what it gave out then
        // must not come back.
        let edit = |marks: &mut Marks, _| {
            marks.token = fresh()?;
            Ok(())
        };
        self.change(&TagSet::default(), None, edit)
            .map_err(|refused| failed("invalidate everything", &refused))?;
        Ok(())
    }

    /// Of the servers as a whole: others may keep something there, too.
    fn usage(&self) -> Usage {
        // A server that fails says so at the next read.
        let all = self.servers.iter().filter_map(|server| {
            let stats = server.with(|connection| connection.stats("")).ok()?;
            let number = |name| protocol::number_of(&stats, name).unwrap_or(0);
            Some((
                number("curr_items"),
                number("bytes"),
                number("limit_maxbytes"),
                number("evictions"),
            ))
        });
        let mut usage = Usage::default();
        for (entries, bytes, capacity, evicted) in all {
            usage.entries += entries;
            usage.bytes += bytes;
            usage.capacity += capacity;
            usage.evicted += evicted;
        }
        let before = self
            .evicted_before
            .fetch_min(usage.evicted, Ordering::Relaxed);
        usage.evicted = usage.evicted.saturating_sub(before.min(usage.evicted));
        usage
    }

    fn waits(&self) -> bool {
        true
    }

    /// See [`super::RedisStore`].
    fn longest_lease(&self) -> Option<Duration> {
        (!self.url.quarantine.is_zero()).then(|| self.url.quarantine * 2)
    }

    fn examine(&self) -> Vec<Finding> {
        let servers = self.servers.iter().zip(&self.url.servers);
        servers
            .flat_map(|(server, address)| {
                let asked = server
                    .with(|connection| Ok((connection.stats("")?, connection.stats("settings")?)));
                match asked {
                    Ok((stats, settings)) => {
                        examine::examine(address, &stats, &settings, &self.url)
                    }
                    Err(refused) => vec![Finding::error(
                        format!("{address} gives no answer: {refused}"),
                        "until it does, queries whose keys it has go to the database",
                    )],
                }
            })
            .collect()
    }
}

impl MemcachedStore {
    fn mark_tags(&self, mark: &Mark<'_>, watched: Option<Tag>) -> Result<Generation, StoreError> {
        let backend = backend::encode(mark.backend);
        let edit = |marks: &mut Marks, now| {
            marks.mark(mark.owner, mark.tags, later(now, mark.lease), &backend);
            Ok(())
        };
        self.change(mark.tags, watched, edit)
            .map_err(|refused| failed("mark", &refused))
    }

    fn clear_tags(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Option<Tag>,
    ) -> Result<Generation, StoreError> {
        let edit = |marks: &mut Marks, _| {
            marks.clear(owner, tags);
            Ok(())
        };
        self.change(tags, watched, edit)
            .map_err(|refused| failed("clear", &refused))
    }
}

/// A tag's generation as the engine sees it.
fn generation(marks: &Marks, tag: Tag, item: Option<&Item>, now: u64) -> Generation {
    let stored = stored_generation(item.map(|item| &item.value[..]));
    let generation = in_incarnation(&marks.token, stored);
    match marks.is_marked(tag, now) && !generation.is_missing() {
        true => generation.marked(),
        false => generation,
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

fn fresh() -> io::Result<[u8; 16]> {
    let token = fresh_generation().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(token.to_u128().to_le_bytes())
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// A moment that is at least so much later than another one. A connection's clock may be two seconds
/// behind the server's, and is never ahead of it.
fn later(now: u64, duration: Duration) -> u64 {
    match duration.is_zero() {
        true => now,
        false => now + seconds(duration) + 2,
    }
}

/// The server has no room, which says nothing about the connection.
fn full(why: String) -> io::Error {
    count_out_of_memory();
    io::Error::new(io::ErrorKind::StorageFull, why)
}
