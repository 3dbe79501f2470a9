//! Single-flight: one execution for concurrent equal misses.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use event_listener::{Event, EventListener, Listener as _};
use kogia_core::{Fill, QueryKey, Stamp};

/// The flights of one cache.
///
/// A waiter joins a flight by key and stamp. Its own stamp was read inside its own request, so a
/// flight with an equal one reads nothing older than that request. Joining by key alone could
/// hand a reader data that is older than its own start.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Name, Arc<Flight>>>);

/// What a flight is known by: its process, because a child of a fork has none of its parent's
/// leaders, the query, and the stamp.
type Name = (u32, QueryKey, Stamp);

#[derive(Debug, Default)]
struct Flight {
    landed: Mutex<Option<Landing>>,
    event: Event,
}

#[derive(Debug, Clone)]
enum Landing {
    Value(Bytes),
    /// The leader failed, gave up, or has a value that is not to be stored.
    Nothing,
}

/// Who a reader is in a flight.
#[derive(Debug)]
pub(crate) enum Boarding {
    Leader(Leader),
    Waiter(Waiter),
}

impl Flights {
    /// Joins the flight of this miss, or starts it.
    pub(crate) fn board(self: &Arc<Self>, fill: &Fill) -> Boarding {
        let name = (std::process::id(), *fill.key(), fill.stamp().clone());
        match self.lock().entry(name) {
            Entry::Occupied(flight) => {
                let flight = Arc::clone(flight.get());
                let listener = flight.event.listen();
                Boarding::Waiter(Waiter {
                    flight,
                    listener: Some(listener),
                })
            }
            Entry::Vacant(place) => {
                let name = place.key().clone();
                let flight = Arc::clone(place.insert(Arc::default()));
                Boarding::Leader(Leader {
                    flights: Arc::clone(self),
                    name,
                    flight,
                })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader that runs the query. Dropping it sends the waiters away with nothing.
#[derive(Debug)]
pub(crate) struct Leader {
    flights: Arc<Flights>,
    name: Name,
    flight: Arc<Flight>,
}

impl Leader {
    /// A waiter of the flight: for who hands its lead to a thread.
    pub(crate) fn waiter(&self) -> Waiter {
        Waiter {
            flight: Arc::clone(&self.flight),
            listener: None,
        }
    }

    /// Hands the value to the waiters.
    pub(crate) fn land(&self, value: Bytes) {
        *lock(&self.flight.landed) = Some(Landing::Value(value));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.name);
        lock(&self.flight.landed).get_or_insert(Landing::Nothing);
        self.flight.event.notify(usize::MAX);
    }
}

/// A reader that waits for the leader: await it, or [`Waiter::wait`].
///
/// Gives the value, or `None` if the leader had none; then the reader starts again.
#[derive(Debug)]
pub(crate) struct Waiter {
    flight: Arc<Flight>,
    listener: Option<EventListener>,
}

impl Waiter {
    /// Blocks the thread until the flight is over.
    pub(crate) fn wait(mut self) -> Option<Bytes> {
        loop {
            if let Some(landing) = self.landed() {
                return landing;
            }
            if let Some(listener) = self.listener.take() {
                listener.wait();
            } else {
                self.listener = Some(self.flight.event.listen());
            }
        }
    }

    fn landed(&self) -> Option<Option<Bytes>> {
        match &*lock(&self.flight.landed) {
            // The value stands before the leader's drop wakes anybody; either is fine.
            Some(Landing::Value(value)) => Some(Some(value.clone())),
            Some(Landing::Nothing) => Some(None),
            None => None,
        }
    }
}

impl Future for Waiter {
    type Output = Option<Bytes>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            if let Some(landing) = self.landed() {
                return Poll::Ready(landing);
            }
            let flight = Arc::clone(&self.flight);
            let listener = self.listener.get_or_insert_with(|| flight.event.listen());
            match Pin::new(listener).poll(context) {
                Poll::Ready(()) => self.listener = None,
                Poll::Pending => {
                    // It may have landed before the listener was registered.
                    return match self.landed() {
                        Some(landing) => Poll::Ready(landing),
                        None => Poll::Pending,
                    };
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
