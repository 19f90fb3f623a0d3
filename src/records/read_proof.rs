//! Proof that a portal answers reads of other people's cards with their cards.
//!
//! An old release answers with the caller's own card, and after a full apply no read tells both
//! apart. A proof is dated, and names its portal: it proves nothing for another one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FormatError;
use super::sealed::{RecordFormat, seal, unseal};

use crate::model::{PortalId, TrustEvidence};

const FORMAT: RecordFormat = RecordFormat { name: "read-proof", version: 1 };

/// Proof with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadProof {
    /// The time of the evidence.
    pub at: Timestamp,
    /// The portal.
    pub portal: PortalId,
    /// The evidence, from an answer of the portal.
    pub evidence: TrustEvidence,
}

/// Writes a proof as a sealed document.
///
/// # Errors
///
/// If the evidence is a record itself: a proof of a proof would never expire.
pub fn encode_read_proof(proof: &ReadProof) -> Result<Vec<u8>, FormatError> {
    check(proof)?;
    seal(FORMAT, proof)
}

/// Decodes a proof from a sealed document.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, changed since it was written,
/// or without evidence.
pub fn decode_read_proof(bytes: &[u8]) -> Result<ReadProof, FormatError> {
    let proof = unseal(FORMAT, bytes)?;
    check(&proof)?;
    Ok(proof)
}

fn check(proof: &ReadProof) -> Result<(), FormatError> {
    match proof.evidence {
        seen if seen.is_seen() => Ok(()),
        other => Err(FormatError::Invalid(format!("{other} is no evidence by itself"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn read_proof_of_every_evidence_that_was_seen_comes_back_and_no_other_is_kept() {
        for evidence in TrustEvidence::ALL {
            let proof = ReadProof { evidence, ..samples::read_proof() };
            match encode_read_proof(&proof) {
                Ok(bytes) => assert_eq!(decode_read_proof(&bytes).unwrap(), proof),
                Err(problem) => assert!(!evidence.is_seen(), "{problem}"),
            }
        }
        let form = |evidence: &str| {
            let mut form = serde_json::to_value(samples::read_proof()).unwrap();
            form["evidence"] = evidence.into();
            form
        };
        for evidence in ["kept-proof", "run-record", "", "seen"] {
            assert!(
                decode_read_proof(&seal(FORMAT, &form(evidence)).unwrap()).is_err(),
                "{evidence}"
            );
        }
    }
}
