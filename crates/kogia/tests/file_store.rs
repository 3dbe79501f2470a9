//! The file store and its folder: what it finds there, and what happens to it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests fail by panicking
#![cfg(all(feature = "file", target_os = "linux"))]

mod store_support;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use kogia::{Cache, FileStore, Store};
use store_support::*;

const CAPACITY: u64 = 4_000_000;

fn open(path: &Path) -> FileStore {
    FileStore::open(path, CAPACITY).unwrap()
}

fn error(path: &Path) -> String {
    FileStore::open(path, CAPACITY).unwrap_err().to_string()
}

/// A folder with a store that holds one entry, under key 1, and that nobody uses.
fn warm_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for key in 1..=300 {
        fill(&store, key, &[table("book")], &[1; 700]);
    }
    clear(&store, 1, &[table("shop"), pinned(1)]);
    folder
}

/// Whether the store, opened now, still has its entries.
fn is_warm(path: &Path) -> bool {
    hit(&open(path), 1, &[table("book")]).is_some()
}

/// The store works, whether or not it is warm.
fn assert_works(store: &dyn Store) {
    let tags = [table("works"), pinned(7)];
    fill(store, 7_000, &tags, b"rows");
    assert!(hit(store, 7_000, &tags).is_some());
    mark(store, 1, &tags);
    assert!(generation(store, tags[0]).is_marked());
    clear(store, 1, &tags);
    assert!(hit(store, 7_000, &tags).is_none());
}

#[test]
fn entries_and_generations_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let tags = [table("book"), pinned(1)];
    let store = open(folder.path());
    clear(&store, 1, &tags);
    fill(&store, 1, &tags, b"rows");
    mark(&store, 2, &[table("shop")]);
    let before = store.generations(&tags).unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.generations(&tags).unwrap(), before);
    assert_eq!(hit(&store, 1, &tags).unwrap(), "rows");
    assert!(generation(&store, table("shop")).is_marked());
}

#[test]
fn a_store_url_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made").join("for it");
    let url = format!("file://{}?capacity=2MB", path.display()).replace(' ', "%20");
    let cache = Cache::builder().url(&url).unwrap().build();
    assert_eq!(cache.usage().capacity, 2_000_000);
    assert!(path.join("data.mdb").exists());
}

#[test]
fn stores_of_one_process_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    let real = folder.path().join("real");
    let one = open(&real);
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let other = open(&link);
    fill(&one, 1, &[table("book")], b"rows");
    assert!(hit(&other, 1, &[table("book")]).is_some());
    drop(one);
    mark(&other, 1, &[table("book")]);
    let third = open(&real);
    assert!(generation(&third, table("book")).is_marked());
}

#[test]
fn threads_open_and_close_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (path, start) = (folder.path(), &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..50 {
                    let store = open(path);
                    let tag = table(&format!("{thread}"));
                    mark(&store, 1, &[tag]);
                    assert!(generation(&store, tag).is_marked());
                    if round % 2 == 0 {
                        clear(&open(path), 1, &[tag]);
                        assert!(generation(&store, tag).is_clean());
                    }
                }
            });
        }
    });
}

#[test]
fn the_file_takes_its_capacity_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let sizes = || {
        let files = fs::read_dir(folder.path()).unwrap();
        let metadata = files.map(|file| file.unwrap().metadata().unwrap());
        metadata.fold((0, 0), |(length, room), file| {
            (length + file.len(), room + file.blocks() * 512)
        })
    };
    let bound = CAPACITY + 600_000;
    assert!(sizes().0 <= bound, "{:?}", sizes());
    for key in 0..20_000 {
        let length = [100, 1000, 5000, 40_000][key as usize % 4];
        fill(&store, key, &[table("book"), pinned(key)], &vec![1; length]);
    }
    let (length, room) = sizes();
    assert!(length <= bound && room <= bound, "{length} {room}");
    assert!(store.usage().entries > 50);
    // The newest ones are there, the long ones, too.
    let found =
        (19_900..20_000).filter(|key| hit(&store, *key, &[table("book"), pinned(*key)]).is_some());
    assert!(found.count() > 90);
}

#[test]
fn room_for_marks_is_never_taken_by_entries() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), 1_000_000).unwrap();
    for key in 0..2000 {
        fill(&store, key, &[table("book")], &[1; 3000]);
        let tags = [table(&format!("{key}")), pinned(key), table("book")];
        mark(&store, key.into(), &tags);
        clear(&store, key.into(), &tags);
    }
}

