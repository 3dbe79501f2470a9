//! The tables of the file store, and what is done to them in one transaction.
//!
//! | table | key | value |
//! |---|---|---|
//! | `index` | digest of the query, 32 bytes | number of the record's first part, number of parts |
//! | `log` | number of the part, counting up | a part of a record |
//! | `wide` | tag, 16 bytes; `incarnation` | a cell; the incarnation and the last transaction |
//! | `slots` | number of the slot | a cell |
//!
//! # Entries
//!
//! Records are appended to the log, so that its pages are full and the oldest ones lie together
//! at its other end, where eviction works: first in, first out, with a second chance for what was
//! read meanwhile (the CLOCK policy). What leaves together frees whole pages.
//!
//! # Generations
//!
//! Tags of tables and databases have a cell of their own, up to a number that no application
//! should reach; the tags of key values, of which there is no end, and what goes beyond that
//! number share a fixed number of slots. No cell is ever removed. So there is nothing to evict, a
//! tag never changes its cell but for another that is invalidated in its stead, and no mark can
//! get lost.
//!
//! # Commits that were cut in two
//!
//! A commit ends with two stores: the root of the tables, and the number of the transaction that
//! makes it count. C lets the compiler swap them, and it does. A process that is killed exactly
//! between the two leaves the newest number with a root that is two commits older: marks would be
//! lost, and pages be used twice. The same can happen to the copy of a reader that is interrupted
//! while two commits pass by. So every transaction also writes its number into the tables, and
//! whoever looks compares the two.

use heed::types::Bytes as Raw;
use heed::{CommitOrAbort, Database, Env, PutFlags, RoTxn, RwTxn, WithTls};
use kogia_core::{Generation, QueryKey, StoreTime, StoredEntry, Tag};

use super::Failure;
use super::bytes::Reader;
use super::cell::{Cell, Incarnation};
use super::environment::Shared;
use super::record::{self, Head};

/// How the bytes of a store are shared out. It follows from the capacity alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The size of the data file, which is all the store ever takes but for half a megabyte.
    pub(super) map_size: usize,
    pub(super) page_size: usize,
    /// Pages that entries may take.
    entry_pages: u64,
    slots: u64,
    wide_tags: u64,
    /// Bytes of shared memory: a bit for every entry that there can be, and more.
    pub(super) shared: u64,
}

/// The largest pages that LMDB makes, whatever those of the machine.
const LARGEST_PAGE: usize = 1 << 15;

impl Layout {
    pub(super) fn new(capacity: u64) -> Layout {
        let machine_page = rustix::param::page_size();
        let page_size = machine_page.min(LARGEST_PAGE);
        let map_size =
            usize::try_from(capacity).unwrap_or(usize::MAX) / machine_page * machine_page;
        let pages = (map_size / page_size) as u64;
        let slots = (capacity / 1024).clamp(1024, 1 << 24);
        let wide_tags = (capacity / 4096).clamp(1024, 1 << 20);
        // A cell with its key in a page that is two thirds full.
        let cell_pages = (slots * 45 + wide_tags * 66) / page_size as u64;
        // A write transaction writes to new pages, and the old ones are free again once no reader
        // looks at them: that takes two transactions, or as long as a reader is not scheduled.
        let spare_pages = (pages / 8).max(128.min(pages / 2));
        Layout {
            map_size,
            page_size,
            entry_pages: pages.saturating_sub(cell_pages + spare_pages),
            slots,
            wide_tags,
            shared: (capacity / 2048).next_multiple_of(page_size as u64),
        }
    }

    /// The longest record worth keeping: one that leaves room for others.
    fn longest_record(&self) -> u64 {
        (self.entry_pages / 8 * self.page_size as u64).min(64 << 20)
    }
}

type Table = Database<'static, Raw, Raw>;

/// The tables, open in one environment.
#[derive(Clone, Copy)]
pub(super) struct Tables {
    index: Table,
    log: Table,
    wide: Table,
    slots: Table,
    layout: Layout,
}

const INCARNATION: &[u8] = b"incarnation";

/// How many parts get their second chance in one transaction, and twice as many as it stores; a
/// longer one would make the writers of all processes wait.
const CHANCES: u32 = 64;

/// How many records are removed in one transaction when everything is invalidated.
const BATCH: usize = 256;

impl Tables {
    pub(super) const COUNT: u32 = 4;

