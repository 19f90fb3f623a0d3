//! Records that the version before wrote, byte for byte, and their readers.
//!
//! That version named a target without its kind (`personal/7/simple`). The values are those of
//! [`corruption_tests::written`], so that each record must give the value that is written now.

use super::corruption_tests::{Sample, written};
use super::plan_file::PlanFile;
use super::{decode_ledger, encode_ledger, samples};

/// The record that the version before wrote for the sample of a decoder.
fn earlier(decoder: &str) -> &'static [u8] {
    match decoder {
        "PlanFile::parse" => include_bytes!("earlier_versions/plan_file.json"),
        "decode_audit" => include_bytes!("earlier_versions/audit.jsonl"),
        "decode_backup" => include_bytes!("earlier_versions/backup.jsonl"),
        "decode_consumed_plan" => include_bytes!("earlier_versions/consumed_plan.jsonl"),
        "decode_field_labels" => include_bytes!("earlier_versions/field_labels.json"),
        "decode_layout_export" => include_bytes!("earlier_versions/layout_export.json"),
        "decode_ledger" => include_bytes!("earlier_versions/ledger.json"),
        "decode_limiter_state" => include_bytes!("earlier_versions/limiter_state.json"),
        "decode_lock" => include_bytes!("earlier_versions/lock.json"),
        "decode_read_proof" => include_bytes!("earlier_versions/read_proof.json"),
        "decode_record" => include_bytes!("earlier_versions/record.jsonl"),
        "decode_run_report" => include_bytes!("earlier_versions/run_report.json"),
        "decode_selections" => include_bytes!("earlier_versions/selections.json"),
        _ => panic!("no record of an earlier version for {decoder}"),
    }
}

#[test]
fn record_of_the_version_before_gives_the_value_that_is_written_now() {
    let mut raised = 0;
    for Sample { decoder, bytes, read, .. } in written() {
        // The version before wrote no restore plans, and deleted no backups.
        if matches!(decoder, "RestorePlanFile::parse" | "decode_collected") {
            continue;
        }
        let before = earlier(decoder);
        let text = std::str::from_utf8(before).unwrap();
        assert!(!text.contains("/lead/"), "{decoder}");
        if before == bytes {
            continue;
        }
        raised += 1;
        assert!(text.contains("personal/7/simple"), "{decoder}: {text}");
        // The id of a plan file is a digest of its text.
        if decoder != "PlanFile::parse" {
            assert_eq!(read(before).unwrap(), read(&bytes).unwrap(), "{decoder}");
        }
    }
    assert_eq!(raised, 6, "backups, layouts, ledger, report, plan file and journal");
}

#[test]
fn plan_file_of_the_version_before_keeps_its_id() {
    let before = PlanFile::parse(earlier("PlanFile::parse")).unwrap();
    let now = PlanFile::new(samples::plan()).unwrap();
    assert_eq!(before.content, now.content);
    assert_ne!(before.id, now.id);
    let id = "sha256:08c72cab57aa82c3233dac2977f71b7e567e54e1dce8bfdd02556ba983980854";
    assert_eq!(before.id.to_string(), id);
}

#[test]
fn ledger_of_the_version_before_is_written_in_the_new_form() {
    let ledger = decode_ledger(&samples::portal(), earlier("decode_ledger")).unwrap();
    let text = String::from_utf8(encode_ledger(&samples::portal(), &ledger).unwrap()).unwrap();
    assert!(text.contains("recard.ledger/v2") && text.contains("personal/7/lead/simple"), "{text}");
    // A merge of an old branch may leave the same entry in both forms; the first one counts.
    let old = std::str::from_utf8(earlier("decode_ledger")).unwrap();
    let entry = old.lines().find(|line| line.contains("personal/7/simple")).unwrap();
    let merged = text.replace("\n  ]", &format!(",\n{entry}\n  ]"));
    assert_ne!(merged, text);
    assert_eq!(decode_ledger(&samples::portal(), merged.as_bytes()).unwrap(), ledger);
}
