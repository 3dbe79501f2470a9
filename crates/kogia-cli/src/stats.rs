//! `kogia stats`: what a store holds.

use std::process::ExitCode;

use kogia::StoreUrl;
use serde::Serialize;

use crate::shown::shown;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The store, as it is given to the application.
    #[arg(value_name = "URL", env = "KOGIA_STORE", hide_env_values = true)]
    store: String,

    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  kogia stats file:///var/cache/app
  kogia stats file:///var/cache/app --json

Hits, misses and invalidations are counted by each process for itself: see the metrics that the
application exports.";

#[derive(Serialize)]
struct Report {
    store: String,
    entries: u64,
    bytes: u64,
    capacity: u64,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let url: StoreUrl = arguments
        .store
        .parse()
        .map_err(|error| format!("the store: {error}"))?;
    if let StoreUrl::Memory { .. } = url {
        return Err("the memory store of a process is seen by that process alone".to_owned());
    }
    let store = url.open_existing().map_err(|error| error.to_string())?;
    let usage = store.usage();
    let report = Report {
        store: shown(&arguments.store),
        entries: usage.entries,
        bytes: usage.bytes,
        capacity: usage.capacity,
    };
    if arguments.json {
        let json = serde_json::to_string(&report).map_err(|error| error.to_string())?;
        anstream::println!("{json}");
        return Ok(ExitCode::SUCCESS);
    }
    let percent = report.bytes.saturating_mul(100) / report.capacity.max(1);
    anstream::println!("{}", report.store);
    anstream::println!("  entries  {}", report.entries);
    anstream::println!(
        "  bytes    {} of {} ({percent} %)",
        report.bytes,
        report.capacity
    );
    Ok(ExitCode::SUCCESS)
}
