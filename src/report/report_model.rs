//! Report model: everything that a report says, in the parts that formats render.
//!
//! The module `fill` makes it, with one file for each subject. A format reads it and knows no
//! subject. So two formats of one report cannot disagree, a new format needs no change to a
//! subject, and a new subject has all formats.

use std::collections::BTreeMap;
use std::fmt;

use super::cost::Cost;
use super::humanize::Plural;
use super::review::Review;
use super::subject::{FailureReport, PlanReport, Purpose, ReportedRun, Subject};
use crate::diagnostic::Diagnostic;
use crate::i18n::Text;
use crate::model::{
    CardKey, Digest, Generation, KindNames, Layout, Origin, OutcomeClass, SourceLocation,
};
use crate::plan::{Advice, Drift, DriftKind, OnceState, Violation};

/// Everything that a report says.
pub(super) struct ReportModel<'a> {
    /// The purpose of the command.
    pub(super) purpose: Purpose,
    /// The values behind the report, for documents with a version of their own.
    pub(super) subject: Subject<'a>,
    /// What a reader must know first.
    pub(super) headline: Headline,
    /// The origin of the report.
    pub(super) about: About<'a>,
    /// The noun for what the rows are about: `targets`, `manifests` or `command`.
    pub(super) rows_are: &'static str,
    /// The guards, where a plan is shown.
    pub(super) guards: Option<Guards<'a>>,
    /// The targets, problems or messages.
    pub(super) rows: Vec<Row<'a>>,
    /// The cards that a plan resets, grouped by layout, with what is seen afterwards.
    pub(super) review: Option<Review<'a>>,
    /// The columns of the rows in a table.
    pub(super) columns: &'static [Column],
    /// Checks that stand in no row.
    pub(super) checks: Vec<CiCheck>,
    /// What needs attention beside the guards and the rows.
    pub(super) findings: Vec<Finding>,
    /// Why the run ended early, if it did.
    pub(super) stopped: Option<&'a str>,
    /// The states of mode `once` that need attention, a line for each key.
    pub(super) once: Vec<String>,
    /// The cost of applying, if there is something to apply.
    pub(super) cost: Option<Cost>,
    /// The warnings about the manifests.
    pub(super) warnings: &'a [Diagnostic],
    /// The drift, where that is the question.
    pub(super) drift: Option<&'a Drift>,
    /// The fingerprint of the drift, by which an alert is kept.
    pub(super) fingerprint: Option<Digest>,
    /// Why the command failed, if it did.
    pub(super) failure: Option<FailureReport<'a>>,
}

/// What a reader must know first.
#[derive(Default)]
pub(super) struct Headline {
    /// A sign for the state as a whole.
    pub(super) sign: &'static str,
    /// The title.
    pub(super) title: Text,
    /// The sums.
    pub(super) sums: Option<Text>,
}

/// Origin of a report.
pub(super) enum About<'a> {
    /// A plan: its portal and caller, and the manifests behind it.
    Plan(&'a PlanReport<'a>),
    /// A run: its portal, its id and the manifests behind it.
    Run(&'a ReportedRun<'a>),
    /// A plan file, or the plan of a restore: where it comes from, and lines about its use.
    PlanFile(Text, Vec<Text>),
    /// Manifests: their portal, if they are right so far.
    Manifests(Option<&'a str>),
    /// A command that failed.
    Command,
}

/// Group of rows, in the order in which people read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowGroup {
    /// Targets that a plan holds.
    Held,
    /// Targets that a plan resets.
    Reset,
    /// Targets that a restore writes.
    PutBack,
    /// Cards that `mode: once` leaves alone after their reset.
    CustomizedAgain,
    /// Targets of a run with a known or unknown result.
    Outcome(OutcomeClass),
    /// Targets that a run did not try.
    NotTried,
}

/// Guards of a plan.
pub(super) struct Guards<'a> {
    /// What blocks the plan, each with the line of the manifests that brings it about.
    pub(super) violations: Vec<(&'a Violation, Option<SourceLocation>)>,
    /// What would block it, had a manifest not acknowledged it.
    pub(super) acknowledged: &'a [Violation],
    /// How to allow exactly this.
    pub(super) advice: Vec<Advice>,
    /// The names of kinds of cards.
    pub(super) names: &'a KindNames,
}

/// One line of a report: a target, a problem in the manifests, or a message.
pub(super) struct Row<'a> {
    /// The target, if the row is about one.
    pub(super) key: Option<CardKey>,
    /// The person's name; empty where there is none.
    pub(super) name: &'a str,
    /// The problem, if the row is about one.
    pub(super) problem: Option<&'a Diagnostic>,
    /// The decision, kind or result as a word that never changes.
    pub(super) word: &'static str,
    /// The reason or outcome as a word that never changes.
    pub(super) reason: &'static str,
    /// The reason or outcome for people.
    pub(super) text: RowText<'a>,
    /// The result as a check; none if the row is no check.
    pub(super) result: Option<CheckResult>,
    /// The attention that the row needs.
    pub(super) attention: Option<Attention>,
    /// The place in the manifests that the target comes from.
    pub(super) origin: Option<&'a Origin>,
    /// The kind of the drift.
    pub(super) drift: Option<DriftKind>,
    /// The key of mode `once`.
    pub(super) generation: Option<&'a Generation>,
    /// The state in mode `once`.
    pub(super) once: Option<OnceState>,
    /// The layout that is lost.
    pub(super) layout: Option<&'a Layout>,
    /// The layout that stands in its place afterwards.
    pub(super) afterwards: Option<&'a Layout>,
    /// The group in which people find the row.
    pub(super) group: Option<RowGroup>,
}

