//! Life of a plan on one emulator: plan, apply, restore, each with faults of its own.

use std::collections::BTreeMap;

use recard::emulator::Emulator;
use recard::engine::{
    self, ApplyError, Event, ExecuteOptions, NewerLayouts, RestorePlan, SnapshotAge,
};
use recard::model::{CardKey, Digest, Outcome};
use recard::plan::ApprovedPlan;
use recard::ports::{JournalRecord, ReadPortal as _, RunHeader, RunPurpose};
use serde_json::{Value, json};

use super::log::Log;
use super::model::{digest, key_of};
use super::{SETTLING, connect, header, planned};

/// A portal, and the state that each life begins with.
pub struct Life {
    pub emulator: Emulator,
    pub initial: Value,
}

/// The end of one run.
pub struct Ended {
    pub outcomes: BTreeMap<CardKey, Outcome>,
    pub log: Log,
    /// The run ended with an error.
    pub failed: bool,
    /// The report says that a write may have been sent.
    pub sent: bool,
}

/// The layouts of the portal, by card.
pub type Layouts = BTreeMap<CardKey, Digest>;

impl Life {
    /// Starts the company of the emulator, whose user 12 has a layout that a batch cannot carry.
    pub async fn start() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let mut initial = emulator.state();
        for row in initial["options"].as_array_mut().unwrap() {
            if row["user_id"] == 12 && row["name"] == "lead_details" {
                row["value"][0]["elements"][0]["title"] = json!("Total: $total[x]");
            }
        }
        emulator.set_state(&initial).unwrap();
        Self { emulator, initial }
    }

    /// Puts the portal back to its initial state, without faults.
    pub fn reset(&self) {
        self.emulator.set_faults(&json!([])).unwrap();
        self.emulator.set_state(&self.initial).unwrap();
        self.emulator.keep_history();
    }

    /// Returns the personal layouts of leads.
    pub fn layouts(&self) -> Layouts {
        let is_lead = |name: &str| matches!(name, "lead_details" | "returning_lead_details");
        let rows = self.emulator.rows().into_iter();
        rows.filter(|row| row.user != 0 && is_lead(&row.name))
            .filter_map(|row| Some((key_of(&(row.user, row.name)), digest(&row.value)?)))
            .collect()
    }

    /// Plans under one script, and applies under another. None if there is no plan.
    pub async fn apply(&self, planning: &Value, applying: &Value) -> Option<Ended> {
        self.emulator.set_faults(planning).unwrap();
        let portal = connect(&self.emulator);
        let plan = planned(&portal).await?;
        self.emulator.set_faults(applying).unwrap();
        let mut log = Log::open(1, header(&portal, &plan), None);
        let approved = ApprovedPlan::new(&plan, Vec::new()).unwrap();
        let (_stop, signal) = engine::cancellation();
        let silent = |_: Event| {};
        let ended =
            engine::apply(&portal.writer(), &mut log, approved, &[], options(), &signal, &silent)
                .await;
        Some(Ended::of(ended, log))
    }

    /// Restores what a run wrote to, under a script. None if the cards could not be read, or there
    /// is nothing to do.
    pub async fn restore(&self, of: &Log, restoring: &Value) -> Option<Ended> {
        let portal = connect(&self.emulator);
        let plan = self.restore_plan(of).await?;
        plan.actions().next()?;
        let opened = JournalRecord::Opened(RunHeader {
            purpose: RunPurpose::Restore(plan.restored_run.clone()),
            targets: plan.planned_cards(),
            ..opened(of)
        });
        let mut log = Log::open(2, opened, None);
        let (_stop, signal) = engine::cancellation();
        self.emulator.set_faults(restoring).unwrap();
        let silent = |_: Event| {};
        let ended =
            engine::restore(&portal.writer(), &mut log, &plan, options(), &signal, &silent).await;
        Some(Ended::of(ended, log))
    }

    /// Plans the restore of a run, without faults.
    pub async fn restore_plan(&self, of: &Log) -> Option<RestorePlan> {
        use recard::ports::RunLog as _;
        self.emulator.set_faults(&json!([])).unwrap();
        let portal = connect(&self.emulator);
        let caller = portal.reader().identify().await.ok()?;
        let records = of.disk().records.clone();
        let keys = engine::restorable(&records).unwrap();
        let silent = |_: Event| {};
        let snapshot = engine::observe(&portal.reader(), &caller, &keys, &silent).await.ok()?;
        Some(
            engine::plan_restore(of.run(), &records, of, &snapshot, NewerLayouts::Keep)
                .await
                .unwrap(),
        )
    }
}

impl Ended {
    fn of(ended: Result<engine::ApplyReport, ApplyError>, log: Log) -> Self {
        let (report, failed) = match ended {
            Ok(report) => (report, false),
            Err(problem) => (problem.report().clone(), true),
        };
        let outcomes =
            report.targets.into_iter().map(|settled| (settled.key, settled.outcome)).collect();
        Self { outcomes, log, failed, sent: report.sent }
    }

    /// Returns whether a write of this run may have left for a card.
    pub fn intended(&self, key: CardKey) -> bool {
        self.log.disk().records.iter().any(|record| match record {
            JournalRecord::Intent { targets } => targets.iter().any(|(target, _)| *target == key),
            JournalRecord::SetIntent { target, .. } => *target == key,
            _ => false,
        })
    }
}

fn options() -> ExecuteOptions {
    ExecuteOptions { late_writes: SETTLING / 10, ..ExecuteOptions::new(SnapshotAge::now()) }
}

fn opened(of: &Log) -> RunHeader {
    match of.disk().records.first() {
        Some(JournalRecord::Opened(header)) => header.clone(),
        other => panic!("{other:?}"),
    }
}
