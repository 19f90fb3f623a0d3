//! Rollout of a revision over the waves of a fleet, as the state of fleets holds it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::manifest::StopRule;

/// Rollout of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Number of changes so far.
    pub step: u32,
    /// The waves, in their order. Those that are open come first.
    pub waves: Vec<RolloutWave>,
    /// The stop rule.
    pub stop: StopRule,
    /// Maximum number of people whose cards are reset; `None` if there is no limit.
    pub max_people: Option<u32>,
    /// State.
    pub state: RolloutState,
}

impl Rollout {
    /// Changes the rollout.
    pub fn change(&mut self, change: &RolloutChange, now: Timestamp) {
        self.step = self.step.saturating_add(1);
        match change {
            RolloutChange::Open(wave) => {
                if let Some(wave) = self.waves.get_mut(*wave) {
                    wave.opened = Some(now);
                }
            }
            RolloutChange::Halt(cause) => {
                self.state = RolloutState::Halted { at: now, cause: cause.clone() };
            }
            RolloutChange::Complete => self.state = RolloutState::Complete { at: now },
        }
    }

    /// Returns the number of open waves.
    pub fn open_waves(&self) -> usize {
        self.waves.iter().take_while(|wave| wave.opened.is_some()).count()
    }
}

/// Wave of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutWave {
    /// The name.
    pub name: Arc<str>,
    /// The least time from its opening to the opening of the next wave.
    pub settle: Duration,
    /// The time of its opening.
    pub opened: Option<Timestamp>,
}

/// State of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Waves are opened in their order.
    Running,
    /// No wave is opened any more.
    Halted {
        /// The time.
        at: Timestamp,
        /// The cause.
        cause: HaltCause,
    },
    /// The last wave is over.
    Complete {
        /// The time.
        at: Timestamp,
    },
}

/// Cause of a halt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaltCause {
    /// More portals of a wave failed than the stop rule allows.
    Failures {
        /// The name of the wave.
        wave: Arc<str>,
        /// Portals that failed since their wave was opened.
        failed: u32,
        /// Portals of the wave that count.
        of: u32,
    },
    /// A wave resets over twice as many people a portal as the first one.
    People {
        /// The name of the wave.
        wave: Arc<str>,
        /// People in the wave.
        people: u32,
        /// Portals of the wave that count.
        portals: u32,
        /// People in the first wave that had a round.
        first_people: u32,
        /// Portals of that wave that had a round.
        first_portals: u32,
    },
    /// The rollout reset the cards of more people than the fleet allows.
    TooManyPeople {
        /// People so far.
        people: u32,
        /// Maximum number.
        limit: u32,
    },
    /// A person halted the rollout.
    Command {
        /// The person or pipeline; may be empty.
        by: String,
        /// The reason.
        reason: String,
    },
}

/// Step of a rollout: a change is decided on one, and made on no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutStep {
    /// Number of the publication.
    pub publication: u32,
    /// Number of changes since.
    pub step: u32,
}

/// Change of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutChange {
    /// The wave with this index opens.
    Open(usize),
    /// No wave opens any more.
    Halt(HaltCause),
    /// The last wave is over.
    Complete,
}
