//! The ledger of `mode: once`, and how many people the last run selected.

use serde::{Deserialize, Serialize};

use super::journal::read_generation;
use super::{FormatError, check_format, parsed};
use crate::model::{Ledger, LedgerEntry};

/// The version of both files.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerForm {
    format: String,
    entries: Vec<EntryForm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryForm {
    generation: String,
    target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionForm {
    format: String,
    people: u32,
}

/// A ledger as JSON, one entry a line, so that it can be committed and compared.
pub fn encode_ledger(ledger: &Ledger) -> Vec<u8> {
    let entry = |(generation, target, entry): (&crate::model::Generation, crate::model::CardKey, LedgerEntry)| {
        let form = EntryForm {
            generation: generation.to_string(),
            target: target.to_string(),
            removed: entry.removed.map(|digest| digest.to_string()),
        };
        format!("    {}", serde_json::to_string(&form).unwrap_or_default())
    };
    let entries: Vec<String> = ledger.iter().map(entry).collect();
    let entries = if entries.is_empty() { "[]".to_owned() } else { format!("[\n{}\n  ]", entries.join(",\n")) };
    format!("{{\n  \"format\": \"recard.ledger/v{VERSION}\",\n  \"entries\": {entries}\n}}\n").into_bytes()
}

/// A ledger from JSON.
///
/// # Errors
///
/// If it is not one, or was written by a newer recard.
pub fn decode_ledger(bytes: &[u8]) -> Result<Ledger, FormatError> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(FormatError::damaged)?;
    check_format(&value, "ledger", VERSION)?;
    let LedgerForm { format: _, entries } = serde_json::from_value(value).map_err(FormatError::damaged)?;
    let mut ledger = Ledger::default();
    for EntryForm { generation, target, removed } in entries {
        let entry = LedgerEntry { removed: removed.as_deref().map(parsed).transpose()? };
        ledger.mark(read_generation(&generation)?, parsed(&target)?, entry);
    }
    Ok(ledger)
}

/// The number of people as JSON.
pub fn encode_selection(people: u32) -> Vec<u8> {
    let form = SelectionForm { format: format!("recard.selection/v{VERSION}"), people };
    serde_json::to_vec(&form).unwrap_or_default()
}

/// The number of people from JSON.
///
/// # Errors
///
/// If it is not one, or was written by a newer recard.
pub fn decode_selection(bytes: &[u8]) -> Result<u32, FormatError> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(FormatError::damaged)?;
    check_format(&value, "selection", VERSION)?;
    let SelectionForm { format: _, people } = serde_json::from_value(value).map_err(FormatError::damaged)?;
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CardKey, Digest, Generation, LeadCustomerType};

    #[test]
    fn what_was_written_is_read_back() {
        let mut ledger = Ledger::default();
        assert_eq!(decode_ledger(&encode_ledger(&ledger)), Ok(ledger.clone()));
        let generation = Generation::new("2026-11").unwrap();
        for (lead, removed) in [(LeadCustomerType::Simple, None), (LeadCustomerType::Repeat, Some(Digest::of(b"x")))] {
            ledger.mark(generation.clone(), CardKey::common(lead), LedgerEntry { removed });
        }
        let text = encode_ledger(&ledger);
        assert_eq!(decode_ledger(&text), Ok(ledger));
        assert_eq!(decode_selection(&encode_selection(37)), Ok(37));
        assert!(decode_selection(&text).is_err());
    }
}
