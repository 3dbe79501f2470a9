//! The Memcached store beside a bare socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use kogia::core::{OwnerId, TagSet};

use super::{ROUNDS, Times, fill, hit, mark, open, report, request};

/// A server of one thread. Of several, each connection gets the next one, and how fast that wakes
/// depends on where the system has put it: up to three times as much, for both sides.
struct Server(Child);

impl Server {
    fn start(port: u16) -> Server {
        let port = port.to_string();
        // The user counts for root alone, as whom it does not run.
        let options = [
            "-u",
            "nobody",
            "-l",
            "127.0.0.1",
            "-U",
            "0",
            "-t",
            "1",
            "-p",
            &port,
        ];
        let child = Command::new("memcached").args(options).spawn();
        Server(child.expect("memcached is missing: scripts/servers installs it"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn run() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let _server = Server::start(port);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        thread::sleep(Duration::from_millis(10));
    }
    let store = open(&format!("memcached://127.0.0.1:{port}?quarantine=0s"));
    let (tags, request) = request();
    let tags: TagSet = tags.iter().copied().collect();
    fill(&*store, &request);
    hit(&*store, &request);
    let mut bare = Bare::new(port);
    let mut times: [Times; 4] = Default::default();
    let [gets, hits, writes, marks] = &mut times;
    for round in 0..ROUNDS {
        gets.take(|| bare.fetch());
        hits.take(|| hit(&*store, &request));
        if round % 10 == 0 {
            let owner = OwnerId(round as u128);
            writes.take(|| bare.write());
            marks.take(|| mark(&*store, owner, &tags));
            store.clear(owner, &tags).unwrap();
            fill(&*store, &request);
            hit(&*store, &request);
        }
    }
    report("Memcached: hit", hits, "gets", gets);
    report("Memcached: mark", marks, "set + cas", writes);
}

/// Keys and values of the same sizes as the store's: the marks, four generations and an entry.
struct Bare {
    stream: BufReader<TcpStream>,
    keys: Vec<String>,
}

impl Bare {
    fn new(port: u16) -> Bare {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let generation = |number| format!("bare:1:g{number:032}");
        let keys = [("bare:1:m".to_owned(), 24)]
            .into_iter()
            .chain((0..4).map(|number| (generation(number), 16)))
            .chain([(format!("bare:1:e{:064}", 0), 1_180)]);
        let mut bare = Bare {
            stream: BufReader::with_capacity(16 << 10, stream),
            keys: Vec::new(),
        };
        for (key, length) in keys {
            bare.send(&set(&key, length));
            assert_eq!(bare.line(), "STORED");
            bare.keys.push(key);
        }
        bare
    }

    fn fetch(&mut self) {
        self.send(&format!("gets {}\r\n", self.keys.join(" ")));
        for _ in 0..self.keys.len() {
            self.value();
        }
        assert_eq!(self.line(), "END");
    }

    /// What a mark of two tags writes: both generations, the marks, and a look at these, which tells
    /// their next version.
    fn write(&mut self) {
        let sets = set(&self.keys[1], 16) + &set(&self.keys[2], 16) + &set(&self.keys[0], 24);
        self.send(&format!("{sets}gets {}\r\n", self.keys[0]));
        for _ in 0..3 {
            assert_eq!(self.line(), "STORED");
        }
        self.value();
        assert_eq!(self.line(), "END");
    }

    fn value(&mut self) -> Vec<u8> {
        let line = self.line();
        let length: usize = line.split(' ').nth(3).unwrap().parse().unwrap();
        let mut value = vec![0; length + 2];
        self.stream.read_exact(&mut value).unwrap();
        value
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

fn set(key: &str, length: usize) -> String {
    format!("set {key} 0 0 {length}\r\n{}\r\n", "v".repeat(length))
}
