//! Stub of what `analysis-write` owns: theirs wins at the merge.

use std::sync::Arc;

use sqlparser::ast;

use super::collector::Collector;
use super::statement::{Uncacheable, Wide, Write, WriteScope};

impl Collector<'_> {
    pub(super) fn statement(&mut self, statement: &ast::Statement) {
        match statement {
            ast::Statement::Query(query) => self.query(query),
            ast::Statement::Insert(insert) => {
                self.refuse(Uncacheable::Writes);
                if let Some(source) = &insert.source {
                    self.query(source);
                }
                self.written(insert.table.to_string());
            }
            ast::Statement::Update(update) => {
                self.refuse(Uncacheable::Writes);
                self.written(update.table.relation.to_string());
            }
            ast::Statement::Delete(delete) => {
                self.refuse(Uncacheable::Writes);
                let (ast::FromTable::WithFromKeyword(from)
                | ast::FromTable::WithoutKeyword(from)) = &delete.from;
                for table in from {
                    self.written(table.relation.to_string());
                }
            }
            _ => {
                self.opaque("a statement of this kind is not described");
                self.wide = Wide::Everything;
            }
        }
    }

    fn written(&mut self, table: String) {
        self.write_table(self.catalog.fold(&table).into(), WriteScope::Broad);
    }

    pub(super) fn write_table(&mut self, table: Arc<str>, scope: WriteScope) {
        let tags = self.catalog.table_tags(&table);
        self.writes.push(Write { table, tags, scope });
    }
}
