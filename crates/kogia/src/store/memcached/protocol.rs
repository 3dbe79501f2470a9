//! Memcached's text protocol, as far as the store needs it.
//!
//! Commands are collected, sent together, and their answers read in their order: one round trip for
//! all of them. The clients that there are either keep background threads for their pools, which do
//! not survive a fork, or make one round trip for each command.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::url::{MemcachedAddress, MemcachedUrl};

/// A connection on which nothing is under way.
pub(in crate::store) struct Connection {
    stream: BufReader<Stream>,
    /// Commands that are collected.
    out: Vec<u8>,
    /// Answers that nobody has waited for.
    unread: usize,
    /// The server's clock when the connection was opened: how many seconds it runs.
    uptime: u64,
    opened: Instant,
    /// The longest item that the server keeps in one piece, its key included. Longer ones it chains.
    pub(super) longest: usize,
    /// The marks as this connection saw them last.
    pub(super) marks: Option<Item>,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) value: Vec<u8>,
    /// Which change of the item this is.
    pub(super) version: u64,
}

/// The answer to a command that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// There was something, or nothing, or another version: nothing was done.
    Refused,
    /// The server could not do it.
    Failed(String),
}

/// How a value is stored.
#[derive(Debug, Clone, Copy)]
pub(super) enum Store {
    Set,
    /// Only if there is nothing.
    Add,
    /// Only if the version is this one.
    Replace(u64),
}

impl Connection {
    pub(super) fn open(address: &MemcachedAddress, url: &MemcachedUrl) -> io::Result<Self> {
        let mut connection = Connection {
            stream: BufReader::with_capacity(16 << 10, Stream::open(address, url)?),
            out: Vec::new(),
            unread: 0,
            uptime: 0,
            opened: Instant::now(),
            longest: 0,
            marks: None,
        };
        if let Some((user, password)) = &url.login {
            connection.log_in(user, password)?;
        }
        let stats = connection.stats("")?;
        let settings = connection.stats("settings")?;
        if text_of(&settings, "cas_enabled") == Some("no") {
            return Err(unusable("it was started with -C; the store needs its cas"));
        }
        if text_of(&settings, "memory_file").is_some_and(|path| path != "(null)") {
            return Err(unusable(
                "it was started with -e and keeps what it has over a restart; the store needs one that \
                 begins empty",
            ));
        }
        connection.opened = Instant::now();
        connection.uptime = number_of(&stats, "uptime").ok_or_else(|| nonsense("no uptime"))?;
        let item = number_of(&settings, "item_size_max").unwrap_or(1 << 20);
        let chunk = number_of(&settings, "slab_chunk_max").unwrap_or(item);
        connection.longest = item.min(chunk) as usize;
        Ok(connection)
    }

