//! Cases, and the files that they are written in.
//!
//! ```text
//! # A comment.
//! case what a view reads is invalidated through it
//! on sqlite postgres
//! setup CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT)
//! [postgres] setup CREATE INDEX ON book (title)
//! a> SELECT title FROM book WHERE id = ? | 7 => miss
//! b: UPDATE book SET title = 'x'
//!    WHERE id = 7
//!   meanwhile a> SELECT count(*) FROM book => bypass
//! ```
//!
//! `{database}` in a step is the name of the database, for what belongs to the whole server.
//! A letter is a session, on a connection of its own; `>` is a query, to be answered from the
//! cache if possible, `:` is anything else. `$book` in a text is left alone; `?` is written as the
//! database wants it. Parameters come after ` | `, and what must come of a query after ` => `.
//! Every answer, and every error, is compared with that of the same step on a database without a
//! cache. A line that begins with blanks goes on with the text before it.

use std::fmt;

use kogia_core::Dialect;

use crate::step::{Statement, Step};
use crate::value::Param;

/// A case: what sessions do, one step after the other.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// What it shows.
    pub title: String,
    /// The databases that it is for; empty means all.
    pub dialects: Vec<Dialect>,
    /// What makes its schema.
    pub setup: Vec<String>,
    /// What the sessions do.
    pub steps: Vec<Step>,
}

impl Case {
    /// How many sessions take part.
    pub fn sessions(&self) -> usize {
        let meanwhile = |step: &Step| step.meanwhile.as_ref().map_or(0, |step| step.session + 1);
        let each = |step: &Step| (step.session + 1).max(meanwhile(step));
        self.steps.iter().map(each).max().unwrap_or(0)
    }
}

/// As it stands in a file, but for what only some dialects do.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "case {}", self.title)?;
        if !self.dialects.is_empty() {
            f.write_str("on")?;
            self.dialects
                .iter()
                .try_for_each(|dialect| write!(f, " {dialect}"))?;
            writeln!(f)?;
        }
        self.setup
            .iter()
            .try_for_each(|sql| writeln!(f, "setup {sql}"))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

/// The cases of a file that are for this dialect, or what is wrong with the file.
pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in joined(text) {
        let at = |error: String| format!("line {number}: {error}");
        let Some(line) = for_dialect(&line, dialect).map_err(at)? else {
            continue;
        };
        if let Some(title) = line.strip_prefix("case ") {
            cases.push(Case {
                title: title.to_owned(),
                ..Case::default()
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            return Err(at("a file begins with a case".to_owned()));
        };
        if let Some(names) = line.strip_prefix("on ") {
            let dialects = names.split_whitespace().map(|name| name.parse());
            case.dialects = dialects
                .collect::<Result<_, _>>()
                .map_err(|error: kogia_core::UnknownDialectError| at(error.to_string()))?;
        } else if let Some(sql) = line.strip_prefix("setup ") {
            case.setup.push(sql.to_owned());
        } else if let Some(step) = line.strip_prefix("meanwhile ") {
            let last = case.steps.last_mut();
            let last = last.ok_or_else(|| at("nothing for it to be meanwhile".to_owned()))?;
            last.meanwhile = Some(Box::new(parse_step(step, dialect).map_err(at)?));
        } else {
            case.steps.push(parse_step(line, dialect).map_err(at)?);
        }
    }
    cases.retain(|case| case.dialects.is_empty() || case.dialects.contains(&dialect));
    Ok(cases)
}

/// The lines with their numbers, without comments, continuations joined.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || line.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if line.starts_with(' ') && !trimmed.starts_with("meanwhile ") => {
                last.push('\n');
                last.push_str(trimmed);
            }
            _ => lines.push((index + 1, trimmed.to_owned())),
        }
    }
    lines
}

/// The line without its `[sqlite mysql]`, or `None` if it is for other dialects.
pub(crate) fn for_dialect(line: &str, dialect: Dialect) -> Result<Option<&str>, String> {
    let Some((names, rest)) = line
        .strip_prefix('[')
        .and_then(|line| line.split_once("] "))
    else {
        return Ok(Some(line));
    };
    let mut wanted = false;
    for name in names.split_whitespace() {
        let named: Dialect = name.parse().map_err(|error| format!("{error}"))?;
        wanted |= named == dialect;
    }
    Ok(wanted.then_some(rest))
}

fn parse_step(line: &str, dialect: Dialect) -> Result<Step, String> {
    let mut letters = line.chars();
    let session = match letters.next() {
        Some(letter @ 'a'..='z') => letter as usize - 'a' as usize,
        _ => return Err(format!("{line:?} names no session")),
    };
    let read = match letters.next() {
        Some('>') => true,
        Some(':') => false,
        _ => {
            return Err(format!(
                "{line:?} is neither a query (>) nor a statement (:)"
            ));
        }
    };
    let mut text = letters.as_str().trim();
    let mut expect = None;
    if let Some((before, word)) = text.rsplit_once(" => ") {
        expect = Some(word.trim().parse()?);
        text = before.trim();
    }
    let mut parameters = Vec::new();
    if let Some((before, list)) = text.rsplit_once(" | ") {
        parameters = parse_parameters(list)?;
        text = before.trim();
    }
    let statement = Statement {
        sql: placeholders(text, dialect),
        parameters,
        ..Statement::default()
    };
    Ok(Step {
        read,
        expect,
        ..Step::read(session, statement)
    })
}

