//! URLs of Redis and Valkey.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::store::StoreUrlError;
use crate::store::remote::options::{Options, host_and_port, wrong};

/// A Redis or Valkey server, as its URL names it.
///
/// `redis://user:password@host:6379/0`, `rediss://…` with TLS, `unix:///run/redis.sock?db=1`;
/// `redis+unix://`, `valkey://`, `valkeys://` and `valkey+unix://` mean the same.
/// `redis-sentinel://user:password@host:26379,other:26379/service/0` (or `valkey-sentinel://`) names
/// sentinels and what they call the server; user and password are the server's.
/// `redis-cluster://user:password@host:6379,other:6379/` (or `valkey-cluster://`, and
/// `rediss-cluster://` or `valkeys-cluster://` with TLS) names some nodes of a cluster, which know the
/// others.
/// `redis://user:password@a:6379,b:6379/0?copies=2` names two servers, which are two copies; see
/// [`crate::CopiesStore`]. Login, database and options are those of both. Options stand in the query:
///
/// | option | meaning | default |
/// |---|---|---|
/// | `prefix` | what all keys begin with | `kogia` |
/// | `timeout` | how long a call may take | `250ms` |
/// | `connect_timeout` | how long connecting may take | `1s` |
/// | `ca` | a file with the certificates to trust, instead of the system's | |
/// | `sentinel_user`, `sentinel_password` | those of the sentinels, if they want any | |
/// | `max_entry` | longer entries are not stored | `4MB` |
/// | `single_flight` | how long a process waits for the result of a query that another one runs; each miss then costs a round trip more | it runs it, too |
/// | `quarantine` | how long nothing is cached after marks were lost; no commit may take longer | `10s` |
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisUrl {
    /// Where the server is.
    pub address: RedisAddress,
    /// The user, if not the default one.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The number of the database.
    pub database: i64,
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
pub enum RedisAddress {
    /// At a port.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a port, with TLS.
    Tls {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
        /// A file with the certificates to trust, in place of the system's.
        ca: Option<PathBuf>,
    },
    /// At a socket of this machine.
    Unix(PathBuf),
    /// Where sentinels say.
    Sentinel(RedisSentinels),
    /// In a cluster.
    Cluster(RedisCluster),
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisCluster {
    /// A host and a port of some nodes. One of them has to answer at the first use.
    pub nodes: Vec<(String, u16)>,
    /// Whether all nodes are talked to with TLS.
    pub is_tls: bool,
    /// A file with the certificates to trust, in place of the system's.
    pub ca: Option<PathBuf>,
}

impl fmt::Display for RedisCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_hosts(&self.nodes, f)
    }
}

fn fmt_hosts(hosts: &[(String, u16)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (number, (host, port)) in hosts.iter().enumerate() {
        f.write_str(if number > 0 { "," } else { "" })?;
        write!(f, "{host}:{port}")?;
    }
    Ok(())
}

/// Sentinels, and what they call the server.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSentinels {
    /// A host and a port of each. More than half of them must agree on where the primary is.
    pub sentinels: Vec<(String, u16)>,
    /// The name of the primary among them.
    pub service: String,
    /// The user of the sentinels, if not the default one.
    pub user: Option<String>,
    /// The password of the sentinels.
    pub password: Option<String>,
}

/// Without the password.
impl fmt::Debug for RedisSentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisSentinels({self})")
    }
}

impl fmt::Display for RedisSentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_hosts(&self.sentinels, f)?;
        write!(f, "/{}", self.service)
    }
}

impl RedisUrl {
    /// Whether others say which server is the primary, and may say another one any time.
    pub(super) fn is_elected(&self) -> bool {
        matches!(
            self.address,
            RedisAddress::Sentinel(_) | RedisAddress::Cluster(_)
        )
    }

    /// The schemes of these URLs.
    pub(crate) const SCHEMES: [&str; 13] = [
        "redis",
        "rediss",
        "valkey",
        "valkeys",
        "unix",
        "redis+unix",
        "valkey+unix",
        "redis-sentinel",
        "valkey-sentinel",
        "redis-cluster",
        "rediss-cluster",
        "valkey-cluster",
        "valkeys-cluster",
    ];

    /// The URL of one of a cluster's nodes.
    pub(super) fn of_node(&self, cluster: &RedisCluster, host: &str, port: u16) -> RedisUrl {
        let host = host.to_owned();
        let address = match cluster.is_tls {
            true => {
                let ca = cluster.ca.clone();
                RedisAddress::Tls { host, port, ca }
            }
            false => RedisAddress::Tcp { host, port },
        };
        RedisUrl {
            address,
            ..self.clone()
        }
    }

