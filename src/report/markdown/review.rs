//! Cards that a plan resets, as Markdown: a table with a row for each layout, and the card before
//! and after, folded away.

use std::fmt::Write as _;

use super::{Detail, diff_block, short};
use crate::i18n::Text;
use crate::model::{CardKey, UserId};
use crate::plan::Plan;
use crate::report::card_view::FieldView;
use crate::report::review::{
    Afterwards, Comparison, LayoutGroup, Review, departments_of, kind_lines,
};

/// Number of people of a group that are named.
const MAX_PEOPLE: usize = 6;

/// Number of vanishing fields that the table names.
const MAX_VANISHING: usize = 6;

/// Number of fields that are named in one line.
const MAX_FIELDS: usize = 40;

/// Writes a table with a row for each layout, and the first diffs.
pub(super) fn write(text: &mut String, review: &Review<'_>, plan: &Plan, detail: Detail) {
    let head = tr!("who | department | cards | now | afterwards");
    let _ = writeln!(text, "\n| {head} |\n|---|---|---|---|---|");
    for group in review.groups.iter().take(detail.groups) {
        if text.len() > detail.limit {
            return;
        }
        let People { names, departments, cards } = People::new(group, plan);
        let mut now = group.title(short).to_string();
        if group.afterwards.iter().any(|after| group.is_common_card(after)) {
            let _ = write!(now, "; **{}**", tr!("the layout is the one of the common card"));
        }
        let afterwards: Vec<String> =
            group.afterwards.iter().map(|after| afterwards(plan, group, after)).collect();
        let afterwards = afterwards.join("<br>");
        let _ = writeln!(text, "| {names} | {departments} | {cards} | {now} | {afterwards} |");
    }
    if let Some(left @ 1..) = review.groups.len().checked_sub(detail.groups) {
        let more = tr!("… and {n} more layout" | "… and {n} more layouts" % left);
        let _ = writeln!(text, "\n{more}");
    }
    for group in review.groups.iter().take(detail.diffs) {
        if text.len() > detail.limit {
            return;
        }
        before_and_after(text, plan, group);
    }
    let mut notes = kind_lines(plan, short);
    notes.extend(review.notes());
    if !notes.is_empty() {
        text.push('\n');
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
    }
}

/// Cells on the people of a group: a line for each person.
struct People {
    names: String,
    departments: String,
    cards: String,
}

impl People {
    fn new(group: &LayoutGroup<'_>, plan: &Plan) -> Self {
        // The targets are sorted, so a person's cards are neighbors.
        let mut people: Vec<(Option<UserId>, Vec<CardKey>)> = Vec::new();
        for target in &group.targets {
            let user = target.key.user();
            match people.last_mut() {
                Some((last, keys)) if *last == user => keys.push(target.key),
                _ => people.push((user, vec![target.key])),
            }
        }
        let (mut names, mut departments, mut cards) = (Vec::new(), Vec::new(), Vec::new());
        for (user, keys) in people.iter().take(MAX_PEOPLE) {
            let Some(key) = keys.first() else { continue };
            names.push(match user {
                Some(user) => format!("{} ({user})", short(plan.person_name(*key))),
                None => tr!("everybody in the common view").into(),
            });
            departments.push(short(&departments_of(plan, *key).unwrap_or_default().join(", ")));
            let kinds: Vec<String> = keys.iter().map(|key| key.kind.short()).collect();
            cards.push(kinds.join(", "));
        }
        if let Some(left @ 1..) = people.len().checked_sub(MAX_PEOPLE) {
            names.push(tr!("and {left} more", left).into());
            let left: usize = people.iter().skip(MAX_PEOPLE).map(|(_, keys)| keys.len()).sum();
            cards.push(tr!("and {left} more", left).into());
        }
        let cell = |lines: Vec<String>| lines.join("<br>");
        Self { names: cell(names), departments: cell(departments), cards: cell(cards) }
    }
}

/// Returns what is seen after the reset, and how much changes.
fn afterwards(plan: &Plan, group: &LayoutGroup<'_>, after: &Afterwards) -> String {
    let mut text = String::new();
    if group.afterwards.len() > 1 {
        let _ = write!(text, "{} ({}): ", after.kind(&plan.kinds, short), group.cards(after));
    }
    let _ = write!(text, "{}", after.card());
    if after.content.is_some() && group.layout.is_some() {
        let _ = write!(text, "; {}", changes(&group.compare(after)));
    }
    text
}

/// Returns the number of fields that vanish and appear; those that vanish are named.
fn changes(change: &Comparison<'_>) -> Text {
    let mut vanish =
        tr!("{n} field vanishes" | "{n} fields vanish" % change.vanishing.len()).to_string();
    if !change.vanishing.is_empty() {
        let label = |field: &FieldView| short(field.label.as_deref().unwrap_or(&field.code));
        let names: Vec<String> = change.vanishing.iter().take(MAX_VANISHING).map(label).collect();
        let more = if change.vanishing.len() > MAX_VANISHING { ", …" } else { "" };
        let _ = write!(vanish, " ({}{more})", names.join(", "));
    }
    let appear = tr!("{n} appears" | "{n} appear" % change.appearing.len());
    match change.hidden.len() {
        0 => tr!("{vanish}, {appear}", vanish, appear),
        hidden => tr!(
            "{vanish}, {appear}, {n} no longer shown when empty"
                | "{vanish}, {appear}, {n} no longer shown when empty" % hidden,
            vanish,
            appear
        ),
    }
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

fn before_and_after(text: &mut String, plan: &Plan, group: &LayoutGroup<'_>) {
    let (title, size) = (group.title(short), group.size());
    let _ = writeln!(text, "\n<details><summary>{title}: {size}</summary>");
    let mut shown = None;
    for after in &group.afterwards {
        let kind = after.kind(&plan.kinds, short);
        let _ = writeln!(text, "\n{}\n", tr!("Afterwards, {kind}: {}", after.sight(), kind));
        if shown.replace(&after.content) == Some(&after.content) {
            continue;
        }
        let comparison = group.compare(after);
        for (word, fields) in comparison.changes() {
            let names = fields.iter().take(MAX_FIELDS).map(field).collect::<Vec<_>>().join(", ");
            let more = match fields.len().checked_sub(MAX_FIELDS) {
                Some(left @ 1..) => format!(" {}", tr!("and {left} more", left)),
                Some(_) | None => String::new(),
            };
            let _ = writeln!(text, "- {word}: {names}{more}");
        }
        diff_block(text, &comparison.lines());
    }
    text.push_str("\n</details>\n");
}
