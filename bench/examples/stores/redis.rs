//! The Redis store beside the client that it is made with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kogia::Store;
use kogia::core::{OwnerId, ReadRequest, Tag, TagSet};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::{ROUNDS, Times, fill, hit, mark, open, report, request};

pub(super) fn run(server: &str) {
    let store = open(&format!("{server}?prefix=bench&quarantine=0s"));
    let tiered = open(&format!("{server}?prefix=bench&quarantine=0s&local=16MB"));
    let client = ::redis::Client::open(server).unwrap();
    let bare = Bare::new(&client);
    let (tags, request) = request();
    fill(&*store, &request);
    fill(&*tiered, &request);
    one_thread(&*store, &*tiered, &client, &bare, &tags, &request);
    pushed(server, &request);
    many_threads(&store, &client, &bare, &request);
    many_tasks(&store, &client, &bare, &request);
    dead(&request);
}

/// Keys and a script of the same sizes as the store's, for the bare client.
struct Bare {
    get: ::redis::Cmd,
    generations: ::redis::Cmd,
    script: ::redis::Cmd,
}

impl Bare {
    fn new(client: &::redis::Client) -> Bare {
        let mut connection = client.get_connection().unwrap();
        let generation = |i: u8| [b"{bare:1}:g".as_slice(), &[i; 16]].concat();
        let mut generations = ::redis::cmd("MGET");
        ::redis::cmd("SET")
            .arg("{bare:1}:i")
            .arg(&[1_u8; 33][..])
            .exec(&mut connection)
            .unwrap();
        generations.arg("{bare:1}:i");
        for i in 0..4 {
            ::redis::cmd("SET")
                .arg(generation(i))
                .arg(&[i; 16][..])
                .exec(&mut connection)
                .unwrap();
            generations.arg(generation(i));
        }
        let entry = [b"bare:1:e".as_slice(), &[7; 32]].concat();
        ::redis::cmd("SET")
            .arg(&entry)
            .arg(&[1_u8; 1_160][..])
            .exec(&mut connection)
            .unwrap();
        let mut get = generations.clone();
        get.arg(entry);
        let text = "for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[1]) end return 1";
        let hash: String = ::redis::cmd("SCRIPT")
            .arg("LOAD")
            .arg(text)
            .query(&mut connection)
            .unwrap();
        let mut script = ::redis::cmd("EVALSHA");
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
    client: &::redis::Client,
    bare: &Bare,
    tags: &[Tag],
    request: &ReadRequest,
) {
    let mut connection = client.get_connection().unwrap();
    let mut times: [Times; 6] = Default::default();
    let tags: TagSet = tags.iter().copied().collect();
    for round in 0..ROUNDS {
        let fetch = |command: &::redis::Cmd, connection: &mut ::redis::Connection| {
            drop(command.query::<Vec<Vec<u8>>>(connection).unwrap());
        };
        times[0].take(|| fetch(&bare.get, &mut connection));
        times[1].take(|| hit(store, request));
        times[2].take(|| fetch(&bare.generations, &mut connection));
        times[3].take(|| hit(tiered, request));
        if round % 10 == 0 {
            let owner = OwnerId(round as u128);
            times[4].take(|| bare.script.exec(&mut connection).unwrap());
            times[5].take(|| mark(store, owner, &tags));
            store.clear(owner, &tags).unwrap();
            fill(store, request);
            fill(tiered, request);
            hit(tiered, request);
        }
    }
    let [get, hits, generations, tier, script, marks] = &mut times;
    report("Redis: hit", hits, "MGET", get);
    report("Redis: strict tier", tier, "MGET", generations);
    report("Redis: mark", marks, "EVALSHA", script);
}

/// Hits that ask nobody, which a test makes sure of.
fn pushed(server: &str, request: &ReadRequest) {
    let store = open(&format!(
        "{server}?prefix=bench&quarantine=0s&local=16MB&mode=pushed"
    ));
    fill(&*store, request);
    let mut times = Times::default();
    let begun = Instant::now();
    // Until the server has told for a while.
    while begun.elapsed() < Duration::from_secs(1) {
        hit(&*store, request);
    }
    for _ in 0..ROUNDS {
        times.take(|| hit(&*store, request));
    }
    println!("Redis: pushed tier     {:6.2} µs", times.median());
}

fn many_threads(
    store: &Arc<dyn Store>,
    client: &::redis::Client,
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
        "Redis: {THREADS} threads      {:6} reads/s, bare {:6} reads/s, {:.0} %",
        ours / 3,
        theirs / 3,
        ours as f64 / theirs as f64 * 100.0
    );
}

/// As many readers as threads, that are tasks of one runtime with one connection.
fn many_tasks(
    store: &Arc<dyn Store>,
    client: &::redis::Client,
    bare: &Bare,
    request: &ReadRequest,
) {
    const TASKS: usize = 64;
    let second = Duration::from_secs(1);
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let connection = runtime.block_on(client.get_multiplexed_async_connection());
    let connection = connection.unwrap();
    let get = bare.get.clone();
    let theirs = move || {
        let (get, mut connection) = (get.clone(), connection.clone());
        async move {
            drop(
                get.query_async::<Vec<Vec<u8>>>(&mut connection)
                    .await
                    .unwrap(),
            )
        }
    };
    let (store, request) = (Arc::clone(store), request.clone());
    let ours = move || {
        let (store, request) = (Arc::clone(&store), request.clone());
        async move { drop(store.read_async(&request).unwrap().await.unwrap()) }
    };
    let (mut read, mut fetched) = (0, 0);
    for _ in 0..3 {
        fetched += runtime.block_on(tasks(TASKS, second, theirs.clone()));
        read += runtime.block_on(tasks(TASKS, second, ours.clone()));
    }
    println!(
        "Redis: {TASKS} tasks        {:6} reads/s, bare {:6} reads/s, {:.0} %",
        read / 3,
        fetched / 3,
        read as f64 / fetched as f64 * 100.0
    );
}

/// How many calls some tasks make in a time, each of them one after the other.
async fn tasks<F>(
    count: usize,
    time: Duration,
    call: impl Fn() -> F + Clone + Send + 'static,
) -> u64
where
    F: Future<Output = ()> + Send + 'static,
{
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let call = call.clone();
        tasks.spawn(async move {
            let mut done = 0;
            while begun.elapsed() < time {
                call().await;
                done += 1;
            }
            done
        });
    }
    tasks.join_all().await.into_iter().sum()
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
        "Redis: dead server     {:6.2} µs for each call",
        begun.elapsed().as_secs_f64() * 1_000.0
    );
}
