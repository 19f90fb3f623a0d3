//! Ledger of `mode: once`: the targets that had their reset, by once key. No card content.
//!
//! The ledger may be committed, and merged by people: it has a sorted line for each entry, and each
//! entry has its own checksum in place of a seal over the whole. Removing an entry is allowed, and
//! lets its target be reset again. The ledger of another portal is refused: the same id is another
//! person there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sealed::{RecordFormat, canonical_digest};
use super::{FormatError, no_duplicate_keys, parse_optional, parsed};
use crate::model::{Ledger, LedgerEntry, PortalId};

/// Version 2 names the kind in targets.
const FORMAT: RecordFormat = RecordFormat { name: "ledger", version: 2 };

/// Number of digits of an entry's SHA-256 sum: as many as in front of a journal line.
const CHECKSUM_DIGITS: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerV1 {
    #[serde(rename = "format")]
    _format: String,
    portal: String,
    entries: Vec<CheckedLedgerEntryV1>,
}

#[derive(Debug, Serialize)]
struct LedgerEntryV1<'a> {
    portal: &'a str,
    generation: &'a str,
    target: &'a str,
    removed: Option<&'a str>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckedLedgerEntryV1 {
    generation: String,
    target: String,
    removed: Option<String>,
    check: String,
}

/// Encodes a ledger as JSON, one entry a line.
pub fn encode_ledger(portal: &PortalId, ledger: &Ledger) -> Result<Vec<u8>, FormatError> {
    let mut lines = Vec::new();
    for (generation, target, LedgerEntry { removed }) in ledger.iter() {
        let mut form = CheckedLedgerEntryV1 {
            generation: generation.to_string(),
            target: target.to_string(),
            removed: removed.map(|digest| digest.to_string()),
            check: String::new(),
        };
        form.check = form.checksum(portal.as_str())?;
        lines.push(format!(
            "    {}",
            serde_json::to_string(&form).map_err(FormatError::not_writable)?
        ));
    }
    let entries =
        if lines.is_empty() { "[]".to_owned() } else { format!("[\n{}\n  ]", lines.join(",\n")) };
    let portal = serde_json::to_string(portal.as_str()).map_err(FormatError::not_writable)?;
    let format = FORMAT.text();
    let head = format!("  \"format\": \"{format}\",\n  \"portal\": {portal}");
    Ok(format!("{{\n{head},\n  \"entries\": {entries}\n}}\n").into_bytes())
}

/// Decodes the ledger of a portal.
///
/// If a target is marked twice for a once key, which a merge of two branches may cause, the first
/// mark counts.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, of another portal, or an entry is
/// damaged.
pub fn decode_ledger(portal: &PortalId, bytes: &[u8]) -> Result<Ledger, FormatError> {
    let object = no_duplicate_keys::object(bytes)?;
    FORMAT.check_object(&object)?;
    let LedgerV1 { _format: _, portal: found, entries } =
        serde_json::from_value(Value::Object(object)).map_err(FormatError::invalid)?;
    if found != portal.as_str() {
        return Err(FormatError::Invalid(format!(
            "it is the ledger of the portal {found}, not of {portal}"
        )));
    }
    let mut ledger = Ledger::default();
    for form in entries {
        if form.check != form.checksum(portal.as_str())? {
            return Err(FormatError::Invalid(format!(
                "the entry of {} for {} does not fit its checksum",
                form.target, form.generation
            )));
        }
        let entry = LedgerEntry { removed: parse_optional(form.removed.as_ref())? };
        ledger.record_reset(parsed(&form.generation)?, parsed(&form.target)?, entry);
    }
    Ok(ledger)
}

impl CheckedLedgerEntryV1 {
    /// Computes the checksum of all other fields of the entry.
    fn checksum(&self, portal: &str) -> Result<String, FormatError> {
        let Self { generation, target, removed, check: _ } = self;
        let mut sum = canonical_digest(&LedgerEntryV1 {
            portal,
            generation,
            target,
            removed: removed.as_deref(),
        })?
        .hex();
        sum.truncate(CHECKSUM_DIGITS);
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn ledger_has_a_line_for_each_entry_and_one_can_be_taken_out() {
        let ledger = samples::ledger();
        let text = String::from_utf8(encode_ledger(&samples::portal(), &ledger).unwrap()).unwrap();
        assert_eq!(decode_ledger(&samples::portal(), text.as_bytes()).unwrap(), ledger);
        let shorter: Vec<&str> =
            text.lines().filter(|line| !line.contains("common/lead/simple")).collect();
        let read = decode_ledger(&samples::portal(), shorter.join("\n").as_bytes()).unwrap();
        assert_eq!(read.iter().count(), ledger.iter().count() - 1);
    }

    #[test]
    fn ledger_of_another_portal_is_refused() {
        let bytes = encode_ledger(&samples::portal(), &samples::ledger()).unwrap();
        let other = PortalId::new("other.bitrix24.com").unwrap();
        let problem = decode_ledger(&other, &bytes).unwrap_err();
        let text = "it is the ledger of the portal company.bitrix24.com, not of other.bitrix24.com";
        assert_eq!(problem.to_string(), text);
        // Writing the other name into it does not help.
        let renamed = String::from_utf8(bytes).unwrap().replace("company.", "other.");
        assert!(decode_ledger(&other, renamed.as_bytes()).is_err());
    }

    #[test]
    fn ledger_with_two_lists_of_entries_is_refused() {
        let text =
            String::from_utf8(encode_ledger(&samples::portal(), &samples::ledger()).unwrap())
                .unwrap();
        let merged = text.replacen("\"entries\"", "\"entries\": [], \"entries\"", 1);
        let problem = decode_ledger(&samples::portal(), merged.as_bytes()).unwrap_err();
        assert!(problem.to_string().contains("\"entries\" stands there twice"), "{problem}");
    }

    #[test]
    fn edited_entry_is_found() {
        let text =
            String::from_utf8(encode_ledger(&samples::portal(), &samples::ledger()).unwrap())
                .unwrap();
        let problem = decode_ledger(
            &samples::portal(),
            text.replace("common/lead/simple", "personal/9/lead/simple").as_bytes(),
        )
        .unwrap_err();
        assert_eq!(
            problem.to_string(),
            "the entry of personal/9/lead/simple for 2026-11 does not fit its checksum"
        );
    }
}
