//! Waves of a rollout: which opens next, and when the rollout halts by itself.
//!
//! Pure: the state of the fleet goes in, at most one change comes out. Waves open in their order.
//! A wave is over once its time to settle has passed and each of its portals had a round on the
//! new revision; it waits for those that had none for [`STRAGGLERS`] more, and without an end while
//! no portal that counts had one: workers may have stood still, and time alone proves nothing.
//!
//! A portal *counts* unless it was failing or parked when its wave opened, is paused, or has moved
//! to another store: such a portal neither blocks its wave nor fails it. One that is parked later
//! is a failure, because the revision may be why.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ports::{
    FleetState, FleetView, HaltCause, PortalState, RolloutChange, RolloutState, RoundClass,
    StoreError,
};

/// Time after `settle` for which a wave waits for portals without a round.
pub const STRAGGLERS: Duration = Duration::from_secs(4 * 60 * 60);

/// Progress of a wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveProgress {
    /// The name.
    pub name: Arc<str>,
    /// The time of its opening.
    pub opened: Option<Timestamp>,
    /// All portals of the wave.
    pub portals: u32,
    /// Portals that count.
    pub counted: u32,
    /// Portals that count and had a round on the new revision, or are parked.
    pub done: u32,
    /// Portals that count and failed since the wave opened.
    pub failed: u32,
    /// Portals that had a round on the new revision.
    pub rounds: u32,
    /// Portals that count or had a round on the new revision.
    pub measured: u32,
    /// People whose cards were reset on the new revision, of each portal in its largest round.
    pub people: u32,
}

/// Returns the progress of each wave, in their order.
pub fn progress(view: &FleetView) -> Vec<WaveProgress> {
    let mut waves: Vec<WaveProgress> = view
        .head
        .rollout
        .waves
        .iter()
        .map(|wave| WaveProgress {
            name: Arc::clone(&wave.name),
            opened: wave.opened,
            portals: 0,
            counted: 0,
            done: 0,
            failed: 0,
            rounds: 0,
            measured: 0,
            people: 0,
        })
        .collect();
    for portal in &view.portals {
        if let Some(wave) = waves.get_mut(portal.published.wave) {
            add(wave, portal, view);
        }
    }
    waves
}

fn add(wave: &mut WaveProgress, portal: &PortalState, view: &FleetView) {
    wave.portals += 1;
    if wave.opened.is_none() {
        return;
    }
    let rounds = portal.queue.rounds.as_ref();
    let rounds = rounds.filter(|rounds| rounds.revision == view.head.revision);
    let counts = !portal.failed_before && !portal.is_left_alone(view.now);
    wave.people = wave.people.saturating_add(rounds.map_or(0, |rounds| rounds.people));
    wave.rounds += u32::from(rounds.is_some());
    wave.measured += u32::from(counts || rounds.is_some());
    if counts {
        let is_parked = portal.queue.parked.is_some();
        let has_failed = rounds.is_some_and(|rounds| rounds.class == RoundClass::Failed);
        wave.counted += 1;
        wave.done += u32::from(is_parked || rounds.is_some());
        wave.failed += u32::from(is_parked || has_failed);
    }
}

/// Returns the next change of a rollout; `None` if nothing is to be changed now.
pub fn next_change(view: &FleetView) -> Option<RolloutChange> {
    let rollout = &view.head.rollout;
    if rollout.state != RolloutState::Running {
        return None;
    }
    let waves = progress(view);
    if let Some(cause) = halt_cause(view, &waves) {
        return Some(RolloutChange::Halt(cause));
    }
    let open = rollout.open_waves();
    let is_over = match open.checked_sub(1).and_then(|last| waves.get(last)) {
        None => true,
        Some(last) => {
            let settle = rollout.waves.get(open - 1).map_or(Duration::ZERO, |wave| wave.settle);
            is_over(last, settle, view.now)
        }
    };
    match is_over {
        false => None,
        true if open < waves.len() => Some(RolloutChange::Open(open)),
        true => Some(RolloutChange::Complete),
    }
}

fn is_over(wave: &WaveProgress, settle: Duration, now: Timestamp) -> bool {
    let has_passed = |time: Duration| {
        let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        wave.opened.is_some_and(|opened| now.duration_since(opened) >= time)
    };
    let is_awaited = wave.done == 0 || !has_passed(settle + STRAGGLERS);
    has_passed(settle) && (wave.done >= wave.counted || !is_awaited)
}

/// Returns the cause for which a rollout halts, from its open waves.
fn halt_cause(view: &FleetView, waves: &[WaveProgress]) -> Option<HaltCause> {
    let open = || waves.iter().filter(|wave| wave.opened.is_some());
    let stop = view.head.rollout.stop;
    let failing = open().find(|wave| stop.stops(wave.failed as usize, wave.counted as usize));
    if let Some(wave) = failing {
        let (name, failed, of) = (Arc::clone(&wave.name), wave.failed, wave.counted);
        return Some(HaltCause::Failures { wave: name, failed, of });
    }
    let people = open().map(|wave| wave.people).fold(0, u32::saturating_add);
    if let Some(limit) = view.head.rollout.max_people.filter(|limit| people > *limit) {
        return Some(HaltCause::TooManyPeople { people, limit });
    }
    // A wave without any round is no measure of the others.
    let mut measured = open().filter(|wave| wave.rounds > 0);
    let first = measured.next()?;
    let wave = measured.find(|wave| resets_too_many(wave, first))?;
    Some(HaltCause::People {
        wave: Arc::clone(&wave.name),
        people: wave.people,
        portals: wave.measured,
        first_people: first.people,
        first_portals: first.rounds,
    })
}

/// Returns `true` if a wave resets over twice as many people a portal as the first one. A single
/// person a portal is the drift of a day, and no sign of a bad revision.
fn resets_too_many(wave: &WaveProgress, first: &WaveProgress) -> bool {
    let of = |people: u32, portals: u32| u64::from(people) * u64::from(portals);
    wave.people > wave.measured
        && of(wave.people, first.rounds) > 2 * of(first.people, wave.measured)
}

/// Makes the next change of the rollout of a fleet, if there is one. Returns the change that was
/// made. Any number of workers may call this at any time.
pub async fn advance(
    state: &impl FleetState,
    fleet: &str,
) -> Result<Option<RolloutChange>, StoreError> {
    let Some(view) = state.view(fleet).await? else { return Ok(None) };
    let Some(change) = next_change(&view) else { return Ok(None) };
    let is_made = state.change_rollout(fleet, view.head.step(), &change).await?;
    Ok(is_made.then_some(change))
}

#[cfg(test)]
mod people_tests;
#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;
