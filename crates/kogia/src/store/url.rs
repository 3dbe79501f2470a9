//! Store URLs.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A store, as its URL names it.
///
/// `memory:?capacity=256MB`, `file:///var/cache/app?capacity=1GB`. The capacity takes `B`, `KB`,
/// `MB`, `GB` (powers of ten) and `KiB`, `MiB`, `GiB`. With `local=64MB` each process keeps that
/// much of a shared store in its own memory; see [`crate::TieredStore`].
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
        "unknown option {0:?}, there are prefix, timeout, connect_timeout, max_entry, quarantine, local, copies, single_flight, and ca for TLS"
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
    #[error("mode=pushed needs a Redis or Valkey store, and is yet to come; use mode=strict")]
    Pushed,
    /// Another mode.
    #[error("unknown mode {0:?}, the one there is is mode=strict")]
    Mode(String),
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if let Some((shared, local)) = without_tier(url)? {
            let shared: StoreUrl = shared.parse()?;
            if let StoreUrl::Memory { .. } = shared {
                return Err(StoreUrlError::LocalMemory);
            }
            let shared = Box::new(shared);
            return Ok(StoreUrl::Tiered { shared, local });
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
            StoreUrl::Tiered { shared, local } => {
                let shared = shared.to_string();
                let joint = if shared.contains('?') { '&' } else { '?' };
                write!(f, "{shared}{joint}local={local}B")
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

/// The URL of the shared store and the size of the tier in front of it, if there is to be one.
fn without_tier(url: &str) -> Result<Option<(String, u64)>, StoreUrlError> {
    let (body, query) = url.split_once('?').unwrap_or((url, ""));
    let mut local = None;
    let mut mode = None;
    let mut others = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("local", size)) => local = Some(parse_size(size)?),
            Some(("mode", name)) => mode = Some(name),
            _ => others.push(option),
        }
    }
    match (local, mode) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(StoreUrlError::ModeWithoutLocal),
        (Some(_), Some("pushed")) => Err(StoreUrlError::Pushed),
        (Some(local), _) if local < MIN_CAPACITY => Err(StoreUrlError::TooSmall(local)),
        (Some(local), None | Some("strict")) => {
            Ok(Some((format!("{body}?{}", others.join("&")), local)))
        }
        (Some(_), Some(other)) => Err(StoreUrlError::Mode(other.to_owned())),
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
            };
            assert_eq!(url.parse(), Ok(expected));
        }
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
