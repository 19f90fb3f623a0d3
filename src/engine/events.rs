//! What the engine tells while it works: for progress bars and logs. Nothing depends on who
//! listens.

use crate::language::Text;
use crate::model::{CardKey, Outcome};

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
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
    Settled {
        /// The target.
        target: CardKey,
        /// What became of it.
        outcome: Outcome,
    },
    /// Something unusual was met and dealt with; the text says what.
    Note(Text),
}

/// Who listens.
pub trait Listener: Send + Sync {
    /// Takes one event. Must not block.
    fn hear(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> Listener for F {
    fn hear(&self, event: Event) {
        self(event);
    }
}
