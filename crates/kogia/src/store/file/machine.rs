//! What the file store asks the operating system: the time, the boot, who a process is.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use kogia_core::StoreTime;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::time::ClockId;

/// The store's clock: the time since the machine booted, which is the same for all processes and
/// never set.
pub(super) fn now() -> StoreTime {
    let time = rustix::time::clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    StoreTime(Duration::new(seconds, nanoseconds))
}

/// The same as a number, for what is stored. It lasts for 584 years.
pub(super) fn nanoseconds(time: StoreTime) -> u64 {
    u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX)
}

/// The name of this boot of the machine's kernel.
pub(super) fn boot_id() -> std::io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// One process, told apart from every other one of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: u32,
    /// When it started, in the kernel's ticks: process ids are used again.
    pub(super) started: u64,
    /// The process-id namespace in which `id` means something: a container has its own.
    pub(super) namespace: u64,
}

impl Process {
    /// This process, if `/proc` is there and shows the namespace that it runs in.
    pub(super) fn current() -> Option<Process> {
        let id = std::process::id();
        if fs::read_link("/proc/self").ok()?.to_str()? != id.to_string() {
            return None;
        }
        let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
        match Status::of(id)? {
            Status::Gone => None,
            Status::Started(started) => Some(Process {
                id,
                started,
                namespace,
            }),
        }
    }

    /// Whether the process still runs, if `observer` can tell.
    pub(super) fn is_alive(&self, observer: Option<&Process>) -> Option<bool> {
        let observer = observer.filter(|observer| observer.namespace == self.namespace)?;
        if observer == self {
            return Some(true);
        }
        let id = Pid::from_raw(i32::try_from(self.id).ok()?)?;
        // `/proc` may hide other users' processes, so that alone proves no death.
        if rustix::process::test_kill_process(id) == Err(Errno::SRCH) {
            return Some(false);
        }
        match Status::of(self.id)? {
            Status::Gone => Some(false),
            Status::Started(started) => Some(started == self.started),
        }
    }
}

enum Status {
    /// It has ended, and nobody has asked for its exit code yet.
    Gone,
    Started(u64),
}

impl Status {
    fn of(id: u32) -> Option<Status> {
        let line = fs::read(format!("/proc/{id}/stat")).ok()?;
        // The second field is the program's name in parentheses and may hold anything.
        let line = String::from_utf8_lossy(&line);
        let mut fields = line.get(line.rfind(')')? + 1..)?.split_ascii_whitespace();
        match fields.next()? {
            "Z" | "X" => Some(Status::Gone),
            _ => fields.nth(18)?.parse().ok().map(Status::Started),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_told_apart() {
        let this = Process::current().unwrap();
        assert_eq!(this.is_alive(Some(&this)), Some(true));
        assert_eq!(this.is_alive(None), None);
        let earlier = Process {
            started: this.started - 1,
            ..this
        };
        assert_eq!(earlier.is_alive(Some(&this)), Some(false));
        let elsewhere = Process {
            namespace: this.namespace + 1,
            ..this
        };
        assert_eq!(elsewhere.is_alive(Some(&this)), None);
    }

    #[test]
    fn a_process_that_ended_is_not_alive() {
        let this = Process::current().unwrap();
        let mut child = std::process::Command::new("/bin/cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let Some(Status::Started(started)) = Status::of(child.id()) else {
            panic!("the child waits for its input");
        };
        let other = Process {
            id: child.id(),
            started,
            namespace: this.namespace,
        };
        assert_eq!(other.is_alive(Some(&this)), Some(true));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(other.is_alive(Some(&this)), Some(false));
    }

    #[test]
    fn time_goes_on() {
        let first = now();
        assert!(nanoseconds(first) > 0);
        assert!(now() >= first);
        assert!(!boot_id().unwrap().is_empty());
    }
}
