//! Benchmarks, in `benches/`.
