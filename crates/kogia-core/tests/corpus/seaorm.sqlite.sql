-- SeaORM 2.0.4 and sea-query 1.0.2, on sqlite
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
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" = ?
-- ;
-- find by a composite id
-- reads: book_author
-- writes: -
-- cacheable
SELECT "book_author"."book_id", "book_author"."author_id" FROM "book_author" WHERE "book_author"."book_id" = ? AND "book_author"."author_id" = ?
-- ;
-- find by a UUID
-- reads: review
-- writes: -
-- cacheable
SELECT "review"."id", "review"."book_id", "review"."stars", "review"."body" FROM "review" WHERE "review"."id" = ?
-- ;
-- filter and order
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."title" LIKE ? AND "book"."pages" >= ? ORDER BY "book"."title" ASC, "book"."id" DESC
-- ;
-- starts and ends with, like
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE ("book"."title" LIKE ? OR "book"."title" LIKE ? OR "book"."title" LIKE ?) AND "book"."title" NOT LIKE ?
-- ;
-- is in, is not in, between, null
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" IN (?, ?, ?) AND "book"."pages" NOT IN (?) AND ("book"."pages" BETWEEN ? AND ?) AND ("book"."publisher_id" IS NULL OR "book"."data" IS NOT NULL)
-- ;
-- an empty list
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE ? = ?
-- ;
-- conditions
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."active" = ? OR (NOT ("book"."pages" < ? AND "book"."pages" <> ?))
-- ;
-- limit, offset
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" LIMIT ? OFFSET ?
-- ;
-- select some columns
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."title", COUNT("book"."id") AS "count" FROM "book" GROUP BY "book"."title" HAVING COUNT("book"."id") > ?
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
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" INNER JOIN "publisher" ON "book"."publisher_id" = "publisher"."id" WHERE "publisher"."name" = ?
-- ;
-- left join with a condition
-- reads: book, review
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" LEFT JOIN "review" ON "book"."id" = "review"."book_id" AND "review"."stars" > ?
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
SELECT "author"."id", "author"."name", "author"."email", "author"."born" FROM "author" INNER JOIN "book_author" ON "book_author"."author_id" = "author"."id" INNER JOIN "book" ON "book"."id" = "book_author"."book_id" WHERE "book"."id" = ?
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
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."publisher_id" IN (SELECT "id" FROM "publisher" WHERE "publisher"."country" = ?)
-- ;
-- exists
-- reads: book, publisher
-- writes: -
-- cacheable
SELECT "publisher"."id", "publisher"."name", "publisher"."country" FROM "publisher" WHERE EXISTS(SELECT ? FROM "book" WHERE "book"."publisher_id" = "publisher"."id")
-- ;
-- insert
-- writes: book
-- uncacheable
INSERT INTO "book" ("title", "price", "pages", "active", "data", "added", "publisher_id") VALUES (?, ?, ?, ?, ?, ?, ?)
-- ;
-- insert with a key
-- writes: book
-- uncacheable
INSERT INTO "book" ("id", "title", "price", "pages", "active", "data", "added", "publisher_id") VALUES (?, ?, ?, ?, ?, ?, ?, ?)
-- ;
-- insert many
-- writes: author
-- uncacheable
INSERT INTO "author" ("name") VALUES (?), (?)
-- ;
-- insert, on conflict do nothing
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name") VALUES (?) ON CONFLICT ("name") DO NOTHING
-- ;
-- insert, on conflict update
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name", "country") VALUES (?, ?) ON CONFLICT ("name") DO UPDATE SET "country" = "excluded"."country"
-- ;
-- insert, on conflict update where
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name") VALUES (?) ON CONFLICT ("name") DO UPDATE SET "country" = ? WHERE "publisher"."country" IS NULL
-- ;
-- insert, do nothing on the key
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name") VALUES (?) ON CONFLICT ("id") DO NOTHING
-- ;
-- update one
-- writes: book
-- uncacheable
UPDATE "book" SET "title" = ?, "price" = ?, "pages" = ?, "active" = ?, "data" = ?, "added" = ?, "publisher_id" = ? WHERE "book"."id" = ?
-- ;
-- update many
-- writes: book
-- uncacheable
UPDATE "book" SET "pages" = "pages" + ? WHERE "book"."title" LIKE ?
-- ;
-- update many, set
-- writes: book
-- uncacheable
UPDATE "book" SET "active" = ? WHERE "book"."publisher_id" = ?
-- ;
-- delete one
-- writes: book
-- uncacheable
DELETE FROM "book" WHERE "book"."id" = ?
-- ;
-- delete many
-- writes: book
-- uncacheable
DELETE FROM "book" WHERE "book"."pages" < ?
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
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE LOWER("title") = ?
-- ;
-- case
-- reads: book
-- writes: -
-- cacheable
SELECT (CASE WHEN ("book"."pages" > ?) THEN ? ELSE ? END) AS "size" FROM "book"
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
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" LIMIT ?
-- ;
-- paginate
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" ORDER BY "book"."id" ASC LIMIT ? OFFSET ?
-- ;
-- count of items
-- reads: book
-- writes: -
-- cacheable
SELECT COUNT(*) AS num_items FROM (SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."active" = ?) AS "sub_query"
-- ;
-- exists in the table
-- reads: book
-- writes: -
-- cacheable
SELECT 1 FROM "book" WHERE "book"."pages" > ?
-- ;
-- cursor
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE ("book"."title" = ? AND "book"."id" > ?) OR "book"."title" > ? ORDER BY "book"."title" ASC, "book"."id" ASC LIMIT ?
-- ;
-- cursor from the end
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" < ? ORDER BY "book"."id" DESC LIMIT ?
-- ;
-- load many
-- reads: review
-- writes: -
-- cacheable
SELECT "review"."id", "review"."book_id", "review"."stars", "review"."body" FROM "review" WHERE "review"."book_id" IN (?) ORDER BY "review"."id" ASC
-- ;
-- load one
-- reads: publisher
-- writes: -
-- cacheable
SELECT "publisher"."id", "publisher"."name", "publisher"."country" FROM "publisher" WHERE "publisher"."id" IN (?) ORDER BY "publisher"."id" ASC
-- ;
-- load many to many
-- reads: book_author
-- writes: -
-- cacheable
SELECT "book_author"."book_id", "book_author"."author_id" FROM "book_author" WHERE "book_author"."book_id" IN (?)
-- ;
-- save a new model
-- writes: book
-- uncacheable
INSERT INTO "book" ("title", "price", "pages", "active") VALUES (?, ?, ?, ?)
-- ;
-- save a new model
-- reads: book
-- writes: -
-- cacheable
SELECT "book"."id", "book"."title", "book"."price", "book"."pages", "book"."active", "book"."data", "book"."added", "book"."publisher_id" FROM "book" WHERE "book"."id" = ? LIMIT ?
-- ;
-- update a model
-- writes: book
-- uncacheable
UPDATE "book" SET "title" = ? WHERE "book"."id" = ?
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
-- window with a frame
-- reads: book
-- writes: -
-- cacheable
SELECT SUM("pages") OVER ( PARTITION BY "publisher_id" ORDER BY "id" ASC ROWS BETWEEN ?PRECEDING AND CURRENT ROW ) AS "s" FROM "book"
-- ;
-- union
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" UNION ALL SELECT "id" FROM "book" WHERE "book"."pages" > ? UNION SELECT "id" FROM "book"
-- ;
-- intersect, except
-- reads: book, review
-- writes: -
-- cacheable
SELECT "id" FROM "book" INTERSECT SELECT "book_id" FROM "review" EXCEPT SELECT "id" FROM "book"
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
WITH RECURSIVE "tree" ("id", "depth") AS (SELECT "id", ? FROM "book" WHERE "book"."publisher_id" IS NULL UNION ALL SELECT "book"."id", "tree"."depth" + ? FROM "book" INNER JOIN "tree" ON "tree"."id" = "book"."publisher_id") SELECT * FROM "tree"
-- ;
-- from a subquery
-- reads: book
-- writes: -
-- cacheable
SELECT * FROM (SELECT "id" FROM "book" LIMIT ?) AS "sub" WHERE "sub"."id" > ?
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
-- tuples in a list
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE ("id", "pages") IN ((?, ?), (?, ?))
-- ;
-- values
-- reads: -
-- writes: -
-- uncacheable
SELECT * FROM (VALUES (?, ?), (?, ?)) AS "v"
-- ;
-- functions
-- reads: book
-- writes: -
-- cacheable
SELECT COALESCE("publisher_id", ?), LENGTH("title"), IFNULL("publisher_id", ?), MAX("pages", ?), MIN("pages", ?), ABS("pages"), ROUND("price"), UPPER("title") FROM "book"
-- ;
-- random order
-- reads: book
-- writes: -
-- uncacheable
SELECT "id" FROM "book" ORDER BY RANDOM() ASC LIMIT ?
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
SELECT ((("pages" * ?) + ?) / ?) % ?, "pages" & ?, "pages" | ?, "pages" << ?, "pages" >> ? FROM "book"
-- ;
-- schema-qualified
-- writes: -
-- uncacheable
SELECT "shop"."book"."id" FROM "shop"."book"
-- ;
-- exists of nothing
-- reads: book
-- writes: -
-- cacheable
SELECT NOT EXISTS(SELECT ? FROM "book")
-- ;
-- index hint or not
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE "book"."id" = ? LIMIT ?
-- ;
-- is true, is not distinct
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE "active" IS ? AND "active" IS NOT ?
-- ;
-- escape in like
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE "book"."title" LIKE ? ESCAPE '|'
-- ;
-- insert several rows
-- writes: author
-- uncacheable
INSERT INTO "author" ("name", "email") VALUES (?, ?), (?, ?)
-- ;
-- insert from select
-- writes: author
-- uncacheable
INSERT INTO "author" ("name") SELECT "name" FROM "publisher"
-- ;
-- insert defaults
-- writes: author
-- uncacheable
INSERT INTO "author" DEFAULT VALUES
-- ;
-- replace
-- writes: publisher
-- uncacheable
REPLACE INTO "publisher" ("id", "name") VALUES (?, ?)
-- ;
-- insert returning
-- writes: author
-- uncacheable
INSERT INTO "author" ("name") VALUES (?) RETURNING *
-- ;
-- upsert with several targets
-- writes: book_author
-- uncacheable
INSERT INTO "book_author" ("book_id", "author_id") VALUES (?, ?) ON CONFLICT ("book_id", "author_id") DO UPDATE SET "author_id" = "excluded"."author_id"
-- ;
-- upsert on a partial index
-- writes: publisher
-- uncacheable
INSERT INTO "publisher" ("name") VALUES (?) ON CONFLICT ("name") WHERE "publisher"."country" IS NULL DO NOTHING
-- ;
-- update from
-- writes: book
-- uncacheable
UPDATE "book" SET "active" = ? FROM "publisher" WHERE "book"."publisher_id" = "publisher"."id" AND "publisher"."country" = ?
-- ;
-- update with limit and order
-- writes: book
-- uncacheable
UPDATE "book" SET "active" = ? ORDER BY "id" ASC LIMIT ?
-- ;
-- update by a subquery
-- writes: book
-- uncacheable
UPDATE "book" SET "pages" = (SELECT MAX("stars") FROM "review") WHERE "book"."id" = ?
-- ;
-- update returning
-- writes: book
-- uncacheable
UPDATE "book" SET "active" = ? WHERE "book"."id" = ? RETURNING *
-- ;
-- delete with a subquery
-- writes: book
-- uncacheable
DELETE FROM "book" WHERE "book"."id" IN (SELECT "book_id" FROM "review")
-- ;
-- delete with limit
-- writes: book
-- uncacheable
DELETE FROM "book" ORDER BY "id" ASC LIMIT ?
-- ;
-- delete in a common table expression
-- writes: book
-- uncacheable
WITH "old" AS (SELECT "id" FROM "book" LIMIT ?) DELETE FROM "book" WHERE "book"."id" IN (SELECT "id" FROM "old")
-- ;
-- glob, match
-- reads: book
-- writes: -
-- cacheable
SELECT "id" FROM "book" WHERE ("title" GLOB ?) AND ("title" MATCH ?)
-- ;
-- create table book
-- schema
CREATE TABLE "book" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "title" varchar NOT NULL, "price" real(10, 2) NOT NULL, "pages" integer NOT NULL, "active" boolean NOT NULL, "data" json_text, "added" datetime_text NOT NULL, "publisher_id" integer, FOREIGN KEY ("publisher_id") REFERENCES "publisher" ("id") ON DELETE CASCADE )
-- ;
-- create table publisher
-- schema
CREATE TABLE "publisher" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar NOT NULL UNIQUE, "country" varchar )
-- ;
-- create table review
-- schema
CREATE TABLE "review" ( "id" uuid_text NOT NULL PRIMARY KEY, "book_id" integer NOT NULL, "stars" smallint NOT NULL, "body" varchar, FOREIGN KEY ("book_id") REFERENCES "book" ("id") )
-- ;
-- create a join table
-- schema
CREATE TABLE "book_author" ( "book_id" integer NOT NULL, "author_id" integer NOT NULL, CONSTRAINT "pk-book_author" PRIMARY KEY ("book_id", "author_id"), FOREIGN KEY ("book_id") REFERENCES "book" ("id"), FOREIGN KEY ("author_id") REFERENCES "author" ("id") )
-- ;
-- create table if not exists
-- schema
CREATE TABLE IF NOT EXISTS "note" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "body" text DEFAULT 'x', "at" timestamp_text DEFAULT CURRENT_TIMESTAMP )
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
-- ;
-- create index
-- schema
CREATE INDEX IF NOT EXISTS "i" ON "book" ("title")
-- ;
-- create unique index
-- schema
CREATE UNIQUE INDEX "j" ON "book" ("title" DESC)
-- ;
-- drop index
-- schema
DROP INDEX "i"