#[test]
fn another_capacity_starts_cold_unless_others_use_it() {
    let folder = warm_folder();
    assert!(is_warm(folder.path()));
    let store = FileStore::open(folder.path(), 2 * CAPACITY).unwrap();
    assert_eq!(store.usage().capacity, 2 * CAPACITY);
    assert!(hit(&store, 1, &[table("book")]).is_none());
    let second = open(folder.path());
    assert_eq!(second.usage().capacity, 2 * CAPACITY);
}

#[test]
fn a_boot_starts_cold() {
    let folder = warm_folder();
    let header = folder.path().join("kogia");
    let text = fs::read_to_string(&header).unwrap();
    assert!(is_warm(folder.path()));
    let boot = text.lines().nth(2).unwrap();
    fs::write(&header, text.replace(boot, "boot another")).unwrap();
    assert!(!is_warm(folder.path()));
    assert_eq!(fs::read_to_string(&header).unwrap(), text);
    assert_works(&open(folder.path()));
}

#[test]
fn a_store_that_was_never_finished_starts_cold() {
    let folder = warm_folder();
    let header = folder.path().join("kogia");
    let text = fs::read_to_string(&header).unwrap();
    for length in text.find("boot").unwrap()..text.len() - 1 {
        fs::write(&header, &text[..length]).unwrap();
        drop(open(folder.path()));
        assert_eq!(fs::read_to_string(&header).unwrap(), text);
    }
    // What an opening that was killed leaves behind is swept up.
    let links = folder.path().join("open-1-1");
    fs::create_dir(&links).unwrap();
    fs::hard_link(folder.path().join("data.mdb"), links.join("data.mdb")).unwrap();
    assert_works(&open(folder.path()));
    assert!(!links.exists());
}

#[test]
fn another_format_is_an_error_that_says_what_to_do() {
    let folder = warm_folder();
    let header = folder.path().join("kogia");
    let text = fs::read_to_string(&header).unwrap();
    fs::write(&header, text.replace("format 1", "format 2")).unwrap();
    let message = error(folder.path());
    assert!(message.contains("another version of Kogia"), "{message}");
    assert!(
        message.contains("delete the folder, or name another"),
        "{message}"
    );
    fs::write(&header, text).unwrap();
    assert!(is_warm(folder.path()));
}

#[test]
fn folders_that_cannot_be_used_are_errors_that_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let message = error(&path);
        assert!(
            message.contains("cannot open the store file://"),
            "{message}"
        );
        assert!(message.contains("name a folder"), "{message}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "x");
    // Nobody can make folders there, not even root.
    assert!(error(Path::new("/proc/kogia")).contains("/proc/kogia"));
    let message = FileStore::open(folder.path(), 10_000)
        .unwrap_err()
        .to_string();
    assert!(message.contains("at least 1MB"), "{message}");
    let message = FileStore::open(&folder.path().join("large"), 1 << 60).unwrap_err();
    assert!(message.to_string().contains("room"), "{message}");
}

#[test]
fn files_of_others_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.mdb");
    fs::write(&data, "somebody's").unwrap();
    assert!(error(folder.path()).contains("name another folder"));
    fs::remove_file(&data).unwrap();
    fs::write(folder.path().join("kogia"), "somebody's").unwrap();
    assert!(error(folder.path()).contains("name another folder"));
    fs::remove_file(folder.path().join("kogia")).unwrap();
    fs::write(folder.path().join("notes"), "somebody's").unwrap();
    drop(open(folder.path()));
    assert_eq!(
        fs::read(folder.path().join("notes")).unwrap(),
        b"somebody's"
    );
}

