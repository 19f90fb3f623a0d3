//! Drift as text: the differences by kind, and the fingerprint for an alert.

use std::fmt;

use crate::plan::{Drift, DriftKind, DriftedCard};
use crate::report::humanize::{NAME_WIDTH, column_width, truncate_to_width};
use crate::report::style::{BAD, FAINT, GOOD, HEADING, PLACE, WARNING};
use crate::report::text::plan::{as_wanted, portal};
use crate::report::{PlanReport, visible};

/// Drift, with its plan.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct DriftText<'a> {
    pub(in crate::report) report: &'a PlanReport<'a>,
    pub(in crate::report) drift: &'a Drift,
}

impl fmt::Display for DriftText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, drift } = self;
        let plan = report.plan;
        let portal = portal(plan.portal.as_str(), report.caller.emulator);
        writeln!(
            f,
            "{HEADING}{portal}{HEADING:#}, {}\n",
            tr!("read as user {}", report.caller.user)
        )?;
        let mut cards: Vec<&DriftedCard> = drift.cards.iter().collect();
        cards.sort_by_key(|card| (card.kind, card.key));
        let kind_width =
            cards.iter().map(|card| card.kind.to_string().chars().count()).max().unwrap_or(0);
        let key_width = cards.iter().map(|card| card.key.to_string().len()).max().unwrap_or(0);
        let name_width =
            column_width(cards.iter().map(|card| plan.person_name(card.key)), NAME_WIDTH);
        for card in &cards {
            let style = if card.kind.is_pending() { WARNING } else { FAINT };
            let (key, name) =
                (card.key.to_string(), truncate_to_width(plan.person_name(card.key), name_width));
            let place = &card.origin.place;
            write!(f, "{style}{:<kind_width$}{style:#}  {key:<key_width$}  ", card.kind)?;
            if name_width > 0 {
                write!(f, "{:<name_width$}  ", visible(&name))?;
            }
            writeln!(f, "{PLACE}{}:{}{PLACE:#}", visible(&place.file), place.line)?;
        }
        for problem in &drift.gone {
            let place = problem
                .place()
                .map(|place| format!("{}:{}", place.file, place.line))
                .unwrap_or_default();
            let (gone, message, place) = (tr!("gone"), visible(&problem.message), visible(&place));
            writeln!(f, "{BAD}{gone}{BAD:#}  {message}  {PLACE}{place}{PLACE:#}")?;
        }
        if !cards.is_empty() || !drift.gone.is_empty() {
            writeln!(f)?;
        }
        let again = drift.count(DriftKind::CustomizedAgain);
        if again > 0 {
            let cards =
                tr!("{n} card was customised again after the reset, which mode once allows."
                    | "{n} cards were customised again after the reset, which mode once allows."
                        % again);
            writeln!(f, "{FAINT}{cards}{FAINT:#}")?;
        }
        let Some(fingerprint) = drift.fingerprint() else {
            return writeln!(f, "{GOOD}{}{GOOD:#} {}", tr!("No drift:"), as_wanted(drift.settled));
        };
        writeln!(f, "{HEADING}{}{HEADING:#} {}", tr!("Drift:"), DriftSums(drift))?;
        writeln!(f, "{}", tr!("Fingerprint {fingerprint}", fingerprint))
    }
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
