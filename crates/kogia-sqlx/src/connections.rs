//! What is known about each physical connection of a pool.
//!
//! A pool of sqlx hands out connections without any mark to tell them apart, and without a place
//! for what somebody knows about them. But each keeps a cache of prepared statements. Preparing
//! the same small statement again costs no round trip then and gives the same description, shared
//! and at one address. A new address is a new connection: only then is it asked which database it
//! is connected to, as whom, with what settings, and which server process it is. So a failover to
//! another server, or a setting that changed, is noticed at the connection where it begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kogia::introspect::Identity;
use kogia::{Backend, Cache, Database, Resolver};
use sqlx::{Error, SqlStr, Statement};

use crate::driver::Driver;
use crate::introspect;

/// A connection's database, and where its writes run.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) database: Database,
    pub(crate) backend: Backend,
    /// Whether what it answers may be stored.
    pub(crate) primary: bool,
}

/// The connections that a pool has handed out.
pub(crate) struct Connections<DB: Driver> {
    cache: Cache,
    resolver: Arc<dyn Resolver>,
    state: Mutex<State<DB>>,
}

struct State<DB: Driver> {
    /// By the address of the marker's description. The statement beside it keeps the address from
    /// being used again.
    known: HashMap<usize, (DB::Statement, Arc<Known>)>,
    /// Where connections cannot be told apart they are all alike.
    only: Option<Arc<Known>>,
    /// Databases that connections were found to be connected to: usually one.
    databases: Vec<Database>,
}

impl<DB: Driver> Connections<DB> {
    /// More connections than this are forgotten, and asked again.
    const CAPACITY: usize = 4096;

    pub(crate) fn new(cache: Cache, resolver: Arc<dyn Resolver>) -> Self {
        let state = State {
            known: HashMap::new(),
            only: None,
            databases: Vec::new(),
        };
        Connections {
            cache,
            resolver,
            state: Mutex::new(state),
        }
    }

    /// What is known about a connection, asking it if it is new.
    pub(crate) async fn know(&self, connection: &mut DB::Connection) -> Result<Arc<Known>, Error> {
        let Some(marker) = DB::MARKER else {
            if let Some(known) = &self.lock().only {
                return Ok(Arc::clone(known));
            }
            let known = self.learn(introspect::identify::<DB>(connection).await?);
            return Ok(Arc::clone(self.lock().only.get_or_insert(known)));
        };
        let statement = DB::prepare(connection, SqlStr::from_static(marker), &[]).await?;
        let address = statement.columns().as_ptr().addr();
        if let Some((_, known)) = self.lock().known.get(&address) {
            return Ok(Arc::clone(known));
        }
        let known = self.learn(introspect::identify::<DB>(connection).await?);
        let mut state = self.lock();
        if state.known.len() >= Self::CAPACITY {
            state.known.clear();
        }
        state.known.insert(address, (statement, Arc::clone(&known)));
        Ok(known)
    }

    /// A connection whose database, role and settings were met before shares what is known of it.
    fn learn(&self, identity: Identity) -> Arc<Known> {
        let Identity {
            config,
            backend,
            primary,
            // One that a session has altered does not go back to the pool, so a connection that is met
            // for the first time has none.
            temporary: _,
        } = identity;
        let mut state = self.lock();
        let same = |database: &&Database| {
            let known = database.config();
            known.id == config.id
                && known.settings == config.settings
                && known.attached == config.attached
                && known.altered == config.altered
                && known.isolation == config.isolation
                && known.autocommit == config.autocommit
        };
        let database = match state.databases.iter().find(same) {
            Some(database) => database.clone(),
            None => {
                let database = self.cache.database(config);
                database.set_resolver(Arc::clone(&self.resolver));
                state.databases.push(database.clone());
                database
            }
        };
        Arc::new(Known {
            database,
            backend,
            primary,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<DB>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
