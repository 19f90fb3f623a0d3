//! Bundle of layouts from `recard export`, for people and programs.
//!
//! Unlike a backup it is formatted for reading, and its layouts stand in it as JSON, not as text:
//! the bytes may differ from those of the portal. The digest of each layout shows if its meaning is
//! the same.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FormatError;
use super::sealed::{RecordFormat, seal, unseal};
use crate::model::{CardKey, Digest, Layout, PortalId};

/// Version 2 names the kind in targets.
const FORMAT: RecordFormat = RecordFormat { name: "layouts", version: 2 };

/// Layouts of a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutExport {
    /// The portal; an invented name if it was anonymized.
    pub portal: PortalId,
    /// The time of the reads.
    pub read: Timestamp,
    /// The form of names and titles: original or anonymized.
    pub content: LayoutExportContent,
    /// The cards, sorted.
    pub cards: Vec<(CardKey, Layout)>,
}

/// Form of names and titles in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutExportContent {
    /// The texts of the portal.
    Original,
    /// Names and titles are replaced.
    Anonymized,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayoutExportV1 {
    portal: PortalId,
    read: Timestamp,
    sanitized: bool,
    cards: Vec<ExportedCardV1>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedCardV1 {
    target: CardKey,
    digest: Digest,
    layout: Value,
}

/// Encodes a bundle as a sealed document, formatted for reading.
pub fn encode_layout_export(bundle: &LayoutExport) -> Result<Vec<u8>, FormatError> {
    let LayoutExport { portal, read, content, cards } = bundle;
    let card = |(key, layout): &(CardKey, Layout)| {
        Ok(ExportedCardV1 {
            target: *key,
            digest: layout.digest(),
            layout: serde_json::from_str(layout.as_json()).map_err(FormatError::NotJson)?,
        })
    };
    let form = LayoutExportV1 {
        portal: portal.clone(),
        read: *read,
        sanitized: *content == LayoutExportContent::Anonymized,
        cards: cards.iter().map(card).collect::<Result<_, FormatError>>()?,
    };
    // The seal covers the canonical form, so white space does not matter.
    let sealed: Value =
        serde_json::from_slice(&seal(FORMAT, &form)?).map_err(FormatError::NotJson)?;
    let mut bytes = serde_json::to_vec_pretty(&sealed).map_err(FormatError::not_writable)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Decodes the layouts of a bundle.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, or changed since it was
/// written.
pub fn decode_layout_export(bytes: &[u8]) -> Result<LayoutExport, FormatError> {
    let LayoutExportV1 { portal, read, sanitized, cards } = unseal(FORMAT, bytes)?;
    let card = |ExportedCardV1 { target, digest, layout }: ExportedCardV1| {
        let layout = Layout::from_json(&layout.to_string()).map_err(FormatError::invalid)?;
        if layout.digest() != digest {
            return Err(FormatError::Altered("digest"));
        }
        Ok((target, layout))
    };
    Ok(LayoutExport {
        portal,
        read,
        content: if sanitized {
            LayoutExportContent::Anonymized
        } else {
            LayoutExportContent::Original
        },
        cards: cards.into_iter().map(card).collect::<Result<_, FormatError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> LayoutExport {
        let layout = |text: &str| Layout::from_json(text).unwrap();
        LayoutExport {
            portal: PortalId::new("company.bitrix24.com").unwrap(),
            read: "2026-11-01T09:00:00Z".parse().unwrap(),
            content: LayoutExportContent::Original,
            cards: vec![
                ("common/lead/repeat".parse().unwrap(), layout("[]")),
                (
                    "personal/7/lead/simple".parse().unwrap(),
                    layout(
                        r#"[{"name":"main","title":"Привет","elements":[{"name":"A","optionFlags":"1"}]}]"#,
                    ),
                ),
                ("personal/8/lead/simple".parse().unwrap(), layout("false")),
            ],
        }
    }

    #[test]
    fn bundle_can_be_read_back() {
        let bytes = encode_layout_export(&bundle()).unwrap();
        assert_eq!(decode_layout_export(&bytes).unwrap(), bundle());
        assert!(String::from_utf8(bytes).unwrap().contains("\"format\": \"recard.layouts/v2\""));
    }
}
