-- sqlx: its README, examples, migrator, and what people write by hand, on postgres
-- ;
-- README: fetch one
-- reads: -
-- writes: -
-- uncacheable
SELECT $1
-- ;
-- README: query_as
-- reads: users
-- writes: -
-- cacheable
SELECT id, name FROM users WHERE email = $1
-- ;
-- README: macro
-- reads: users
-- writes: -
-- cacheable
SELECT country, COUNT(*) AS count FROM users GROUP BY country
-- ;
-- README: forced types
-- reads: users
-- writes: -
-- cacheable
SELECT id, name AS "name!", email AS "email?: String", data AS "data: Json<Settings>" FROM users WHERE organization = $1
-- ;
-- example todos: insert
-- writes: todos
-- uncacheable
INSERT INTO todos ( description ) VALUES ( $1 ) RETURNING id
-- ;
-- example todos: complete
-- writes: todos
-- uncacheable
UPDATE todos
SET done = TRUE
WHERE id = $1
-- ;
-- example todos: list
-- reads: todos
-- writes: -
-- cacheable
SELECT id, description, done
FROM todos
ORDER BY id
-- ;
-- example axum-social: create post
-- reads: user
-- writes: post
-- uncacheable
with inserted_post as (
                insert into post(user_id, content)
                values ($1, $2)
                returning post_id, user_id, content, created_at
            )
            select username, content, created_at
            from inserted_post
            inner join "user" using (user_id)
-- ;
-- example axum-social: recent posts
-- reads: post, user
-- writes: -
-- cacheable
select username, content, created_at
            from post
            inner join "user" using (user_id)
            order by created_at desc
            limit $1
