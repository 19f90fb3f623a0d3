//! Imperative shell: reads the portal, executes approved plans, recovers interrupted runs, restores
//! removed layouts.
//!
//! The engine works through the ports and never sees HTTP, a file or the time of day.
//!
//! # The execution protocol
//!
//! Apply and restore are plans of one executor (`engine/execute.rs`). For every target, in this
//! order:
//!
//! 1. *Lock.* The caller holds the lock of the portal: a [`RunLog`](crate::ports::RunLog) exists
//!    only with it. A crash leaves a lock whose owner is dead, which the next run takes over.
//! 2. *Check.* The store must not hold an interrupted run. The journal is opened with every planned
//!    target in it.
//! 3. *Read ahead.* A card is read again, fifty in a request, if a question lies between its read
//!    and now, or the read is older than five minutes. A card that changed is left alone. A crash
//!    here leaves an opened journal and an untouched portal.
//! 4. *Back up.* The layouts that the write removes and stores are written and synced, with those
//!    of the next requests. A crash here leaves superfluous backups, which are harmless.
//! 5. *Intend.* The intent is journaled and synced. A crash from here on leaves a target of which
//!    only the portal can tell if the request left: `recover` asks. The backup is on disk.
//! 6. *Send* `get`, the write and `get`, as neighbors in one request. The first `get` must equal
//!    the backup. If it does not, the person saved in the meantime and the write removed that
//!    layout. The `get` holds it, so it is backed up, a `set` is journaled as compensation and sent
//!    ahead of all other requests, also after a stop, with reads on either side as well. If a newer
//!    layout turns up three times in a row, the newest stays in the backup. A crash in between
//!    leaves the intent and the backup, and `recover` stores the layout again.
//! 7. *Prove.* The second `get` must show the goal. `true` proves nothing; the portal always says
//!    it.
//! 8. *Journal* the outcome. A crash before that is settled by reading, as in step 5. A proved
//!    reset is synced with the next intent or at the end of the run, since a read tells the same;
//!    any other outcome at once.
//!
//! An answer that is not a well-formed answer of a batch proves nothing either: a status, an error
//! code or a limit may come after the commands were executed. The cards are read back, and only
//! unchanged ones are written again, in smaller requests, until a card on which the portal fails is
//! alone in its request. Only a request that was certainly not processed is repeated without a
//! read. Cards of a request without an answer are read back once more at the end of the run.
//!
//! Layouts that a batch would change are sent as single calls: `get`, `set`, `get` in a row.
//!
//! The portal has no "delete if unchanged" and no "store if unchanged". A save between the first
//! `get` and the write of one request, a few milliseconds, is lost; for single calls, a save within
//! one round trip.

mod apply;
mod cancellation;
mod card_directory;
mod compare;
mod diagnostics;
mod event;
mod evidence;
mod execute;
mod inventory;
mod late_writes;
mod listed_kinds;
mod observe;
mod options;
mod org_directory;
mod outcome_log;
mod plan_file_check;
mod progress;
mod queue;
mod recover;
mod renamed;
mod requests;
mod resolve;
mod restore;
mod restore_plan;
mod restore_plan_check;
mod run_report;
mod salvage;
mod task;
mod verdict;

pub use apply::apply;
pub use cancellation::{CancellationHandle, CancellationToken, cancellation};
pub use compare::difference;
pub use diagnostics::{Access, CardDiagnostics, SelectorFinding, diagnose_cards};
pub use event::{Event, EventSink};
pub use evidence::evidence_of_run;
pub use inventory::{CardInventory, CardPresence, take_inventory};
pub use listed_kinds::{KindSelection, ListedKinds, listed_kinds};
pub use observe::observe;
pub use options::{ExecuteOptions, SnapshotAge};
pub use org_directory::{departments_below, look_up};
pub use plan_file_check::{CheckedPlanFile, check_plan_file, reviewed_people, reviewed_targets};
pub use recover::{RecoveryError, RecoveryReport, recover};
pub use renamed::{present_kinds, renamed_kinds, renamed_people};
pub use resolve::{Resolution, resolve_existing};
pub use restore::{restore, restore_rest};
pub use restore_plan::{
    NewerLayouts, RestoreDecision, RestoreError, RestorePlan, RestoreTarget, needed_backups,
    plan_restore, restorable,
};
pub use restore_plan_check::{CheckedRestorePlan, check_restore_plan};
pub use run_report::{ApplyError, ApplyReport, TargetOutcome};
pub use salvage::{MendedJournal, mend};
