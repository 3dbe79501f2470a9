//! What the Redis store costs beside the bare client.
//!
//! `KOGIA_TEST_REDIS_URL=redis://… cargo run --release -p kogia-bench --example redis`: a hit of
//! 1 KiB beside an `MGET` of as many keys of the same lengths, a mark beside an `EVALSHA` of as many
//! keys, by turns on one thread; then both on 64 threads, and a server that is not there.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a benchmark may panic

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia::core::{
    DatabaseId, DatabaseTags, Decision, OwnerId, QueryKey, ReadRequest, Statement, TableTags, Tag,
    TagSet, Wide,
};
use kogia::{Backend, Mark, Store};

const ROUNDS: usize = 20_000;
const HOUR: Duration = Duration::from_secs(3_600);

fn main() {
    let server = std::env::var("KOGIA_TEST_REDIS_URL").expect("KOGIA_TEST_REDIS_URL is not set");
    let store = open(&format!("{server}?prefix=bench&quarantine=0s"));
    let tiered = open(&format!("{server}?prefix=bench&quarantine=0s&local=16MB"));
    let client = redis::Client::open(&*server).unwrap();
    let bare = Bare::new(&client);
    let (tags, request) = request();
    fill(&*store, &request);
    fill(&*tiered, &request);
    one_thread(&*store, &*tiered, &client, &bare, &tags, &request);
    many_threads(&store, &client, &bare, &request);
    dead(&request);
}

fn open(url: &str) -> Arc<dyn Store> {
    let cache = kogia::Cache::builder().url(url).unwrap().build();
    Arc::clone(cache.store())
}

/// Two tags beside the two epochs, as a query of two tables has.
fn request() -> ([Tag; 2], ReadRequest) {
    let database = DatabaseId::new("bench");
    let tags = ["book", "shop"].map(|name| TableTags::new(&database, name).any);
    let statement = Statement {
        digest: [0; 32],
        reads: Vec::new(),
        writes: Vec::new(),
        wide: Wide::Nothing,
        uncacheable: None,
        effects: Vec::new(),
    };
    let key = QueryKey::from_bytes([7; 32]);
    let mut request = ReadRequest::new(key, &DatabaseTags::new(&database), &statement, &[]);
    tags.iter().for_each(|tag| request.add_tag(*tag));
    (tags, request)
}

fn fill(store: &dyn Store, request: &ReadRequest) {
    let response = store.read(request).unwrap();
    if let Decision::Miss(right) | Decision::Stale(right) = request.decide(response) {
        // Nothing that would be compressed.
        let value: Vec<u8> = (0..1024_u32).map(|i| ((i * i * 31) >> 3) as u8).collect();
        store.fill(&right, 1, Bytes::from(value), HOUR).unwrap();
    }
}

/// Keys and a script of the same sizes as the store's, for the bare client.
struct Bare {
    get: redis::Cmd,
    generations: redis::Cmd,
    script: redis::Cmd,
}

impl Bare {
    fn new(client: &redis::Client) -> Bare {
        let mut connection = client.get_connection().unwrap();
        let generation = |i: u8| [b"{bare:1}:g".as_slice(), &[i; 16]].concat();
        let mut generations = redis::cmd("MGET");
        redis::cmd("SET")
            .arg("{bare:1}:i")
            .arg(&[1_u8; 33][..])
            .exec(&mut connection)
            .unwrap();
        generations.arg("{bare:1}:i");
        for i in 0..4 {
            redis::cmd("SET")
                .arg(generation(i))
                .arg(&[i; 16][..])
                .exec(&mut connection)
                .unwrap();
            generations.arg(generation(i));
        }
        let entry = [b"bare:1:e".as_slice(), &[7; 32]].concat();
        redis::cmd("SET")
            .arg(&entry)
            .arg(&[1_u8; 1_160][..])
            .exec(&mut connection)
            .unwrap();
        let mut get = generations.clone();
        get.arg(entry);
        let text = "for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[1]) end return 1";
        let hash: String = redis::cmd("SCRIPT")
            .arg("LOAD")
            .arg(text)
            .query(&mut connection)
            .unwrap();
        let mut script = redis::cmd("EVALSHA");
        script
            .arg(hash)
            .arg(2)
            .arg(generation(9))
            .arg(generation(10))
            .arg(&[1_u8; 16][..]);
        Bare {
            get,
            generations,
            script,
        }
    }
}

