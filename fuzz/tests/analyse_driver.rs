//! The analysis of SQL.

use kogia_fuzz::{ANALYSE, drive};

#[test]
fn analyse() {
    drive(&ANALYSE, env!("CARGO_TARGET_TMPDIR"));
}
