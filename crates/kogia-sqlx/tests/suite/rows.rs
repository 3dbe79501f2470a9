//! Rows without a type, and streams, on every database.

/// A table of one row with the usual types.
pub(crate) fn things(dialect: &str) -> &'static str {
    match dialect {
        "postgres" => {
            "CREATE TABLE things (id BIGINT, small SMALLINT, ratio DOUBLE PRECISION, single REAL, \
             name TEXT, raw BYTEA, flag BOOLEAN, vacant TEXT, ident UUID, day DATE, \
             moment TIMESTAMP, clock TIME, amount NUMERIC(30, 5), doc JSONB); \
             INSERT INTO things VALUES (7, -3, 1.5, 0.1, 'Größe', '\\x00ff', true, NULL, \
             '00000000-0000-0000-0000-0000000000ff', '2024-02-29', '2024-02-29 23:59:59.123456', \
             '23:59:59.5', 12345678901234567890.1234, '{\"a\": [1, 2.5, null]}')"
        }
        "mysql" => {
            "CREATE TABLE things (id BIGINT UNSIGNED, small SMALLINT, ratio DOUBLE, single FLOAT, \
             name VARCHAR(100) CHARACTER SET utf8mb4, raw VARBINARY(10), flag BOOLEAN, \
             vacant TEXT, ident BINARY(16), day DATE, moment DATETIME(6), clock TIME(1), \
             amount DECIMAL(30, 5), doc JSON); \
             INSERT INTO things VALUES (7, -3, 1.5, 0.1, 'Größe', x'00ff', true, NULL, \
             x'000000000000000000000000000000ff', '2024-02-29', '2024-02-29 23:59:59.123456', \
             '23:59:59.5', 12345678901234567890.1234, '{\"a\": [1, 2.5, null]}')"
        }
        _ => {
            "CREATE TABLE things (id INTEGER, small INTEGER, ratio REAL, single REAL, name TEXT, \
             raw BLOB, flag BOOLEAN, vacant TEXT, ident TEXT, day DATE, moment DATETIME, \
             clock TIME, amount TEXT, doc TEXT); \
             INSERT INTO things VALUES (7, -3, 1.5, 0.1, 'Größe', x'00ff', true, NULL, \
             '00000000-0000-0000-0000-0000000000ff', '2024-02-29', '2024-02-29 23:59:59.123456', \
             '23:59:59.5', '12345678901234567890.12340', '{\"a\": [1, 2.5, null]}')"
        }
    }
}

