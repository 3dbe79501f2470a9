//! What can be said about the folder of a file store, for `kogia doctor`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::StatFs;

use super::folder;
use crate::store::Finding;

/// Examines the folder of a store that takes `capacity` bytes, of which entries and generations
/// have taken `bytes`.
pub(super) fn examine(path: &Path, capacity: u64, bytes: u64) -> Vec<Finding> {
    let mut found = vec![Finding::fine(format!(
        "the folder {} can be written to, and its files have format {}",
        path.display(),
        folder::FORMAT
    ))];
    found.extend(access(path));
    match rustix::fs::statfs(path) {
        Ok(system) => {
            found.push(kind(&system));
            found.push(room(capacity, free(&system)));
        }
        Err(error) => found.push(Finding::note(format!(
            "the file system says nothing about itself ({error})"
        ))),
    }
    if let Some(processes) = processes(path) {
        // This one, too, has it open.
        let others = processes.saturating_sub(1);
        found.push(Finding::fine(format!("{others} other processes use it")));
    }
    let percent = bytes.saturating_mul(100) / capacity.max(1);
    found.push(Finding::fine(format!(
        "{percent} % of its {capacity} bytes are in use; the oldest entries that nobody reads are \
         evicted when there is no room"
    )));
    found
}

/// Who else may write to the files: that is who can make the store answer what they like.
fn access(path: &Path) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.mode();
    let who = match (mode & 0o020 != 0, mode & 0o002 != 0) {
        (_, true) => "everybody on this machine",
        (true, false) => "the folder's group",
        (false, false) => return None,
    };
    Some(Finding::warning(
        format!("{who} can replace its files, and with them the answers to queries"),
        format!("chmod 700 {}, unless that is meant", path.display()),
    ))
}

fn kind(system: &StatFs) -> Finding {
    // The type is a 32-bit number, kept in a word that may be signed.
    let kind = system.f_type as u64 & 0xffff_ffff;
    let named = |kinds: &[(u64, &'static str)]| {
        let found = kinds.iter().find(|(number, _)| *number == kind);
        found.map(|(_, name)| *name)
    };
    if let Some(name) = named(&IN_MEMORY) {
        return Finding::fine(format!(
            "it lies in memory ({name}), of which it takes all it has"
        ));
    }
    match named(&OF_A_NETWORK) {
        Some(name) => Finding::error(
            format!("it lies on a network file system ({name}), and machines share no memory"),
            "name a folder on a local disk or in /dev/shm; for several machines use another store",
        ),
        None => Finding::fine("it lies on a local file system"),
    }
}

fn room(capacity: u64, free: u64) -> Finding {
    if free >= capacity {
        return Finding::fine(format!(
            "it has its room already, and {free} bytes are free to start cold beside it"
        ));
    }
    Finding::warning(
        format!(
            "it has its room already, but only {free} bytes are free, and a cold start needs \
             {capacity} while processes still use the old files"
        ),
        "make room, or choose a smaller capacity",
    )
}

fn free(system: &StatFs) -> u64 {
    let blocks: u64 = system.f_bavail;
    blocks.saturating_mul(u64::try_from(system.f_bsize).unwrap_or(0))
}

/// How many processes hold the lock of those that have the store open, if the kernel tells.
fn processes(path: &Path) -> Option<usize> {
    let file = fs::metadata(path.join(folder::IN_USE)).ok()?;
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let name = format!(" {major:02x}:{minor:02x}:{} ", file.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let holds = |line: &&str| line.contains(" FLOCK ") && line.contains(&name);
    let count = locks.lines().filter(holds).count();
    // This process holds one, so a list without it is not the whole one.
    (count > 0).then_some(count)
}

const IN_MEMORY: [(u64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

const OF_A_NETWORK: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x0bd0_0bd0, "Lustre"),
    (0x0116_1970, "GFS2"),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use super::*;
    use crate::store::Level;

    fn system(kind: u64) -> StatFs {
        let mut system = rustix::fs::statfs("/").unwrap();
        system.f_type = kind as _;
        system
    }

    #[test]
    fn file_systems_are_told_apart() {
        assert_eq!(kind(&system(0x6969)).level, Level::Error);
        assert_eq!(kind(&system(0xff53_4d42)).level, Level::Error);
        assert!(kind(&system(0x0102_1994)).what.contains("tmpfs"));
        assert!(kind(&system(0xef53)).what.contains("local file system"));
    }

    #[test]
    fn a_cold_start_needs_room() {
        assert_eq!(room(10, 10).level, Level::Fine);
        assert_eq!(room(10, 9).level, Level::Warning);
    }
}
