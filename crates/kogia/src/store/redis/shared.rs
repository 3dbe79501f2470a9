//! Connections that all tasks of a tokio runtime share.
//!
//! Calls that are under way at once go out one after the other and are answered in this order, so
//! that none waits for another one's round trip.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisError, RedisResult};
use tokio::runtime::{Handle, Id};
use tokio::sync::Mutex;

use super::connection::{
    FRESH, Refused, about_certificates, asks_its_name, client, is_final, name_in, not_the_primary,
};
use super::line::{Line, Way};
use super::nodes::Nodes;
use super::url::{RedisAddress, RedisUrl};
use crate::store::remote::Breaker;

/// The lanes to one server, one for each runtime of the process.
///
/// A connection is read by a task of the runtime that made it, so another runtime may wait for ever
/// for an answer, and so may a child of a fork, in which there is no such task.
#[derive(Debug)]
pub(super) struct Lanes {
    url: RedisUrl,
    lanes: ArcSwap<Vec<Arc<Lane>>>,
}

/// More runtimes than these are not remembered: a program that makes one after the other would keep
/// the lanes of all of them.
const MOST_LANES: usize = 16;

impl Lanes {
    pub(super) fn new(url: &RedisUrl) -> Self {
        Lanes {
            url: url.clone(),
            lanes: ArcSwap::default(),
        }
    }

    /// The way for the runtime that calls. `None` where there is none, and where calls are not made
    /// this way: to a cluster, and to a primary that sentinels name.
    pub(super) fn way(&self, nodes: &Nodes) -> Option<Way<'static>> {
        let Nodes::One(connections) = nodes else {
            return None;
        };
        if matches!(self.url.address, RedisAddress::Sentinel(_)) {
            return None;
        }
        let here = (Handle::try_current().ok()?.id(), std::process::id());
        let known = |lanes: &[Arc<Lane>]| {
            let found = lanes.iter().find(|lane| lane.place == here);
            found.map(Arc::clone)
        };
        let lane = known(&self.lanes.load()).unwrap_or_else(|| {
            let new = Arc::new(Lane::new(here, &self.url, connections.breaker()));
            self.lanes.rcu(|lanes| with(lanes, &new));
            // Another thread of the runtime may have been faster.
            known(&self.lanes.load()).unwrap_or(new)
        });
        let is_fit = !lane.is_unfit.load(Ordering::Relaxed);
        is_fit.then(|| Way::Shared(lane))
    }
}

/// These lanes and another one, unless it is there.
fn with(lanes: &[Arc<Lane>], new: &Arc<Lane>) -> Vec<Arc<Lane>> {
    let mut lanes = lanes.to_vec();
    if lanes.iter().any(|lane| lane.place == new.place) {
        return lanes;
    }
    let is_ours = |lane: &Arc<Lane>| lane.place.1 == new.place.1;
    if lanes.iter().filter(|lane| is_ours(lane)).count() >= MOST_LANES
        && let Some(oldest) = lanes.iter().position(is_ours)
    {
        lanes.remove(oldest);
    }
    lanes.push(Arc::clone(new));
    lanes
}

/// The connection of one runtime, which is opened when it is needed and replaced when it fails.
#[derive(Debug)]
pub(super) struct Lane {
    /// The runtime, and the process that it is in.
    place: (Id, u32),
    url: RedisUrl,
    breaker: Arc<Breaker>,
    open: ArcSwapOption<Shared>,
    /// Held by the one who opens it, or asks who is at the other end.
    opening: Mutex<()>,
    /// The runtime cannot talk to a network, or has no clock.
    is_unfit: AtomicBool,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) raw: MultiplexedConnection,
    /// The primary at the other end.
    pub(super) server: [u8; 16],
    opened: Instant,
    /// When the server last was asked who it is, in nanoseconds after `opened`.
    named: AtomicU64,
}

impl Lane {
    fn new(place: (Id, u32), url: &RedisUrl, breaker: &Arc<Breaker>) -> Self {
        Lane {
            place,
            url: url.clone(),
            breaker: Arc::clone(breaker),
            open: ArcSwapOption::empty(),
            opening: Mutex::new(()),
            is_unfit: AtomicBool::new(false),
        }
    }

