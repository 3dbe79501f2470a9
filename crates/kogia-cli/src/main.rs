//! The `kogia` command.

mod catalog;
mod database_url;
mod demo;
mod explain;

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
}

const EXAMPLES: &str = "\
Examples:
  kogia demo
  kogia explain \"SELECT * FROM book WHERE id = 7\" --dialect postgres
  kogia explain --batch --database-url postgres://localhost/shop < queries.jsonl

Every command has its own --help with more examples.";

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
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
