//! The fields of a plan file, as they stand in it.
//!
//! They are declared in the order of their names, which is the order of the canonical form. So a
//! file can be written as it is sealed, one target after the other: as a whole it would be the
//! largest thing that a run for many people holds. A field in another place would be found by
//! whoever reads the file back, since readers sort before they compare with the seal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::breach::BreachForm;
use super::{PlanFileContent, PlanFileMark, PlanFileTarget, PlanManifest, PlannedRemoval};
use crate::format::listed::Listed;
use crate::format::{FormatError, generation, generation_if_there, parsed};
use crate::model::{
    DepartmentId, GuardLimits, LeadCustomerType, ManifestLimits, Origin, PersonName, Place,
    Selector, UserId,
};
use crate::plan::{Breach, PlanCounts};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileForm<'a> {
    #[serde(default)]
    pub(super) format: String,
    pub(super) id: String,
    pub(super) plan: ContentForm<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seal: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContentForm<'a> {
    acknowledged: Vec<BreachForm>,
    breaches: Vec<BreachForm>,
    caller: u32,
    caller_name: String,
    commit: Option<String>,
    counts: CountsForm,
    created: String,
    expires: String,
    limits: LimitsForm,
    manifest: String,
    manifests: Vec<ManifestForm>,
    marks: Listed<'a, PlanFileMark, MarkForm>,
    portal: String,
    selected: Vec<SelectedForm>,
    targets: Listed<'a, PlanFileTarget, TargetForm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestForm {
    file: String,
    name: String,
    reason: String,
}

/// The people whom a manifest selects.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectedForm {
    manifest: String,
    people: Vec<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<String>,
    decision: DecisionForm,
    generation: Option<String>,
    name: String,
    origin: OriginForm,
    target: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkForm {
    generation: String,
    origin: OriginForm,
    target: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginForm {
    column: u32,
    file: String,
    line: u32,
    manifest: String,
    reason: String,
    selector: SelectorForm,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum SelectorForm {
    Id,
    Email(String),
    Department { id: u32, recursive: bool },
    All,
    Common,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsForm {
    manifests: Vec<ManifestLimitsForm>,
    /// The limit of the command line on the people of the run.
    max_users_of_run: Option<u32>,
}

/// The limits of one manifest, those that it does not state included.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestLimitsForm {
    acknowledged_common: Vec<LeadForm>,
    acknowledged_people: Vec<u32>,
    acknowledged_selection: Option<u32>,
    acknowledged_users: Option<u32>,
    manifest: String,
    max_percent_of_users: u8,
    max_users: u32,
    protected: Vec<u32>,
    /// The limits that the manifest itself states.
    stated: Vec<StatedForm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatedForm {
    MaxPercentOfUsers,
    MaxUsers,
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
#[serde(rename_all = "kebab-case")]
pub(super) enum LeadForm {
    Simple,
    Repeat,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CountsForm {
    hold: u32,
    keep: u32,
    reset: u32,
}

impl<'a> From<&'a PlanFileContent> for ContentForm<'a> {
    fn from(content: &'a PlanFileContent) -> Self {
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
            marks,
            limits,
            breaches,
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
            targets: Listed::of(targets),
            marks: Listed::of(marks),
            limits: limits.into(),
            breaches: breaches.iter().map(BreachForm::from).collect(),
            acknowledged: acknowledged.iter().map(BreachForm::from).collect(),
            selected: selected.iter().map(SelectedForm::from).collect(),
            counts: CountsForm { keep: *keep, reset: *reset, hold: *hold },
        }
    }
}

impl TryFrom<ContentForm<'_>> for PlanFileContent {
    type Error = FormatError;

    fn try_from(form: ContentForm<'_>) -> Result<Self, FormatError> {
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
            marks,
            limits,
            breaches,
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
            targets: targets.into_items(),
            marks: marks.into_items(),
            limits: limits.try_into()?,
            breaches: breaches.into_iter().map(Breach::try_from).collect::<Result<_, _>>()?,
            acknowledged: acknowledged
                .into_iter()
                .map(Breach::try_from)
                .collect::<Result<_, _>>()?,
            selected: selected.into_iter().map(SelectedForm::people).collect::<Result<_, _>>()?,
            counts: PlanCounts { keep, reset, hold },
        })
    }
}