    /// The URL of two servers that each have a copy, if it is one: `None` if it names one server.
    pub(crate) fn parse_copies(text: &str) -> Result<Option<[Self; 2]>, StoreUrlError> {
        let (text, copies) = without_copies(text);
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(None);
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let at = authority.rfind('@').map_or(0, |at| at + 1);
        let (login, hosts) = authority.split_at(at);
        let hosts: Vec<&str> = hosts.split(',').collect();
        let has_hosts =
            !is_socket(scheme) && !scheme.ends_with("-sentinel") && !scheme.ends_with("-cluster");
        match (hosts.as_slice(), copies.as_deref()) {
            (_, None) if hosts.len() == 1 || !has_hosts => Ok(None),
            (_, None) => Err(wrong(
                "several hosts are copies of the store: say so, as in redis://a,b/0?copies=2",
            )),
            _ if !has_hosts => Err(wrong(
                "copies are for URLs with hosts, as in redis://a,b/0?copies=2",
            )),
            ([first, second], Some("2")) => {
                let url = |host: &str| Self::parse(&format!("{scheme}://{login}{host}{rest}"));
                let copies = [url(first)?, url(second)?];
                match copies[0] == copies[1] {
                    true => Err(wrong("the two copies are one server: name two of them")),
                    false => Ok(Some(copies)),
                }
            }
            (_, Some(_)) => Err(wrong(
                "there are two copies or one: name two hosts and copies=2, as in \
                 redis://a,b/0?copies=2",
            )),
        }
    }