#[test]
fn damaged_files_start_cold() {
    type Damage = (&'static str, fn(&Path));
    let damages: [Damage; 9] = [
        ("no data", |path| {
            fs::remove_file(path.join("data.mdb")).unwrap()
        }),
        ("empty data", |path| {
            File::create(path.join("data.mdb")).unwrap();
        }),
        ("short data", |path| {
            resize(&path.join("data.mdb"), 1_000_000)
        }),
        ("long data", |path| {
            resize(&path.join("data.mdb"), 8_000_000)
        }),
        ("zeros", |path| {
            overwrite(&path.join("data.mdb"), &[0; 8192], 0)
        }),
        ("wrong magic", |path| {
            overwrite(&path.join("data.mdb"), b"x", 16);
            overwrite(&path.join("data.mdb"), b"x", 4096 + 16);
        }),
        ("noise", |path| {
            let noise: Vec<u8> = (0..3_990_000_u32)
                .map(|n| (n.wrapping_mul(n) >> 7) as u8)
                .collect();
            overwrite(&path.join("data.mdb"), &noise, 0);
        }),
        ("no shared memory", |path| {
            fs::remove_file(path.join("shared")).unwrap()
        }),
        ("no lock file", |path| {
            fs::remove_file(path.join("lock.mdb")).unwrap()
        }),
    ];
    for (name, damage) in damages {
        let folder = warm_folder();
        damage(folder.path());
        let store = open(folder.path());
        assert!(hit(&store, 1, &[table("book")]).is_none(), "{name}");
        assert_works(&store);
        drop(store);
        assert_works(&open(folder.path()));
    }
}

fn resize(path: &Path, size: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(size).unwrap();
}

fn overwrite(path: &Path, bytes: &[u8], offset: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[test]
fn damage_in_any_page_gives_no_wrong_rows() {
    let folder = tempfile::tempdir().unwrap();
    let tags = [table("book")];
    let open = || FileStore::open(folder.path(), 1_000_000).unwrap();
    let store = open();
    for key in 0..60 {
        fill(&store, key, &tags, &[1; 700]);
    }
    fill(&store, 60, &tags, &[1; 7000]);
    drop(store);
    let data = folder.path().join("data.mdb");
    let good = fs::read(&data).unwrap();
    let pages = good
        .chunks(4096)
        .rposition(|page| page.iter().any(|byte| *byte != 0));
    for page in 0..=pages.unwrap() {
        for offset in [4, 10, 12, 18, 30, 900, 4000] {
            let mut bytes = good.clone();
            bytes[page * 4096 + offset] ^= 0x55;
            fs::write(&data, &bytes).unwrap();
            let store = open();
            let mut found = (0..=60).filter_map(|key| hit(&store, key, &tags));
            assert!(found.all(|value| value == [1; 700][..] || value == [1; 7000][..]));
            fill(&store, 61, &tags, &[1; 700]);
            mark(&store, 3, &tags);
        }
    }
}

#[test]
fn damaged_lock_files_and_shared_memory_do_no_harm() {
    for name in ["lock.mdb", "shared"] {
        let folder = warm_folder();
        let path = folder.path().join(name);
        let noise: Vec<u8> = (0..fs::metadata(&path).unwrap().len())
            .map(|n| (n * 7) as u8)
            .collect();
        fs::write(&path, noise).unwrap();
        let store = open(folder.path());
        assert_works(&store);
        for key in 1000..6000 {
            fill(&store, key, &[table("book")], &[1; 1000]);
        }
        assert!(hit(&store, 5999, &[table("book")]).is_some());
    }
}

/// The process that has it open goes on with a new one, and so do all others.
#[test]
fn a_deleted_folder_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    fill(&store, 1, &[table("book")], b"rows");
    let before = generation(&store, table("book"));
    fs::remove_dir_all(&path).unwrap();
    // Whoever opens it now shares nothing with the old one but the path, and waits until every
    // process must have noticed.
    let second = open(&path);
    assert_ne!(generation(&second, table("book")), before);
    mark(&second, 1, &[table("book")]);
    assert!(generation(&store, table("book")).is_marked());
    assert_works(&store);
}

/// The moment between the two stores that end a commit, see `store/file/tables.rs`.
#[test]
fn a_commit_that_was_cut_in_two_is_noticed() {
    const ROOT: (usize, usize) = (16 + 0x68, 16);
    const TRANSACTION: (usize, usize) = (16 + 0x80, 8);
    for other_is_open in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let data = folder.path().join("data.mdb");
        let read = |page: usize, (offset, length): (usize, usize)| {
            let mut bytes = vec![0; length];
            let file = File::open(&data).unwrap();
            file.read_exact_at(&mut bytes, (page * 4096 + offset) as u64)
                .unwrap();
            bytes
        };
        let transaction = |page| u64::from_le_bytes(read(page, TRANSACTION).try_into().unwrap());
        fill(&store, 1, &[table("book")], b"rows");
        clear(&store, 1, &[table("book")]);
        let page = usize::from(transaction(1) > transaction(0));
        let old_root = read(page, ROOT);
        clear(&store, 1, &[table("shop")]);
        mark(&store, 2, &[table("book")]);
        let before = generation(&store, table("book"));
        assert_eq!(usize::from(transaction(1) > transaction(0)), page);
        if !other_is_open {
            drop(store);
            overwrite(&data, &old_root, (page * 4096 + ROOT.0) as u64);
            let store = open(folder.path());
            assert_ne!(generation(&store, table("book")), before);
            assert!(decide_is_miss(&store));
            assert_works(&store);
            continue;
        }
        overwrite(&data, &old_root, (page * 4096 + ROOT.0) as u64);
        store.generations(&[table("book")]).unwrap_err();
        assert_ne!(generation(&store, table("book")), before);
        assert!(decide_is_miss(&store));
        assert_works(&store);
    }
}

fn decide_is_miss(store: &dyn Store) -> bool {
    matches!(
        decide(store, 1, &[table("book")]),
        kogia::core::Decision::Miss(_)
    )
}
