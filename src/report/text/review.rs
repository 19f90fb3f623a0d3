//! Cards that a plan resets, as text: groups of cards with the same layout, and with `--detail` the
//! card before and after.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::rc::Rc;

use anstyle::Style;

use super::rows::{self, Line};
use crate::plan::diff::LineChange;
use crate::plan::{Plan, PlannedTarget};
use crate::report::card_view::FieldView;
use crate::report::escape::visible_line;
use crate::report::report_model::{ReportModel, Row, RowGroup};
use crate::report::review::{Afterwards, LayoutGroup, Review, departments_of};
use crate::report::style::{ADDED, FAINT, PLACE, REMOVED};
use crate::report::{Commit, DiffDetail, Grouping, PlanReport, RenderOptions, visible};

/// Number of cards of one group that are listed.
const MAX_CARDS: usize = 25;

/// Width of lists of fields.
const MAX_WIDTH: usize = 92;

/// Margin of the lines below a card or a group.
const MARGIN: &str = "       ";

/// Writes the cards that a plan resets.
pub(super) fn write(
    out: &mut String,
    model: &ReportModel<'_>,
    review: &Review<'_>,
    report: &PlanReport<'_>,
    options: &RenderOptions,
) -> fmt::Result {
    match options.grouping {
        Grouping::Layout => {
            for group in &review.groups {
                write_group(out, group, report, options.content)?;
            }
            Ok(())
        }
        Grouping::None => {
            let mut lines = Vec::new();
            for row in model.rows.iter().filter(|row| row.group == Some(RowGroup::Reset)) {
                let group = row.key.and_then(|key| review.group_of(key));
                lines.extend(group.and_then(|group| single(row, group, report, options.content)));
            }
            rows::write(out, &lines)
        }
    }
}

fn write_group(
    out: &mut String,
    group: &LayoutGroup<'_>,
    report: &PlanReport<'_>,
    content: DiffDetail,
) -> fmt::Result {
    let (word, size) = (tr!("reset"), group.size());
    let title = group.title(|title| visible(title).into_owned());
    writeln!(out, "{REMOVED}{word}{REMOVED:#}  {size}: {title}")?;
    let lines: Vec<Line<'_>> = group
        .targets
        .iter()
        .take(MAX_CARDS)
        .map(|target| Line {
            style: Style::new(),
            word: String::new(),
            key: target.key,
            name: report.plan.person_name(target.key),
            text: departments(report, target),
            below: String::new(),
        })
        .collect();
    rows::write(out, &lines)?;
    if let Some(left @ 1..) = group.targets.len().checked_sub(MAX_CARDS) {
        let more = tr!("and {left} more; `--group none` lists every card", left);
        writeln!(out, "{MARGIN}{FAINT}{more}{FAINT:#}")?;
    }
    if content == DiffDetail::Shown {
        let mut origins = BTreeSet::new();
        for target in &group.targets {
            if origins.insert((&target.origin.place, &target.origin.selector)) {
                origin(out, target, report)?;
            }
        }
        before_and_after(out, report.plan, group, &group.afterwards)?;
    }
    Ok(())
}

fn single<'a>(
    row: &Row<'a>,
    group: &LayoutGroup<'_>,
    report: &PlanReport<'_>,
    content: DiffDetail,
) -> Option<Line<'a>> {
    let key = row.key?;
    let target = group.targets.iter().find(|target| target.key == key)?;
    let mut below = String::new();
    if content == DiffDetail::Shown {
        let after = group.after(key);
        origin(&mut below, target, report).ok()?;
        before_and_after(&mut below, report.plan, group, after.map_or(&[], std::slice::from_ref))
            .ok()?;
    }
    let departments = departments(report, target);
    let text = match departments.as_str() {
        "" => visible(&row.reason_text()).into_owned(),
        departments => format!("{departments}; {}", visible(&row.reason_text())),
    };
    Some(Line { style: REMOVED, word: tr!("reset").into(), key, name: row.name, text, below })
}

/// Returns the departments of a target's person, safe for a terminal; in mode `once` with the state
/// of the card.
fn departments(report: &PlanReport<'_>, target: &PlannedTarget) -> String {
    let departments = departments_of(report.plan, target.key).unwrap_or_default().join(", ");
    let departments = visible(&departments).into_owned();
    match target.once {
        Some(state) if departments.is_empty() => state.to_string(),
        Some(state) => format!("{departments}; {state}"),
        None => departments,
    }
}

/// Writes where a target comes from.
pub(super) fn origin(
    out: &mut String,
    target: &PlannedTarget,
    report: &PlanReport<'_>,
) -> fmt::Result {
    let origin = &target.origin;
    let (place, selector) = (origin.place.to_string(), origin.selector.to_string());
    let (place, selector) = (visible(&place), visible(&selector));
    writeln!(out, "{MARGIN}{PLACE}{place}{PLACE:#} {FAINT}{selector}{FAINT:#}")?;
    write!(out, "{MARGIN}{FAINT}{}", tr!("because: {}", visible(&origin.reason)))?;
    if let Some(Commit { id, author, date }) = report.commit(origin) {
        let (id, author) = (format_args!("{id:.10}"), visible(author));
        write!(out, " ({})", tr!("commit {id} of {date} by {author}", id, date, author))?;
    }
    writeln!(out, "{FAINT:#}")
}

/// Writes a list of fields in lines of a readable length.
fn wrapped(out: &mut String, word: &str, names: &[String]) -> fmt::Result {
    write!(out, "{MARGIN}{word}:")?;
    let mut width = MARGIN.len() + word.chars().count() + 1;
    for (index, name) in names.iter().enumerate() {
        let name = visible(name);
        let comma = if index + 1 < names.len() { "," } else { "" };
        let length = name.chars().count() + 1 + comma.len();
        if width + length > MAX_WIDTH {
            write!(out, "\n{MARGIN} ")?;
            width = MARGIN.len() + 1;
        }
        write!(out, " {name}{comma}")?;
        width += length;
    }
    writeln!(out)
}

/// Writes the card before and after.
fn before_and_after(
    out: &mut String,
    plan: &Plan,
    group: &LayoutGroup<'_>,
    afterwards: &[Rc<Afterwards>],
) -> fmt::Result {
    let mut shown = None;
    for after in afterwards {
        let heading = match afterwards {
            [_] => tr!("afterwards"),
            _ => tr!("afterwards, {}", after.kind(&plan.kinds, |name| visible(name).into())),
        };
        writeln!(out, "{MARGIN}{heading}: {}", after.sight())?;
        // One diff is enough where the card afterwards is the same.
        if shown.replace(&after.content) == Some(&after.content) {
            continue;
        }
        let comparison = group.compare(after);
        for (word, fields) in comparison.changes() {
            let names: Vec<String> = fields.iter().map(FieldView::name).collect();
            wrapped(out, &word, &names)?;
        }
        for line in comparison.lines() {
            let style = match line.change {
                LineChange::Removed => REMOVED,
                LineChange::Added => ADDED,
                LineChange::Gap => PLACE,
                LineChange::Same => FAINT,
            };
            let text = visible_line(&line.text);
            writeln!(out, "{MARGIN}{style}{}{text}{style:#}", line.change.sign())?;
        }
    }
    Ok(())
}
