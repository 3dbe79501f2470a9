//! Whether a data file is what LMDB left, looked at before LMDB maps it.
//!
//! LMDB trusts its pages. One that something else wrote to can make it read beyond its map, which
//! ends the process. So while nobody uses the file, all pages that the newest root leads to are
//! walked in safe code: the few numbers that LMDB follows have to be in their bounds, and no page
//! may be in two places. What lies in the values is checked where they are read.
//!
//! This is the format of LMDB 0.9 on a 64-bit machine, `mdb.c` of `lmdb-master-sys` 0.2. A format
//! that differs is taken for damage, and the store starts cold.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::bytes::Reader;

/// What is wrong with a file.
pub(super) type Damage = &'static str;

/// Checks a data file with pages of this size.
pub(super) fn check(path: &Path, page_size: usize) -> Result<(), Damage> {
    let file = File::open(path).map_err(|_| "it cannot be opened")?;
    let length = file.metadata().map_err(|_| "it has no length")?.len();
    let pages = length / page_size as u64;
    let mut walk = Walk {
        file,
        page_size,
        pages,
        seen: vec![0; (pages as usize).div_ceil(64)],
    };
    let newest = walk.newest_meta()?;
    walk.pages = newest.last_page + 1;
    walk.tree(&newest.main, Kind::Main)?;
    walk.tree(&newest.free, Kind::Free)
}

const META_PAGES: u64 = 2;
const PAGE_HEAD: usize = 16;
const NODE_HEAD: usize = 8;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
const META: u16 = 0x08;
/// Flags that are only meant for the process that is writing.
const TRANSIENT: u16 = 0x10 | 0x4000 | 0x8000;

const ON_OVERFLOW_PAGES: u16 = 0x01;
const IS_TABLE: u16 = 0x02;

const NO_PAGE: u64 = u64::MAX;

/// LMDB's own bound on the height of a tree.
const MAX_DEPTH: u16 = 32;

struct Walk {
    file: File,
    page_size: usize,
    /// The pages in use; a number from here on is wrong.
    pages: u64,
    seen: Vec<u64>,
}

/// The root of one transaction.
struct Root {
    free: Tree,
    main: Tree,
    last_page: u64,
    transaction: u64,
}

/// What LMDB keeps of one tree.
struct Tree {
    pad: u32,
    flags: u16,
    depth: u16,
    branches: u64,
    leaves: u64,
    overflows: u64,
    entries: u64,
    root: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The tree of tables.
    Main,
    /// A table.
    Table,
    /// The free pages: transaction to list of pages.
    Free,
}

/// What was counted in a tree.
#[derive(Default)]
struct Counts {
    branches: u64,
    leaves: u64,
    overflows: u64,
    entries: u64,
}

impl Walk {
    fn newest_meta(&mut self) -> Result<Root, Damage> {
        let metas = [self.meta(0)?, self.meta(1)?];
        let [first, second] = metas;
        Ok(if first.transaction < second.transaction {
            second
        } else {
            first
        })
    }

    fn meta(&mut self, number: u64) -> Result<Root, Damage> {
        let page = self.claim(number, META)?;
        let mut rest = Reader(&page[PAGE_HEAD..]);
        let mut meta = || {
            let (magic, version) = (rest.u32()?, rest.u32()?);
            let (_address, map_size) = (rest.u64()?, rest.u64()?);
            let root = Root {
                free: Tree::decode(&mut rest)?,
                main: Tree::decode(&mut rest)?,
                last_page: rest.u64()?,
                transaction: rest.u64()?,
            };
            Some((magic, version, map_size, root))
        };
        let (magic, version, map_size, root) = meta().ok_or("a root is cut short")?;
        if (magic, version) != (0xBEEF_C0DE, 1) {
            return Err("it is none of LMDB's files");
        }
        // The size of pages and the flags of the environment are kept with the free pages.
        if root.free.pad as usize != self.page_size || root.free.flags != 0x08 {
            return Err("its pages have another size");
        }
        let bytes = self.pages * self.page_size as u64;
        if !(META_PAGES - 1..self.pages).contains(&root.last_page) || map_size > bytes {
            return Err("it is larger than the file");
        }
        Ok(root)
    }

