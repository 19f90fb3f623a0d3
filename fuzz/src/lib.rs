//! Bodies of the fuzz targets: decoders with arbitrary bytes. No panic; a decoded value can be
//! encoded and is decoded to the same value; no command reaches a terminal.
//!
//! The fuzz targets use this file as a library, and `tests/integration/repository/fuzz.rs` as a
//! module: every test run tries a little of what a fuzzer tries, with the stable compiler.
//!
//! A seal or a checksum stops nearly all generated inputs. Each body therefore decodes the bytes as
//! they are, and once more with every seal made valid. A body returns `true` if the bytes could be
//! decoded, so that the test sees its coverage.

use recard::diagnostic::{RenderStyle, Source, render};
use recard::model::{CardKey, Digest, Layout, LeadCustomerType, PortalId};
use recard::plan::diff::diff;
use recard::portal::MethodFamily;
use recard::portal::wire::{BatchResponse, RawCommandResult, card, decode, people};
use recard::records::plan_file::{PlanFile, RestorePlanFile};
use recard::records::{
    Backup, FormatError, FoundLine, audit_anchor, audit_lines, backup_name, check_line,
    checked_line, decode_audit, decode_backup, decode_consumed_plan, decode_layout_export,
    decode_ledger, decode_limiter_state, decode_lock, decode_record, decode_run_report,
    decode_selections, encode_audit, encode_backup, encode_consumed_plan, encode_layout_export,
    encode_ledger, encode_limiter_state, encode_lock, encode_record, encode_run_report,
    encode_selections, find_lines, read_lines,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The largest manifest that is looked at: beyond it nothing new happens, only slower.
const LONGEST: usize = 64 * 1024;

/// Number of lines of a file that are tried with valid seals.
const MOST_LINES: usize = 64;

fn portal() -> PortalId {
    PortalId::new("company.bitrix24.com").expect("it is the name of a portal")
}

/// A manifest: a declaration or problems, each of which can be drawn.
pub fn manifest(bytes: &[u8]) -> bool {
    if bytes.len() > LONGEST {
        return false;
    }
    let sources = [Source { name: "lead.yaml".into(), bytes: bytes.to_vec() }];
    let loaded = recard::manifest::load(&sources);
    let errors = loaded.diagnostics.iter().filter(|found| found.is_error()).count();
    assert_eq!(
        loaded.declaration.is_none(),
        errors > 0,
        "a declaration or errors, never both and never neither"
    );
    let drawn = render(&loaded.diagnostics, &sources, RenderStyle::Plain);
    assert_eq!(drawn.is_empty(), loaded.diagnostics.is_empty());
    tame(&drawn);
    let _ = render(&loaded.diagnostics, &sources, RenderStyle::Ansi);
    let again = recard::manifest::load(&sources);
    assert_eq!(again.diagnostics, loaded.diagnostics, "the same text has the same problems");
    loaded.declaration.is_some()
}

/// A plan file, and the other sealed documents that recard reads back whole.
pub fn plan_file(bytes: &[u8]) -> bool {
    sealed(bytes) | sealed_anew(bytes).is_some_and(|bytes| sealed(&bytes))
}

fn sealed(bytes: &[u8]) -> bool {
    let parse = |bytes: &[u8]| {
        PlanFile::parse(bytes).map_err(|problem| FormatError::Invalid(problem.to_string()))
    };
    let parse_restore = |bytes: &[u8]| {
        RestorePlanFile::parse(bytes).map_err(|problem| FormatError::Invalid(problem.to_string()))
    };
    again(bytes, parse, PlanFile::encode)
        || again(bytes, parse_restore, RestorePlanFile::encode)
        || again(bytes, decode_layout_export, encode_layout_export)
        || again(bytes, decode_limiter_state, encode_limiter_state)
        || again(bytes, decode_lock, encode_lock)
        || again(bytes, decode_run_report, encode_run_report)
        || again(bytes, decode_selections, encode_selections)
}

/// Checks that a decoded value can be encoded, and is then decoded to the same value.
fn again<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, FormatError>,
    encode: impl Fn(&T) -> Result<Vec<u8>, FormatError>,
) -> bool {
    let Ok(value) = decode(bytes) else { return false };
    let written = encode(&value).expect("what was read can be written");
    assert_eq!(decode(&written).expect("and read again"), value);
    true
}

