//! What the calls to a server go through.

#[cfg(feature = "tokio")]
use std::sync::Arc;

use redis::{FromRedisValue, Pipeline, RedisResult, ScriptInvocation, Value};

use super::connection::{Busy, Connection, Meanwhile};
#[cfg(feature = "tokio")]
use super::shared::{Lane, Shared};

/// The way to the servers of a store.
pub(super) enum Way<'a> {
    /// A connection for each call, which blocks; something else is done meanwhile. What goes this way
    /// has an output at once, see [`crate::caller::at_once`].
    Blocking(Meanwhile<'a>),
    /// One connection for all calls of a runtime.
    #[cfg(feature = "tokio")]
    Shared(Arc<Lane>),
}

/// A connection to one server.
pub(super) enum Line<'a, 'b> {
    /// That nobody else uses meanwhile.
    Own(&'a mut Connection, &'a mut Meanwhile<'b>),
    /// That others use, too.
    #[cfg(feature = "tokio")]
    Shared(Arc<Shared>),
}

impl Way<'_> {
    /// A connection for each call, while which nothing else is done.
    pub(super) fn blocking() -> Self {
        Way::Blocking(None)
    }
}

impl Line<'_, '_> {
    /// The name of the server at the other end.
    pub(super) fn server(&self) -> [u8; 16] {
        match self {
            Line::Own(connection, _) => connection.server,
            #[cfg(feature = "tokio")]
            Line::Shared(shared) => shared.server,
        }
    }

    /// The answers to some commands.
    pub(super) async fn ask(&mut self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        match self {
            Line::Own(connection, meanwhile) => commands.query(&mut busy(connection, meanwhile)),
            #[cfg(feature = "tokio")]
            Line::Shared(shared) => commands.query_async(&mut shared.raw.clone()).await,
        }
    }

    /// Runs a script, which the server may have to be told first.
    pub(super) async fn run<T: FromRedisValue>(
        &mut self,
        call: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        match self {
            Line::Own(connection, meanwhile) => call.invoke(&mut busy(connection, meanwhile)),
            #[cfg(feature = "tokio")]
            Line::Shared(shared) => call.invoke_async(&mut shared.raw.clone()).await,
        }
    }
}

fn busy<'a, 'b>(connection: &'a mut Connection, meanwhile: &'a mut Meanwhile<'b>) -> Busy<'a, 'b> {
    Busy {
        raw: &mut connection.raw,
        meanwhile,
    }
}
