//! Cards that a plan resets, as Markdown: a table with a row for each layout, and the card before
//! and after, folded away.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Detail, diff_block, short};
use crate::i18n::Text;
use crate::plan::Plan;
use crate::report::card_view::FieldView;
use crate::report::review::{Afterwards, CardGroup, Review, departments_of};

/// Number of people of a group that are named.
const MAX_PEOPLE: usize = 6;

/// Number of vanishing fields that the table names.
const MAX_VANISHING: usize = 6;

/// Number of fields that are named in one line.
const MAX_FIELDS: usize = 40;

/// Number of departments of a group that are named.
const MAX_DEPARTMENTS: usize = 3;

/// Writes a table with a row for each layout, and the first diffs.
pub(super) fn write(text: &mut String, review: &Review<'_>, plan: &Plan, detail: Detail) {
    let head = tr!("who | department | cards | now | afterwards");
    let _ = writeln!(text, "\n| {head} |\n|---|---|---|---|---|");
    for group in review.groups.iter().take(detail.groups) {
        if text.len() > detail.limit {
            return;
        }
        let (people, departments) = (people(group, plan), departments(group, plan));
        let (cards, now) = (group.targets.len(), group.title(short));
        let afterwards: Vec<String> =
            group.afterwards.iter().map(|after| afterwards(group, after)).collect();
        let afterwards = afterwards.join("<br>");
        let _ = writeln!(text, "| {people} | {departments} | {cards} | {now} | {afterwards} |");
    }
    if let Some(left @ 1..) = review.groups.len().checked_sub(detail.groups) {
        let more = tr!("… and {n} more layout" | "… and {n} more layouts" % left);
        let _ = writeln!(text, "\n{more}");
    }
    for group in review.groups.iter().take(detail.diffs) {
        if text.len() > detail.limit {
            return;
        }
        before_and_after(text, group);
    }
    let notes = review.notes();
    if !notes.is_empty() {
        text.push('\n');
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
    }
}

fn people(group: &CardGroup<'_>, plan: &Plan) -> String {
    let mut named = BTreeSet::new();
    let keys = group.targets.iter().map(|target| target.key);
    let mut names = Vec::new();
    for key in keys {
        match key.user() {
            Some(user) if named.insert(user) => {
                if names.len() < MAX_PEOPLE {
                    names.push(format!("{} ({user})", short(plan.person_name(key))));
                }
            }
            Some(_) => {}
            None => names.push(tr!("everybody in the common view").into()),
        }
    }
    if let Some(left @ 1..) = named.len().checked_sub(MAX_PEOPLE) {
        names.push(tr!("and {left} more", left).into());
    }
    names.join(", ")
}

fn departments(group: &CardGroup<'_>, plan: &Plan) -> String {
    let all = group.targets.iter().filter_map(|target| departments_of(plan, target.key)).flatten();
    let all: BTreeSet<String> = all.collect();
    let mut shown: Vec<String> = all.iter().take(MAX_DEPARTMENTS).map(|name| short(name)).collect();
    if let Some(left @ 1..) = all.len().checked_sub(MAX_DEPARTMENTS) {
        shown.push(tr!("and {left} more", left).into());
    }
    shown.join(", ")
}

/// Returns what is seen after the reset, and how much changes.
fn afterwards(group: &CardGroup<'_>, after: &Afterwards) -> String {
    let mut text = String::new();
    if group.afterwards.len() > 1 {
        let _ = write!(text, "{} ({}): ", after.kind(), after.cards);
    }
    let _ = write!(text, "{}", after.card());
    if after.content.is_some() && group.layout.is_some() {
        let _ = write!(text, "; {}", changes(after));
    }
    text
}

/// Returns the number of fields that vanish and appear; those that vanish are named.
fn changes(after: &Afterwards) -> Text {
    let mut vanish =
        tr!("{n} field vanishes" | "{n} fields vanish" % after.vanishing.len()).to_string();
    if !after.vanishing.is_empty() {
        let label = |field: &FieldView| short(field.label.as_deref().unwrap_or(&field.code));
        let names: Vec<String> = after.vanishing.iter().take(MAX_VANISHING).map(label).collect();
        let more = if after.vanishing.len() > MAX_VANISHING { ", …" } else { "" };
        let _ = write!(vanish, " ({}{more})", names.join(", "));
    }
    let appear = tr!("{n} appears" | "{n} appear" % after.appearing.len());
    tr!("{vanish}, {appear}", vanish, appear)
}

/// Returns label and code of a field.
fn field(field: &FieldView) -> String {
    let is_plain = field.code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let code = if is_plain { format!("`{}`", field.code) } else { short(&field.code) };
    match &field.label {
        Some(label) => format!("{} ({code})", short(label)),
        None => code,
    }
}

fn before_and_after(text: &mut String, group: &CardGroup<'_>) {
    let (title, size) = (group.title(short), group.size());
    let _ = writeln!(text, "\n<details><summary>{title}: {size}</summary>");
    let mut shown = None;
    for after in &group.afterwards {
        let kind = after.kind();
        let _ = writeln!(text, "\n{}\n", tr!("Afterwards, {kind}: {}", after.sight(), kind));
        if shown.replace(&after.content) == Some(&after.content) {
            continue;
        }
        for (word, fields) in after.changes() {
            let names = fields.iter().take(MAX_FIELDS).map(field).collect::<Vec<_>>().join(", ");
            let more = match fields.len().checked_sub(MAX_FIELDS) {
                Some(left @ 1..) => format!(" {}", tr!("and {left} more", left)),
                Some(_) | None => String::new(),
            };
            let _ = writeln!(text, "- {word}: {names}{more}");
        }
        diff_block(text, &group.diff(after));
    }
    text.push_str("\n</details>\n");
}
