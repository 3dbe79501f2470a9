-- Diesel 2.3.14 (debug_query), on postgres
-- ;
-- load a table
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books"
-- ;
-- find
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."id" = $1)
-- ;
-- find by a composite key
-- reads: books_authors
-- writes: -
-- cacheable
SELECT "books_authors"."book_id", "books_authors"."author_id" FROM "books_authors" WHERE (("books_authors"."book_id" = $1) AND ("books_authors"."author_id" = $2))
-- ;
-- select columns
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title" FROM "books"
-- ;
-- as_select
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."publisher_id" FROM "books"
-- ;
-- filter
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE (("books"."title" = $1) AND (("books"."pages" > $2) AND ("books"."pages" <= $3)))
-- ;
-- or_filter, not
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ( NOT ("books"."active") OR (("books"."pages" != $1) OR ("books"."price" < $2)))
-- ;
-- like
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE (("books"."title" LIKE $1) AND ("books"."title" NOT LIKE $2))
-- ;
-- escaped like
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."title" LIKE $1 ESCAPE $2)
-- ;
-- null
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE (("books"."published" IS NULL) OR ("books"."publisher_id" IS NOT NULL))
-- ;
-- between
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE (("books"."pages" BETWEEN $1 AND $2) AND ("books"."price" NOT BETWEEN $3 AND $4))
-- ;
-- order and limit
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" ORDER BY "books"."title" ASC, "books"."id" DESC, "books"."pages" LIMIT $1 OFFSET $2
-- ;
-- distinct
-- reads: books
-- writes: -
-- cacheable
SELECT DISTINCT "books"."publisher_id" FROM "books"
-- ;
-- count
-- reads: books
-- writes: -
-- cacheable
SELECT COUNT(*) FROM "books"
-- ;
-- count of a filter
-- reads: books
-- writes: -
-- cacheable
SELECT count("books"."id") FROM "books" WHERE ("books"."active" = $1)
-- ;
-- count distinct
-- reads: books
-- writes: -
-- cacheable
SELECT count( DISTINCT "books"."publisher_id") FROM "books"
-- ;
-- aggregates
-- reads: books
-- writes: -
-- cacheable
SELECT max("books"."pages"), min("books"."pages"), sum("books"."pages"), avg("books"."price") FROM "books"
-- ;
-- group by
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."publisher_id", COUNT(*) FROM "books" GROUP BY "books"."publisher_id" HAVING (COUNT(*) > $1)
-- ;
-- inner join
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT "books"."title", "publishers"."name" FROM ("books" INNER JOIN "publishers" ON ("books"."publisher_id" = "publishers"."id"))
-- ;
-- left join
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT "publishers"."name", "books"."title" FROM ("publishers" LEFT OUTER JOIN "books" ON ("books"."publisher_id" = "publishers"."id"))
-- ;
-- several joins
-- reads: authors, books, books_authors, reviews
-- writes: -
-- cacheable
SELECT "books"."title", "authors"."name" FROM (("books" INNER JOIN ("books_authors" INNER JOIN "authors" ON ("books_authors"."author_id" = "authors"."id")) ON ("books_authors"."book_id" = "books"."id")) LEFT OUTER JOIN "reviews" ON ("reviews"."book_id" = "books"."id"))
-- ;
-- join with on
-- reads: authors, books
-- writes: -
-- cacheable
SELECT "books"."id" FROM ("books" INNER JOIN "authors" ON ("authors"."name" = "books"."title"))
-- ;
-- filter of a join
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT "books"."title" FROM ("books" INNER JOIN "publishers" ON ("books"."publisher_id" = "publishers"."id")) WHERE (("publishers"."name" = $1) AND ("books"."id" = $2))
-- ;
-- exists
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT "publishers"."id", "publishers"."name", "publishers"."country" FROM "publishers" WHERE EXISTS (SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."publisher_id" = "publishers"."id"))
-- ;
-- select exists
-- reads: books
-- writes: -
-- cacheable
SELECT EXISTS (SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."id" = $1))
-- ;
-- not exists
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT "publishers"."id", "publishers"."name", "publishers"."country" FROM "publishers" WHERE  NOT (EXISTS (SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."publisher_id" = "publishers"."id")))
-- ;
-- in a subquery
-- reads: books, reviews
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."id" = ANY(SELECT "reviews"."book_id" FROM "reviews" WHERE ("reviews"."stars" > $1)))
-- ;
-- not in a subquery
-- reads: books, reviews
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."id" != ALL(SELECT "reviews"."book_id" FROM "reviews"))
-- ;
-- a list
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."id" = ANY($1))
-- ;
-- not in a list
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."id" != ALL($1))
-- ;
-- scalar subquery
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."pages" = (SELECT max("books"."pages") FROM "books" LIMIT $1))
-- ;
-- belonging to
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."publisher_id" = $1)
-- ;
-- belonging to several
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."publisher_id" = ANY($1))
-- ;
-- arithmetic
-- reads: books
-- writes: -
-- cacheable
SELECT ("books"."pages" + $1) FROM "books" WHERE (("books"."pages" * $2) > $3)
-- ;
-- SQL function
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE (lower("books"."title") = $1)
-- ;
-- coalesce
-- reads: authors
-- writes: -
-- cacheable
SELECT coalesce("authors"."email", $1) FROM "authors"
-- ;
-- case
-- reads: books
-- writes: -
-- cacheable
SELECT CASE WHEN (("books"."pages" > $1)) THEN ($2) ELSE ($3) END FROM "books"
-- ;
-- boxed
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."active" = $1) ORDER BY "books"."id" LIMIT $2
-- ;
-- alias
-- reads: authors
-- writes: -
-- cacheable
SELECT "authors"."name", "mentors"."name" FROM ("authors" INNER JOIN "authors" AS "mentors" ON ("authors"."mentor_id" = "mentors"."id"))
-- ;
-- raw fragment
-- reads: books
-- writes: -
-- cacheable
SELECT COUNT(*) FROM "books" WHERE length(title) > $1
-- ;
-- sql_query
-- reads: books
-- writes: -
-- cacheable
SELECT id, title FROM books WHERE pages > 5 ORDER BY id
-- ;
-- now
-- reads: books
-- writes: -
-- uncacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."added" < CURRENT_TIMESTAMP)
-- ;
-- today
-- reads: -
-- writes: -
-- uncacheable
SELECT CURRENT_DATE
-- ;
-- window
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", row_number() OVER ( PARTITION BY "books"."publisher_id" ORDER BY "books"."price") FROM "books"
-- ;
-- window with a frame
-- reads: books
-- writes: -
-- cacheable
SELECT max("books"."pages") OVER ( ORDER BY "books"."id" ROWS  BETWEEN UNBOUNDED PRECEDING  AND CURRENT ROW ) FROM "books"
-- ;
-- rank and lag
-- reads: books
-- writes: -
-- cacheable
SELECT rank() OVER ( ORDER BY "books"."price"), lag("books"."title") OVER ( ORDER BY "books"."id"), first_value("books"."title") OVER ( ORDER BY "books"."id") FROM "books"
-- ;
-- aggregate over
-- reads: books
-- writes: -
-- cacheable
SELECT sum("books"."pages") OVER ( PARTITION BY "books"."publisher_id") FROM "books"
-- ;
-- union
-- reads: books, reviews
-- writes: -
-- cacheable
(SELECT "books"."id" FROM "books") UNION (SELECT "reviews"."book_id" FROM "reviews")
-- ;
-- union all
-- reads: books, reviews
-- writes: -
-- cacheable
(SELECT "books"."id" FROM "books") UNION ALL (SELECT "reviews"."book_id" FROM "reviews")
-- ;
-- schema-qualified
-- reads: orders
-- writes: -
-- cacheable
SELECT "shop"."orders"."id", "shop"."orders"."book_id" FROM "shop"."orders" WHERE ("shop"."orders"."book_id" = $1)
-- ;
-- insert
-- writes: books
-- uncacheable
INSERT INTO "books" ("title", "price", "pages", "active", "publisher_id") VALUES ($1, $2, $3, $4, DEFAULT)
-- ;
-- insert of assignments
-- writes: authors
-- uncacheable
INSERT INTO "authors" ("name", "email") VALUES ($1, $2)
-- ;
-- insert with a key
-- writes: authors
-- uncacheable
INSERT INTO "authors" ("id", "name") VALUES ($1, $2)
-- ;
-- insert defaults
-- writes: authors
-- uncacheable
INSERT INTO "authors" DEFAULT VALUES
-- ;
-- insert from a query
-- writes: authors
-- uncacheable
INSERT INTO "authors" ("name") SELECT "publishers"."name" FROM "publishers"
-- ;
-- update by key
-- writes: books
-- uncacheable
UPDATE "books" SET "title" = $1 WHERE ("books"."id" = $2)
-- ;
-- update by filter
-- writes: books
-- uncacheable
UPDATE "books" SET "active" = $1, "pages" = ("books"."pages" + $2) WHERE ("books"."pages" < $3)
-- ;
-- update all
-- writes: books
-- uncacheable
UPDATE "books" SET "active" = $1
-- ;
-- update by changeset
-- writes: books
-- uncacheable
UPDATE "books" SET "title" = $1, "price" = $2, "pages" = $3, "active" = $4, "publisher_id" = $5 WHERE ("books"."id" = $6)
-- ;
-- update by a model
-- writes: books
-- uncacheable
UPDATE "books" SET "pages" = $1 WHERE ("books"."id" = $2)
-- ;
-- update in a subquery
-- writes: books
-- uncacheable
UPDATE "books" SET "active" = $1 WHERE ("books"."id" = ANY(SELECT "reviews"."book_id" FROM "reviews"))
-- ;
-- delete by key
-- writes: books
-- uncacheable
DELETE FROM "books" WHERE ("books"."id" = $1)
-- ;
-- delete by filter
-- writes: reviews
-- uncacheable
DELETE FROM "reviews" WHERE ("reviews"."stars" < $1)
-- ;
-- delete all
-- writes: reviews
-- uncacheable
DELETE FROM "reviews"
-- ;
-- delete in a subquery
-- writes: reviews
-- uncacheable
DELETE FROM "reviews" WHERE ("reviews"."book_id" = ANY(SELECT "books"."id" FROM "books" WHERE ("books"."active" = $1)))
-- ;
-- for update
-- reads: books
-- writes: -
-- uncacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."id" = $1) FOR UPDATE
-- ;
-- for no key update, skip locked
-- reads: books
-- writes: -
-- uncacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."id" = $1) FOR NO KEY UPDATE SKIP LOCKED
-- ;
-- for share, no wait
-- reads: books
-- writes: -
-- uncacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" FOR SHARE NOWAIT
-- ;
-- for key share
-- reads: books
-- writes: -
-- uncacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" FOR KEY SHARE
-- ;
-- distinct on
-- reads: books
-- writes: -
-- cacheable
SELECT DISTINCT ON ("books"."publisher_id") "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" ORDER BY "books"."publisher_id", "books"."price" DESC
-- ;
-- ilike, similar to
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE (("books"."title" ILIKE $1) AND ("books"."title" SIMILAR TO $2))
-- ;
-- is not distinct from
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."publisher_id" IS NOT DISTINCT FROM $1)
-- ;
-- intersect, except
-- reads: books, reviews
-- writes: -
-- cacheable
(SELECT "books"."id" FROM "books") INTERSECT (SELECT "reviews"."book_id" FROM "reviews")
-- ;
-- except
-- reads: books, reviews
-- writes: -
-- cacheable
(SELECT "books"."id" FROM "books") EXCEPT ALL (SELECT "reviews"."book_id" FROM "reviews")
-- ;
-- nulls last
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" ORDER BY "books"."published" DESC NULLS LAST
-- ;
-- insert returning
-- writes: authors
-- uncacheable
INSERT INTO "authors" ("name") VALUES ($1) RETURNING "authors"."id"
-- ;
-- insert several
-- writes: authors
-- uncacheable
INSERT INTO "authors" ("name", "email") VALUES ($1, $2), ($3, $4)
-- ;
-- upsert
-- writes: publishers
-- uncacheable
INSERT INTO "publishers" ("id", "name") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name"
-- ;
-- upsert on a constraint
-- writes: publishers
-- uncacheable
INSERT INTO "publishers" ("id", "name") VALUES ($1, $2) ON CONFLICT ON CONSTRAINT "publishers_name_key" DO NOTHING
-- ;
-- upsert with a filter
-- writes: publishers
-- uncacheable
INSERT INTO "publishers" ("id", "name") VALUES ($1, $2) ON CONFLICT ("name") WHERE ("publishers"."country" IS NULL) DO UPDATE SET "country" = $3
-- ;
-- do nothing
-- writes: publishers
-- uncacheable
INSERT INTO "publishers" ("id", "name") VALUES ($1, $2) ON CONFLICT DO NOTHING
-- ;
-- update returning
-- writes: books
-- uncacheable
UPDATE "books" SET "title" = $1 WHERE ("books"."id" = $2) RETURNING "books"."id"
-- ;
-- delete returning
-- writes: books
-- uncacheable
DELETE FROM "books" WHERE ("books"."id" = $1) RETURNING "books"."title"
-- ;
-- date part
-- reads: books
-- writes: -
-- cacheable
SELECT date("books"."added") FROM "books"
-- ;
-- at time zone
-- reads: books
-- writes: -
-- cacheable
SELECT ("books"."added" AT TIME ZONE $1) FROM "books"
-- ;
-- only
-- reads: books
-- writes: -
-- cacheable
SELECT "books"."id" FROM  ONLY "books"
-- ;
-- sampling
-- reads: books
-- writes: -
-- uncacheable
SELECT "books"."id" FROM "books" TABLESAMPLE BERNOULLI($1)
-- ;
-- intervals
-- reads: books
-- writes: -
-- uncacheable
SELECT "books"."id", "books"."title", "books"."price", "books"."pages", "books"."active", "books"."published", "books"."added", "books"."publisher_id" FROM "books" WHERE ("books"."added" > (CURRENT_TIMESTAMP - $1))
-- ;
-- copy
-- writes: books
-- uncacheable
COPY "books" ("id", "title") FROM STDIN
-- ;
-- begin
-- session
BEGIN
-- ;
-- savepoint
-- session
SAVEPOINT diesel_savepoint_1
-- ;
-- release
-- session
RELEASE SAVEPOINT diesel_savepoint_1
-- ;
-- rollback to
-- session
ROLLBACK TO SAVEPOINT diesel_savepoint_1
-- ;
-- commit
-- session
COMMIT
-- ;
-- rollback
-- session
ROLLBACK
-- ;
-- migrations table
-- schema
CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (
       version VARCHAR(50) PRIMARY KEY NOT NULL,
       run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
)
-- ;
-- connection set-up
-- session
SET TIME ZONE 'UTC'
-- ;
-- connection set-up
-- session
SET CLIENT_ENCODING TO 'UTF8'
-- ;
-- transaction builder
-- session
BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE
-- ;
-- transaction builder
-- session
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ
