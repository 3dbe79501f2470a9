//! Why a new primary does not acknowledge marks at once.
//!
//! Where others elect the primary, a reader takes a server for it for as long as
//! [`FRESH`](super::connection::FRESH) after more than half of them have said so. A failover may
//! take place a moment later, and the old primary go on: an operator asked for it, or only the
//! electors do not reach the old one. So a writer that marks in the new one waits until every such
//! reader has to ask again, and commits then: whoever reads from the old one began before the commit.
//! This is how a lease of a leader is fenced off (Gray and Cheriton, "Leases", 1989).

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use redis::RedisResult;

use super::cluster::is_moving;
use super::connection::{Connection, FRESH, Refused};
use super::nodes::Nodes;

/// How old the incarnation of an elected primary must be when a mark in it is acknowledged: a tenth more
/// than what readers rely on, because clocks do not go alike.
pub(super) const FENCE: Duration = Duration::from_millis(FRESH.as_millis() as u64 * 11 / 10);

/// What a process knows of the age of incarnations.
#[derive(Debug, Default)]
pub(super) struct Fence {
    /// The server whose incarnation is old enough.
    settled: Mutex<Option<[u8; 16]>>,
}

impl Fence {
    /// Waits until no reader relies on an older primary than the one that has the marks.
    pub(super) fn wait(&self, nodes: &Nodes, marks: &[u8]) -> Result<(), Refused> {
        let (server, remaining) = nodes.with_tags(|connection| {
            let remaining = match self.is_settled(&connection.server) {
                true => Duration::ZERO,
                false => remaining(connection, marks)?,
            };
            Ok((connection.server, remaining))
        })?;
        if !remaining.is_zero() {
            thread::sleep(remaining);
        }
        if !self.is_settled(&server) {
            *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        }
        Ok(())
    }

    fn is_settled(&self, server: &[u8; 16]) -> bool {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.as_ref() == Some(server)
    }
}

/// How long the incarnation that has the marks is still too young, by its server's clock.
fn remaining(connection: &mut Connection, marks: &[u8]) -> RedisResult<Duration> {
    let mut pipe = redis::pipe();
    let fields = ["server", "until", "length"];
    let pipe = pipe.cmd("HMGET").arg(marks).arg(&fields).cmd("TIME");
    type Found = (Option<Vec<u8>>, Option<i64>, Option<i64>);
    let ((server, until, length), (seconds, micros)) =
        match pipe.query::<(Found, (i64, i64))>(&mut connection.raw) {
            // The marks are on their way to another node.
            Err(error) if is_moving(&error) => return Ok(FENCE),
            answer => answer?,
        };
    let is_known = server.as_deref() == Some(&connection.server[..]);
    let (Some(until), Some(length), true) = (until, length, is_known) else {
        return Ok(FENCE);
    };
    let age = (seconds * 1000 + micros / 1000).saturating_sub(until.saturating_sub(length));
    let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
    Ok(FENCE.saturating_sub(age))
}
