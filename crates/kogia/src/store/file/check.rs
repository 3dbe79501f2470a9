//! Whether a data file is what LMDB left, before LMDB maps it.

use std::fs::File;
use std::path::Path;

/// What is wrong with a file.
pub(super) type Damage = String;

pub(super) fn check(path: &Path) -> Result<(), Damage> {
    File::open(path).map_err(|error| error.to_string())?;
    Ok(())
}
