//! Connections that nobody uses at the moment.

use std::fmt;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;

/// Idle connections of one process to one server, the last used on top.
///
/// A child of a `fork()` shares its parent's sockets, and a word of one would be read as an answer
/// to the other. So the child never uses what it inherited: connections belong to a process, and
/// those of another one are forgotten without a word to the server.
pub(in crate::store) struct Pool<C> {
    idle: Mutex<Idle<C>>,
    most: usize,
}

struct Idle<C> {
    process: u32,
    connections: Vec<C>,
}

impl<C> Pool<C> {
    /// A pool that keeps at most this many idle connections.
    pub(in crate::store) fn new(most: usize) -> Self {
        let idle = Idle {
            process: std::process::id(),
            connections: Vec::new(),
        };
        Pool {
            idle: Mutex::new(idle),
            most,
        }
    }

    /// An idle connection of this process.
    pub(in crate::store) fn take(&self) -> Option<C> {
        self.lock()?.connections.pop()
    }

    /// Keeps a connection on which nothing is under way; one too many is closed.
    pub(in crate::store) fn put(&self, connection: C) {
        if let Some(mut idle) = self.lock()
            && idle.connections.len() < self.most
        {
            idle.connections.push(connection);
        }
    }

    /// Closes all idle connections: the server that they lead to is no longer the one.
    pub(in crate::store) fn clear(&self) {
        if let Some(mut idle) = self.lock() {
            idle.connections.clear();
        }
    }

    /// The idle connections, or `None` if the lock is not to be had: a thread of the parent may
    /// have held it at the moment of a fork, and will never release it in the child.
    fn lock(&self) -> Option<MutexGuard<'_, Idle<C>>> {
        const TRIES: u32 = 1_000;
        let mut idle = (0..TRIES).find_map(|_| match self.idle.try_lock() {
            Ok(idle) => Some(idle),
            // A panic while the lock was held leaves a state that is still consistent.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                thread::yield_now();
                None
            }
        })?;
        let process = std::process::id();
        if idle.process != process {
            idle.process = process;
            // Closing its own copy of a descriptor says nothing to the server. A connection that
            // says good-bye when it is dropped has to be told not to by its own type.
            idle.connections.clear();
        }
        Some(idle)
    }
}

impl<C> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("idle", &self.lock().map(|idle| idle.connections.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use super::*;

    #[test]
    fn the_last_one_put_back_is_the_first_one_taken() {
        let pool = Pool::new(2);
        assert_eq!(pool.take(), None);
        for connection in [1, 2, 3] {
            pool.put(connection);
        }
        assert_eq!(pool.take(), Some(2));
        assert_eq!(pool.take(), Some(1));
        assert_eq!(pool.take(), None);
    }

    #[test]
    fn a_lock_that_is_never_released_costs_no_more_than_the_connections() {
        let pool = Pool::new(2);
        pool.put(1);
        let _held = pool.lock();
        assert_eq!(pool.take(), None);
        pool.put(2);
    }

    #[test]
    fn what_another_process_left_is_not_used() {
        let pool = Pool::new(2);
        pool.put(1);
        pool.lock().unwrap().process = 0;
        assert_eq!(pool.take(), None);
        pool.put(2);
        assert_eq!(pool.take(), Some(2));
    }
}