    /// Has the server do something. If the connection had been open before, the server may have
    /// closed it meanwhile: then a new one tries.
    pub(super) async fn with<T, F>(
        &self,
        mut call: impl FnMut(Line<'static, 'static>) -> F,
    ) -> Result<T, Refused>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let mut is_last = false;
        loop {
            let (shared, is_new) = self.connection().await?;
            let answer = call(Line::Shared(Arc::clone(&shared))).await;
            let Err(error) = answer else {
                self.breaker.succeeded();
                return answer.map_err(Refused::Failed);
            };
            if !is_final(&error) {
                self.breaker.succeeded();
                return Err(Refused::Failed(error));
            }
            let is_over = error.is_timeout() || is_new || is_last;
            self.close(&shared, is_over);
            if is_over {
                return Err(Refused::Failed(error));
            }
            is_last = true;
        }
    }

    /// The connection, to the server that it was opened to, and whether it was opened now.
    async fn connection(&self) -> Result<(Arc<Shared>, bool), Refused> {
        let known = || self.open.load_full().filter(|shared| shared.is_named());
        if let Some(shared) = known() {
            return match self.breaker.admits() {
                true => Ok((shared, false)),
                false => Err(Refused::Open),
            };
        }
        let _opening = self.opening.lock().await;
        // Only now: others who waited may have found that the server does not answer.
        if !self.breaker.admits() {
            return Err(Refused::Open);
        }
        if let Some(shared) = known() {
            return Ok((shared, false));
        }
        if let Some(shared) = self.open.load_full() {
            match shared.name_again().await {
                Ok(()) => return Ok((shared, false)),
                Err(error) => {
                    let is_over = error.is_timeout();
                    self.close(&shared, is_over);
                    if is_over {
                        return Err(Refused::Failed(error));
                    }
                }
            }
        }
        match self.dial().await {
            Ok(shared) => {
                let shared = Arc::new(shared);
                self.open.store(Some(Arc::clone(&shared)));
                Ok((shared, true))
            }
            Err(error) => {
                self.breaker.failed();
                Err(Refused::Failed(error))
            }
        }
    }

    /// Lets nobody else use a connection. The first one to find that the server does not answer says
    /// so, for all that were waiting.
    fn close(&self, shared: &Arc<Shared>, has_failed: bool) {
        let before = self.open.compare_and_swap(shared, None);
        let is_first = before
            .as_ref()
            .is_some_and(|open| Arc::ptr_eq(open, shared));
        if is_first && has_failed {
            self.breaker.failed();
        }
    }

    /// Opens a connection, in a task of its own: one that panics, because the runtime was made
    /// without what a network needs, must not take the caller along.
    async fn dial(&self) -> RedisResult<Shared> {
        let url = self.url.clone();
        let dialled = tokio::spawn(async move { Shared::dial(&url).await }).await;
        dialled.unwrap_or_else(|failed| {
            self.is_unfit.store(failed.is_panic(), Ordering::Relaxed);
            Err(RedisError::from(std::io::Error::other(failed)))
        })
    }
}

impl Shared {
    async fn dial(url: &RedisUrl) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(url.connect_timeout))
            .set_response_timeout(Some(url.timeout));
        let client = client(url, None, ProtocolVersion::RESP2)?;
        let raw = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(about_certificates)?;
        let opened = Instant::now();
        let server = name_of(&raw).await?;
        Ok(Shared {
            raw,
            server,
            opened,
            named: AtomicU64::new(0),
        })
    }

    /// Whether the server has said recently who it is.
    fn is_named(&self) -> bool {
        let named = self.named.load(Ordering::Relaxed);
        self.now().saturating_sub(named) < FRESH.as_nanos() as u64
    }

    /// Asks the server again who it is.
    async fn name_again(&self) -> RedisResult<()> {
        let asked = self.now();
        if name_of(&self.raw).await? != self.server {
            return Err(not_the_primary(
                "it has been another server's replica meanwhile",
            ));
        }
        self.named.store(asked, Ordering::Relaxed);
        Ok(())
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_nanos() as u64
    }
}

async fn name_of(raw: &MultiplexedConnection) -> RedisResult<[u8; 16]> {
    let asked = asks_its_name();
    let (server, replication): (String, String) = asked.query_async(&mut raw.clone()).await?;
    name_in(&server, &replication)
}
