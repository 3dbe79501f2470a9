//! What goes wrong, and what is given up, on every database.

/// The suite of faults for one database.
#[macro_export]
macro_rules! faults_suite {
    ($database:ty, $dialect:literal) => {
        /// With a short lease, so that marks whose writer is lost are resolved soon.
        async fn open_impatient(name: &str) -> (Cache, Db) {
            let cache = Cache::builder()
                .lease(std::time::Duration::from_millis(200))
                .build();
            let pool = pool(name).await;
            sqlx::raw_sql(TABLE).execute(&pool).await.unwrap();
            let db = CachedPool::new(pool, &cache).await.unwrap();
            (cache, db)
        }

        async fn bare(db: &Db) -> Vec<Book> {
            sqlx::query_as::<$database, Book>("SELECT * FROM book ORDER BY id")
                .fetch_all(db.uncached())
                .await
                .unwrap()
        }

        /// Waits until the books are cached again; what is cached then is what the database has.
        async fn settled(cache: &Cache, db: &Db) -> Vec<Book> {
            let begun = std::time::Instant::now();
            let mut counters = Counters::new(cache);
            loop {
                let cached = all(db).await;
                if counters.take() == (1, 0) {
                    assert_eq!(cached, bare(db).await);
                    return cached;
                }
                assert!(begun.elapsed().as_secs() < 20, "the marks stay");
                tokio::task::yield_now().await;
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_commit_that_is_given_up_leaves_nothing_stale() {
            let (cache, db) = open_impatient("given_up_commit").await;
            insert(&db, 1, "a").await;
            for round in 0..16 {
                all(&db).await;
                let mut transaction = db.begin().await.unwrap();
                let update = format!("UPDATE book SET title = 'b{round}'");
                sqlx::query::<$database>(AssertSqlSafe(update))
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                let mut commit = Box::pin(transaction.commit());
                for _ in 0..round {
                    if poll_once(commit.as_mut()).await {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                drop(commit);
                settled(&cache, &db).await;
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_read_that_is_given_up_disturbs_nobody() {
            let (cache, db) = open("given_up_read").await;
            insert(&db, 1, "a").await;
            for round in 0..16 {
                let mut transaction = db.begin().await.unwrap();
                insert_in(&mut transaction, 100).await;
                for on_pool in [true, false] {
                    let query = sqlx::query_as::<$database, Book>("SELECT * FROM book ORDER BY id");
                    let query = match on_pool {
                        true => query.cached(&db),
                        false => query.cached(&mut transaction),
                    };
                    let mut read = Box::pin(query.fetch_all());
                    for _ in 0..round {
                        if poll_once(read.as_mut()).await {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                }
                // sqlx's driver of MySQL does not survive every one of these points, so that the
                // connection is closed.
                if $dialect != "mysql" {
                    assert_eq!(one(&mut transaction, 100).await, Some(book(100, "n")));
                    transaction.rollback().await.unwrap();
                } else {
                    drop(transaction);
                }
                assert_eq!(settled(&cache, &db).await, [book(1, "a")]);
            }
        }

        async fn insert_in(
            transaction: &mut kogia_sqlx::CachedTransaction<'_, $database>,
            id: i64,
        ) {
            sqlx::query::<$database>(sql($dialect, "INSERT INTO book VALUES ($1, 'n', 1.5)"))
                .bind(id)
                .execute(&mut **transaction)
                .await
                .unwrap();
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_closed_pool_says_so() {
            let (_cache, db) = open("closed").await;
            insert(&db, 1, "a").await;
            assert_eq!(all(&db).await, [book(1, "a")]);
            let open = db.acquire().await.unwrap();
            drop(open);
            db.uncached().close().await;
            let write = sqlx::query::<$database>("DELETE FROM book")
                .execute(&db)
                .await;
            assert!(matches!(write, Err(sqlx::Error::PoolClosed)), "{write:?}");
            let read = sqlx::query_as::<$database, Book>("SELECT * FROM book WHERE id = 1")
                .cached(&db)
                .fetch_all()
                .await;
            assert!(matches!(read, Err(sqlx::Error::PoolClosed)), "{read:?}");
            assert!(matches!(db.begin().await, Err(sqlx::Error::PoolClosed)));
        }

        /// Ends the connection of a transaction from outside.
        async fn kill(db: &Db, transaction: &mut kogia_sqlx::CachedTransaction<'_, $database>) {
            let (who, kill) = match $dialect {
                "postgres" => (
                    "SELECT pg_backend_pid()::bigint",
                    "SELECT pg_terminate_backend(",
                ),
                _ => ("SELECT CAST(CONNECTION_ID() AS SIGNED)", "KILL ("),
            };
            let number: i64 = sqlx::query_scalar::<$database, i64>(who)
                .fetch_one(&mut **transaction)
                .await
                .unwrap();
            let kill = match $dialect {
                "postgres" => format!("{kill}{number})"),
                _ => format!("KILL {number}"),
            };
            sqlx::raw_sql(AssertSqlSafe(kill))
                .execute(db.uncached())
                .await
                .unwrap();
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_connection_lost_in_a_transaction_leaves_nothing_stale() {
            if $dialect == "sqlite" {
                // A file has no connection to lose; a pool that is closed is what comes nearest.
                let (cache, db) = open_impatient("lost").await;
                insert(&db, 1, "a").await;
                let mut transaction = db.begin().await.unwrap();
                insert_in(&mut transaction, 2).await;
                drop(transaction);
                assert_eq!(settled(&cache, &db).await, [book(1, "a")]);
                return;
            }
            let (cache, db) = open_impatient("lost").await;
            insert(&db, 1, "a").await;
            for at_commit in [true, false] {
                assert_eq!(all(&db).await, [book(1, "a")]);
                let mut transaction = db.begin().await.unwrap();
                insert_in(&mut transaction, 2).await;
                kill(&db, &mut transaction).await;
                if at_commit {
                    transaction.commit().await.unwrap_err();
                } else {
                    sqlx::query::<$database>("UPDATE book SET title = 'x'")
                        .execute(&mut *transaction)
                        .await
                        .unwrap_err();
                    drop(transaction);
                }
                assert_eq!(settled(&cache, &db).await, [book(1, "a")]);
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn every_method_of_an_executor_sees_writes() {
            use futures::StreamExt;
            use sqlx::{Either, Executor, Statement as _};
            let (_cache, db) = open("methods").await;
            assert_eq!(all(&db).await, []);
            db.execute("INSERT INTO book VALUES (1, 'a', 1.5)")
                .await
                .unwrap();
            assert_eq!(all(&db).await, [book(1, "a")]);

            let mut results = db
                .execute_many("UPDATE book SET title = 'b'; INSERT INTO book VALUES (2, 'b', 1.5)");
            while let Some(result) = results.next().await {
                result.unwrap();
            }
            drop(results);
            assert_eq!(all(&db).await, [book(1, "b"), book(2, "b")]);

            let mut rows = 0;
            let mut steps = db.fetch_many("UPDATE book SET title = 'c'; SELECT * FROM book");
            while let Some(step) = steps.next().await {
                rows += u32::from(matches!(step.unwrap(), Either::Right(_)));
            }
            drop(steps);
            assert_eq!(rows, 2);
            assert_eq!(all(&db).await, [book(1, "c"), book(2, "c")]);

            let delete = sql($dialect, "DELETE FROM book WHERE id = $1");
            let statement = db
                .prepare(sqlx::SqlSafeStr::into_sql_str(delete))
                .await
                .unwrap();
            statement.query().bind(2_i64).execute(&db).await.unwrap();
            assert_eq!(all(&db).await, [book(1, "c")]);
            let select = sql($dialect, "SELECT * FROM book WHERE id = $1");
            let mut connection = db.acquire().await.unwrap();
            let statement = connection
                .prepare(sqlx::SqlSafeStr::into_sql_str(select))
                .await
                .unwrap();
            for _ in 0..2 {
                let found = statement
                    .query_as::<Book>()
                    .bind(1_i64)
                    .cached(&mut connection)
                    .fetch_one()
                    .await
                    .unwrap();
                assert_eq!(found, book(1, "c"));
            }
            let described = connection
                .describe(sqlx::SqlSafeStr::into_sql_str("SELECT id FROM book"))
                .await
                .unwrap();
            assert_eq!(described.columns().len(), 1);
            connection.fetch_optional("DELETE FROM book").await.unwrap();
            assert_eq!(all(&db).await, []);

            let mut builder =
                sqlx::QueryBuilder::<$database>::new("INSERT INTO book (id, title, price) ");
            builder.push_values(1..=2_i64, |mut row, id| {
                row.push_bind(id).push_bind("v").push_bind(1.5);
            });
            builder.build().execute(&db).await.unwrap();
            assert_eq!(all(&db).await, [book(1, "v"), book(2, "v")]);
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn migrations_through_the_pool_show() {
            let (_cache, db) = open("migrations").await;
            insert(&db, 1, "a").await;
            let count = || {
                sqlx::query_scalar::<$database, i64>("SELECT COUNT(*) FROM shelf")
                    .cached(&db)
                    .fetch_one()
            };
            count().await.unwrap_err();
            assert_eq!(all(&db).await, [book(1, "a")]);
            let folder = tempfile::tempdir().unwrap();
            let create = "CREATE TABLE shelf (id BIGINT PRIMARY KEY); INSERT INTO shelf VALUES (1)";
            std::fs::write(folder.path().join("1_shelf.sql"), create).unwrap();
            let update = "UPDATE book SET title = 'm'";
            std::fs::write(folder.path().join("2_titles.sql"), update).unwrap();
            let migrator = sqlx::migrate::Migrator::new(folder.path()).await.unwrap();
            db.migrate(&migrator).await.unwrap();
            assert_eq!(count().await.unwrap(), 1);
            assert_eq!(all(&db).await, [book(1, "m")]);
            sqlx::query::<$database>("INSERT INTO shelf VALUES (2)")
                .execute(&db)
                .await
                .unwrap();
            assert_eq!(count().await.unwrap(), 2);
        }
    };
}
