//! Functions and procedures of users: what the catalog says of them, and what their texts tell.

use std::collections::BTreeMap;

use kogia_core::{Dialect, Function, Volatility};

use super::folded;
use super::token::{Kind, Tokens};

/// A function or procedure as the catalog lists it.
pub(super) struct Routine<'a> {
    pub(super) name: &'a str,
    pub(super) volatility: Volatility,
    pub(super) body: Body<'a>,
}

/// What is known of a routine's text.
pub(super) enum Body<'a> {
    /// A program of the database or of an extension, which leaves the session as it is.
    Harmless,
    /// Its statements.
    Text(&'a str),
    /// Nothing.
    Unknown,
}

/// Routines by folded name. A call does not show which of several of a name is meant, so the
/// worst counts.
///
/// A routine that calls another one, or may, does what that one does.
pub(super) fn functions<'a>(
    dialect: Dialect,
    listed: impl Iterator<Item = Routine<'a>>,
) -> BTreeMap<Box<str>, Function> {
    let mut functions: BTreeMap<Box<str>, Function> = BTreeMap::new();
    let mut texts: Vec<(Box<str>, Vec<String>)> = Vec::new();
    for routine in listed {
        let words = match routine.body {
            Body::Harmless => Some(Vec::new()),
            Body::Text(text) => words(dialect, text),
            Body::Unknown => None,
        };
        let function = functions.entry(folded(routine.name)).or_insert(Function {
            volatility: routine.volatility,
            changes_session: false,
        });
        function.volatility = function.volatility.max(routine.volatility);
        match words {
            Some(words) if !changes_session(dialect, &words) => {
                texts.push((folded(routine.name), words))
            }
            _ => function.changes_session = true,
        }
    }
    while let Some((caller, _)) = texts.iter().find(|(caller, words)| {
        let is_known = |name: &str| functions.get(name).is_some_and(|it| it.changes_session);
        !is_known(caller) && words.iter().any(|word| is_known(word))
    }) {
        if let Some(function) = functions.get_mut(caller) {
            function.changes_session = true;
        }
    }
    functions
}

/// Whether a text, by itself, may leave its session in another state. What it calls is not looked at.
pub(super) fn may_change_session(dialect: Dialect, text: &str) -> bool {
    words(dialect, text).is_none_or(|words| changes_session(dialect, &words))
}

/// The words of a text in lower case, and its semicolons; `None` if it cannot be read.
fn words(dialect: Dialect, text: &str) -> Option<Vec<String>> {
    // A comment or a quote that is not one of the standard's.
    let odd = if dialect == Dialect::MySql {
        "#"
    } else {
        "\\'"
    };
    if text.contains(odd) {
        return None;
    }
    let tokens = Tokens::new(text)?;
    let words = tokens.iter().filter_map(|(kind, text)| match kind {
        Kind::Word | Kind::Symbol(b';' | b'@') => Some(text.to_lowercase()),
        // The name of a function, or of a variable, may be quoted.
        Kind::Quoted => Some(text.trim_matches(['"', '`', '\'']).to_lowercase()),
        Kind::Symbol(_) => None,
    });
    Some(words.collect())
}

