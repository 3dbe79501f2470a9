//! The connections of a process to one server.

use std::fmt;
use std::sync::Arc;

use super::{Breaker, Pool};

/// How to talk to a kind of server.
pub(in crate::store) trait Dial {
    /// A connection on which nothing is under way.
    type Connection;
    /// Why a call failed.
    type Error: fmt::Display + fmt::Debug;

    /// Opens a connection.
    fn dial(&self) -> Result<Self::Connection, Self::Error>;

    /// Prepares an idle connection to be used again.
    fn resume(&self, connection: &mut Self::Connection) -> Result<(), Self::Error>;

    /// Whether a connection is not to be used again after an error: its state is not known, or it
    /// is gone.
    fn is_final(error: &Self::Error) -> bool;

    /// Whether the server did not answer in time.
    fn is_timeout(error: &Self::Error) -> bool;
}

/// Connections that are opened when they are needed, kept, and left alone for a while when they
/// fail.
pub(in crate::store) struct Connections<D: Dial> {
    dial: D,
    pool: Pool<D::Connection>,
    breaker: Arc<Breaker>,
}

/// More idle connections than this are closed: no process has more threads at work.
const IDLE: usize = 64;

impl<D: Dial> Connections<D> {
    pub(in crate::store) fn new(dial: D) -> Self {
        Connections {
            dial,
            pool: Pool::new(IDLE),
            breaker: Arc::new(Breaker::new()),
        }
    }

    /// What keeps calls from a server that does not answer, by whatever connection they would go.
    #[cfg(feature = "tokio")]
    pub(in crate::store) fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// Has a connection do something. After an error that ends it it is not used again, and if it had
    /// been idle, the server may have closed it meanwhile: then a new one tries.
    pub(in crate::store) fn with<T>(
        &self,
        mut call: impl FnMut(&mut D::Connection) -> Result<T, D::Error>,
    ) -> Result<T, Refused<D::Error>> {
        if !self.breaker.admits() {
            return Err(Refused::Open);
        }
        if let Some(mut idle) = self.pool.take() {
            match self.dial.resume(&mut idle).and_then(|()| call(&mut idle)) {
                Err(error) if D::is_final(&error) => {
                    // The others were open as long.
                    self.pool.clear();
                    if D::is_timeout(&error) {
                        self.breaker.failed();
                        return Err(Refused::Failed(error));
                    }
                }
                answer => return self.finish(idle, answer),
            }
        }
        let dialled = self.dial.dial();
        let mut connection = dialled.map_err(|error| {
            self.breaker.failed();
            Refused::Failed(error)
        })?;
        let answer = call(&mut connection);
        self.finish(connection, answer)
    }

    fn finish<T>(
        &self,
        connection: D::Connection,
        answer: Result<T, D::Error>,
    ) -> Result<T, Refused<D::Error>> {
        match &answer {
            Err(error) if D::is_final(error) => self.breaker.failed(),
            // The server has answered, and there is nothing left to be read.
            _ => {
                self.breaker.succeeded();
                self.pool.put(connection);
            }
        }
        answer.map_err(Refused::Failed)
    }
}

impl<D: Dial + fmt::Debug> fmt::Debug for Connections<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connections").field(&self.dial).finish()
    }
}

/// Why a call had no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Refused<E: fmt::Display> {
    /// The server has failed a moment ago and is left alone.
    #[error("the server did not answer a moment ago, and is left alone for a while")]
    Open,
    #[error("{0}")]
    Failed(E),
}
