//! The suite on SQLite, and what only SQLite has.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

mod suite;

use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

/// A file that nobody else has. The folder stays until the program ends: the pool outlives this.
async fn pool(_name: &str) -> SqlitePool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    std::mem::forget(folder);
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .unwrap()
}

suite!(Sqlite, "sqlite", pool);
rows_suite!(Sqlite, "sqlite");
faults_suite!(Sqlite, "sqlite");

#[tokio::test]
async fn a_pool_of_one_connection_does_not_wait_for_itself() {
    let cache = Cache::builder().build();
    let plain = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    sqlx::raw_sql(TABLE).execute(&plain).await.unwrap();
    let db = CachedPool::new(plain, &cache).await.unwrap();
    let mut transaction = db.begin().await.unwrap();
    sqlx::raw_sql("CREATE TABLE other (id INTEGER PRIMARY KEY)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(one(&mut transaction, 1).await, None);
    transaction.commit().await.unwrap();
    assert_eq!(one(&db, 1).await, None);
}

/// Two files that one cache serves, with a row 1 each, and where the second one lies.
async fn two_files() -> (Db, Db, String) {
    let cache = Cache::builder().build();
    let mut pools = Vec::new();
    for _ in 0..2 {
        let plain = pool("").await;
        sqlx::raw_sql(TABLE).execute(&plain).await.unwrap();
        pools.push(CachedPool::new(plain, &cache).await.unwrap());
    }
    let [first, second] = <[Db; 2]>::try_from(pools).unwrap();
    insert(&second, 1, "old").await;
    let file: String = sqlx::query_scalar("SELECT file FROM pragma_database_list")
        .fetch_one(second.uncached())
        .await
        .unwrap();
    (first, second, file)
}

async fn title(db: &Db) -> String {
    one(db, 1).await.unwrap().title
}

#[tokio::test]
async fn what_is_written_to_an_attached_file_makes_its_own_entries_stale() {
    let (first, second, file) = two_files().await;
    assert_eq!(title(&second).await, "old");
    assert_eq!(title(&second).await, "old");

    let mut connection = first.acquire().await.unwrap();
    sqlx::query("ATTACH ? AS other")
        .bind(&file)
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("UPDATE other.book SET title = 'new'")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(title(&second).await, "new");

    sqlx::raw_sql("BEGIN; UPDATE other.book SET title = 'newer'")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(title(&second).await, "new");
    sqlx::raw_sql("COMMIT")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(title(&second).await, "newer");

    // The file's own rows are never taken for those of the pool's database.
    let read = "SELECT * FROM other.book WHERE id = 1";
    let attached: Option<Book> = sqlx::query_as(read)
        .cached(&mut connection)
        .fetch_optional()
        .await
        .unwrap();
    assert_eq!(attached.unwrap().title, "newer");
    assert_eq!(one(&first, 1).await, None);
}

#[tokio::test]
async fn a_text_that_attaches_and_writes_makes_the_file_stale() {
    let (first, second, file) = two_files().await;
    assert_eq!(title(&second).await, "old");
    let mut connection = first.acquire().await.unwrap();
    let file = file.replace('\'', "''");
    let text = format!("ATTACH '{file}' AS other; UPDATE other.book SET title = 'new'");
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(title(&second).await, "new");
}

#[tokio::test]
async fn a_file_that_the_pool_attaches_to_every_connection_is_known() {
    let (first, second, file) = two_files().await;
    let attach = format!("ATTACH '{}' AS other", file.replace('\'', "''"));
    let options = first.uncached().connect_options();
    let plain = SqlitePoolOptions::new()
        .after_connect(move |connection, _| {
            let attach = AssertSqlSafe(attach.clone());
            Box::pin(async move { sqlx::raw_sql(attach).execute(connection).await.map(drop) })
        })
        .connect_with((*options).clone())
        .await
        .unwrap();
    let db = CachedPool::new(plain, second.database().cache())
        .await
        .unwrap();
    sqlx::raw_sql("CREATE TABLE only (id INTEGER PRIMARY KEY)")
        .execute(&second)
        .await
        .unwrap();
    for count in 0..3_i64 {
        for read in [
            "SELECT count(*) FROM only",
            "SELECT count(*) FROM other.only",
        ] {
            let read = sqlx::query_scalar::<_, i64>(read).cached(&db);
            assert_eq!(read.fetch_one().await.unwrap(), count);
        }
        sqlx::raw_sql("INSERT INTO only DEFAULT VALUES")
            .execute(&second)
            .await
            .unwrap();
    }
    assert_eq!(title(&second).await, "old");
    sqlx::query("UPDATE other.book SET title = 'new'")
        .execute(&db)
        .await
        .unwrap();
    assert_eq!(title(&second).await, "new");
}