    fn tree(&mut self, tree: &Tree, kind: Kind) -> Result<(), Damage> {
        if kind != Kind::Free && (tree.flags, tree.pad) != (0, 0) {
            return Err("a table has flags that it never had");
        }
        let mut counts = Counts::default();
        if tree.root == NO_PAGE {
            if tree.depth != 0 {
                return Err("an empty tree has a depth");
            }
        } else if !(1..=MAX_DEPTH).contains(&tree.depth) {
            return Err("a tree has no depth");
        } else {
            let mut bound = Bound::new(kind);
            self.subtree(tree.root, tree.depth, kind, &mut counts, &mut bound)?;
        }
        let found = (
            counts.branches,
            counts.leaves,
            counts.overflows,
            counts.entries,
        );
        if found != (tree.branches, tree.leaves, tree.overflows, tree.entries) {
            return Err("a tree has other pages than its root counts");
        }
        Ok(())
    }

    /// Walks the part of a tree below a page, from which all keys lie above the bound.
    fn subtree(
        &mut self,
        number: u64,
        depth: u16,
        kind: Kind,
        counts: &mut Counts,
        bound: &mut Bound,
    ) -> Result<(), Damage> {
        let is_leaf = depth == 1;
        let page = self.claim(number, if is_leaf { LEAF } else { BRANCH })?;
        let nodes = nodes(&page, is_leaf)?;
        if nodes.len() < if is_leaf || kind == Kind::Free { 1 } else { 2 } {
            return Err("a page has too few keys");
        }
        if is_leaf {
            counts.leaves += 1;
            counts.entries += nodes.len() as u64;
            for node in &nodes {
                bound.raise(node.key, false)?;
                self.value(node, kind, counts)?;
            }
            return Ok(());
        }
        counts.branches += 1;
        for (index, node) in nodes.iter().enumerate() {
            // The first key of a branch stands for everything before the second.
            if index > 0 {
                bound.raise(node.key, true)?;
            }
            self.subtree(node.child(), depth - 1, kind, counts, bound)?;
        }
        Ok(())
    }

    fn value(&mut self, node: &Node<'_>, kind: Kind, counts: &mut Counts) -> Result<(), Damage> {
        let long;
        let value = match node.flags & !IS_TABLE {
            0 => node.bytes(node.size)?,
            ON_OVERFLOW_PAGES => {
                let first = Reader(node.bytes(8)?).u64().unwrap_or(NO_PAGE);
                let pages = (PAGE_HEAD + node.size).div_ceil(self.page_size) as u64;
                counts.overflows += pages;
                let wanted = if kind == Kind::Free { node.size } else { 0 };
                long = self.overflow(first, pages, wanted)?;
                &long
            }
            _ => return Err("a value is of no known kind"),
        };
        match (kind, node.flags & IS_TABLE != 0) {
            (Kind::Table, false) => Ok(()),
            (Kind::Free, false) => self.free_pages(value),
            (Kind::Main, true) => {
                let table = Tree::decode(&mut Reader(value)).filter(|_| value.len() == 48);
                self.tree(&table.ok_or("a table is cut short")?, Kind::Table)
            }
            _ => Err("a table is where none should be"),
        }
    }

    /// Claims the pages of a long value, and reads as much of it as is wanted.
    fn overflow(&mut self, first: u64, pages: u64, wanted: usize) -> Result<Vec<u8>, Damage> {
        let head = self.claim(first, OVERFLOW)?;
        let stated = Reader(&head[12..PAGE_HEAD]).u32();
        if stated.map(u64::from) != Some(pages) {
            return Err("a long value has another length");
        }
        for number in first + 1..first + pages {
            self.see(number)?;
        }
        let mut value = vec![0; wanted];
        let offset = first * self.page_size as u64 + PAGE_HEAD as u64;
        self.file
            .read_exact_at(&mut value, offset)
            .map_err(|_| "it ends too early")?;
        Ok(value)
    }

    /// A list of free pages: its length, then page numbers that fall.
    fn free_pages(&mut self, list: &[u8]) -> Result<(), Damage> {
        let mut rest = Reader(list);
        let length = rest.u64().ok_or("a list of free pages is cut short")?;
        let mut last = u64::MAX;
        for _ in 0..length {
            let number = rest.u64().ok_or("a list of free pages is cut short")?;
            if number >= last {
                return Err("free pages are not in order");
            }
            last = number;
            self.see(number)?;
        }
        Ok(())
    }

