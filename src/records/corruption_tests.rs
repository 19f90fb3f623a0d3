//! Law of every decoder: after a cut at any byte, a flip of any bit, or without content, it gives
//! an error or the written value, and never another value.
//!
//! The table names every decoder of [`records`](super), and a test checks that it is complete. A
//! truncated file of lines gives all lines before the cut and no others, because its last line was
//! never synced.

use super::plan_file::{PlanFile, PlanFileError, RestorePlanFile};
use super::*;
use crate::model::{CurrentSelection, Digest, Outcome, RunId, Selections, Totals, UserId};
use crate::ports::{Interrupted, JournalRecord, RunPurpose, SetPurpose};

/// Written value with its reader.
pub(super) struct Sample {
    /// The name of the decoder in this module.
    pub(super) decoder: &'static str,
    pub(super) bytes: Vec<u8>,
    /// The decoder; each part as text. A document has one part, a file of lines one for each line.
    pub(super) read: fn(&[u8]) -> Result<Vec<String>, FormatError>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Document,
    Lines,
}

fn one<T: std::fmt::Debug>(read: Result<T, FormatError>) -> Result<Vec<String>, FormatError> {
    read.map(|value| vec![format!("{value:?}")])
}

/// Decodes lines with checksums, each by `decode` with its number.
fn lines<T: std::fmt::Debug>(
    bytes: &[u8],
    decode: impl Fn(u32, &str) -> Result<T, FormatError>,
) -> Result<Vec<String>, FormatError> {
    let found = read_lines(bytes).map_err(FormatError::invalid)?;
    let read = |line: &CheckedLine<'_>| {
        let number = u32::try_from(line.number).map_err(FormatError::invalid)?;
        decode(number, line.json).map(|value| format!("{value:?}"))
    };
    found.lines.iter().map(read).collect()
}

fn plan_file(bytes: &[u8]) -> Result<Vec<String>, FormatError> {
    let told = |problem: PlanFileError| FormatError::invalid(problem);
    one(PlanFile::parse(bytes).map_err(told))
}

/// Returns a journal with every kind of record and every outcome.
fn journal() -> Vec<u8> {
    let target = samples::personal(7);
    let digest = samples::layout("mine").digest();
    let restore = crate::ports::RunHeader {
        purpose: RunPurpose::Restore(samples::run()),
        ..samples::header(&[target])
    };
    let mut records = vec![
        JournalRecord::Opened(restore),
        JournalRecord::Intent { targets: vec![(target, Some(digest)), (samples::common(), None)] },
        JournalRecord::SetIntent { target, digest, purpose: SetPurpose::Compensation },
    ];
    records.extend(
        samples::outcomes().into_iter().map(|outcome| JournalRecord::Completed { target, outcome }),
    );
    records.push(JournalRecord::Closed { interrupted: Interrupted::Yes });
    let line = |(number, record)| checked_line(&encode_record(number, record).unwrap());
    (1..).zip(&records).map(line).collect::<String>().into_bytes()
}

fn used_plans() -> Vec<u8> {
    let used = |text: &str| ConsumedPlan {
        plan: Digest::hash(text.as_bytes()),
        at: samples::limiter_state().at,
    };
    ["one", "two"]
        .map(|text| checked_line(&encode_consumed_plan(used(text)).unwrap()))
        .concat()
        .into_bytes()
}

/// Returns an audit log with every kind of event.
fn audit() -> Vec<u8> {
    let run: RunId = samples::run();
    let totals = Totals::from_outcomes([Outcome::Reset, Outcome::Changed].iter());
    let events = [
        AuditEvent::RunStarted { run: run.clone(), restores: Some(run.clone()), targets: 2 },
        AuditEvent::RunReopened { run: run.clone(), torn: 7 },
        AuditEvent::RunClosed { run, totals, interrupted: Interrupted::No },
        AuditEvent::PlanUsed(Digest::hash(b"plan")),
        AuditEvent::LockTakenOver("unclean end of process 4711".to_owned()),
    ];
    let mut previous = audit_anchor(&samples::portal());
    let mut text = String::new();
    for event in events {
        let at = samples::limiter_state().at;
        let entry = AuditEntry {
            at,
            actor: "anna".to_owned(),
            host: "build".to_owned(),
            process: 4711,
            event,
        };
        let (line, digest) = encode_audit(&entry, previous).unwrap();
        previous = digest;
        text.push_str(&line);
        text.push('\n');
    }
    text.into_bytes()
}

fn bundle() -> LayoutExport {
    LayoutExport {
        portal: samples::portal(),
        read: samples::limiter_state().at,
        content: LayoutExportContent::Original,
        cards: vec![(samples::personal(7), samples::layout("mine"))],
    }
}

fn backups() -> Vec<u8> {
    let of = |target, name| {
        checked_line(&encode_backup(&Backup { target, layout: samples::layout(name) }).unwrap())
    };
    (of(None, "mine") + &of(Some(samples::personal(7)), "yours")).into_bytes()
}