-- ;
-- example: check an account
-- reads: user
-- writes: -
-- cacheable
select exists(select 1 from "user" where username = $1) as "exists!"
-- ;
-- example: password hash
-- reads: user
-- writes: -
-- cacheable
select user_id, password_hash from "user" where username = $1 and deleted_at is null
-- ;
-- batch insert by unnest
-- writes: item
-- uncacheable
INSERT INTO item(a, b, c) SELECT * FROM UNNEST($1::text[], $2::bool[], $3::int8[])
-- ;
-- batch upsert by unnest
-- writes: item
-- uncacheable
INSERT INTO item(a, b, c)
SELECT * FROM UNNEST($1::text[], $2::bool[], $3::int8[]) AS t(a, b, c)
ON CONFLICT (a) DO UPDATE SET b = EXCLUDED.b, c = EXCLUDED.c WHERE item.c < EXCLUDED.c
-- ;
-- any of an array
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE id = ANY($1)
-- ;
-- not any of an array
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE NOT (id = ANY($1::bigint[])) AND b IS NOT FALSE
-- ;
-- queue: take a job
-- reads: jobs
-- writes: jobs
-- uncacheable
UPDATE jobs SET status = 'running', started_at = now() WHERE id = (SELECT id FROM jobs WHERE status = 'queued' ORDER BY created_at FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING *
-- ;
-- queue: delete in batches
-- reads: jobs
-- writes: jobs
-- uncacheable
WITH old AS (SELECT ctid FROM jobs WHERE finished_at < $1 LIMIT 1000 FOR UPDATE SKIP LOCKED) DELETE FROM jobs USING old WHERE jobs.ctid = old.ctid
-- ;
-- queue: notify
-- reads: -
-- writes: -
-- uncacheable
SELECT pg_notify('jobs', $1)
-- ;
-- keyset page
-- reads: post
-- writes: -
-- cacheable
SELECT id, title, created_at FROM post WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3
-- ;
-- optional filters
-- reads: post
-- writes: -
-- cacheable
SELECT * FROM post WHERE ($1::text IS NULL OR title ILIKE '%' || $1 || '%') AND ($2::int IS NULL OR user_id = $2) ORDER BY id LIMIT $3 OFFSET $4
-- ;
-- count over a window
-- reads: post
-- writes: -
-- cacheable
SELECT id, title, count(*) OVER () AS total FROM post LIMIT 20
-- ;
-- JSON aggregate
-- reads: comment, post
-- writes: -
-- cacheable
SELECT p.id, COALESCE(json_agg(json_build_object('id', c.id, 'body', c.body) ORDER BY c.id) FILTER (WHERE c.id IS NOT NULL), '[]') AS "comments!: Json<Vec<Comment>>" FROM post p LEFT JOIN comment c ON c.post_id = p.id WHERE p.id = $1 GROUP BY p.id
-- ;
-- arrays of rows
-- reads: post, post_tag, tag
-- writes: -
-- cacheable
SELECT p.id, ARRAY_AGG((t.id, t.name)) AS "tags: Vec<(i64, String)>" FROM post p JOIN post_tag pt ON pt.post_id = p.id JOIN tag t ON t.id = pt.tag_id GROUP BY p.id
-- ;
-- lateral
-- reads: post, user
-- writes: -
-- cacheable
SELECT u.user_id, latest.title FROM "user" u LEFT JOIN LATERAL (SELECT title FROM post WHERE post.user_id = u.user_id ORDER BY id DESC LIMIT 1) latest ON TRUE
-- ;
-- recursive tree
-- reads: category
-- writes: -
-- cacheable
WITH RECURSIVE tree AS (
    SELECT id, parent_id, name, 0 AS depth FROM category WHERE id = $1
    UNION ALL
    SELECT c.id, c.parent_id, c.name, tree.depth + 1 FROM category c JOIN tree ON c.parent_id = tree.id
)
SELECT * FROM tree ORDER BY depth
-- ;
-- distinct on
-- reads: post
-- writes: -
-- cacheable
SELECT DISTINCT ON (user_id) user_id, id, title FROM post ORDER BY user_id, created_at DESC
-- ;
-- date buckets
-- reads: post
-- writes: -
-- cacheable
SELECT date_trunc('day', created_at) AS day, count(*) FROM post WHERE created_at >= $1 AND created_at < $2 GROUP BY 1 ORDER BY 1
-- ;
-- generated series
-- reads: post
-- writes: -
-- cacheable
SELECT d::date, count(p.id) FROM generate_series($1::date, $2::date, interval '1 day') d LEFT JOIN post p ON p.created_at::date = d GROUP BY d
-- ;
-- relative to now
-- reads: post
-- writes: -
-- uncacheable
SELECT * FROM post WHERE created_at > now() - interval '7 days'
-- ;
-- text that means now
-- reads: post
-- writes: -
-- uncacheable
SELECT * FROM post WHERE created_at > 'today'
-- ;
-- full-text
-- reads: post
-- writes: -
-- cacheable
SELECT id, ts_rank(search, q) AS rank FROM post, websearch_to_tsquery('english', $1) q WHERE search @@ q ORDER BY rank DESC LIMIT 10
-- ;
-- JSON path
-- reads: users
-- writes: -
-- cacheable
SELECT data->'address'->>'city' AS city FROM users WHERE data @> $1 AND data ? 'address' AND data #>> '{address,zip}' = $2
-- ;
-- JSON path query
-- reads: users
-- writes: -
-- cacheable
SELECT jsonb_path_query_array(data, '$.items[*].sku') FROM users WHERE data @? '$.items[*] ? (@.n > 1)'
-- ;
-- update JSON
-- writes: users
-- uncacheable
UPDATE users SET data = jsonb_set(data, '{name}', to_jsonb($2::text)) WHERE id = $1
-- ;
-- update from values
-- writes: item
-- uncacheable
UPDATE item AS i SET c = v.c FROM (VALUES ($1::int8, $2::int8), ($3, $4)) AS v(id, c) WHERE i.id = v.id
-- ;
-- update from a table
-- writes: post
-- uncacheable
UPDATE post SET user_id = u.user_id FROM "user" u WHERE u.username = post.author
-- ;
-- delete using
-- writes: comment
-- uncacheable
DELETE FROM comment USING post WHERE comment.post_id = post.id AND post.user_id = $1
-- ;
-- upsert, returning whether inserted
-- writes: users
-- uncacheable
INSERT INTO users (email, name) VALUES ($1, $2) ON CONFLICT (email) DO UPDATE SET name = EXCLUDED.name RETURNING id, (xmax = 0) AS inserted
-- ;
-- upsert on a partial index
-- writes: users
-- uncacheable
INSERT INTO users (email, name) VALUES ($1, $2) ON CONFLICT (email) WHERE deleted_at IS NULL DO NOTHING
-- ;
-- upsert on an expression
-- writes: users
-- uncacheable
INSERT INTO users (email) VALUES ($1) ON CONFLICT (lower(email)) DO UPDATE SET email = EXCLUDED.email
-- ;
-- insert default values
-- writes: jobs
-- uncacheable
INSERT INTO jobs DEFAULT VALUES RETURNING id
-- ;
-- data-modifying chain
-- writes: audit, post
-- uncacheable
WITH gone AS (DELETE FROM post WHERE id = $1 RETURNING id, title) INSERT INTO audit (post_id, title) SELECT id, title FROM gone
-- ;
-- move rows
-- writes: archive, post
-- uncacheable
WITH moved AS (DELETE FROM post WHERE created_at < $1 RETURNING *), kept AS (INSERT INTO archive SELECT * FROM moved RETURNING 1) SELECT count(*) FROM kept
-- ;
-- merge
-- writes: item
-- uncacheable
MERGE INTO item i USING (SELECT $1::bigint AS id, $2::bigint AS c) s ON i.id = s.id WHEN MATCHED THEN UPDATE SET c = s.c WHEN NOT MATCHED THEN INSERT (id, c) VALUES (s.id, s.c)
-- ;
-- lock one row
-- reads: account
-- writes: -
-- uncacheable
SELECT balance FROM account WHERE id = $1 FOR UPDATE
-- ;
-- lock without blocking foreign keys
-- reads: account
-- writes: -
-- uncacheable
SELECT balance FROM account WHERE id = $1 FOR NO KEY UPDATE
-- ;
-- share a row
-- reads: account
-- writes: -
-- uncacheable
SELECT balance FROM account WHERE id = $1 FOR KEY SHARE
-- ;
-- advisory lock of the migrator
-- reads: -
-- writes: -
-- uncacheable
SELECT pg_advisory_lock($1)
-- ;
-- advisory unlock of the migrator
-- reads: -
-- writes: -
-- uncacheable
SELECT pg_advisory_unlock($1)
-- ;
-- migrator: current database
-- reads: -
-- writes: -
-- uncacheable
SELECT current_database()
-- ;
-- migrator: create its table
-- schema
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
);
-- ;
-- migrator: dirty version
-- reads: _sqlx_migrations
-- writes: -
-- cacheable
SELECT version FROM _sqlx_migrations WHERE success = false ORDER BY version LIMIT 1
-- ;
-- migrator: list
-- reads: _sqlx_migrations
-- writes: -
-- cacheable
SELECT version, checksum FROM _sqlx_migrations ORDER BY version
-- ;
-- migrator: insert
-- writes: _sqlx_migrations
-- uncacheable
INSERT INTO _sqlx_migrations ( version, description, success, checksum, execution_time )
    VALUES ( $1, $2, TRUE, $3, -1 )
