//! The fields of a plan file, as they stand in it.

use serde::{Deserialize, Serialize};

use super::{PlanFileContent, PlanFileTarget, PlanManifest, PlannedRemoval};
use crate::format::{FormatError, generation_if_there, parsed};
use crate::model::{LeadCustomerType, UserId};
use crate::plan::{Breach, PlanCounts, SpecialPerson};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileForm {
    pub(super) id: String,
    pub(super) plan: ContentForm,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContentForm {
    created: String,
    expires: String,
    portal: String,
    caller: u32,
    caller_name: String,
    manifest: String,
    manifests: Vec<ManifestForm>,
    commit: Option<String>,
    targets: Vec<TargetForm>,
    acknowledged: Vec<BreachForm>,
    selected: u32,
    counts: CountsForm,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestForm {
    name: String,
    reason: String,
    file: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetForm {
    target: String,
    decision: DecisionForm,
    generation: Option<String>,
    origin: String,
}

/// Only resets stand in a plan file; what is kept or held is counted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum DecisionForm {
    /// A reset of the layout with this digest.
    Reset(String),
    /// A reset without reading.
    ResetBlind,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "breach", rename_all = "kebab-case", deny_unknown_fields)]
enum BreachForm {
    TooManyPeople { people: u32, limit: u32 },
    TooLargeShare { people: u32, active: u32, limit: u8 },
    CommonCard { lead: LeadForm },
    FirstUser { user: u32 },
    Caller { user: u32 },
    Protected { user: u32 },
    SelectionShrank { now: u32, before: u32 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LeadForm {
    Simple,
    Repeat,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CountsForm {
    keep: u32,
    reset: u32,
    hold: u32,
}

impl From<&PlanFileContent> for ContentForm {
    fn from(content: &PlanFileContent) -> Self {
        let PlanFileContent {
            created,
            expires,
            portal,
            caller,
            caller_name,
            manifest,
            manifests,
            commit,
            targets,
            acknowledged,
            selected,
            counts: PlanCounts { keep, reset, hold },
        } = content;
        let named = |PlanManifest { name, reason, file }: &PlanManifest| ManifestForm {
            name: name.clone(),
            reason: reason.clone(),
            file: file.clone(),
        };
        Self {
            created: created.to_string(),
            expires: expires.to_string(),
            portal: portal.to_string(),
            caller: caller.get(),
            caller_name: caller_name.clone(),
            manifest: manifest.to_string(),
            manifests: manifests.iter().map(named).collect(),
            commit: commit.clone(),
            targets: targets.iter().map(TargetForm::from).collect(),
            acknowledged: acknowledged.iter().map(BreachForm::from).collect(),
            selected: *selected,
            counts: CountsForm { keep: *keep, reset: *reset, hold: *hold },
        }
    }
}

impl TryFrom<ContentForm> for PlanFileContent {
    type Error = FormatError;

    fn try_from(form: ContentForm) -> Result<Self, FormatError> {
        let ContentForm {
            created,
            expires,
            portal,
            caller,
            caller_name,
            manifest,
            manifests,
            commit,
            targets,
            acknowledged,
            selected,
            counts: CountsForm { keep, reset, hold },
        } = form;
        Ok(Self {
            created: parsed(&created)?,
            expires: parsed(&expires)?,
            portal: parsed(&portal)?,
            caller: user(caller)?,
            caller_name,
            manifest: parsed(&manifest)?,
            manifests: manifests
                .into_iter()
                .map(|ManifestForm { name, reason, file }| PlanManifest { name, reason, file })
                .collect(),
            commit,
            targets: targets.into_iter().map(PlanFileTarget::try_from).collect::<Result<_, _>>()?,
            acknowledged: acknowledged.into_iter().map(Breach::try_from).collect::<Result<_, _>>()?,
            selected,
            counts: PlanCounts { keep, reset, hold },
        })
    }
}

impl From<&PlanFileTarget> for TargetForm {
    fn from(target: &PlanFileTarget) -> Self {
        let PlanFileTarget { key, removal, generation, origin } = target;
        Self {
            target: key.to_string(),
            decision: match removal {
                PlannedRemoval::Layout(digest) => DecisionForm::Reset(digest.to_string()),
                PlannedRemoval::Unread => DecisionForm::ResetBlind,
            },
            generation: generation.as_ref().map(ToString::to_string),
            origin: origin.clone(),
        }
    }
}

impl TryFrom<TargetForm> for PlanFileTarget {
    type Error = FormatError;

    fn try_from(form: TargetForm) -> Result<Self, FormatError> {
        let TargetForm { target, decision, generation, origin } = form;
        let removal = match decision {
            DecisionForm::Reset(digest) => PlannedRemoval::Layout(parsed(&digest)?),
            DecisionForm::ResetBlind => PlannedRemoval::Unread,
        };
        let generation = generation_if_there(generation.as_ref())?;
        Ok(Self { key: parsed(&target)?, removal, generation, origin })
    }
}

impl From<&Breach> for BreachForm {
    fn from(breach: &Breach) -> Self {
        match *breach {
            Breach::TooManyPeople { people, limit } => Self::TooManyPeople { people, limit },
            Breach::TooLargeShare { people, active, limit } => Self::TooLargeShare { people, active, limit },
            Breach::CommonCard(LeadCustomerType::Simple) => Self::CommonCard { lead: LeadForm::Simple },
            Breach::CommonCard(LeadCustomerType::Repeat) => Self::CommonCard { lead: LeadForm::Repeat },
            Breach::SpecialPerson(user, SpecialPerson::FirstUser) => Self::FirstUser { user: user.get() },
            Breach::SpecialPerson(user, SpecialPerson::Caller) => Self::Caller { user: user.get() },
            Breach::Protected(user) => Self::Protected { user: user.get() },
            Breach::Shrunk { now, before } => Self::SelectionShrank { now, before },
        }
    }
}

impl TryFrom<BreachForm> for Breach {
    type Error = FormatError;

    fn try_from(form: BreachForm) -> Result<Self, FormatError> {
        Ok(match form {
            BreachForm::TooManyPeople { people, limit } => Self::TooManyPeople { people, limit },
            BreachForm::TooLargeShare { people, active, limit } => Self::TooLargeShare { people, active, limit },
            BreachForm::CommonCard { lead: LeadForm::Simple } => Self::CommonCard(LeadCustomerType::Simple),
            BreachForm::CommonCard { lead: LeadForm::Repeat } => Self::CommonCard(LeadCustomerType::Repeat),
            BreachForm::FirstUser { user: id } => Self::SpecialPerson(user(id)?, SpecialPerson::FirstUser),
            BreachForm::Caller { user: id } => Self::SpecialPerson(user(id)?, SpecialPerson::Caller),
            BreachForm::Protected { user: id } => Self::Protected(user(id)?),
            BreachForm::SelectionShrank { now, before } => Self::Shrunk { now, before },
        })
    }
}

fn user(id: u32) -> Result<UserId, FormatError> {
    UserId::new(u64::from(id)).map_err(FormatError::senseless)
}
