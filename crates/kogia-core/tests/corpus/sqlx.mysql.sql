-- sqlx: its README, examples, migrator, and what people write by hand, on mysql
-- ;
-- connection set-up
-- session
SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')),time_zone='+00:00',NAMES utf8mb4 COLLATE utf8mb4_unicode_ci
-- ;
-- README: query_as
-- reads: users
-- writes: -
-- cacheable
SELECT id, name FROM users WHERE email = ?
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
SELECT id AS `id!`, name AS `name?: String` FROM users WHERE organization = ?
-- ;
-- example todos: insert
-- writes: todos
-- uncacheable
INSERT INTO todos ( description ) VALUES ( ? )
-- ;
-- example todos: complete
-- writes: todos
-- uncacheable
UPDATE todos
SET done = TRUE
WHERE id = ?
-- ;
-- example todos: list
-- reads: todos
-- writes: -
-- cacheable
SELECT id, description, done
FROM todos
ORDER BY id
-- ;
-- last insert id
-- reads: -
-- writes: -
-- uncacheable
SELECT LAST_INSERT_ID()
-- ;
-- a list of parameters
-- reads: item
-- writes: -
-- cacheable
SELECT * FROM item WHERE id IN (?, ?, ?)
-- ;
-- separated list of QueryBuilder
-- writes: users
-- uncacheable
INSERT INTO users(id, username, email, password) VALUES (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?)
-- ;
-- tuples of QueryBuilder
-- reads: users
-- writes: -
-- cacheable
SELECT * FROM users WHERE (id, username, email, password) IN ((?, ?, ?, ?), (?, ?, ?, ?))
-- ;
-- queue: take a job
-- reads: jobs
-- writes: -
-- uncacheable
SELECT id, payload FROM jobs WHERE status = 'queued' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
-- ;
-- lock in the old way
-- reads: account
-- writes: -
-- uncacheable
SELECT balance FROM account WHERE id = ? LOCK IN SHARE MODE
-- ;
-- lock for share
-- reads: account
-- writes: -
-- uncacheable
SELECT balance FROM account WHERE id = ? FOR SHARE
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
SELECT id, title FROM post ORDER BY id LIMIT 10, 20
-- ;
-- optional filters
-- reads: post
-- writes: -
-- cacheable
SELECT * FROM post WHERE (? IS NULL OR title LIKE CONCAT('%', ?, '%')) AND (? IS NULL OR user_id = ?) ORDER BY id LIMIT ? OFFSET ?
-- ;
-- upsert
-- writes: users
-- uncacheable
INSERT INTO users (email, name) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = VALUES(name), logins = logins + 1
-- ;
-- upsert with an alias
-- writes: users
-- uncacheable
INSERT INTO users (email, name) VALUES (?, ?) AS new ON DUPLICATE KEY UPDATE name = new.name
-- ;
-- upsert, keeping the id
-- writes: users
-- uncacheable
INSERT INTO users (email) VALUES (?) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)
-- ;
-- ignore
-- writes: users
-- uncacheable
INSERT IGNORE INTO users (email, name) VALUES (?, ?)
-- ;
-- replace
-- writes: users
-- uncacheable
REPLACE INTO users (id, email) VALUES (?, ?)
-- ;
-- insert, set form
-- writes: users
-- uncacheable
INSERT INTO users SET email = ?, name = ?
-- ;
-- insert from a query
-- writes: archive
-- uncacheable
INSERT INTO archive (id, title) SELECT id, title FROM post WHERE created_at < ?
-- ;
-- insert returning (MariaDB)
-- writes: users
-- uncacheable
INSERT INTO users (email) VALUES (?) RETURNING id
-- ;
-- update with a join
-- writes: post
-- uncacheable
UPDATE post p JOIN users u ON u.id = p.user_id SET p.author = u.name WHERE u.id = ?
-- ;
-- update of two tables
-- writes: post
-- uncacheable
UPDATE post, users SET post.author = users.name WHERE users.id = post.user_id
-- ;
-- update in order
-- writes: jobs
-- uncacheable
UPDATE jobs SET status = 'running' WHERE status = 'queued' ORDER BY id LIMIT 1
-- ;
-- delete with a join
-- writes: post
-- uncacheable
DELETE p FROM post p JOIN users u ON u.id = p.user_id WHERE u.banned = 1
-- ;
-- delete from two tables
-- writes: comment, post
-- uncacheable
DELETE p, c FROM post p LEFT JOIN comment c ON c.post_id = p.id WHERE p.id = ?
-- ;
-- delete using
-- writes: comment
-- uncacheable
DELETE FROM comment USING comment JOIN post ON comment.post_id = post.id WHERE post.user_id = ?
-- ;
-- delete in batches
-- writes: jobs
-- uncacheable
DELETE FROM jobs WHERE finished_at < ? ORDER BY id LIMIT 1000
-- ;
-- JSON
-- reads: users
-- writes: -
-- cacheable
SELECT JSON_UNQUOTE(JSON_EXTRACT(data, '$.address.city')), data->>'$.zip', data->'$.items[0]' FROM users WHERE JSON_CONTAINS(data, ?, '$.tags') AND JSON_LENGTH(data) > 1
-- ;
-- JSON aggregate
-- reads: comment, post
-- writes: -
-- cacheable
SELECT p.id, JSON_ARRAYAGG(JSON_OBJECT('id', c.id, 'body', c.body)) FROM post p LEFT JOIN comment c ON c.post_id = p.id GROUP BY p.id
-- ;
-- JSON table
-- reads: users
-- writes: -
-- cacheable
SELECT u.id, t.sku FROM users u, JSON_TABLE(u.data, '$.items[*]' COLUMNS (sku VARCHAR(20) PATH '$.sku', n INT PATH '$.n' DEFAULT '0' ON EMPTY)) AS t
-- ;
-- update JSON
-- writes: users
-- uncacheable
UPDATE users SET data = JSON_SET(data, '$.name', ?) WHERE id = ?
-- ;
-- group_concat
-- reads: post, post_tag, tag
-- writes: -
-- cacheable
SELECT p.id, GROUP_CONCAT(DISTINCT t.name ORDER BY t.name SEPARATOR ', ') FROM post p JOIN post_tag pt ON pt.post_id = p.id JOIN tag t ON t.id = pt.tag_id GROUP BY p.id
-- ;
-- dates
-- reads: post
-- writes: -
-- cacheable
SELECT DATE_FORMAT(created_at, '%Y-%m') AS month, COUNT(*) FROM post WHERE created_at >= DATE_SUB(?, INTERVAL 1 YEAR) GROUP BY month
-- ;
-- more dates
-- reads: post
-- writes: -
-- cacheable
SELECT TIMESTAMPDIFF(DAY, created_at, updated_at), created_at + INTERVAL 2 HOUR, EXTRACT(YEAR_MONTH FROM created_at), DATE(created_at), LAST_DAY(created_at), FROM_UNIXTIME(0), UNIX_TIMESTAMP(created_at) FROM post
-- ;
-- relative to now
-- reads: post
-- writes: -
-- uncacheable
SELECT * FROM post WHERE created_at > NOW() - INTERVAL 7 DAY
-- ;
-- compound interval
-- reads: post
-- writes: -
-- cacheable
SELECT created_at + INTERVAL '1 2' DAY_HOUR FROM post
-- ;
-- full-text
-- reads: post
-- writes: -
-- cacheable
SELECT id, MATCH(title, body) AGAINST (? IN BOOLEAN MODE) AS score FROM post WHERE MATCH(title, body) AGAINST (? IN NATURAL LANGUAGE MODE)
-- ;
-- window
-- reads: post
-- writes: -
-- cacheable
SELECT id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY created_at DESC) AS n, SUM(price) OVER w FROM post WINDOW w AS (ORDER BY id)
-- ;
-- recursive tree
-- reads: category
-- writes: -
-- cacheable
WITH RECURSIVE tree AS (SELECT id, parent_id, 0 AS depth FROM category WHERE id = ? UNION ALL SELECT c.id, c.parent_id, tree.depth + 1 FROM category c JOIN tree ON c.parent_id = tree.id) SELECT * FROM tree
-- ;
-- operators
-- reads: item
-- writes: -
-- cacheable
SELECT a DIV b, a MOD b, a % b, a <=> b, NOT a, a XOR b, a & b, a | b, a << 1, a ^ b, ~a FROM item
-- ;
-- regular expressions
-- reads: users
-- writes: -
-- cacheable
SELECT * FROM users WHERE name REGEXP ? AND email NOT RLIKE 'spam' AND name SOUNDS LIKE 'Ann'
-- ;
-- binary and collations
-- reads: users
-- writes: -
-- cacheable
SELECT * FROM users WHERE BINARY name = ? AND email = ? COLLATE utf8mb4_bin AND token = x'0aff'
-- ;
-- casts
-- reads: item
-- writes: -
-- cacheable
SELECT CAST(a AS SIGNED), CAST(a AS CHAR), CONVERT(a, DECIMAL(10, 2)), CONVERT(name USING utf8mb4), CAST(created_at AS DATETIME(6)) FROM item
-- ;
-- cast to a character set
-- reads: users
-- writes: -
-- cacheable
SELECT CAST(name AS CHAR CHARACTER SET utf8mb4) FROM users
-- ;
-- control flow
-- reads: item
-- writes: -
-- cacheable
SELECT IF(a > 1, 'x', 'y'), IFNULL(a, 0), NULLIF(a, 1), COALESCE(a, b), CASE a WHEN 1 THEN 'one' ELSE 'many' END FROM item
-- ;
-- strings with escapes
-- reads: item
-- writes: -
-- cacheable
SELECT 'it''s', 'it\'s', "double", 'a' 'b', _utf8mb4'x' FROM item WHERE name LIKE '50\%'
-- ;
-- index hints
-- reads: post
-- writes: -
-- cacheable
SELECT * FROM post USE INDEX (post_user) WHERE user_id = ?
-- ;
-- force index
-- reads: post, users
-- writes: -
-- cacheable
SELECT * FROM post p FORCE INDEX FOR ORDER BY (PRIMARY) STRAIGHT_JOIN users u ON u.id = p.user_id
-- ;
-- optimizer hint
-- reads: post
-- writes: -
-- cacheable
SELECT /*+ MAX_EXECUTION_TIME(1000) */ * FROM post WHERE id = ?
-- ;
-- modifiers
-- reads: post
-- writes: -
-- uncacheable
SELECT SQL_CALC_FOUND_ROWS * FROM post LIMIT 10
-- ;
-- found rows
-- reads: -
-- writes: -
-- uncacheable
SELECT FOUND_ROWS()
-- ;
-- another database
-- writes: -
-- uncacheable
SELECT * FROM other.post WHERE id = ?
-- ;
-- from dual
-- reads: -
-- writes: -
-- uncacheable
SELECT 1 FROM DUAL
-- ;
-- union
-- reads: archive, post
-- writes: -
-- cacheable
(SELECT id FROM post ORDER BY id LIMIT 5) UNION ALL (SELECT id FROM archive) ORDER BY id LIMIT 10
-- ;
-- with rollup
-- reads: post
-- writes: -
-- cacheable
SELECT user_id, COUNT(*) FROM post GROUP BY user_id WITH ROLLUP
-- ;
-- exists and subqueries
-- reads: banned, post, users
-- writes: -
-- cacheable
SELECT * FROM users u WHERE EXISTS (SELECT * FROM post WHERE post.user_id = u.id) AND u.id NOT IN (SELECT user_id FROM banned) AND u.points > ALL (SELECT points FROM users)
-- ;
-- derived table
-- reads: post
-- writes: -
-- cacheable
SELECT t.n FROM (SELECT COUNT(*) AS n FROM post GROUP BY user_id) AS t WHERE t.n > 1
-- ;
-- random
-- reads: item
-- writes: -
-- uncacheable
SELECT * FROM item ORDER BY RAND() LIMIT 1
-- ;
-- uuid
-- reads: -
-- writes: -
-- uncacheable
SELECT UUID(), UUID_SHORT()
-- ;
-- user variables
-- writes: -
-- uncacheable
SELECT @n := @n + 1, id FROM post, (SELECT @n := 0) AS init
-- ;
-- advisory lock of the migrator
-- reads: -
-- writes: -
-- uncacheable
SELECT GET_LOCK(?, -1)
-- ;
-- advisory unlock of the migrator
-- reads: -
-- writes: -
-- uncacheable
SELECT RELEASE_LOCK(?)
-- ;
-- migrator: current database
-- reads: -
-- writes: -
-- uncacheable
SELECT DATABASE()
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
    VALUES ( ?, ?, FALSE, ?, -1 )
