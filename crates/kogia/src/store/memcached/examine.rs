//! What can be said about a server from its statistics, for `kogia doctor`.

use super::protocol::{number_of, text_of};
use super::url::{MemcachedAddress, MemcachedUrl};
use crate::store::Finding;

type Stats = [(String, String)];

/// Examines a server by its `stats` and `stats settings`.
pub(super) fn examine(
    address: &MemcachedAddress,
    stats: &Stats,
    settings: &Stats,
    url: &MemcachedUrl,
) -> Vec<Finding> {
    let number = |name| number_of(stats, name).unwrap_or(0);
    let version = text_of(stats, "version").unwrap_or("of no version");
    let percent = number("bytes").saturating_mul(100) / number("limit_maxbytes").max(1);
    let mut found = vec![
        Finding::fine(format!("{address} is Memcached {version}")),
        Finding::fine(format!(
            "{percent} % of its {} bytes are in use, and {} items were evicted since it started",
            number("limit_maxbytes"),
            number("evictions")
        )),
    ];
    if text_of(settings, "evictions") == Some("off") {
        found.push(Finding::warning(
            "it evicts nothing (-M): when it is full, nothing more is cached",
            "start it without -M",
        ));
    }
    let longest = number_of(settings, "item_size_max").unwrap_or(0);
    found.push(Finding::fine(format!(
        "an item has at most {longest} bytes; longer entries, up to {} bytes, are stored in parts",
        url.max_entry
    )));
    found.push(Finding::note(
        "it keeps nothing over a restart: the store starts cold then, and so it does if somebody \
         flushes it or its marks are evicted",
    ));
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use super::*;
    use crate::store::Level;

    #[test]
    fn a_server_that_evicts_nothing_is_warned_of() {
        let stats = |text: &str| -> Vec<(String, String)> {
            let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
            let pairs = words.chunks(2);
            pairs
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect()
        };
        let url = MemcachedUrl::parse("memcached://h").unwrap();
        let said = |settings: &str| {
            let running = stats("version 1.6.18 bytes 50 limit_maxbytes 200 evictions 3");
            examine(&url.servers[0], &running, &stats(settings), &url)
        };
        let found = said("evictions on item_size_max 1048576");
        assert!(found.iter().all(|finding| finding.level <= Level::Note));
        assert!(
            found[1].what.starts_with("25 % of its 200 bytes"),
            "{}",
            found[1].what
        );
        let found = said("evictions off item_size_max 1048576");
        assert!(found.iter().any(|finding| finding.level == Level::Warning));
    }
}
