//! Identity of this process, and the liveness of other ones as far as it is visible here.
//!
//! A process id alone does not identify a process: it is reused, another machine with the same host
//! name has the same numbers, and so has another namespace of process ids on the same machine. A
//! process that is not visible here is therefore never called dead.

use std::fs::{self, File};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;

use crate::records::ProcessIdentity;

/// Liveness of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    Alive,
    Dead,
    Unknown,
}

/// Returns the identity of this process.
pub(in crate::store) fn this_process() -> ProcessIdentity {
    let process = std::process::id();
    let boot =
        fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
    if !sees_itself(process) {
        return ProcessIdentity { process, boot, ..ProcessIdentity::default() };
    }
    let namespace = fs::read_link("/proc/self/ns/pid")
        .map(|name| name.display().to_string())
        .unwrap_or_default();
    let started = status(process).map(|(_, started)| started).unwrap_or_default();
    ProcessIdentity { process, boot, namespace, started }
}

/// Returns the liveness of a process, as seen from the process `here`.
pub(super) fn liveness(process: &ProcessIdentity, here: &ProcessIdentity) -> Liveness {
    let same = |of: fn(&ProcessIdentity) -> &str| !of(here).is_empty() && of(process) == of(here);
    if !cfg!(target_os = "linux") && process.boot.is_empty() {
        // These systems have no such information; the operating system's lock was free.
        return Liveness::Dead;
    }
    if !same(|owner| &owner.boot) || !same(|owner| &owner.namespace) {
        return Liveness::Unknown;
    }
    match status(process.process) {
        Some((state, started)) if started == process.started && !is_dead(state) => Liveness::Alive,
        _ => Liveness::Dead,
    }
}

/// Returns the liveness of a process of which only the number on this host is known: that of a lock
/// file of version 1.
pub(super) fn liveness_of_number(process: u32, here: &ProcessIdentity) -> Liveness {
    if !cfg!(target_os = "linux") {
        return Liveness::Dead;
    }
    match status(process) {
        _ if here.namespace.is_empty() => Liveness::Unknown,
        // The number may belong to another process now.
        Some((state, _)) if !is_dead(state) => Liveness::Unknown,
        _ => Liveness::Dead,
    }
}

/// Returns device and inode of an open file; empty where the system has none.
#[cfg(unix)]
pub(in crate::store) fn file_id(file: &File) -> String {
    file.metadata().map(|there| format!("{}:{}", there.dev(), there.ino())).unwrap_or_default()
}

/// Returns device and inode of an open file; empty where the system has none.
#[cfg(not(unix))]
pub(in crate::store) fn file_id(_: &File) -> String {
    String::new()
}

/// Returns `true` if `/proc` exists and shows the process ids of this process's own namespace.
fn sees_itself(process: u32) -> bool {
    fs::read_link("/proc/self").is_ok_and(|link| link.to_str() == Some(&process.to_string()))
}

/// Returns state and start time of a process, if there is one with this number.
fn status(process: u32) -> Option<(char, String)> {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in front may contain blanks and parentheses. The state is field 3 of proc(5), the
    // start time field 22.
    let mut fields = line.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.to_owned()))
}

/// Returns `true` if a process in this state has ended and only waits for its parent; it holds no
/// files any more.
fn is_dead(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn process_lives_for_those_who_see_it_and_is_unknown_to_all_others() {
        let here = this_process();
        assert!(
            [&here.boot, &here.namespace, &here.started].into_iter().all(|text| !text.is_empty()),
            "{here:?}"
        );
        assert_eq!(liveness(&here, &here), Liveness::Alive);
        let another = ProcessIdentity { started: "1".to_owned(), ..here.clone() };
        assert_eq!(liveness(&another, &here), Liveness::Dead, "the number was used again");
        // Seen from another machine, after a restart, from another namespace, and without /proc.
        for hidden in [
            ProcessIdentity { boot: "another".to_owned(), ..here.clone() },
            ProcessIdentity { namespace: "pid:[1]".to_owned(), ..here.clone() },
            ProcessIdentity {
                process: here.process,
                boot: here.boot.clone(),
                ..ProcessIdentity::default()
            },
        ] {
            for process in [&here, &another] {
                assert_eq!(liveness(process, &hidden), Liveness::Unknown, "{hidden:?}");
            }
        }
    }

    #[test]
    fn process_that_waits_for_its_parent_has_ended() {
        let here = this_process();
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let started = status(child.id()).unwrap().1;
        let identity = ProcessIdentity { process: child.id(), started, ..here.clone() };
        assert_eq!(
            (liveness(&identity, &here), liveness_of_number(child.id(), &here)),
            (Liveness::Alive, Liveness::Unknown)
        );
        child.kill().unwrap();
        while status(child.id()).is_some_and(|(state, _)| state != 'Z') {
            std::thread::yield_now();
        }
        assert_eq!(
            (liveness(&identity, &here), liveness_of_number(child.id(), &here)),
            (Liveness::Dead, Liveness::Dead)
        );
        child.wait().unwrap();
    }
}
