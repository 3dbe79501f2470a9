//! The shapes of the statements that the generator writes, as templates.
//!
//! | in a template | stands for |
//! |---|---|
//! | `{a}` `{b}` | two relations, tables or views, which may be the same |
//! | `{A}` `{B}` | two tables |
//! | `{a.id}` … | the key column of the relation |
//! | `{ka}` `{ka2}` `{kA}` … | key values of that relation; `{kA9}` is one that no row ever has |
//! | `{v}` `{v2}` | small integers, as columns `v` and `u` hold |
//! | `{w}` | text, as column `w` holds |
//! | `{n}` | a number of rows |
//! | `{o}` | one of several values that look alike |
//!
//! The same name stands for the same thing in the whole template, and in what a mutant takes the
//! statement for.

use crate::mutant::Mutant;

/// The shape of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) template: &'static str,
    /// Whether a finite set of keys pins the read or the write.
    pub(crate) pinned: bool,
    pub(crate) careless: &'static [(Mutant, &'static str)],
}

const fn pinned(template: &'static str) -> Shape {
    Shape {
        template,
        pinned: true,
        careless: &[],
    }
}

const fn open(template: &'static str) -> Shape {
    Shape {
        pinned: false,
        ..pinned(template)
    }
}

const fn trap(template: &'static str, careless: &'static [(Mutant, &'static str)]) -> Shape {
    Shape {
        careless,
        ..open(template)
    }
}

/// Pinned, and where a mutant is to be looked for.
const fn bait(template: &'static str, careless: &'static [(Mutant, &'static str)]) -> Shape {
    Shape {
        careless,
        ..pinned(template)
    }
}

pub(crate) const READS: &[Shape] = &[
    // Pinned, in all the ways that the protocol allows.
    pinned("SELECT * FROM {a} WHERE {a.id} = {ka}"),
    pinned("SELECT v, w FROM {A} AS x WHERE {kA} = x.{A.id}"),
    bait(
        "SELECT * FROM {A} WHERE {A.id} = {kA}",
        &[
            (Mutant::GapNeedsNoInserts, ""),
            (Mutant::ReplacePinned, ""),
            (Mutant::UpsertPinned, ""),
        ],
    ),
    bait(
        "SELECT v FROM {A} WHERE {A.id} = {kA} AND v > {v}",
        &[
            (Mutant::NocaseComparesBytes, ""),
            (Mutant::OtherUniqueForgotten, ""),
            (Mutant::TriggersForgotten, ""),
        ],
    ),
    pinned("SELECT * FROM {A} WHERE {A.id} IN ({kA}, {kA2}, {kA3})"),
    pinned("SELECT w FROM {A} WHERE {A.id} = {kA} OR {A.id} = {kA2}"),
    pinned("SELECT * FROM {A} WHERE (({A.id}) = ({kA})) AND (v < {v} OR w = {w})"),
    pinned("SELECT count(*), max(v), min(w) FROM {A} WHERE {A.id} = {kA}"),
    pinned("SELECT u FROM main.{A} WHERE {A.id} == {kA}"),
    pinned("SELECT w FROM {A} WHERE {A.id} IN ({kA}, {kA2}) ORDER BY v DESC LIMIT {n}"),
    pinned("SELECT EXISTS (SELECT 1 FROM {A} WHERE {A.id} = {kA})"),
    pinned(
        "SELECT (SELECT v FROM {A} WHERE {A.id} = {kA}), (SELECT count(*) FROM {B} WHERE {B.id} = {kB})",
    ),
    pinned("WITH q AS (SELECT v, w FROM {A} WHERE {A.id} = {kA}) SELECT * FROM q WHERE v > {v}"),
    pinned("SELECT x.v, y.w FROM {A} AS x JOIN {B} AS y ON y.{B.id} = {kB} WHERE x.{A.id} = {kA}"),
    pinned("SELECT x.v, y.w FROM {A} AS x, {B} AS y WHERE y.{B.id} = {kB} AND x.{A.id} = {kA}"),
    pinned("SELECT x.v, y.w FROM {B} AS y LEFT JOIN {A} AS x ON x.{A.id} = {kA}"),
    pinned(
        "SELECT x.v, y.w FROM {A} AS x LEFT JOIN {B} AS y ON y.{B.id} = x.r WHERE x.{A.id} = {kA}",
    ),
    pinned(
        "SELECT v FROM {A} WHERE {A.id} = {kA} UNION ALL SELECT v FROM {A} WHERE {A.id} = {kA2}",
    ),
    pinned("SELECT v, row_number() OVER (ORDER BY v, w) FROM {A} WHERE {A.id} IN ({kA}, {kA2})"),
    pinned(
        "SELECT w, count(*) FROM {A} WHERE {A.id} IN ({kA}, {kA2}) GROUP BY w HAVING count(*) > 0",
    ),
    pinned("SELECT DISTINCT v FROM {A} WHERE {A.id} IN ({kA}, {kA}, {kA2})"),
    pinned("SELECT * FROM (SELECT {A.id} AS i, v FROM {A} WHERE {A.id} = {kA}) s WHERE v > {v}"),
    pinned("SELECT v FROM (SELECT * FROM {A}) s WHERE s.{A.id} = {kA}"),
    pinned("SELECT * FROM {A} WHERE {A.id} = {kA} AND {A.id} = {kA2}"),
    pinned("SELECT * FROM {A} WHERE {A.id} IN ({kA}, {kA2}) AND {A.id} = {kA}"),
    pinned(
        "SELECT * FROM {A} WHERE {A.id} = {kA} AND v IN (SELECT v FROM {A} WHERE {A.id} = {kA})",
    ),
    pinned("SELECT * FROM {A} WHERE {A.id} = {kA} AND EXISTS (SELECT 1 FROM {B} WHERE v > {v})"),
    pinned("SELECT * FROM {A} INDEXED BY sqlite_autoindex_{A}_1 WHERE {A.id} = {kA}"),
    pinned("SELECT v AS {A.id} FROM {A} WHERE {A.id} = {kA}"),
    pinned("SELECT * FROM {B} AS {A}, {A} AS {B} WHERE {B}.{A.id} = {kA} AND {A}.{B.id} = {kB}"),
    // Not pinned.
    trap(
        "SELECT * FROM {a}",
        &[
            (Mutant::ViewsAreTables, ""),
            (Mutant::CascadesForgotten, ""),
            (Mutant::TriggersForgotten, ""),
        ],
    ),
    open("SELECT count(*), sum(v), total(u), group_concat(w) FROM {a}"),
    open("SELECT w, count(*), max(v) FROM {a} GROUP BY w ORDER BY w"),
    open("SELECT * FROM {a} WHERE v = {v}"),
    open("SELECT * FROM {a} WHERE w = {w}"),
    open("SELECT * FROM {a} WHERE w LIKE {w}"),
    open("SELECT * FROM {a} ORDER BY v, {a.id} LIMIT {n} OFFSET 1"),
    open("SELECT * FROM {a} WHERE v > {v} ORDER BY {a.id}"),
    open("SELECT {a.id} = {ka}, v FROM {a}"),
    open("SELECT * FROM {a} ORDER BY {a.id} = {ka}, {a.id}"),
    open("SELECT {a.id}, count(*) FROM {a} GROUP BY {a.id} HAVING {a.id} = {ka}"),
    open("SELECT * FROM {A} WHERE rowid = {kA}"),
    open("SELECT * FROM {A} WHERE {A.id} LIKE {kA}"),
    open("SELECT * FROM {A} WHERE {A.id} = {kA} COLLATE NOCASE"),
    open("SELECT * FROM {A} WHERE ({A.id}, v) = ({kA}, {v})"),
    open("SELECT * FROM {A} WHERE {A.id} BETWEEN {kA} AND {kA2}"),
    open("SELECT * FROM {A} WHERE {A.id} = (SELECT max(r) FROM {B})"),
    open("SELECT * FROM {A} WHERE {A.id} IN (SELECT r FROM {B} WHERE {B.id} = {kB})"),
    open(
        "SELECT * FROM {A} AS x WHERE EXISTS (SELECT 1 FROM {B} AS y WHERE y.{B.id} = x.r AND y.{B.id} = {kB})",
    ),
    open("SELECT x.v, y.w FROM {a} AS x JOIN {b} AS y ON y.{b.id} = x.v"),
    open("SELECT * FROM {A} NATURAL JOIN {B}"),
    open("SELECT x.v, y.w FROM {A} AS x FULL JOIN {B} AS y ON x.{A.id} = y.r"),
    open("SELECT v FROM {a} UNION SELECT v FROM {b} ORDER BY 1"),
    open("SELECT v FROM {a} EXCEPT SELECT v FROM {b} WHERE {b.id} = {kb}"),
    open("SELECT v FROM {A} INTERSECT SELECT v FROM {B}"),
    open(
        "WITH RECURSIVE c(n) AS (SELECT {v} UNION SELECT c.n + 1 FROM c WHERE c.n < 4) SELECT n, (SELECT count(*) FROM {A} WHERE v = n) FROM c",
    ),
    open(
        "WITH RECURSIVE c(i) AS (SELECT {kA} UNION SELECT x.r FROM {A} AS x JOIN c ON x.{A.id} = c.i) SELECT i FROM c",
    ),
    open("WITH {B} AS (SELECT * FROM {A} WHERE v > 0) SELECT * FROM {B} WHERE {A.id} = {kA}"),
    open("WITH q(i, w) AS (SELECT v, w FROM {A}) SELECT * FROM q WHERE i = {v}"),
    open("SELECT x.* FROM {A} AS x, (SELECT {kA} AS k) q WHERE x.{A.id} = q.k"),
    open("SELECT * FROM {A} WHERE {A.id} = {kA} OR 1"),
    open("SELECT sum(v) FILTER (WHERE {A.id} = {kA}), count(*) FROM {A}"),
    open(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM {B} WHERE v = {v}) THEN 1 ELSE 0 END, count(*) FROM {A}",
    ),
    open("SELECT v, lag(v) OVER (PARTITION BY w ORDER BY v, {A.id}) FROM {A}"),
    open("SELECT * FROM {A} WHERE (w, v) IN (SELECT w, max(v) FROM {A} GROUP BY w)"),
    open("SELECT value, (SELECT count(*) FROM {A} WHERE v = value) FROM json_each('[1, 2, 3]')"),
    open("VALUES ((SELECT count(*) FROM {A})), (2)"),
    open("SELECT (SELECT y.w FROM {B} AS y WHERE y.{B.id} = x.r LIMIT 1) FROM {A} AS x"),
    trap(
        "SELECT typeof({o}), count(*) FROM {A}",
        &[(Mutant::UntypedKeys, "")],
    ),
    // Which connection of a pool it runs on is not the same on both sides.
    open("SELECT changes() >= 0, last_insert_rowid() IS NULL, count(*) FROM {A}"),
    open("SELECT name, sql FROM sqlite_schema ORDER BY name"),
    open("SELECT * FROM sqlite_sequence"),
    open("SELECT name FROM pragma_table_info('{A}')"),
    // What looks pinned and is not.
    trap(
        "SELECT * FROM {A} WHERE {A.id} = {kA} OR v = {v}",
        &[(
            Mutant::OrPins,
            "SELECT * FROM {A} WHERE {A.id} = {kA} AND v = {v}",
        )],
    ),
    trap(
        "SELECT * FROM {A} WHERE v = {v} OR ({A.id} = {kA} AND v > 0)",
        &[(
            Mutant::OrPins,
            "SELECT * FROM {A} WHERE v = {v} AND {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT x.v, y.v FROM {A} AS x JOIN {B} AS y ON (x.{A.id} = {kA} OR y.{B.id} = {kB})",
        &[(
            Mutant::OrPins,
            "SELECT x.v, y.v FROM {A} AS x JOIN {B} AS y ON (x.{A.id} = {kA} AND y.{B.id} = {kB})",
        )],
    ),
    trap(
        "SELECT * FROM {A} WHERE NOT {A.id} = {kA}",
        &[(
            Mutant::ExpressionPins,
            "SELECT * FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT * FROM {A} WHERE {A.id} <> {kA}",
        &[(
            Mutant::ExpressionPins,
            "SELECT * FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT count(*) FROM {A} WHERE ({A.id} = {kA}) = 0",
        &[(
            Mutant::ExpressionPins,
            "SELECT count(*) FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT count(*) FROM {A} WHERE {A.id} = {kA} = 0",
        &[(
            Mutant::ExpressionPins,
            "SELECT count(*) FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT w FROM {A} WHERE {A.id} = {kA} IS NOT 1",
        &[(
            Mutant::ExpressionPins,
            "SELECT w FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT w FROM {A} WHERE {A.id} NOT IN ({kA}, {kA2})",
        &[(
            Mutant::ExpressionPins,
            "SELECT w FROM {A} WHERE {A.id} IN ({kA}, {kA2})",
        )],
    ),
    trap(
        "SELECT w FROM {A} WHERE CASE WHEN {A.id} = {kA} THEN 0 ELSE 1 END",
        &[(
            Mutant::ExpressionPins,
            "SELECT w FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT w FROM {A} WHERE coalesce({A.id} = {kA}, 1) OR v = {v}",
        &[(
            Mutant::ExpressionPins,
            "SELECT w FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT * FROM (SELECT {A.id}, v, row_number() OVER (ORDER BY v, w) AS place FROM {A}) s WHERE s.{A.id} = {kA}",
        &[(
            Mutant::PinAboveWindow,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "WITH s AS (SELECT {A.id} AS i, sum(v) OVER () AS total FROM {A}) SELECT * FROM s WHERE i = {kA}",
        &[(
            Mutant::PinAboveWindow,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT * FROM (SELECT * FROM {A} ORDER BY v, {A.id} LIMIT {n}) s WHERE s.{A.id} = {kA}",
        &[(
            Mutant::PinAboveLimit,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT * FROM (SELECT {A.id} AS i, v FROM {A} UNION SELECT max({A.id}), max(v) FROM {A}) WHERE i = {kA}",
        &[(
            Mutant::PinAboveLimit,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT * FROM (SELECT min({A.id}) AS i, count(*) AS n FROM {A} GROUP BY w) s WHERE i = {kA}",
        &[(
            Mutant::PinAboveGroup,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT * FROM (SELECT max({A.id}) AS {A.id}, count(*) AS n FROM {A}) s WHERE {A.id} = {kA}",
        &[(
            Mutant::PinAboveGroup,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT x.v, y.w FROM {A} AS x LEFT JOIN {B} AS y ON x.{A.id} = {kA}",
        &[(
            Mutant::PreservedSidePins,
            "SELECT x.v, y.w FROM {A} AS x LEFT JOIN {B} AS y ON 1 WHERE x.{A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT x.v, y.w FROM {B} AS y RIGHT JOIN {A} AS x ON x.{A.id} = {kA}",
        &[(
            Mutant::PreservedSidePins,
            "SELECT x.v, y.w FROM {A} AS x LEFT JOIN {B} AS y ON 1 WHERE x.{A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT x.v, y.w FROM {A} AS x FULL JOIN {B} AS y ON x.{A.id} = {kA} AND y.{B.id} = {kB}",
        &[(
            Mutant::PreservedSidePins,
            "SELECT x.v, y.w FROM {A} AS x JOIN {B} AS y ON x.{A.id} = {kA} AND y.{B.id} = {kB}",
        )],
    ),
    trap(
        "SELECT x.v, y.v FROM {A} AS x JOIN {A} AS y ON y.v >= x.v WHERE x.{A.id} = {kA}",
        &[(
            Mutant::OneOccurrencePins,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT v FROM {A} WHERE {A.id} = {kA} UNION ALL SELECT max(v) FROM {A}",
        &[(
            Mutant::OneOccurrencePins,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT v, (SELECT count(*) FROM {A}) FROM {A} WHERE {A.id} = {kA}",
        &[(
            Mutant::OneOccurrencePins,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT v FROM {A} WHERE {A.id} = {kA} AND v = (SELECT max(v) FROM {A})",
        &[(
            Mutant::OneOccurrencePins,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT * FROM (SELECT v AS {A.id}, w FROM {A}) s WHERE {A.id} = {v}",
        &[(Mutant::AliasPins, "SELECT w FROM {A} WHERE {A.id} = {v}")],
    ),
    trap(
        "WITH s({A.id}, w) AS (SELECT u, w FROM {A}) SELECT * FROM s WHERE s.{A.id} = {v}",
        &[(Mutant::AliasPins, "SELECT w FROM {A} WHERE {A.id} = {v}")],
    ),
    trap(
        "SELECT x.v, (SELECT count(*) FROM {A} AS y WHERE x.{A.id} = {kA} AND y.v > 0) FROM {A} AS x",
        &[(
            Mutant::OuterColumnPins,
            "SELECT v FROM {A} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT * FROM {A} AS x WHERE EXISTS (SELECT 1 FROM {B} AS y WHERE x.{A.id} = {kA} OR y.v = {v})",
        &[(
            Mutant::OuterColumnPins,
            "SELECT * FROM {A} AS x, {B} AS y WHERE x.{A.id} = {kA} AND y.{B.id} = {kB}",
        )],
    ),
    trap(
        "SELECT v FROM {A} WHERE {A.id} = '{kA}'",
        &[(
            Mutant::TextPinsInteger,
            "SELECT v FROM {A} WHERE {A.id} = {kA9}",
        )],
    ),
    trap(
        "SELECT v FROM {A} WHERE {A.id} IN ('{kA}', '0{kA}', {kA9})",
        &[(
            Mutant::TextPinsInteger,
            "SELECT v FROM {A} WHERE {A.id} = {kA9}",
        )],
    ),
];

pub(crate) const WRITES: &[Shape] = &[
    // Inserts.
    trap(
        "INSERT INTO {A} ({A.id}, v, w, u) VALUES ({kA}, {v}, {w}, {v2})",
        &[
            (Mutant::TriggersForgotten, ""),
            (Mutant::ViewsAreTables, ""),
            (
                Mutant::InsertForgetsGaps,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA9}",
            ),
        ],
    ),
    trap(
        "INSERT INTO {A} (v, w) VALUES ({v}, {w})",
        &[
            (
                Mutant::InsertForgetsGaps,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA9}",
            ),
            (Mutant::GapNeedsNoInserts, ""),
        ],
    ),
    trap(
        "INSERT INTO {A} ({A.id}, v) VALUES ({kA}, {v}), ({kA2}, {v2})",
        &[(
            Mutant::InsertForgetsGaps,
            "UPDATE {A} SET v = v WHERE {A.id} = {kA9}",
        )],
    ),
    open("INSERT INTO {A} ({A.id}, v, w) VALUES (NULL, {v}, {w})"),
    open("INSERT INTO {A} DEFAULT VALUES"),
    open("INSERT INTO {A} VALUES ({kA}, {v}, {w}, {v2}, NULL)"),
    open("INSERT INTO {A} (rowid, v) VALUES ({v}, {v2})"),
    open("INSERT INTO {A} ({A.id}, v) VALUES ({kA} + 1, {v})"),
    open(
        "INSERT INTO {A} ({A.id}, v) VALUES ({kA}, {v}), ((SELECT max({A.id}) + 1 FROM {A}), {v2})",
    ),
    trap(
        "INSERT OR IGNORE INTO {A} ({A.id}, v, w) SELECT {B.id}, v, w FROM {B} WHERE v > {v}",
        &[(Mutant::WrongTarget, "UPDATE {B} SET v = v")],
    ),
    open("INSERT INTO {A} (v, w) SELECT v, w FROM {A} WHERE {A.id} = {kA}"),
    open("INSERT OR IGNORE INTO {A} ({A.id}, v, u) VALUES ({kA}, {v}, {v2})"),
    open("INSERT OR FAIL INTO {A} ({A.id}, v, u) VALUES ({kA}, {v}, {v2}), ({kA2}, {v2}, {v})"),
    open("INSERT OR ROLLBACK INTO {A} ({A.id}, v, u) VALUES ({kA}, {v}, {v2})"),
    open("INSERT INTO {A} ({A.id}, v, w, r) VALUES ({kA}, {v}, {w}, {kB})"),
    open("INSERT INTO {A} ({A.id}, v, w) VALUES ({kA}, {v}, {w}) RETURNING *"),
    open("INSERT INTO {A} (v, w) VALUES ({v}, {w}) RETURNING {A.id}"),
    // Upserts and REPLACE.
    trap(
        "INSERT INTO {A} ({A.id}, v) VALUES ({kA}, {v}) ON CONFLICT ({A.id}) DO UPDATE SET v = excluded.v",
        &[(
            Mutant::InsertForgetsGaps,
            "UPDATE {A} SET v = v WHERE {A.id} = {kA9}",
        )],
    ),
    trap(
        "INSERT INTO {A} ({A.id}, v) VALUES ({kA}, {v}) ON CONFLICT ({A.id}) DO UPDATE SET {A.id} = {kA2}",
        &[(
            Mutant::KeyUpdateForgetsNew,
            "INSERT INTO {A} ({A.id}, v) VALUES ({kA}, {v}) ON CONFLICT ({A.id}) DO UPDATE SET v = 0",
        )],
    ),
    trap(
        "INSERT INTO {A} ({A.id}, v, u) VALUES ({kA}, {v}, {v2}) ON CONFLICT (u) DO UPDATE SET w = {w}, v = excluded.v",
        &[
            (Mutant::OtherUniqueForgotten, ""),
            (
                Mutant::UpsertPinned,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA}",
            ),
        ],
    ),
    trap(
        "INSERT INTO {A} ({A.id}, v, u) VALUES ({kA}, {v}, {v2}) ON CONFLICT DO UPDATE SET w = {w}",
        &[(
            Mutant::UpsertPinned,
            "UPDATE {A} SET v = v WHERE {A.id} = {kA}",
        )],
    ),
    open("INSERT INTO {A} ({A.id}, v, u) VALUES ({kA}, {v}, {v2}) ON CONFLICT DO NOTHING"),
    open(
        "INSERT INTO {A} ({A.id}, v) SELECT {kA}, {v} WHERE 1 ON CONFLICT ({A.id}) DO UPDATE SET v = {v2} WHERE v < {v}",
    ),
    trap(
        "REPLACE INTO {A} ({A.id}, v, u) VALUES ({kA}, {v}, {v2})",
        &[
            (Mutant::OtherUniqueForgotten, ""),
            (
                Mutant::ReplacePinned,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA}",
            ),
        ],
    ),
    trap(
        "INSERT OR REPLACE INTO {A} ({A.id}, v, w, u) VALUES ({kA}, {v}, {w}, {v2})",
        &[
            (Mutant::OtherUniqueForgotten, ""),
            (
                Mutant::ReplacePinned,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA}",
            ),
        ],
    ),
    open("REPLACE INTO {A} (v, u) VALUES ({v}, {v2})"),
    // Updates.
    bait(
        "UPDATE {A} SET v = {v} WHERE {A.id} = {kA}",
        &[
            (Mutant::TriggersForgotten, ""),
            (Mutant::ViewsAreTables, ""),
            (Mutant::NocaseComparesBytes, ""),
        ],
    ),
    pinned("UPDATE {A} SET v = v + 1, w = {w} WHERE {A.id} IN ({kA}, {kA2})"),
    pinned("UPDATE {A} SET v = {v} WHERE {A.id} = {kA} AND v <> {v2} RETURNING {A.id}, v"),
    pinned("UPDATE {A} AS x SET v = (SELECT count(*) FROM {B}) WHERE x.{A.id} = {kA}"),
    pinned("UPDATE {A} SET r = {kB} WHERE {A.id} = {kA}"),
    pinned("UPDATE {A} SET u = {v} WHERE {A.id} = {kA}"),
    trap(
        "UPDATE {A} SET v = v + 1 WHERE v = {v}",
        &[(
            Mutant::BroadForgetsKeys,
            "UPDATE {A} SET v = v + 1 WHERE {A.id} = {kA9}",
        )],
    ),
    trap(
        "UPDATE {A} SET w = {w}",
        &[(
            Mutant::BroadForgetsKeys,
            "UPDATE {A} SET v = v + 1 WHERE {A.id} = {kA9}",
        )],
    ),
    trap(
        "UPDATE {A} SET v = {v} WHERE {A.id} = {kA} OR v = {v2}",
        &[(
            Mutant::OrPinsWrite,
            "UPDATE {A} SET v = {v} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "UPDATE {A} SET {A.id} = {kA2} WHERE {A.id} = {kA}",
        &[
            (Mutant::CascadesForgotten, ""),
            (
                Mutant::KeyUpdateForgetsNew,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA}",
            ),
            (
                Mutant::KeyUpdateForgetsOld,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA2}",
            ),
        ],
    ),
    trap(
        "UPDATE {A} SET ({A.id}, v) = ({kA2}, {v}) WHERE {A.id} = {kA}",
        &[
            (
                Mutant::KeyUpdateForgetsNew,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA}",
            ),
            (
                Mutant::KeyUpdateForgetsOld,
                "UPDATE {A} SET v = v WHERE {A.id} = {kA2}",
            ),
        ],
    ),
    open("UPDATE {A} SET {A.id} = {A.id} + 1 WHERE {A.id} = {kA}"),
    open("UPDATE {A} SET {A.id} = {kA2}, v = {v} WHERE v = {v2}"),
    open("UPDATE {A} SET rowid = {v} WHERE {A.id} = {kA}"),
    open("UPDATE {A} SET v = {v} WHERE rowid = {v2}"),
    open("UPDATE OR REPLACE {A} SET u = {v} WHERE {A.id} = {kA}"),
    open("UPDATE OR REPLACE {A} SET {A.id} = {kA2} WHERE {A.id} = {kA}"),
    open("UPDATE OR IGNORE {A} SET u = {v} WHERE v > {v2}"),
    open("UPDATE OR FAIL {A} SET u = {v}"),
    trap(
        "UPDATE {A} SET v = y.v FROM {B} AS y WHERE y.{B.id} = {A}.r",
        &[(Mutant::WrongTarget, "UPDATE {B} SET v = v")],
    ),
    open("UPDATE {A} SET v = {v} FROM {B} AS y WHERE {A}.{A.id} = {kA} AND y.{B.id} = {kB}"),
    open("UPDATE {A} SET v = {v} WHERE NOT {A.id} = {kA}"),
    open("UPDATE {A} SET v = {v} WHERE {A.id} = (SELECT max({A.id}) FROM {A})"),
    open("UPDATE {A} SET v = {v} WHERE {A.id} = {kA} = 0"),
    trap(
        "WITH q AS (SELECT {B.id} AS i FROM {B} WHERE v > {v}) UPDATE {A} SET w = {w} WHERE r IN (SELECT i FROM q)",
        &[(Mutant::WrongTarget, "UPDATE {B} SET v = v")],
    ),
    open("UPDATE {A} SET v = {v} WHERE {A.id} = '{kA}'"),
    // Deletes.
    bait(
        "DELETE FROM {A} WHERE {A.id} = {kA}",
        &[
            (Mutant::CascadesForgotten, ""),
            (Mutant::TriggersForgotten, ""),
        ],
    ),
    pinned("DELETE FROM {A} WHERE {A.id} IN ({kA}, {kA2}) AND v > {v}"),
    pinned("DELETE FROM {A} WHERE {A.id} = {kA} RETURNING v"),
    trap(
        "DELETE FROM {A} WHERE v = {v}",
        &[
            (Mutant::CascadesForgotten, ""),
            (Mutant::TriggersForgotten, ""),
            (
                Mutant::BroadForgetsKeys,
                "UPDATE {A} SET v = v + 1 WHERE {A.id} = {kA9}",
            ),
        ],
    ),
    open("DELETE FROM {A} WHERE v > 5"),
    trap(
        "DELETE FROM {A} WHERE {A.id} = {kA} OR u = {v}",
        &[(Mutant::OrPinsWrite, "DELETE FROM {A} WHERE {A.id} = {kA}")],
    ),
    open("DELETE FROM {A} WHERE r IN (SELECT {B.id} FROM {B} WHERE v = {v})"),
    open(
        "DELETE FROM {A} AS x WHERE EXISTS (SELECT 1 FROM {B} AS y WHERE y.{B.id} = {kB} AND y.v = x.v)",
    ),
    open("DELETE FROM {A} WHERE rowid = {v}"),
    // Views with INSTEAD OF triggers, and errors where there are none.
    open("INSERT INTO {a} (id, v, w) VALUES ({ka}, {v}, {w})"),
    open("UPDATE {a} SET v = {v} WHERE id = {ka}"),
    open("DELETE FROM {a} WHERE id = {ka}"),
];

/// Several statements in one text, without parameters.
pub(crate) const SCRIPTS: &[Shape] = &[
    trap(
        "UPDATE {A} SET v = {v} WHERE {A.id} = {kA}; DELETE FROM {B} WHERE {B.id} = {kB}",
        &[(
            Mutant::FirstStatementOnly,
            "UPDATE {A} SET v = {v} WHERE {A.id} = {kA}",
        )],
    ),
    trap(
        "SELECT 1; UPDATE {A} SET w = {w}",
        &[(Mutant::FirstStatementOnly, "SELECT 1")],
    ),
    open("BEGIN; UPDATE {A} SET v = {v} WHERE {A.id} = {kA}; COMMIT"),
    open("BEGIN; UPDATE {A} SET v = {v}"),
    open("UPDATE {A} SET v = {v} WHERE {A.id} = {kA}; INSERT INTO {A} ({A.id}) VALUES ({kA})"),
    open("SAVEPOINT s; UPDATE {A} SET v = {v}; ROLLBACK TO s; RELEASE s"),
    open(
        "UPDATE {A} SET w = 'a;b' WHERE {A.id} = {kA} -- ; a comment\n; DELETE FROM {A} WHERE v = {v}",
    ),
];

/// What sessions set and what changes the schema.
pub(crate) const REST: &[Shape] = &[
    open("PRAGMA foreign_keys = OFF"),
    open("PRAGMA foreign_keys = ON"),
    open("PRAGMA recursive_triggers = ON"),
    open("PRAGMA defer_foreign_keys = ON"),
    open("PRAGMA case_sensitive_like = ON"),
    open("PRAGMA reverse_unordered_selects = ON"),
    open("PRAGMA user_version = 7"),
    open("ANALYZE"),
    // Another number of columns would make sqlx panic in sessions that know the old one.
    open("ALTER TABLE {A} RENAME COLUMN w TO w2"),
    open("ALTER TABLE {A} RENAME TO renamed"),
    open("CREATE UNIQUE INDEX IF NOT EXISTS late ON {A} (u)"),
    open("CREATE INDEX IF NOT EXISTS by_v ON {A} (v)"),
    open("DROP TABLE {A}"),
    open("DROP VIEW IF EXISTS v0"),
    open("CREATE VIEW IF NOT EXISTS v0 AS SELECT {A.id} AS id, v, w, u, r FROM {A} WHERE v < {v}"),
    open("CREATE TRIGGER late AFTER UPDATE ON {A} BEGIN UPDATE {B} SET v = v + 1; END"),
    open(
        "CREATE TRIGGER later AFTER INSERT ON {A} BEGIN DELETE FROM {B} WHERE {B.id} = NEW.v; END",
    ),
    open("DROP TRIGGER IF EXISTS late"),
    open("DROP TRIGGER IF EXISTS tr0"),
    open("CREATE TEMP TABLE {A} AS SELECT * FROM main.{A} WHERE v > {v}"),
    open("CREATE TEMP VIEW {A} AS SELECT * FROM main.{A} WHERE v > {v}"),
    open("CREATE TEMP TRIGGER own AFTER UPDATE ON main.{A} BEGIN UPDATE {B} SET w = 'own'; END"),
    open("DROP TABLE IF EXISTS temp.{A}"),
    open(
        "CREATE TABLE IF NOT EXISTS {A} ({A.id} INTEGER PRIMARY KEY, v INTEGER, w TEXT, u INTEGER, r)",
    ),
    open("VACUUM"),
    open("REINDEX"),
    open("EXPLAIN UPDATE {A} SET v = {v}"),
    open("PREPARE nothing"),
];
