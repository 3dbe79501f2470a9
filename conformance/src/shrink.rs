//! Shrinking: from a case that fails to a small one that fails, too.

use crate::case::Case;

/// How often a case is tried at most.
const TRIES: usize = 600;

/// Takes away from a case whatever it fails without.
///
/// First steps, then the setup: large parts first, single lines last.
pub fn shrink(case: &Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut best = case.clone();
    let mut tries = 0;
    let mut attempt = |candidate: Case, best: &mut Case| {
        tries += 1;
        let better = tries <= TRIES && fails(&candidate);
        if better {
            *best = candidate;
        }
        better
    };
    loop {
        let before = best.steps.len() + best.setup.len();
        let mut size = best.steps.len().div_ceil(2);
        while size > 0 {
            let mut at = best.steps.len();
            while at > 0 {
                at = at.saturating_sub(size);
                let mut candidate = best.clone();
                let end = (at + size).min(candidate.steps.len());
                candidate.steps.drain(at.min(end)..end);
                attempt(candidate, &mut best);
            }
            size /= 2;
        }
        for at in (0..best.setup.len()).rev() {
            let mut candidate = best.clone();
            candidate.setup.remove(at);
            attempt(candidate, &mut best);
        }
        for at in 0..best.steps.len() {
            let mut candidate = best.clone();
            if candidate.steps[at].meanwhile.take().is_some() {
                attempt(candidate, &mut best);
            }
        }
        if best.steps.len() + best.setup.len() == before {
            return best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{Statement, Step};

    #[test]
    fn what_does_not_matter_goes() {
        let step = |text: &str| Step::execute(0, Statement::new(text));
        let case = Case {
            setup: (0..9).map(|n| n.to_string()).collect(),
            steps: (0..40).map(|n| step(&n.to_string())).collect(),
            ..Case::default()
        };
        let fails = |case: &Case| {
            let has = |text: &str| case.steps.iter().any(|step| step.statement.sql == text);
            has("7") && has("23") && case.setup.contains(&"4".to_owned())
        };
        let small = shrink(&case, fails);
        assert_eq!(small.to_string(), "case \nsetup 4\na: 7\na: 23\n");
    }
}
