//! Key of a card: the target of every decision and request.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{CardKind, UserId};

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
/// The order is: common cards first, then people by id, and the kinds of cards in theirs. The text
/// form is the scope and the [kind](CardKind): `common/lead/repeat`, `personal/42/deal/0`. It is
/// stable, and stands in plan files, journals and reports. The short form of earlier versions,
/// which knew leads alone (`personal/42/simple`), is read as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardKey {
    /// The scope.
    pub scope: CardScope,
    /// The kind of card.
    pub kind: CardKind,
}

impl CardKey {
    /// Returns the key of the common card of a kind.
    pub fn common(kind: impl Into<CardKind>) -> Self {
        Self { scope: CardScope::Common, kind: kind.into() }
    }

    /// Returns the key of a person's card of a kind.
    pub fn personal(user: UserId, kind: impl Into<CardKind>) -> Self {
        Self { scope: CardScope::Personal(user), kind: kind.into() }
    }

    /// Returns the person, if this is a personal card.
    pub fn user(self) -> Option<UserId> {
        match self.scope {
            CardScope::Common => None,
            CardScope::Personal(user) => Some(user),
        }
    }
}

impl fmt::Display for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            CardScope::Common => write!(f, "common/{}", self.kind),
            CardScope::Personal(user) => write!(f, "personal/{user}/{}", self.kind),
        }
    }
}

/// Error: the text is not the text form of a [`CardKey`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", tr!("a target looks like common/lead/repeat, personal/42/lead/simple or personal/42/deal/0, not {what}", what = format_args!("{:?}", .0)))]
pub struct ParseCardKeyError(String);

impl FromStr for CardKey {
    type Err = ParseCardKeyError;

    fn from_str(text: &str) -> Result<Self, ParseCardKeyError> {
        let key = match text.split_once('/') {
            Some(("common", kind)) => Some((CardScope::Common, kind)),
            Some(("personal", rest)) => rest
                .split_once('/')
                .and_then(|(id, kind)| Some((CardScope::Personal(id.parse().ok()?), kind))),
            _ => None,
        };
        key.and_then(|(scope, kind)| Some(Self { scope, kind: kind.parse().ok()? }))
            .ok_or_else(|| ParseCardKeyError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LeadCustomerType;

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
