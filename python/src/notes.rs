//! Small files that say when something happened; see `kogia/notes.py`, which reads them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

/// No text is longer, in bytes.
const LONGEST: usize = 4_000;

/// The file's time of change is the moment. A text is preceded by the moment in nanoseconds, so that
/// it does not pass for that of a later note without one.
pub(crate) fn write(path: &Path, text: &str, now: SystemTime) -> io::Result<()> {
    if text.is_empty() {
        let moment = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Timespec {
            tv_sec: moment.as_secs() as i64,
            tv_nsec: i64::from(moment.subsec_nanos()),
        };
        // One call of the system, where a file that is opened takes three.
        let times = Timestamps {
            last_access: at,
            last_modification: at,
        };
        if utimensat(CWD, path, &times, AtFlags::empty()).is_ok() {
            return Ok(());
        }
    }
    let mut file = open(path)?;
    if !text.is_empty() {
        let nanoseconds = now
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        file.set_len(0)?;
        let text = &text.as_bytes()[..text.len().min(LONGEST)];
        file.write_all(&[format!("{nanoseconds}\n").as_bytes(), text].concat())?;
    }
    file.set_modified(now)
}

/// Only the user who runs the application reads them: they name its tables and statements.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    match (options.open(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
            options.open(path)
        }
        (opened, _) => opened,
    }
}
