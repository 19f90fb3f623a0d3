//! Signatures of revisions: Ed25519, with keys in the PEM files of `openssl genpkey`.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::Digest;

/// Beginning of what is signed, so that a signature of a revision is none of anything else.
const PURPOSE: &str = "recard fleet revision\n";

/// Form of a public key of Ed25519 (RFC 8410), in front of its 32 bytes.
const PUBLIC_KEY_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Signature of a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionSignature {
    /// The public key, in Base64.
    pub key: String,
    /// The signature, in Base64.
    pub signature: String,
}

/// Private key. Neither an error nor a debug form shows it.
pub struct SigningKey(Ed25519KeyPair);

/// Public key whose signatures are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey(Vec<u8>);

/// Error of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The file holds no private key.
    #[error("the file holds no private key of Ed25519 in PEM (PKCS #8)")]
    NoPrivateKey,
    /// The file holds no public key.
    #[error("the file holds no public key of Ed25519 in PEM")]
    NoPublicKey,
}

/// Error: a revision is not signed by a trusted key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The revision is not signed.
    #[error("the revision is not signed")]
    Missing,
    /// The key is not a trusted one.
    #[error("the revision is signed with the key {0}, which is not trusted")]
    NotTrusted(String),
    /// The signature is of something else.
    #[error("the signature does not fit the revision")]
    Wrong,
}

impl SigningKey {
    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// If it holds no private key of Ed25519.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let bytes = pem(text, "PRIVATE KEY").ok_or(KeyError::NoPrivateKey)?;
        Ed25519KeyPair::from_pkcs8(&bytes).map(Self).map_err(|_| KeyError::NoPrivateKey)
    }

    /// Signs a digest of a revision.
    pub fn sign(&self, revision: Digest) -> RevisionSignature {
        RevisionSignature {
            key: BASE64_STANDARD.encode(self.0.public_key().as_ref()),
            signature: BASE64_STANDARD.encode(self.0.sign(&signed(revision))),
        }
    }
}

impl TrustedKey {
    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// If it holds no public key of Ed25519.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let bytes = pem(text, "PUBLIC KEY").ok_or(KeyError::NoPublicKey)?;
        match bytes.strip_prefix(&PUBLIC_KEY_HEAD) {
            Some(key) if key.len() == 32 => Ok(Self(key.to_owned())),
            Some(_) | None => Err(KeyError::NoPublicKey),
        }
    }
}

impl RevisionSignature {
    /// Checks that a trusted key signed a revision.
    ///
    /// # Errors
    ///
    /// If none of the keys did.
    pub fn check(&self, revision: Digest, trusted: &[TrustedKey]) -> Result<(), SignatureError> {
        let key = BASE64_STANDARD.decode(&self.key).unwrap_or_default();
        if !trusted.iter().any(|trusted| trusted.0 == key) {
            return Err(SignatureError::NotTrusted(self.key.clone()));
        }
        let signature = BASE64_STANDARD.decode(&self.signature).unwrap_or_default();
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&signed(revision), &signature)
            .map_err(|_| SignatureError::Wrong)
    }
}

fn signed(revision: Digest) -> Vec<u8> {
    format!("{PURPOSE}{revision}\n").into_bytes()
}

/// Returns the content of the only block of a PEM file with this label.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(body).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Keys of `openssl genpkey -algorithm ed25519`, made for this test.
    pub(crate) const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIC1b5jwSPV8Cb2QV6Lhn8bL0ap8lgKzzIy+5U15cDRBH\n\
        -----END PRIVATE KEY-----\n";
    pub(crate) const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAMXr2Djml+SQuwU7n0tDL824V5hFrzRwagotn5T3KAC8=\n\
        -----END PUBLIC KEY-----\n";
    const OTHER_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAyJddd7cRLLB07onPlv0hUjwNJz058ckdZZsNwWuTsCo=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn signature_fits_its_revision_and_its_key_alone() {
        let (revision, other) = (Digest::hash(b"one"), Digest::hash(b"other"));
        let signature = SigningKey::from_pem(PRIVATE).unwrap().sign(revision);
        let trusted = [OTHER_PUBLIC, PUBLIC].map(|text| TrustedKey::from_pem(text).unwrap());
        assert_eq!(signature.check(revision, &trusted), Ok(()));
        assert_eq!(signature.check(other, &trusted), Err(SignatureError::Wrong));
        let untrusted = SignatureError::NotTrusted(signature.key.clone());
        assert_eq!(signature.check(revision, &trusted[..1]), Err(untrusted.clone()));
        assert_eq!(signature.check(revision, &[]), Err(untrusted));
        // The name of a trusted key alone does not help.
        let key = BASE64_STANDARD.encode(&trusted[0].0);
        let forged = RevisionSignature { key, ..signature.clone() };
        assert_eq!(forged.check(revision, &trusted), Err(SignatureError::Wrong));
        for signature in ["", "?", "AAAA"] {
            let key = BASE64_STANDARD.encode(&trusted[1].0);
            let damaged = RevisionSignature { key, signature: signature.to_owned() };
            assert_eq!(damaged.check(revision, &trusted), Err(SignatureError::Wrong));
        }
    }

    #[test]
    fn key_file_of_another_kind_is_refused() {
        for text in ["", "x", PUBLIC, &PRIVATE.replace("MC4C", "MC5C")] {
            assert_eq!(SigningKey::from_pem(text).err(), Some(KeyError::NoPrivateKey), "{text}");
        }
        for text in ["", "x", PRIVATE, &PUBLIC.replace("MCow", "MCoo")] {
            assert_eq!(TrustedKey::from_pem(text).err(), Some(KeyError::NoPublicKey), "{text}");
        }
    }
}
