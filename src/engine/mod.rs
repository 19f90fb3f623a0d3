//! The imperative shell: asks the portal, carries out approved plans, settles what was cut, puts back what was removed.
//!
//! It works through the ports and never sees HTTP, a file or the time of day.
//!
//! # The apply protocol
//!
//! For every target, in this order, and never another:
//!
//! 1. *Lock.* The caller holds the lock of the portal: a [`RunLog`](crate::port::RunLog) cannot be had without it. A crash
//!    leaves a lock whose owner is dead, which the next run takes over.
//! 2. *Look.* No unfinished run may lie in the store. The journal is opened with every planned target in it.
//! 3. *Read.* Unless this very process has just read the card, it is read again and compared with the plan's digest. What
//!    changed is not touched. A crash here leaves an opened journal and an untouched portal.
//! 4. *Back up.* The layout is written and synced, with those of the next requests. A crash here leaves backups too many, which
//!    harm nobody.
//! 5. *Intend.* The intent is journaled and synced. A crash from here on leaves a target of which nobody knows whether the
//!    request left: `resume` asks the portal. The backup is on disk.
//! 6. *Send* `get, reset, get`, as neighbours in one request. The first `get` must equal the backup. If it does not, the
//!    person saved in the last moment and the reset removed what they saved; but that very `get` holds it, so it is backed up,
//!    an intent to `set` is journaled, and it is put back. A crash in between leaves the intent and the backup, and `resume`
//!    puts it back.
//! 7. *Prove.* The second `get` must show the default. `true` proves nothing; the portal always says it.
//! 8. *Journal* the outcome. A crash before it is settled by reading, as in step 5. A reset that was proved is synced with the
//!    next intent or at the end of the run, since a read tells the same; any other outcome at once.
//!
//! A request whose answer does not tell whether it was carried out is never repeated blindly: the cards are read, and only
//! those that are as before are tried again, in smaller requests, until a card on which the portal breaks down stands alone.
//!
//! What cannot be had: the portal has no "delete if unchanged". If a person saves in the moment between the first `get` and
//! the `reset` of one request, a few milliseconds, what they saved is gone.

mod apply;
mod compare;
mod directory;
mod events;
mod evidence;
mod examine;
mod execute;
mod observe;
mod resolve;
mod restore;
mod restore_plan;
mod resume;
mod review;
mod run_report;
mod salvage;
mod stop;
mod survey;
mod verdict;

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;

pub use apply::apply;
pub use compare::difference;
pub use directory::look_up;
pub use events::{Event, Listener};
pub use evidence::evidence_of_run;
pub use examine::{Access, CardsExamined, SelectorFinding, examine_cards};
pub use execute::{ExecuteOptions, Freshness};
pub use observe::observe;
pub use resolve::{Resolution, ResolveError, resolve, resolve_existing};
pub use restore::restore;
pub use restore_plan::{
    NewerLayouts, RestoreDecision, RestoreError, RestorePlan, RestoreTarget, needed_backups, plan_restore, restorable,
};
pub use resume::{ResumeError, ResumeReport, resume, resume_mended, unsettled};
pub use review::{Reviewed, review, reviewed_people, reviewed_targets};
pub use run_report::{ApplyError, ApplyReport, Settled};
pub use salvage::{MendedJournal, mend};
pub use stop::{StopHandle, StopSignal, stop_pair};
pub use survey::{Found, Survey, survey};
