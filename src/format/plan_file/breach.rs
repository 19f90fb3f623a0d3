//! The breaches of guards, as they stand in a plan file.

use serde::{Deserialize, Serialize};

use super::form::{LeadForm, user};
use crate::format::FormatError;
use crate::plan::{Breach, BreachKind, LimitSource, SpecialPerson};

/// A breach. Its fields stand in the order of their names; those that its kind has not are left
/// out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BreachForm {
    breach: BreachWord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lead: Option<LeadForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    people: Option<u32>,
    source: SourceWord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BreachWord {
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
enum SourceWord {
    #[default]
    OnlyManifest,
    Manifest,
    AllManifests,
    CommandLine,
}

impl From<&Breach> for BreachForm {
    fn from(breach: &Breach) -> Self {
        let (source, manifest) = match &breach.source {
            LimitSource::OnlyManifest => (SourceWord::OnlyManifest, None),
            LimitSource::Manifest(name) => (SourceWord::Manifest, Some(name.to_string())),
            LimitSource::AllManifests => (SourceWord::AllManifests, None),
            LimitSource::CommandLine => (SourceWord::CommandLine, None),
        };
        let form = Self { source, manifest, ..Self::default() };
        match breach.kind {
            BreachKind::TooManyPeople { people, limit } => Self {
                breach: BreachWord::TooManyPeople,
                people: Some(people),
                limit: Some(limit),
                ..form
            },
            BreachKind::TooLargeShare { people, employees, limit } => Self {
                breach: BreachWord::TooLargeShare,
                people: Some(people),
                of: Some(employees),
                limit: Some(limit.into()),
                ..form
            },
            BreachKind::CommonCard(lead) => {
                Self { breach: BreachWord::CommonCard, lead: Some(lead.into()), ..form }
            }
            BreachKind::SpecialPerson(user, SpecialPerson::FirstUser) => {
                Self { breach: BreachWord::FirstUser, user: Some(user.get()), ..form }
            }
            BreachKind::SpecialPerson(user, SpecialPerson::Caller) => {
                Self { breach: BreachWord::Caller, user: Some(user.get()), ..form }
            }
            BreachKind::Protected(user) => {
                Self { breach: BreachWord::Protected, user: Some(user.get()), ..form }
            }
            BreachKind::Shrunk { now, before } => Self {
                breach: BreachWord::SelectionShrank,
                now: Some(now),
                earlier: Some(before),
                ..form
            },
        }
    }
}

impl TryFrom<BreachForm> for Breach {
    type Error = FormatError;

    fn try_from(form: BreachForm) -> Result<Self, FormatError> {
        let BreachForm {
            breach,
            earlier,
            lead,
            limit,
            manifest,
            now,
            of,
            people,
            source,
            user: id,
        } = form;
        let lacks = || FormatError::senseless("a breach of a guard lacks a number");
        let number = |number: Option<u32>| number.ok_or_else(lacks);
        let person = || number(id).and_then(user);
        let source = match (source, manifest) {
            (SourceWord::OnlyManifest, None) => LimitSource::OnlyManifest,
            (SourceWord::Manifest, Some(name)) => LimitSource::Manifest(name.into()),
            (SourceWord::AllManifests, None) => LimitSource::AllManifests,
            (SourceWord::CommandLine, None) => LimitSource::CommandLine,
            _ => {
                return Err(FormatError::senseless(
                    "a breach of a guard does not say whose limit it is",
                ));
            }
        };
        let kind = match breach {
            BreachWord::TooManyPeople => {
                BreachKind::TooManyPeople { people: number(people)?, limit: number(limit)? }
            }
            BreachWord::TooLargeShare => BreachKind::TooLargeShare {
                people: number(people)?,
                employees: number(of)?,
                limit: u8::try_from(number(limit)?).map_err(FormatError::senseless)?,
            },
            BreachWord::CommonCard => BreachKind::CommonCard(lead.ok_or_else(lacks)?.into()),
            BreachWord::FirstUser => BreachKind::SpecialPerson(person()?, SpecialPerson::FirstUser),
            BreachWord::Caller => BreachKind::SpecialPerson(person()?, SpecialPerson::Caller),
            BreachWord::Protected => BreachKind::Protected(person()?),
            BreachWord::SelectionShrank => {
                BreachKind::Shrunk { now: number(now)?, before: number(earlier)? }
            }
        };
        Ok(Self { source, kind })
    }
}
