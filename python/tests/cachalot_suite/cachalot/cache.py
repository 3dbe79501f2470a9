"""There is no `CacheHandler`; the two tests that use it are listed in `expected.toml`."""

cachalot_caches = None