-- ;
-- migrator: list
-- reads: _sqlx_migrations
-- writes: -
-- cacheable
SELECT version, checksum FROM _sqlx_migrations ORDER BY version
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
-- a read-only snapshot
-- session
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY
-- ;
-- isolation
-- session
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
-- ;
-- isolation of the next
-- session
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
-- ;
-- time zone
-- session
SET time_zone = '+02:00'
-- ;
-- checks off
-- session
SET FOREIGN_KEY_CHECKS = 0
-- ;
-- length of concatenations
-- session
SET SESSION group_concat_max_len = 1000000
-- ;
-- autocommit off
-- session
SET autocommit = 0
-- ;
-- set-up: a table
-- schema
CREATE TABLE post (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, user_id BINARY(16) NOT NULL, title VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, data JSON, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), PRIMARY KEY (id), UNIQUE KEY title (title(50)), KEY user_id (user_id), CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
-- ;
-- set-up: change a table
-- schema
ALTER TABLE post ADD COLUMN views INT NOT NULL DEFAULT 0 AFTER title, DROP COLUMN data, ADD INDEX (views)
-- ;
-- set-up: modify a column
-- schema
ALTER TABLE post MODIFY COLUMN title TEXT, ALGORITHM=INPLACE, LOCK=NONE
-- ;
-- set-up: full-text index
-- schema
CREATE FULLTEXT INDEX post_text ON post (title, body)
-- ;
-- set-up: a view
-- schema
CREATE OR REPLACE VIEW recent AS SELECT * FROM post WHERE views > 5
-- ;
-- set-up: drop
-- schema
DROP TABLE IF EXISTS post, comment
-- ;
-- set-up: rename
-- schema
RENAME TABLE post TO posts, comment TO comments
-- ;
-- truncate
-- writes: post
-- uncacheable
TRUNCATE TABLE post
-- ;
-- load data
-- writes: users
-- uncacheable
LOAD DATA LOCAL INFILE 'users.csv' INTO TABLE users FIELDS TERMINATED BY ',' LINES TERMINATED BY '\n' (id, name)
-- ;
-- lock tables
-- session
LOCK TABLES post WRITE, users READ
-- ;
-- show
-- writes: -
-- uncacheable
SHOW TABLES
-- ;
-- show columns
-- writes: -
-- uncacheable
SHOW FULL COLUMNS FROM post
-- ;
-- describe
-- writes: -
-- uncacheable
DESCRIBE post
-- ;
-- explain
-- writes: -
-- uncacheable
EXPLAIN SELECT * FROM post WHERE id = 1
-- ;
-- information schema
-- writes: -
-- uncacheable
SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()
