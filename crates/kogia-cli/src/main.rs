//! The `kogia` command.

mod catalog;
mod database_url;
mod demo;
mod doctor;
mod explain;
mod shown;
mod stats;
mod top;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A cache of SQL query results that invalidates itself.
#[derive(Parser)]
#[command(name = "kogia", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a bookshop on the cache: how fast it is, and that no answer is stale.
    Demo(demo::Arguments),
    /// Say what a statement reads and writes, and whether its result can be cached.
    Explain(explain::Arguments),
    /// Examine a store: whether it is as a cache needs it, and what will go wrong with it.
    Doctor(doctor::Arguments),
    /// Say what a store holds.
    Stats(stats::Arguments),
    /// Watch what processes read and write, and what a store holds.
    Top(top::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  kogia demo
  kogia explain \"SELECT * FROM book WHERE id = 7\" --dialect postgres
  kogia explain --batch --database-url postgres://localhost/shop < queries.jsonl
  kogia doctor --store file:///var/cache/app
  kogia stats file:///var/cache/app

Every command has its own --help with more examples.";

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Stats(arguments) => stats::run(arguments),
        Command::Top(arguments) => top::run(arguments),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            anstream::eprintln!("{}error:{} {message}", ERROR.render(), ERROR.render_reset());
            ExitCode::from(2)
        }
    }
}

const ERROR: anstyle::Style = anstyle::Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(anstyle::AnsiColor::Red)));