-- ;
-- migrator: elapsed
-- writes: _sqlx_migrations
-- uncacheable
UPDATE _sqlx_migrations
    SET execution_time = $1
    WHERE version = $2
-- ;
-- migrator: revert
-- writes: _sqlx_migrations
-- uncacheable
DELETE FROM _sqlx_migrations WHERE version = $1
-- ;
-- transaction
-- session
BEGIN
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
-- transaction with options
-- session
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
-- ;
-- isolation inside
-- session
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
-- ;
-- tenant
-- session
SET LOCAL app.tenant = '7'
-- ;
-- search path
-- session
SET search_path = tenant7, public
-- ;
-- role
-- session
SET ROLE reporting
-- ;
-- statement timeout
-- session
SET statement_timeout = '5s'
-- ;
-- listen
-- session
LISTEN "jobs"
-- ;
-- unlisten
-- session
UNLISTEN *
-- ;
-- notify
-- session
NOTIFY jobs, 'x'
-- ;
-- deallocate
-- session
DEALLOCATE ALL
-- ;
-- copy in
-- writes: users
-- uncacheable
COPY users(id, name) FROM STDIN WITH (FORMAT CSV)
-- ;
-- copy out
-- uncacheable
COPY users TO STDOUT
-- ;
-- set-up: a table
-- schema
CREATE TABLE post (id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, user_id UUID NOT NULL REFERENCES "user" (user_id) ON DELETE CASCADE, title TEXT COLLATE "C", data JSONB NOT NULL DEFAULT '{}'::jsonb, created_at TIMESTAMPTZ NOT NULL DEFAULT now(), UNIQUE (user_id, title), CHECK (length(title) > 0))
-- ;
-- set-up: an index
-- schema
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_email ON users (lower(email)) WHERE deleted_at IS NULL
-- ;
-- set-up: a trigger
-- schema
CREATE TRIGGER set_updated_at BEFORE UPDATE ON post FOR EACH ROW EXECUTE FUNCTION trigger_set_updated_at()
-- ;
-- set-up: a function
-- schema
CREATE OR REPLACE FUNCTION trigger_set_updated_at() RETURNS TRIGGER AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END; $$ LANGUAGE plpgsql
-- ;
-- set-up: an enum
-- schema
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')
-- ;
-- set-up: drop
-- schema
DROP TABLE IF EXISTS post CASCADE
-- ;
-- several tables and comments
-- reads: post, user
-- writes: -
-- cacheable
SELECT /* the author */ u.username, -- and the post
       p.title
