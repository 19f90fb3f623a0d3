//! Worker: reconciles the portals of a fleet continuously, as long as it holds their leases.
//!
//! [`work()`] claims portals that are due from a [`WorkQueue`](crate::ports::WorkQueue), runs a
//! round for each, and releases it with the time of the next one. It never reads or writes a portal
//! itself: that is what [`Rounds`] are for.
//!
//! # Promises
//!
//! * No round of a portal begins before the one before has ended, within one worker.
//! * A claim that the heartbeat does not return is lost: its permit is withdrawn before anything
//!   else happens, its round is stopped, and it is not released. A heartbeat without an answer
//!   extends nothing.
//! * A round that hangs or panics is the end of this round alone.
//! * Portals whose last round failed share a fifth of the slots; portals on which a worker died run
//!   one at a time; after three deaths a portal is parked.
//! * A worker that is told to stop claims nothing more, stops its rounds in order, and gives back
//!   what they did not finish.

mod reconcile;
mod round;
mod schedule;
mod settings;
mod status;
mod work;

pub use crate::ports::{LeasePermit, Moment};
pub use round::{RoundControl, RoundFailure, RoundOutcome, Rounds};
pub use schedule::{due_after_failure, due_after_success};
pub use settings::{LeaseTimes, WorkerSettings};
pub use status::{RoundEnding, WorkerSnapshot, WorkerStatus};
pub use work::work;
