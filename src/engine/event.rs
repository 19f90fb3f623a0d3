//! Events of the engine's work, for progress bars and logs. No result depends on a sink.

use crate::i18n::Text;
use crate::model::{CardKey, Outcome};

/// Event of the engine's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// People and departments are looked up.
    LookingUp,
    /// The people and departments are known; the reads of the cards follow.
    Resolved {
        /// The number of targets that the manifests select.
        targets: usize,
    },
    /// Cards were read.
    Read {
        /// The number so far.
        done: usize,
        /// The number in all.
        total: usize,
    },
    /// The first reset is about to be sent.
    Applying {
        /// The number of targets to be reset.
        total: usize,
    },
    /// A target has its outcome.
    Completed {
        /// The target.
        target: CardKey,
        /// The outcome.
        outcome: Outcome,
    },
    /// Something unusual was handled; the text describes it.
    Notice(Text),
}

/// Receiver of events.
pub trait EventSink: Send + Sync {
    /// Takes one event. Must not block.
    fn on_event(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> EventSink for F {
    fn on_event(&self, event: Event) {
        self(event);
    }
}
