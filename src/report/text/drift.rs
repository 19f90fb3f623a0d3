//! Drift as text: the differences by kind, and the fingerprint for an alert.

use std::fmt::{self, Write as _};

use super::plan::{as_wanted, portal};
use super::rows::{self, Line};
use crate::plan::{Drift, DriftKind};
use crate::report::report_model::{ReportModel, Row};
use crate::report::style::{BAD, FAINT, GOOD, HEADING, PLACE, WARNING};
use crate::report::{PlanReport, visible};

/// Writes a drift.
pub(super) fn write(
    out: &mut String,
    model: &ReportModel<'_>,
    report: &PlanReport<'_>,
    drift: &Drift,
) -> fmt::Result {
    let portal = portal(report.plan.portal.as_str(), report.caller.emulator);
    let read = tr!("read as user {}", report.caller.user);
    writeln!(out, "{HEADING}{portal}{HEADING:#}, {read}\n")?;
    let mut cards: Vec<(DriftKind, &Row<'_>)> =
        model.rows.iter().filter_map(|row| Some((row.drift?, row))).collect();
    cards.sort_by_key(|(kind, row)| (*kind, row.key));
    rows::write(out, &cards.iter().filter_map(|(kind, row)| line(*kind, row)).collect::<Vec<_>>())?;
    for problem in &drift.gone {
        let place = problem.place().map(|place| format!("{}:{}", place.file, place.line));
        let place = place.unwrap_or_default();
        let (gone, message, place) = (tr!("gone"), visible(&problem.message), visible(&place));
        writeln!(out, "{BAD}{gone}{BAD:#}  {message}  {PLACE}{place}{PLACE:#}")?;
    }
    if !cards.is_empty() || !drift.gone.is_empty() {
        writeln!(out)?;
    }
    let again = drift.count(DriftKind::CustomizedAgain);
    if again > 0 {
        let cards = tr!("{n} card was customized again after the reset, which mode once allows."
            | "{n} cards were customized again after the reset, which mode once allows." % again);
        writeln!(out, "{FAINT}{cards}{FAINT:#}")?;
    }
    let Some(fingerprint) = model.fingerprint else {
        let wanted = as_wanted(drift.settled);
        return writeln!(out, "{GOOD}{}{GOOD:#} {wanted}", tr!("No drift."));
    };
    writeln!(out, "{HEADING}{}{HEADING:#} {}", tr!("Drift:"), DriftSums(drift))?;
    writeln!(out, "{}", tr!("Fingerprint {fingerprint}", fingerprint))
}

fn line<'a>(kind: DriftKind, row: &Row<'a>) -> Option<Line<'a>> {
    let place = row.place().map(|place| format!("{}:{}", visible(&place.file), place.line));
    Some(Line {
        style: if kind.is_pending() { WARNING } else { FAINT },
        word: kind.to_string(),
        key: row.key?,
        name: row.name,
        text: format!("{PLACE}{}{PLACE:#}", place.unwrap_or_default()),
        below: String::new(),
    })
}

/// Number of drifted cards by kind.
pub(in crate::report) struct DriftSums<'a>(pub(in crate::report) &'a Drift);

impl fmt::Display for DriftSums<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(drift) = self;
        let mut counts: Vec<String> = DriftKind::ALL
            .into_iter()
            .filter(|kind| kind.is_pending() && drift.count(*kind) > 0)
            .map(|kind| format!("{} {kind}", drift.count(kind)))
            .collect();
        if !drift.gone.is_empty() {
            counts.push(tr!("{} gone", drift.gone.len()).to_string());
        }
        write!(f, "{}; {}", counts.join(", "), tr!("{} as wanted.", drift.settled))
    }
}
