//! What the URLs of all stores behind a network may say.

use std::time::Duration;

use crate::store::StoreUrlError;
use crate::store::url::{parse_duration, parse_size};

/// The options after the question mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Options {
    pub(in crate::store) prefix: String,
    pub(in crate::store) timeout: Duration,
    pub(in crate::store) connect_timeout: Duration,
    pub(in crate::store) max_entry: usize,
    pub(in crate::store) quarantine: Duration,
    pub(in crate::store) single_flight: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            prefix: "kogia".to_owned(),
            timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(1),
            max_entry: 4_000_000,
            quarantine: Duration::from_secs(10),
            single_flight: None,
        }
    }
}

impl Options {
    /// Understands an option; false if it is none of these.
    pub(in crate::store) fn set(&mut self, name: &str, value: &str) -> Result<bool, StoreUrlError> {
        match name {
            "prefix" => value.clone_into(&mut self.prefix),
            "timeout" => self.timeout = parse_duration(value)?,
            "connect_timeout" => self.connect_timeout = parse_duration(value)?,
            "quarantine" => self.quarantine = parse_duration(value)?,
            "single_flight" => self.single_flight = Some(parse_duration(value)?),
            "max_entry" => {
                self.max_entry = usize::try_from(parse_size(value)?).unwrap_or(usize::MAX);
            }
            _ => return Ok(false),
        }
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(wrong("a timeout of nothing lets no call through"));
        }
        if self.single_flight == Some(Duration::ZERO) {
            return Err(wrong("single_flight waits for nothing: leave it out"));
        }
        Ok(true)
    }
}

/// A URL that does not say what it must.
pub(in crate::store) fn wrong(what: &str) -> StoreUrlError {
    StoreUrlError::Server(what.to_owned())
}

/// A host and a port, as in `cache:11211`, `[::1]:11211`, or without the port.
pub(in crate::store) fn host_and_port(
    text: &str,
    default: u16,
) -> Result<(String, u16), StoreUrlError> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Ok(default), str::parse);
    let port = port.map_err(|_| wrong(&format!("{text:?} has no port that is a number")))?;
    match host.is_empty() {
        true => Err(wrong("the host is missing")),
        false => Ok((host.to_owned(), port)),
    }
}
