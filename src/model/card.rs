//! Key of a card: the target of every decision and request.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::UserId;

/// Type of lead that a card is for. The portal keeps separate settings for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeadCustomerType {
    /// A lead without a known contact or company; number 1 in the portal's API.
    Simple,
    /// A lead of an existing customer; number 2 in the portal's API.
    Repeat,
}

impl LeadCustomerType {
    /// Both types, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Simple, Self::Repeat];

    /// Returns the number that the portal's parameter `leadCustomerType` takes: 1 or 2.
    pub fn number(self) -> u8 {
        match self {
            Self::Simple => 1,
            Self::Repeat => 2,
        }
    }

    /// Returns the word that manifests and reports use: `simple` or `repeat`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Repeat => "repeat",
        }
    }
}

impl fmt::Display for LeadCustomerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is not the word of a [`LeadCustomerType`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is neither simple nor repeat")]
pub struct ParseLeadTypeError(String);

impl FromStr for LeadCustomerType {
    type Err = ParseLeadTypeError;

    fn from_str(text: &str) -> Result<Self, ParseLeadTypeError> {
        let found = Self::ALL.into_iter().find(|lead| lead.as_str() == text);
        found.ok_or_else(|| ParseLeadTypeError(text.to_owned()))
    }
}

/// Scope of a card: personal or common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardScope {
    /// The common card, shown to people without the personal view; scope `C` in the portal's API.
    Common,
    /// The personal card of a user; scope `P` in the portal's API.
    Personal(UserId),
}

/// A target: one card of one person, or one common card.
///
/// The order is: common cards first, then people by id, and `simple` before `repeat`. The text form
/// is `common/lead/repeat` or `personal/42/lead/simple`: scope, kind of card, and what selects it
/// within the kind. It is stable, and stands in plan files, journals and reports. The short form of
/// earlier versions (`personal/42/simple`) is read as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardKey {
    /// The scope.
    pub scope: CardScope,
    /// The type of lead.
    pub lead: LeadCustomerType,
}

impl CardKey {
    /// Returns the key of the common card for a type of lead.
    pub fn common(lead: LeadCustomerType) -> Self {
        Self { scope: CardScope::Common, lead }
    }

    /// Returns the key of a person's card for a type of lead.
    pub fn personal(user: UserId, lead: LeadCustomerType) -> Self {
        Self { scope: CardScope::Personal(user), lead }
    }

    /// Returns the person, if this is a personal card.
    pub fn user(self) -> Option<UserId> {
        match self.scope {
            CardScope::Common => None,
            CardScope::Personal(user) => Some(user),
        }
    }
}

/// The kind of card in the text form of a target.
const KIND: &str = "lead";

impl fmt::Display for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            CardScope::Common => write!(f, "common/{KIND}/{}", self.lead.as_str()),
            CardScope::Personal(user) => write!(f, "personal/{user}/{KIND}/{}", self.lead.as_str()),
        }
    }
}

/// Error: the text is not the text form of a [`CardKey`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", tr!("a target looks like common/lead/repeat or personal/42/lead/simple, not {what}", what = format_args!("{:?}", .0)))]
pub struct ParseCardKeyError(String);

impl FromStr for CardKey {
    type Err = ParseCardKeyError;

    fn from_str(text: &str) -> Result<Self, ParseCardKeyError> {
        let mut parts = text.split('/').peekable();
        let scope = match parts.next() {
            Some("common") => Some(CardScope::Common),
            Some("personal") => {
                parts.next().and_then(|id| id.parse().ok()).map(CardScope::Personal)
            }
            _ => None,
        };
        // The short form names no kind.
        parts.next_if_eq(&KIND);
        let lead = parts.next().and_then(|word| word.parse().ok());
        match (scope, lead, parts.next()) {
            (Some(scope), Some(lead), None) => Ok(Self { scope, lead }),
            _ => Err(ParseCardKeyError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_of_a_target_can_be_read_back() {
        let person = UserId::new(42).unwrap();
        for lead in LeadCustomerType::ALL {
            for key in [CardKey::common(lead), CardKey::personal(person, lead)] {
                assert_eq!(key.to_string().parse::<CardKey>().unwrap(), key);
            }
        }
        for text in [
            "",
            "common",
            "common/lead",
            "common/lead/lead/simple",
            "common/simple/lead",
            "lead/simple",
            "personal/42",
            "personal/42/lead",
            "personal/0/lead/simple",
            "common/lead/simple/x",
            "personal/42/both",
        ] {
            assert!(text.parse::<CardKey>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn short_form_of_earlier_versions_is_read_and_not_written() {
        for (short, form) in [
            ("common/repeat", "common/lead/repeat"),
            ("personal/42/simple", "personal/42/lead/simple"),
        ] {
            assert_eq!(short.parse::<CardKey>().unwrap(), form.parse().unwrap());
            assert_eq!(short.parse::<CardKey>().unwrap().to_string(), form);
        }
    }

    #[test]
    fn common_cards_come_first_then_people_by_id() {
        let person = |id| CardKey::personal(UserId::new(id).unwrap(), LeadCustomerType::Simple);
        let mut keys = [person(10), person(9), CardKey::common(LeadCustomerType::Repeat)];
        keys.sort();
        assert_eq!(
            keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["common/lead/repeat", "personal/9/lead/simple", "personal/10/lead/simple"]
        );
    }
}
