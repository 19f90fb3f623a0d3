//! Fields of a plan file.
//!
//! They are declared in the order of their names, which is the order of the canonical form. A file
//! can thus be sealed while it is written, one target after the other: as a whole it would be the
//! largest value of a run for many people. A field in a wrong place would be detected by the
//! decoder, which sorts before it compares the seal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::violation::ViolationV1;
use super::{PlanFileContent, PlanFileMark, PlanFileTarget, PlanManifest, PlannedRemoval};
use crate::model::{
    DepartmentId, GuardLimits, LeadCustomerType, ManifestLimits, Origin, PersonName, Selector,
    SourceLocation, UserId,
};
use crate::plan::{PlanCounts, Violation};
use crate::records::lazy_seq::LazySeq;
use crate::records::{FormatError, generation, parse_optional_generation, parsed};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFileV1<'a> {
    #[serde(default)]
    pub(super) format: String,
    pub(super) id: String,
    pub(super) plan: PlanFileContentV1<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seal: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFileContentV1<'a> {
    acknowledged: Vec<ViolationV1>,
    #[serde(rename = "breaches")]
    violations: Vec<ViolationV1>,
    caller: u32,
    caller_name: String,
    commit: Option<String>,
    counts: CountsV1,
    created: String,
    expires: String,
    limits: LimitsV1,
    manifest: String,
    manifests: Vec<PlanManifestV1>,
    marks: LazySeq<'a, PlanFileMark, PlanFileMarkV1>,
    portal: String,
    selected: Vec<SelectedPeopleV1>,
    targets: LazySeq<'a, PlanFileTarget, PlanFileTargetV1>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanManifestV1 {
    file: String,
    name: String,
    reason: String,
}

/// People whom a manifest selects.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectedPeopleV1 {
    manifest: String,
    people: Vec<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFileTargetV1 {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<String>,
    decision: DecisionV1,
    generation: Option<String>,
    name: String,
    origin: OriginV1,
    target: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFileMarkV1 {
    generation: String,
    origin: OriginV1,
    target: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginV1 {
    column: u32,
    file: String,
    line: u32,
    manifest: String,
    reason: String,
    selector: SelectorV1,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum SelectorV1 {
    Id,
    Email(String),
    Department { id: u32, recursive: bool },
    All,
    Common,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsV1 {
    manifests: Vec<ManifestLimitsV1>,
    /// The limit of the command line on the people of the run.
    max_users_of_run: Option<u32>,
}

/// Limits of one manifest, including those that it does not state.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestLimitsV1 {
    acknowledged_common: Vec<LeadTypeV1>,
    acknowledged_people: Vec<u32>,
    acknowledged_selection: Option<u32>,
    acknowledged_users: Option<u32>,
    manifest: String,
    max_percent_of_users: u8,
    max_users: u32,
    protected: Vec<u32>,
    /// The limits that the manifest itself states.
    stated: Vec<StatedLimitV1>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatedLimitV1 {
    MaxPercentOfUsers,
    MaxUsers,
}

/// Decision in a plan file. Only resets stand in it; kept and held cards are counted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum DecisionV1 {
    /// A reset of the layout with this digest.
    Reset(String),
    /// A reset without reading.
    ResetBlind,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LeadTypeV1 {
    Simple,
    Repeat,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CountsV1 {
    hold: u32,
    keep: u32,
    reset: u32,
}

impl<'a> From<&'a PlanFileContent> for PlanFileContentV1<'a> {
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
            violations,
            acknowledged,
            selected,
            counts: PlanCounts { keep, reset, hold },
        } = content;
        let named = |PlanManifest { name, reason, file }: &PlanManifest| PlanManifestV1 {
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
            targets: LazySeq::from_slice(targets),
            marks: LazySeq::from_slice(marks),
            limits: limits.into(),
            violations: violations.iter().map(ViolationV1::from).collect(),
            acknowledged: acknowledged.iter().map(ViolationV1::from).collect(),
            selected: selected.iter().map(SelectedPeopleV1::from).collect(),
            counts: CountsV1 { keep: *keep, reset: *reset, hold: *hold },
        }
    }
}

impl TryFrom<PlanFileContentV1<'_>> for PlanFileContent {
    type Error = FormatError;

    fn try_from(form: PlanFileContentV1<'_>) -> Result<Self, FormatError> {
        let PlanFileContentV1 {
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
            violations,
            acknowledged,
            selected,
            counts: CountsV1 { keep, reset, hold },
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
                .map(|PlanManifestV1 { name, reason, file }| PlanManifest { name, reason, file })
                .collect(),
            commit,
            targets: targets.into_items(),
            marks: marks.into_items(),
            limits: limits.try_into()?,
            violations: violations
                .into_iter()
                .map(Violation::try_from)
                .collect::<Result<_, _>>()?,
            acknowledged: acknowledged
                .into_iter()
                .map(Violation::try_from)
                .collect::<Result<_, _>>()?,
            selected: selected
                .into_iter()
                .map(SelectedPeopleV1::people)
                .collect::<Result<_, _>>()?,
            counts: PlanCounts { keep, reset, hold },
        })
    }
}

