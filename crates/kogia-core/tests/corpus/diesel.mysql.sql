-- Diesel 2.3.14 (debug_query), on mysql
-- ;
-- load a table
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books`
-- ;
-- find
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`id` = ?)
-- ;
-- find by a composite key
-- reads: books_authors
-- writes: -
-- cacheable
SELECT `books_authors`.`book_id`, `books_authors`.`author_id` FROM `books_authors` WHERE ((`books_authors`.`book_id` = ?) AND (`books_authors`.`author_id` = ?))
-- ;
-- select columns
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title` FROM `books`
-- ;
-- as_select
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`publisher_id` FROM `books`
-- ;
-- filter
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE ((`books`.`title` = ?) AND ((`books`.`pages` > ?) AND (`books`.`pages` <= ?)))
-- ;
-- or_filter, not
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE ( NOT (`books`.`active`) OR ((`books`.`pages` != ?) OR (`books`.`price` < ?)))
-- ;
-- like
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE ((`books`.`title` LIKE ?) AND (`books`.`title` NOT LIKE ?))
-- ;
-- escaped like
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`title` LIKE ? ESCAPE ?)
-- ;
-- null
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE ((`books`.`published` IS NULL) OR (`books`.`publisher_id` IS NOT NULL))
-- ;
-- between
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE ((`books`.`pages` BETWEEN ? AND ?) AND (`books`.`price` NOT BETWEEN ? AND ?))
-- ;
-- order and limit
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` ORDER BY `books`.`title` ASC, `books`.`id` DESC, `books`.`pages` LIMIT ? OFFSET ?
-- ;
-- distinct
-- reads: books
-- writes: -
-- cacheable
SELECT DISTINCT `books`.`publisher_id` FROM `books`
-- ;
-- count
-- reads: books
-- writes: -
-- cacheable
SELECT COUNT(*) FROM `books`
-- ;
-- count of a filter
-- reads: books
-- writes: -
-- cacheable
SELECT count(`books`.`id`) FROM `books` WHERE (`books`.`active` = ?)
-- ;
-- count distinct
-- reads: books
-- writes: -
-- cacheable
SELECT count( DISTINCT `books`.`publisher_id`) FROM `books`
-- ;
-- aggregates
-- reads: books
-- writes: -
-- cacheable
SELECT max(`books`.`pages`), min(`books`.`pages`), sum(`books`.`pages`), avg(`books`.`price`) FROM `books`
-- ;
-- group by
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`publisher_id`, COUNT(*) FROM `books` GROUP BY `books`.`publisher_id` HAVING (COUNT(*) > ?)
-- ;
-- inner join
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT `books`.`title`, `publishers`.`name` FROM (`books` INNER JOIN `publishers` ON (`books`.`publisher_id` = `publishers`.`id`))
-- ;
-- left join
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT `publishers`.`name`, `books`.`title` FROM (`publishers` LEFT OUTER JOIN `books` ON (`books`.`publisher_id` = `publishers`.`id`))
-- ;
-- several joins
-- reads: authors, books, books_authors, reviews
-- writes: -
-- cacheable
SELECT `books`.`title`, `authors`.`name` FROM ((`books` INNER JOIN (`books_authors` INNER JOIN `authors` ON (`books_authors`.`author_id` = `authors`.`id`)) ON (`books_authors`.`book_id` = `books`.`id`)) LEFT OUTER JOIN `reviews` ON (`reviews`.`book_id` = `books`.`id`))
-- ;
-- join with on
-- reads: authors, books
-- writes: -
-- cacheable
SELECT `books`.`id` FROM (`books` INNER JOIN `authors` ON (`authors`.`name` = `books`.`title`))
-- ;
-- filter of a join
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT `books`.`title` FROM (`books` INNER JOIN `publishers` ON (`books`.`publisher_id` = `publishers`.`id`)) WHERE ((`publishers`.`name` = ?) AND (`books`.`id` = ?))
-- ;
-- exists
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT `publishers`.`id`, `publishers`.`name`, `publishers`.`country` FROM `publishers` WHERE EXISTS (SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`publisher_id` = `publishers`.`id`))
-- ;
-- select exists
-- reads: books
-- writes: -
-- cacheable
SELECT EXISTS (SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`id` = ?))
-- ;
-- not exists
-- reads: books, publishers
-- writes: -
-- cacheable
SELECT `publishers`.`id`, `publishers`.`name`, `publishers`.`country` FROM `publishers` WHERE  NOT (EXISTS (SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`publisher_id` = `publishers`.`id`)))
-- ;
-- in a subquery
-- reads: books, reviews
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`id` IN (SELECT `reviews`.`book_id` FROM `reviews` WHERE (`reviews`.`stars` > ?)))
-- ;
-- not in a subquery
-- reads: books, reviews
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`id` NOT IN (SELECT `reviews`.`book_id` FROM `reviews`))
-- ;
-- a list
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`id` IN (?, ?, ?))
-- ;
-- not in a list
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`id` NOT IN (?, ?, ?))
-- ;
-- an empty list
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (1=0)
-- ;
-- scalar subquery
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`pages` = (SELECT max(`books`.`pages`) FROM `books` LIMIT ?))
-- ;
-- belonging to
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`publisher_id` = ?)
-- ;
-- belonging to several
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`publisher_id` IN (?, ?))
-- ;
-- arithmetic
-- reads: books
-- writes: -
-- cacheable
SELECT (`books`.`pages` + ?) FROM `books` WHERE ((`books`.`pages` * ?) > ?)
-- ;
-- SQL function
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (lower(`books`.`title`) = ?)
-- ;
-- coalesce
-- reads: authors
-- writes: -
-- cacheable
SELECT coalesce(`authors`.`email`, ?) FROM `authors`
-- ;
-- case
-- reads: books
-- writes: -
-- cacheable
SELECT CASE WHEN ((`books`.`pages` > ?)) THEN (?) ELSE (?) END FROM `books`
-- ;
-- boxed
-- reads: books
-- writes: -
-- cacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`active` = ?) ORDER BY `books`.`id` LIMIT ?
-- ;
-- alias
-- reads: authors
-- writes: -
-- cacheable
SELECT `authors`.`name`, `mentors`.`name` FROM (`authors` INNER JOIN `authors` AS `mentors` ON (`authors`.`mentor_id` = `mentors`.`id`))
-- ;
-- raw fragment
-- reads: books
-- writes: -
-- cacheable
SELECT COUNT(*) FROM `books` WHERE length(title) > ?
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
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`added` < CURRENT_TIMESTAMP)
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
SELECT `books`.`id`, row_number() OVER ( PARTITION BY `books`.`publisher_id` ORDER BY `books`.`price`) FROM `books`
-- ;
-- window with a frame
-- reads: books
-- writes: -
-- cacheable
SELECT max(`books`.`pages`) OVER ( ORDER BY `books`.`id` ROWS  BETWEEN UNBOUNDED PRECEDING  AND CURRENT ROW ) FROM `books`
-- ;
-- rank and lag
-- reads: books
-- writes: -
-- cacheable
SELECT rank() OVER ( ORDER BY `books`.`price`), lag(`books`.`title`) OVER ( ORDER BY `books`.`id`), first_value(`books`.`title`) OVER ( ORDER BY `books`.`id`) FROM `books`
-- ;
-- aggregate over
-- reads: books
-- writes: -
-- cacheable
SELECT sum(`books`.`pages`) OVER ( PARTITION BY `books`.`publisher_id`) FROM `books`
-- ;
-- union
-- reads: books, reviews
-- writes: -
-- cacheable
(SELECT `books`.`id` FROM `books`) UNION (SELECT `reviews`.`book_id` FROM `reviews`)
-- ;
-- union all
-- reads: books, reviews
-- writes: -
-- cacheable
(SELECT `books`.`id` FROM `books`) UNION ALL (SELECT `reviews`.`book_id` FROM `reviews`)
-- ;
-- schema-qualified
-- reads: orders
-- writes: -
-- cacheable
SELECT `shop`.`orders`.`id`, `shop`.`orders`.`book_id` FROM `shop`.`orders` WHERE (`shop`.`orders`.`book_id` = ?)
-- ;
-- insert
-- writes: books
-- uncacheable
INSERT INTO `books` (`title`, `price`, `pages`, `active`, `publisher_id`) VALUES (?, ?, ?, ?, DEFAULT)
-- ;
-- insert of assignments
-- writes: authors
-- uncacheable
INSERT INTO `authors` (`name`, `email`) VALUES (?, ?)
-- ;
-- insert with a key
-- writes: authors
-- uncacheable
INSERT INTO `authors` (`id`, `name`) VALUES (?, ?)
-- ;
-- insert defaults
-- writes: authors
-- uncacheable
INSERT INTO `authors` () VALUES ()
-- ;
-- insert from a query
-- writes: authors
-- uncacheable
INSERT INTO `authors` (`name`) SELECT `publishers`.`name` FROM `publishers`
-- ;
-- update by key
-- writes: books
-- uncacheable
UPDATE `books` SET `title` = ? WHERE (`books`.`id` = ?)
-- ;
-- update by filter
-- writes: books
-- uncacheable
UPDATE `books` SET `active` = ?, `pages` = (`books`.`pages` + ?) WHERE (`books`.`pages` < ?)
-- ;
-- update all
-- writes: books
-- uncacheable
UPDATE `books` SET `active` = ?
-- ;
-- update by changeset
-- writes: books
-- uncacheable
UPDATE `books` SET `title` = ?, `price` = ?, `pages` = ?, `active` = ?, `publisher_id` = ? WHERE (`books`.`id` = ?)
-- ;
-- update by a model
-- writes: books
-- uncacheable
UPDATE `books` SET `pages` = ? WHERE (`books`.`id` = ?)
-- ;
-- update in a subquery
-- writes: books
-- uncacheable
UPDATE `books` SET `active` = ? WHERE (`books`.`id` IN (SELECT `reviews`.`book_id` FROM `reviews`))
-- ;
-- delete by key
-- writes: books
-- uncacheable
DELETE FROM `books` WHERE (`books`.`id` = ?)
-- ;
-- delete by filter
-- writes: reviews
-- uncacheable
DELETE FROM `reviews` WHERE (`reviews`.`stars` < ?)
-- ;
-- delete all
-- writes: reviews
-- uncacheable
DELETE FROM `reviews`
-- ;
-- delete in a subquery
-- writes: reviews
-- uncacheable
DELETE FROM `reviews` WHERE (`reviews`.`book_id` IN (SELECT `books`.`id` FROM `books` WHERE (`books`.`active` = ?)))
-- ;
-- for update
-- reads: books
-- writes: -
-- uncacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` WHERE (`books`.`id` = ?) FOR UPDATE
-- ;
-- for share, skip locked
-- reads: books
-- writes: -
-- uncacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` FOR SHARE SKIP LOCKED
-- ;
-- for update, no wait
-- reads: books
-- writes: -
-- uncacheable
SELECT `books`.`id`, `books`.`title`, `books`.`price`, `books`.`pages`, `books`.`active`, `books`.`published`, `books`.`added`, `books`.`publisher_id` FROM `books` FOR UPDATE NOWAIT
-- ;
-- replace
-- writes: publishers
-- uncacheable
REPLACE INTO `publishers` (`id`, `name`) VALUES (?, ?)
-- ;
-- insert several
-- writes: authors
-- uncacheable
INSERT INTO `authors` (`name`, `email`) VALUES (?, ?), (?, ?)
-- ;
-- upsert
-- writes: publishers
-- uncacheable
INSERT INTO `publishers` (`id`, `name`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `country` = ?
-- ;
-- upsert, do nothing
-- writes: publishers
-- uncacheable
INSERT INTO `publishers` (`id`, `name`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `publishers`.`id` = `publishers`.`id`
-- ;
-- insert or ignore
-- writes: publishers
-- uncacheable
INSERT IGNORE INTO `publishers` (`id`, `name`) VALUES (?, ?)
-- ;
-- last insert id
-- reads: -
-- writes: -
-- uncacheable
SELECT LAST_INSERT_ID()
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
SET time_zone = '+00:00'
-- ;
-- connection set-up
-- session
SET character_set_client = 'utf8mb4'
-- ;
-- connection set-up
-- session
SET character_set_connection = 'utf8mb4'
-- ;
-- connection set-up
-- session
SET character_set_results = 'utf8mb4'
