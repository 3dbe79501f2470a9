//! Random cases for SQLite: a schema, and sessions that read and write it in turns.

mod schema;
mod shapes;

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use self::schema::{Relation, Schema};
use self::shapes::{READS, REST, SCRIPTS, Shape, WRITES};
use crate::case::Case;
use crate::mutant::Mutant;
use crate::step::{Statement, Step};
use crate::value::Param;

/// What cases are to be made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recipe {
    /// A mutant to look for: statements that it mistakes come often.
    pub focus: Option<Mutant>,
    /// Whether the first session may be on another connection with every statement, so that it
    /// must have no transactions and no settings.
    pub first_is_pool: bool,
}

/// The random case of a seed.
pub fn generate(seed: u64, recipe: &Recipe) -> Case {
    let mut rng = StdRng::seed_from_u64(seed);
    let schema = Schema::random(&mut rng, recipe.focus);
    let mut generator = Generator {
        schema,
        rng,
        focus: recipe.focus,
        first_is_pool: recipe.first_is_pool,
        sessions: Vec::new(),
        pool: Vec::new(),
        steps: Vec::new(),
    };
    generator.run();
    Case {
        title: format!("seed {seed}"),
        setup: generator.schema.setup,
        steps: generator.steps,
        ..Case::default()
    }
}

struct Generator {
    schema: Schema,
    rng: StdRng,
    focus: Option<Mutant>,
    first_is_pool: bool,
    sessions: Vec<Open>,
    /// The queries of the case, asked again and again.
    pool: Vec<Statement>,
    steps: Vec<Step>,
}

/// What the generator believes of a session's transaction. Statements that fail may prove it
/// wrong, which is part of the test.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    transaction: bool,
    savepoints: usize,
}

/// How parameters stand in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Literals,
    Marks,
    Numbers,
    Dollars,
    /// Both at once. Which value a `?` gets then, the driver decides.
    Mixed,
}

impl Generator {
    fn run(&mut self) {
        self.sessions = vec![Open::default(); self.rng.random_range(1..=3)];
        for _ in 0..self.rng.random_range(4..10) {
            let query = self.query();
            self.pool.push(query);
        }
        let turns = self.rng.random_range(10..30);
        let changes_schema = self.rng.random_ratio(1, 4);
        for _ in 0..turns {
            let session = self.rng.random_range(0..self.sessions.len());
            let plain = self.first_is_pool && session == 0;
            match self.rng.random_range(0..if plain { 76 } else { 100 }) {
                0..38 => self.read(session),
                38..76 => self.write(session),
                76..88 => self.edge(session),
                88..94 => self.transaction(session),
                94..97 => self.script(session),
                _ if changes_schema => self.rest(session),
                _ => self.read(session),
            }
        }
        // Whatever is still open is ended, and everything is read once more.
        for session in 0..self.sessions.len() {
            if self.sessions[session].transaction {
                let end = ["COMMIT", "ROLLBACK"][self.rng.random_range(0..2)];
                self.push(Step::execute(session, Statement::new(end)));
            }
        }
        for query in self.pool.clone() {
            self.push(Step::read(0, query));
        }
    }

    fn read(&mut self, session: usize) {
        let query = if self.rng.random_ratio(1, 6) || self.pool.is_empty() {
            let query = self.query();
            self.pool.push(query.clone());
            query
        } else {
            self.pool[self.rng.random_range(0..self.pool.len())].clone()
        };
        let mut step = Step::read(session, query);
        if self.sessions.len() > 1 && self.rng.random_ratio(1, 10) {
            let other = (session + 1) % self.sessions.len();
            let statement = self.statement(WRITES);
            step.meanwhile = Some(Box::new(Step::execute(other, statement)));
        }
        let mut again = step.clone();
        again.meanwhile = None;
        again.again = true;
        self.push(step);
        self.push(again);
    }

    fn write(&mut self, session: usize) {
        let statement = self.statement(WRITES);
        let mut step = Step::execute(session, statement);
        if self.sessions.len() > 1 && self.rng.random_ratio(1, 10) {
            let other = (session + 1) % self.sessions.len();
            let query = self.pool[self.rng.random_range(0..self.pool.len())].clone();
            step.meanwhile = Some(Box::new(Step::read(other, query)));
        }
        self.push(step);
        self.look_again();
    }

    /// A few of the queries, so that a stale answer shows before the next write hides it.
    fn look_again(&mut self) {
        for _ in 0..self.rng.random_range(0..4) {
            let session = self.rng.random_range(0..self.sessions.len());
            let query = self.pool[self.rng.random_range(0..self.pool.len())].clone();
            self.push(Step::read(session, query));
        }
    }

