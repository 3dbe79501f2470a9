//! Store URLs.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A store, as its URL names it.
///
/// `memory:?capacity=256MB`, `file:///var/cache/app?capacity=1GB`. The capacity takes `B`, `KB`,
/// `MB`, `GB` (powers of ten) and `KiB`, `MiB`, `GiB`. With `local=64MB` each process keeps that
/// much of a shared store in its own memory; see [`crate::TieredStore`]. In front of Redis
/// `mode=pushed` spares it the question whether that is current, within `staleness=100ms`; see
/// [`TierMode`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// In this process.
    Memory {
        /// Bytes at most.
        capacity: u64,
    },
    /// In a folder that all processes of one machine share.
    File {
        /// The folder.
        path: PathBuf,
        /// Bytes at most.
        capacity: u64,
    },
    /// In a shared store, with copies in each process.
    Tiered {
        /// The shared store.
        shared: Box<StoreUrl>,
        /// Bytes of copies at most.
        local: u64,
        /// How the copies are kept up to date.
        mode: TierMode,
    },
    /// In a Redis or Valkey server.
    #[cfg(feature = "redis")]
    Redis(super::RedisUrl),
    /// In two Redis or Valkey servers, each of which has all generations; see
    /// [`crate::CopiesStore`].
    #[cfg(feature = "redis")]
    Copies(Box<[super::RedisUrl; 2]>),
    /// In Memcached servers.
    #[cfg(feature = "memcached")]
    Memcached(super::MemcachedUrl),
}

/// How a [`crate::TieredStore`] finds out that copies are stale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TierMode {
    /// The shared store is asked at each read.
    #[default]
    Strict,
    /// The shared store tells, and a hit asks nobody.
    ///
    /// A hit is what the database would have answered at some moment of the last `staleness`. What this
    /// process writes itself it sees at once, and snapshots are read as in the other mode. A server
    /// that has given no sign of life for so long is asked at each read. The time that a machine is
    /// suspended does not count.
    Pushed {
        /// How old an answer may be.
        staleness: Duration,
    },
}

impl TierMode {
    /// How old an answer may be if the URL does not say: a page that is made of several queries, or
    /// asks again after a write of another process, takes about as long.
    const STALENESS: Duration = Duration::from_millis(100);
    /// With less most signs of life would come too late; with more an answer could be older than
    /// anybody would expect.
    const STALENESS_MAY_BE: RangeInclusive<Duration> =
        Duration::from_millis(10)..=Duration::from_secs(10);
}

/// What a store holds if its URL names no capacity: enough for a hundred thousand lists of rows,
/// little enough to go unnoticed on a web server.
pub(crate) const DEFAULT_CAPACITY: u64 = 256_000_000;

/// The smallest capacity, below which eviction has nothing to choose from.
pub(crate) const MIN_CAPACITY: u64 = 1_000_000;

