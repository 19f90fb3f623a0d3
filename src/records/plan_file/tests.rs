//! Laws of plan files.

use super::*;
use crate::records::samples;

fn bytes() -> Vec<u8> {
    PlanFile::new(samples::plan()).unwrap().encode().unwrap()
}

#[test]
fn plan_file_edited_anywhere_is_refused() {
    let text = String::from_utf8(bytes()).unwrap();
    for (old, new) in [
        ("personal/7/lead/simple", "personal/8/lead/simple"),
        ("company.bitrix24.com", "company.bitrix24.eu"),
        ("2026-11-02T09:00:00Z", "2027-11-02T09:00:00Z"),
        ("\"people\":30", "\"people\":31"),
    ] {
        let edited = text.replace(old, new);
        assert_ne!(edited, text, "{old}");
        assert!(
            matches!(PlanFile::parse(edited.as_bytes()), Err(PlanFileError::Tampered)),
            "{old}"
        );
    }
}

#[test]
fn plan_file_with_a_flipped_bit_is_an_error_or_the_same_plan() {
    let plan = samples::plan();
    samples::flip_every_bit(&bytes(), |damaged| {
        if let Ok(read) = PlanFile::parse(damaged) {
            assert_eq!(read.content, plan);
        }
    });
}

#[test]
fn plan_file_truncated_anywhere_is_refused() {
    let bytes = bytes();
    // Without its last line end the file is still complete.
    for cut in 0..bytes.len() - 1 {
        assert!(PlanFile::parse(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn plan_file_of_another_format_or_version_is_refused_by_name() {
    let told = |text: &str| PlanFile::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(told(""), "this is not a plan file: it is not JSON");
    assert_eq!(told("spec:\n  portal: x\n"), "this is not a plan file: it is not JSON");
    assert_eq!(
        told("{}"),
        "this is not a plan file: its field `format` does not say recard.plan-file"
    );
    let newer = told(r#"{"format":"recard.plan-file/v3"}"#);
    assert_eq!(
        newer,
        "a newer recard wrote this plan file (version 3; this one knows versions up to 2)"
    );
}

#[test]
fn plan_file_with_other_whitespace_is_the_same_plan() {
    let value: serde_json::Value = serde_json::from_slice(&bytes()).unwrap();
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    assert_eq!(PlanFile::parse(&pretty).unwrap(), PlanFile::new(samples::plan()).unwrap());
}

#[test]
fn plan_file_that_contradicts_itself_is_neither_written_nor_read() {
    let mut twice = samples::plan();
    twice.targets = vec![twice.targets[0].clone(), twice.targets[0].clone()];
    twice.counts.reset = 2;
    let mut miscounted = samples::plan();
    miscounted.counts.reset += 1;
    let mut backwards = samples::plan();
    backwards.expires = backwards.created - std::time::Duration::from_secs(1);
    let mut both = samples::plan();
    both.marks[0].key = both.targets[0].key;
    for content in [twice, miscounted, backwards, both] {
        assert!(PlanFile::new(content).is_err());
    }
}

fn restore_bytes() -> Vec<u8> {
    RestorePlanFile::new(samples::restore_plan()).unwrap().encode().unwrap()
}

#[test]
fn restore_plan_file_is_canonical_and_comes_back() {
    let bytes = restore_bytes();
    let read = RestorePlanFile::parse(&bytes).unwrap();
    assert_eq!(read.content, samples::restore_plan());
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let canonical = serde_json_canonicalizer::to_string(&value).unwrap() + "\n";
    assert_eq!(String::from_utf8(bytes).unwrap(), canonical);
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    assert_eq!(RestorePlanFile::parse(&pretty).unwrap(), read);
}

#[test]
fn restore_plan_file_that_was_edited_is_found() {
    let text = String::from_utf8(restore_bytes()).unwrap();
    for (old, new) in [
        ("personal/9/lead/simple", "personal/14/lead/simple"),
        ("newer-kept", "reset"),
        ("20261101T090000Z-1a2b3c", "20261101T090000Z-1a2b3d"),
        ("2026-11-02T09:00:00Z", "2027-11-02T09:00:00Z"),
    ] {
        let edited = text.replace(old, new);
        assert_ne!(edited, text, "{old}");
        let read = RestorePlanFile::parse(edited.as_bytes());
        assert!(matches!(read, Err(PlanFileError::Tampered)), "{old}");
    }
}

#[test]
fn plan_file_of_the_other_kind_is_refused_by_its_format() {
    let apply = PlanFile::parse(&restore_bytes()).unwrap_err();
    assert!(
        matches!(&apply, PlanFileError::NotAPlanFile { found, wanted: "plan-file" }
            if found == "recard.restore-plan-file/v1"),
        "{apply}"
    );
    let restore = RestorePlanFile::parse(&bytes()).unwrap_err();
    assert_eq!(
        restore.to_string(),
        "this is not a plan file: its field `format` does not say recard.restore-plan-file"
    );
}

#[test]
fn restore_plan_that_contradicts_itself_is_neither_written_nor_read() {
    let mut unsorted = samples::restore_plan();
    unsorted.targets.reverse();
    let mut twice = samples::restore_plan();
    twice.targets[1] = twice.targets[0].clone();
    let mut backwards = samples::restore_plan();
    backwards.expires = backwards.created - std::time::Duration::from_secs(1);
    for content in [unsorted, twice, backwards] {
        assert!(RestorePlanFile::new(content).is_err());
    }
}