    fn edge(&mut self, session: usize) {
        let open = &mut self.sessions[session];
        let names = ["s", "S1", "\"s 2\""];
        let name = names[open.savepoints.min(2)];
        let below = names[open.savepoints.saturating_sub(1).min(2)];
        let text = match (open.transaction, self.rng.random_range(0..10)) {
            (false, 0..3) => "BEGIN".to_owned(),
            (false, 3..5) => "BEGIN IMMEDIATE".to_owned(),
            (false, 5..8) => format!("SAVEPOINT {name}"),
            (false, 8) => "COMMIT".to_owned(),
            (false, _) => "BEGIN DEFERRED TRANSACTION".to_owned(),
            (true, 0..2) => "COMMIT".to_owned(),
            (true, 2) => "ROLLBACK".to_owned(),
            (true, 3) => "END TRANSACTION".to_owned(),
            (true, 4..6) => format!("SAVEPOINT {name}"),
            (true, 6..8) => format!("ROLLBACK TO {below}"),
            (true, _) => format!("RELEASE SAVEPOINT {below}"),
        };
        let first = text.split(' ').next().unwrap_or_default();
        match first {
            "BEGIN" => open.transaction = true,
            "SAVEPOINT" => {
                open.transaction = true;
                open.savepoints += 1;
            }
            "COMMIT" | "END" => *open = Open::default(),
            "ROLLBACK" if !text.contains(" TO ") => *open = Open::default(),
            "RELEASE" => {
                open.savepoints = open.savepoints.saturating_sub(1);
                // Unless a BEGIN came before the savepoint; then the belief is wrong for a while.
                open.transaction = open.savepoints > 0;
            }
            _ => {}
        }
        self.push(Step::execute(session, Statement::new(text)));
        self.look_again();
    }

    /// A whole transaction, with savepoints that are rolled back or released.
    fn transaction(&mut self, session: usize) {
        let edge = |text: &str| Step::execute(session, Statement::new(text));
        let savepoint = self.rng.random_ratio(1, 3);
        self.push(edge(if savepoint {
            "SAVEPOINT outer"
        } else {
            "BEGIN"
        }));
        for _ in 0..self.rng.random_range(1..4) {
            self.write(session);
            if self.rng.random_ratio(1, 2) {
                self.push(edge("SAVEPOINT inner"));
                self.write(session);
                let end = ["ROLLBACK TO inner", "RELEASE inner"][self.rng.random_range(0..2)];
                self.push(edge(end));
                self.look_again();
            }
        }
        let end = match (self.rng.random_ratio(1, 4), savepoint) {
            (true, _) => "ROLLBACK",
            (false, true) => "RELEASE outer",
            (false, false) => "COMMIT",
        };
        self.push(edge(end));
        self.sessions[session] = Open::default();
        self.look_again();
    }

    fn script(&mut self, session: usize) {
        let statement = self.render(SCRIPTS, Style::Literals);
        self.push(Step::execute(session, statement));
        self.look_again();
    }

    fn rest(&mut self, session: usize) {
        let statement = self.render(REST, Style::Literals);
        self.push(Step::execute(session, statement));
        self.look_again();
    }

    fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn query(&mut self) -> Statement {
        self.statement(READS)
    }

    fn statement(&mut self, shapes: &[Shape]) -> Statement {
        let style = match self.rng.random_range(0..12) {
            0..4 => Style::Literals,
            4..7 => Style::Marks,
            7..10 => Style::Numbers,
            10 => Style::Dollars,
            _ => Style::Mixed,
        };
        self.render(shapes, style)
    }

    fn render(&mut self, shapes: &[Shape], style: Style) -> Statement {
        let mut shape = *shapes.choose(&mut self.rng).unwrap_or(&shapes[0]);
        // Entries that outlive a write are where mistakes would show.
        let narrow: Vec<&Shape> = shapes.iter().filter(|shape| shape.pinned).collect();
        if self.rng.random_ratio(2, 5)
            && let Some(pinned) = narrow.choose(&mut self.rng)
        {
            shape = **pinned;
        }
        if let Some(focus) = self.focus {
            let suits = |shape: &&Shape| shape.careless.iter().any(|(mutant, _)| *mutant == focus);
            let suitable: Vec<&Shape> = shapes.iter().filter(suits).collect();
            if self.rng.random_ratio(2, 3)
                && let Some(found) = suitable.choose(&mut self.rng)
            {
                shape = **found;
            }
        }
        let mut scene = self.scene(shape.pinned);
        let (sql, parameters) = scene.fill(shape.template, style, &mut self.rng);
        let careless = shape.careless.iter().map(|(mutant, template)| {
            let (sql, _) = scene.fill(template, Style::Literals, &mut self.rng);
            (*mutant, sql)
        });
        Statement {
            careless: careless.collect(),
            sql,
            parameters,
            is_kept: false,
            kind: if shape.pinned { "pinned" } else { "not pinned" },
        }
    }

