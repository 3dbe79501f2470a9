//! Where the numbers come from.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kogia::{Store, StoreUrl};

use super::numbers::Numbers;

/// One source of numbers.
pub(super) enum Source {
    /// A process that exports its counters.
    Metrics(Endpoint),
    Store(Arc<dyn Store>),
}

/// An address of the form `http://host:port/path`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    authority: String,
    path: String,
}

impl Source {
    pub(super) fn is_store(&self) -> bool {
        matches!(self, Source::Store(_))
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = url.strip_prefix("http://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, "metrics"));
            return Ok(Source::Metrics(Endpoint {
                authority: authority.to_owned(),
                path: format!("/{path}"),
            }));
        }
        if url.starts_with("https:") {
            return Err("https is not spoken here: name the process's own port".to_owned());
        }
        let url: StoreUrl = url.parse().map_err(|error| {
            format!("{error}, or http://host:port/metrics for a process that exports its counters")
        })?;
        if let StoreUrl::Memory { .. } = url {
            return Err("the memory store of a process is seen by that process alone".to_owned());
        }
        let store = url.open_existing().map_err(|error| error.to_string())?;
        Ok(Source::Store(store))
    }
}

/// The numbers of all sources now.
pub(super) fn look(sources: &[Source]) -> Numbers {
    let mut numbers = Numbers::default();
    for source in sources {
        match source {
            Source::Metrics(endpoint) => match endpoint.fetch() {
                Ok(text) => numbers.add_metrics(&text),
                Err(error) => {
                    let failure = format!("{}: {error}", endpoint.authority);
                    numbers.failures.push(failure);
                }
            },
            Source::Store(store) => {
                let usage = store.usage();
                numbers.entries = Some(usage.entries);
                numbers.bytes = Some(usage.bytes);
                numbers.capacity = Some(usage.capacity);
            }
        }
    }
    numbers
}

/// How long a process may take to answer, and how long its answer may be.
const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST: u64 = 16 << 20;

impl Endpoint {
    fn fetch(&self) -> io::Result<String> {
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
        let address = self
            .authority
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| invalid("the name leads nowhere"))?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // The older version has no answers in pieces.
        write!(
            stream,
            "GET {} HTTP/1.0\r\nHost: {}\r\nAccept: text/plain\r\n\r\n",
            self.path, self.authority
        )?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| invalid("that is no answer of HTTP"))?;
        let status = head.lines().next().unwrap_or_default();
        match status.split(' ').nth(1) {
            Some("200") => Ok(body.to_owned()),
            _ => Err(invalid(status)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::super::numbers::Count;
    use super::*;

    /// Answers one request, and gives back its first line.
    fn serve(answer: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked = lines.next().unwrap().unwrap();
            while !lines.next().unwrap().unwrap().is_empty() {}
            stream.write_all(answer.as_bytes()).unwrap();
            asked
        });
        (url, served)
    }

    #[test]
    fn a_process_is_asked_for_its_counters() {
        for (path, asked) in [("", "GET /metrics "), ("/a/b?c=d", "GET /a/b?c=d ")] {
            let answer = "HTTP/1.1 200 OK\r\nServer: a\r\n\r\nkogia_fills_total 5\n";
            let (url, served) = serve(answer);
            let source: Source = format!("{url}{path}").parse().unwrap();
            let numbers = look(&[source]);
            assert!(served.join().unwrap().starts_with(asked));
            assert_eq!(numbers.of(Count::Fills), 5);
            assert_eq!(numbers.failures, [""; 0]);
        }
    }

    #[test]
    fn a_process_that_gives_no_counters_is_named() {
        let answers = [
            "HTTP/1.1 404 Not Found\r\n\r\nkogia_fills_total 5\n",
            "hello",
        ];
        for (answer, why) in answers
            .into_iter()
            .zip(["404 Not Found", "no answer of HTTP"])
        {
            let (url, served) = serve(answer);
            let numbers = look(&[url.parse().unwrap()]);
            served.join().unwrap();
            assert!(numbers.failures[0].contains(why), "{:?}", numbers.failures);
            assert_eq!(numbers.of(Count::Fills), 0);
        }
        // Nobody listens there any more.
        let (url, served) = serve("");
        let source: Source = url.parse().unwrap();
        look(std::slice::from_ref(&source));
        served.join().unwrap();
        assert_eq!(look(&[source]).failures.len(), 1);
    }

    #[test]
    fn sources_that_cannot_be_say_why() {
        let why = |url: &str| url.parse::<Source>().err().unwrap();
        assert!(why("https://h/metrics").contains("own port"));
        assert!(why("nonsense").contains("http://host:port/metrics"));
        assert!(why("memory:").contains("that process alone"));
    }

    #[test]
    fn a_store_tells_what_it_holds() {
        let store: Arc<dyn Store> = Arc::new(kogia::MemoryStore::new(2_000_000));
        let numbers = look(&[Source::Store(store)]);
        assert_eq!(
            (numbers.entries, numbers.capacity),
            (Some(0), Some(2_000_000))
        );
    }
}
