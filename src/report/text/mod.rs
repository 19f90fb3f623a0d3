//! Reports as text for people: plans, restores, runs and drift.

pub(super) mod drift;
pub(super) mod plan;
pub(super) mod restore;
mod review;
mod rows;
pub(super) mod run;

use std::fmt::{self, Write as _};

use anstyle::Style;
use rows::Line;

use super::report_model::{About, CheckResult, Guards, ReportModel, Row};
use super::style::WARNING;
use super::subject::Subject;
use super::{DiffDetail, RenderOptions, visible};
use crate::i18n::Text;

/// Renders the report as text.
pub(super) fn render(model: &ReportModel<'_>, options: &RenderOptions) -> String {
    let mut text = String::new();
    let written = match (&model.about, model.subject) {
        (About::Plan(report), _) => match model.drift {
            Some(drift) => drift::write(&mut text, model, report, drift),
            None => plan::write(&mut text, model, report, options),
        },
        (About::Run(run), _) => {
            let run = run.text(options.listing);
            run.map_or(Ok(()), |run| write!(text, "{run}"))
        }
        (_, Subject::Restore(report)) => restore::write(&mut text, model, report, options),
        (About::PlanFile(heading, lines), _) => {
            plan_file(&mut text, model, heading, lines, options.content)
        }
        (_, Subject::Validation(checked)) => write!(text, "{checked}"),
        (_, Subject::Failure(failed)) => write!(text, "{failed}"),
        (About::Manifests(_) | About::Command, _) => Ok(()),
    };
    // Memory takes every write.
    debug_assert!(written.is_ok());
    text
}

fn plan_file(
    out: &mut String,
    model: &ReportModel<'_>,
    heading: &Text,
    lines: &[Text],
    content: DiffDetail,
) -> fmt::Result {
    writeln!(out, "{}", visible(heading))?;
    for line in lines {
        writeln!(out, "  {}", visible(line))?;
    }
    writeln!(out)?;
    let lines: Vec<Line<'_>> = model.rows.iter().filter_map(|row| planned(row, content)).collect();
    rows::write(out, &lines)?;
    let sums = model.headline.sums.as_ref().map_or("", Text::as_str);
    writeln!(out, "\n{} {sums}", tr!("Plan:"))?;
    let Some(guards @ Guards { violations, acknowledged, .. }) = &model.guards else {
        return Ok(());
    };
    for found in *acknowledged {
        writeln!(out, "{} {}", tr!("acknowledged:"), visible(&found.words(guards.names)))?;
    }
    for (found, _) in violations {
        writeln!(out, "{} {}", tr!("guard:"), visible(&found.words(guards.names)))?;
    }
    Ok(())
}

fn planned<'a>(row: &Row<'a>, content: DiffDetail) -> Option<Line<'a>> {
    let from = row.origin.map(|origin| format!("{} {}", origin.place, origin.selector));
    // The check of a card that changed is skipped: apply leaves it alone.
    let (style, word) = match row.result {
        Some(CheckResult::Skipped) => (WARNING, tr!("keep").into()),
        _ => (Style::new(), tr!("reset").into()),
    };
    let text = visible(&row.reason_text()).into_owned();
    let mut below = format!("       {}\n", visible(&from.unwrap_or_default()));
    match content {
        DiffDetail::Hidden => {}
        DiffDetail::Shown => below.push_str(&restore::layouts(row)),
    }
    Some(Line { style, word, key: row.key?, name: row.name, text, below })
}
