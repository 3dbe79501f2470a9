//! Runs the checker and says what it found.

use std::io;
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};

use crate::protocol::{Action, Protocol};
use crate::state::State;

/// What the checker found.
#[derive(Debug)]
pub struct Findings {
    /// How many states were generated, repeats included.
    pub generated: usize,
    /// How many different states were reached.
    pub states: usize,
    /// The length of the longest history that was followed.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Whether every reachable state was visited.
    pub exhausted: bool,
    /// The properties that hold, as far as was checked.
    pub hold: Vec<&'static str>,
    /// The properties that do not hold, each with a history that shows it.
    pub violated: Vec<History>,
    /// The examples that were found.
    pub examples: Vec<&'static str>,
    /// The examples that were not found.
    pub missing: Vec<&'static str>,
}

/// What happened, step by step.
#[derive(Debug)]
pub struct History {
    /// The property that it is about.
    pub property: &'static str,
    /// The steps, as sentences.
    pub steps: Vec<String>,
}

/// Checks a model exhaustively, or until something does not hold.
pub fn check(protocol: &Protocol, threads: usize) -> Findings {
    run(protocol, threads, HasDiscoveries::AnyFailures, None)
}

/// Checks a model until a property is violated.
pub fn refute(protocol: &Protocol, property: &'static str) -> Findings {
    let stop_at = HasDiscoveries::AnyOf([property].into());
    run(protocol, 1, stop_at, None)
}

/// A shorter history that violates a property than the one of this many steps, if there is one.
pub fn shorten(protocol: &Protocol, property: &'static str, steps: usize) -> Option<History> {
    let stop_at = HasDiscoveries::AnyOf([property].into());
    // The checker counts states, and leaves those at the limit alone.
    let mut histories = run(protocol, 1, stop_at, Some(steps + 1)).violated;
    histories.retain(|history| history.property == property);
    histories.pop()
}

fn run(
    protocol: &Protocol,
    threads: usize,
    stop_at: HasDiscoveries,
    depth: Option<usize>,
) -> Findings {
    let began = Instant::now();
    let mut builder = protocol
        .clone()
        .checker()
        .threads(threads)
        .finish_when(stop_at.clone());
    if let Some(depth) = depth {
        builder = builder.target_max_depth(depth);
    }
    let checker = builder.spawn_bfs().join();
    let mut discoveries = checker.discoveries();
    let properties = checker.model().properties();
    let stopped = stop_at.matches(&discoveries.keys().copied().collect(), &properties);
    let mut findings = Findings {
        generated: checker.state_count(),
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        took: began.elapsed(),
        exhausted: checker.is_done() && !stopped && depth.is_none(),
        hold: Vec::new(),
        violated: Vec::new(),
        examples: Vec::new(),
        missing: Vec::new(),
    };
    for property in &properties {
        let path = discoveries.remove(property.name);
        match (&property.expectation, path) {
            (Expectation::Sometimes, Some(_)) => findings.examples.push(property.name),
            (Expectation::Sometimes, None) => findings.missing.push(property.name),
            (_, None) => findings.hold.push(property.name),
            (_, Some(path)) => findings.violated.push(History {
                property: property.name,
                steps: sentences(checker.model(), path),
            }),
        }
    }
    findings
}

/// Serves stateright's explorer, for ever.
pub fn explore(protocol: Protocol, address: &str) -> io::Result<()> {
    // The explorer panics on an address that it cannot listen on.
    let addresses: Vec<_> = address.to_socket_addrs()?.collect();
    std::net::TcpListener::bind(addresses.as_slice())?;
    protocol.checker().serve(addresses.as_slice());
    Ok(())
}

fn sentences(protocol: &Protocol, path: Path<State, Action>) -> Vec<String> {
    path.into_vec()
        .into_iter()
        .filter_map(|(state, action)| protocol.format_step(&state, action?))
        .collect()
}
