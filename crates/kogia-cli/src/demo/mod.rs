//! `kogia demo`: a bookshop, several processes, one shared store, and no stale answer.

mod counter;
mod report;
mod shop;
mod statements;
mod worker;

use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use self::report::{Report, WorkerReport};
use self::shop::Size;
use crate::database_url::DatabaseUrl;

#[derive(clap::Args, Clone)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How long the shop is open.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,

    /// How many processes serve its customers.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    processes: u64,

    /// How many of a hundred operations write.
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=100))]
    writes: u64,

    /// The database; a new SQLite file in a temporary folder unless told otherwise. In a
    /// PostgreSQL or MySQL database the demo creates the tables kogia_demo_* anew.
    #[arg(long, value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,

    /// The store that the processes share; a file store in a temporary folder unless told
    /// otherwise.
    #[arg(long, value_name = "URL")]
    store: Option<String>,

    /// Print the figures in JSON.
    #[arg(long)]
    json: bool,

    /// Serve as one of the processes: for the demo itself.
    #[arg(long, hide = true, value_name = "NUMBER")]
    worker: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  kogia demo
  kogia demo --seconds 30 --processes 8 --writes 10
  kogia demo --database-url postgres://localhost/scratch
  kogia demo --store 'file:///var/cache/kogia-demo?capacity=100MB' --json

Exits with 1 if a stale answer was found.";

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, String> {
    if let Some(number) = arguments.worker {
        worker::run(&arguments, number)?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let mut arguments = arguments;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let database = arguments
        .database_url
        .get_or_insert_with(|| format!("sqlite://{}", path("shop.db")));
    let database: DatabaseUrl = database.parse()?;
    let store = arguments
        .store
        .get_or_insert_with(|| format!("file://{}?capacity=256MB", path("store")))
        .clone();
    // A wrong URL is found out here, not by four processes.
    store
        .parse::<kogia::StoreUrl>()
        .map_err(|error| format!("--store: {error}"))?;
    if store.starts_with("memory:") && arguments.processes > 1 {
        return Err(
            "--store: the memory store belongs to one process, add --processes 1 or use a \
                    file store"
                .to_owned(),
        );
    }

    let bar = progress(arguments.json);
    bar.set_message("building the bookshop");
    let size = Size::default();
    shop::build(&database, &size, &bar)?;
    let report = serve(&arguments, &bar)?;
    bar.finish_and_clear();
    if arguments.json {
        println!("{}", report.to_json()?);
    } else {
        report.print(&arguments, &database, &store);
    }
    Ok(if report.stale_answers() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Arguments {
    fn open_for(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Runs the processes and collects what they report.
fn serve(arguments: &Arguments, bar: &ProgressBar) -> Result<Report, String> {
    let start = Instant::now();
    let mut workers = Workers(Vec::new());
    for number in 0..arguments.processes {
        workers.0.push(spawn(arguments, number)?);
    }
    bar.set_length(arguments.seconds * 10);
    bar.set_message("open");
    let mut reports = Vec::new();
    for child in &mut workers.0 {
        let output = child.stdout.take().ok_or("a process has no output")?;
        let mut last = String::new();
        for line in BufReader::new(output).lines() {
            last = line.map_err(|error| format!("a process fell silent: {error}"))?;
            let tenths = start.elapsed().as_millis() as u64 / 100;
            bar.set_position(tenths.min(arguments.seconds * 10));
        }
        let status = child
            .wait()
            .map_err(|error| format!("a process was lost: {error}"))?;
        if !status.success() {
            return Err(format!(
                "a process of the demo failed ({status}); its error stands above"
            ));
        }
        let report: WorkerReport = serde_json::from_str(&last)
            .map_err(|error| format!("a process gave no report: {error}"))?;
        reports.push(report);
    }
    Ok(Report::new(reports))
}

/// The processes, which do not outlive the demo.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended already cannot be killed, which is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(arguments: &Arguments, number: u64) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    let mut command = Command::new(program);
    command
        .arg("demo")
        .args(["--worker", &number.to_string()])
        .args(["--seconds", &arguments.seconds.to_string()])
        .args(["--processes", &arguments.processes.to_string()])
        .args(["--writes", &arguments.writes.to_string()])
        // Not on the command line, where everybody on the machine could read its password.
        .env(
            worker::DATABASE_URL,
            arguments.database_url.as_deref().unwrap_or_default(),
        )
        .args(["--store", arguments.store.as_deref().unwrap_or_default()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
        .spawn()
        .map_err(|error| format!("cannot start a process: {error}"))
}

fn progress(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("{msg:24} [{bar:40}] {elapsed}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