FROM "user" AS u, post AS p
WHERE u.user_id = p.user_id AND p.id = 5
-- ;
-- schema-qualified
-- reads: item, users
-- writes: -
-- cacheable
SELECT * FROM shop.item i INNER JOIN public.users u ON u.id = i.owner WHERE i.id = $1
-- ;
-- quoted names with capitals
-- reads: posts
-- writes: -
-- cacheable
SELECT "Id", "Title" FROM "Posts" WHERE "Id" = $1
-- ;
-- union
-- reads: archive, post
-- writes: -
-- cacheable
SELECT id, title FROM post UNION ALL SELECT id, title FROM archive ORDER BY id LIMIT 10
-- ;
-- grouping sets
-- reads: post
-- writes: -
-- cacheable
SELECT user_id, date_part('year', created_at), count(*) FROM post GROUP BY GROUPING SETS ((user_id), (date_part('year', created_at)), ())
-- ;
-- case, nulls, casts
-- reads: item
-- writes: -
-- cacheable
SELECT CASE WHEN c > 5 THEN 'big' ELSE 'small' END, NULLIF(c, 0), GREATEST(c, 1), c::text, CAST(c AS numeric(10, 2)) FROM item WHERE b IS DISTINCT FROM $1
-- ;
-- time zones
-- reads: post
-- writes: -
-- cacheable
SELECT created_at AT TIME ZONE 'UTC', extract(epoch FROM created_at) FROM post
-- ;
-- regular expressions
-- reads: users
-- writes: -
-- cacheable
SELECT * FROM users WHERE name ~* $1 AND email !~ 'spam' AND name SIMILAR TO '(A|B)%'
-- ;
-- ranges and exclusion
-- reads: booking
-- writes: -
-- cacheable
SELECT * FROM booking WHERE during && tstzrange($1, $2, '[)') AND room = $3
-- ;
-- random row
-- reads: item
-- writes: -
-- uncacheable
SELECT * FROM item ORDER BY random() LIMIT 1
-- ;
-- sequence
-- reads: -
-- writes: -
-- uncacheable
-- database
SELECT nextval('item_id_seq')
-- ;
-- uuid by the database
-- writes: user
-- uncacheable
INSERT INTO "user" (user_id, username) VALUES (gen_random_uuid(), $1) RETURNING user_id
-- ;
-- truncate
-- writes: comment, post
-- uncacheable
-- database
TRUNCATE TABLE post, comment RESTART IDENTITY CASCADE
-- ;
-- refresh
-- writes: post_stats
-- uncacheable
REFRESH MATERIALIZED VIEW CONCURRENTLY post_stats
-- ;
-- explain
-- writes: -
-- uncacheable
EXPLAIN SELECT * FROM post WHERE id = 1
-- ;
-- show
-- writes: -
-- uncacheable
SHOW server_version
