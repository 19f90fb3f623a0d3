//! Type of lead: the portal keeps separate cards for new customers and for known ones.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

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