    /// The URL of two servers, without secrets.
    pub(crate) fn display_copies(
        [first, second]: &[Self; 2],
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let (first, second) = (first.to_string(), second.to_string());
        let host = |url: &str| {
            let (_, rest) = url.split_once("://")?;
            Some(rest.split_once('/')?.0.to_owned())
        };
        let host = host(&second).unwrap_or_default();
        match first.rsplit_once('/') {
            Some((first, database)) => write!(f, "{first},{host}/{database}?copies=2"),
            None => f.write_str(&first),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let (text, hosts) = without_hosts(text);
        let (text, login) = without_login(&text);
        let url = Url::parse(&text).map_err(|error| wrong(&error.to_string()))?;
        let (user, password) = match login {
            Some((user, password)) => (user, password),
            None => (url.username(), url.password()),
        };
        let decoded = |text: &str| {
            percent_decode(text).ok_or_else(|| wrong("the user or password is not UTF-8"))
        };
        let mut parsed = RedisUrl {
            address: RedisAddress::Unix(PathBuf::new()),
            user: Some(decoded(user)?).filter(|user| !user.is_empty()),
            password: password.map(decoded).transpose()?,
            database: 0,
            prefix: String::new(),
            timeout: Duration::ZERO,
            connect_timeout: Duration::ZERO,
            max_entry: 0,
            quarantine: Duration::ZERO,
            single_flight: None,
        };
        let is_sentinels = is_sentinels(url.scheme());
        let mut options = Options::default();
        let mut ca = None;
        let (mut sentinel_user, mut sentinel_password) = (None, None);
        for (name, value) in url.query_pairs() {
            match &*name {
                "db" => parsed.database = database(&value)?,
                "ca" => ca = Some(PathBuf::from(&*value)),
                "sentinel_user" if is_sentinels => sentinel_user = Some(value.into_owned()),
                "sentinel_password" if is_sentinels => {
                    sentinel_password = Some(value.into_owned());
                }
                name if options.set(name, &value)? => {}
                _ => return Err(StoreUrlError::ServerOption(name.into_owned())),
            }
        }
        if options.prefix.is_empty() || options.prefix.contains(['{', '}']) {
            return Err(wrong("the prefix is empty or has braces"));
        }
        parsed.prefix = options.prefix;
        parsed.timeout = options.timeout;
        parsed.connect_timeout = options.connect_timeout;
        parsed.max_entry = options.max_entry;
        parsed.quarantine = options.quarantine;
        parsed.single_flight = options.single_flight;
        let is_tls = matches!(
            url.scheme(),
            "rediss" | "valkeys" | "rediss-cluster" | "valkeys-cluster"
        );
        if ca.is_some() && !is_tls {
            return Err(wrong("ca is for TLS, so the URL has to begin with rediss:"));
        }
        let path = decoded(url.path())?;
        if is_socket(url.scheme()) {
            if url.has_host() || path.len() < 2 {
                return Err(wrong(
                    "a socket needs its whole path, as in unix:///run/redis.sock",
                ));
            }
            parsed.address = RedisAddress::Unix(path.into());
            return Ok(parsed);
        }
        if let Some(hosts) = hosts.filter(|_| !is_sentinels) {
            if path.len() > 1 {
                parsed.database = database(&path[1..])?;
            }
            if parsed.database != 0 {
                return Err(wrong("a cluster has no database but 0"));
            }
            parsed.address = RedisAddress::Cluster(RedisCluster {
                nodes: all_hosts(hosts, 6379)?,
                is_tls,
                ca,
            });
            return Ok(parsed);
        }
        if let Some(hosts) = hosts {
            let (service, number) = match path.trim_matches('/').split_once('/') {
                Some((service, number)) => (service, Some(number)),
                None => (path.trim_matches('/'), None),
            };
            if service.is_empty() {
                return Err(wrong(
                    "the name of the service is missing, as in redis-sentinel://host:26379/service/0",
                ));
            }
            if let Some(number) = number {
                parsed.database = database(number)?;
            }
            parsed.address = RedisAddress::Sentinel(RedisSentinels {
                sentinels: all_hosts(hosts, 26_379)?,
                service: service.to_owned(),
                user: sentinel_user,
                password: sentinel_password,
            });
            return Ok(parsed);
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("the host is missing"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = url.port().unwrap_or(6379);
        parsed.address = match is_tls {
            true => RedisAddress::Tls { host, port, ca },
            false => RedisAddress::Tcp { host, port },
        };
        if path.len() > 1 {
            parsed.database = database(&path[1..])?;
        }
        Ok(parsed)
    }
}

/// A URL without the number of copies, and that.
fn without_copies(text: &str) -> (Cow<'_, str>, Option<String>) {
    let Some((body, query)) = text.split_once('?') else {
        return (text.into(), None);
    };
    let (copies, others): (Vec<&str>, Vec<&str>) = query
        .split('&')
        .partition(|option| option.starts_with("copies="));
    let copies = copies
        .last()
        .and_then(|copies| copies.strip_prefix("copies="));
    match copies {
        Some(copies) => (
            format!("{body}?{}", others.join("&")).into(),
            Some(copies.to_owned()),
        ),
        None => (text.into(), None),
    }
}

fn is_socket(scheme: &str) -> bool {
    scheme.ends_with("unix")
}

fn is_sentinels(scheme: &str) -> bool {
    scheme.ends_with("-sentinel")
}

fn all_hosts(hosts: &str, default: u16) -> Result<Vec<(String, u16)>, StoreUrlError> {
    let hosts = hosts.split(',');
    hosts.map(|host| host_and_port(host, default)).collect()
}

/// The URL of sentinels or a cluster has several hosts, which is more than a URL may say: gives it with one, and
/// them.
fn without_hosts(text: &str) -> (Cow<'_, str>, Option<&str>) {
    let parts = text.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (format!("{login}@"), hosts),
            None => (String::new(), authority),
        };
        let has_hosts = is_sentinels(scheme) || scheme.ends_with("-cluster");
        has_hosts.then(|| (format!("{scheme}://{login}hosts{rest}"), hosts))
    });
    match parts {
        Some((url, hosts)) => (url.into(), Some(hosts)),
        None => (text.into(), None),
    }
}

/// A user and perhaps a password.
type Login<'a> = (&'a str, Option<&'a str>);

/// The URL of a socket has a user and no host, which is more than a URL may say: gives it without
/// the user.
fn without_login(text: &str) -> (Cow<'_, str>, Option<Login<'_>>) {
    let parts = text.split_once("://").and_then(|(scheme, rest)| {
        let (login, path) = rest.split_once("@/")?;
        (is_socket(scheme) && !login.contains('/')).then_some((scheme, login, path))
    });
    let Some((scheme, login, path)) = parts else {
        return (text.into(), None);
    };
    let login = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    (format!("{scheme}:///{path}").into(), Some(login))
}

/// Without the password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            RedisAddress::Tcp { host, port } => write!(f, "redis://{host}:{port}/")?,
            RedisAddress::Tls { host, port, .. } => write!(f, "rediss://{host}:{port}/")?,
            RedisAddress::Unix(path) => write!(f, "unix://{}?db=", path.display())?,
            RedisAddress::Sentinel(sentinels) => write!(f, "redis-sentinel://{sentinels}/")?,
            RedisAddress::Cluster(cluster) if cluster.is_tls => {
                write!(f, "rediss-cluster://{cluster}/")?;
            }
            RedisAddress::Cluster(cluster) => write!(f, "redis-cluster://{cluster}/")?,
        }
        write!(f, "{}", self.database)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