/// Everything that is read back from a disk.
pub(super) fn written() -> Vec<Sample> {
    let document = |decoder, bytes, read| Sample { decoder, bytes, read, form: Form::Document };
    let grows = |decoder, bytes, read| Sample { decoder, bytes, read, form: Form::Lines };
    let people = [UserId::FIRST];
    let mut selections = Selections::default();
    selections.keep(&[CurrentSelection { manifest: "sales", file: "sales.yaml", people: &people }]);
    vec![
        grows("decode_backup", backups(), |bytes| {
            lines(bytes, |_, json| decode_backup(json.as_bytes()))
        }),
        document(
            "decode_collected",
            encode_collected(CollectedBackups { at: samples::limiter_state().at }).unwrap(),
            |bytes| one(decode_collected(bytes)),
        ),
        document(
            "decode_field_labels",
            encode_field_labels(&samples::portal_labels()).unwrap(),
            |bytes| one(decode_field_labels(bytes)),
        ),
        document("decode_layout_export", encode_layout_export(&bundle()).unwrap(), |bytes| {
            one(decode_layout_export(bytes))
        }),
        document(
            "decode_ledger",
            encode_ledger(&samples::portal(), &samples::ledger()).unwrap(),
            |bytes| one(decode_ledger(&samples::portal(), bytes)),
        ),
        document(
            "decode_limiter_state",
            encode_limiter_state(&samples::limiter_state()).unwrap(),
            |bytes| one(decode_limiter_state(bytes)),
        ),
        document("decode_lock", encode_lock(&samples::lock()).unwrap(), |bytes| {
            one(decode_lock(bytes))
        }),
        document(
            "decode_read_proof",
            encode_read_proof(&samples::read_proof()).unwrap(),
            |bytes| one(decode_read_proof(bytes)),
        ),
        document("decode_run_report", encode_run_report(&samples::report()).unwrap(), |bytes| {
            one(decode_run_report(bytes))
        }),
        document("decode_selections", encode_selections(&selections).unwrap(), |bytes| {
            one(decode_selections(bytes))
        }),
        document(
            "PlanFile::parse",
            PlanFile::new(samples::plan()).unwrap().encode().unwrap(),
            plan_file,
        ),
        document(
            "RestorePlanFile::parse",
            RestorePlanFile::new(samples::restore_plan()).unwrap().encode().unwrap(),
            |bytes| one(RestorePlanFile::parse(bytes).map_err(FormatError::invalid)),
        ),
        grows("decode_record", journal(), |bytes| lines(bytes, decode_record)),
        grows("decode_consumed_plan", used_plans(), |bytes| {
            lines(bytes, |_, json| decode_consumed_plan(json))
        }),
        grows("decode_audit", audit(), |bytes| {
            let found = audit_lines(bytes).map_err(FormatError::invalid)?;
            found
                .lines
                .iter()
                .map(|line| decode_audit(line.json).map(|read| format!("{read:?}")))
                .collect()
        }),
    ]
}

#[test]
fn decoder_table_holds_every_decoder() {
    let decoders: Vec<&str> = written().iter().map(|sample| sample.decoder).collect();
    let statements = include_str!("mod.rs").split(';');
    let exports = statements.filter(|statement| statement.trim_start().starts_with("pub use "));
    let words = exports.flat_map(|text| text.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    let readers: Vec<&str> = words.filter(|word| word.starts_with("decode_")).collect();
    assert!(readers.len() > 8, "{readers:?}");
    for reader in readers {
        assert!(decoders.contains(&reader), "nobody damages what {reader} reads");
    }
}

#[test]
fn record_that_was_written_is_read() {
    for Sample { decoder, bytes, read, form } in written() {
        let parts = read(&bytes).unwrap();
        let wanted = match form {
            Form::Document => 1,
            Form::Lines => bytes.iter().filter(|byte| **byte == b'\n').count(),
        };
        assert_eq!(parts.len(), wanted, "{decoder}");
    }
}

#[test]
fn record_cut_at_any_byte_is_an_error_or_its_complete_part() {
    for Sample { decoder, bytes, read, form } in written() {
        let whole = read(&bytes).unwrap();
        for cut in 0..bytes.len() {
            let left = &bytes[..cut];
            match (read(left), form) {
                (Ok(parts), Form::Lines) => {
                    let ended = left.iter().filter(|byte| **byte == b'\n').count();
                    assert_eq!(parts, whole[..ended], "{decoder} cut at {cut}");
                }
                (Ok(parts), Form::Document) => assert_eq!(parts, whole, "{decoder} cut at {cut}"),
                // A cut inside a line of an append-only file is the result of a crash, and not
                // damage.
                (Err(problem), Form::Lines) => panic!("{decoder} cut at {cut}: {problem}"),
                (Err(problem), Form::Document) => assert!(!problem.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn record_with_any_flipped_bit_is_an_error_or_unchanged() {
    for Sample { decoder, bytes, read, .. } in written() {
        let whole = read(&bytes).unwrap();
        let mut found = 0;
        samples::flip_every_bit(&bytes, |damaged| match read(damaged) {
            Ok(parts) => {
                assert_eq!(parts, whole, "{decoder}: {}", String::from_utf8_lossy(damaged))
            }
            Err(problem) => {
                assert!(!problem.to_string().is_empty());
                found += 1;
            }
        });
        assert!(
            found > bytes.len() * 7,
            "{decoder}: only {found} of {} flipped bits were found",
            bytes.len() * 8
        );
    }
}

#[test]
fn record_with_swapped_or_added_bytes_is_an_error_or_unchanged() {
    for Sample { decoder, bytes, read, .. } in written() {
        let whole = read(&bytes).unwrap();
        let same = |damaged: &[u8], what: String| {
            if let Ok(parts) = read(damaged) {
                assert_eq!(parts, whole, "{decoder}, {what}");
            }
        };
        for index in 1..bytes.len() {
            let mut swapped = bytes.clone();
            swapped.swap(index - 1, index);
            same(&swapped, format!("bytes {index} and the one before changed places"));
            let mut twice = bytes.clone();
            twice.insert(index, bytes[index]);
            // A file of lines may end in the beginning of a line.
            same(&twice, format!("byte {index} twice"));
            let mut gone = bytes.clone();
            gone.remove(index);
            if index < bytes.len() - 1 {
                same(&gone, format!("byte {index} gone"));
            }
        }
    }
}
