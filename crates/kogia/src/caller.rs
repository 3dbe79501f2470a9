//! How a caller waits for the store.
//!
//! The engine is written once, as futures. For a caller that blocks, each call to the store blocks,
//! too, so nothing is left to be awaited and the future is ready at once. Only what a hit goes through
//! is written without futures, too ([`crate::read`]).
//!
//! # Callers that await
//!
//! None of their calls waits for a network on a thread of the runtime:
//!
//! - A store in this process ([`Store::waits`] says no) is asked at once.
//! - One server of Redis, or a tier over it, has calls to await ([`Store::read_async`]): all tasks of
//!   a runtime share a connection.
//! - Any other store (clusters, primaries that sentinels name, two copies, Memcached) is asked on one
//!   of the threads that tokio has for calls that block ([`elsewhere`]).
//! - What nobody waits for (fills, clearing, looking after marks of others) is the work of a thread
//!   of the cache ([`Later`]).
//!
//! Without the feature `tokio`, or outside of its runtimes, there is no such thread, and calls block.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use kogia_core::{Fill, Generation, QueryKey, ReadRequest, ReadResponse, Tag};
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
        store: &Arc<dyn Store>,
        request: &ReadRequest,
    ) -> Result<ReadResponse<Bytes>, StoreError> {
        match self.if_async(|| store.read_async(request)) {
            Some(response) => response.await,
            None => {
                let request = request.clone();
                self.ask(store, move |store| store.read(&request)).await
            }
        }
    }

    /// [`Store::read_with_lifetime`].
    pub(crate) async fn read_with_lifetime(
        self,
        store: &Arc<dyn Store>,
        request: &ReadRequest,
    ) -> Result<ReadResponse<Bytes>, StoreError> {
        match self.if_async(|| store.read_with_lifetime_async(request)) {
            Some(response) => response.await,
            None => {
                let request = request.clone();
                self.ask(store, move |store| store.read_with_lifetime(&request))
                    .await
            }
        }
    }

    /// [`Store::generations`].
    pub(crate) async fn generations(
        self,
        store: &Arc<dyn Store>,
        tags: &[Tag],
    ) -> Result<SmallVec<[Generation; 8]>, StoreError> {
        match self.if_async(|| store.generations_async(tags)) {
            Some(generations) => generations.await,
            None => {
                let tags: SmallVec<[Tag; 8]> = tags.into();
                self.ask(store, move |store| store.generations(&tags)).await
            }
        }
    }

    /// The generation of one tag.
    pub(crate) async fn generation(
        self,
        store: &Arc<dyn Store>,
        tag: Tag,
    ) -> Result<Generation, StoreError> {
        let generations = self.generations(store, &[tag]).await?;
        Ok(generations.first().copied().unwrap_or(Generation::MISSING))
    }

    /// [`Store::claim`].
    pub(crate) async fn claim(
        self,
        store: &Arc<dyn Store>,
        fill: &Fill,
    ) -> Result<Option<Duration>, StoreError> {
        match self.if_async(|| store.claim_async(fill)) {
            Some(claimed) => claimed.await,
            None => {
                let fill = fill.clone();
                self.ask(store, move |store| store.claim(&fill)).await
            }
        }
    }

    /// [`Store::mark_watching`].
    pub(crate) async fn mark_watching(
        self,
        store: &Arc<dyn Store>,
        mark: &Mark<'_>,
        watched: Tag,
    ) -> Result<Generation, StoreError> {
        if self == Caller::Blocking {
            return store.mark_watching(mark, watched);
        }
        if let Some(marked) = store.mark_watching_async(mark, watched) {
            return marked.await;
        }
        let (owner, lease) = (mark.owner, mark.lease);
        let (tags, backend) = (mark.tags.clone(), mark.backend.clone());
        // Whoever gives up has the tags cleared, perhaps before they are marked.
        let waiting = Arc::new(());
        let waited_for = Arc::downgrade(&waiting);
        let mark_watching = move |store: &(dyn Store + 'static)| {
            let mark = Mark {
                owner,
                tags: &tags,
                lease,
                backend: &backend,
            };
            let marked = store.mark_watching(&mark, watched);
            if waited_for.strong_count() == 0 {
                store.clear(owner, &tags)?;
            }
            marked
        };
        let marked = self.ask(store, mark_watching).await;
        drop(waiting);
        marked
    }

    pub(crate) fn if_async<T>(self, call: impl FnOnce() -> Option<T>) -> Option<T> {
        match self {
            Caller::Blocking => None,
            Caller::Async => call(),
        }
    }

    /// The output of what may wait for a network; `None` if it is lost, see [`elsewhere`].
    pub(crate) async fn run<T: Send + 'static>(
        self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        match self {
            Caller::Blocking => Some(call()),
            Caller::Async => elsewhere(call).await.ok(),
        }
    }

    /// The answer to a call that the store cannot make without blocking a thread.
    pub(crate) async fn ask<S: Store + ?Sized + 'static, T: Send + 'static>(
        self,
        store: &Arc<S>,
        call: impl FnOnce(&S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self == Caller::Blocking || !store.waits() {
            return call(store);
        }
        let store = Arc::clone(store);
        let lost = |reason| StoreError::Failed {
            operation: "answer",
            reason,
        };
        elsewhere(move || call(&store)).await.map_err(lost)?
    }
}

/// The output of a call that may wait for a network: on a thread that the tokio runtime has for that,
/// or on the caller's if there is no runtime. Fails if the runtime ends or the call panics.
pub(crate) async fn elsewhere<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    #[cfg(feature = "tokio")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let output = runtime.spawn_blocking(call).await;
        return output.map_err(|lost| lost.to_string());
    }
    Ok(call())
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
