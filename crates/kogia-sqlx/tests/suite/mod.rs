//! What holds on every database.

pub(crate) mod faults;
pub(crate) mod rows;

use std::pin::Pin;
use std::task::Poll;

pub(crate) use futures::TryStreamExt;
pub(crate) use kogia::{Cache, Stats};
pub(crate) use kogia_sqlx::{CachedPool, TypedQuery};
use serde::{Deserialize, Serialize};
pub(crate) use sqlx::AssertSqlSafe;
use sqlx::FromRow;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, FromRow)]
pub(crate) struct Book {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) price: Option<f64>,
}

/// A field that serde forgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, FromRow)]
pub(crate) struct Secret {
    pub(crate) id: i64,
    #[serde(skip)]
    pub(crate) title: String,
}

pub(crate) fn book(id: i64, title: &str) -> Book {
    Book {
        id,
        title: title.to_owned(),
        price: Some(1.5),
    }
}

/// The SQL of one database: `$1` is `?` on MySQL.
pub(crate) fn sql(dialect: &str, text: &str) -> AssertSqlSafe<String> {
    let text = match dialect {
        "mysql" => ["$1", "$2", "$3"]
            .iter()
            .fold(text.to_owned(), |text, parameter| {
                text.replace(parameter, "?")
            }),
        _ => text.to_owned(),
    };
    AssertSqlSafe(text)
}

/// Goes on with a future for a moment; whether it is finished.
pub(crate) async fn poll_once<T>(mut future: Pin<&mut (dyn Future<Output = T> + Send)>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

/// What changed in the counters.
pub(crate) struct Counters<'a>(&'a Cache, Stats);

impl<'a> Counters<'a> {
    pub(crate) fn new(cache: &'a Cache) -> Self {
        Counters(cache, cache.stats())
    }

    /// Hits, other reads since the last call.
    pub(crate) fn take(&mut self) -> (u64, u64) {
        let (before, now) = (self.1, self.0.stats());
        self.1 = now;
        let others = |stats: Stats| stats.misses + stats.stale + stats.bypasses;
        (now.hits - before.hits, others(now) - others(before))
    }
}

pub(crate) const TABLE: &str = "CREATE TABLE book (id BIGINT PRIMARY KEY, title VARCHAR(100) NOT NULL, price DOUBLE PRECISION)";