    /// Opens the tables. `incarnation` is for a new store, which gets its tables here.
    pub(super) fn open(
        env: &Env<WithTls>,
        layout: Layout,
        incarnation: Option<Incarnation>,
    ) -> Result<Tables, Failure> {
        let opened = env.create_databases_and_commit(env.write_txn()?, |opener, txn| {
            let tables = (
                opener.create_database::<Raw, Raw>(txn, Some("index"))?,
                opener.create_database::<Raw, Raw>(txn, Some("log"))?,
                opener.create_database::<Raw, Raw>(txn, Some("wide"))?,
                opener.create_database::<Raw, Raw>(txn, Some("slots"))?,
            );
            match incarnation {
                Some(new) => tables.2.put(txn, INCARNATION, &new.to_bytes(txn.id()))?,
                None if tables.2.get(txn, INCARNATION)?.is_none() => {
                    return Ok(CommitOrAbort::Abort(()));
                }
                None => {}
            }
            Ok::<_, heed::Error>(CommitOrAbort::Commit(tables))
        })?;
        let (index, log, wide, slots) = opened
            .commit()
            .ok_or(Failure::Damaged("it has no incarnation"))?;
        Ok(Tables {
            index,
            log,
            wide,
            slots,
            layout,
        })
    }

    /// The entry under a key, unless it has expired or is damaged.
    pub(super) fn entry(
        &self,
        txn: &RoTxn<'_>,
        key: &QueryKey,
        now: StoreTime,
        read: &Shared,
    ) -> Result<Option<StoredEntry<bytes::Bytes>>, Failure> {
        let Some(place) = self.place(txn, key.as_bytes())? else {
            return Ok(None);
        };
        let Some(first) = self.log.get(txn, &place.first.to_be_bytes())? else {
            return Ok(None);
        };
        let is_asked_for = |head: &Head<'_>| head.key == key.as_bytes() && !head.has_expired(now);
        let Some(head) = Head::decode(first).filter(is_asked_for) else {
            return Ok(None);
        };
        let entry = if place.parts == 1 {
            record::decode(first, now, |range| {
                bytes::Bytes::copy_from_slice(&first[range])
            })
        } else {
            let record = bytes::Bytes::from(self.record(txn, place, head.length())?);
            record::decode(&record, now, |range| record.slice(range))
        };
        if entry.is_some() {
            read.set(place.first);
        }
        Ok(entry)
    }

    /// Stores a record, makes room for it, and says how many entries that evicted.
    pub(super) fn put_entry(
        &self,
        txn: &mut RwTxn<'_>,
        key: &QueryKey,
        record: &[u8],
        now: StoreTime,
        read: &Shared,
    ) -> Result<u64, Failure> {
        if record.len() as u64 > self.layout.longest_record() {
            return Ok(0);
        }
        if let Some(place) = self.place(txn, key.as_bytes())? {
            self.remove_parts(txn, place)?;
        }
        let evicted = self.make_room(txn, record::parts(record.len()), now, read)?;
        self.append(txn, key.as_bytes(), record)?;
        Ok(evicted)
    }

    /// The incarnation in a snapshot that is whole.
    pub(super) fn snapshot(&self, txn: &RoTxn<'_>) -> Result<Incarnation, Failure> {
        self.incarnation_of(txn, txn.id())
    }

    /// The incarnation at the beginning of a transaction, which is signed here.
    pub(super) fn begin(&self, txn: &mut RwTxn<'_>) -> Result<Incarnation, Failure> {
        let incarnation = self.incarnation_of(txn, txn.id() - 1)?;
        self.sign(txn, incarnation)?;
        Ok(incarnation)
    }

    fn incarnation_of(&self, txn: &RoTxn<'_>, transaction: usize) -> Result<Incarnation, Failure> {
        match self
            .wide
            .get(txn, INCARNATION)?
            .map(Incarnation::from_bytes)
        {
            Some(Some((incarnation, last))) if last == transaction => Ok(incarnation),
            Some(Some(_)) => Err(Failure::Damaged("a commit was cut in two")),
            _ => Err(Failure::Damaged("it has no incarnation")),
        }
    }

    fn sign(&self, txn: &mut RwTxn<'_>, incarnation: Incarnation) -> Result<(), Failure> {
        let bytes = incarnation.to_bytes(txn.id());
        Ok(self.wide.put(txn, INCARNATION, &bytes)?)
    }

    pub(super) fn generation(
        &self,
        txn: &RoTxn<'_>,
        incarnation: Incarnation,
        tag: Tag,
    ) -> Result<Generation, Failure> {
        incarnation
            .generation(self.cell_bytes(txn, tag)?)
            .ok_or(Failure::Damaged("a generation is cut short"))
    }

