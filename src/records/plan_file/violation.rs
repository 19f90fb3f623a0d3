//! Violations of guards in a plan file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{CardKind, UserId};
use crate::plan::{LimitSource, SpecialPerson, Violation, ViolationKind};
use crate::records::FormatError;
use crate::records::stored::Stored;

/// Violation. Its fields stand in the order of their names; those that its kind does not have are
/// left out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::records) struct ViolationV1 {
    #[serde(rename = "breach")]
    violation: ViolationKindV1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(alias = "lead")]
    card: Option<CardKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    people: Option<u32>,
    source: LimitSourceV1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<UserId>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ViolationKindV1 {
    #[default]
    TooManyPeople,
    TooLargeShare,
    CommonCard,
    FirstUser,
    Caller,
    Protected,
    SelectionShrank,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LimitSourceV1 {
    #[default]
    OnlyManifest,
    Manifest,
    AllManifests,
    CommandLine,
}

impl Stored for Violation {
    type Form = ViolationV1;
}

impl From<&Violation> for ViolationV1 {
    fn from(violation: &Violation) -> Self {
        let (source, manifest) = match &violation.source {
            LimitSource::OnlyManifest => (LimitSourceV1::OnlyManifest, None),
            LimitSource::Manifest(name) => (LimitSourceV1::Manifest, Some(Arc::clone(name))),
            LimitSource::AllManifests => (LimitSourceV1::AllManifests, None),
            LimitSource::CommandLine => (LimitSourceV1::CommandLine, None),
        };
        let form = Self { source, manifest, ..Self::default() };
        match violation.kind {
            ViolationKind::TooManyPeople { people, limit } => Self {
                violation: ViolationKindV1::TooManyPeople,
                people: Some(people),
                limit: Some(limit),
                ..form
            },
            ViolationKind::TooLargeShare { people, employees, limit } => Self {
                violation: ViolationKindV1::TooLargeShare,
                people: Some(people),
                of: Some(employees),
                limit: Some(limit.into()),
                ..form
            },
            ViolationKind::CommonCard(kind) => {
                Self { violation: ViolationKindV1::CommonCard, card: Some(kind), ..form }
            }
            ViolationKind::SpecialPerson(user, SpecialPerson::FirstUser) => {
                Self { violation: ViolationKindV1::FirstUser, user: Some(user), ..form }
            }
            ViolationKind::SpecialPerson(user, SpecialPerson::Caller) => {
                Self { violation: ViolationKindV1::Caller, user: Some(user), ..form }
            }
            ViolationKind::Protected(user) => {
                Self { violation: ViolationKindV1::Protected, user: Some(user), ..form }
            }
            ViolationKind::Shrunk { now, before } => Self {
                violation: ViolationKindV1::SelectionShrank,
                now: Some(now),
                earlier: Some(before),
                ..form
            },
        }
    }
}

impl TryFrom<ViolationV1> for Violation {
    type Error = FormatError;

    fn try_from(form: ViolationV1) -> Result<Self, FormatError> {
        let ViolationV1 {
            violation,
            earlier,
            card,
            limit,
            manifest,
            now,
            of,
            people,
            source,
            user,
        } = form;
        let lacks = || FormatError::invalid("a breach of a guard lacks a number");
        let number = |number: Option<u32>| number.ok_or_else(lacks);
        let person = || user.ok_or_else(lacks);
        let source = match (source, manifest) {
            (LimitSourceV1::OnlyManifest, None) => LimitSource::OnlyManifest,
            (LimitSourceV1::Manifest, Some(name)) => LimitSource::Manifest(name),
            (LimitSourceV1::AllManifests, None) => LimitSource::AllManifests,
            (LimitSourceV1::CommandLine, None) => LimitSource::CommandLine,
            _ => {
                return Err(FormatError::invalid(
                    "a breach of a guard does not say whose limit it is",
                ));
            }
        };
        let kind = match violation {
            ViolationKindV1::TooManyPeople => {
                ViolationKind::TooManyPeople { people: number(people)?, limit: number(limit)? }
            }
            ViolationKindV1::TooLargeShare => ViolationKind::TooLargeShare {
                people: number(people)?,
                employees: number(of)?,
                limit: u8::try_from(number(limit)?).map_err(FormatError::invalid)?,
            },
            ViolationKindV1::CommonCard => ViolationKind::CommonCard(card.ok_or_else(lacks)?),
            ViolationKindV1::FirstUser => {
                ViolationKind::SpecialPerson(person()?, SpecialPerson::FirstUser)
            }
            ViolationKindV1::Caller => {
                ViolationKind::SpecialPerson(person()?, SpecialPerson::Caller)
            }
            ViolationKindV1::Protected => ViolationKind::Protected(person()?),
            ViolationKindV1::SelectionShrank => {
                ViolationKind::Shrunk { now: number(now)?, before: number(earlier)? }
            }
        };
        Ok(Self { source, kind })
    }
}