/// Text of a row, made when a format asks for it.
pub(super) enum RowText<'a> {
    /// A value with a text of its own.
    Of(&'a dyn fmt::Display),
    /// A text.
    Text(Text),
}

/// Check, as build servers show it.
pub(super) struct CiCheck {
    /// The group: a manifest or a file.
    pub(super) class: String,
    /// The name within the group.
    pub(super) name: String,
    /// The result.
    pub(super) result: CheckResult,
    /// The text of the result.
    pub(super) text: String,
}

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckResult {
    /// As it should be.
    Passed,
    /// Nothing was or could be done.
    Skipped,
    /// Not as it should be, with the kind as a word that never changes.
    Failed(&'static str),
    /// Not known, with the kind as a word that never changes.
    Broken(&'static str),
}

/// Kind of attention that a row needs. Rows that need the same at the same line are one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attention {
    /// An outcome that is not as wanted.
    Outcome(FindingLevel),
    /// A target that is held.
    Held,
    /// A planned reset.
    Reset,
    /// A planned write of a restore.
    PutBack,
    /// A drifted card.
    Drift,
}

/// Level of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FindingLevel {
    /// It stops something, or went wrong.
    Error,
    /// Worth knowing.
    Warning,
    /// What is going to happen.
    Note,
}

/// Finding: what needs attention, with its place in the manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The level.
    pub(super) level: FindingLevel,
    /// The kind as a word that never changes.
    pub(super) rule: String,
    /// The message.
    pub(super) message: String,
    /// The remedy, if it is known; may have several lines.
    pub(super) help: Option<String>,
    /// The place in the manifests, if there is one.
    pub(super) place: Option<SourceLocation>,
}

/// Column of a table: its heading, and its field of a row.
pub(super) type Column = (&'static str, fn(&ReportModel<'_>, &Row<'_>) -> String);

impl<'a> ReportModel<'a> {
    /// Returns a model without rows.
    pub(super) fn new(purpose: Purpose, subject: Subject<'a>, rows_are: &'static str) -> Self {
        Self {
            purpose,
            subject,
            headline: Headline::default(),
            about: About::Command,
            rows_are,
            guards: None,
            rows: Vec::new(),
            review: None,
            columns: &[],
            checks: Vec::new(),
            findings: Vec::new(),
            stopped: None,
            once: Vec::new(),
            cost: None,
            warnings: &[],
            drift: None,
            fingerprint: None,
            failure: None,
        }
    }

    /// Returns everything that needs attention, what matters most first.
    ///
    /// Many targets come from one line. What is the same about them is one finding with a count, so
    /// that a plan with thousands of changes marks as many lines as the manifests have selectors.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(guards) = &self.guards {
            let help: Vec<String> = guards.advice.iter().map(advised).collect();
            let help = (!help.is_empty()).then(|| help.join("\n"));
            findings.extend(guards.violations.iter().map(|(violation, place)| Finding {
                level: FindingLevel::Error,
                rule: violation.as_str().to_owned(),
                message: violation.words(guards.names).into(),
                help: help.clone(),
                place: place.clone(),
            }));
        }
        findings.extend(self.findings.iter().cloned());
        let mut groups: BTreeMap<_, (&Row<'_>, u32)> = BTreeMap::new();
        for row in &self.rows {
            let Some(attention) = row.attention else { continue };
            let place = row.origin.map(|origin| &origin.place);
            // Planned resets of one line are one finding, whatever their reasons.
            let reason = if attention == Attention::Reset { "" } else { row.reason };
            groups.entry((attention, place, row.drift, reason)).or_insert((row, 0)).1 += 1;
        }
        findings.extend(
            groups
                .into_iter()
                .map(|((attention, place, ..), (row, count))| row.finding(attention, place, count)),
        );
        findings.sort_by_key(|finding| finding.level);
        findings
    }
}

impl<'a> Row<'a> {
    /// Returns a row about a target, with nothing but its words.
    pub(super) fn about(
        key: CardKey,
        name: &'a str,
        words: (&'static str, &'static str),
        text: RowText<'a>,
    ) -> Self {
        Self { key: Some(key), name, ..Self::message(words, text) }
    }