impl From<(&Arc<str>, &Vec<UserId>)> for SelectedForm {
    fn from((manifest, people): (&Arc<str>, &Vec<UserId>)) -> Self {
        Self {
            manifest: manifest.to_string(),
            people: people.iter().map(|user| user.get()).collect(),
        }
    }
}

impl SelectedForm {
    fn people(self) -> Result<(Arc<str>, Vec<UserId>), FormatError> {
        let Self { manifest, people } = self;
        Ok((manifest.into(), people.into_iter().map(user).collect::<Result<_, _>>()?))
    }
}

impl From<&PlanFileTarget> for TargetForm {
    fn from(target: &PlanFileTarget) -> Self {
        let PlanFileTarget { key, removal, generation, origin, name, also } = target;
        Self {
            also: also.iter().map(ToString::to_string).collect(),
            target: key.to_string(),
            decision: match removal {
                PlannedRemoval::Layout(digest) => DecisionForm::Reset(digest.to_string()),
                PlannedRemoval::Unread => DecisionForm::ResetBlind,
            },
            generation: generation.as_ref().map(ToString::to_string),
            origin: origin.into(),
            name: name.to_string(),
        }
    }
}

impl TryFrom<TargetForm> for PlanFileTarget {
    type Error = FormatError;

    fn try_from(form: TargetForm) -> Result<Self, FormatError> {
        let TargetForm { also, target, decision, generation, origin, name } = form;
        let also = also.into_iter().map(Arc::from).collect();
        let removal = match decision {
            DecisionForm::Reset(digest) => PlannedRemoval::Layout(parsed(&digest)?),
            DecisionForm::ResetBlind => PlannedRemoval::Unread,
        };
        let generation = generation_if_there(generation.as_ref())?;
        let name = PersonName::new(&name, "");
        Ok(Self {
            key: parsed(&target)?,
            removal,
            generation,
            origin: origin.try_into()?,
            name,
            also,
        })
    }
}

impl From<&PlanFileMark> for MarkForm {
    fn from(mark: &PlanFileMark) -> Self {
        let PlanFileMark { key, generation, origin } = mark;
        Self { target: key.to_string(), generation: generation.to_string(), origin: origin.into() }
    }
}

impl TryFrom<MarkForm> for PlanFileMark {
    type Error = FormatError;

    fn try_from(form: MarkForm) -> Result<Self, FormatError> {
        let MarkForm { target, generation: text, origin } = form;
        Ok(Self {
            key: parsed(&target)?,
            generation: generation(&text)?,
            origin: origin.try_into()?,
        })
    }
}

impl From<&Origin> for OriginForm {
    fn from(origin: &Origin) -> Self {
        let Origin { manifest, reason, place: Place { file, line, column }, selector } = origin;
        Self {
            manifest: manifest.to_string(),
            reason: reason.to_string(),
            file: file.to_string(),
            line: *line,
            column: *column,
            selector: match selector {
                Selector::Id => SelectorForm::Id,
                Selector::Email(email) => SelectorForm::Email(email.to_string()),
                Selector::Department { id, recursive } => {
                    SelectorForm::Department { id: id.get(), recursive: *recursive }
                }
                Selector::All => SelectorForm::All,
                Selector::Common => SelectorForm::Common,
            },
        }
    }
}

impl TryFrom<OriginForm> for Origin {
    type Error = FormatError;

    fn try_from(form: OriginForm) -> Result<Self, FormatError> {
        let OriginForm { manifest, reason, file, line, column, selector } = form;
        Ok(Self {
            manifest: manifest.into(),
            reason: reason.into(),
            place: Place { file: file.into(), line, column },
            selector: match selector {
                SelectorForm::Id => Selector::Id,
                SelectorForm::Email(email) => Selector::Email(email.into()),
                SelectorForm::Department { id, recursive } => {
                    let id = DepartmentId::new(u64::from(id)).map_err(FormatError::senseless)?;
                    Selector::Department { id, recursive }
                }
                SelectorForm::All => Selector::All,
                SelectorForm::Common => Selector::Common,
            },
        })
    }
}

