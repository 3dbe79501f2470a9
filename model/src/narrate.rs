//! Steps in words.

use crate::client::{Client, Event, How, Phase};
use crate::database::Answer;
use crate::protocol::{Action, Protocol};
use crate::state::State;
use crate::statements::{Cells, TagMask, Text};
use crate::store::COLD;

/// What happens in one step, as a sentence.
pub fn narrate(protocol: &Protocol, before: &State, action: Action, after: &State) -> String {
    let name = |client: u8| protocol.configuration.programs[usize::from(client)].name;
    let sql = |client: u8| {
        let at = before.clients[usize::from(client)].at;
        let text = protocol.text(at, client.into());
        text.map_or("its statement", Text::sql)
    };
    let sentence = match action {
        Action::Step(client) => step(protocol, before, client.into(), after),
        Action::Clear(client) => {
            let clearing = before.clients[usize::from(client)].clearing.first();
            let tags = clearing.map(|clearing| clearing.tags).unwrap_or_default();
            let renewed = changed(before, after, tags);
            format!(
                "the store clears {} of {}",
                tag_names(protocol, renewed),
                name(client)
            )
        }
        Action::Execute(client) => format!(
            "the database executes {} of {} as commit {}{}",
            sql(client),
            name(client),
            after.database.version(),
            match before.database.connections[usize::from(client)].closed {
                true => "",
                false => ", who learns it",
            }
        ),
        Action::Refuse(client) => {
            format!(
                "the database refuses {} of {}, who learns it",
                sql(client),
                name(client)
            )
        }
        Action::Look(owner) => {
            let over = after.verdict.is_some_and(|verdict| verdict.over);
            let found = if over { "over" } else { "not over" };
            let who = owner_name(protocol, owner);
            format!("somebody meets an old mark of {who} and finds that it is {found}")
        }
        Action::Settle => match before.verdict {
            Some(verdict) if verdict.over => {
                let who = owner_name(protocol, verdict.owner);
                format!("the store clears the old mark of {who}")
            }
            _ => "the store extends the lease of the mark".to_owned(),
        },
        Action::Tick => "half a lease passes".to_owned(),
        Action::Lose(client) => match before.clients[usize::from(client)].phase {
            Phase::Sent => format!("the connection of {} is lost", name(client)),
            _ => format!(
                "the mark of {}, or its acknowledgement, is lost",
                name(client)
            ),
        },
        Action::Crash(client) => format!("{} crashes", name(client)),
        Action::LateMark(client) => {
            format!(
                "a mark that {} sent long ago reaches the store",
                name(client)
            )
        }
        Action::EvictGeneration(tag) => {
            let tag = protocol.vocabulary.name(tag.into());
            format!("the store evicts the generation of {tag}")
        }
        Action::EvictEntry(query) => {
            let query = protocol.queries[usize::from(query)].sql();
            format!("the store evicts the entry of {query}")
        }
        Action::Restart => "the store loses everything and comes back".to_owned(),
        Action::Replicate => "the replica of the store catches up".to_owned(),
        Action::Lag(client, version) => format!(
            "a replica that has seen {version} commits answers {} of {}",
            sql(client),
            name(client)
        ),
    };
    let mut letters = sentence.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

fn step(protocol: &Protocol, before: &State, index: usize, after: &State) -> String {
    let name = protocol.configuration.programs[index].name;
    let (was, is) = (&before.clients[index], &after.clients[index]);
    let text = protocol.text(was.at, index).unwrap_or(Text::Begin);
    let sql = text.sql();
    match (&was.phase, &is.phase) {
        (Phase::Ready, _) if is.at == was.at && is.session.len() > was.session.len() => {
            let clean = |event: &Event| matches!(event, Event::CommitGeneration(generation) if generation.is_clean());
            let found = if is.session.last().is_some_and(clean) {
                "clean"
            } else {
                "marked"
            };
            format!("{name} reads the commit tag and finds it {found}")
        }
        (Phase::Ready, _) if text.is_query() => {
            format!(
                "{name} asks for {sql}: {}",
                decision(protocol, was, is, text, after)
            )
        }
        (Phase::Reading(_), _) => {
            format!(
                "{name} goes on: {}",
                decision(protocol, was, is, text, after)
            )
        }
        (Phase::Ready, phase) => {
            let run: Vec<_> = (was.at..is.at)
                .filter_map(|at| protocol.text(at, index))
                .map(Text::sql)
                .collect();
            let mut parts = Vec::new();
            if !run.is_empty() {
                parts.push(format!("runs {}", run.join(", ")));
            }
            if let Phase::Marking { .. } = phase {
                let text = protocol.text(is.at, index).map_or("", Text::sql);
                let tags = tag_names(protocol, is.marked);
                parts.push(format!("sends a mark of {tags}, to run {text}"));
            }
            format!("{name} {}", parts.join(" and "))
        }
        (Phase::Running { .. }, Phase::Filling { value, .. }) => format!(
            "the database answers {sql} of {name}: {}; {name} is about to store that",
            answer(text, *value)
        ),
        (Phase::Running { .. }, _) => format!("the database answers {sql} of {name}"),
        (Phase::Filling { value, .. }, _) => {
            let waiters: Vec<_> = before
                .waiters(index)
                .map(|waiter| protocol.configuration.programs[waiter].name)
                .collect();
            let shared = match waiters.is_empty() {
                true => String::new(),
                false => format!("; {} has it too", waiters.join(", ")),
            };
            format!("{name} stores {}{shared}", answer(text, *value))
        }
        (Phase::Marking { .. }, Phase::Sent) => format!("{name} sends {sql}"),
        (Phase::Marking { next: 1.., .. }, Phase::Marking { next: 0, .. }) => {
            format!("{name} has waited too long and sends its mark again")
        }
        (Phase::Marking { .. }, _) => {
            let tags = tag_names(protocol, changed(before, after, was.marked));
            format!("the store marks {tags} for {name}")
        }
        _ => format!("{name} goes on with {sql}"),
    }
}

/// What a read was given.
fn decision(protocol: &Protocol, was: &Client, is: &Client, text: Text, after: &State) -> String {
    let ended = after.ended.first().copied();
    let hit = |what: &str| {
        let stored = match ended {
            Some(How::PrivateHit) => is.private_entry(text).map(|entry| entry.value),
            _ => after.store.entries[protocol.query_index(text)]
                .as_ref()
                .map(|entry| entry.value),
        };
        let value = stored.map_or_else(String::new, |value| answer(text, value));
        format!("{what}, {value}")
    };
    match &is.phase {
        _ if is.at > was.at => match ended {
            Some(How::PrivateHit) => hit("it has kept the answer"),
            Some(How::Hit | How::SnapshotHit) => hit("a hit"),
            Some(How::Marked) => "a tag is marked, so it stores nothing".to_owned(),
            Some(How::SnapshotMoved) => {
                "the commit tag has moved, so it leaves the cache alone".to_owned()
            }
            _ => "it bypasses".to_owned(),
        },
        Phase::Reading(reading) => format!("{} generations read", reading.generations.len()),
        Phase::Waiting { leader, .. } => {
            let leader = protocol.configuration.programs[usize::from(*leader)].name;
            format!("it joins the flight of {leader}")
        }
        Phase::Running { how, .. } => match how {
            How::Miss => "a miss".to_owned(),
            How::Stale => "the entry is stale".to_owned(),
            _ => "it will store what it reads".to_owned(),
        },
        _ => "it goes on".to_owned(),
    }
}

/// Those of the tags whose state is another one now.
fn changed(before: &State, after: &State, tags: TagMask) -> TagMask {
    let differs = |tag: &usize| before.store.tags[*tag].owners() != after.store.tags[*tag].owners();
    let bits = tags.indices().filter(differs).map(|tag| 1 << tag);
    match bits.fold(0, |mask, bit| mask | bit) {
        0 => tags,
        bits => TagMask(bits),
    }
}

fn tag_names(protocol: &Protocol, tags: TagMask) -> String {
    let names: Vec<_> = tags
        .indices()
        .map(|tag| protocol.vocabulary.name(tag))
        .collect();
    names.join(", ")
}

fn owner_name(protocol: &Protocol, owner: u8) -> &'static str {
    if owner >= COLD {
        return "the store's earlier incarnation";
    }
    protocol.configuration.programs[usize::from(owner / 16)].name
}

/// How old an answer is.
fn answer(text: Text, value: Answer) -> String {
    let cells = (0..Cells::COUNT).filter(|cell| text.cells().contains(*cell));
    let newest = cells.map(|cell| value.0[cell]).max().unwrap_or(0);
    match newest {
        0 if text == Text::ReadKey => "no row".to_owned(),
        0 | 1 => "the data from before any commit".to_owned(),
        own if own >= Answer::OWN => format!("{} of its own writes", own - Answer::OWN),
        commit => format!("the data as of commit {}", commit - 1),
    }
}