    /// Reads a page of this kind that nothing else points to.
    fn claim(&mut self, number: u64, kind: u16) -> Result<Vec<u8>, Damage> {
        self.see(number)?;
        // Of a long value only the head is looked at.
        let length = if kind == OVERFLOW {
            PAGE_HEAD
        } else {
            self.page_size
        };
        let mut page = vec![0; length];
        self.file
            .read_exact_at(&mut page, number * self.page_size as u64)
            .map_err(|_| "it ends too early")?;
        let mut head = Reader(&page);
        let (own_number, _pad, flags) = (head.u64(), head.u16(), head.u16());
        if own_number != Some(number) || flags.map(|flags| flags & !TRANSIENT) != Some(kind) {
            return Err("a page is not what points to it says");
        }
        Ok(page)
    }

    fn see(&mut self, number: u64) -> Result<(), Damage> {
        if number >= self.pages {
            return Err("a page lies beyond the end");
        }
        let (word, bit) = (&mut self.seen[(number / 64) as usize], 1 << (number % 64));
        if *word & bit != 0 {
            return Err("a page is used twice");
        }
        *word |= bit;
        Ok(())
    }
}

impl Tree {
    fn decode(rest: &mut Reader<'_>) -> Option<Tree> {
        Some(Tree {
            pad: rest.u32()?,
            flags: rest.u16()?,
            depth: rest.u16()?,
            branches: rest.u64()?,
            leaves: rest.u64()?,
            overflows: rest.u64()?,
            entries: rest.u64()?,
            root: rest.u64()?,
        })
    }
}

/// One key of a page, with what it leads to.
struct Node<'a> {
    /// The size of a value, or the lower half of a page number.
    size: usize,
    flags: u16,
    key: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Node<'a> {
    fn child(&self) -> u64 {
        self.size as u64 | u64::from(self.flags) << 32
    }

    fn bytes(&self, length: usize) -> Result<&'a [u8], Damage> {
        self.rest.get(..length).ok_or("a value leaves its page")
    }
}

/// The keys of a page in their order. They have to fill the page's end without a gap, because LMDB
/// moves them by their sizes.
fn nodes(page: &[u8], is_leaf: bool) -> Result<Vec<Node<'_>>, Damage> {
    let mut head = Reader(&page[12..PAGE_HEAD]);
    let (lower, upper) = (head.u16().unwrap_or(0), head.u16().unwrap_or(0));
    let (lower, upper) = (usize::from(lower), usize::from(upper));
    if lower % 2 != 0 || !(PAGE_HEAD..=upper).contains(&lower) || upper > page.len() {
        return Err("a page has no room for its keys");
    }
    let node = |offset: usize| {
        let mut rest = Reader(page.get(offset..).filter(|_| offset.is_multiple_of(2))?);
        let (low, high) = (rest.u16()?, rest.u16()?);
        let (flags, key) = (rest.u16()?, rest.u16()?);
        Some(Node {
            size: usize::from(low) | usize::from(high) << 16,
            flags,
            key: rest.take(usize::from(key))?,
            rest: rest.0,
        })
    };
    let mut found = Vec::new();
    let mut places = Vec::new();
    for pointer in page[PAGE_HEAD..lower].chunks_exact(2) {
        let offset = usize::from(Reader(pointer).u16().unwrap_or(0));
        let node = node(offset).ok_or("a key leaves its page")?;
        let value = match (is_leaf, node.flags & ON_OVERFLOW_PAGES) {
            (false, _) => 0,
            (true, 0) => node.size,
            (true, _) => 8,
        };
        let length = NODE_HEAD + node.key.len() + value;
        places.push((offset, offset + length.next_multiple_of(2)));
        found.push(node);
    }
    places.sort_unstable();
    let end = places
        .iter()
        .try_fold(upper, |at, (start, end)| (*start == at).then_some(*end));
    if end != Some(page.len()) {
        return Err("the keys of a page overlap");
    }
    Ok(found)
}

/// The key that all keys to come lie above.
struct Bound {
    kind: Kind,
    key: Vec<u8>,
    /// Whether the next key may also be equal.
    includes: bool,
}

impl Bound {
    fn new(kind: Kind) -> Bound {
        Bound {
            kind,
            key: Vec::new(),
            includes: true,
        }
    }