impl From<(&Arc<str>, &Vec<UserId>)> for SelectedPeopleV1 {
    fn from((manifest, people): (&Arc<str>, &Vec<UserId>)) -> Self {
        Self {
            manifest: manifest.to_string(),
            people: people.iter().map(|user| user.get()).collect(),
        }
    }
}

impl SelectedPeopleV1 {
    fn people(self) -> Result<(Arc<str>, Vec<UserId>), FormatError> {
        let Self { manifest, people } = self;
        Ok((manifest.into(), people.into_iter().map(user).collect::<Result<_, _>>()?))
    }
}

impl From<&PlanFileTarget> for PlanFileTargetV1 {
    fn from(target: &PlanFileTarget) -> Self {
        let PlanFileTarget { key, removal, generation, origin, name, also } = target;
        Self {
            also: also.iter().map(ToString::to_string).collect(),
            target: key.to_string(),
            decision: match removal {
                PlannedRemoval::Layout(digest) => DecisionV1::Reset(digest.to_string()),
                PlannedRemoval::Unread => DecisionV1::ResetBlind,
            },
            generation: generation.as_ref().map(ToString::to_string),
            origin: origin.into(),
            name: name.to_string(),
        }
    }
}

impl TryFrom<PlanFileTargetV1> for PlanFileTarget {
    type Error = FormatError;