    /// The text protocol has one way to log in: the first command stores a user and a password.
    fn log_in(&mut self, user: &str, password: &str) -> io::Result<()> {
        let login = format!("{user} {password}");
        self.store(Store::Set, b"login", login.as_bytes(), 0);
        self.send()?;
        match self.answer()? {
            Answer::Done => Ok(()),
            Answer::Refused => Err(nonsense("neither yes nor no to a user and password")),
            Answer::Failed(why) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("the server refuses the user and password: {why}"),
            )),
        }
    }

    /// Seconds on the server's clock, which nobody sets.
    pub(super) fn now(&self) -> u64 {
        self.uptime + self.opened.elapsed().as_secs()
    }

    /// Asks for values with their versions.
    pub(super) fn get<'a>(&mut self, keys: impl IntoIterator<Item = &'a [u8]>) {
        self.out.extend_from_slice(b"gets");
        for key in keys {
            self.out.push(b' ');
            self.out.extend_from_slice(key);
        }
        self.out.extend_from_slice(b"\r\n");
    }

    /// Stores a value. `ttl` is in seconds; 0 is for ever.
    pub(super) fn store(&mut self, how: Store, key: &[u8], value: &[u8], ttl: u64) {
        let (verb, version) = match how {
            Store::Set => ("set", String::new()),
            Store::Add => ("add", String::new()),
            Store::Replace(version) => ("cas", format!(" {version}")),
        };
        let out = &mut self.out;
        out.extend_from_slice(verb.as_bytes());
        out.push(b' ');
        out.extend_from_slice(key);
        out.extend_from_slice(format!(" 0 {ttl} {}{version}\r\n", value.len()).as_bytes());
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }

    /// Deletes what stands under a key.
    pub(super) fn delete(&mut self, key: &[u8]) {
        self.out.extend_from_slice(b"delete ");
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Sends what is collected.
    pub(super) fn send(&mut self) -> io::Result<()> {
        let sent = self.stream.get_mut().write_all(&self.out);
        self.out.clear();
        sent
    }

    /// Sends what is collected, and does not wait for its answers.
    pub(super) fn send_off(&mut self, answers: usize) -> io::Result<()> {
        self.unread += answers;
        self.send()
    }

    /// Reads the answers that nobody has waited for. They have arrived long ago.
    pub(super) fn catch_up(&mut self) -> io::Result<()> {
        // What a call that failed had collected must not be sent by the next one.
        self.out.clear();
        while self.unread > 0 {
            self.unread -= 1;
            if let Answer::Failed(why) = self.answer()?
                && is_out_of_memory(&why)
            {
                crate::store::remote::count_out_of_memory();
            }
        }
        Ok(())
    }

    /// The answer to [`Connection::get`]: what there is under the keys, in their order.
    pub(super) fn items(&mut self, keys: &[&[u8]]) -> io::Result<Vec<Option<Item>>> {
        let mut items = vec![None; keys.len()];
        let mut next = 0;
        loop {
            let line = self.line()?;
            if line == b"END" {
                return Ok(items);
            }
            let mut words = line.split(|byte| *byte == b' ');
            if words.next() != Some(b"VALUE") {
                return Err(nonsense(&String::from_utf8_lossy(&line)));
            }
            let key = words.next().unwrap_or_default();
            let _flags = words.next();
            let mut number =
                || -> Option<u64> { std::str::from_utf8(words.next()?).ok()?.parse().ok() };
            let (Some(length), Some(version)) = (number(), number()) else {
                return Err(nonsense(&String::from_utf8_lossy(&line)));
            };
            // Missing ones are left out; the others come in the order of the request.
            let place = keys[next..].iter().position(|asked| *asked == key);
            let place = next + place.ok_or_else(|| nonsense("a key that nobody asked for"))?;
            next = place + 1;
            let value = self.value(length)?;
            items[place] = Some(Item { value, version });
        }
    }

    fn value(&mut self, length: u64) -> io::Result<Vec<u8>> {
        /// Nobody stores more; a length that is not true must not take all memory.
        const LONGEST: u64 = 1 << 30;
        if length > LONGEST {
            return Err(nonsense("a value of more than a gigabyte"));
        }
        let mut value = vec![0; length as usize];
        self.stream.read_exact(&mut value)?;
        let mut end = [0; 2];
        self.stream.read_exact(&mut end)?;
        match &end {
            b"\r\n" => Ok(value),
            _ => Err(nonsense("a value that does not end where it ought to")),
        }
    }

    /// The answer to a command that changes something.
    pub(super) fn answer(&mut self) -> io::Result<Answer> {
        let line = self.line()?;
        Ok(match &line[..] {
            b"STORED" | b"DELETED" => Answer::Done,
            b"NOT_STORED" | b"EXISTS" | b"NOT_FOUND" => Answer::Refused,
            line => {
                let text = String::from_utf8_lossy(line).into_owned();
                let is_error = ["SERVER_ERROR", "CLIENT_ERROR"]
                    .iter()
                    .any(|kind| text.starts_with(kind));
                match is_error {
                    true => Answer::Failed(text),
                    false => return Err(nonsense(&text)),
                }
            }
        })
    }

    /// Names and values of one kind of statistics.
    pub(super) fn stats(&mut self, kind: &str) -> io::Result<Vec<(String, String)>> {
        self.out
            .extend_from_slice(format!("stats {kind}").trim_end().as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.send()?;
        let mut stats = Vec::new();
        loop {
            let line = self.line()?;
            let line = String::from_utf8_lossy(&line);
            if line == "END" {
                return Ok(stats);
            }
            let stat = line
                .strip_prefix("STAT ")
                .and_then(|rest| rest.split_once(' '));
            let (name, value) = stat.ok_or_else(|| nonsense(&line))?;
            stats.push((name.to_owned(), value.to_owned()));
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        /// No line of the server's is longer.
        const LONGEST: u64 = 4096;
        let mut line = Vec::new();
        (&mut self.stream)
            .take(LONGEST)
            .read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(whole) => Ok(whole.to_vec()),
            None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Err(nonsense("a line without an end")),
        }
    }
}

/// Whether the server has no room for what it was told to store.
pub(super) fn is_out_of_memory(why: &str) -> bool {
    why.contains("out of memory")
}

pub(super) fn text_of<'a>(stats: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut stats = stats.iter();
    stats.find_map(|(known, value)| (known == name).then_some(&**value))
}

pub(super) fn number_of(stats: &[(String, String)], name: &str) -> Option<u64> {
    text_of(stats, name)?.parse().ok()
}

fn nonsense(what: &str) -> io::Error {
    let what = what.chars().take(80).collect::<String>();
    let text = format!("the server does not speak Memcached's text protocol: {what:?}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn unusable(why: &str) -> io::Error {
    io::Error::other(format!("the server cannot be used: {why}"))
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn open(address: &MemcachedAddress, url: &MemcachedUrl) -> io::Result<Self> {
        let timeout = Some(url.timeout);
        match address {
            MemcachedAddress::Tcp { host, port } => {
                let stream = connect(host, *port, url.connect_timeout)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(timeout)?;
                stream.set_write_timeout(timeout)?;
                Ok(Stream::Tcp(stream))
            }
            MemcachedAddress::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(timeout)?;
                stream.set_write_timeout(timeout)?;
                Ok(Stream::Unix(stream))
            }
        }
    }
}

/// Connects to the first of a host's addresses that answers.
fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            // A connection to a free port may be one to itself.
            Ok(stream) if stream.local_addr()? == stream.peer_addr()? => {
                stream.shutdown(Shutdown::Both)?;
                last = io::ErrorKind::ConnectionRefused.into();
            }
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(bytes),
            Stream::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