    fn raise(&mut self, key: &[u8], includes: bool) -> Result<(), Damage> {
        let number = |key: &[u8]| key.try_into().ok().map(u64::from_ne_bytes);
        let (order, is_key) = match self.kind {
            // Numbers of transactions.
            Kind::Free => (number(key).cmp(&number(&self.key)), key.len() == 8),
            Kind::Main | Kind::Table => (key.cmp(&self.key), (1..=511).contains(&key.len())),
        };
        if !is_key || order.is_lt() || (order.is_eq() && !self.includes) {
            return Err("keys are not in order");
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        self.includes = includes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use heed::types::Bytes;
    use heed::{CommitOrAbort, EnvFlags};

    use super::*;

    const PAGE: usize = 4096;

    /// A file with long and short values, deep trees and free pages.
    fn data_file(folder: &Path) -> std::path::PathBuf {
        let env = super::super::environment::open(folder, 1024 * PAGE, 2).unwrap();
        let tables = env.create_databases_and_commit(env.write_txn().unwrap(), |opener, txn| {
            let one = opener.create_database::<Bytes, Bytes>(txn, Some("one"))?;
            let two = opener.create_database::<Bytes, Bytes>(txn, Some("two"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((one, two)))
        });
        let (one, two) = tables.unwrap().unwrap_commit();
        for round in 0..20_u32 {
            let mut txn = env.write_txn().unwrap();
            for number in 0..200_u32 {
                let key = (number * 7919 % 1000 + round).to_be_bytes();
                let length = [10, 300, 3000, 9000][number as usize % 4];
                one.put(&mut txn, &key, &vec![round as u8; length]).unwrap();
                two.put(&mut txn, &[&key[..], &[0; 20]].concat(), &[1; 16])
                    .unwrap();
                if round % 2 == 1 {
                    one.delete(&mut txn, &key).unwrap();
                }
            }
            txn.commit().unwrap();
        }
        assert!(env.flags().unwrap().unwrap().contains(EnvFlags::WRITE_MAP));
        folder.join("data.mdb")
    }

    #[test]
    fn what_lmdb_left_is_good() {
        let folder = tempfile::tempdir().unwrap();
        let file = data_file(folder.path());
        assert_eq!(check(&file, PAGE), Ok(()));
        assert_eq!(check(&file, 2 * PAGE), Err("its pages have another size"));
    }

    /// Whatever passes the check must be safe to hand to LMDB, which is tried out here.
    #[test]
    fn what_passes_the_check_can_be_read_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let good = std::fs::read(data_file(folder.path())).unwrap();
        let used = good
            .chunks(PAGE)
            .rposition(|page| page.iter().any(|byte| *byte != 0));
        let used = (used.unwrap() + 1) * PAGE;
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % bound as u64) as usize
        };
        let (mut passed, mut refused) = (0, 0);
        for _ in 0..400 {
            let mut bytes = good.clone();
            for _ in 0..=next(8) {
                // The roots, the heads of pages and pointers more often than what they hold.
                let offset = match next(5) {
                    0 => next(2 * PAGE).min(200),
                    1 => next(used),
                    2 => next(used) / PAGE * PAGE + next(300),
                    _ => next(used) / PAGE * PAGE + next(40),
                };
                bytes[offset] = next(256) as u8;
            }
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("data.mdb");
            std::fs::write(&file, &bytes).unwrap();
            if check(&file, PAGE).is_err() {
                refused += 1;
                continue;
            }
            passed += 1;
            let env = super::super::environment::open(folder.path(), 1024 * PAGE, 2).unwrap();
            let txn = env.read_txn().unwrap();
            let tables = env.open_databases_and_commit(txn, |opener, txn| {
                let one = opener.open_database::<Bytes, Bytes>(txn, Some("one"))?;
                let two = opener.open_database::<Bytes, Bytes>(txn, Some("two"))?;
                Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((one, two)))
            });
            let (one, two) = tables.unwrap().unwrap_commit();
            for table in [one.unwrap(), two.unwrap()] {
                let mut txn = env.write_txn().unwrap();
                let pairs = table.iter(&txn).unwrap().map(Result::unwrap);
                let bytes: usize = pairs.map(|(key, value)| key.len() + value.len()).sum();
                assert!(bytes > 0);
                for number in 0..1500_u32 {
                    table
                        .put(&mut txn, &number.to_be_bytes(), &[2; 100])
                        .unwrap();
                }
                txn.commit().unwrap();
            }
        }
        assert!(
            passed > 20 && refused > 20,
            "{passed} passed, {refused} refused"
        );
    }
}
