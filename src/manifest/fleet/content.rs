//! Content of a fleet manifest after reading.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::selector::LabelSelector;
use crate::diagnostic::{Diagnostic, Source};
use crate::manifest::declaration::{Declaration, Located};
use crate::model::{PortalId, SourceLocation};

/// Result of reading a fleet.
#[derive(Debug)]
pub struct LoadedFleet {
    /// The fleet; `None` if its own files have an error.
    pub fleet: Option<Fleet>,
    /// Problems of the fleet's own files. Those of one portal alone are with it.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file that was read.
    pub sources: Vec<Source>,
}

/// Many portals, their waves, and the limits of a run over them.
#[derive(Debug)]
pub struct Fleet {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.reason`.
    pub reason: Arc<str>,
    /// The portals, in the order of the files.
    pub portals: Vec<FleetPortal>,
    /// The waves, in their order.
    pub waves: Vec<FleetWave>,
    /// Waves that take no portal while files of portals are broken, behind the problems of these.
    /// Nothing may be applied or
    /// published then: the next wave would begin without them.
    pub lost_waves: Vec<Diagnostic>,
    /// `spec.stop`.
    pub stop: StopRule,
    /// `spec.guards`.
    pub guards: FleetGuards,
}

impl Fleet {
    /// Returns the problems of all portals, each once.
    pub fn problems_of_portals(&self) -> Vec<Diagnostic> {
        problems_of(self.portals.iter())
    }

    /// Returns `true` if another fleet means the same. Places in files do not count, and of
    /// problems only their number.
    pub fn means_same(&self, other: &Self) -> bool {
        let of_fleet = |fleet: &Self| {
            let Self { name, reason, portals, waves, lost_waves, stop, guards } = fleet;
            let numbers = (portals.len(), lost_waves.len());
            (name.clone(), reason.clone(), numbers, waves.clone(), *stop, *guards)
        };
        let mut portals = self.portals.iter().zip(&other.portals);
        of_fleet(self) == of_fleet(other) && portals.all(|(one, other)| one.means_same(other))
    }
}

/// Returns the problems of portals, each once.
pub(super) fn problems_of<'p>(portals: impl Iterator<Item = &'p FleetPortal>) -> Vec<Diagnostic> {
    let mut all: Vec<Diagnostic> = Vec::new();
    for problem in portals.flat_map(|portal| &portal.problems) {
        if !all.contains(problem) {
            all.push(problem.clone());
        }
    }
    all
}

/// Wave of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetWave {
    /// The name.
    pub name: Arc<str>,
    /// The least time from the opening of the wave to that of the next one.
    pub settle: Duration,
}

/// Portal of a fleet.
#[derive(Debug)]
pub struct FleetPortal {
    /// The portal; `None` if its file does not say.
    pub portal: Option<PortalId>,
    /// The position of its entry.
    pub place: SourceLocation,
    /// Labels by key.
    pub labels: BTreeMap<String, String>,
    /// Index of its wave.
    pub wave: usize,
    /// Webhook for every command.
    pub webhook: Option<SecretReference>,
    /// Webhook of the commands that only read, in place of the other one.
    pub read_webhook: Option<SecretReference>,
    /// Interval of its rounds in a worker.
    pub every: Duration,
    /// Rule for writes.
    pub mode: PortalMode,
    /// Pause, if there is one.
    pub pause: Option<Pause>,
    /// Its manifests, bound to it; `None` if they or its entry have an error.
    pub declaration: Option<Declaration>,
    /// Problems of its entry and its manifests.
    pub problems: Vec<Diagnostic>,
}

impl FleetPortal {
    fn means_same(&self, other: &Self) -> bool {
        let Self {
            portal,
            place: _,
            labels,
            wave,
            webhook,
            read_webhook,
            every,
            mode,
            pause,
            declaration,
            problems,
        } = self;
        let digest = |declaration: &Option<Declaration>| {
            declaration.as_ref().map(|declaration| declaration.digest)
        };
        *portal == other.portal
            && *labels == other.labels
            && *wave == other.wave
            && *webhook == other.webhook
            && *read_webhook == other.read_webhook
            && *every == other.every
            && *mode == other.mode
            && *pause == other.pause
            && digest(declaration) == digest(&other.declaration)
            && problems.len() == other.problems.len()
    }

    /// Returns the place of the webhook of the commands that only read.
    pub fn secret_to_read(&self) -> Option<&SecretReference> {
        self.read_webhook.as_ref().or(self.webhook.as_ref())
    }

    /// Returns the name in reports: the portal, or the file of an entry that names none.
    pub fn name(&self) -> &str {
        self.portal.as_ref().map_or(&*self.place.file, PortalId::as_str)
    }
}

/// Place of a secret. The secret itself never stands in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// A file in the folder of secrets; `{portal}` is replaced.
    File(Arc<str>),
    /// A variable of the environment.
    Variable(Arc<str>),
}

/// Rule for writes to a portal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortalMode {
    /// `fleet apply` and workers write.
    #[default]
    Apply,
    /// `fleet apply` passes over the portal, and workers only look.
    Drift,
}

/// Pause of a portal: no command asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// First day without the pause, in UTC; `None` if it has no end.
    pub until: Option<Date>,
    /// Reason.
    pub reason: Arc<str>,
}

/// Number of failures of a wave at which a run stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopRule {
    /// The run stops above this number of failed portals of a wave.
    pub failed: Option<u32>,
    /// The run stops above this share of the portals of a wave.
    pub failed_percent: Option<u32>,
}

impl StopRule {
    /// Rule of a fleet that states none: the first failure stops the run.
    pub const STRICT: Self = Self { failed: Some(0), failed_percent: None };

    /// Returns `true` if so many failed portals of a wave of so many stop the run.
    pub fn stops(self, failed: usize, of: usize) -> bool {
        let is_above = |limit: u32, value: usize| value as u64 > u64::from(limit);
        self.failed.is_some_and(|limit| is_above(limit, failed))
            || self.failed_percent.is_some_and(|limit| failed * 100 > of * limit as usize)
    }
}

/// Limits of a run over all its portals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetGuards {
    /// Maximum number of portals with a reset.
    pub max_portals: u32,
    /// Maximum number of people whose cards are reset, over all portals.
    pub max_people: u32,
    /// `acknowledge.portals`: so many portals are meant.
    pub acknowledged_portals: Option<u32>,
    /// `acknowledge.people`: so many people are meant.
    pub acknowledged_people: Option<u32>,
    /// `acknowledge.fleet`: a fleet of exactly so many portals is meant, though others are gone.
    pub acknowledged_fleet: Option<u32>,
}

impl Default for FleetGuards {
    fn default() -> Self {
        Self {
            max_portals: 10,
            max_people: 250,
            acknowledged_portals: None,
            acknowledged_people: None,
            acknowledged_fleet: None,
        }
    }
}

/// Wave as it is declared: each takes portals that no wave before it took.
#[derive(Debug)]
pub(super) struct Wave {
    pub(super) name: Located<Arc<str>>,
    pub(super) takes: WaveRule,
    pub(super) settle: Duration,
}

/// Rule by which a wave takes portals.
#[derive(Debug)]
pub(super) enum WaveRule {
    /// Those that a selector matches.
    Select(LabelSelector),
    /// This share of the whole fleet.
    Percent(u32),
    /// All that are left.
    Rest,
}
