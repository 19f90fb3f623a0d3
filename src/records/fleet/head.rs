//! Head of a fleet: its current revision with the rollout, and on a folder also its portals; and
//! the pause of a portal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::StopRule;
use crate::model::{Digest, PortalId};
use crate::ports::{
    CommandPause, DeclaredPause, FleetHead, HaltCause, PublishedPortal, Publisher, Rollout,
    RolloutState, RolloutWave,
};
use crate::records::FormatError;
use crate::records::fleet::StoredStopRule;
use crate::records::sealed::{RecordFormat, seal, unseal};

const FORMAT: RecordFormat = RecordFormat { name: "fleet-head", version: 1 };

const PAUSE: RecordFormat = RecordFormat { name: "portal-pause", version: 1 };

/// Head of a fleet with its portals, as one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetRecord {
    /// The name of the fleet.
    pub fleet: String,
    /// The head.
    pub head: FleetHead,
    /// The portals by name; none where they have rows of their own.
    pub portals: BTreeMap<PortalId, StoredPortal>,
}

/// Portal of a fleet, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPortal {
    /// The portal as it was published.
    pub published: PublishedPortal,
    /// The revision that it is on.
    pub revision: Option<Digest>,
    /// `true` if it was failing or parked when its wave opened.
    pub failed_before: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FleetV1 {
    fleet: String,
    head: HeadV1,
    portals: Vec<PortalV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HeadV1 {
    revision: Digest,
    previous: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withdrawn: Option<Digest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    behind: Vec<BehindV1>,
    number: u32,
    commit: Option<String>,
    actor: String,
    at: Timestamp,
    portals: u32,
    step: u32,
    waves: Vec<WaveV1>,
    stop: StoredStopRule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_people: Option<u32>,
    state: StateV1,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BehindV1 {
    revision: Option<Digest>,
    portals: Vec<PortalId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WaveV1 {
    name: Arc<str>,
    settle_milliseconds: u32,
    opened: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
enum StateV1 {
    Running,
    Halted { at: Timestamp, cause: HaltV1 },
    Complete { at: Timestamp },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", rename_all_fields = "camelCase")]
enum HaltV1 {
    Failures { wave: Arc<str>, failed: u32, of: u32 },
    People { wave: Arc<str>, people: u32, portals: u32, first_people: u32, first_portals: u32 },
    TooManyPeople { people: u32, limit: u32 },
    Command { by: String, reason: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PortalV1 {
    portal: PortalId,
    wave: u32,
    labels: BTreeMap<String, String>,
    every_milliseconds: u32,
    pause: Option<DeclaredPauseV1>,
    revision: Option<Digest>,
    failed_before: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredPauseV1 {
    until: Option<Timestamp>,
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandPauseV1 {
    portal: PortalId,
    until: Option<Timestamp>,
    at: Timestamp,
    by: String,
    reason: String,
}

impl FleetRecord {
    /// Encodes the record as a sealed document.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let Self { fleet, head, portals } = self;
        let portals = portals.values().map(PortalV1::from).collect();
        seal(FORMAT, &FleetV1 { fleet: fleet.clone(), head: head.into(), portals })
    }

    /// Decodes a record.
    ///
    /// # Errors
    ///
    /// If it is not a sealed document of this kind, of a newer version, or changed since it was
    /// written.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let FleetV1 { fleet, head, portals } = unseal(FORMAT, bytes)?;
        let portals = portals.into_iter().map(StoredPortal::from);
        let portals = portals.map(|portal| (portal.published.portal.clone(), portal)).collect();
        Ok(Self { fleet, head: head.into(), portals })
    }
}

/// Encodes the pause of a portal by command as a sealed document.
pub fn encode_pause(portal: &PortalId, pause: &CommandPause) -> Result<Vec<u8>, FormatError> {
    let CommandPause { until, at, by, reason } = pause.clone();
    seal(PAUSE, &CommandPauseV1 { portal: portal.clone(), until, at, by, reason })
}

/// Decodes the pause of a portal.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, or changed since it was
/// written.
pub fn decode_pause(bytes: &[u8]) -> Result<(PortalId, CommandPause), FormatError> {
    let CommandPauseV1 { portal, until, at, by, reason } = unseal(PAUSE, bytes)?;
    Ok((portal, CommandPause { until, at, by, reason }))
}

/// Returns a time in milliseconds. The manifest allows 31 days, which fit.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

impl From<&FleetHead> for HeadV1 {
    fn from(head: &FleetHead) -> Self {
        let FleetHead {
            revision,
            previous,
            withdrawn,
            behind,
            number,
            publisher,
            at,
            portals,
            rollout,
        } = head.clone();
        let mut by_revision: BTreeMap<Option<Digest>, Vec<PortalId>> = BTreeMap::new();
        for (portal, revision) in behind {
            by_revision.entry(revision).or_default().push(portal);
        }
        let behind = by_revision.into_iter();
        let behind = behind.map(|(revision, portals)| BehindV1 { revision, portals });
        let Publisher { commit, actor } = publisher;
        let Rollout { step, waves, stop, max_people, state } = rollout;
        let wave = |RolloutWave { name, settle, opened }| WaveV1 {
            name,
            settle_milliseconds: milliseconds(settle),
            opened,
        };
        let StopRule { failed, failed_percent } = stop;
        Self {
            revision,
            previous,
            withdrawn,
            behind: behind.collect(),
            number,
            commit,
            actor,
            at,
            portals,
            step,
            waves: waves.into_iter().map(wave).collect(),
            stop: StoredStopRule { failed, failed_percent },
            max_people,
            state: state.into(),
        }
    }
}

impl From<HeadV1> for FleetHead {
    fn from(stored: HeadV1) -> Self {
        let HeadV1 { revision, previous, withdrawn, number, commit, actor, at, portals, .. } =
            stored;
        let behind = stored.behind.into_iter().flat_map(|BehindV1 { revision, portals }| {
            portals.into_iter().map(move |portal| (portal, revision))
        });
        let wave = |WaveV1 { name, settle_milliseconds, opened }| RolloutWave {
            name,
            settle: Duration::from_millis(settle_milliseconds.into()),
            opened,
        };
        let StoredStopRule { failed, failed_percent } = stored.stop;
        Self {
            revision,
            previous,
            withdrawn,
            behind: behind.collect(),
            number,
            publisher: Publisher { commit, actor },
            at,
            portals,
            rollout: Rollout {
                step: stored.step,
                waves: stored.waves.into_iter().map(wave).collect(),
                stop: StopRule { failed, failed_percent },
                max_people: stored.max_people,
                state: stored.state.into(),
            },
        }
    }
}

impl From<RolloutState> for StateV1 {
    fn from(state: RolloutState) -> Self {
        match state {
            RolloutState::Running => Self::Running,
            RolloutState::Halted { at, cause } => Self::Halted { at, cause: cause.into() },
            RolloutState::Complete { at } => Self::Complete { at },
        }
    }
}

impl From<StateV1> for RolloutState {
    fn from(state: StateV1) -> Self {
        match state {
            StateV1::Running => Self::Running,
            StateV1::Halted { at, cause } => Self::Halted { at, cause: cause.into() },
            StateV1::Complete { at } => Self::Complete { at },
        }
    }
}

impl From<HaltCause> for HaltV1 {
    fn from(cause: HaltCause) -> Self {
        match cause {
            HaltCause::Failures { wave, failed, of } => Self::Failures { wave, failed, of },
            HaltCause::People { wave, people, portals, first_people, first_portals } => {
                Self::People { wave, people, portals, first_people, first_portals }
            }
            HaltCause::TooManyPeople { people, limit } => Self::TooManyPeople { people, limit },
            HaltCause::Command { by, reason } => Self::Command { by, reason },
        }
    }
}

impl From<HaltV1> for HaltCause {
    fn from(cause: HaltV1) -> Self {
        match cause {
            HaltV1::Failures { wave, failed, of } => Self::Failures { wave, failed, of },
            HaltV1::People { wave, people, portals, first_people, first_portals } => {
                Self::People { wave, people, portals, first_people, first_portals }
            }
            HaltV1::TooManyPeople { people, limit } => Self::TooManyPeople { people, limit },
            HaltV1::Command { by, reason } => Self::Command { by, reason },
        }
    }
}

impl From<&StoredPortal> for PortalV1 {
    fn from(portal: &StoredPortal) -> Self {
        let StoredPortal { published, revision, failed_before } = portal.clone();
        let PublishedPortal { portal, wave, labels, every, pause } = published;
        let pause = pause.map(|DeclaredPause { until, reason }| DeclaredPauseV1 { until, reason });
        Self {
            portal,
            wave: u32::try_from(wave).unwrap_or(u32::MAX),
            labels,
            every_milliseconds: milliseconds(every),
            pause,
            revision,
            failed_before,
        }
    }
}

impl From<PortalV1> for StoredPortal {
    fn from(stored: PortalV1) -> Self {
        let PortalV1 { portal, wave, labels, every_milliseconds, pause, revision, failed_before } =
            stored;
        let pause = pause.map(|DeclaredPauseV1 { until, reason }| DeclaredPause { until, reason });
        let every = Duration::from_millis(every_milliseconds.into());
        let wave = usize::try_from(wave).unwrap_or(usize::MAX);
        let published = PublishedPortal { portal, wave, labels, every, pause };
        Self { published, revision, failed_before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    fn record(state: RolloutState) -> FleetRecord {
        let at = Timestamp::UNIX_EPOCH;
        let (name, opened) = ("canary".into(), Some(at));
        let wave = RolloutWave { name, settle: Duration::from_secs(744 * 3600), opened };
        let rest = RolloutWave { name: "rest".into(), opened: None, ..wave.clone() };
        let stop = StopRule { failed: Some(3), failed_percent: None };
        let published = PublishedPortal {
            portal: samples::portal(),
            wave: 1,
            labels: BTreeMap::from([("ring".to_owned(), "canary".to_owned())]),
            every: Duration::from_millis(1_500),
            pause: Some(DeclaredPause { until: Some(at), reason: "moved".to_owned() }),
        };
        let digest = Digest::hash(b"revision");
        FleetRecord {
            fleet: "customers".to_owned(),
            head: FleetHead {
                revision: digest,
                previous: Some(Digest::hash(b"before")),
                withdrawn: Some(Digest::hash(b"worse")),
                behind: BTreeMap::from([
                    (samples::portal(), None),
                    (PortalId::new("other.bitrix24.com").unwrap(), Some(digest)),
                ]),
                number: 2,
                publisher: Publisher { commit: Some("c0ffee".to_owned()), actor: "ci".to_owned() },
                at,
                portals: 1,
                rollout: Rollout {
                    step: 3,
                    waves: vec![wave, rest],
                    stop,
                    max_people: Some(250),
                    state,
                },
            },
            portals: BTreeMap::from([(
                samples::portal(),
                StoredPortal { published, revision: Some(digest), failed_before: true },
            )]),
        }
    }

    #[test]
    fn fleet_record_in_any_state_is_read_back_and_refused_once_changed() {
        let (at, wave): (_, Arc<str>) = (Timestamp::UNIX_EPOCH, "rest".into());
        let causes = [
            HaltCause::Failures { wave: Arc::clone(&wave), failed: 4, of: 80 },
            HaltCause::People { wave, people: 90, portals: 8, first_people: 2, first_portals: 1 },
            HaltCause::TooManyPeople { people: 251, limit: 250 },
            HaltCause::Command { by: "anna".to_owned(), reason: "too many calls".to_owned() },
        ];
        let halted = causes.map(|cause| RolloutState::Halted { at, cause });
        let states = [RolloutState::Running, RolloutState::Complete { at }];
        for state in states.into_iter().chain(halted) {
            let record = record(state);
            let bytes = record.encode().unwrap();
            assert_eq!(FleetRecord::parse(&bytes).unwrap(), record);
            let changed = String::from_utf8(bytes).unwrap().replace("\"step\":3", "\"step\":4");
            let read = FleetRecord::parse(changed.as_bytes());
            assert!(matches!(read, Err(FormatError::Altered(_))), "{read:?}");
        }
    }

    #[test]
    fn pause_is_read_back() {
        let pause = CommandPause {
            until: Some(Timestamp::UNIX_EPOCH),
            at: Timestamp::UNIX_EPOCH,
            by: "anna".to_owned(),
            reason: "CRM is being moved".to_owned(),
        };
        let bytes = encode_pause(&samples::portal(), &pause).unwrap();
        assert_eq!(decode_pause(&bytes).unwrap(), (samples::portal(), pause));
    }
}
