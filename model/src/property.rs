//! What must hold, and what must happen.

use stateright::Property;

use crate::client::{Client, How, Phase};
use crate::configuration::Configuration;
use crate::protocol::Protocol;
use crate::state::{State, Wrong};
use crate::store::COLD;

pub(crate) const RENEWED: &str = "I1: every commit on a clean tag came before its generation";
pub(crate) const ANSWER: &str = "I2: an answer is the database's at some instant of the request";
pub(crate) const REVIVED: &str = "I3: an entry that was invalid once never validates again";
pub(crate) const CLEAN: &str = "I4: a tag becomes clean once its writers are over";
pub(crate) const OWN_WRITES: &str = "a transaction reads what it has written";
pub(crate) const SNAPSHOT: &str = "a snapshot transaction reads one snapshot";
pub(crate) const FOR_EVER: &str = "nothing is stale for ever";
pub(crate) const ENDS: &str = "every program comes to its end";

pub(crate) const AT_REST: &str = "everything comes to rest";
pub(crate) const HIT: &str = "there is a hit";
pub(crate) const SNAPSHOT_HIT: &str = "a snapshot transaction hits";
pub(crate) const SNAPSHOT_MOVED: &str = "a snapshot transaction leaves the cache alone";
pub(crate) const PRIVATE_HIT: &str = "a transaction reads again what it kept to itself";
pub(crate) const STALE: &str = "a stale entry is found";
pub(crate) const JOINED: &str = "a waiter joins a flight";
pub(crate) const MARKED: &str = "a reader meets a mark";
pub(crate) const RESOLVED: &str = "a mark of a writer that is over is resolved";
pub(crate) const EXTENDED: &str = "a mark of a writer that is not over is extended";
pub(crate) const LATE_COMMIT: &str = "a commit is under way while its client is gone";
pub(crate) const TWO_OWNERS: &str = "two writers hold one tag";
pub(crate) const MARKED_AGAIN: &str = "a writer that waited too long marks again";
pub(crate) const COLD_START: &str = "a store that restarted is marked as a whole";
pub(crate) const WAIVED: &str = "an entry of a found row does not depend on inserts";

/// The properties of a configuration.
pub(crate) fn all(configuration: &Configuration) -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::always(REVIVED, |protocol, state| !revived(protocol, state)),
        Property::always(CLEAN, Protocol::becomes_clean),
        Property::always(OWN_WRITES, |_, state: &State| {
            state.wrong != Some(Wrong::OwnWrites)
        }),
        Property::always(FOR_EVER, |protocol, state| {
            !protocol.is_at_rest(state) || is_fresh(protocol, state)
        }),
        Property::sometimes(AT_REST, Protocol::is_at_rest),
        Property::eventually(ENDS, |_, state: &State| {
            state.clients.iter().all(Client::is_over)
        }),
    ];
    if !configuration.faults.available {
        properties.extend([
            Property::always(RENEWED, |_, state| is_renewed(state)),
            Property::always(ANSWER, |protocol, state: &State| {
                state.wrong != Some(Wrong::Answer) && is_fresh(protocol, state)
            }),
            Property::always(SNAPSHOT, |_, state: &State| {
                state.wrong != Some(Wrong::Snapshot)
            }),
        ]);
    }
    properties.extend(configuration.examples.iter().map(|name| example(name)));
    properties
}

/// An example that must be found.
fn example(name: &'static str) -> Property<Protocol> {
    let condition: fn(&Protocol, &State) -> bool = match name {
        HIT => |_, state| ended(state, How::Hit),
        SNAPSHOT_HIT => |_, state| ended(state, How::SnapshotHit),
        SNAPSHOT_MOVED => |_, state| ended(state, How::SnapshotMoved),
        PRIVATE_HIT => |_, state| ended(state, How::PrivateHit),
        STALE => |_, state| ended(state, How::Stale),
        JOINED => |_, state| ended(state, How::Joined),
        MARKED => |_, state| ended(state, How::Marked),
        RESOLVED => |_, state| state.verdict.is_some_and(|verdict| verdict.over),
        EXTENDED => |_, state| state.verdict.is_some_and(|verdict| !verdict.over),
        LATE_COMMIT => |_, state| {
            let gone = |connection: &crate::database::Connection| {
                connection.closed && connection.wire.is_some()
            };
            state.database.connections.iter().any(gone)
        },
        TWO_OWNERS => |_, state| state.store.tags.iter().any(|tag| tag.owners().len() > 1),
        MARKED_AGAIN => |_, state| {
            let again = |client: &Client| {
                client.owners > 1 && matches!(client.phase, Phase::Marking { .. })
            };
            state.clients.iter().any(again)
        },
        COLD_START => |_, state| {
            let mut owners = state.store.tags.iter().flat_map(|tag| tag.owners());
            owners.any(|lease| lease.owner.0 >= u128::from(COLD))
        },
        WAIVED => |_, state| {
            let entries = state.store.entries.iter().flatten();
            let mut generations = entries.flat_map(|entry| &entry.stamp.0);
            generations.any(|generation| generation.is_missing())
        },
        _ => |_, _| false,
    };
    Property::sometimes(name, condition)
}

fn ended(state: &State, how: How) -> bool {
    state.ended.contains(&how)
}

/// I1, for readers that have not looked yet: what is clean now was written by nobody since it
/// was first readable as clean.
fn is_renewed(state: &State) -> bool {
    let tags = state.store.clean_since.iter().enumerate();
    let mut clean = tags.filter_map(|(tag, since)| Some((tag, (*since)?)));
    clean.all(|(tag, since)| state.database.version_of(tag) == since)
}

/// I2 for a request that begins and ends now.
fn is_fresh(protocol: &Protocol, state: &State) -> bool {
    let version = state.database.version();
    protocol.queries.iter().all(|query| {
        let current = protocol.current_entry(state, *query);
        current.is_none_or(|entry| entry.value == state.database.committed(*query, version))
    })
}

fn revived(protocol: &Protocol, state: &State) -> bool {
    let mut entries = protocol.queries.iter();
    entries.any(|query| {
        let current = protocol.current_entry(state, *query);
        current.is_some_and(|entry| entry.was_invalid)
    })
}
