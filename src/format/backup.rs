//! A backup: the layout that a reset removes, byte for byte as the portal sent it.
//!
//! The JSON text of the layout stands as a string inside a small envelope, so that no tool that lays JSON out anew can
//! touch it. Two digests guard it: that of the bytes, by which damage is found, and that of the canonical form, by which
//! the journal names it. The envelope names neither a target nor a run, because equal layouts share one file.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::Format;
use super::{FormatError, parsed};
use crate::model::{Digest, Layout};

const FORMAT: Format = Format { name: "backup", version: 1 };

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupForm {
    format: String,
    /// The digest of the canonical form.
    digest: String,
    /// The digest of the bytes of the text.
    bytes: String,
    /// The text.
    layout: String,
}

/// A layout as a backup.
pub fn encode_backup(layout: &Layout) -> Result<Vec<u8>, FormatError> {
    let text = layout.as_json();
    let form = BackupForm {
        format: FORMAT.text(),
        digest: layout.digest().to_string(),
        bytes: Digest::of(text.as_bytes()).to_string(),
        layout: text.to_owned(),
    };
    let mut bytes = serde_json::to_vec_pretty(&form).map_err(FormatError::not_writable)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The layout of a backup.
pub fn decode_backup(bytes: &[u8]) -> Result<Layout, FormatError> {
    let object: Map<String, Value> = serde_json::from_slice(bytes).map_err(FormatError::NotJson)?;
    FORMAT.check_object(&object)?;
    let BackupForm { format: _, digest, bytes: sum, layout: text } =
        serde_json::from_value(Value::Object(object)).map_err(FormatError::senseless)?;
    if Digest::of(text.as_bytes()) != parsed(&sum)? {
        return Err(FormatError::Altered("digest"));
    }
    let layout = Layout::from_json(&text).map_err(FormatError::senseless)?;
    if layout.digest() != parsed(&digest)? {
        return Err(FormatError::Altered("digest"));
    }
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::samples;

    #[test]
    fn every_byte_that_the_portal_sent_comes_back() {
        for text in ["[]", "{}", "false", " [ 1.0 , 9007199254740993 ] ", "\"a\\/b\\u00e9 \u{e9}\"", "[\n{}\r\n]"] {
            let layout = Layout::from_json(text).unwrap();
            assert_eq!(decode_backup(&encode_backup(&layout).unwrap()).unwrap().as_json(), text);
        }
    }

    #[test]
    fn a_flipped_bit_gives_an_error_or_the_same_layout() {
        let layout = Layout::from_json(r#"[{"name":"main","elements":[{"name":"TITLE"}]}]"#).unwrap();
        samples::flip_every_bit(&encode_backup(&layout).unwrap(), |damaged| {
            if let Ok(read) = decode_backup(damaged) {
                assert_eq!(read.as_json(), layout.as_json());
            }
        });
    }
}
