//! How a caller waits for the store.
//!
//! The engine is written once, as futures. For a caller that blocks, each call to the store blocks,
//! too, so nothing is left to be awaited and the future is ready at once.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use bytes::Bytes;
use kogia_core::{Generation, QueryKey, ReadRequest, ReadResponse, Tag};
use smallvec::SmallVec;

use crate::later::Later;
use crate::store::{Mark, Store, StoreError};

/// How a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// On its thread.
    Blocking,
    /// As a task: others have the thread meanwhile, where the store can do that.
    Async,
}

impl Caller {
    /// [`Later::catch_up_with`].
    pub(crate) async fn catch_up_with(self, later: &Later, key: &QueryKey) {
        match self {
            Caller::Blocking => later.catch_up_with(key),
            Caller::Async => later.caught_up_with(key).await,
        }
    }

    /// [`Later::catch_up_with_marks`].
    pub(crate) async fn catch_up_with_marks(self, later: &Later) {
        match self {
            Caller::Blocking => later.catch_up_with_marks(),
            Caller::Async => later.caught_up_with_marks().await,
        }
    }

    /// [`Store::read`].
    pub(crate) async fn read(
        self,
        store: &dyn Store,
        request: &ReadRequest,
    ) -> Result<ReadResponse<Bytes>, StoreError> {
        match self.if_async(|| store.read_async(request)) {
            Some(response) => response.await,
            None => store.read(request),
        }
    }

    /// [`Store::read_with_lifetime`].
    pub(crate) async fn read_with_lifetime(
        self,
        store: &dyn Store,
        request: &ReadRequest,
    ) -> Result<ReadResponse<Bytes>, StoreError> {
        match self.if_async(|| store.read_with_lifetime_async(request)) {
            Some(response) => response.await,
            None => store.read_with_lifetime(request),
        }
    }

    /// [`Store::generations`].
    pub(crate) async fn generations(
        self,
        store: &dyn Store,
        tags: &[Tag],
    ) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        match self.if_async(|| store.generations_async(tags)) {
            Some(generations) => generations.await,
            None => store.generations(tags),
        }
    }

    /// The generation of one tag.
    pub(crate) async fn generation(
        self,
        store: &dyn Store,
        tag: Tag,
    ) -> Result<Generation, StoreError> {
        let generations = self.generations(store, &[tag]).await?;
        Ok(generations.first().copied().unwrap_or(Generation::MISSING))
    }

    /// [`Store::mark_watching`].
    pub(crate) async fn mark_watching(
        self,
        store: &dyn Store,
        mark: &Mark<'_>,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        match self.if_async(|| store.mark_watching_async(mark, watched)) {
            Some(marked) => marked.await,
            None => store.mark_watching(mark, watched),
        }
    }

    pub(crate) fn if_async<T>(self, call: impl FnOnce() -> Option<T>) -> Option<T> {
        match self {
            Caller::Blocking => None,
            Caller::Async => call(),
        }
    }
}

/// The output of a future that has nothing to wait for but what blocks.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::yield_now(),
        }
    }
}
