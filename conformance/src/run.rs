//! Runs a case on two databases, with a cache and without, and compares every answer.

use std::fmt;

use kogia::ReadOutcome;

use crate::case::Case;
use crate::connection::{Bare, Connection, Server};
use crate::front::{FrontEnd, outcome_kind};
use crate::step::{Expect, Step};
use crate::value::Answer;

/// What came of a case whose answers were all right: per step, what came of its read.
pub type Outcomes = Vec<Option<ReadOutcome>>;

/// A step whose answer is not what it must be.
#[derive(Debug)]
pub struct Difference {
    /// Which step, counted from 0; the number of steps if the setup failed.
    pub step: usize,
    /// What is wrong.
    pub what: Wrong,
    /// The outcomes of the read that shows it.
    pub outcome: Option<ReadOutcome>,
}

/// What can be wrong with a step.
#[derive(Debug)]
pub enum Wrong {
    /// The answers differ.
    Answers {
        /// What the database without a cache said.
        bare: Answer,
        /// What came through the cache.
        cached: Answer,
    },
    /// The answer is right, but did not come as the case says.
    Outcome {
        /// What the case says.
        expected: Expect,
    },
    /// A statement of the setup failed.
    Setup(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Wrong::Answers { bare, cached } => {
                writeln!(
                    f,
                    "without a cache: {bare:?}\nthrough the cache: {cached:?}"
                )?;
            }
            Wrong::Outcome { expected } => writeln!(f, "the answer is right, but no {expected}")?,
            Wrong::Setup(error) => writeln!(f, "the setup failed: {error}")?,
        }
        match &self.outcome {
            Some(ReadOutcome::Bypass(reason)) => write!(f, "the read was a bypass: {reason}"),
            Some(outcome) => write!(f, "the read was a {outcome:?}"),
            None => f.write_str("the cache was not asked"),
        }
    }
}

/// The name of the database without a cache, on a server.
pub const BARE: &str = "kogia_case_bare";
/// The name of the database behind the cache, on a server.
pub const CACHED: &str = "kogia_case_cached";

/// Whether two answers are one. Messages of errors may name the database, which is another one.
fn same_answer(bare: &Answer, cached: &Answer) -> bool {
    match (bare, cached) {
        (Err(bare), Err(cached)) => bare.replace(BARE, CACHED) == *cached,
        (bare, cached) => bare == cached,
    }
}

/// The step on one of the two databases: `{database}` in a text is its name.
fn on_database(step: &Step, database: &str) -> Step {
    let mut step = step.clone();
    step.statement.sql = step.statement.sql.replace("{database}", database);
    step.meanwhile = step
        .meanwhile
        .map(|meanwhile| Box::new(on_database(&meanwhile, database)));
    step
}

/// Runs the steps of a case on both.
pub async fn run_steps<S: Server, F: FrontEnd>(
    case: &Case,
    bare: &mut [Bare<S>],
    cached: &mut [F::Session],
    front: &F,
) -> Result<Outcomes, Difference> {
    let mut outcomes = Vec::with_capacity(case.steps.len());
    front.recorder().take();
    for (index, step) in case.steps.iter().enumerate() {
        let without = run_step(&on_database(step, BARE), bare).await;
        let step = &on_database(step, CACHED);
        let with = run_step(step, cached).await;
        let seen = front.recorder().take();
        let of_step = seen
            .iter()
            .rev()
            .find(|(sql, _)| *sql == step.statement.sql);
        let outcome = of_step.map(|(_, outcome)| outcome.clone());
        let wrong = |what, outcome| Difference {
            step: index,
            what,
            outcome,
        };
        for (bare, cached) in without.into_iter().zip(with) {
            if !same_answer(&bare, &cached) {
                return Err(wrong(Wrong::Answers { bare, cached }, outcome));
            }
        }
        if let Some(expected) = step.expect
            && outcome.as_ref().map_or(Expect::Bypass, outcome_kind) != expected
        {
            return Err(wrong(Wrong::Outcome { expected }, outcome));
        }
        outcomes.push(outcome.filter(|_| step.read));
    }
    Ok(outcomes)
}

/// The answers of a step and of what happens meanwhile.
async fn run_step<C: Connection>(step: &Step, sessions: &mut [C]) -> Vec<Answer> {
    let Some(meanwhile) = &step.meanwhile else {
        return vec![run_on(step, &mut sessions[step.session], async || {}).await];
    };
    let Ok([session, other]) = sessions.get_disjoint_mut([step.session, meanwhile.session]) else {
        return vec![Err(
            "a session does nothing while it does something".to_owned()
        )];
    };
    let mut inner = None;
    let happens = async || inner = Some(run_on(meanwhile, other, async || {}).await);
    let outer = run_on(step, session, happens).await;
    vec![
        outer,
        inner.unwrap_or_else(|| Err("it never happened".to_owned())),
    ]
}

async fn run_on<C: Connection>(
    step: &Step,
    session: &mut C,
    meanwhile: impl AsyncFnOnce(),
) -> Answer {
    if step.read {
        session.read(&step.statement, meanwhile).await
    } else {
        session.execute(&step.statement, meanwhile).await
    }
}
