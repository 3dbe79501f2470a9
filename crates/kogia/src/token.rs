//! Random tokens, from the operating system one by one.
//!
//! A generator in user space that `fork()` copies gives two workers the same token.

#[cfg(any(
    feature = "redis",
    feature = "memcached",
    all(feature = "file", target_os = "linux")
))]
use kogia_core::Generation;
use kogia_core::OwnerId;

/// A generation that no tag ever had.
#[cfg(any(
    feature = "redis",
    feature = "memcached",
    all(feature = "file", target_os = "linux")
))]
pub(crate) fn fresh_generation() -> Result<Generation, getrandom::Error> {
    random().map(Generation::from_random)
}

/// The identity of a new writer.
pub(crate) fn fresh_owner() -> Result<OwnerId, getrandom::Error> {
    random().map(|bytes| OwnerId(u128::from_le_bytes(bytes)))
}

fn random() -> Result<[u8; 16], getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
