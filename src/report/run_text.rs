//! What became of a run, as text.

use std::collections::BTreeMap;
use std::fmt;

use super::style::{BAD, GOOD, HEADING, WARNING};
use super::visible;
use super::words::{Counted, column_width, fitted};
use crate::engine::Settled;
use crate::model::{CardKey, OutcomeClass, RunId, Totals};

/// Names are cut here, so that a line fits 80 columns.
const NAME_WIDTH: usize = 22;

/// Which outcomes are listed one by one. The sums always count all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    Problems,
    All,
}

/// What became of a run: every target that is not as it should be, the sums, and where to go from here.
#[derive(Clone, Debug)]
pub struct RunText<'a> {
    run: &'a RunId,
    targets: &'a [Settled],
    totals: Totals,
    stopped: Option<&'a str>,
    names: BTreeMap<CardKey, &'a str>,
    listed: Listed,
}

impl<'a> RunText<'a> {
    /// A report of a run, that lists only what went otherwise than planned.
    pub fn new(run: &'a RunId, targets: &'a [Settled], totals: Totals) -> Self {
        Self { run, targets, totals, stopped: None, names: BTreeMap::new(), listed: Listed::Problems }
    }

    /// Lists every target.
    #[must_use]
    pub fn with_every_target(self) -> Self {
        Self { listed: Listed::All, ..self }
    }

    /// Adds why the run ended early, if it did.
    #[must_use]
    pub fn with_reason(self, stopped: Option<&'a str>) -> Self {
        Self { stopped, ..self }
    }

    /// Adds people's names.
    #[must_use]
    pub fn with_names(self, names: impl IntoIterator<Item = (CardKey, &'a str)>) -> Self {
        Self { names: names.into_iter().collect(), ..self }
    }
}

impl fmt::Display for RunText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |key: CardKey| self.names.get(&key).copied().unwrap_or("");
        let is_listed = |settled: &&Settled| match (self.listed, settled.outcome.class()) {
            (Listed::All, _) | (_, OutcomeClass::Failed | OutcomeClass::Unknown) => true,
            (Listed::Problems, OutcomeClass::Done | OutcomeClass::Skipped) => false,
        };
        let listed: Vec<&Settled> = self.targets.iter().filter(is_listed).collect();
        let key_width = listed.iter().map(|settled| settled.key.to_string().len()).max().unwrap_or(0);
        let name_width = column_width(listed.iter().map(|settled| name(settled.key)), NAME_WIDTH);
        for settled in &listed {
            let style = match settled.outcome.class() {
                OutcomeClass::Done | OutcomeClass::Skipped => GOOD,
                OutcomeClass::Failed => BAD,
                OutcomeClass::Unknown => WARNING,
            };
            let class = match settled.outcome.class() {
                OutcomeClass::Done => "done",
                OutcomeClass::Skipped => "skip",
                OutcomeClass::Failed => "fail",
                OutcomeClass::Unknown => "open",
            };
            let (key, name) = (settled.key.to_string(), fitted(&visible(name(settled.key)), name_width));
            write!(f, "{style}{class:<5}{style:#}  {key:<key_width$}  ")?;
            if name_width > 0 {
                write!(f, "{name:<name_width$}  ")?;
            }
            writeln!(f, "{}", visible(&settled.outcome.to_string()))?;
        }
        if !listed.is_empty() {
            writeln!(f)?;
        }
        let Totals { done, skipped, failed, unknown } = self.totals;
        let style = if self.totals.is_clean() { GOOD } else { WARNING };
        let planned = Counted(self.totals.planned(), "card", "cards");
        writeln!(
            f,
            "{style}Done:{style:#} {done} of {planned}; {skipped} skipped, {failed} failed, {unknown} unknown."
        )?;
        if let Some(reason) = self.stopped {
            writeln!(f, "{WARNING}The run ended early:{WARNING:#} {}", visible(reason))?;
        }
        writeln!(f, "{HEADING}Run {}{HEADING:#}", self.run)
    }
}
