//! Subjects of reports: one value for each kind, from which every format is rendered.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::{Cost, PlanFileReport, RestoreReport, RowFilter, RunText, undo, visible};
use crate::diagnostic::{self, Diagnostic, RenderStyle, Source};
use crate::engine::TargetOutcome;
use crate::i18n::Text;
use crate::model::{CardKey, CardLabels, Identity, Origin, PersonName, RunId, Totals, UserId};
use crate::plan::{Decision, Drift, OnceState, Plan, PlannedTarget};
use crate::ports::RunHeader;

/// Purpose of a command. Its word stands in machine output and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To check manifests.
    Validate,
    /// To see what would be done.
    Plan,
    /// To do it.
    Apply,
    /// To see what nobody planned.
    Drift,
    /// To put back what a run removed.
    Restore,
    /// To look at a run of the past.
    Show,
}

impl Purpose {
    /// Returns the word for machine output: that of the command.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Drift => "drift",
            Self::Restore => "restore",
            Self::Show => "show",
        }
    }
}

/// Report: a subject, and the purpose of the command.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What the command was for.
    pub purpose: Purpose,
    /// What there is to tell.
    pub subject: Subject<'a>,
}

/// What there is to tell.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A plan; also with drift, or blocked by a guard.
    Plan(&'a PlanReport<'a>),
    /// What became of a run.
    Run(&'a ReportedRun<'a>),
    /// A plan file of an earlier plan.
    PlanFile(&'a PlanFileReport<'a>),
    /// The plan of a restore, made now or read from a file.
    Restore(&'a RestoreReport<'a>),
    /// Manifests that were checked.
    Validation(&'a ValidationReport<'a>),
    /// A command that failed before it had another result.
    Failure(&'a FailureReport<'a>),
}

/// Last change of a manifest, from git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The commit.
    pub id: String,
    /// Its author.
    pub author: String,
    /// When, in the form `2026-11-01`.
    pub date: String,
}

/// Plan with the data around it.
#[derive(Clone, Debug)]
pub struct PlanReport<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Who made it.
    pub caller: &'a Identity,
    /// Name and reason of each manifest document.
    pub manifests: Vec<(&'a str, &'a str)>,
    /// The last change of each file of manifests, if git knows the file.
    pub commits: &'a BTreeMap<String, Commit>,
    /// What apply will cost.
    pub cost: Cost,
    /// What was odd in the manifests.
    pub warnings: &'a [Diagnostic],
    /// What drifted, where that is the question.
    pub drift: Option<&'a Drift>,
    /// The labels of the portal's fields.
    pub labels: &'a CardLabels,
}

/// What became of a run.
#[derive(Clone, Debug)]
pub struct ReportedRun<'a> {
    /// The run; `None` if there was nothing to do and no run was started.
    pub run: Option<&'a RunId>,
    /// The portal.
    pub portal: &'a str,
    /// Name and reason of each manifest document.
    pub manifests: Vec<(&'a str, &'a str)>,
    /// Every planned target with its outcome, sorted.
    pub targets: &'a [TargetOutcome],
    /// The reason why it ended before all targets were attempted, if it did.
    pub stopped: Option<&'a str>,
    /// The targets that were not attempted because they are held.
    pub held: Vec<HeldTarget>,
    /// What may be left to do with cards that nobody can name, if anything is.
    pub incomplete: Option<Text>,
    /// The plan behind it, if it is known: names, and positions in the manifests.
    pub plan: Option<&'a Plan>,
    /// The names of people that are known without a plan.
    pub names: Option<&'a BTreeMap<UserId, PersonName>>,
    /// The header, if the run comes from the store.
    pub header: Option<&'a RunHeader>,
    /// The labels of the portal's fields, if they are known.
    pub labels: Option<&'a CardLabels>,
}

/// A target that was not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldTarget {
    /// The target.
    pub key: CardKey,
    /// Why, as a word that never changes.
    pub reason: &'static str,
    /// Why, for people.
    pub text: Text,
}

/// Manifests that were checked.
#[derive(Clone, Copy, Debug)]
pub struct ValidationReport<'a> {
    /// The portal, if the manifests are valid so far.
    pub portal: Option<&'a str>,
    /// The number of documents, if they can be counted.
    pub documents: Option<usize>,
    /// What was found.
    pub diagnostics: &'a [Diagnostic],
    /// The texts.
    pub sources: &'a [Source],
}

/// A command that failed.
#[derive(Clone, Copy, Debug)]
pub struct FailureReport<'a> {
    /// The exit code.
    pub code: u8,
    /// The chain of causes; the first text is the outermost.
    pub chain: &'a [Text],
    /// What may help.
    pub hints: &'a [Text],
}

impl PlanReport<'_> {
    /// The commit behind a place in the manifests.
    pub fn commit(&self, origin: &Origin) -> Option<&Commit> {
        self.commits.get(&*origin.place.file)
    }
}

