//! Single-flight across processes: a reader waits a while for the entry of another process.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia_core::{Decision, ReadRequest, Stamp};

use crate::database::Database;
use crate::flight::{Leader, Waiter};

/// A miss whose query another process has claimed to run ([`crate::Store::claim`]).
///
/// It reads again and again, as any reader does, so that what it finds is current. Nothing tells
/// it when the entry is there; it asks seldom enough to cost the store little, and often enough
/// that nobody minds how late it is. Readers of this process that miss the same wait with it.
#[derive(Debug)]
pub(crate) struct Watch {
    database: Database,
    request: ReadRequest,
    stamp: Stamp,
    leader: Option<Leader>,
    patience: Duration,
}

/// The first pause between two reads, and the longest; each is twice the one before.
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(16);

impl Watch {
    pub(crate) fn new(
        database: Database,
        request: ReadRequest,
        stamp: Stamp,
        leader: Option<Leader>,
        patience: Duration,
    ) -> Self {
        Watch {
            database,
            request,
            stamp,
            leader,
            patience,
        }
    }

    /// Blocks the thread until the entry is there, or will not come, or takes too long.
    pub(crate) fn wait(self) -> Option<Bytes> {
        let begun = Instant::now();
        let mut pause = SHORTEST;
        loop {
            let left = self.patience.checked_sub(begun.elapsed())?;
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST);
            match self.look()? {
                Decision::Hit(value) => {
                    if let Some(leader) = &self.leader {
                        leader.land(value.clone());
                    }
                    return Some(value);
                }
                Decision::Miss(fill) | Decision::Stale(fill) if *fill.stamp() == self.stamp => {}
                // Something was written meanwhile, and the result that is waited for is stale.
                _ => return None,
            }
        }
    }

    /// Waits on a thread of its own, so that the caller's may do something else; `None` if there is
    /// none to be had.
    pub(crate) fn depart(self) -> Option<Waiter> {
        let waiter = self.leader.as_ref().map(Leader::waiter)?;
        let spawned = thread::Builder::new()
            .name("kogia-watch".to_owned())
            .spawn(move || drop(self.wait()));
        spawned.is_ok().then_some(waiter)
    }

    /// Reads; `None` if the store does not answer, or what it has is not to be used.
    fn look(&self) -> Option<Decision<Bytes>> {
        let cache = self.database.inner_cache();
        if cache.is_pending(self.request.tags()) {
            return None;
        }
        let response = cache.store.read(&self.request);
        let response = response
            .inspect_err(|error| cache.events.store_failed(error))
            .ok()?;
        Some(self.request.decide(response))
    }
}