/// The same document with a seal that fits: what somebody gives in who edits a file and knows how
/// to seal it.
fn sealed_anew(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut document: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    if let Some(plan) = document.get("plan") {
        let id = digest(plan)?.to_string();
        document.insert("id".to_owned(), id.into());
    }
    for card in document.get_mut("cards").and_then(Value::as_array_mut).into_iter().flatten() {
        let fits = card.get("layout").and_then(digest)?.to_string();
        card.as_object_mut()?.insert("digest".to_owned(), fits.into());
    }
    document.remove("seal");
    let seal = digest(&document)?.to_string();
    document.insert("seal".to_owned(), seal.into());
    serde_json::to_vec(&document).ok()
}

/// The digest of the canonical form, as everything of recard's own is sealed with it.
fn digest(value: &impl serde::Serialize) -> Option<Digest> {
    Some(Digest::hash(&serde_json_canonicalizer::to_vec(value).ok()?))
}

/// A journal, and the other files that grow by lines. A line is tried with the checksum that it
/// has, and with a right one.
pub fn journal(bytes: &[u8]) -> bool {
    let mut read = false;
    if let Ok(found) = read_lines(bytes) {
        assert_eq!(
            found.whole + found.torn,
            bytes.len(),
            "every byte belongs to a whole line or to the torn one"
        );
        assert!(found.torn == 0 || !bytes.ends_with(b"\n"), "a line that has its end is not torn");
        for line in &found.lines {
            read |= record(line.json) | used_plan(line.json);
        }
    }
    if let Ok(found) = audit_lines(bytes) {
        for line in &found.lines {
            read |= audit(line.json);
        }
    }
    for text in bytes
        .split(|byte| *byte == b'\n')
        .take(MOST_LINES)
        .filter_map(|line| str::from_utf8(line).ok())
    {
        for json in [text, inside(text)] {
            read |= record(json) | used_plan(json) | audit(json);
        }
        let checked = checked_line(text);
        let found = read_lines(checked.as_bytes()).expect("a line with a right checksum is right");
        assert_eq!(found.lines.first().map(|line| line.json), Some(text));
    }
    read
}

/// Returns the content behind a checksum, valid or not.
fn inside(line: &str) -> &str {
    line.get(17..).unwrap_or_default()
}

fn record(json: &str) -> bool {
    let mut read = false;
    for number in 1..4 {
        if let Ok(record) = decode_record(number, json) {
            let again = encode_record(number, &record).expect("what was read can be written");
            assert_eq!(decode_record(number, &again).expect("and read again"), record);
            read = true;
        }
    }
    read
}

fn used_plan(json: &str) -> bool {
    let Ok(used) = decode_consumed_plan(json) else { return false };
    let again = encode_consumed_plan(used).expect("what was read can be written");
    assert_eq!(decode_consumed_plan(&again).expect("and read again"), used);
    true
}

fn audit(json: &str) -> bool {
    let Ok(line) = decode_audit(json) else { return false };
    let (again, _) =
        encode_audit(&line.entry, audit_anchor(&portal())).expect("what was read can be written");
    let file = format!("{again}\n");
    let found = audit_lines(file.as_bytes()).expect("what was written is right").lines;
    assert_eq!(decode_audit(found[0].json).expect("and read again").entry, line.entry);
    true
}

/// The backups of a run: a file of lines, of which each whole one is to be found whatever became of
/// the others.
pub fn backup(bytes: &[u8]) -> bool {
    let (found, kept) = find_lines(bytes);
    assert!(
        kept == bytes.len() || kept < bytes.len() && !bytes.ends_with(b"\n"),
        "only a torn line may be cut off"
    );
    let (mut read, mut whole) = (false, 0);
    for line in &found {
        if let FoundLine::Whole { at, line } = line {
            let place = *at..*at + line.json.len();
            assert_eq!(
                bytes.get(place),
                Some(line.json.as_bytes()),
                "it is read again from where it stands"
            );
            read |= kept_layout(line.json);
            whole += 1;
        }
    }
    let ended =
        bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    assert_eq!(
        whole,
        ended.filter_map(check_line).count(),
        "whatever became of the others, what is whole is found"
    );

    for text in bytes
        .split(|byte| *byte == b'\n')
        .take(MOST_LINES)
        .filter_map(|line| str::from_utf8(line).ok())
    {
        for json in [text, inside(text)] {
            read |= kept_layout(json) | digested_anew(json).is_some_and(|json| kept_layout(&json));
        }
    }
    // The layout inside, without its envelope.
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(layout) = Layout::from_json(text)
    {
        shown(&layout);
        for target in [None, Some(CardKey::common(LeadCustomerType::Simple))] {
            let backup = Backup { target, layout: layout.clone() };
            let json = encode_backup(&backup).expect("every layout can be written");
            assert!(!json.contains('\n'), "a backup is one line");
            assert_eq!(
                decode_backup(json.as_bytes()).expect("and read again").layout.as_json(),
                text
            );
        }
        read = true;
    }
    read
}

