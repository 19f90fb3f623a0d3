//! Report of a run, as text.

use std::collections::BTreeMap;
use std::fmt;

use super::rows::{self, Line};
use crate::engine::TargetOutcome;
use crate::i18n::Text;
use crate::model::{CardKey, OutcomeClass, RunId, Totals};
use crate::report::style::{BAD, GOOD, HEADING, WARNING};
use crate::report::visible;

/// Filter of the listed outcomes. The totals always count all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutcomeFilter {
    Problems,
    All,
}

/// Report of a run: every target outside of the planned state, the totals, and the next steps.
#[derive(Clone, Debug)]
pub struct RunText<'a> {
    run: &'a RunId,
    targets: &'a [TargetOutcome],
    totals: Totals,
    stopped: Option<&'a str>,
    held: u32,
    incomplete: Option<&'a Text>,
    names: BTreeMap<CardKey, &'a str>,
    listed: OutcomeFilter,
}

impl<'a> RunText<'a> {
    /// Creates the report of a run that lists only targets that did not go as planned.
    pub fn new(run: &'a RunId, targets: &'a [TargetOutcome], totals: Totals) -> Self {
        Self {
            run,
            targets,
            totals,
            stopped: None,
            held: 0,
            incomplete: None,
            names: BTreeMap::new(),
            listed: OutcomeFilter::Problems,
        }
    }

    /// Lists every target.
    #[must_use]
    pub fn with_every_target(self) -> Self {
        Self { listed: OutcomeFilter::All, ..self }
    }

    /// Adds the reason why the run ended early, if it did.
    #[must_use]
    pub fn with_reason(self, stopped: Option<&'a str>) -> Self {
        Self { stopped, ..self }
    }

    /// Adds the number of targets that were held, which count as not done.
    #[must_use]
    pub fn with_held(self, held: usize) -> Self {
        Self { held: u32::try_from(held).unwrap_or(u32::MAX), ..self }
    }

    /// Adds what may be left to do with cards that nobody can name.
    #[must_use]
    pub fn with_incomplete(self, incomplete: Option<&'a Text>) -> Self {
        Self { incomplete, ..self }
    }

    /// Adds people's names.
    #[must_use]
    pub fn with_names(self, names: impl IntoIterator<Item = (CardKey, &'a str)>) -> Self {
        Self { names: names.into_iter().collect(), ..self }
    }
}

impl<'a> fmt::Display for RunText<'a> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_listed = |settled: &&TargetOutcome| {
            self.listed == OutcomeFilter::All
                || !settled.outcome.is_resolved()
                || settled.outcome.is_unseen()
        };
        let listed: Vec<&'a TargetOutcome> = self.targets.iter().filter(is_listed).collect();
        let line = |settled: &&'a TargetOutcome| {
            let style = match settled.outcome.class() {
                OutcomeClass::Done => GOOD,
                OutcomeClass::Skipped if settled.outcome.is_resolved() => GOOD,
                OutcomeClass::Skipped => WARNING,
                OutcomeClass::Failed => BAD,
                OutcomeClass::Unknown => WARNING,
            };
            Line {
                style,
                word: class(settled.outcome.class()).into(),
                key: settled.key,
                name: self.names.get(&settled.key).copied().unwrap_or(""),
                text: visible(&settled.outcome.to_string()).into_owned(),
                below: String::new(),
            }
        };
        rows::write(f, &listed.iter().map(line).collect::<Vec<_>>())?;
        if !listed.is_empty() {
            writeln!(f)?;
        }
        let Totals { done, skipped, failed, unknown } = self.totals;
        let held = self.held;
        let clean = held == 0
            && self.incomplete.is_none()
            && self.targets.iter().all(|settled| settled.outcome.is_resolved());
        let style = if clean { GOOD } else { WARNING };
        let all = self.totals.planned().saturating_add(held);
        let sums = match held {
            0 => tr!(
                "{done} of {n} card; {skipped} skipped, {failed} failed, {unknown} unknown."
                    | "{done} of {n} cards; {skipped} skipped, {failed} failed, {unknown} unknown."
                        % all,
                done,
                skipped,
                failed,
                unknown
            ),
            held => tr!(
                "{done} of {n} card; {skipped} skipped, {failed} failed, {unknown} unknown, {held} held."
                    | "{done} of {n} cards; {skipped} skipped, {failed} failed, {unknown} unknown, {held} held."
                        % all,
                done,
                skipped,
                failed,
                unknown,
                held
            ),
        };
        writeln!(f, "{style}{}{style:#} {sums}", tr!("Done:"))?;
        if let Some(reason) = self.stopped {
            writeln!(
                f,
                "{WARNING}{}{WARNING:#} {}",
                tr!("The run ended early:"),
                visible(&Text::from_msgid(reason))
            )?;
        }
        if let Some(incomplete) = self.incomplete {
            writeln!(f, "{WARNING}{}{WARNING:#}", visible(incomplete))?;
        }
        writeln!(f, "{HEADING}{}{HEADING:#}", tr!("Run {}", self.run))
    }
}

/// Returns the word for a class of outcome.
fn class(class: OutcomeClass) -> Text {
    match class {
        OutcomeClass::Done => tr!("done"),
        OutcomeClass::Skipped => tr!("skip"),
        OutcomeClass::Failed => tr!("fail"),
        OutcomeClass::Unknown => tr!("open"),
    }
}