/// The suite for one database. `$pool` gives an empty database of its own as a plain pool.
#[macro_export]
macro_rules! suite {
    ($database:ty, $dialect:literal, $pool:path) => {
        use $crate::suite::*;

        type Db = CachedPool<$database>;

        async fn open(name: &str) -> (Cache, Db) {
            let cache = Cache::builder().build();
            let pool = $pool(name).await;
            sqlx::raw_sql(TABLE).execute(&pool).await.unwrap();
            let db = CachedPool::new(pool, &cache).await.unwrap();
            (cache, db)
        }

        async fn insert(db: &Db, id: i64, title: &str) {
            sqlx::query::<$database>(sql($dialect, "INSERT INTO book VALUES ($1, $2, 1.5)"))
                .bind(id)
                .bind(title)
                .execute(db)
                .await
                .unwrap();
        }

        async fn all(db: &Db) -> Vec<Book> {
            sqlx::query_as::<$database, Book>("SELECT * FROM book ORDER BY id")
                .cached(db)
                .fetch_all()
                .await
                .unwrap()
        }

        fn one<'c>(
            on: impl Into<kogia_sqlx::On<'c, $database>>,
            id: i64,
        ) -> impl Future<Output = Option<Book>> + Send {
            let query = sqlx::query_as::<$database, Book>(sql(
                $dialect,
                "SELECT * FROM book WHERE id = $1",
            ))
            .bind(id)
            .cached(on);
            async { query.fetch_optional().await.unwrap() }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn writes_through_the_pool_invalidate() {
            let (cache, db) = open("writes").await;
            let mut counters = Counters::new(&cache);
            assert_eq!(all(&db).await, []);
            assert_eq!(counters.take(), (0, 1));
            assert_eq!(all(&db).await, []);
            assert_eq!(counters.take(), (1, 0));
            insert(&db, 1, "a").await;
            assert_eq!(all(&db).await, [book(1, "a")]);
            assert_eq!(counters.take(), (0, 1));
            assert_eq!(all(&db).await, [book(1, "a")]);
            assert_eq!(counters.take(), (1, 0));
            sqlx::query::<$database>(sql($dialect, "UPDATE book SET title = $1, price = NULL"))
                .bind("b")
                .execute(&db)
                .await
                .unwrap();
            let expected = Book {
                price: None,
                ..book(1, "b")
            };
            assert_eq!(all(&db).await, std::slice::from_ref(&expected));
            assert_eq!(all(&db).await, [expected]);
            assert_eq!(counters.take(), (1, 1));
            sqlx::raw_sql("DELETE FROM book")
                .execute(&db)
                .await
                .unwrap();
            assert_eq!(all(&db).await, []);
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_write_to_one_row_leaves_the_others() {
            let (cache, db) = open("rows").await;
            insert(&db, 1, "a").await;
            insert(&db, 2, "b").await;
            assert_eq!(one(&db, 1).await, Some(book(1, "a")));
            assert_eq!(one(&db, 2).await, Some(book(2, "b")));
            let mut counters = Counters::new(&cache);
            sqlx::query::<$database>(sql($dialect, "UPDATE book SET title = $1 WHERE id = $2"))
                .bind("c")
                .bind(2_i64)
                .execute(&db)
                .await
                .unwrap();
            assert_eq!(one(&db, 1).await, Some(book(1, "a")));
            assert_eq!(counters.take(), (1, 0));
            assert_eq!(one(&db, 2).await, Some(book(2, "c")));
            assert_eq!(counters.take(), (0, 1));
            assert_eq!(one(&db, 3).await, None);
            insert(&db, 3, "d").await;
            assert_eq!(one(&db, 3).await, Some(book(3, "d")));
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_transaction_shows_when_it_commits() {
            let (_cache, db) = open("commits").await;
            insert(&db, 1, "a").await;
            assert_eq!(one(&db, 1).await, Some(book(1, "a")));
            let update = || sqlx::query::<$database>("UPDATE book SET title = 'b' WHERE id = 1");

            let mut transaction = db.begin().await.unwrap();
            assert_eq!(one(&mut transaction, 1).await, Some(book(1, "a")));
            update().execute(&mut *transaction).await.unwrap();
            assert_eq!(one(&mut transaction, 1).await, Some(book(1, "b")));
            assert_eq!(one(&mut transaction, 1).await, Some(book(1, "b")));
            assert_eq!(one(&db, 1).await, Some(book(1, "a")));
            transaction.rollback().await.unwrap();
            assert_eq!(one(&db, 1).await, Some(book(1, "a")));

            let mut transaction = db.begin().await.unwrap();
            update().execute(&mut *transaction).await.unwrap();
            assert_eq!(one(&mut transaction, 1).await, Some(book(1, "b")));
            drop(transaction);
            assert_eq!(one(&db, 1).await, Some(book(1, "a")));

            let mut transaction = db.begin().await.unwrap();
            update().execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(one(&db, 1).await, Some(book(1, "b")));
            assert_eq!(one(&db, 1).await, Some(book(1, "b")));
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn savepoints() {
            let (_cache, db) = open("savepoints").await;
            insert(&db, 1, "a").await;
            let mut transaction = db.begin().await.unwrap();
            let mut inner = transaction.begin().await.unwrap();
            sqlx::query::<$database>("UPDATE book SET title = 'b'")
                .execute(&mut *inner)
                .await
                .unwrap();
            assert_eq!(one(&mut inner, 1).await, Some(book(1, "b")));
            inner.rollback().await.unwrap();
            assert_eq!(one(&mut transaction, 1).await, Some(book(1, "a")));
            let mut inner = transaction.begin().await.unwrap();
            sqlx::query::<$database>("UPDATE book SET title = 'c'")
                .execute(&mut *inner)
                .await
                .unwrap();
            inner.commit().await.unwrap();
            {
                let mut dropped = transaction.begin().await.unwrap();
                sqlx::query::<$database>("DELETE FROM book")
                    .execute(&mut *dropped)
                    .await
                    .unwrap();
            }
            assert_eq!(one(&mut transaction, 1).await, Some(book(1, "c")));
            assert_eq!(one(&db, 1).await, Some(book(1, "a")));
            transaction.commit().await.unwrap();
            assert_eq!(one(&db, 1).await, Some(book(1, "c")));
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn every_kind_of_query() {
            let (cache, db) = open("kinds").await;
            insert(&db, 1, "a").await;
            insert(&db, 2, "b").await;
            let mut counters = Counters::new(&cache);
            for round in 0..2 {
                let count: i64 = sqlx::query_scalar::<$database, i64>("SELECT COUNT(*) FROM book")
                    .cached(&db)
                    .fetch_one()
                    .await
                    .unwrap();
                assert_eq!(count, 2);
                let pair = sqlx::query_as::<$database, (i64, String)>(
                    "SELECT id, title FROM book ORDER BY id",
                )
                .cached(&db)
                .fetch_one()
                .await
                .unwrap();
                assert_eq!(pair, (1, "a".to_owned()));
                let titles: Vec<String> =
                    sqlx::query_scalar::<$database, String>("SELECT title FROM book ORDER BY id")
                        .cached(&db)
                        .fetch()
                        .try_collect()
                        .await
                        .unwrap();
                assert_eq!(titles, ["a", "b"]);
                let mapped: Vec<i64> = sqlx::query::<$database>("SELECT id FROM book ORDER BY id")
                    .try_map(|row| sqlx::Row::try_get::<i64, _>(&row, 0).map(|id| id * 10))
                    .cached(&db)
                    .fetch_all()
                    .await
                    .unwrap();
                assert_eq!(mapped, [10, 20]);
                let none = sqlx::query_as::<$database, Book>("SELECT * FROM book WHERE id = 7")
                    .cached(&db)
                    .fetch_one()
                    .await;
                assert!(matches!(none, Err(sqlx::Error::RowNotFound)));
                let mut builder =
                    sqlx::QueryBuilder::<$database>::new("SELECT * FROM book WHERE id IN (");
                let mut ids = builder.separated(", ");
                ids.push_bind(1_i64);
                ids.push_bind(2_i64);
                ids.push_unseparated(") ORDER BY id");
                let books = builder
                    .build_query_as::<Book>()
                    .cached(&db)
                    .fetch_all()
                    .await
                    .unwrap();
                assert_eq!(books, [book(1, "a"), book(2, "b")]);
                assert_eq!(counters.take(), if round == 0 { (0, 6) } else { (6, 0) });
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn errors_are_those_of_sqlx() {
            let (_cache, db) = open("errors").await;
            let missing = sqlx::query_as::<$database, Book>("SELECT * FROM nothing")
                .cached(&db)
                .fetch_all()
                .await;
            assert!(
                matches!(missing, Err(sqlx::Error::Database(_))),
                "{missing:?}"
            );
            insert(&db, 1, "a").await;
            let wrong =
                sqlx::query_as::<$database, (i64, i64, i64)>("SELECT id, title, price FROM book")
                    .cached(&db)
                    .fetch_all()
                    .await;
            assert!(
                matches!(wrong, Err(sqlx::Error::ColumnDecode { .. })),
                "{wrong:?}"
            );
            let twice = sqlx::query::<$database>("INSERT INTO book VALUES (1, 'a', 1)")
                .execute(&db)
                .await;
            assert!(matches!(twice, Err(sqlx::Error::Database(_))), "{twice:?}");
            assert_eq!(all(&db).await, [book(1, "a")]);
            assert_eq!(all(&db).await, [book(1, "a")]);
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn options() {
            let (cache, db) = open("options").await;
            insert(&db, 1, "a").await;
            let query = || {
                sqlx::query_as::<$database, Book>("SELECT * FROM book")
                    .cached(&db)
                    .tag("shelf")
            };
            let mut counters = Counters::new(&cache);
            query().fetch_all().await.unwrap();
            query().fetch_all().await.unwrap();
            assert_eq!(counters.take(), (1, 1));
            query().bypass().fetch_all().await.unwrap();
            query().refresh().fetch_all().await.unwrap();
            assert_eq!(counters.take(), (0, 2));
            db.database().invalidate_tag("shelf").unwrap();
            query().fetch_all().await.unwrap();
            assert_eq!(counters.take(), (0, 1));
            query()
                .ttl(std::time::Duration::from_secs(60))
                .fetch_all()
                .await
                .unwrap();
            assert_eq!(counters.take(), (1, 0));
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_row_that_serde_does_not_give_back_is_not_kept() {
            let (cache, db) = open("secrets").await;
            insert(&db, 1, "a").await;
            let mut counters = Counters::new(&cache);
            for _ in 0..2 {
                let secret = sqlx::query_as::<$database, Secret>("SELECT id, title FROM book")
                    .cached(&db)
                    .fetch_one()
                    .await
                    .unwrap();
                assert_eq!(
                    secret,
                    Secret {
                        id: 1,
                        title: "a".to_owned()
                    }
                );
            }
            assert_eq!(counters.take(), (0, 2));
            let ids = || {
                sqlx::query_as::<$database, Secret>("SELECT id, title FROM book")
                    .cached(&db)
                    .ignoring_columns()
                    .fetch_one()
            };
            ids().await.unwrap();
            assert_eq!(ids().await.unwrap().id, 1);
            assert_eq!(counters.take(), (1, 1));
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_write_that_is_read_like_a_query_invalidates() {
            if $dialect == "mysql" {
                // MySQL has no UPDATE … RETURNING.
                let (_cache, db) = open("returning").await;
                assert_eq!(all(&db).await, []);
                let id = sqlx::query_scalar::<$database, i64>(
                    "INSERT INTO book VALUES (1, 'a', 1.5) RETURNING id",
                )
                .cached(&db)
                .fetch_one()
                .await
                .unwrap();
                assert_eq!(id, 1);
                assert_eq!(all(&db).await, [book(1, "a")]);
                return;
            }
            let (_cache, db) = open("returning").await;
            insert(&db, 1, "a").await;
            assert_eq!(all(&db).await, [book(1, "a")]);
            for title in ["b", "c"] {
                let changed = sqlx::query_as::<$database, Book>(sql(
                    $dialect,
                    "UPDATE book SET title = $1 RETURNING *",
                ))
                .bind(title)
                .cached(&db)
                .fetch_one()
                .await
                .unwrap();
                assert_eq!(changed, book(1, title));
                assert_eq!(all(&db).await, [book(1, title)]);
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_change_of_the_schema_shows() {
            let (cache, db) = open("schema").await;
            insert(&db, 1, "a").await;
            assert_eq!(all(&db).await, [book(1, "a")]);
            sqlx::raw_sql("CREATE VIEW cheap AS SELECT * FROM book WHERE price < 2")
                .execute(&db)
                .await
                .unwrap();
            let cheap = || async {
                sqlx::query_as::<$database, Book>("SELECT * FROM cheap")
                    .cached(&db)
                    .fetch_all()
                    .await
                    .unwrap()
            };
            // The first reader finds out that the schema changed, the second one loads the catalog.
            assert_eq!(cheap().await, [book(1, "a")]);
            assert_eq!(cheap().await, [book(1, "a")]);
            let mut counters = Counters::new(&cache);
            assert_eq!(cheap().await, [book(1, "a")]);
            assert_eq!(counters.take(), (1, 0));
            sqlx::query::<$database>("UPDATE book SET price = 7")
                .execute(&db)
                .await
                .unwrap();
            assert_eq!(cheap().await, []);
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_write_that_is_given_up_is_settled() {
            let (cache, db) = open("given_up").await;
            insert(&db, 1, "a").await;
            all(&db).await;
            for round in 0..20 {
                let sql = format!("UPDATE book SET title = 'b{round}'");
                let write = sqlx::query::<$database>(AssertSqlSafe(sql)).execute(&db);
                let mut write = Box::pin(write);
                // Polled some way, then dropped.
                for _ in 0..round {
                    if poll_once(write.as_mut()).await {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                drop(write);
                let begun = std::time::Instant::now();
                let mut counters = Counters::new(&cache);
                loop {
                    let cached = all(&db).await;
                    // A clean tag again: the write is over, and everybody knows what came of it.
                    if counters.take() == (1, 0) {
                        let bare =
                            sqlx::query_as::<$database, Book>("SELECT * FROM book ORDER BY id")
                                .fetch_all(db.uncached())
                                .await
                                .unwrap();
                        assert_eq!(cached, bare);
                        break;
                    }
                    assert!(begun.elapsed().as_secs() < 20, "the marks stay");
                    tokio::task::yield_now().await;
                }
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn an_unseen_statement_invalidates_everything() {
            let (_cache, db) = open("unseen").await;
            insert(&db, 1, "a").await;
            assert_eq!(all(&db).await, [book(1, "a")]);
            let mut connection = db.acquire().await.unwrap();
            connection
                .with_unseen(async |connection| {
                    sqlx::raw_sql("UPDATE book SET title = 'b'")
                        .execute(connection)
                        .await
                        .map(drop)
                })
                .await
                .unwrap();
            assert_eq!(all(&db).await, [book(1, "b")]);
        }

        /// Random statements through the cache and bare, compared after each.
        #[tokio::test(flavor = "multi_thread")]
        async fn the_cache_answers_what_the_database_answers() {
            let (cache, db) = open("differential").await;
            let mut random = 0x2545_f491_4f6c_dd1d_u64;
            let mut next = |bound: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % bound
            };
            for step in 0..400 {
                let id = next(6) as i64;
                match next(8) {
                    0 => {
                        let sql = sql($dialect, "DELETE FROM book WHERE id = $1");
                        sqlx::query::<$database>(sql)
                            .bind(id)
                            .execute(&db)
                            .await
                            .unwrap();
                        insert(&db, id, &format!("n{step}")).await;
                    }
                    1 => {
                        let sql = sql($dialect, "UPDATE book SET title = $1 WHERE id = $2");
                        let query = sqlx::query::<$database>(sql)
                            .bind(format!("u{step}"))
                            .bind(id);
                        query.execute(&db).await.unwrap();
                    }
                    2 => {
                        let mut transaction = db.begin().await.unwrap();
                        let sql = sql($dialect, "DELETE FROM book WHERE id = $1");
                        sqlx::query::<$database>(sql)
                            .bind(id)
                            .execute(&mut *transaction)
                            .await
                            .unwrap();
                        assert_eq!(one(&mut transaction, id).await, None);
                        if next(2) == 0 {
                            transaction.commit().await.unwrap();
                        }
                    }
                    3 => {
                        sqlx::query::<$database>("UPDATE book SET price = price + 1")
                            .execute(&db)
                            .await
                            .unwrap();
                    }
                    _ => {}
                }
                let bare = sqlx::query_as::<$database, Book>("SELECT * FROM book ORDER BY id")
                    .fetch_all(db.uncached())
                    .await
                    .unwrap();
                assert_eq!(all(&db).await, bare, "step {step}");
                let id = next(6) as i64;
                let expected = bare.iter().find(|book| book.id == id);
                assert_eq!(one(&db, id).await.as_ref(), expected, "step {step}");
            }
            assert!(cache.stats().hits > 100, "{:?}", cache.stats());
        }
    };
}
