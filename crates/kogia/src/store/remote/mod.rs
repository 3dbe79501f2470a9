//! What the stores behind a network share.

mod breaker;
mod pool;

pub(super) use self::breaker::Breaker;
pub(super) use self::pool::Pool;