/// A URL that names no store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreUrlError {
    /// The part before the colon is none of ours.
    #[error(
        "unknown store {0:?}, use memory:?capacity=256MB, file:///var/cache/app?capacity=1GB, redis://localhost/0 or memcached://localhost"
    )]
    Scheme(String),
    /// `file:` without an absolute path.
    #[error("the file store needs an absolute folder, as in file:///var/cache/app, not {0:?}")]
    Path(String),
    /// `memory:` with something that is not an option.
    #[error("the memory store has no path, write memory:?capacity=256MB instead of {0:?}")]
    MemoryPath(String),
    /// An option that the store does not have.
    #[error(
        "unknown option {0:?}, there are capacity, as in ?capacity=256MB, and local, as in ?local=64MB"
    )]
    Option(String),
    /// Something in the URL of a server.
    #[error("wrong URL of a store: {0}")]
    Server(String),
    /// An option that a server's store does not have.
    #[error(
        "unknown option {0:?}, there are prefix, timeout, connect_timeout, max_entry, quarantine, \
         local with mode and staleness, copies, single_flight, and ca for TLS"
    )]
    ServerOption(String),
    /// A capacity that is no size.
    #[error("{0:?} is no size, write for instance 256MB or 1GiB")]
    Size(String),
    /// A capacity that is too small to work with.
    #[error("a capacity of {0} bytes is too small, use at least 1MB")]
    TooSmall(u64),
    /// `local` in front of the memory store.
    #[error(
        "the memory store is local already: leave local out, or put it in front of a store that \
         processes share, as in file:///var/cache/app?local=64MB"
    )]
    LocalMemory,
    /// `mode` without `local`.
    #[error("mode says how a local tier is kept up to date: add its size, as in ?local=64MB")]
    ModeWithoutLocal,
    /// `mode=pushed` with a store that pushes nothing.
    #[error(
        "mode=pushed needs a single Redis or Valkey server, which no sentinels name and which is no \
         cluster: leave it out"
    )]
    Pushed,
    /// Another mode.
    #[error("unknown mode {0:?}, there are mode=strict and mode=pushed")]
    Mode(String),
    /// `staleness` in a mode that has none.
    #[error("staleness belongs to mode=pushed: in other modes no answer is stale")]
    StalenessWithoutPushed,
    /// A `staleness` that is too short or too long.
    #[error("a staleness of {0:?} cannot be kept, use 10ms to 10s")]
    Staleness(Duration),
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if let Some((shared, local, mode)) = without_tier(url)? {
            let shared: StoreUrl = shared.parse()?;
            if let StoreUrl::Memory { .. } = shared {
                return Err(StoreUrlError::LocalMemory);
            }
            if mode != TierMode::Strict && !shared.pushes() {
                return Err(StoreUrlError::Pushed);
            }
            let shared = Box::new(shared);
            return Ok(StoreUrl::Tiered {
                shared,
                local,
                mode,
            });
        }
        #[cfg(feature = "redis")]
        if let Some((scheme, _)) = url.split_once(':')
            && super::RedisUrl::SCHEMES.contains(&scheme)
        {
            return match super::RedisUrl::parse_copies(url)? {
                Some(copies) => Ok(StoreUrl::Copies(Box::new(copies))),
                None => super::RedisUrl::parse(url).map(StoreUrl::Redis),
            };
        }
        #[cfg(feature = "memcached")]
        if let Some((super::MemcachedUrl::SCHEME, _)) = url.split_once(':') {
            return super::MemcachedUrl::parse(url).map(StoreUrl::Memcached);
        }
        let (body, query) = url.split_once('?').unwrap_or((url, ""));
        let (scheme, rest) = body
            .split_once(':')
            .ok_or_else(|| StoreUrlError::Scheme(body.to_owned()))?;
        let mut capacity = DEFAULT_CAPACITY;
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("capacity", size)) => capacity = parse_size(size)?,
                _ => return Err(StoreUrlError::Option(option.to_owned())),
            }
        }
        if capacity < MIN_CAPACITY {
            return Err(StoreUrlError::TooSmall(capacity));
        }
        match scheme {
            "memory" if rest.is_empty() || rest == "//" => Ok(StoreUrl::Memory { capacity }),
            "memory" => Err(StoreUrlError::MemoryPath(rest.to_owned())),
            "file" => {
                let path = percent_decoded(rest.strip_prefix("//").unwrap_or(rest))
                    .map(PathBuf::from)
                    .filter(|path| path.is_absolute() && path.parent().is_some())
                    .ok_or_else(|| StoreUrlError::Path(rest.to_owned()))?;
                Ok(StoreUrl::File { path, capacity })
            }
            _ => Err(StoreUrlError::Scheme(scheme.to_owned())),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Memory { capacity } => write!(f, "memory:?capacity={capacity}B"),
            StoreUrl::File { path, capacity } => {
                write!(f, "file://{}?capacity={capacity}B", path.display())
            }
            StoreUrl::Tiered {
                shared,
                local,
                mode,
            } => {
                let shared = shared.to_string();
                let joint = if shared.contains('?') { '&' } else { '?' };
                write!(f, "{shared}{joint}local={local}B")?;
                match mode {
                    TierMode::Strict => Ok(()),
                    TierMode::Pushed { staleness } => {
                        write!(f, "&mode=pushed&staleness={}ms", staleness.as_millis())
                    }
                }
            }
            #[cfg(feature = "redis")]
            StoreUrl::Redis(url) => url.fmt(f),
            #[cfg(feature = "redis")]
            StoreUrl::Copies(urls) => super::RedisUrl::display_copies(urls, f),
            #[cfg(feature = "memcached")]
            StoreUrl::Memcached(url) => url.fmt(f),
        }
    }
}