    fn try_from(form: PlanFileTargetV1) -> Result<Self, FormatError> {
        let PlanFileTargetV1 { also, target, decision, generation, origin, name } = form;
        let also = also.into_iter().map(Arc::from).collect();
        let removal = match decision {
            DecisionV1::Reset(digest) => PlannedRemoval::Layout(parsed(&digest)?),
            DecisionV1::ResetBlind => PlannedRemoval::Unread,
        };
        let generation = parse_optional_generation(generation.as_ref())?;
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

impl From<&PlanFileMark> for PlanFileMarkV1 {
    fn from(mark: &PlanFileMark) -> Self {
        let PlanFileMark { key, generation, origin } = mark;
        Self { target: key.to_string(), generation: generation.to_string(), origin: origin.into() }
    }
}

impl TryFrom<PlanFileMarkV1> for PlanFileMark {
    type Error = FormatError;

    fn try_from(form: PlanFileMarkV1) -> Result<Self, FormatError> {
        let PlanFileMarkV1 { target, generation: text, origin } = form;
        Ok(Self {
            key: parsed(&target)?,
            generation: generation(&text)?,
            origin: origin.try_into()?,
        })
    }
}

impl From<&Origin> for OriginV1 {
    fn from(origin: &Origin) -> Self {
        let Origin { manifest, reason, place: SourceLocation { file, line, column }, selector } =
            origin;
        Self {
            manifest: manifest.to_string(),
            reason: reason.to_string(),
            file: file.to_string(),
            line: *line,
            column: *column,
            selector: match selector {
                Selector::Id => SelectorV1::Id,
                Selector::Email(email) => SelectorV1::Email(email.to_string()),
                Selector::Department { id, recursive } => {
                    SelectorV1::Department { id: id.get(), recursive: *recursive }
                }
                Selector::All => SelectorV1::All,
                Selector::Common => SelectorV1::Common,
            },
        }
    }
}

impl TryFrom<OriginV1> for Origin {
    type Error = FormatError;

    fn try_from(form: OriginV1) -> Result<Self, FormatError> {
        let OriginV1 { manifest, reason, file, line, column, selector } = form;
        Ok(Self {
            manifest: manifest.into(),
            reason: reason.into(),
            place: SourceLocation { file: file.into(), line, column },
            selector: match selector {
                SelectorV1::Id => Selector::Id,
                SelectorV1::Email(email) => Selector::Email(email.into()),
                SelectorV1::Department { id, recursive } => {
                    let id = DepartmentId::new(u64::from(id)).map_err(FormatError::invalid)?;
                    Selector::Department { id, recursive }
                }
                SelectorV1::All => Selector::All,
                SelectorV1::Common => Selector::Common,
            },
        })
    }
}

impl From<&GuardLimits> for LimitsV1 {
    fn from(limits: &GuardLimits) -> Self {
        let GuardLimits { manifests, max_users } = limits;
        Self {
            manifests: manifests.iter().map(ManifestLimitsV1::from).collect(),
            max_users_of_run: *max_users,
        }
    }
}

impl TryFrom<LimitsV1> for GuardLimits {
    type Error = FormatError;

    fn try_from(form: LimitsV1) -> Result<Self, FormatError> {
        let LimitsV1 { manifests, max_users_of_run } = form;
        let manifests =
            manifests.into_iter().map(ManifestLimitsV1::limits).collect::<Result<_, _>>()?;
        Ok(Self { manifests, max_users: max_users_of_run })
    }
}

impl From<(&Arc<str>, &ManifestLimits)> for ManifestLimitsV1 {
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
        let percent = max_percent_of_users.map(|_| StatedLimitV1::MaxPercentOfUsers);
        Self {
            manifest: manifest.to_string(),
            max_users: limits.people(),
            max_percent_of_users: limits.percent(),
            stated: percent.into_iter().chain(max_users.map(|_| StatedLimitV1::MaxUsers)).collect(),
            acknowledged_users: *acknowledged_users,
            acknowledged_selection: *acknowledged_selection,
            acknowledged_common: acknowledged_common.iter().map(|lead| (*lead).into()).collect(),
            acknowledged_people: acknowledged_people.iter().map(|user| user.get()).collect(),
            protected: protected.iter().map(|user| user.get()).collect(),
        }
    }
}

impl ManifestLimitsV1 {
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
            max_users: stated.contains(&StatedLimitV1::MaxUsers).then_some(max_users),
            max_percent_of_users: stated
                .contains(&StatedLimitV1::MaxPercentOfUsers)
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
        // A limit that is not stated is the built-in one, whatever the file says.
        if limits.people() != max_users || limits.percent() != max_percent_of_users {
            return Err(FormatError::invalid("it names a limit that no manifest states"));
        }
        Ok((manifest.into(), limits))
    }
}

impl From<LeadCustomerType> for LeadTypeV1 {
    fn from(lead: LeadCustomerType) -> Self {
        match lead {
            LeadCustomerType::Simple => Self::Simple,
            LeadCustomerType::Repeat => Self::Repeat,
        }
    }
}

impl From<LeadTypeV1> for LeadCustomerType {
    fn from(lead: LeadTypeV1) -> Self {
        match lead {
            LeadTypeV1::Simple => Self::Simple,
            LeadTypeV1::Repeat => Self::Repeat,
        }
    }
}

pub(super) fn user(id: u32) -> Result<UserId, FormatError> {
    UserId::new(u64::from(id)).map_err(FormatError::invalid)
}