impl From<&GuardLimits> for LimitsForm {
    fn from(limits: &GuardLimits) -> Self {
        let GuardLimits { manifests, max_users } = limits;
        Self {
            manifests: manifests.iter().map(ManifestLimitsForm::from).collect(),
            max_users_of_run: *max_users,
        }
    }
}

impl TryFrom<LimitsForm> for GuardLimits {
    type Error = FormatError;

    fn try_from(form: LimitsForm) -> Result<Self, FormatError> {
        let LimitsForm { manifests, max_users_of_run } = form;
        let manifests =
            manifests.into_iter().map(ManifestLimitsForm::limits).collect::<Result<_, _>>()?;
        Ok(Self { manifests, max_users: max_users_of_run })
    }
}

impl From<(&Arc<str>, &ManifestLimits)> for ManifestLimitsForm {
    fn from((manifest, limits): (&Arc<str>, &ManifestLimits)) -> Self {
        let ManifestLimits {
            max_users,
            max_percent_of_users,
            acknowledged_users,
            acknowledged_selection,
            acknowledged_common,
            acknowledged_people,
            protected,
        } = limits;
        let percent = max_percent_of_users.map(|_| StatedForm::MaxPercentOfUsers);
        Self {
            manifest: manifest.to_string(),
            max_users: limits.people(),
            max_percent_of_users: limits.percent(),
            stated: percent.into_iter().chain(max_users.map(|_| StatedForm::MaxUsers)).collect(),
            acknowledged_users: *acknowledged_users,
            acknowledged_selection: *acknowledged_selection,
            acknowledged_common: acknowledged_common.iter().map(|lead| (*lead).into()).collect(),
            acknowledged_people: acknowledged_people.iter().map(|user| user.get()).collect(),
            protected: protected.iter().map(|user| user.get()).collect(),
        }
    }
}

impl ManifestLimitsForm {
    fn limits(self) -> Result<(Arc<str>, ManifestLimits), FormatError> {
        let Self {
            manifest,
            max_users,
            max_percent_of_users,
            stated,
            acknowledged_users,
            acknowledged_selection,
            acknowledged_common,
            acknowledged_people,
            protected,
        } = self;
        let limits = ManifestLimits {
            max_users: stated.contains(&StatedForm::MaxUsers).then_some(max_users),
            max_percent_of_users: stated
                .contains(&StatedForm::MaxPercentOfUsers)
                .then_some(max_percent_of_users),
            acknowledged_users,
            acknowledged_selection,
            acknowledged_common: acknowledged_common
                .into_iter()
                .map(LeadCustomerType::from)
                .collect(),
            acknowledged_people: acknowledged_people
                .into_iter()
                .map(user)
                .collect::<Result<_, _>>()?,
            protected: protected.into_iter().map(user).collect::<Result<_, _>>()?,
        };
        // A limit that is not stated is the usual one, whatever the file says.
        if limits.people() != max_users || limits.percent() != max_percent_of_users {
            return Err(FormatError::senseless("it names a limit that no manifest states"));
        }
        Ok((manifest.into(), limits))
    }
}

impl From<LeadCustomerType> for LeadForm {
    fn from(lead: LeadCustomerType) -> Self {
        match lead {
            LeadCustomerType::Simple => Self::Simple,
            LeadCustomerType::Repeat => Self::Repeat,
        }
    }
}

impl From<LeadForm> for LeadCustomerType {
    fn from(lead: LeadForm) -> Self {
        match lead {
            LeadForm::Simple => Self::Simple,
            LeadForm::Repeat => Self::Repeat,
        }
    }
}

pub(super) fn user(id: u32) -> Result<UserId, FormatError> {
    UserId::new(u64::from(id)).map_err(FormatError::senseless)
}
