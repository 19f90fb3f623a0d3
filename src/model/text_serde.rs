//! Serde of the types that have one stable form: a text, or a number for ids of the portal.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    CardKey, CardKind, DepartmentId, Digest, Generation, LeadCustomerType, PortalId, RunId,
    TrustEvidence, UserId,
};
use crate::i18n::english;

/// Serializes a type as the text of its `Display`, and deserializes it by its `FromStr`.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    )*};
}

/// Serializes an id as its number, and checks the range of what is deserialized.
macro_rules! as_number {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u32(self.get())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = u32::deserialize(deserializer)?;
                Self::new(number.into()).map_err(|problem| D::Error::custom(english(&problem)))
            }
        }
    )*};
}

as_text!(CardKey, CardKind, Digest, Generation, LeadCustomerType, PortalId, RunId, TrustEvidence);
as_number!(DepartmentId, UserId);

/// Reads a text form. The problem is told in English: a record is read in any language.
fn parse<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|problem: T::Err| english(&problem))
}