impl StoreUrl {
    /// Whether the store can tell what changes.
    fn pushes(&self) -> bool {
        match self {
            #[cfg(feature = "redis")]
            StoreUrl::Redis(url) => !matches!(
                url.address,
                super::RedisAddress::Sentinel(_) | super::RedisAddress::Cluster(_)
            ),
            _ => false,
        }
    }
}

/// The URL of the shared store, and the size and the mode of the tier in front of it, if there is to
/// be one.
fn without_tier(url: &str) -> Result<Option<(String, u64, TierMode)>, StoreUrlError> {
    let (body, query) = url.split_once('?').unwrap_or((url, ""));
    let mut local = None;
    let mut mode = None;
    let mut staleness = None;
    let mut others = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("local", size)) => local = Some(parse_size(size)?),
            Some(("mode", name)) => mode = Some(name),
            Some(("staleness", time)) => staleness = Some(parse_duration(time)?),
            _ => others.push(option),
        }
    }
    let mode = match (mode, staleness) {
        (Some("pushed"), staleness) => {
            let staleness = staleness.unwrap_or(TierMode::STALENESS);
            if !TierMode::STALENESS_MAY_BE.contains(&staleness) {
                return Err(StoreUrlError::Staleness(staleness));
            }
            Some(TierMode::Pushed { staleness })
        }
        (_, Some(_)) => return Err(StoreUrlError::StalenessWithoutPushed),
        (Some("strict"), None) => Some(TierMode::Strict),
        (Some(other), None) => return Err(StoreUrlError::Mode(other.to_owned())),
        (None, None) => None,
    };
    match (local, mode) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(StoreUrlError::ModeWithoutLocal),
        (Some(local), _) if local < MIN_CAPACITY => Err(StoreUrlError::TooSmall(local)),
        (Some(local), mode) => {
            let shared = format!("{body}?{}", others.join("&"));
            Ok(Some((shared, local, mode.unwrap_or_default())))
        }
    }
}

/// A duration such as `250ms` or `10s`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, StoreUrlError> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: Option<u64> = text[..digits].parse().ok();
    match (number, &text[digits..]) {
        (Some(number), "ms") => Ok(Duration::from_millis(number)),
        (Some(number), "s") => Ok(Duration::from_secs(number)),
        _ => Err(StoreUrlError::Server(format!(
            "{text:?} is no duration, write for instance 250ms or 10s"
        ))),
    }
}

/// A size such as `256MB`, `1GiB` or `1000000`.
pub(super) fn parse_size(text: &str) -> Result<u64, StoreUrlError> {
    let error = || StoreUrlError::Size(text.to_owned());
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| error())?;
    let unit = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(error()),
    };
    number.checked_mul(unit).ok_or_else(error)
}