fn parse_parameters(list: &str) -> Result<Vec<Param>, String> {
    let mut parameters = Vec::new();
    let mut rest = list.trim();
    while !rest.is_empty() {
        let quoted = rest.strip_prefix("x'").or_else(|| rest.strip_prefix('\''));
        let end = match quoted {
            Some(inner) => {
                let start = rest.len() - inner.len();
                let close = closing_quote(inner).ok_or_else(|| format!("{rest:?} never ends"))?;
                start + close + 1
            }
            None => rest.find(',').unwrap_or(rest.len()),
        };
        parameters.push(parse_parameter(rest[..end].trim())?);
        rest = rest[end..]
            .trim_start()
            .trim_start_matches(',')
            .trim_start();
    }
    Ok(parameters)
}

/// Where a string whose opening quote was cut off ends.
fn closing_quote(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + text[from..].find('\'')?;
        if !text[quote + 1..].starts_with('\'') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

fn parse_parameter(text: &str) -> Result<Param, String> {
    let wrong = || format!("{text:?} is no parameter");
    if let Some(hex) = text
        .strip_prefix("x'")
        .and_then(|text| text.strip_suffix('\''))
    {
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let bytes = (0..hex.len()).step_by(2).map(byte).collect::<Option<_>>();
        return bytes.map(Param::Blob).ok_or_else(wrong);
    }
    if let Some(inner) = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
    {
        return Ok(Param::Text(inner.replace("''", "'")));
    }
    Ok(match text.to_ascii_lowercase().as_str() {
        "null" => Param::Null,
        "true" => Param::Bool(true),
        "false" => Param::Bool(false),
        number => match (number.parse(), number.parse()) {
            (Ok(integer), _) => Param::Int(integer),
            (_, Ok(real)) => Param::Real(real),
            _ => return Err(wrong()),
        },
    })
}

/// The text with its `?` as the dialect writes them.
fn placeholders(text: &str, dialect: Dialect) -> String {
    if dialect != Dialect::Postgres {
        return text.to_owned();
    }
    let (mut out, mut count, mut quote) = (String::new(), 0, None);
    for letter in text.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('?', None) => {
                count += 1;
                out.push_str(&format!("${count}"));
                continue;
            }
            _ => {}
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_as_it_was_written() {
        let text = "\
case a title
setup CREATE TABLE t (id INTEGER PRIMARY KEY)
a> SELECT '?' FROM t WHERE id = ? | 7 => hit
  meanwhile b: UPDATE t SET v = ? | 'it''s, so', x'00ff', NULL, -1.5, true
b: COMMIT
";
        let cases = parse(text, Dialect::Sqlite).unwrap();
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].to_string(), text);
        assert_eq!(cases[0].sessions(), 2);
        let meanwhile = cases[0].steps[0].meanwhile.as_ref().unwrap();
        assert_eq!(
            meanwhile.statement.parameters,
            [
                Param::Text("it's, so".to_owned()),
                Param::Blob(vec![0, 255]),
                Param::Null,
                Param::Real(-1.5),
                Param::Bool(true),
            ]
        );
        let cases = parse(text, Dialect::Postgres).unwrap();
        assert_eq!(
            cases[0].steps[0].statement.sql,
            "SELECT '?' FROM t WHERE id = $1"
        );
    }

    #[test]
    fn lines_of_other_dialects_are_left_out() {
        let text = "\
case one
on mysql
a: BEGIN
case two
[sqlite mysql] setup A
[postgres] setup B
  went on
a: BEGIN
";
        let titles = |dialect| {
            let cases = parse(text, dialect).unwrap();
            cases
                .into_iter()
                .map(|case| (case.title, case.setup))
                .collect::<Vec<_>>()
        };
        let (one, two) = ("one".to_owned(), "two".to_owned());
        assert_eq!(
            titles(Dialect::MySql),
            [(one, vec![]), (two.clone(), vec!["A".to_owned()])]
        );
        assert_eq!(
            titles(Dialect::Postgres),
            [(two, vec!["B\nwent on".to_owned()])]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("a: BEGIN", "begins with a case"),
            ("case x\nfoo: BEGIN", "neither a query"),
            ("case x\n7: BEGIN", "names no session"),
            ("case x\na> SELECT 1 => often", "a hit, a miss or a bypass"),
            ("case x\na> SELECT ? | what", "no parameter"),
            ("case x\non oracle", "unknown dialect"),
        ] {
            let error = parse(text, Dialect::Sqlite).unwrap_err();
            assert!(error.contains(says), "{text:?} says {error:?}");
        }
    }
}
