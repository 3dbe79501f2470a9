//! The bodies of triggers, as far as they are certainly understood.

use kogia::core::{Dialect, TriggerBody};

use super::token::Tokens;

/// What a trigger's procedure does: its statements in plain SQL, or unknown.
///
/// Understood are branches, assignments to columns of the new row, writes, returning and raising.
/// Conditions and assigned values become queries, so that the functions in them are looked at. A
/// variable, a loop, a cursor, dynamic SQL, an assignment to the key: unknown.
pub(super) fn body(text: &str, dialect: Dialect, key: Option<&str>) -> TriggerBody {
    let Some(tokens) = Tokens::new(text, dialect) else { return TriggerBody::Unknown };
    let mut reader = Reader { tokens, at: 0, dialect, key, statements: Vec::new() };
    match reader.procedure() {
        Some(()) => TriggerBody::Statements(reader.statements.join(";\n").into()),
        None => TriggerBody::Unknown,
    }
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    at: usize,
    dialect: Dialect,
    key: Option<&'a str>,
    statements: Vec<String>,
}

impl Reader<'_> {
    /// The whole text, or `None` if anything in it is not understood.
    fn procedure(&mut self) -> Option<()> {
        if self.accept("BEGIN") {
            self.block()?;
            self.expect("END")?;
            self.accept_symbol(b';');
        } else if self.dialect == Dialect::MySql {
            self.statement()?;
        }
        (self.at > 0 && self.at == self.tokens.len()).then_some(())
    }

    /// Statements up to a word that ends a block, which stays.
    fn block(&mut self) -> Option<()> {
        while !self.tokens.is_one_of(self.at, &["END", "ELSE", "ELSIF", "ELSEIF"]) {
            if self.at >= self.tokens.len() {
                return None;
            }
            self.statement()?;
        }
        Some(())
    }

    fn statement(&mut self) -> Option<()> {
        let postgres = self.dialect == Dialect::Postgres;
        if self.accept_symbol(b';') {
            return Some(());
        }
        if self.accept("IF") {
            return self.branches();
        }
        if self.tokens.is_one_of(self.at, &["INSERT", "UPDATE", "DELETE", "REPLACE"]) {
            let statement = self.rest()?;
            self.statements.push(statement.to_owned());
            return Some(());
        }
        if postgres && self.accept("PERFORM") {
            return self.query();
        }
        if postgres && self.accept("RETURN") {
            return matches!(self.rest()?.to_ascii_lowercase().as_str(), "new" | "old" | "null")
                .then_some(());
        }
        if postgres && self.accept("NULL") {
            return self.rest()?.is_empty().then_some(());
        }
        if postgres && self.accept("RAISE") || !postgres && self.accept("SIGNAL") {
            // An expression could call a function.
            return (!self.rest()?.contains('(')).then_some(());
        }
        if postgres {
            return self.assignment();
        }
        self.accept("SET").then(|| self.assignments()).flatten()
    }

    /// From after `IF` to after `END IF`.
    fn branches(&mut self) -> Option<()> {
        loop {
            self.condition()?;
            self.block()?;
            if self.accept("ELSIF") || self.accept("ELSEIF") {
                continue;
            }
            if self.accept("ELSE") {
                self.block()?;
            }
            self.expect("END")?;
            self.expect("IF")?;
            return self.accept_symbol(b';').then_some(());
        }
    }

    /// A condition and the `THEN` behind it; a `CASE` inside has its own.
    fn condition(&mut self) -> Option<()> {
        let start = self.at;
        let mut cases = 0_u32;
        while self.at < self.tokens.len() {
            if cases == 0 && self.tokens.is_word(self.at, "THEN") {
                let condition = self.tokens.slice(start..self.at);
                self.statements.push(format!("SELECT {condition}"));
                self.at += 1;
                return Some(());
            }
            if self.tokens.is_word(self.at, "CASE") {
                cases += 1;
            } else if self.tokens.is_word(self.at, "END") {
                cases = cases.checked_sub(1)?;
            } else if self.tokens.is_symbol(self.at, b';') {
                return None;
            }
            self.at += 1;
        }
        None
    }

    /// `NEW.column := value;`
    fn assignment(&mut self) -> Option<()> {
        self.target()?;
        self.query()
    }

    /// `NEW.column = value, NEW.column = value;` from after `SET`.
    fn assignments(&mut self) -> Option<()> {
        loop {
            self.target()?;
            let start = self.at;
            let mut depth = 0_u32;
            loop {
                let end = self.at >= self.tokens.len() || self.tokens.is_symbol(self.at, b';');
                if end || depth == 0 && self.tokens.is_symbol(self.at, b',') {
                    break;
                }
                if self.tokens.is_symbol(self.at, b'(') {
                    depth += 1;
                } else if self.tokens.is_symbol(self.at, b')') {
                    depth = depth.checked_sub(1)?;
                }
                self.at += 1;
            }
            self.statements.push(format!("SELECT {}", self.tokens.slice(start..self.at)));
            if !self.accept_symbol(b',') {
                self.accept_symbol(b';');
                return Some(());
            }
        }
    }

    /// `NEW.column :=` or `NEW.column =`, for a column that is not the key.
    fn target(&mut self) -> Option<()> {
        self.expect("NEW")?;
        if !self.accept_symbol(b'.') {
            return None;
        }
        let column = self.tokens.name(self.at)?;
        self.at += 1;
        self.accept_symbol(b':');
        let assigned = self.accept_symbol(b'=');
        let is_key = self.key.is_some_and(|key| column.to_lowercase() == key.to_lowercase());
        (assigned && !is_key).then_some(())
    }

    /// An expression up to the end of the statement, as a query.
    fn query(&mut self) -> Option<()> {
        let expression = self.rest()?;
        if expression.is_empty() {
            return None;
        }
        self.statements.push(format!("SELECT {expression}"));
        Some(())
    }

    /// Everything up to a semicolon, which is taken, too. The one statement of a trigger of MySQL
    /// may lack it.
    fn rest(&mut self) -> Option<&str> {
        let start = self.at;
        while self.at < self.tokens.len() && !self.tokens.is_symbol(self.at, b';') {
            self.at += 1;
        }
        let end = self.at;
        let ended = self.accept_symbol(b';') || self.dialect == Dialect::MySql;
        ended.then(|| self.tokens.slice(start..end))
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.tokens.is_word(self.at, word);
        self.at += usize::from(found);
        found
    }

    fn accept_symbol(&mut self, symbol: u8) -> bool {
        let found = self.tokens.is_symbol(self.at, symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.accept(word).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str, dialect: Dialect) -> Option<String> {
        match body(text, dialect, Some("id")) {
            TriggerBody::Statements(statements) => Some(statements.into()),
            _ => None,
        }
    }

    #[test]
    fn bodies_that_are_understood() {
        use Dialect::{MySql, Postgres};
        let cases = [
            (Postgres, "BEGIN NEW.updated_at = now(); RETURN NEW; END;", "SELECT now()"),
            (Postgres, "\nBEGIN\n  NEW.\"Seen\" := NEW.a || ';'; -- END\n  RETURN NEW;\nEND", "SELECT NEW.a || ';'"),
            (Postgres, "BEGIN RETURN NULL; END", ""),
            (
                Postgres,
                "BEGIN IF TG_OP = 'DELETE' THEN DELETE FROM log WHERE id = OLD.id; RETURN OLD; \
                 ELSIF CASE WHEN a THEN b ELSE c END THEN NULL; ELSE PERFORM f(NEW.x); END IF; \
                 INSERT INTO audit (book) VALUES (NEW.id); RETURN NEW; END;",
                "SELECT TG_OP = 'DELETE';\nDELETE FROM log WHERE id = OLD.id;\n\
                 SELECT CASE WHEN a THEN b ELSE c END;\nSELECT f(NEW.x);\n\
                 INSERT INTO audit (book) VALUES (NEW.id)",
            ),
            (Postgres, "BEGIN RAISE EXCEPTION 'no % here', NEW.id; END", ""),
            (MySql, "SET NEW.seen = NOW(), NEW.b = CONCAT(NEW.a, ',')", "SELECT NOW();\nSELECT CONCAT(NEW.a, ',')"),
            (MySql, "INSERT INTO audit VALUES (NEW.id)", "INSERT INTO audit VALUES (NEW.id)"),
            (
                MySql,
                "BEGIN IF NEW.a < 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; \
                 UPDATE stock SET n = n - 1 WHERE book = NEW.id; END",
                "SELECT NEW.a < 0;\nUPDATE stock SET n = n - 1 WHERE book = NEW.id",
            ),
        ];
        for (dialect, text, expected) in cases {
            assert_eq!(statements(text, dialect).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn bodies_that_are_not() {
        use Dialect::{MySql, Postgres};
        let cases = [
            (Postgres, ""),
            (Postgres, "BEGIN NEW.id = 7; RETURN NEW; END"),
            (Postgres, "BEGIN NEW.\"ID\" := 7; RETURN NEW; END"),
            (Postgres, "BEGIN NEW := f(NEW); RETURN NEW; END"),
            (Postgres, "BEGIN RETURN f(NEW); END"),
            (Postgres, "DECLARE x int; BEGIN RETURN NEW; END"),
            (Postgres, "BEGIN EXECUTE 'DELETE FROM a'; RETURN NEW; END"),
            (Postgres, "BEGIN SELECT a INTO NEW.a FROM b; RETURN NEW; END"),
            (Postgres, "BEGIN FOR x IN SELECT 1 LOOP NULL; END LOOP; RETURN NEW; END"),
            (Postgres, "BEGIN RETURN NEW; EXCEPTION WHEN others THEN RETURN NULL; END"),
            (Postgres, "BEGIN RAISE NOTICE '%', f(); RETURN NEW; END"),
            (Postgres, "BEGIN RETURN NEW; END; DELETE FROM a"),
            (Postgres, "BEGIN IF a THEN RETURN NEW; END"),
            (Postgres, "BEGIN RETURN NEW;"),
            (Postgres, "<<label>> BEGIN RETURN NEW; END"),
            (Postgres, "BEGIN CALL p(); RETURN NEW; END"),
            (MySql, "SET @x = 1"),
            (MySql, "SET NEW.id = 1"),
            (MySql, "SET NEW.`id` = 1"),
            (MySql, "SET NEW.a = 1, @x = 2"),
            (MySql, "CALL p()"),
            (MySql, "BEGIN DECLARE x INT; END"),
            (MySql, "BEGIN /*! CALL p(); */ END"),
            (MySql, "SET NEW.a = 1; CALL p()"),
        ];
        for (dialect, text) in cases {
            assert_eq!(statements(text, dialect), None, "{text}");
        }
    }
}
