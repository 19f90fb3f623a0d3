//! Columns of tables.

use crate::model::{Layout, SourceLocation};
use crate::plan::OnceState;
use crate::records::plan_file::{LayoutSummary, PlannedRestore};
use crate::report::report_model::{About, Column, ReportModel, Row};
use crate::report::review::departments_of;
use crate::report::subject::Subject;

/// Columns of a plan, and of a plan file.
pub(super) const PLAN: &[Column] = &[
    TARGET,
    USER,
    NAME,
    LEAD_TYPE,
    ("decision", word),
    ("reason", reason),
    ("text", text),
    ("sections", |_, row| row.layout.map(Layout::sections).map_or_else(String::new, shown)),
    ("fields", |_, row| row.layout.map(Layout::fields).map_or_else(String::new, shown)),
    GENERATION,
    MANIFEST,
    FILE,
    LINE,
    SELECTOR,
    ("once", |_, row| row.once.map_or("", OnceState::as_str).to_owned()),
    ("departments", |model, row| match (&model.about, row.key) {
        (About::Plan(report), Some(key)) => {
            departments_of(report.plan, key).unwrap_or_default().join("; ")
        }
        _ => String::new(),
    }),
    ("layout", |_, row| {
        row.layout.map_or_else(String::new, |layout| shown(layout.digest().short()))
    }),
    ("vanishing", |model, row| {
        changed_fields(model, row).map_or("", |[names, _]| names).to_owned()
    }),
    ("appearing", |model, row| {
        changed_fields(model, row).map_or("", |[_, names]| names).to_owned()
    }),
];

/// Columns of a drift. The fingerprint of the whole stands in every row.
pub(super) const DRIFT: &[Column] = &[
    TARGET,
    USER,
    NAME,
    LEAD_TYPE,
    ("kind", word),
    ("drift", reason),
    ("text", |model, row| row.drift.map_or_else(|| text(model, row), shown)),
    GENERATION,
    MANIFEST,
    FILE,
    LINE,
    SELECTOR,
    ("fingerprint", |model, _| model.fingerprint.map_or_else(String::new, shown)),
];

/// Columns of the plan of a restore.
pub(super) const RESTORE: &[Column] = &[
    TARGET,
    USER,
    NAME,
    LEAD_TYPE,
    ("decision", word),
    ("reason", reason),
    ("text", text),
    ("now", |model, row| digest(model, row, PlannedRestore::present)),
    ("backup", |model, row| digest(model, row, PlannedRestore::backup)),
];

/// Columns of a run.
pub(super) const RUN: &[Column] =
    &[TARGET, USER, NAME, LEAD_TYPE, ("result", word), ("outcome", reason), ("text", text)];

/// Columns of the problems in manifests.
pub(super) const PROBLEMS: &[Column] = &[
    ("severity", word),
    ("code", reason),
    FILE,
    LINE,
    ("column", |_, row| number(row, |place| place.column)),
    ("message", text),
    ("help", |_, row| {
        let help = row.problem.and_then(|problem| problem.help.as_deref());
        help.unwrap_or_default().to_owned()
    }),
];

/// Columns of the messages of a command that failed.
pub(super) const FAILURE: &[Column] = &[
    ("exit code", |model, _| model.failure.map_or_else(String::new, |failed| shown(failed.code))),
    ("kind", word),
    ("text", text),
];

const TARGET: Column = ("target", |_, row| row.key.map_or_else(String::new, shown));
const USER: Column =
    ("user", |_, row| row.key.and_then(|key| key.user()).map_or_else(String::new, shown));
const NAME: Column = ("name", |_, row| row.name.to_owned());
const LEAD_TYPE: Column =
    ("lead type", |_, row| row.key.and_then(|key| key.kind.lead()).map_or_else(String::new, shown));
const GENERATION: Column = ("generation", |_, row| row.generation.map_or_else(String::new, shown));
const MANIFEST: Column =
    ("manifest", |_, row| row.origin.map_or_else(String::new, |origin| shown(&origin.manifest)));
const FILE: Column =
    ("file", |_, row| row.place().map_or_else(String::new, |place| shown(&place.file)));
const LINE: Column = ("line", |_, row| number(row, |place| place.line));
const SELECTOR: Column =
    ("selector", |_, row| row.origin.map_or_else(String::new, |origin| shown(&origin.selector)));

/// Returns the fields that vanish with a reset, and those that appear.
fn changed_fields<'a>(model: &'a ReportModel<'_>, row: &Row<'_>) -> Option<&'a [String; 2]> {
    let key = row.key?;
    model.review.as_ref()?.group_of(key)?.changed_fields(key)
}

fn word(_: &ReportModel<'_>, row: &Row<'_>) -> String {
    row.word.to_owned()
}

fn reason(_: &ReportModel<'_>, row: &Row<'_>) -> String {
    row.reason.to_owned()
}

fn text(_: &ReportModel<'_>, row: &Row<'_>) -> String {
    row.text.to_string()
}

/// Returns the digest of a layout of a restore.
fn digest(
    model: &ReportModel<'_>,
    row: &Row<'_>,
    layout: fn(&PlannedRestore) -> Option<LayoutSummary>,
) -> String {
    let Subject::Restore(report) = model.subject else { return String::new() };
    let target = row.key.and_then(|key| report.content.target(key));
    let layout = target.and_then(|target| layout(&target.decision));
    layout.map_or_else(String::new, |layout| shown(layout.digest))
}

fn number(row: &Row<'_>, number: fn(&SourceLocation) -> u32) -> String {
    row.place().map(number).map_or_else(String::new, shown)
}

fn shown(value: impl ToString) -> String {
    value.to_string()
}