fn kept_layout(json: &str) -> bool {
    let Ok(backup) = decode_backup(json.as_bytes()) else { return false };
    let again = encode_backup(&backup).expect("what was read can be written");
    let read = decode_backup(again.as_bytes()).expect("and read again");
    assert_eq!((read.target, read.layout.as_json()), (backup.target, backup.layout.as_json()));
    let name = backup_name(json.as_bytes()).expect("what can be read can be found");
    assert_eq!(name, (backup.target, backup.layout.digest()), "it is found by what it is");
    shown(&backup.layout);
    true
}

/// The same backup with digests that fit its text.
fn digested_anew(json: &str) -> Option<String> {
    let mut object: Map<String, Value> = serde_json::from_str(json).ok()?;
    let text = object.get("layout")?.as_str()?.to_owned();
    let layout = Layout::from_json(&text).ok()?;
    object.insert("digest".to_owned(), layout.digest().to_string().into());
    object.insert("bytes".to_owned(), Digest::hash(text.as_bytes()).to_string().into());
    serde_json::to_string(&object).ok()
}

fn shown(layout: &Layout) {
    let _ = (layout.sections(), layout.fields());
    for line in diff(Some(layout), None) {
        assert!(!line.text.contains('\n'), "a line of a diff is one line");
        tame(&line.text);
    }
}

/// Text that people are shown holds no character that a terminal obeys, nor one that turns the
/// order of others around.
fn tame(text: &str) {
    let wild = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(wild), "{text:?}");
}

/// A ledger, which people may merge.
pub fn ledger(bytes: &[u8]) -> bool {
    let read = |bytes: &[u8]| {
        again(bytes, |bytes| decode_ledger(&portal(), bytes), |it| encode_ledger(&portal(), it))
    };
    read(bytes) | checked_anew(bytes).is_some_and(|bytes| read(&bytes))
}

/// The same ledger, of our portal, with checksums that fit.
fn checked_anew(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut document: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    document.insert("portal".to_owned(), portal().as_str().into());
    for entry in document.get_mut("entries").and_then(Value::as_array_mut).into_iter().flatten() {
        let entry = entry.as_object_mut()?;
        let mut checked = entry.clone();
        checked.remove("check");
        checked.insert("portal".to_owned(), portal().as_str().into());
        let mut sum = digest(&checked)?.hex();
        sum.truncate(16);
        entry.insert("check".to_owned(), sum.into());
    }
    serde_json::to_vec(&document).ok()
}

/// Decodes an answer of a portal; the first byte chooses the status.
pub fn wire(bytes: &[u8]) -> bool {
    let Some((first, body)) = bytes.split_first() else { return false };
    let statuses = [200, 200, 200, 400, 401, 403, 404, 429, 500, 502, 503];
    let status = statuses[usize::from(*first) % statuses.len()];
    let mut read = false;
    for kind in [None, Some("application/json; charset=utf-8"), Some("text/html")] {
        let Ok(success) = decode(status, kind, body) else { continue };
        result(success.result);
        if let Ok(batch) = BatchResponse::from_success(&success) {
            for answer in batch.results.values() {
                if let RawCommandResult::Answered(value) = answer.outcome {
                    result(value);
                }
            }
        }
        read = true;
    }
    read
}

fn result(value: &RawValue) {
    let _ = card::is_done(value);
    let _ = people::profile(value);
    let _ = people::people(value);
    let _ = people::departments(value);
    if let Ok(Some(layout)) = card::layout(value) {
        assert_eq!(layout.as_json(), value.get(), "a layout is kept byte for byte");
        shown(&layout);
        let key = CardKey::common(LeadCustomerType::Simple);
        let body = card::set_body(key, MethodFamily::Lead, &layout);
        let body = body.expect("what was read can be put back");
        let kept =
            body.strip_suffix(b"}").is_some_and(|body| body.ends_with(layout.as_json().as_bytes()));
        assert!(kept, "and is put back as it was");
    }
}
