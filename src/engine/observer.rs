//! What the engine tells while it works: for progress bars and logs. Nothing depends on who
//! listens.

use crate::i18n::Text;
use crate::model::{CardKey, Outcome};

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// People and departments are looked up.
    LookingUp,
    /// The people and departments are known; so many cards are about to be read.
    Resolved {
        /// How many targets the manifests select.
        targets: usize,
    },
    /// Cards were read.
    Read {
        /// How many so far.
        done: usize,
        /// How many in all.
        total: usize,
    },
    /// The first reset is about to be sent.
    Applying {
        /// How many targets are to be reset.
        total: usize,
    },
    /// A target is settled.
    Completed {
        /// The target.
        target: CardKey,
        /// What became of it.
        outcome: Outcome,
    },
    /// Something unusual was met and dealt with; the text says what.
    Notice(Text),
}

/// Who listens.
pub trait Observer: Send + Sync {
    /// Takes one event. Must not block.
    fn on_event(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> Observer for F {
    fn on_event(&self, event: Event) {
        self(event);
    }
}
