//! What the tests share.

use std::time::{Duration, Instant};

/// The PostgreSQL server of the tests.
pub(crate) fn postgres_url() -> String {
    url("KOGIA_TEST_POSTGRES_URL")
}

/// The MySQL or MariaDB server of the tests.
pub(crate) fn mysql_url() -> String {
    url("KOGIA_TEST_MYSQL_URL")
}

fn url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run ./scripts/test, or eval \"$(scripts/servers start DIR)\""
        )
    })
}

/// Waits for something that the server does in its own time.
pub(crate) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it did not happen"
        );
        tokio::task::yield_now().await;
    }
}
