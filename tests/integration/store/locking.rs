//! Store between processes: a second one is kept out, and the records of a killed one are taken
//! over.
//!
//! The second process is this test program itself, told to run [`second_process`] alone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;

use recard::model::{CardKey, Layout, LeadCustomerType, Outcome, PortalId, RunId, Totals, UserId};
use recard::ports::{
    Archive as _, Clock, Interrupted, JournalRecord, LockOwner, PlannedCard, RunHeader,
    RunLog as _, RunPurpose, StoreError,
};
use recard::store::{RunEnd, Store};

use crate::support::process;
use crate::support::wait::Wait as _;

/// Message of the second process when it has written everything and holds the lock.
const READY: &str = "the second process is ready";

struct Standing;

impl Clock for Standing {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-01T09:00:00Z".parse().unwrap()
    }
}

fn store(folder: &Path) -> Store {
    Store::open(&folder.join("store").into(), &PortalId::new("company.bitrix24.com").unwrap())
        .unwrap()
}

fn owner(process: u32) -> LockOwner {
    LockOwner {
        process,
        host: "build".to_owned(),
        actor: String::new(),
        command: "apply".to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    }
}

fn run() -> RunId {
    RunId::new("20261101T090000Z", 7).unwrap()
}

fn target() -> CardKey {
    CardKey::personal(UserId::new(42).unwrap(), LeadCustomerType::Simple)
}

fn layout() -> Layout {
    Layout::from_json(r#"[{"name":"main","title":"mine","type":"section","elements":[]}]"#).unwrap()
}

/// Starts the second process and waits until it holds the lock.
fn start_second_process(folder: &Path) -> Child {
    let mut child = process::of_its_own(module_path!(), "second_process")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap().contains(READY)),
        "the second process did not get ready"
    );
    child
}

#[test]
#[ignore = "is the second process of the other tests, and does nothing by itself"]
fn second_process() {
    let mut folder = String::new();
    std::io::stdin().read_line(&mut folder).unwrap();
    if folder.trim().is_empty() {
        return;
    }
    let (mut locked, _) = store(Path::new(folder.trim()))
        .lock(owner(std::process::id()), Arc::new(Standing))
        .wait()
        .unwrap();
    let header = RunHeader {
        purpose: RunPurpose::Apply,
        portal: PortalId::new("company.bitrix24.com").unwrap(),
        caller: UserId::new(7).unwrap(),
        actor: String::new(),
        manifest: None,
        commit: None,
        ledger: None,
        reasons: Vec::new(),
        trust: None,
        targets: vec![PlannedCard {
            key: target(),
            digest: Some(layout().digest()),
            generation: None,
        }],
    };
    let mut log = locked.start_run(run(), header).wait().unwrap();
    log.save_backups(&[(target(), &layout())]).wait().unwrap();
    log.append(&[JournalRecord::Intent { targets: vec![(target(), Some(layout().digest()))] }])
        .wait()
        .unwrap();
    // Written past the test harness, which would keep it until the end.
    let mut out = std::io::stdout();
    writeln!(out, "{READY}").unwrap();
    out.flush().unwrap();
    // Until the first process closes its end, or kills this one.
    let _ = std::io::stdin().read_line(&mut folder);
}

#[test]
fn lock_keeps_a_second_process_out_until_released() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start_second_process(folder.path());
    let store = store(folder.path());
    let Err(StoreError::Locked(holder)) = store.lock(owner(1), Arc::new(Standing)).wait() else {
        panic!("two hold the lock")
    };
    assert_eq!(holder, owner(child.id()));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(matches!(store.lock(owner(1), Arc::new(Standing)).wait(), Ok((_, None))));
}

#[test]
fn lock_and_run_of_a_killed_process_are_taken_over_and_settled() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start_second_process(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let store = store(folder.path());
    assert_eq!(store.lock_owner().wait().unwrap(), Some(owner(child.id())));
    let (mut locked, note) = store.lock(owner(1), Arc::new(Standing)).wait().unwrap();
    assert!(note.unwrap().starts_with(&format!("unclean end of process {} on build", child.id())));
    assert_eq!(store.unfinished().wait().unwrap(), Some(run()));
    assert_eq!(
        store.backup(&run(), target(), layout().digest()).wait().unwrap().as_json(),
        layout().as_json()
    );
    let mut log = locked.reopen_run(&run()).wait().unwrap();
    log.append(&[
        JournalRecord::Completed { target: target(), outcome: Outcome::Reset },
        JournalRecord::Closed { interrupted: Interrupted::No },
    ])
    .wait()
    .unwrap();
    assert_eq!(store.unfinished().wait().unwrap(), None);
    let summary = store.summary(&run()).wait().unwrap();
    assert_eq!(summary.end, RunEnd::Closed(Interrupted::No));
    assert_eq!(summary.totals(), Totals { done: 1, ..Totals::default() });
    // Begun, lock taken over, reopened, closed.
    assert_eq!(store.audit_entries().wait().unwrap().len(), 4);
}
