//! URLs of Memcached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::store::StoreUrlError;
use crate::store::remote::options::{Options, host_and_port, wrong};
use crate::store::url::percent_decoded;

/// One or more Memcached servers, as their URL names them.
///
/// `memcached://host:11211,other:11211`, `memcached://user:password@host`,
/// `memcached:///run/memcached.sock`. All processes must name the same servers in the same order:
/// the first one keeps the generations, and all of them the entries. Options stand in the query:
///
/// | option | meaning | default |
/// |---|---|---|
/// | `prefix` | what all keys begin with | `kogia` |
/// | `timeout` | how long a call may take | `250ms` |
/// | `connect_timeout` | how long connecting may take | `1s` |
/// | `max_entry` | longer entries are not stored | `4MB` |
/// | `single_flight` | how long a process waits for the result of a query that another one runs; each miss then costs a round trip more | it runs it, too |
/// | `quarantine` | how long nothing is cached after marks were lost; no commit may take longer | `10s` |
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemcachedUrl {
    /// Where the servers are.
    pub servers: Vec<MemcachedAddress>,
    /// The user and the password.
    pub login: Option<(String, String)>,
    /// What all keys begin with.
    pub prefix: String,
    /// How long a call may take.
    pub timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Bytes of an entry at most, as it is stored.
    pub max_entry: usize,
    /// How long nothing is cached after marks were lost.
    pub quarantine: Duration,
    /// How long a process waits for the entry of a query that another one runs, if at all.
    pub single_flight: Option<Duration>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemcachedAddress {
    /// At a port.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a socket of this machine.
    Unix(PathBuf),
}

impl MemcachedUrl {
    /// The scheme of these URLs.
    pub(crate) const SCHEME: &str = "memcached";

    pub(crate) fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let (body, query) = text.split_once('?').unwrap_or((text, ""));
        let rest = body.strip_prefix("memcached://");
        let rest = rest.ok_or_else(|| wrong("write memcached://host:11211"))?;
        let (login, servers) = match rest.rsplit_once('@') {
            Some((login, servers)) => (Some(parse_login(login)?), servers),
            None => (None, rest),
        };
        let mut options = Options::default();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !options.set(name, &decoded(value)?)? {
                return Err(StoreUrlError::ServerOption(name.to_owned()));
            }
        }
        // A key has at most 250 bytes, none of them a space or a control character.
        let is_of_keys = |c: char| c.is_ascii_graphic();
        if options.prefix.is_empty()
            || options.prefix.len() > 100
            || !options.prefix.chars().all(is_of_keys)
        {
            return Err(wrong(
                "the prefix is empty, longer than 100 bytes, or has characters that no key may have",
            ));
        }
        let servers: Vec<_> = match servers.strip_prefix('/') {
            Some("") => return Err(wrong("a socket needs its whole path")),
            Some(_) => vec![MemcachedAddress::Unix(decoded(servers)?.into())],
            None => servers
                .trim_end_matches('/')
                .split(',')
                .map(parse_server)
                .collect::<Result<_, _>>()?,
        };
        Ok(MemcachedUrl {
            servers,
            login,
            prefix: options.prefix,
            timeout: options.timeout,
            connect_timeout: options.connect_timeout,
            max_entry: options.max_entry,
            quarantine: options.quarantine,
            single_flight: options.single_flight,
        })
    }
}

fn parse_login(login: &str) -> Result<(String, String), StoreUrlError> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let login = (decoded(user)?, decoded(password)?);
    // The server takes them from one line, with a space in between.
    match login.0.contains(' ') || login.0.contains(['\r', '\n']) || login.1.contains(['\r', '\n'])
    {
        true => Err(wrong("a user has no spaces, and a password is one line")),
        false => Ok(login),
    }
}

fn parse_server(text: &str) -> Result<MemcachedAddress, StoreUrlError> {
    let (host, port) = host_and_port(text, 11_211)?;
    Ok(MemcachedAddress::Tcp { host, port })
}

fn decoded(text: &str) -> Result<String, StoreUrlError> {
    percent_decoded(text).ok_or_else(|| wrong("what stands behind a % is not UTF-8"))
}

impl fmt::Display for MemcachedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemcachedAddress::Tcp { host, port } if host.contains(':') => {
                write!(f, "[{host}]:{port}")
            }
            MemcachedAddress::Tcp { host, port } => write!(f, "{host}:{port}"),
            MemcachedAddress::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Without the password.
impl fmt::Display for MemcachedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.servers.iter().map(ToString::to_string).collect();
        write!(f, "memcached://{}", servers.join(","))
    }
}

impl fmt::Debug for MemcachedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemcachedUrl({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use super::*;

    #[test]
    fn urls_name_servers() {
        let tcp = |host: &str, port| MemcachedAddress::Tcp {
            host: host.to_owned(),
            port,
        };
        let url = MemcachedUrl::parse("memcached://a,b:7,[::1]:8,[::2]/").unwrap();
        let servers = [
            tcp("a", 11_211),
            tcp("b", 7),
            tcp("::1", 8),
            tcp("::2", 11_211),
        ];
        assert_eq!(url.servers, servers);
        assert_eq!(
            url.to_string(),
            "memcached://a:11211,b:7,[::1]:8,[::2]:11211"
        );
        assert_eq!((url.login, &*url.prefix), (None, "kogia"));

        let url = MemcachedUrl::parse("memcached://ann:s%40crt@h?prefix=shop&timeout=1s").unwrap();
        assert_eq!(url.login, Some(("ann".to_owned(), "s@crt".to_owned())));
        assert_eq!(
            (&*url.prefix, url.timeout),
            ("shop", Duration::from_secs(1))
        );
        assert!(!format!("{url} {url:?}").contains("crt"));

        let url = MemcachedUrl::parse("memcached:///run/m%20c.sock?max_entry=1MB").unwrap();
        assert_eq!(
            url.servers,
            [MemcachedAddress::Unix("/run/m c.sock".into())]
        );
        assert_eq!(url.max_entry, 1_000_000);
    }

    #[test]
    fn wrong_urls_say_what_to_write() {
        let message = |url: &str| MemcachedUrl::parse(url).unwrap_err().to_string();
        assert!(message("memcached:h").contains("memcached://host:11211"));
        assert!(message("memcached://").contains("host is missing"));
        assert!(message("memcached://a,,b").contains("host is missing"));
        assert!(message("memcached://h:x").contains("no port"));
        assert!(message("memcached:///").contains("whole path"));
        assert!(message("memcached://h?prefix=a%20b").contains("prefix"));
        assert!(message("memcached://h?capacity=1GB").contains("unknown option \"capacity\""));
        assert!(message("memcached://h?timeout=0s").contains("lets no call through"));
        assert!(message("memcached://a%20b:c@h").contains("no spaces"));
    }
}