/// Whether a text has a word by which a routine may leave its session other than it was: settings,
/// temporary tables, and statements that are made up as it runs.
fn changes_session(dialect: Dialect, words: &[String]) -> bool {
    const WORDS: [&str; 9] = [
        "set_config",
        "execute",
        "temp",
        "temporary",
        "pg_temp",
        "discard",
        "reset",
        "load",
        // `SET @@name` and user variables.
        "@",
    ];
    // Variables of MySQL may be set without a word that says so.
    const VARIABLES: [&str; 14] = [
        "sql_mode",
        "time_zone",
        "lc_time_names",
        "group_concat_max_len",
        "sql_select_limit",
        "div_precision_increment",
        "collation_connection",
        "character_set_client",
        "character_set_results",
        "character_set_connection",
        "default_week_format",
        "sql_auto_is_null",
        "max_sort_length",
        "old_mode",
    ];
    words.split(|word| word == ";").any(|words| {
        // The `SET` of an `UPDATE`, which may stand in a `MERGE` or an upsert, is another one.
        let updates = words.iter().position(|word| word == "update");
        let sets = |(at, word): (usize, &String)| {
            // In MySQL's routines that is how their own variables are assigned to.
            dialect != Dialect::MySql && word == "set" && updates.is_none_or(|update| at < update)
        };
        let local = |word: &String| {
            let words = [
                "session",
                "local",
                "names",
                "character",
                "transaction",
                "role",
                "password",
            ];
            words.contains(&word.as_str())
        };
        let known =
            |word: &String| WORDS.contains(&word.as_str()) || VARIABLES.contains(&word.as_str());
        words.iter().any(known)
            || words.iter().enumerate().any(sets)
            || words
                .windows(2)
                .any(|pair| pair[0] == "set" && local(&pair[1]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> bool {
        judged_by(Dialect::Postgres, text)
    }

    fn judged_by(dialect: Dialect, text: &str) -> bool {
        let listed = [Routine {
            name: "f",
            volatility: Volatility::Volatile,
            body: Body::Text(text),
        }];
        functions(dialect, listed.into_iter())["f"].changes_session
    }

    #[test]
    fn routines_of_mysql_assign_to_their_own_variables() {
        for text in [
            "BEGIN SET SESSION time_zone = '+05:00'; RETURN 1; END",
            "BEGIN SET group_concat_max_len = 4; RETURN 1; END",
            "BEGIN SET @mine = 1; RETURN 1; END",
            "BEGIN SET NAMES latin1; RETURN 1; END",
            "BEGIN PREPARE s FROM 'SET x = 1'; EXECUTE s; END",
            "BEGIN RETURN 1; # SET x\nEND",
        ] {
            assert!(judged_by(Dialect::MySql, text), "{text}");
        }
        for text in [
            "BEGIN DECLARE n INT; SET n = 1; RETURN n; END",
            "BEGIN UPDATE t SET a = 1; RETURN 1; END",
            "BEGIN SET NEW.a = 1; END",
        ] {
            assert!(!judged_by(Dialect::MySql, text), "{text}");
        }
    }

    #[test]
    fn texts_that_change_the_session_are_told() {
        for text in [
            "BEGIN PERFORM set_config('search_path', a, false); END",
            "SELECT pg_catalog.\"set_config\"('a', 'b', false)",
            "BEGIN SET search_path = x; END",
            "BEGIN UPDATE t SET a = 1; SET ROLE x; END",
            "BEGIN -- UPDATE\n SET LOCAL x = 1; END",
            "BEGIN IF a THEN SET x TO 1; END IF; END",
            "BEGIN EXECUTE 'SET ' || a; END",
            "CREATE TEMP TABLE t (a int)",
            "BEGIN SET @@sql_mode = ''; RETURN 1; END",
            "BEGIN 'no end",
        ] {
            assert!(judged(text), "{text}");
        }
    }

    #[test]
    fn texts_that_write_only_are_told() {
        for text in [
            "BEGIN UPDATE t SET a = 1 WHERE b = 2; RETURN NEW; END",
            "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1",
            "SELECT 'set role x'",
            "BEGIN NEW.changed := now(); RETURN NEW; END",
        ] {
            assert!(!judged(text), "{text}");
        }
    }

    #[test]
    fn a_routine_does_what_those_do_that_it_calls() {
        let routine = |name, text| Routine {
            name,
            volatility: Volatility::Volatile,
            body: Body::Text(text),
        };
        let listed = [
            routine("outer", "SELECT Middle()"),
            routine("middle", "SELECT \"inner\"()"),
            routine("inner", "SELECT set_config('a', 'b', false)"),
            routine("other", "SELECT 1"),
        ];
        let found = functions(Dialect::Postgres, listed.into_iter());
        let changes = |name: &str| found[name].changes_session;
        assert!(changes("outer") && changes("middle") && changes("inner"));
        assert!(!changes("other"));
    }
}