/// Returns the states of the cards of mode `once`: a line for each once key with a card that needs
/// attention.
pub(super) fn once_lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (generation, counts) in OnceState::count(&plan.targets) {
        if counts.keys().any(|state| *state != OnceState::Done) {
            let counts: Vec<String> =
                counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
            lines
                .push(tr!("Once for {generation}: {}.", counts.join(", "), generation).to_string());
        }
    }
    lines
}

impl HeldTarget {
    /// What a plan holds.
    pub fn from_plan(plan: &Plan) -> Vec<Self> {
        let held = |target: &PlannedTarget| match &target.decision {
            Decision::Hold(reason) => Some(Self {
                key: target.key,
                reason: reason.as_str(),
                text: Text::from_display(&target.decision),
            }),
            Decision::Keep(_) | Decision::Reset(_) => None,
        };
        plan.targets.iter().filter_map(held).collect()
    }
}

impl<'a> ReportedRun<'a> {
    /// Creates the report of a run that has not begun, on this portal.
    pub fn not_begun(portal: &'a str) -> Self {
        Self {
            run: None,
            portal,
            manifests: Vec::new(),
            targets: &[],
            stopped: None,
            held: Vec::new(),
            incomplete: None,
            plan: None,
            names: None,
            header: None,
            labels: None,
        }
    }

    /// Returns the totals; they add up to the number of targets.
    pub fn totals(&self) -> Totals {
        Totals::from_outcomes(self.targets.iter().map(|settled| &settled.outcome))
    }

    /// Returns the name of the card's person; empty if it is not known.
    pub fn person_name(&self, key: CardKey) -> &'a str {
        match (self.plan, self.names, key.user()) {
            (Some(plan), _, _) => plan.person_name(key),
            (None, Some(names), Some(user)) => names.get(&user).map_or("", PersonName::as_str),
            (None, _, _) => "",
        }
    }

    /// Returns the origin of a target in the manifests, if it is known.
    pub fn origin(&self, key: CardKey) -> Option<&'a Origin> {
        let targets = &self.plan?.targets;
        let index = targets.binary_search_by_key(&key, |target| target.key).ok()?;
        targets.get(index).map(|target| &*target.origin)
    }

    /// Returns `true` if a restore brings back all that a run with these outcomes removed, as far
    /// as the plan tells.
    pub fn is_undone_whole(&self, targets: &[TargetOutcome]) -> bool {
        self.plan.is_none_or(|plan| undo::limits_of_run(targets, plan).is_empty())
    }

    /// Returns the run as text; `None` if no run was started.
    pub(super) fn text(&self, listing: RowFilter) -> Option<RunText<'_>> {
        let names = self.targets.iter().map(|settled| (settled.key, self.person_name(settled.key)));
        let text = RunText::new(self.run?, self.targets, self.totals());
        let text = text.with_reason(self.stopped).with_held(self.held.len()).with_names(names);
        let text = text.with_incomplete(self.incomplete.as_ref());
        Some(match listing {
            RowFilter::Targets => text.with_every_target(),
            RowFilter::Changes => text,
        })
    }
}

impl fmt::Display for ValidationReport<'_> {
    /// Writes the findings with their lines, and the result of the check.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.diagnostics.iter().filter(|found| found.is_error()).count();
        if errors > 0 {
            f.write_str(&diagnostic::render(self.diagnostics, self.sources, RenderStyle::Plain))?;
            return writeln!(
                f,
                "{}",
                tr!("{n} problem in the manifests" | "{n} problems in the manifests" % errors)
            );
        }
        let warnings = warnings(self.diagnostics.len());
        let documents = self.documents.unwrap_or_default();
        let manifests = match self.portal {
            Some(portal) => tr!(
                "{n} manifest for the portal {portal}: valid, {warnings}"
                    | "{n} manifests for the portal {portal}: valid, {warnings}" % documents,
                portal,
                warnings
            ),
            // Those of a fleet are each of their own portal.
            None => tr!(
                "{n} manifest: valid, {warnings}" | "{n} manifests: valid, {warnings}" % documents,
                warnings
            ),
        };
        writeln!(f, "{manifests}")
    }
}

impl FailureReport<'_> {
    /// Returns the failure as text without any escaping, for formats that have an escape of their
    /// own.
    pub(super) fn exact(&self) -> String {
        self.shown(|text| text.into())
    }

    fn shown(&self, show: impl Fn(&str) -> Cow<'_, str>) -> String {
        let mut text = String::new();
        for (index, message) in self.chain.iter().enumerate() {
            let word = if index == 0 { tr!("error:") } else { tr!("caused by:") };
            let margin = if index == 0 { "" } else { "  " };
            text.push_str(&format!("{margin}{word} {}\n", show(message)));
        }
        for hint in self.hints {
            let lines: Vec<_> = hint.split('\n').map(&show).collect();
            text.push_str(&format!("{} {}\n", tr!("help:"), lines.join("\n    ")));
        }
        text
    }
}

impl fmt::Display for FailureReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(visible))
    }
}

/// A number of warnings.
pub(super) fn warnings(number: impl TryInto<u64> + Copy + fmt::Display) -> Text {
    tr!("{n} warning" | "{n} warnings" % number)
}