    /// Returns a row about no target.
    pub(super) fn message((word, reason): (&'static str, &'static str), text: RowText<'a>) -> Self {
        Self {
            key: None,
            name: "",
            problem: None,
            word,
            reason,
            text,
            result: None,
            attention: None,
            origin: None,
            drift: None,
            generation: None,
            once: None,
            layout: None,
            afterwards: None,
            group: None,
        }
    }

    /// Returns the place in the manifests.
    pub(super) fn place(&self) -> Option<&SourceLocation> {
        match self.problem {
            Some(problem) => problem.place(),
            None => self.origin.map(|origin| &origin.place),
        }
    }

    /// Returns the reason for people; in mode `once` with the state of the card, where the reason
    /// does not say it already.
    pub(super) fn reason_text(&self) -> String {
        match (self.group, self.once) {
            (Some(RowGroup::Reset), Some(state)) => format!("{}; {state}", self.text),
            (Some(RowGroup::Held), Some(state)) => format!("{state}: {}", self.text),
            _ => self.text.to_string(),
        }
    }

    /// Returns the check, if the row is one.
    pub(super) fn check(&self) -> Option<CiCheck> {
        let text = match (self.problem, self.drift, self.word) {
            (Some(problem), ..) => problem_text(self.word, problem),
            (None, Some(kind), _) if kind.is_pending() => format!("{kind}: {}", self.text),
            (None, None, "reset" | "keep") => format!("{}: {}", self.word, self.text),
            (None, ..) => self.text.to_string(),
        };
        let (class, name) = match (self.key, self.problem) {
            (Some(key), _) => {
                let manifest = self.origin.map_or("recard", |origin| &*origin.manifest);
                (manifest.to_owned(), key.to_string())
            }
            (None, Some(problem)) => class_and_name(problem),
            (None, None) => ("recard".to_owned(), self.word.to_owned()),
        };
        Some(CiCheck { class, name, result: self.result?, text })
    }

    fn finding(&self, attention: Attention, place: Option<&SourceLocation>, count: u32) -> Finding {
        let selector = self.origin.map(|origin| origin.selector.to_string()).unwrap_or_default();
        let (level, rule, message) = match (attention, self.drift) {
            (Attention::Outcome(level), _) => (level, self.reason, self.several(count, &self.text)),
            (Attention::Held, _) => {
                let message = format!("held: {}", self.several(count, &self.text));
                (FindingLevel::Warning, self.reason, message)
            }
            (Attention::Drift, Some(kind)) if kind.is_pending() => {
                let message = format!("{} ({selector})", self.several(count, &kind));
                (FindingLevel::Warning, self.word, message)
            }
            (Attention::Drift, Some(kind)) => {
                let message = format!("{} ({selector})", self.several(count, &kind));
                (FindingLevel::Note, self.word, message)
            }
            (Attention::PutBack, _) => {
                let cards = Plural(count, "card", "cards");
                let what = if self.word == "reset" { "reset" } else { "put back" };
                (FindingLevel::Note, self.word, format!("{cards} to {what}"))
            }
            (Attention::Reset | Attention::Drift, _) => {
                let cards = Plural(count, "card", "cards");
                (FindingLevel::Note, "reset", format!("{cards} to reset ({selector})"))
            }
        };
        Finding { level, rule: rule.to_owned(), message, help: None, place: place.cloned() }
    }

    fn several(&self, count: u32, text: &dyn fmt::Display) -> String {
        let key = self.key.map(|key| key.to_string()).unwrap_or_default();
        match count {
            0 | 1 => format!("{key}: {text}"),
            _ => format!("{key} and {} more: {text}", count - 1),
        }
    }
}

impl fmt::Display for RowText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(value) => value.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Finding {
    /// Returns a finding without a place.
    pub(super) fn new(level: FindingLevel, rule: &str, message: String) -> Self {
        Self { level, rule: rule.to_owned(), message, help: None, place: None }
    }
}

impl From<&Diagnostic> for Finding {
    fn from(found: &Diagnostic) -> Self {
        Self {
            level: if found.is_error() { FindingLevel::Error } else { FindingLevel::Warning },
            rule: found.code.to_string(),
            message: found.message.to_string(),
            help: found.help.as_ref().map(Text::to_string),
            place: found.place().cloned(),
        }
    }
}

/// Returns an advice with its lines.
fn advised(advice: &Advice) -> String {
    std::iter::once(advice.to_string())
        .chain(advice.lines().map(str::to_owned))
        .collect::<Vec<_>>()
        .join("\n")
}

fn problem_text(word: &str, problem: &Diagnostic) -> String {
    let help = problem.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    match word {
        "gone" => format!("gone: {}", problem.message),
        "warning" => format!("warning: {}{help}", problem.message),
        _ => format!("{}{help}", problem.message),
    }
}

/// Returns the file of a problem, and its code and place in it.
fn class_and_name(found: &Diagnostic) -> (String, String) {
    match found.place() {
        Some(place) => {
            (place.file.to_string(), format!("{} at {}:{}", found.code, place.line, place.column))
        }
        None => ("recard".to_owned(), found.code.to_string()),
    }
}
