//! Stores as those see them who await their answers.

use std::time::Duration;

use bytes::Bytes;
use kogia::core::{Fill, Generation, OwnerId, ReadRequest, ReadResponse, Tag, TagSet};
use kogia::{Abandoned, Mark, Store, StoreError, StoreFuture, Usage};
use smallvec::SmallVec;

use super::redis::open;

/// A store whose calls are awaited, those that can be.
#[derive(Debug)]
pub(crate) struct Awaited {
    store: Box<dyn Store>,
    runtime: tokio::runtime::Runtime,
}

impl Awaited {
    pub(crate) fn open(url: &str) -> Awaited {
        Awaited::over(open(url))
    }

    pub(crate) fn over(store: impl Store + 'static) -> Awaited {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let store = Box::new(store);
        Awaited { store, runtime }
    }

    /// The answer to a call, which has to be made in the runtime.
    fn wait<'a, T>(
        &self,
        call: impl FnOnce() -> Option<StoreFuture<'a, T>>,
    ) -> Result<T, StoreError> {
        let answer = async { call().expect("the call would block").await };
        self.runtime.block_on(answer)
    }
}

impl Store for Awaited {
    fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.wait(|| self.store.read_async(request))
    }

    fn read_with_lifetime(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
        self.wait(|| self.store.read_with_lifetime_async(request))
    }

    fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        self.wait(|| self.store.generations_async(tags))
    }

    fn fill(&self, fill: &Fill, rows: u64, value: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.store.fill(fill, rows, value, ttl)?;
        // The next call on that connection waits until the entry is stored, and ours are on another.
        self.store.generations(fill.tags()).map(drop)
    }

    fn claim(&self, fill: &Fill) -> Result<Option<Duration>, StoreError> {
        self.wait(|| self.store.claim_async(fill))
    }

    fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
        let Some(tag) = mark.tags.as_slice().first() else {
            return Ok(());
        };
        self.mark_watching(mark, *tag).map(drop)
    }

    fn mark_watching(&self, mark: &Mark<'_>, watched: Tag) -> Result<Generation, StoreError> {
        self.wait(|| self.store.mark_watching_async(mark, watched))
    }

    fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
        self.store.clear(owner, tags)
    }

    fn clear_watching(
        &self,
        owner: OwnerId,
        tags: &TagSet,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        self.store.clear_watching(owner, tags, watched)
    }

    fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
        self.store.extend(owner, tags, lease)
    }

    fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
        self.store.abandoned(tags)
    }

    fn invalidate_everything(&self) -> Result<(), StoreError> {
        self.store.invalidate_everything()
    }

    fn waits(&self) -> bool {
        self.store.waits()
    }

    fn longest_lease(&self) -> Option<Duration> {
        self.store.longest_lease()
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }
}
