//! Transactions that invalidate what they commit.

use std::fmt;
use std::ops::{Deref, DerefMut};

use kogia::core::Outcome;
use sqlx::{Error, SqlStr};
use sqlx_core::transaction::TransactionManager;

use crate::connection::CachedConnection;
use crate::driver::Driver;

/// A transaction, or a savepoint in one.
///
/// Use `&mut *transaction` as the `Executor` of queries, as with sqlx. Its writes are invalidated
/// for others when it commits; its own reads see them at once. Dropped without a commit it is
/// rolled back.
pub struct CachedTransaction<'c, DB: Driver> {
    connection: Held<'c, DB>,
    open: bool,
}

/// A connection of the transaction's own, or somebody's.
pub(crate) enum Held<'c, DB: Driver> {
    Owned(Box<CachedConnection<DB>>),
    Borrowed(&'c mut CachedConnection<DB>),
}

impl<'c, DB: Driver> From<&'c mut CachedConnection<DB>> for Held<'c, DB> {
    fn from(connection: &'c mut CachedConnection<DB>) -> Self {
        Held::Borrowed(connection)
    }
}

impl<DB: Driver> From<CachedConnection<DB>> for Held<'static, DB> {
    fn from(connection: CachedConnection<DB>) -> Self {
        Held::Owned(Box::new(connection))
    }
}

impl<'c, DB: Driver> CachedTransaction<'c, DB> {
    pub(crate) async fn begin(
        connection: impl Into<Held<'c, DB>>,
        statement: Option<SqlStr>,
    ) -> Result<Self, Error> {
        let connection = connection.into();
        let mut transaction = CachedTransaction {
            connection,
            open: false,
        };
        let live = transaction.live().await?;
        let depth = DB::TransactionManager::get_transaction_depth(&live.connection);
        let sql = match &statement {
            Some(statement) => statement.as_str().to_owned(),
            None if depth == 0 => "BEGIN".to_owned(),
            None => format!("SAVEPOINT {}", savepoint(depth)),
        };
        let mut flight = live.start(&sql, None).await?;
        let begun = DB::TransactionManager::begin(flight.connection(), statement).await;
        flight.land(begun).await?;
        transaction.open = true;
        Ok(transaction)
    }

    /// Commits the transaction, or releases the savepoint.
    ///
    /// What it wrote is marked before the commit is sent, so that no reader can keep what is about
    /// to be outdated.
    pub async fn commit(mut self) -> Result<(), Error> {
        let live = self.live().await?;
        let depth = DB::TransactionManager::get_transaction_depth(&live.connection);
        let sql = match depth {
            0 | 1 => "COMMIT".to_owned(),
            depth => format!("RELEASE SAVEPOINT {}", savepoint(depth - 1)),
        };
        let mut flight = live.start(&sql, None).await?;
        let committed = DB::TransactionManager::commit(flight.connection()).await;
        flight.land(committed).await?;
        self.open = false;
        Ok(())
    }

    /// Rolls back the transaction, or to the savepoint.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let live = self.live().await?;
        let sql = rollback(DB::TransactionManager::get_transaction_depth(
            &live.connection,
        ));
        let mut flight = live.start(&sql, None).await?;
        let rolled_back = DB::TransactionManager::rollback(flight.connection()).await;
        flight.land(rolled_back).await?;
        self.open = false;
        Ok(())
    }
}

impl<DB: Driver> Drop for CachedTransaction<'_, DB> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let Some(live) = self.connection.live_now() else {
            return;
        };
        let sql = rollback(DB::TransactionManager::get_transaction_depth(
            &live.connection,
        ));
        // sqlx sends it before whatever comes next on this connection.
        DB::TransactionManager::start_rollback(&mut *live.connection);
        if let Ok(running) = live.session.before(&sql, &[]) {
            live.session.after(running, Outcome::Done);
        }
    }
}

/// The name that sqlx gives to the savepoint of this depth.
fn savepoint(depth: usize) -> String {
    format!("_sqlx_savepoint_{depth}")
}

fn rollback(depth: usize) -> String {
    match depth {
        0 | 1 => "ROLLBACK".to_owned(),
        depth => format!("ROLLBACK TO SAVEPOINT {}", savepoint(depth - 1)),
    }
}

impl<DB: Driver> Deref for Held<'_, DB> {
    type Target = CachedConnection<DB>;

    fn deref(&self) -> &CachedConnection<DB> {
        match self {
            Held::Owned(connection) => connection,
            Held::Borrowed(connection) => connection,
        }
    }
}

impl<DB: Driver> DerefMut for Held<'_, DB> {
    fn deref_mut(&mut self) -> &mut CachedConnection<DB> {
        match self {
            Held::Owned(connection) => connection,
            Held::Borrowed(connection) => connection,
        }
    }
}

impl<DB: Driver> Deref for CachedTransaction<'_, DB> {
    type Target = CachedConnection<DB>;

    fn deref(&self) -> &CachedConnection<DB> {
        &self.connection
    }
}

impl<DB: Driver> DerefMut for CachedTransaction<'_, DB> {
    fn deref_mut(&mut self) -> &mut CachedConnection<DB> {
        &mut self.connection
    }
}

impl<DB: Driver> fmt::Debug for CachedTransaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedTransaction")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
