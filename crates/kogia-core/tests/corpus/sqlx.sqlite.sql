-- sqlx: its README, examples, migrator, and what people write by hand, on sqlite
-- ;
-- README: query_as
-- reads: users
-- writes: -
-- cacheable
SELECT id, name FROM users WHERE email = ?
-- ;
-- README: numbered parameters
-- reads: users
-- writes: -
-- cacheable
SELECT id, name FROM users WHERE email = ?1 OR backup = ?1 OR id = ?2
-- ;
-- named parameters
-- reads: users
-- writes: -
-- cacheable
SELECT id FROM users WHERE email = :email AND name = @name AND city = $city
-- ;
-- README: macro
-- reads: users
-- writes: -
-- cacheable
SELECT country, COUNT(*) AS count FROM users GROUP BY country
-- ;
-- forced types
-- reads: users
-- writes: -
-- cacheable
SELECT id AS "id!: i64", name AS "name?" FROM users WHERE organization = ?
-- ;
-- example todos: insert
-- writes: todos
-- uncacheable
INSERT INTO todos ( description )
VALUES ( ?1 )
-- ;
-- example todos: complete
-- writes: todos
-- uncacheable
UPDATE todos
SET done = TRUE
WHERE id = ?1
-- ;
-- example todos: list
-- reads: todos
-- writes: -
-- cacheable
SELECT id, description, done
FROM todos
ORDER BY id
-- ;
-- returning
-- writes: users
-- uncacheable
INSERT INTO users (email) VALUES (?) RETURNING id, created_at
-- ;
-- last insert rowid
-- reads: -
-- writes: -
-- uncacheable
SELECT last_insert_rowid()
-- ;
-- changes
-- reads: -
-- writes: -
-- uncacheable
SELECT changes()
-- ;
-- by rowid
-- reads: post
-- writes: -
-- cacheable
SELECT rowid, * FROM post WHERE rowid = ?
-- ;
-- a list of parameters
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE id IN (?, ?, ?)
-- ;
-- a list as JSON
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE id IN (SELECT value FROM json_each(?))
-- ;
-- JSON
-- reads: users
-- writes: -
-- cacheable
SELECT json_extract(data, '$.city'), data ->> '$.zip', data -> 'items' FROM users WHERE json_array_length(data, '$.tags') > 1
-- ;
-- JSON table
-- reads: users
-- writes: -
-- cacheable
SELECT users.id, j.value FROM users, json_each(users.data, '$.tags') AS j WHERE j.value = ?
-- ;
-- JSON aggregate
-- reads: comment, post
-- writes: -
-- cacheable
SELECT p.id, json_group_array(json_object('id', c.id, 'body', c.body)) FILTER (WHERE c.id IS NOT NULL) FROM post p LEFT JOIN comment c ON c.post_id = p.id GROUP BY p.id
-- ;
-- update JSON
-- writes: users
-- uncacheable
UPDATE users SET data = json_set(data, '$.name', ?) WHERE id = ?
-- ;
-- keyset page
-- reads: post
-- writes: -
-- cacheable
SELECT id, title FROM post WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?
-- ;
-- page
-- reads: post
-- writes: -
-- cacheable
SELECT id, title FROM post ORDER BY id LIMIT ? OFFSET ?
-- ;
-- optional filters
-- reads: post
-- writes: -
-- cacheable
SELECT * FROM post WHERE (?1 IS NULL OR title LIKE '%' || ?1 || '%') AND (?2 IS NULL OR user_id = ?2) ORDER BY id LIMIT ?3
-- ;
-- upsert
-- writes: users
-- uncacheable
INSERT INTO users (email, name) VALUES (?, ?) ON CONFLICT (email) DO UPDATE SET name = excluded.name, logins = logins + 1
-- ;
-- upsert with conditions
-- writes: users
-- uncacheable
INSERT INTO users (email, name) VALUES (?, ?) ON CONFLICT (email) WHERE deleted_at IS NULL DO UPDATE SET name = excluded.name WHERE users.name <> excluded.name RETURNING id
-- ;
-- upsert by a query
-- writes: users
-- uncacheable
INSERT INTO users (email) SELECT email FROM import WHERE true ON CONFLICT DO NOTHING
-- ;
-- or replace
-- writes: users
-- uncacheable
INSERT OR REPLACE INTO users (id, email) VALUES (?, ?)
-- ;
-- or ignore
-- writes: users
-- uncacheable
INSERT OR IGNORE INTO users (email, name) VALUES (?, ?)
-- ;
-- replace
-- writes: users
-- uncacheable
REPLACE INTO users (id, email) VALUES (?, ?)
-- ;
-- default values
-- writes: jobs
-- uncacheable
INSERT INTO jobs DEFAULT VALUES
-- ;
-- insert from a query
-- writes: archive
-- uncacheable
INSERT INTO archive (id, title) SELECT id, title FROM post WHERE created_at < ?
-- ;
-- update from
-- writes: post
-- uncacheable
UPDATE post SET author = u.name FROM users AS u WHERE u.id = post.user_id AND u.id = ?
-- ;
-- update or ignore
-- writes: users
-- uncacheable
UPDATE OR IGNORE users SET email = lower(email)
-- ;
-- update several columns
-- writes: item
-- uncacheable
UPDATE item SET (a, b) = (SELECT max(a), min(b) FROM item) WHERE id = ?
-- ;
-- queue: take a job
-- reads: jobs
-- writes: jobs
-- uncacheable
UPDATE jobs SET status = 'running' WHERE id = (SELECT id FROM jobs WHERE status = 'queued' ORDER BY id LIMIT 1) RETURNING *
-- ;
-- delete
-- writes: post
-- uncacheable
DELETE FROM post WHERE id = ? RETURNING title
-- ;
-- delete with a subquery
-- writes: comment
-- uncacheable
DELETE FROM comment WHERE post_id IN (SELECT id FROM post WHERE user_id = ?)
-- ;
-- delete with a common table expression
-- writes: post
-- uncacheable
WITH old AS (SELECT id FROM post ORDER BY id LIMIT 10) DELETE FROM post WHERE id IN (SELECT id FROM old)
-- ;
-- recursive tree
-- reads: category
-- writes: -
-- cacheable
WITH RECURSIVE tree(id, parent_id, depth) AS (SELECT id, parent_id, 0 FROM category WHERE id = ? UNION ALL SELECT c.id, c.parent_id, depth + 1 FROM category c JOIN tree ON c.parent_id = tree.id) SELECT * FROM tree
-- ;
-- counter
-- reads: -
-- writes: -
-- uncacheable
WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 10) SELECT x FROM n
-- ;
-- full-text search
-- reads: docs
-- writes: -
-- cacheable
SELECT rowid, highlight(docs, 0, '<b>', '</b>'), bm25(docs) FROM docs WHERE docs MATCH ? ORDER BY rank
-- ;
-- is
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE parent IS ? AND other IS NOT ?
-- ;
-- is a number
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE done IS 1
-- ;
-- is distinct from
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE a IS NOT DISTINCT FROM ?
-- ;
-- null tests
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE a ISNULL AND b NOTNULL AND c NOT NULL
-- ;
-- bits
-- reads: item
-- writes: -
-- cacheable
SELECT flags & 4, flags | 1, flags << 2, flags >> 1, ~flags FROM item WHERE (flags >> 3) & 1 = 1
-- ;
-- patterns
-- reads: users
-- writes: -
-- cacheable
SELECT * FROM users WHERE name LIKE ? ESCAPE '\' AND city GLOB 'A*' AND name NOT LIKE 'x%'
-- ;
-- not glob
-- reads: users
-- writes: -
-- cacheable
SELECT * FROM users WHERE city NOT GLOB '[a-z]*'
-- ;
-- regular expression
-- reads: users
-- writes: -
-- cacheable
SELECT * FROM users WHERE name REGEXP ?
-- ;
-- collation
-- reads: users
-- writes: -
-- cacheable
SELECT * FROM users WHERE name = ? COLLATE NOCASE ORDER BY name COLLATE NOCASE DESC
-- ;
-- dates of a column
-- reads: post
-- writes: -
-- cacheable
SELECT strftime('%Y-%m', created_at) AS month, COUNT(*) FROM post GROUP BY month
-- ;
-- dates of parameters and modifiers
-- reads: post
-- writes: -
-- cacheable
SELECT * FROM post WHERE created_at > datetime(created_at, '-7 days', 'start of day')
-- ;
-- relative to now
-- reads: post
-- writes: -
-- uncacheable
SELECT * FROM post WHERE created_at > datetime('now', '-7 days')
-- ;
-- relative to now, otherwise
-- reads: post
-- writes: -
-- uncacheable
SELECT julianday('now') - julianday(created_at), unixepoch() FROM post
-- ;
-- in local time
-- reads: post
-- writes: -
-- uncacheable
SELECT datetime(created_at, 'localtime') FROM post
-- ;
-- current timestamp
-- reads: post
-- writes: -
-- uncacheable
SELECT * FROM post WHERE created_at < CURRENT_TIMESTAMP
-- ;
-- random
-- reads: item
-- writes: -
-- uncacheable
SELECT * FROM item ORDER BY random() LIMIT 1
-- ;
-- window
-- reads: post
-- writes: -
-- cacheable
SELECT id, row_number() OVER (PARTITION BY user_id ORDER BY created_at DESC) AS n, lag(title, 1, '') OVER w FROM post WINDOW w AS (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
-- ;
-- window with exclusion
-- reads: item
-- writes: -
-- cacheable
SELECT sum(a) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM item
-- ;
-- control flow
-- reads: item
-- writes: -
-- cacheable
SELECT iif(a > 1, 'x', 'y'), ifnull(a, 0), nullif(a, 1), coalesce(a, b), CASE a WHEN 1 THEN 'one' ELSE 'many' END FROM item
-- ;
-- casts
-- reads: item
-- writes: -
-- cacheable
SELECT CAST(a AS INTEGER), CAST(a AS TEXT), typeof(a), quote(a), hex(a), x'0aff' FROM item
-- ;
-- compound
-- reads: archive, banned, item, post
-- writes: -
-- cacheable
SELECT id FROM post UNION SELECT id FROM archive EXCEPT SELECT id FROM banned INTERSECT SELECT id FROM item ORDER BY 1
-- ;
-- values
-- reads: -
-- writes: -
-- uncacheable
VALUES (1, 'a'), (2, 'b')
-- ;
-- index choice
-- reads: post
-- writes: -
-- cacheable
SELECT * FROM post INDEXED BY post_user WHERE user_id = ?
-- ;
-- no index
-- reads: post
-- writes: -
-- cacheable
SELECT * FROM post NOT INDEXED WHERE user_id = ?
-- ;
-- other quotes
-- reads: post
-- writes: -
-- cacheable
SELECT [id], `title`, "user_id" FROM [post] WHERE "id" = ?
-- ;
-- main schema
-- reads: post
-- writes: -
-- cacheable
SELECT * FROM main.post WHERE id = ?
-- ;
-- exists
-- reads: users
-- writes: -
-- cacheable
SELECT EXISTS(SELECT 1 FROM users WHERE email = ?) AS "exists!: bool"
-- ;
-- natural joins
-- reads: comment, post, tag, users
-- writes: -
-- cacheable
SELECT * FROM post NATURAL JOIN users LEFT OUTER JOIN comment USING (id) CROSS JOIN tag
-- ;
-- right and full joins
-- reads: post, tag, users
-- writes: -
-- cacheable
SELECT * FROM post RIGHT JOIN users ON users.id = post.user_id FULL OUTER JOIN tag ON tag.id = post.id
-- ;
-- transaction
-- session
BEGIN
-- ;
-- immediate transaction
-- session
BEGIN IMMEDIATE
-- ;
-- nested transaction
-- session
SAVEPOINT _sqlx_savepoint_1
-- ;
-- nested commit
-- session
RELEASE SAVEPOINT _sqlx_savepoint_1
-- ;
-- nested rollback
-- session
ROLLBACK TO SAVEPOINT _sqlx_savepoint_1
-- ;
-- commit
-- session
COMMIT
-- ;
-- rollback
-- session
ROLLBACK
-- ;
-- connection set-up
-- session
PRAGMA page_size = 4096; PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL; PRAGMA auto_vacuum = NONE;
-- ;
-- pragma: busy time-out
-- session
PRAGMA busy_timeout = 5000
-- ;
-- pragma: cache
-- session
PRAGMA cache_size = -64000
-- ;
-- pragma: table
-- session
PRAGMA table_info(post)
-- ;
-- pragma: optimize
-- session
PRAGMA optimize
-- ;
-- pragma: check-point
-- session
PRAGMA wal_checkpoint(TRUNCATE)
-- ;
-- migrator: create its table
-- schema
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
-- ;
-- migrator: insert
-- writes: _sqlx_migrations
-- uncacheable
INSERT INTO _sqlx_migrations ( version, description, success, checksum, execution_time )
    VALUES ( ?1, ?2, TRUE, ?3, -1 )
-- ;
-- migrator: list
-- reads: _sqlx_migrations
-- writes: -
-- cacheable
SELECT version, checksum FROM _sqlx_migrations ORDER BY version
-- ;
-- migrator: dirty version
-- reads: _sqlx_migrations
-- writes: -
-- cacheable
SELECT version FROM _sqlx_migrations WHERE success = false ORDER BY version LIMIT 1
-- ;
-- set-up: a table
-- schema
CREATE TABLE post (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE, title TEXT NOT NULL COLLATE NOCASE UNIQUE, data TEXT CHECK (json_valid(data)), created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), views INTEGER GENERATED ALWAYS AS (id * 2) VIRTUAL)
-- ;
-- set-up: strict, without rowid
-- schema
CREATE TABLE tag (name TEXT PRIMARY KEY, n INTEGER) STRICT, WITHOUT ROWID
-- ;
-- set-up: a full-text table
-- schema
CREATE VIRTUAL TABLE docs USING fts5(title, body, content='post', content_rowid='id')
-- ;
-- set-up: an index
-- schema
CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users (lower(email)) WHERE deleted_at IS NULL
-- ;
-- set-up: a view
-- schema
CREATE VIEW recent AS SELECT * FROM post WHERE views > 5
-- ;
-- set-up: a trigger
-- schema
CREATE TRIGGER post_ai AFTER INSERT ON post BEGIN INSERT INTO docs (rowid, title) VALUES (new.id, new.title); END
-- ;
-- set-up: rename a column
-- schema
ALTER TABLE post RENAME COLUMN title TO heading
-- ;
-- set-up: drop
-- schema
DROP TABLE IF EXISTS post
-- ;
-- system table
-- writes: -
-- uncacheable
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
-- ;
-- pragma as a table
-- writes: -
-- uncacheable
SELECT name FROM pragma_table_info('post')
-- ;
-- explain
-- writes: -
-- uncacheable
EXPLAIN QUERY PLAN SELECT * FROM post WHERE id = 1
-- ;
-- analyze
-- writes: -
-- uncacheable
ANALYZE
-- ;
-- vacuum, which may change rowids
-- writes: -
-- uncacheable
-- database
VACUUM