    /// The cell of a tag.
    pub(super) fn cell(
        &self,
        txn: &RoTxn<'_>,
        incarnation: Incarnation,
        tag: Tag,
    ) -> Result<Cell, Failure> {
        Cell::decode(self.cell_bytes(txn, tag)?, incarnation)
            .ok_or(Failure::Damaged("the owners of a mark are cut short"))
    }

    /// Changes the cell of a tag.
    pub(super) fn update(
        &self,
        txn: &mut RwTxn<'_>,
        incarnation: Incarnation,
        tag: Tag,
        change: impl FnOnce(&mut Cell),
    ) -> Result<(), Failure> {
        let mut cell = self.cell(txn, incarnation, tag)?;
        change(&mut cell);
        let mut bytes = Vec::new();
        cell.encode(incarnation, &mut bytes);
        if self.has_own_cell(txn, tag)? {
            self.wide.put(txn, &tag.to_bytes(), &bytes)?;
        } else {
            self.slots.put(txn, &self.slot(tag), &bytes)?;
        }
        Ok(())
    }

    /// Renews all generations, keeps all owners, and gives the number of the last part that was
    /// stored before: what is left of the entries is [`Tables::forget`]'s.
    pub(super) fn renew_all(
        &self,
        txn: &mut RwTxn<'_>,
        incarnation: Incarnation,
    ) -> Result<u64, Failure> {
        self.sign(txn, incarnation)?;
        self.last_part(txn)
    }

