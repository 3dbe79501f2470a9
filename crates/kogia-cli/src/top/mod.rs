//! `kogia top`: the numbers of running processes and of a store, live.

mod numbers;
mod source;
mod view;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use self::numbers::History;
use self::source::Source;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Prometheus endpoints of processes, whose counters are added up, and at most one store.
    #[arg(value_name = "URL", required = true)]
    sources: Vec<String>,

    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    interval: f64,
}

const EXAMPLES: &str = "\
Examples:
  kogia top http://127.0.0.1:9000/metrics
  kogia top http://10.0.0.1:9000/metrics http://10.0.0.2:9000/metrics file:///var/cache/app
  kogia top file:///var/cache/app --interval 5

Processes count reads and writes each for itself, and a store knows what it holds. The address is
that of the application's exporter; Kogia's counters begin with kogia_. Press q to leave.";

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let sources: Vec<Source> = arguments
        .sources
        .iter()
        .map(|url| url.parse())
        .collect::<Result<_, String>>()?;
    if sources.iter().filter(|source| source.is_store()).count() > 1 {
        return Err("name one store: what several hold cannot be added up".to_owned());
    }
    let interval = Duration::from_secs_f64(arguments.interval);
    let mut terminal =
        ratatui::try_init().map_err(|error| format!("this is no terminal: {error}"))?;
    let shown = show(&mut terminal, &sources, interval);
    ratatui::restore();
    shown.map_err(|error| format!("the terminal: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Looks and draws until somebody wants to leave.
fn show(
    terminal: &mut ratatui::DefaultTerminal,
    sources: &[Source],
    interval: Duration,
) -> std::io::Result<()> {
    let mut history = History::default();
    loop {
        let next = Instant::now() + interval;
        history.add(Instant::now(), source::look(sources));
        terminal.draw(|frame| view::draw(frame, &history))?;
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if !event::poll(left)? {
                break;
            }
            match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => {
                    let is_interrupt = key.code == KeyCode::Char('c')
                        && key.modifiers.contains(KeyModifiers::CONTROL);
                    if is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                        return Ok(());
                    }
                }
                Event::Resize(..) => {
                    terminal.draw(|frame| view::draw(frame, &history))?;
                }
                _ => {}
            }
        }
    }
}

fn interval(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("write a number of seconds from 0.1 to 3600".to_owned()),
    }
}