fn one_thread(
    store: &dyn Store,
    tiered: &dyn Store,
    client: &redis::Client,
    bare: &Bare,
    tags: &[Tag],
    request: &ReadRequest,
) {
    let mut connection = client.get_connection().unwrap();
    let mut times = [const { Vec::new() }; 6];
    let tags: TagSet = tags.iter().copied().collect();
    for round in 0..ROUNDS {
        let mut timed = |index: usize, call: &mut dyn FnMut()| {
            let begun = Instant::now();
            call();
            times[index].push(begun.elapsed().as_nanos() as u64);
        };
        let is_hit = |store: &dyn Store| {
            matches!(
                request.decide(store.read(request).unwrap()),
                Decision::Hit(_)
            )
        };
        timed(0, &mut || {
            drop(bare.get.query::<Vec<Vec<u8>>>(&mut connection).unwrap())
        });
        timed(1, &mut || assert!(is_hit(store)));
        timed(2, &mut || {
            drop(
                bare.generations
                    .query::<Vec<Vec<u8>>>(&mut connection)
                    .unwrap(),
            )
        });
        timed(3, &mut || assert!(is_hit(tiered)));
        if round % 10 == 0 {
            let owner = OwnerId(round as u128);
            let mark = Mark {
                owner,
                tags: &tags,
                lease: HOUR,
                backend: &Backend::Unknown,
            };
            timed(4, &mut || bare.script.exec(&mut connection).unwrap());
            timed(5, &mut || store.mark(&mark).unwrap());
            store.clear(owner, &tags).unwrap();
            fill(store, request);
            fill(tiered, request);
            assert!(is_hit(tiered));
        }
    }
    let [get, hit, generations, tier, script, mark] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2] as f64 / 1_000.0
    });
    println!(
        "hit          {hit:6.1} µs, bare MGET      {get:6.1} µs, {:.2} ×",
        hit / get
    );
    println!(
        "strict tier  {tier:6.1} µs, bare MGET      {generations:6.1} µs, {:.2} ×",
        tier / generations
    );
    println!(
        "mark         {mark:6.1} µs, bare EVALSHA   {script:6.1} µs, {:.2} ×",
        mark / script
    );
}

fn many_threads(
    store: &Arc<dyn Store>,
    client: &redis::Client,
    bare: &Bare,
    request: &ReadRequest,
) {
    const THREADS: usize = 64;
    let second = Duration::from_secs(1);
    let run = |work: &(dyn Fn() -> Box<dyn FnMut()> + Sync)| {
        let count = AtomicU64::new(0);
        let begun = Instant::now();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut call = work();
                    while begun.elapsed() < second {
                        call();
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        count.into_inner()
    };
    let (mut ours, mut theirs) = (0, 0);
    for _ in 0..3 {
        theirs += run(&|| {
            let mut connection = client.get_connection().unwrap();
            let get = bare.get.clone();
            Box::new(move || drop(get.query::<Vec<Vec<u8>>>(&mut connection).unwrap()))
        });
        ours += run(&|| {
            let (store, request) = (Arc::clone(store), request.clone());
            Box::new(move || drop(store.read(&request).unwrap()))
        });
    }
    println!(
        "{THREADS} threads   {:6} reads/s, bare {:6} reads/s, {:.0} %",
        ours / 3,
        theirs / 3,
        ours as f64 / theirs as f64 * 100.0
    );
}

fn dead(request: &ReadRequest) {
    // Nothing listens at the lowest port.
    let store = open("redis://127.0.0.1:1/0");
    assert!(store.read(request).is_err());
    let begun = Instant::now();
    for _ in 0..1_000 {
        assert!(store.read(request).is_err());
    }
    println!(
        "dead server  {:6.2} µs for each call",
        begun.elapsed().as_secs_f64() * 1_000.0
    );
}
