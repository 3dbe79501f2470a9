//! Where the primary is, as sentinels say.

use std::sync::atomic::{AtomicUsize, Ordering};

use redis::{
    Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError, RedisResult,
};

use super::url::{RedisSentinels, RedisUrl};

/// Asks the sentinels of a URL.
#[derive(Debug, Default)]
pub(super) struct Sentinels {
    /// The one to ask first: those before it have failed.
    first: AtomicUsize,
}

impl Sentinels {
    /// The primary that more than half of the sentinels name.
    ///
    /// A primary that is cut off from the others, and its clients with it, goes on until it hears of
    /// its successor. It takes more than half of the sentinels to make that one, so these do not name
    /// it any longer, or cannot be reached.
    pub(super) fn primary(
        &self,
        asked: &RedisSentinels,
        url: &RedisUrl,
    ) -> RedisResult<(String, u16)> {
        let count = asked.sentinels.len();
        let first = self.first.load(Ordering::Relaxed);
        let mut named: Vec<((String, u16), usize)> = Vec::new();
        let mut last = None;
        for number in (0..count).map(|number| (first + number) % count) {
            match primary_by(&asked.sentinels[number], asked, url) {
                Ok(primary) => {
                    let votes = match named.iter_mut().find(|(known, _)| *known == primary) {
                        Some((_, votes)) => {
                            *votes += 1;
                            *votes
                        }
                        None => {
                            named.push((primary.clone(), 1));
                            1
                        }
                    };
                    if votes > count / 2 {
                        return Ok(primary);
                    }
                }
                Err(error) => {
                    // Next time the others are asked before.
                    self.first.store((number + 1) % count, Ordering::Relaxed);
                    last = Some(error);
                }
            }
        }
        let why = last.map_or_else(
            || "they name different ones".to_owned(),
            |error| error.to_string(),
        );
        let kind = redis::ErrorKind::Io;
        let text = "fewer than half of the sentinels name the same primary";
        Err(RedisError::from((kind, text, why)))
    }
}

/// What one sentinel says.
fn primary_by(
    (host, port): &(String, u16),
    asked: &RedisSentinels,
    url: &RedisUrl,
) -> RedisResult<(String, u16)> {
    let mut login = RedisConnectionInfo::default();
    if let Some(user) = &asked.user {
        login = login.set_username(user);
    }
    if let Some(password) = &asked.password {
        login = login.set_password(password);
    }
    let address = ConnectionAddr::Tcp(host.clone(), *port);
    let client = Client::open(address.into_connection_info()?.set_redis_settings(login))?;
    let mut connection = client.get_connection_with_timeout(url.connect_timeout)?;
    connection.set_read_timeout(Some(url.timeout))?;
    connection.set_write_timeout(Some(url.timeout))?;
    let primary: Option<(String, u16)> = redis::cmd("SENTINEL")
        .arg("get-master-addr-by-name")
        .arg(&asked.service)
        .query(&mut connection)?;
    primary.ok_or_else(|| {
        let kind = redis::ErrorKind::Client;
        let text = "a sentinel knows no service of this name";
        RedisError::from((kind, text, asked.service.clone()))
    })
}