/// The path with `%20` and the like replaced, or `None` if that gives no text.
pub(super) fn percent_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        (bytes, rest) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                (bytes, tail)
            }
            (b'%', _) => return None,
            (byte, tail) => {
                bytes.push(*byte);
                (bytes, tail)
            }
        };
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|path| !path.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_stores() {
        let parse = |url: &str| url.parse::<StoreUrl>();
        assert_eq!(
            parse("memory:"),
            Ok(StoreUrl::Memory {
                capacity: DEFAULT_CAPACITY
            })
        );
        assert_eq!(
            parse("memory:?capacity=2MiB"),
            Ok(StoreUrl::Memory { capacity: 2 << 20 })
        );
        let path = PathBuf::from("/var/cache/my app");
        assert_eq!(
            parse("file:///var/cache/my%20app?capacity=1GB"),
            Ok(StoreUrl::File {
                path,
                capacity: 1_000_000_000
            })
        );
    }

    #[test]
    fn wrong_urls_say_what_to_write() {
        let message = |url: &str| url.parse::<StoreUrl>().unwrap_err().to_string();
        assert!(message("mongo://h").contains("unknown store \"mongo\""));
        assert!(message("nonsense").contains("memory:?capacity=256MB"));
        assert!(message("file:relative").contains("absolute folder"));
        assert!(message("file:///").contains("absolute folder"));
        assert!(message("file:///a%zz").contains("absolute folder"));
        assert!(message("memory:/tmp").contains("has no path"));
        assert!(message("memory:?capacity=lots").contains("\"lots\" is no size"));
        assert!(message("memory:?capacity=99999999999999TB").contains("is no size"));
        assert!(message("memory:?capacity=10").contains("at least 1MB"));
        assert!(message("memory:?size=10MB").contains("unknown option"));
    }

    #[test]
    fn a_tier_stands_in_front_of_a_shared_store() {
        let tiered: StoreUrl = "file:///var/cache/app?local=64MB&capacity=1GB&mode=strict"
            .parse()
            .unwrap();
        let expected = StoreUrl::Tiered {
            shared: Box::new("file:///var/cache/app?capacity=1GB".parse().unwrap()),
            local: 64_000_000,
            mode: TierMode::Strict,
        };
        assert_eq!(tiered, expected);
        assert_eq!(tiered.to_string().parse(), Ok(expected));
    }

    #[cfg(feature = "redis")]
    #[test]
    fn a_tier_stands_in_front_of_a_server() {
        for (url, shared) in [
            ("redis://h/1?local=64MB", "redis://h/1"),
            (
                "redis://u:p@h?prefix=a&local=64MB&timeout=1s",
                "redis://u:p@h?prefix=a&timeout=1s",
            ),
            ("unix:///r.sock?db=2&local=64MB", "unix:///r.sock?db=2"),
            (
                "redis://a,b/1?copies=2&local=64MB",
                "redis://a,b/1?copies=2",
            ),
        ] {
            let expected = StoreUrl::Tiered {
                shared: Box::new(shared.parse().unwrap()),
                local: 64_000_000,
                mode: TierMode::Strict,
            };
            assert_eq!(url.parse(), Ok(expected));
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn a_server_may_tell_what_changes() {
        for (url, staleness) in [
            ("redis://h?local=64MB&mode=pushed", 100),
            ("rediss://h?mode=pushed&staleness=1s&local=64MB", 1_000),
            ("unix:///r.sock?local=64MB&staleness=20ms&mode=pushed", 20),
        ] {
            let url: StoreUrl = url.parse().unwrap();
            let StoreUrl::Tiered { mode, .. } = &url else {
                panic!("{url} has no tier");
            };
            let staleness = Duration::from_millis(staleness);
            assert_eq!(*mode, TierMode::Pushed { staleness });
            assert_eq!(url.to_string().parse(), Ok(url));
        }
        let message = |url: &str| url.parse::<StoreUrl>().unwrap_err().to_string();
        assert!(message("redis-sentinel://h/s?local=2MB&mode=pushed").contains("single Redis"));
        assert!(message("redis://h?local=2MB&mode=pushed&staleness=1ms").contains("10ms to 10s"));
        assert!(message("redis://h?local=2MB&mode=pushed&staleness=1").contains("no duration"));
        assert!(message("redis://h?local=2MB&staleness=1s").contains("mode=pushed"));
        assert!(message("redis://h?mode=pushed").contains("?local=64MB"));
    }

    #[cfg(feature = "redis")]
    #[test]
    fn copies_are_shown_without_their_password() {
        for (url, shown) in [
            (
                "redis://u:secret@a,b:7000/1?copies=2",
                "redis://a:6379,b:7000/1?copies=2",
            ),
            (
                "valkeys://:secret@a,b?copies=2",
                "rediss://a:6379,b:6379/0?copies=2",
            ),
        ] {
            let url: StoreUrl = url.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("secret"));
            assert!(matches!(shown.parse(), Ok(StoreUrl::Copies(_))));
        }
    }

    #[test]
    fn tiers_that_cannot_be_say_why() {
        let message = |url: &str| url.parse::<StoreUrl>().unwrap_err().to_string();
        assert!(message("memory:?local=64MB").contains("local already"));
        assert!(message("file:///a?local=64MB&mode=pushed").contains("Redis"));
        assert!(message("file:///a?local=64MB&mode=lax").contains("mode=strict"));
        assert!(message("file:///a?mode=strict").contains("?local=64MB"));
        assert!(message("file:///a?local=10").contains("at least 1MB"));
        assert!(message("file:///a?local=much").contains("is no size"));
        assert!(message("file:///a?local=64MB&size=1MB").contains("unknown option"));
    }
}