    /// Which relations a statement is about: tables for the capital letters, anything else for
    /// the small ones.
    fn scene(&mut self, pinned: bool) -> Scene {
        let relations = &self.schema.relations;
        let tables: Vec<&Relation> = relations.iter().filter(|relation| !relation.view).collect();
        let mut table = || {
            // Mostly the first ones, so that reads and writes meet.
            let span = if self.rng.random_ratio(2, 3) {
                2.min(tables.len())
            } else {
                tables.len()
            };
            let keyed: Vec<&&Relation> = tables
                .iter()
                .filter(|table| {
                    !pinned || Schema::is_rowid(table) || table.key != schema::Key::None
                })
                .take(span)
                .collect();
            match keyed.choose(&mut self.rng) {
                Some(relation) => (**relation).clone(),
                None => tables[0].clone(),
            }
        };
        let a = table();
        let b = table();
        let mut any = |table: &Relation| {
            if self.rng.random_ratio(1, 3) {
                relations.choose(&mut self.rng).unwrap_or(table).clone()
            } else {
                table.clone()
            }
        };
        let (small_a, small_b) = (any(&a), any(&b));
        let b = match a.parent {
            Some(parent) if self.rng.random_ratio(1, 2) => relations[parent].clone(),
            _ => b,
        };
        Scene {
            relations: [('A', a), ('B', b), ('a', small_a), ('b', small_b)].into(),
            values: HashMap::new(),
        }
    }
}

/// What the names in a template stand for.
struct Scene {
    relations: HashMap<char, Relation>,
    values: HashMap<String, Param>,
}

impl Scene {
    fn fill(&mut self, template: &str, style: Style, rng: &mut StdRng) -> (String, Vec<Param>) {
        let mut sql = String::new();
        let mut parameters = Vec::new();
        let mut rest = template;
        while let Some((text, more)) = rest.split_once('{') {
            let Some((name, after)) = more.split_once('}') else {
                break;
            };
            sql.push_str(text);
            rest = after;
            let first = name.chars().next().unwrap_or('A');
            if let Some(relation) = self.relations.get(&first) {
                let in_quotes = sql.matches('\'').count() % 2 == 1;
                let word = if name.ends_with(".id") {
                    relation.id
                } else {
                    &relation.name
                };
                sql.push_str(if in_quotes {
                    word.trim_matches('"')
                } else {
                    word
                });
                continue;
            }
            let value = self.value(name, rng);
            if sql.matches('\'').count() % 2 == 1 {
                sql.push_str(value.to_string().trim_matches(['\'', 'x']));
                continue;
            }
            let number = parameters.len() + 1;
            match style {
                Style::Literals => sql.push_str(&value.to_string()),
                Style::Mixed if number % 2 == 0 => sql.push('?'),
                Style::Marks => sql.push('?'),
                Style::Numbers | Style::Mixed => sql.push_str(&format!("?{number}")),
                Style::Dollars => sql.push_str(&format!("${number}")),
            }
            if style != Style::Literals {
                parameters.push(value);
            }
        }
        sql.push_str(rest);
        (sql, parameters)
    }

    fn value(&mut self, name: &str, rng: &mut StdRng) -> Param {
        if let Some(value) = self.values.get(name) {
            return value.clone();
        }
        let mut letters = name.chars();
        let value = match letters.next() {
            Some('k') => {
                let letter = letters.next().unwrap_or('A');
                let key = self.relations[&letter].key;
                if name.ends_with('9') {
                    key.never()
                } else {
                    key.value(rng)
                }
            }
            Some('w') => Param::Text(["x", "y", "X", "x%", "a"][rng.random_range(0..5)].to_owned()),
            Some('n') => Param::Int(rng.random_range(1..4)),
            Some('o') => [
                Param::Int(1),
                Param::Text("1".to_owned()),
                Param::Real(1.0),
                Param::Blob(b"1".to_vec()),
                Param::Null,
            ][rng.random_range(0..5)]
            .clone(),
            _ if rng.random_ratio(1, 30) => Param::Null,
            _ => Param::Int(rng.random_range(0..7)),
        };
        self.values.insert(name.to_owned(), value.clone());
        value
    }
}
