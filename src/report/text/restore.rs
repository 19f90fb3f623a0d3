//! Plan of a restore as text: what happens to each card, with the reason.

use std::fmt::{self, Write as _};

use super::rows::{self, Line};
use crate::plan::diff::{LineChange, diff};
use crate::records::plan_file::RestoreCounts;
use crate::report::escape::visible_line;
use crate::report::report_model::{CheckResult, ReportModel, Row, RowGroup};
use crate::report::restore::RestoreReport;
use crate::report::style::{ADDED, FAINT, PLACE, REMOVED, WARNING};
use crate::report::{DiffDetail, RenderOptions, visible};

/// Writes the plan of a restore.
pub(super) fn write(
    out: &mut String,
    model: &ReportModel<'_>,
    report: &RestoreReport<'_>,
    options: &RenderOptions,
) -> fmt::Result {
    writeln!(out, "{}", visible(&report.heading()))?;
    for line in report.lines() {
        writeln!(out, "  {}", visible(&line))?;
    }
    writeln!(out)?;
    let lines: Vec<Line<'_>> =
        model.rows.iter().filter_map(|row| line(row, options.content)).collect();
    rows::write(out, &lines)?;
    if !lines.is_empty() {
        writeln!(out)?;
    }
    let RestoreCounts { restore, reset, keep: _, hold } = report.content.counts();
    match (restore + reset, hold) {
        (0, 0) => writeln!(out, "{}", tr!("Nothing to put back.")),
        (0, held) => writeln!(
            out,
            "{}",
            tr!("{n} card is held, and none is put back."
                | "{n} cards are held, and none is put back." % held)
        ),
        (_, _) => writeln!(out, "{} {}", tr!("Plan:"), report.sums()),
    }
}

fn line<'a>(row: &Row<'a>, content: DiffDetail) -> Option<Line<'a>> {
    let (style, word) = match (row.group, row.word) {
        // The check of a card that changed is skipped: it is left alone.
        (Some(RowGroup::PutBack), _) if row.result == Some(CheckResult::Skipped) => {
            (WARNING, tr!("keep"))
        }
        (Some(RowGroup::Held), _) => (WARNING, tr!("hold")),
        (Some(RowGroup::PutBack), "reset") => (REMOVED, tr!("reset")),
        (Some(RowGroup::PutBack), _) => (ADDED, tr!("put")),
        _ => (FAINT, tr!("keep")),
    };
    let text = visible(&row.reason_text()).into_owned();
    let below = match content {
        DiffDetail::Hidden => String::new(),
        DiffDetail::Shown => layouts(row),
    };
    Some(Line { style, word: word.into(), key: row.key?, name: row.name, text, below })
}

/// Returns the diff of the layouts of a row, as far as they were read.
pub(super) fn layouts(row: &Row<'_>) -> String {
    let mut text = String::new();
    for line in diff(row.layout, row.afterwards) {
        let style = match line.change {
            LineChange::Removed => REMOVED,
            LineChange::Added => ADDED,
            LineChange::Gap => PLACE,
            LineChange::Same => FAINT,
        };
        let shown = visible_line(&line.text);
        let _ = writeln!(text, "       {style}{}{shown}{style:#}", line.change.sign());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::engine::{RestoreDecision, RestorePlan, RestoreTarget};
    use crate::model::{Layout, ReadTrust};
    use crate::records::plan_file::{PlannedRestore, RestorePlanContent, RestorePlanTarget};
    use crate::records::samples;
    use crate::report::{
        DiffDetail, OutputFormat, Purpose, RenderOptions, Report, RestoreReport, Subject,
    };

    #[test]
    fn what_people_wrote_into_a_card_commands_no_build_server() {
        let title = r###"[{"name":"main","title":"##[error]","type":"section","elements":[]}]"###;
        let wanted = Layout::from_json(title).unwrap();
        let key = samples::personal(7);
        let put = PlannedRestore::Restore { backup: (&wanted).into(), over: None };
        let target = RestorePlanTarget { decision: put, name: Default::default(), key };
        let content = RestorePlanContent { targets: vec![target], ..samples::restore_plan() };
        let decision = RestoreDecision::Restore { wanted, over: None };
        let plan = RestorePlan {
            restored_run: samples::run(),
            trust: ReadTrust::Unproven,
            targets: vec![RestoreTarget { key, decision }],
            common_defaults: BTreeMap::new(),
        };
        let report =
            RestoreReport { content: &content, layouts: Some(&plan), file: None, settled: &[] };
        let options = RenderOptions { content: DiffDetail::Shown, ..RenderOptions::default() };
        let report = Report { purpose: Purpose::Restore, subject: Subject::Restore(&report) };
        let text = report.render(OutputFormat::Text, &options);
        let text = anstream::adapter::strip_str(&text).to_string();
        assert!(text.contains("+section main \"## [error]\"") && !text.contains("##["), "{text}");
    }
}
