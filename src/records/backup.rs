//! Backup: the layout that a reset removes, byte for byte as the portal sent it.
//!
//! The JSON text of the layout stands as a string inside a small envelope, so that no tool that
//! reformats JSON can change it. Two digests guard it: that of the bytes, which detects damage, and
//! that of the canonical form, which the journal names. An envelope names no target, because people
//! with equal layouts share one; of two layouts that are equal in other bytes, the second one names
//! its target.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sealed::RecordFormat;
use super::{FormatError, no_duplicate_keys, parse_optional, parsed};
use crate::model::{CardKey, Digest, Layout};

/// Version 2 names the kind in targets.
const FORMAT: RecordFormat = RecordFormat { name: "backup", version: 2 };

/// Layout of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The target, if an equal layout of others is written in other bytes.
    pub target: Option<CardKey>,
    /// The layout.
    pub layout: Layout,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupV1<'a> {
    format: String,
    /// The target, if it has a backup of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<CardKey>,
    /// The digest of the canonical form.
    digest: Digest,
    /// The digest of the bytes of the text.
    bytes: Digest,
    /// The text.
    layout: Cow<'a, str>,
}

/// Encodes a backup as a JSON object in one line, without a line end.
pub fn encode_backup(backup: &Backup) -> Result<String, FormatError> {
    let Backup { target, layout } = backup;
    let text = layout.as_json();
    let form = BackupV1 {
        format: FORMAT.text(),
        target: *target,
        digest: layout.digest(),
        bytes: Digest::hash(text.as_bytes()),
        layout: text.into(),
    };
    serde_json::to_string(&form).map_err(FormatError::not_writable)
}

/// Decodes a backup.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, or its layout does not fit its digests.
pub fn decode_backup(json: &[u8]) -> Result<Backup, FormatError> {
    let object = no_duplicate_keys::object(json)?;
    FORMAT.check_object(&object)?;
    let BackupV1 { format: _, target, digest, bytes: sum, layout: text } =
        serde_json::from_value(Value::Object(object)).map_err(FormatError::invalid)?;
    if Digest::hash(text.as_bytes()) != sum {
        return Err(FormatError::Altered("digest"));
    }
    let layout = Layout::from_json(&text).map_err(FormatError::invalid)?;
    if layout.digest() != digest {
        return Err(FormatError::Altered("digest"));
    }
    Ok(Backup { target, layout })
}

/// Returns the name of a backup: its target, if it has one of its own, and the digest of its
/// layout. Checks neither the layout nor the digests.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, or has no digest.
pub fn backup_name(json: &[u8]) -> Result<(Option<CardKey>, Digest), FormatError> {
    #[derive(Deserialize)]
    struct BackupNameV1 {
        #[serde(default)]
        format: String,
        target: Option<String>,
        // A missing digest is reported only after a newer format.
        #[serde(default)]
        digest: String,
    }

    let BackupNameV1 { format, target, digest } =
        serde_json::from_slice(json).map_err(FormatError::NotJson)?;
    FORMAT.check(&format)?;
    Ok((parse_optional(target.as_ref())?, parsed(&digest)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn backup_returns_every_byte_that_the_portal_sent() {
        for text in [
            "[]",
            "{}",
            "false",
            " [ 1.0 , 9007199254740993 ] ",
            "\"a\\/b\\u00e9 \u{e9}\"",
            "[\n{}\r\n]",
        ] {
            let layout = Layout::from_json(text).unwrap();
            for target in [None, Some(samples::personal(7)), Some(samples::common())] {
                let json = encode_backup(&Backup { target, layout: layout.clone() }).unwrap();
                assert!(!json.contains('\n'));
                assert_eq!(backup_name(json.as_bytes()).unwrap(), (target, layout.digest()));
                let read = decode_backup(json.as_bytes()).unwrap();
                assert_eq!((read.target, read.layout.as_json()), (target, text));
            }
        }
    }

    #[test]
    fn backup_with_a_field_twice_is_refused() {
        let json =
            encode_backup(&Backup { target: None, layout: Layout::from_json("[]").unwrap() })
                .unwrap();
        for field in [
            r#""digest":"x""#,
            r#""target":"personal/8/lead/simple","target":null"#,
            r#""layout":"{}""#,
        ] {
            let twice = format!("{{{field},{}", &json[1..]);
            let problem = decode_backup(twice.as_bytes()).unwrap_err().to_string();
            assert!(problem.contains("stands there twice"), "{field}: {problem}");
        }
        for json in ["{}", "[]", "7", r#"{"format":7}"#, r#"{"format":"recard.backup/v1"}"#] {
            assert!(
                backup_name(json.as_bytes()).is_err() && decode_backup(json.as_bytes()).is_err(),
                "{json}"
            );
        }
    }
}