fn database(text: &str) -> Result<i64, StoreUrlError> {
    let number = text.trim_end_matches('/').parse().ok();
    number
        .filter(|number| *number >= 0)
        .ok_or_else(|| wrong(&format!("{text:?} is no number of a database")))
}

fn percent_decode(text: &str) -> Option<String> {
    crate::store::url::percent_decoded(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use super::*;

    #[test]
    fn urls_name_servers() {
        let url = RedisUrl::parse("redis://ann:s%40crt@db.example:7000/3?timeout=1s").unwrap();
        let host = "db.example".to_owned();
        assert_eq!(url.address, RedisAddress::Tcp { host, port: 7000 });
        assert_eq!(url.user.as_deref(), Some("ann"));
        assert_eq!(url.password.as_deref(), Some("s@crt"));
        assert_eq!(url.database, 3);
        assert_eq!(url.timeout, Duration::from_secs(1));

        let url = RedisUrl::parse("valkeys://[::1]?ca=/etc/ca.pem&prefix=shop").unwrap();
        let (host, ca) = ("::1".to_owned(), Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(
            url.address,
            RedisAddress::Tls {
                host,
                port: 6379,
                ca
            }
        );
        assert_eq!((url.database, &*url.prefix), (0, "shop"));

        let url = RedisUrl::parse("unix:///run/redis%20a.sock?db=2&max_entry=1MB").unwrap();
        assert_eq!(url.address, RedisAddress::Unix("/run/redis a.sock".into()));
        assert_eq!((url.database, url.max_entry), (2, 1_000_000));
    }

    #[test]
    fn sockets_may_want_a_password() {
        for scheme in ["unix", "redis+unix", "valkey+unix"] {
            let url = RedisUrl::parse(&format!("{scheme}://ann:s%40crt@/run/r.sock?db=1")).unwrap();
            assert_eq!(url.address, RedisAddress::Unix("/run/r.sock".into()));
            assert_eq!(url.user.as_deref(), Some("ann"));
            assert_eq!(url.password.as_deref(), Some("s@crt"));
            assert_eq!(url.database, 1);
        }
        let url = RedisUrl::parse("unix://:secret@/r.sock").unwrap();
        assert_eq!((url.user, url.password.as_deref()), (None, Some("secret")));
        let url = RedisUrl::parse("unix:///a@/r.sock").unwrap();
        assert_eq!(url.address, RedisAddress::Unix("/a@/r.sock".into()));
    }

    #[test]
    fn sentinels_are_named_with_their_service() {
        let text = "redis-sentinel://ann:s%40crt@a:1,[::1]/shop/3?sentinel_password=x&prefix=p";
        let url = RedisUrl::parse(text).unwrap();
        let RedisAddress::Sentinel(sentinels) = &url.address else {
            panic!("{url}");
        };
        let expected = [("a".to_owned(), 1), ("::1".to_owned(), 26_379)];
        assert_eq!(sentinels.sentinels, expected);
        assert_eq!(sentinels.service, "shop");
        assert_eq!(sentinels.password.as_deref(), Some("x"));
        assert_eq!((url.database, &*url.prefix), (3, "p"));
        assert_eq!(url.user.as_deref(), Some("ann"));
        assert_eq!(url.password.as_deref(), Some("s@crt"));
        assert_eq!(url.to_string(), "redis-sentinel://a:1,::1:26379/shop/3");
        let message = |url: &str| RedisUrl::parse(url).unwrap_err().to_string();
        assert!(message("redis-sentinel://a:1").contains("service is missing"));
        assert!(message("redis-sentinel:///shop").contains("host is missing"));
        assert!(message("redis-sentinel://a/shop/x").contains("number of a database"));
        assert!(message("redis://a?sentinel_user=x").contains("unknown option"));
    }

    #[test]
    fn a_cluster_is_named_by_some_nodes() {
        let url = RedisUrl::parse("redis-cluster://ann:s%40crt@a:1,[::1]/?prefix=p").unwrap();
        let RedisAddress::Cluster(cluster) = &url.address else {
            panic!("{url}");
        };
        assert_eq!(
            cluster.nodes,
            [("a".to_owned(), 1), ("::1".to_owned(), 6379)]
        );
        assert_eq!(url.password.as_deref(), Some("s@crt"));
        assert_eq!(
            (url.database, &*url.prefix, cluster.is_tls),
            (0, "p", false)
        );
        assert_eq!(url.to_string(), "redis-cluster://a:1,::1:6379/0");
        let node = url.of_node(cluster, "b", 2);
        assert_eq!(node.to_string(), "redis://b:2/0");
        assert_eq!(node.password.as_deref(), Some("s@crt"));

        let url = RedisUrl::parse("valkeys-cluster://a:1/0?ca=/ca.pem").unwrap();
        let RedisAddress::Cluster(cluster) = &url.address else {
            panic!("{url}");
        };
        assert_eq!(url.to_string(), "rediss-cluster://a:1/0");
        let node = url.of_node(cluster, "b", 2);
        let ca = Some(PathBuf::from("/ca.pem"));
        let (host, port) = ("b".to_owned(), 2);
        assert_eq!(node.address, RedisAddress::Tls { host, port, ca });

        let message = |url: &str| RedisUrl::parse(url).unwrap_err().to_string();
        assert!(message("redis-cluster://a/1").contains("no database but 0"));
        assert!(message("redis-cluster://a/?db=1").contains("no database but 0"));
        assert!(message("redis-cluster://a,/").contains("host is missing"));
        assert!(message("redis-cluster://a/?ca=/ca.pem").contains("rediss:"));
        assert!(message("redis-cluster://a?sentinel_user=x").contains("unknown option"));
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = RedisUrl::parse("redis-sentinel://:secret@h/s?sentinel_password=secret").unwrap();
        assert!(!format!("{url:?} {:?}", url.address).contains("secret"));
        let url = RedisUrl::parse("redis://ann:secret@h/1").unwrap();
        assert_eq!(url.to_string(), "redis://h:6379/1");
        assert!(!format!("{url:?}").contains("secret"));
    }

    #[test]
    fn two_hosts_are_two_copies() {
        let text = "rediss://ann:s%40crt@a:7000,[::1]/3?prefix=p&copies=2&timeout=1s";
        let urls = RedisUrl::parse_copies(text).unwrap().unwrap();
        let alone = [
            "rediss://ann:s%40crt@a:7000/3",
            "rediss://ann:s%40crt@[::1]/3",
        ];
        let alone =
            alone.map(|url| RedisUrl::parse(&format!("{url}?prefix=p&timeout=1s")).unwrap());
        assert_eq!(urls, alone);
        for one in [
            "redis://a:1/0?prefix=a,b",
            "redis-sentinel://a,b/s",
            "unix:///a,b",
        ] {
            assert_eq!(RedisUrl::parse_copies(one), Ok(None), "{one}");
        }
        let message = |url: &str| RedisUrl::parse_copies(url).unwrap_err().to_string();
        assert!(message("redis://a,b").contains("?copies=2"));
        assert!(message("redis://a?copies=2").contains("name two hosts"));
        assert!(message("redis://a,b?copies=3").contains("two copies or one"));
        assert!(message("redis://a,b,c?copies=2").contains("name two hosts"));
        assert!(message("redis://a,a:6379?copies=2").contains("one server"));
        assert!(message("redis://a,?copies=2").contains("host"));
        assert!(message("unix:///r.sock?copies=2").contains("URLs with hosts"));
        assert!(message("redis-sentinel://a,b/s?copies=2").contains("URLs with hosts"));
    }

    #[test]
    fn wrong_urls_say_what_to_write() {
        let message = |url: &str| RedisUrl::parse(url).unwrap_err().to_string();
        assert!(message("redis:///0").contains("host is missing"));
        assert!(message("redis://h/x").contains("is no number of a database"));
        assert!(message("redis://h?db=-1").contains("is no number of a database"));
        assert!(message("redis://h?timeout=1").contains("250ms or 10s"));
        assert!(message("redis://h?timeout=0s").contains("lets no call through"));
        assert!(message("redis://h?ca=/ca.pem").contains("rediss:"));
        assert!(message("redis://h?single_flight=0ms").contains("leave it out"));
        assert!(message("redis://h?single_flight=yes").contains("250ms or 10s"));
        assert!(message("redis://h?prefix={a}").contains("braces"));
        assert!(message("redis://h?capacity=1GB").contains("unknown option \"capacity\""));
        assert!(message("unix://host/path").contains("unix:///run/redis.sock"));
        assert!(message("redis://h:99999").contains("port"));
    }
}
