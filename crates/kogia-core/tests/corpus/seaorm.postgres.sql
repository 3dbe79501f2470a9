-- SeaORM 2.0.4 and sea-query 1.0.2, on postgres
-- ;
-- find all
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book"
-- ;
-- find by id
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" = $1
-- ;
-- find by a composite id
-- reads: book_author
-- writes: -
-- cacheable
SELECT "book_author"."book_id", "book_author"."author_id" FROM "book_author" WHERE "book_author"."book_id" = $1 AND "book_author"."author_id" = $2
-- ;
-- find by a UUID
-- reads: review
-- writes: -
-- cacheable
SELECT "review"."id", "review"."book_id", "review"."stars", "review"."body" FROM "review" WHERE "review"."id" = $1
-- ;
-- filter and order
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."title" LIKE $1 AND "book"."pages" >= $2 ORDER BY "book"."title" ASC, "book"."id" DESC
-- ;
-- starts and ends with, like
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE ("book"."title" LIKE $1 OR "book"."title" LIKE $2 OR "book"."title" LIKE $3) AND "book"."title" NOT LIKE $4
-- ;
-- is in, is not in, between, null
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" IN ($1, $2, $3) AND "book"."pages" NOT IN ($4) AND ("book"."pages" BETWEEN $5 AND $6) AND ("book"."publisher_id" IS NULL OR "book"."data" IS NOT NULL)
-- ;
-- an empty list
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE $1 = $2
-- ;
-- conditions
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."active" = $1 OR (NOT ("book"."pages" < $2 AND "book"."pages" <> $3))
-- ;
-- limit, offset
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" LIMIT $1 OFFSET $2
-- ;
-- select some columns
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."title", COUNT("book"."id") AS "count" FROM "book" GROUP BY "book"."title" HAVING COUNT("book"."id") > $1
-- ;
-- aggregates
-- reads: book
-- writes: -
-- cacheable
SELECT SUM("book"."pages") AS "a", MAX("book"."pages") AS "b", MIN("book"."pages") AS "c", AVG("price") AS "d" FROM "book"
-- ;
-- distinct
-- reads: book
-- writes: -
-- cacheable
SELECT DISTINCT "book"."publisher_id" FROM "book"
-- ;
-- join
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" INNER JOIN "publisher" ON "book"."publisher_id" = "publisher"."id" WHERE "publisher"."name" = $1
-- ;
-- left join with a condition
-- reads: book, review
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" LEFT JOIN "review" ON "book"."id" = "review"."book_id" AND "review"."stars" > $1
-- ;
-- join by alias
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id", "p"."name" AS "publisher_name" FROM "book" LEFT JOIN "publisher" AS "p" ON "book"."publisher_id" = "p"."id"
-- ;
-- find also related
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "book"."id" AS "A_id", "book"."title" AS "A_title", "book"."price" AS "A_price", "book"."pages" AS "A_pages", "book"."active" AS "A_active", "book"."data" AS "A_data", "book"."added" AS "A_added", "book"."publisher_id" AS "A_publisher_id", "publisher"."id" AS "B_id", "publisher"."name" AS "B_name", "publisher"."country" AS "B_country" FROM "book" LEFT JOIN "publisher" ON "book"."publisher_id" = "publisher"."id"
-- ;
-- find with related
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "publisher"."id" AS "A_id", "publisher"."name" AS "A_name", "publisher"."country" AS "A_country", "book"."id" AS "B_id", "book"."title" AS "B_title", "book"."price" AS "B_price", "book"."pages" AS "B_pages", "book"."active" AS "B_active", "book"."data" AS "B_data", "book"."added" AS "B_added", "book"."publisher_id" AS "B_publisher_id" FROM "publisher" LEFT JOIN "book" ON "publisher"."id" = "book"."publisher_id" ORDER BY "publisher"."id" ASC
-- ;
-- find also related, many to many
-- reads: author, book, book_author
-- writes: -
-- cacheable
SELECT "book"."id" AS "A_id", "book"."title" AS "A_title", "book"."price" AS "A_price", "book"."pages" AS "A_pages", "book"."active" AS "A_active", "book"."data" AS "A_data", "book"."added" AS "A_added", "book"."publisher_id" AS "A_publisher_id", "author"."id" AS "B_id", "author"."name" AS "B_name", "author"."email" AS "B_email", "author"."born" AS "B_born" FROM "book" LEFT JOIN "book_author" ON "book"."id" = "book_author"."book_id" LEFT JOIN "author" ON "book_author"."author_id" = "author"."id" ORDER BY "book"."id" ASC
-- ;
-- related of a model
-- reads: author, book, book_author
-- writes: -
-- cacheable
SELECT "author"."id", "author"."name", "author"."email", "author"."born" FROM "author" INNER JOIN "book_author" ON "book_author"."author_id" = "author"."id" INNER JOIN "book" ON "book"."id" = "book_author"."book_id" WHERE "book"."id" = $1
-- ;
-- find also linked by left join
-- reads: book, publisher, review
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" LEFT JOIN "publisher" ON "book"."publisher_id" = "publisher"."id" LEFT JOIN "review" ON "book"."id" = "review"."book_id"
-- ;
-- reverse join
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "publisher"."id", "publisher"."name", "publisher"."country" FROM "publisher" INNER JOIN "book" ON "book"."publisher_id" = "publisher"."id"
-- ;
-- in a subquery
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."publisher_id" IN (SELECT "id" FROM "publisher" WHERE "publisher"."country" = $1)
-- ;
-- exists
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "publisher"."id", "publisher"."name", "publisher"."country" FROM "publisher" WHERE EXISTS(SELECT $1 FROM "book" WHERE "book"."publisher_id" = "publisher"."id")
-- ;
-- lock for update
-- reads: book
-- writes: -
-- uncacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" = $1 FOR UPDATE
-- ;
-- lock shared
-- reads: book
-- writes: -
-- uncacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" = $1 FOR SHARE
-- ;
-- lock, skip locked
-- reads: book
-- writes: -
-- uncacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" FOR UPDATE SKIP LOCKED
-- ;
-- lock for no key update
-- reads: book
-- writes: -
-- uncacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" FOR NO KEY UPDATE
-- ;
-- lock for key share
-- reads: book
-- writes: -
-- uncacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" FOR KEY SHARE
-- ;
-- distinct on
-- reads: book
-- writes: -
-- cacheable
SELECT DISTINCT ON ("publisher_id") "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" ORDER BY "book"."publisher_id" ASC
-- ;
-- insert
-- writes: book
-- uncacheable
INSERT INTO "book" ("title", "price", "pages", "active", "data", "added", "publisher_id") VALUES ($1, $2, $3, $4, $5, $6, $7)
-- ;
-- insert with a key
-- writes: book
-- uncacheable
INSERT INTO "book" ("id", "title", "price", "pages", "active", "data", "added", "publisher_id") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
-- ;
-- insert many
-- writes: author
-- uncacheable
INSERT INTO "author" ("name") VALUES ($1), ($2)
-- ;
-- insert, on conflict do nothing
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name") VALUES ($1) ON CONFLICT ("name") DO NOTHING
-- ;
-- insert, on conflict update
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name", "country") VALUES ($1, $2) ON CONFLICT ("name") DO UPDATE SET "country" = "excluded"."country"
-- ;
-- insert, on conflict update where
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name") VALUES ($1) ON CONFLICT ("name") DO UPDATE SET "country" = $2 WHERE "publisher"."country" IS NULL
-- ;
-- insert, do nothing on the key
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name") VALUES ($1) ON CONFLICT ("id") DO NOTHING
-- ;
-- update one
-- writes: book
-- uncacheable
UPDATE "book" SET "title" = $1, "price" = $2, "pages" = $3, "active" = $4, "data" = $5, "added" = $6, "publisher_id" = $7 WHERE "book"."id" = $8
-- ;
-- update many
-- writes: book
-- uncacheable
UPDATE "book" SET "pages" = "pages" + $1 WHERE "book"."title" LIKE $2
-- ;
-- update many, set
-- writes: book
-- uncacheable
UPDATE "book" SET "active" = $1 WHERE "book"."publisher_id" = $2
-- ;
-- delete one
-- writes: book
-- uncacheable
DELETE FROM "book" WHERE "book"."id" = $1
-- ;
-- delete many
-- writes: book
-- uncacheable
DELETE FROM "book" WHERE "book"."pages" < $1
-- ;
-- delete all
-- writes: review
-- uncacheable
DELETE FROM "review"
-- ;
-- find by column expression
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE LOWER("title") = $1
-- ;
-- case
-- reads: book
-- writes: -
-- cacheable
SELECT (CASE WHEN ("book"."pages" > $1) THEN $2 ELSE $3 END) AS "size" FROM "book"
-- ;
-- cast
-- reads: book
-- writes: -
-- cacheable
SELECT CAST("pages" AS text) AS "t" FROM "book"
-- ;
-- custom expression
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE pages % 2 = 0 ORDER BY length(title) ASC
-- ;
-- one
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" LIMIT $1
-- ;
-- paginate
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" ORDER BY "book"."id" ASC LIMIT $1 OFFSET $2
-- ;
-- count of items
-- reads: book
-- writes: -
-- cacheable
SELECT COUNT(*) AS num_items FROM (SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."active" = $1) AS "sub_query"
-- ;
-- exists in the table
-- reads: book
-- writes: -
-- cacheable
SELECT 1 FROM "book" WHERE "book"."pages" > $1
-- ;
-- cursor
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE ("book"."title" = $1 AND "book"."id" > $2) OR "book"."title" > $3 ORDER BY "book"."title" ASC, "book"."id" ASC LIMIT $4
-- ;
-- cursor from the end
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" < $1 ORDER BY "book"."id" DESC LIMIT $2
-- ;
-- load many
-- reads: review
-- writes: -
-- cacheable
SELECT "review"."id", "review"."book_id", "review"."stars", "review"."body" FROM "review" WHERE ("review"."book_id") IN (($1)) ORDER BY "review"."id" ASC
-- ;
-- load one
-- reads: publisher
-- writes: -
-- cacheable
SELECT "publisher"."id", "publisher"."name", "publisher"."country" FROM "publisher" WHERE ("publisher"."id") IN (($1)) ORDER BY "publisher"."id" ASC
-- ;
-- load many to many
-- reads: book_author
-- writes: -
-- cacheable
SELECT "book_author"."book_id", "book_author"."author_id" FROM "book_author" WHERE ("book_author"."book_id") IN (($1))
-- ;
-- save a new model
-- writes: book
-- uncacheable
INSERT INTO "book" ("title", "price", "pages", "active") VALUES ($1, $2, $3, $4) RETURNING "id", "title", "price", "pages", "active", "data", "added", "publisher_id"
-- ;
-- update a model
-- writes: book
-- uncacheable
UPDATE "book" SET "title" = $1 WHERE "book"."id" = $2 RETURNING "id", "title", "price", "pages", "active", "data", "added", "publisher_id"
-- ;
-- transaction
-- session
BEGIN
-- ;
-- transaction
-- session
SAVEPOINT savepoint_1
-- ;
-- transaction
-- session
ROLLBACK TO SAVEPOINT savepoint_1
-- ;
-- transaction
-- session
COMMIT
-- ;
-- window function
-- reads: book
-- writes: -
-- cacheable
SELECT "id", ROW_NUMBER() OVER ( PARTITION BY "publisher_id" ORDER BY "price" DESC ) AS "n" FROM "book"
-- ;
-- union
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" UNION ALL (SELECT "id" FROM "book" WHERE "book"."pages" > $1) UNION (SELECT "id" FROM "book")
-- ;
-- intersect, except
-- reads: book, review
-- writes: -
-- cacheable
SELECT "id" FROM "book" INTERSECT (SELECT "book_id" FROM "review") EXCEPT (SELECT "id" FROM "book")
-- ;
-- common table expression
-- reads: book
-- writes: -
-- cacheable
WITH "counts" AS (SELECT "publisher_id", COUNT(*) AS "n" FROM "book" GROUP BY "publisher_id") SELECT "counts"."n", "counts"."publisher_id" FROM "counts"
-- ;
-- recursive common table expression
-- reads: book
-- writes: -
-- cacheable
WITH RECURSIVE "tree" ("id", "depth") AS (SELECT "id", $1 FROM "book" WHERE "book"."publisher_id" IS NULL UNION ALL (SELECT "book"."id", "tree"."depth" + $2 FROM "book" INNER JOIN "tree" ON "tree"."id" = "book"."publisher_id")) SELECT * FROM "tree"
-- ;
-- from a subquery
-- reads: book
-- writes: -
-- cacheable
SELECT * FROM (SELECT "id" FROM "book" LIMIT $1) AS "sub" WHERE "sub"."id" > $2
-- ;
-- several from items
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "book"."id" FROM "book", "publisher" WHERE "book"."publisher_id" = "publisher"."id"
-- ;
-- alias
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "b"."id" FROM "book" AS "b" LEFT JOIN "publisher" AS "p" ON "b"."publisher_id" = "p"."id"
-- ;
-- join a subquery
-- reads: book, review
-- writes: -
-- cacheable
SELECT "book"."id" FROM "book" LEFT JOIN (SELECT "book_id", AVG("stars") AS "stars" FROM "review" GROUP BY "book_id") AS "r" ON "r"."book_id" = "book"."id"
-- ;
-- scalar subquery
-- reads: book, review
-- writes: -
-- cacheable
SELECT "title", (SELECT COUNT(*) FROM "review" WHERE "review"."book_id" = "book"."id") AS "n" FROM "book"
-- ;
-- lateral join
-- reads: book, review
-- writes: -
-- cacheable
SELECT "book"."id" FROM "book" LEFT JOIN LATERAL (SELECT "stars" FROM "review" WHERE "review"."book_id" = "book"."id" LIMIT $1) AS "r" ON $2
-- ;
-- tuples in a list
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE ("id", "pages") IN (($1, $2), ($3, $4))
-- ;
-- values
-- reads: -
-- writes: -
-- uncacheable
SELECT * FROM (VALUES ($1, $2), ($3, $4)) AS "v"
-- ;
-- functions
-- reads: book
-- writes: -
-- cacheable
SELECT COALESCE("publisher_id", $1), CHAR_LENGTH("title"), COALESCE("publisher_id", $2), GREATEST("pages", $3), LEAST("pages", $4), ABS("pages"), ROUND("price"), UPPER("title") FROM "book"
-- ;
-- random order
-- reads: book
-- writes: -
-- uncacheable
SELECT "id" FROM "book" ORDER BY RANDOM() ASC LIMIT $1
-- ;
-- current timestamp
-- reads: book
-- writes: -
-- uncacheable
SELECT "id" FROM "book" WHERE "added" < CURRENT_TIMESTAMP
-- ;
-- nulls last
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" ORDER BY "publisher_id" DESC NULLS LAST
-- ;
-- order by given values
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" ORDER BY CASE WHEN "id"=3 THEN 0 WHEN "id"=1 THEN 1 WHEN "id"=2 THEN 2 ELSE 3 END
-- ;
-- bits and arithmetic
-- reads: book
-- writes: -
-- cacheable
SELECT ((("pages" * $1) + $2) / $3) % $4, "pages" & $5, "pages" | $6, "pages" << $7, "pages" >> $8 FROM "book"
-- ;
-- schema-qualified
-- reads: book
-- writes: -
-- cacheable
SELECT "shop"."book"."id" FROM "shop"."book"
-- ;
-- exists of nothing
-- reads: book
-- writes: -
-- cacheable
SELECT NOT EXISTS(SELECT $1 FROM "book")
-- ;
-- index hint or not
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE "book"."id" = $1 LIMIT $2
-- ;
-- escape in like
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE "book"."title" LIKE $1 ESCAPE '|'
-- ;
-- insert several rows
-- writes: author
-- uncacheable
INSERT INTO "author" ("name", "email") VALUES ($1, $2), ($3, $4)
-- ;
-- insert from select
-- writes: author
-- uncacheable
INSERT INTO "author" ("name") SELECT "name" FROM "publisher"
-- ;
-- insert defaults
-- writes: author
-- uncacheable
INSERT INTO "author" VALUES (DEFAULT)
-- ;
-- insert returning
-- writes: author
-- uncacheable
INSERT INTO "author" ("name") VALUES ($1) RETURNING *
-- ;
-- upsert with several targets
-- writes: book_author
-- uncacheable
INSERT INTO "book_author" ("book_id", "author_id") VALUES ($1, $2) ON CONFLICT ("book_id", "author_id") DO UPDATE SET "author_id" = "excluded"."author_id"
-- ;
-- upsert on a partial index
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name") VALUES ($1) ON CONFLICT ("name") WHERE "publisher"."country" IS NULL DO NOTHING
-- ;
-- update from
-- writes: book
-- uncacheable
UPDATE "book" SET "active" = $1 FROM "publisher" WHERE "book"."publisher_id" = "publisher"."id" AND "publisher"."country" = $2
-- ;
-- update by a subquery
-- writes: book
-- uncacheable
UPDATE "book" SET "pages" = (SELECT MAX("stars") FROM "review") WHERE "book"."id" = $1
-- ;
-- update returning
-- writes: book
-- uncacheable
UPDATE "book" SET "active" = $1 WHERE "book"."id" = $2 RETURNING *
-- ;
-- delete with a subquery
-- writes: book
-- uncacheable
DELETE FROM "book" WHERE "book"."id" IN (SELECT "book_id" FROM "review")
-- ;
-- delete in a common table expression
-- writes: book
-- uncacheable
WITH "old" AS (SELECT "id" FROM "book" LIMIT $1) DELETE FROM "book" WHERE "book"."id" IN (SELECT "id" FROM "old")
-- ;
-- JSON operators
-- reads: book
-- writes: -
-- cacheable
SELECT ("data" -> $1) ->> $2 FROM "book" WHERE "data" @> $3
-- ;
-- any of an array
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE "id" = ANY($1)
-- ;
-- ilike, concat
-- reads: book
-- writes: -
-- cacheable
SELECT "title" || $1 FROM "book" WHERE "title" ILIKE $2
-- ;
-- full-text search
-- reads: book
-- writes: -
-- cacheable
SELECT TS_RANK(TO_TSVECTOR("title"), PLAINTO_TSQUERY($1)) FROM "book" WHERE TO_TSVECTOR("title") @@ WEBSEARCH_TO_TSQUERY($2)
-- ;
-- sampling
-- reads: book
-- writes: -
-- uncacheable
SELECT "id" FROM "book" TABLESAMPLE BERNOULLI (10)
-- ;
-- random uuid
-- reads: -
-- writes: -
-- uncacheable
SELECT GEN_RANDOM_UUID()
-- ;
-- create type
-- schema
CREATE TYPE "mood" AS ENUM ('sad', 'ok')
-- ;
-- alter type
-- schema
ALTER TYPE "mood" ADD VALUE 'happy'
-- ;
-- drop type
-- schema
DROP TYPE IF EXISTS "mood"
-- ;
-- create extension
-- schema
CREATE EXTENSION IF NOT EXISTS ltree
-- ;
-- create table book
-- schema
CREATE TABLE "book" ( "id" bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY, "title" varchar NOT NULL, "price" decimal(10, 2) NOT NULL, "pages" integer NOT NULL, "active" bool NOT NULL, "data" json, "added" timestamp without time zone NOT NULL, "publisher_id" integer, CONSTRAINT "fk-book-publisher_id" FOREIGN KEY ("publisher_id") REFERENCES "publisher" ("id") ON DELETE CASCADE )
-- ;
-- create table publisher
-- schema
CREATE TABLE "publisher" ( "id" integer GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY, "name" varchar NOT NULL UNIQUE, "country" varchar )
-- ;
-- create table review
-- schema
CREATE TABLE "review" ( "id" uuid NOT NULL PRIMARY KEY, "book_id" bigint NOT NULL, "stars" smallint NOT NULL, "body" varchar, CONSTRAINT "fk-review-book_id" FOREIGN KEY ("book_id") REFERENCES "book" ("id") )
-- ;
-- create a join table
-- schema
CREATE TABLE "book_author" ( "book_id" bigint NOT NULL, "author_id" bigint NOT NULL, CONSTRAINT "pk-book_author" PRIMARY KEY ("book_id", "author_id"), CONSTRAINT "fk-book_author-book_id" FOREIGN KEY ("book_id") REFERENCES "book" ("id"), CONSTRAINT "fk-book_author-author_id" FOREIGN KEY ("author_id") REFERENCES "author" ("id") )
-- ;
-- create table if not exists
-- schema
CREATE TABLE IF NOT EXISTS "note" ( "id" integer GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY, "body" text DEFAULT 'x', "at" timestamp DEFAULT CURRENT_TIMESTAMP )
-- ;
-- add a column
-- schema
ALTER TABLE "note" ADD COLUMN "n" integer NOT NULL DEFAULT 5
-- ;
-- rename a column
-- schema
ALTER TABLE "note" RENAME COLUMN "n" TO "m"
-- ;
-- drop a column
-- schema
ALTER TABLE "note" DROP COLUMN "m"
-- ;
-- rename a table
-- schema
ALTER TABLE "note" RENAME TO "memo"
-- ;
-- drop table
-- schema
DROP TABLE IF EXISTS "memo"
