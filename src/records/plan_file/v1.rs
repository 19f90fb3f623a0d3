//! Stored forms of what a plan file takes from the model and the plan.
//!
//! Their fields are declared in the order of their names, as those of [`PlanFileContent`] are.
//!
//! [`PlanFileContent`]: super::PlanFileContent

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{
    CardKind, DepartmentId, GuardLimits, ManifestLimits, Origin, PersonName, Selector,
    SourceLocation, UserId,
};
use crate::plan::PlanCounts;
use crate::records::FormatError;
use crate::records::stored::Stored;

/// The people whom each manifest selects.
#[derive(Serialize, Deserialize)]
pub(in crate::records) struct SelectedV1(Vec<SelectedPeopleV1>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectedPeopleV1 {
    manifest: Arc<str>,
    people: Vec<UserId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::records) struct OriginV1 {
    column: u32,
    file: Arc<str>,
    line: u32,
    manifest: Arc<str>,
    reason: Arc<str>,
    #[serde(with = "SelectorV1")]
    selector: Selector,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Selector", rename_all = "kebab-case", deny_unknown_fields)]
enum SelectorV1 {
    Id,
    Email(Arc<str>),
    Department { id: DepartmentId, recursive: bool },
    All,
    Common,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::records) struct LimitsV1 {
    manifests: Vec<ManifestLimitsV1>,
    /// The limit of the command line on the people of the run.
    max_users_of_run: Option<u32>,
}

/// Limits of one manifest, including those that it does not state.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestLimitsV1 {
    acknowledged_common: Vec<CardKind>,
    acknowledged_people: Vec<UserId>,
    acknowledged_selection: Option<u32>,
    acknowledged_users: Option<u32>,
    manifest: Arc<str>,
    max_percent_of_users: u8,
    max_users: u32,
    protected: Vec<UserId>,
    /// The limits that the manifest itself states.
    stated: Vec<StatedLimitV1>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatedLimitV1 {
    MaxPercentOfUsers,
    MaxUsers,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PlanCounts", deny_unknown_fields)]
pub(super) struct CountsV1 {
    hold: u32,
    keep: u32,
    reset: u32,
}

/// The name of a person as one text.
pub(super) mod name {
    use super::{Deserialize, Deserializer, PersonName, Serializer};

    pub(in crate::records::plan_file) fn serialize<S: Serializer>(
        name: &PersonName,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(name)
    }

    pub(in crate::records::plan_file) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PersonName, D::Error> {
        String::deserialize(deserializer).map(|name| PersonName::new(&name, ""))
    }
}

impl Stored for BTreeMap<Arc<str>, Vec<UserId>> {
    type Form = SelectedV1;
}

impl From<&BTreeMap<Arc<str>, Vec<UserId>>> for SelectedV1 {
    fn from(selected: &BTreeMap<Arc<str>, Vec<UserId>>) -> Self {
        let form = |(manifest, people): (&Arc<str>, &Vec<UserId>)| SelectedPeopleV1 {
            manifest: Arc::clone(manifest),
            people: people.clone(),
        };
        Self(selected.iter().map(form).collect())
    }
}

impl From<SelectedV1> for BTreeMap<Arc<str>, Vec<UserId>> {
    fn from(SelectedV1(selected): SelectedV1) -> Self {
        selected
            .into_iter()
            .map(|SelectedPeopleV1 { manifest, people }| (manifest, people))
            .collect()
    }
}

impl Stored for Origin {
    type Form = OriginV1;
}

impl From<&Origin> for OriginV1 {
    fn from(origin: &Origin) -> Self {
        let Origin { manifest, reason, place, selector } = origin.clone();
        let SourceLocation { file, line, column } = place;
        Self { column, file, line, manifest, reason, selector }
    }
}

impl From<OriginV1> for Origin {
    fn from(form: OriginV1) -> Self {
        let OriginV1 { column, file, line, manifest, reason, selector } = form;
        Self { manifest, reason, place: SourceLocation { file, line, column }, selector }
    }
}

impl Stored for GuardLimits {
    type Form = LimitsV1;
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
            manifest: Arc::clone(manifest),
            max_users: limits.people(),
            max_percent_of_users: limits.percent(),
            stated: percent.into_iter().chain(max_users.map(|_| StatedLimitV1::MaxUsers)).collect(),
            acknowledged_users: *acknowledged_users,
            acknowledged_selection: *acknowledged_selection,
            acknowledged_common: acknowledged_common.iter().copied().collect(),
            acknowledged_people: acknowledged_people.iter().copied().collect(),
            protected: protected.iter().copied().collect(),
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
            acknowledged_common: acknowledged_common.into_iter().collect(),
            acknowledged_people: acknowledged_people.into_iter().collect(),
            protected: protected.into_iter().collect(),
        };
        // A limit that is not stated is the built-in one, whatever the file says.
        if limits.people() != max_users || limits.percent() != max_percent_of_users {
            return Err(FormatError::invalid("it names a limit that no manifest states"));
        }
        Ok((manifest, limits))
    }
}
