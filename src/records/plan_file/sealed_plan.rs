//! Sealed plan: the file around the content of a plan, with its id and its seal.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PlanBinding, PlanFileError};
use crate::model::{CardKey, Digest};
use crate::records::FormatError;
use crate::records::sealed::{
    RecordFormat, canonical_digest, masked, seal_sorted, sorted_digest, unseal,
};

/// Plan file with content of one kind, read or to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPlan<C> {
    /// The id: the digest of the content.
    pub id: Digest,
    /// The content.
    pub content: C,
}

/// Content of a plan file.
///
/// Fields are declared in the order of their names in the file, which is the order of the canonical
/// form: a file is written as it is sealed, one target after the other. A field in another place is
/// found by the reader, which sorts before it compares with the seal.
pub trait PlanContent: Serialize + DeserializeOwned {
    /// The newest version of the format that is read and written.
    const VERSION: u32;
    /// The name of the format, as in `recard.NAME/v1`.
    const NAME: &'static str;

    /// Returns the portal, the caller and the lifetime.
    fn binding(&self) -> PlanBinding<'_>;

    /// Checks the invariants that a reader relies on.
    ///
    /// # Errors
    ///
    /// If the content contradicts itself.
    fn check(&self) -> Result<(), FormatError>;
}

/// A plan file that is written.
#[derive(Serialize)]
struct WrittenPlan<'a, C> {
    format: String,
    id: Digest,
    plan: &'a C,
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<Digest>,
}

/// A plan file that was unsealed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnsealedPlan {
    id: Digest,
    plan: Value,
}

impl<C: PlanContent> SealedPlan<C> {
    /// Gives content its id. Known secrets in it are covered.
    ///
    /// # Errors
    ///
    /// If the content contradicts itself: unsorted targets, a wrong count, an end before the
    /// beginning.
    pub fn new(content: C) -> Result<Self, FormatError> {
        let content = without_secrets(content)?;
        check(&content)?;
        let id = sorted_digest(&content)?;
        Ok(Self { id, content })
    }

    /// Returns the bytes of a new file. The id of a file that was read is the digest of its own
    /// text, which an earlier version may have written.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let Self { id, content: plan } = self;
        seal_sorted(|seal| WrittenPlan { format: format::<C>().text(), id: *id, plan, seal })
    }

    /// Decodes a file. The caller checks portal, caller, expiry and use.
    ///
    /// # Errors
    ///
    /// If it is not a sealed plan file, of a newer version, changed since it was written, or has
    /// invalid content.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanFileError> {
        let UnsealedPlan { id, plan } = unseal(format::<C>(), bytes)?;
        // The id is of the text that stands there: earlier versions wrote targets in another form.
        if id != canonical_digest(&plan)? {
            return Err(PlanFileError::Tampered);
        }
        let content: C = serde_json::from_value(plan).map_err(FormatError::invalid)?;
        check(&content)?;
        Ok(Self { id, content })
    }
}

fn format<C: PlanContent>() -> RecordFormat {
    RecordFormat { name: C::NAME, version: C::VERSION }
}

/// Checks the invariants of content of every kind.
fn check(content: &impl PlanContent) -> Result<(), FormatError> {
    let PlanBinding { created, expires, .. } = content.binding();
    if expires < created {
        return Err(FormatError::invalid("it expires before it was made"));
    }
    content.check()
}

/// Returns the content with its known secrets covered: the id must be that of the written content.
fn without_secrets<C: PlanContent>(content: C) -> Result<C, FormatError> {
    let json = serde_json::to_vec(&content).map_err(FormatError::not_writable)?;
    match masked(&json) {
        None => Ok(content),
        Some(masked) => serde_json::from_str(&masked).map_err(FormatError::not_writable),
    }
}

/// Returns `true` if each key is greater than the one before it.
pub(super) fn is_sorted(keys: &[CardKey]) -> bool {
    keys.iter().zip(keys.iter().skip(1)).all(|(one, next)| one < next)
}
