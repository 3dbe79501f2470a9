use kogia_core::*;
use std::io::BufRead;
fn schema(d: Dialect) -> Schema {
    let mut s = Schema::unknown(d);
    s.loaded = std::env::var("LOADED").is_ok();
    s.database = Some(if d == Dialect::Sqlite {
        "main".into()
    } else {
        "shop".into()
    });
    if s.loaded {
        for t in ["book", "author", "shelf"] {
            let mut r = Relation::table(t);
            r.key = Some(std::sync::Arc::new(KeyColumn {
                name: "id".into(),
                kind: KeyKind::Integer,
            }));
            s.relations.push(r);
        }
    }
    s
}
fn main() {
    let mk = |d| Analyzer::new(DatabaseId::new("x"), schema(d));
    let (p, m, l) = (
        mk(Dialect::Postgres),
        mk(Dialect::MySql),
        mk(Dialect::Sqlite),
    );
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        if line.trim().is_empty() {
            continue;
        }
        let (d, sql) = line.split_once('|').unwrap();
        for c in d.chars() {
            let a = match c {
                'p' => &p,
                'm' => &m,
                _ => &l,
            };
            let s = a.analyze(sql);
            let reads: Vec<String> = s
                .reads
                .iter()
                .map(|r| match &r.pin {
                    None => r.table.to_string(),
                    Some(p) => format!("{}[{:?} {:?}]", r.table, p.values, p.proof),
                })
                .collect();
            println!(
                "{c} {} | {} | {:?} | w={:?} {:?} {:?}",
                sql,
                reads.join(","),
                s.uncacheable.as_ref().map(|u| format!("{u:?}")),
                s.writes
                    .iter()
                    .map(|w| w.table.to_string())
                    .collect::<Vec<_>>(),
                s.wide,
                s.effects
            );
        }
    }
}