/// The suite of rows for one database.
#[macro_export]
macro_rules! rows_suite {
    ($database:ty, $dialect:literal) => {
        use kogia_sqlx::CachedRow;

        /// What listeners were told about results that are not stored.
        type Reasons = std::sync::Arc<std::sync::Mutex<Vec<String>>>;

        async fn open_listening(name: &str) -> (Cache, Db, Reasons) {
            let reasons = Reasons::default();
            let told = reasons.clone();
            let cache = Cache::builder()
                .listener(move |event: &kogia::Event<'_>| {
                    if let kogia::Event::NotStored { reason, .. } = event {
                        told.lock().unwrap().push((*reason).to_owned());
                    }
                })
                .build();
            let pool = pool(name).await;
            sqlx::raw_sql(TABLE).execute(&pool).await.unwrap();
            let db = CachedPool::new(pool, &cache).await.unwrap();
            (cache, db, reasons)
        }

        fn check_thing(row: &CachedRow) {
            assert_eq!(row.get::<i64>("id"), 7);
            assert_eq!(row.get::<u8>(0), 7);
            assert_eq!(row.get::<i16>("small"), -3);
            row.try_get::<u64>("small").unwrap_err();
            assert_eq!(row.get::<f64>("ratio"), 1.5);
            match $dialect {
                "sqlite" => assert_eq!(row.get::<f64>("single"), 0.1),
                _ => assert_eq!(row.get::<f32>("single"), 0.1),
            }
            assert_eq!(row.get::<&str>("name"), "Größe");
            assert_eq!(row.get::<Option<String>>("name").unwrap(), "Größe");
            assert_eq!(row.get::<&[u8]>("raw"), [0, 255]);
            assert_eq!(row.get::<Vec<u8>>("raw"), [0, 255]);
            assert!(row.get::<bool>("flag"));
            assert_eq!(row.get::<Option<&str>>("vacant"), None);
            row.try_get::<&str>("vacant").unwrap_err();
            row.try_get::<i64>("name").unwrap_err();
            assert!(matches!(
                row.try_get::<i64>("nobody"),
                Err(sqlx::Error::ColumnNotFound(_))
            ));
            assert!(matches!(
                row.try_get::<i64>(99),
                Err(sqlx::Error::ColumnIndexOutOfBounds { .. })
            ));
            assert_eq!(
                row.get::<uuid::Uuid>("ident"),
                uuid::Uuid::from_u128(0xff)
            );
            let day = chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
            assert_eq!(row.get::<chrono::NaiveDate>("day"), day);
            let moment = day.and_hms_micro_opt(23, 59, 59, 123_456).unwrap();
            assert_eq!(row.get::<chrono::NaiveDateTime>("moment"), moment);
            let clock = chrono::NaiveTime::from_hms_milli_opt(23, 59, 59, 500).unwrap();
            assert_eq!(row.get::<chrono::NaiveTime>("clock"), clock);
            assert_eq!(
                row.get::<rust_decimal::Decimal>("amount").to_string(),
                "12345678901234567890.12340"
            );
            assert_eq!(
                row.get::<serde_json::Value>("doc"),
                serde_json::json!({"a": [1, 2.5, null]})
            );
            assert_eq!(row.columns().next(), Some("id"));
            assert_eq!(row.len(), 14);
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn rows_without_a_type() {
            let (cache, db) = open("untyped").await;
            sqlx::raw_sql($crate::suite::rows::things($dialect))
                .execute(&db)
                .await
                .unwrap();
            db.reload_catalog().await.unwrap();
            let things = || sqlx::query::<$database>("SELECT * FROM things").cached(&db);
            let mut counters = Counters::new(&cache);
            let mut printed = Vec::new();
            for round in 0..2 {
                let rows = things().fetch_all().await.unwrap();
                check_thing(&rows[0]);
                printed.push(format!("{rows:?}"));
                check_thing(&things().fetch_one().await.unwrap());
                assert_eq!(counters.take(), if round == 0 { (0, 2) } else { (2, 0) });
            }
            assert_eq!(printed[0], printed[1]);
            let streamed: Vec<_> = things().fetch().try_collect().await.unwrap();
            assert_eq!(format!("{streamed:?}"), printed[0]);
            assert_eq!(counters.take(), (1, 0));
            // With parameters, and no row.
            for _ in 0..2 {
                let none = sqlx::query::<$database>(sql(
                    $dialect,
                    "SELECT title FROM book WHERE id = $1",
                ))
                .bind(7_i64)
                .cached(&db)
                .fetch_optional()
                .await
                .unwrap();
                assert!(none.is_none());
            }
            assert_eq!(counters.take(), (1, 1));
            sqlx::query::<$database>("DELETE FROM things")
                .execute(&db)
                .await
                .unwrap();
            assert!(things().fetch_all().await.unwrap().is_empty());
        }

        fn books(db: &Db) -> kogia_sqlx::Cached<'_, $database, impl TypedQuery<$database, Output = Book>> {
            sqlx::query_as::<$database, Book>("SELECT * FROM book ORDER BY id").cached(db)
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_stream_is_kept_when_it_was_read_to_its_end() {
            let (cache, db) = open("streams").await;
            for id in 1..=3 {
                insert(&db, id, "a").await;
            }
            let expected = [book(1, "a"), book(2, "a"), book(3, "a")];
            let mut counters = Counters::new(&cache);
            // Dropped at any row: nothing is kept, and the connection goes on.
            for taken in 0..=3 {
                let mut stream = books(&db).fetch();
                for book in &expected[..taken] {
                    assert_eq!(stream.try_next().await.unwrap().as_ref(), Some(book));
                }
                drop(stream);
                let untouched = if taken == 0 { (0, 0) } else { (0, 1) };
                assert_eq!(counters.take(), untouched, "{taken}");
                assert_eq!(cache.stats().fills, 0);
            }
            let rows: Vec<Book> = books(&db).fetch().try_collect().await.unwrap();
            assert_eq!(rows, expected);
            assert_eq!(counters.take(), (0, 1));
            assert_eq!(cache.stats().fills, 1);
            assert_eq!(all(&db).await, expected);
            let rows: Vec<Book> = books(&db).fetch().try_collect().await.unwrap();
            assert_eq!(rows, expected);
            assert_eq!(counters.take(), (2, 0));
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_write_in_the_middle_of_a_stream_leaves_nothing_stale() {
            let (cache, db) = open("stream_write").await;
            insert(&db, 1, "a").await;
            insert(&db, 2, "a").await;
            let mut stream = books(&db).fetch();
            assert_eq!(stream.try_next().await.unwrap(), Some(book(1, "a")));
            // The same query meanwhile does not wait for the stream.
            assert_eq!(all(&db).await, [book(1, "a"), book(2, "a")]);
            sqlx::query::<$database>("UPDATE book SET title = 'b'")
                .execute(&db)
                .await
                .unwrap();
            while stream.try_next().await.unwrap().is_some() {}
            let mut counters = Counters::new(&cache);
            assert_eq!(all(&db).await, [book(1, "b"), book(2, "b")]);
            assert_eq!(counters.take(), (0, 1));
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_stream_in_a_transaction() {
            let (_cache, db) = open("stream_transaction").await;
            insert(&db, 1, "a").await;
            insert(&db, 2, "b").await;
            let mut transaction = db.begin().await.unwrap();
            let query = || sqlx::query_as::<$database, Book>("SELECT * FROM book ORDER BY id");
            {
                let mut stream = query().cached(&mut transaction).fetch();
                assert_eq!(stream.try_next().await.unwrap(), Some(book(1, "a")));
            }
            sqlx::query::<$database>("UPDATE book SET title = 'c'")
                .execute(&mut *transaction)
                .await
                .unwrap();
            for _ in 0..2 {
                let stream = query().cached(&mut transaction).fetch();
                let rows: Vec<Book> = stream.try_collect().await.unwrap();
                assert_eq!(rows, [book(1, "c"), book(2, "c")]);
            }
            assert_eq!(all(&db).await, [book(1, "a"), book(2, "b")]);
            transaction.commit().await.unwrap();
            assert_eq!(all(&db).await, [book(1, "c"), book(2, "c")]);
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_write_that_is_streamed_invalidates() {
            let (_cache, db) = open("stream_returning").await;
            assert_eq!(all(&db).await, []);
            let ids: Vec<i64> = sqlx::query_scalar::<$database, i64>(
                "INSERT INTO book VALUES (1, 'a', 1.5), (2, 'a', 1.5) RETURNING id",
            )
            .cached(&db)
            .fetch()
            .try_collect()
            .await
            .unwrap();
            assert_eq!(ids, [1, 2]);
            assert_eq!(all(&db).await, [book(1, "a"), book(2, "a")]);
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn what_is_not_stored_is_told() {
            let (cache, db, reasons) = open_listening("reasons").await;
            insert(&db, 1, "a").await;
            let mut counters = Counters::new(&cache);
            for _ in 0..2 {
                let query = sqlx::query_as::<$database, Secret>("SELECT id, title FROM book");
                let secrets = query.cached(&db).fetch_all().await.unwrap();
                assert_eq!(secrets[0].title, "a");
                let reason = reasons.lock().unwrap().pop().unwrap();
                assert!(reason.contains("column title"), "{reason}");
            }
            assert_eq!(counters.take(), (0, 2));
            // Larger than a value may be, as a stream and together, with and without a type.
            let long = "x".repeat(64);
            for id in 2..=5 {
                insert(&db, id, &long).await;
            }
            let large = match $dialect {
                "sqlite" => "SELECT id, replace(hex(zeroblob(70000)), '00', title) AS title FROM book",
                _ => "SELECT id, REPEAT(title, 70000) AS title FROM book",
            };
            let typed = || sqlx::query_as::<$database, (i64, String)>(large).cached(&db);
            let untyped = || sqlx::query::<$database>(large).cached(&db);
            counters.take();
            let fills = cache.stats().fills;
            assert_eq!(typed().fetch_all().await.unwrap().len(), 5);
            assert_eq!(typed().fetch().try_collect::<Vec<_>>().await.unwrap().len(), 5);
            assert_eq!(untyped().fetch_all().await.unwrap().len(), 5);
            assert_eq!(untyped().fetch().try_collect::<Vec<_>>().await.unwrap().len(), 5);
            assert_eq!(counters.take(), (0, 4));
            let told = std::mem::take(&mut *reasons.lock().unwrap());
            assert_eq!(told, ["the rows take more than 16 MiB"; 4]);
            assert_eq!(cache.stats().fills, fills);
        }
    };
}