    /// Removes some of the entries up to the part with this number; false if none are left. It
    /// takes many transactions, so that the writers of all processes get their turn between them.
    pub(super) fn forget(&self, txn: &mut RwTxn<'_>, last: u64) -> Result<bool, Failure> {
        for _ in 0..BATCH {
            match self.oldest(txn)? {
                Some(oldest) if oldest.place.first <= last => self.remove(txn, &oldest)?,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The number of entries, and the bytes of the pages in use.
    pub(super) fn usage(&self, txn: &RoTxn<'_>) -> Result<(u64, u64), Failure> {
        let mut pages = 0;
        for table in [&self.index, &self.log, &self.wide, &self.slots] {
            pages += pages_of(table, txn)?;
        }
        Ok((self.index.len(txn)?, pages * self.layout.page_size as u64))
    }

    fn place(&self, txn: &RoTxn<'_>, key: &[u8]) -> Result<Option<Place>, Failure> {
        Ok(self.index.get(txn, key)?.and_then(Place::decode))
    }

    /// All parts of a record, as far as they are there.
    fn record(&self, txn: &RoTxn<'_>, place: Place, length: usize) -> Result<Vec<u8>, Failure> {
        // The length is only a hint, it may be damaged.
        let mut record = Vec::with_capacity(length.min(place.parts as usize * record::PART));
        for number in place.numbers() {
            let part = self.log.get(txn, &number.to_be_bytes())?;
            record.extend_from_slice(part.unwrap_or_default());
        }
        Ok(record)
    }

    fn append(&self, txn: &mut RwTxn<'_>, key: &[u8], record: &[u8]) -> Result<(), Failure> {
        let place = Place {
            first: self.last_part(txn)? + 1,
            parts: record::parts(record.len()),
        };
        for (number, part) in place.numbers().zip(record.chunks(record::PART)) {
            self.log
                .put_with_flags(txn, PutFlags::APPEND, &number.to_be_bytes(), part)?;
        }
        self.index.put(txn, key, &place.encode())?;
        Ok(())
    }

    fn last_part(&self, txn: &RoTxn<'_>) -> Result<u64, Failure> {
        let last = self.log.last(txn)?;
        last.map_or(Ok(0), |(number, _)| part_number(number))
    }

    /// Evicts the oldest entries until this many more pages fit, but for those that were read
    /// since the last time it came by: they go on as the newest ones.
    fn make_room(
        &self,
        txn: &mut RwTxn<'_>,
        pages: u32,
        now: StoreTime,
        read: &Shared,
    ) -> Result<u64, Failure> {
        let bound = self.layout.entry_pages.saturating_sub(u64::from(pages));
        let mut evicted = 0;
        let mut chances = CHANCES.saturating_add(pages.saturating_mul(2));
        while pages_of(&self.index, txn)? + pages_of(&self.log, txn)? > bound {
            let Some(oldest) = self.oldest(txn)? else {
                break;
            };
            let was_read = read.take(oldest.place.first) && !oldest.has_expired(now);
            let record = match &oldest.key {
                Some(_) if was_read && chances > 0 => {
                    Some(self.record(txn, oldest.place, oldest.length)?)
                }
                _ => None,
            };
            self.remove(txn, &oldest)?;
            match (record, &oldest.key) {
                (Some(record), Some(key)) => {
                    chances = chances.saturating_sub(oldest.place.parts);
                    self.append(txn, key, &record)?;
                }
                _ => evicted += 1,
            }
        }
        Ok(evicted)
    }

    fn oldest(&self, txn: &RoTxn<'_>) -> Result<Option<Oldest>, Failure> {
        let Some((number, first)) = self.log.first(txn)? else {
            return Ok(None);
        };
        let first_part = part_number(number)?;
        let mut oldest = Oldest {
            // Whatever no index entry points to goes part by part.
            place: Place {
                first: first_part,
                parts: 1,
            },
            key: None,
            length: 0,
            deadline: None,
        };
        if let Some(head) = Head::decode(first)
            && let Some(place) = self.place(txn, head.key)?
            && place.first == first_part
        {
            oldest = Oldest {
                place,
                key: head.key.try_into().ok(),
                length: head.length(),
                deadline: Some(head.deadline),
            };
        }
        Ok(Some(oldest))
    }

    fn remove(&self, txn: &mut RwTxn<'_>, oldest: &Oldest) -> Result<(), Failure> {
        if let Some(key) = &oldest.key {
            self.index.delete(txn, key)?;
        }
        self.remove_parts(txn, oldest.place)
    }

    fn remove_parts(&self, txn: &mut RwTxn<'_>, place: Place) -> Result<(), Failure> {
        for number in place.numbers() {
            self.log.delete(txn, &number.to_be_bytes())?;
        }
        Ok(())
    }

    fn cell_bytes<'t>(&self, txn: &'t RoTxn<'_>, tag: Tag) -> Result<Option<&'t [u8]>, Failure> {
        if !tag.is_pinned() {
            let cell = self.wide.get(txn, &tag.to_bytes())?;
            if cell.is_some() || !self.is_wide_full(txn)? {
                return Ok(cell);
            }
        }
        Ok(self.slots.get(txn, &self.slot(tag))?)
    }

    fn has_own_cell(&self, txn: &RoTxn<'_>, tag: Tag) -> Result<bool, Failure> {
        Ok(!tag.is_pinned()
            && (!self.is_wide_full(txn)? || self.wide.get(txn, &tag.to_bytes())?.is_some()))
    }

    fn is_wide_full(&self, txn: &RoTxn<'_>) -> Result<bool, Failure> {
        Ok(self.wide.len(txn)? >= self.layout.wide_tags)
    }

    fn slot(&self, tag: Tag) -> [u8; 4] {
        let number = (tag.to_u128() >> 64) as u64 % self.layout.slots;
        (number as u32).to_be_bytes()
    }
}

/// Where the parts of a record are in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    first: u64,
    parts: u32,
}

impl Place {
    fn decode(bytes: &[u8]) -> Option<Place> {
        let mut rest = Reader(bytes);
        let place = Place {
            first: rest.u64()?,
            parts: rest.u32()?,
        };
        // No record has more, so that a damaged number asks for no endless work.
        let most = record::parts(64 << 20);
        (rest.0.is_empty() && (1..=most).contains(&place.parts)).then_some(place)
    }

    fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.first.to_le_bytes());
        bytes[8..].copy_from_slice(&self.parts.to_le_bytes());
        bytes
    }

    fn numbers(self) -> impl Iterator<Item = u64> {
        (0..u64::from(self.parts)).map(move |part| self.first.saturating_add(part))
    }
}

/// The record at the old end of the log.
struct Oldest {
    place: Place,
    /// The key whose record it is; none if it is nobody's, which damage can bring about.
    key: Option<[u8; 32]>,
    length: usize,
    deadline: Option<u64>,
}

impl Oldest {
    fn has_expired(&self, now: StoreTime) -> bool {
        self.deadline
            .is_none_or(|deadline| deadline <= super::machine::nanoseconds(now))
    }
}

fn part_number(key: &[u8]) -> Result<u64, Failure> {
    let bytes = key.try_into();
    bytes.map_or(Err(Failure::Damaged("a part has no number")), |bytes| {
        Ok(u64::from_be_bytes(bytes))
    })
}

fn pages_of(table: &Table, txn: &RoTxn<'_>) -> Result<u64, Failure> {
    let stat = table.stat(txn)?;
    Ok((stat.branch_pages + stat.leaf_pages + stat.overflow_pages) as u64)
}
