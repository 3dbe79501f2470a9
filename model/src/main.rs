//! The command that checks the model of the coherence protocol.

use std::process::ExitCode;

use clap::Parser;
use kogia_model::{
    Configuration, Findings, History, Mutant, Protocol, check, explore, refute, shorten,
};

/// Checks Kogia's coherence protocol: every order of events, in several small worlds.
///
/// The model runs the step functions of kogia-core, the same as production does.
#[derive(Debug, Parser)]
#[command(
    name = "kogia-model",
    after_help = "Examples:\n  \
        kogia-model                                 check every configuration\n  \
        kogia-model --configuration snapshot        check one\n  \
        kogia-model --mutant stamp-after-query      break a rule and see what it gives\n  \
        kogia-model --mutant all                    break every rule, one after the other\n  \
        kogia-model --configuration torn --explore  walk through it in a browser\n\n\
        Exits with 1 if an invariant does not hold, or if a mutant was not found out."
)]
struct Arguments {
    /// Check only this configuration, or show the mutant in it [see --list]
    #[arg(long, value_name = "NAME")]
    configuration: Option<String>,
    /// Break one rule and print a history that shows what it gives, or `all` [see --list]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// List the configurations and the mutants
    #[arg(long)]
    list: bool,
    /// Serve stateright's explorer instead, for the one configuration or mutant
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "localhost:3000")]
    explore: Option<String>,
    /// How many threads check a configuration
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    if arguments.list {
        list();
        return Ok(true);
    }
    let configuration = match &arguments.configuration {
        None => None,
        Some(name) => Some(Configuration::named(name).ok_or_else(|| {
            format!("there is no configuration {name:?}; --list says which there are")
        })?),
    };
    let mutants =
        match arguments.mutant.as_deref() {
            None => Vec::new(),
            Some("all") => Mutant::ALL.to_vec(),
            Some(name) => vec![Mutant::named(name).ok_or_else(|| {
                format!("there is no mutant {name:?}; --list says which there are")
            })?],
        };
    if let Some(address) = &arguments.explore {
        let mutant = mutants.first().copied();
        let protocol = match (configuration, mutant) {
            (Some(configuration), mutant) => Protocol::new(configuration, mutant),
            (None, Some(mutant)) => Protocol::new(home(mutant)?, Some(mutant)),
            (None, None) => return Err("--explore needs --configuration or --mutant".to_owned()),
        };
        println!("Serving on http://{address} until interrupted.");
        explore(protocol, address).map_err(|error| format!("--explore {address}: {error}"))?;
        return Ok(true);
    }
    let mut well = true;
    if mutants.is_empty() {
        let configurations = configuration.map_or_else(Configuration::all, |one| vec![one]);
        for configuration in configurations {
            well &= show_configuration(configuration, arguments.threads.max(1));
        }
        return Ok(well);
    }
    for mutant in mutants {
        let configuration = match &configuration {
            Some(configuration) => configuration.clone(),
            None => home(mutant)?,
        };
        well &= show_mutant(mutant, configuration);
    }
    Ok(well)
}

fn home(mutant: Mutant) -> Result<Configuration, String> {
    let name = mutant.configuration();
    Configuration::named(name).ok_or_else(|| format!("there is no configuration {name:?}"))
}

fn list() {
    println!("Configurations:");
    for configuration in Configuration::all() {
        println!("  {:24}{}", configuration.name, configuration.about);
    }
    println!("\nMutants:");
    for mutant in Mutant::ALL {
        println!("  {:24}{}", mutant.name(), mutant.about());
    }
}

fn show_configuration(configuration: Configuration, threads: usize) -> bool {
    println!("{}: {}", configuration.name, configuration.about);
    let findings = check(&Protocol::new(configuration, None), threads);
    show_counts(&findings);
    for name in &findings.hold {
        println!("  holds     {name}");
    }
    for name in &findings.examples {
        println!("  found     {name}");
    }
    for name in &findings.missing {
        println!("  MISSING   {name}");
    }
    show_histories(&findings);
    println!();
    findings.violated.is_empty() && findings.missing.is_empty() && findings.exhausted
}

fn show_mutant(mutant: Mutant, configuration: Configuration) -> bool {
    println!("{}: {}", mutant.name(), mutant.about());
    println!("  in {}: {}", configuration.name, configuration.about);
    let protocol = Protocol::new(configuration, Some(mutant));
    let mut findings = refute(&protocol, mutant.violates());
    show_counts(&findings);
    let wanted = |history: &History| history.property == mutant.violates();
    findings.violated.retain(wanted);
    for history in &mut findings.violated {
        while let Some(shorter) = shorten(&protocol, mutant.violates(), history.steps.len()) {
            *history = shorter;
        }
    }
    show_histories(&findings);
    if findings.violated.is_empty() {
        println!("  SURVIVES: no history violates \"{}\"", mutant.violates());
    }
    println!();
    !findings.violated.is_empty()
}

fn show_counts(findings: &Findings) {
    println!(
        "  {} states ({} generated), {} steps deep, {:.1} s{}",
        findings.states,
        findings.generated,
        findings.depth,
        findings.took.as_secs_f64(),
        if findings.exhausted {
            ", all of them"
        } else {
            ""
        },
    );
}

fn show_histories(findings: &Findings) {
    for history in &findings.violated {
        println!("  VIOLATED  {}", history.property);
        for (number, step) in history.steps.iter().enumerate() {
            println!("  {:4}. {step}", number + 1);
        }
    }
}
