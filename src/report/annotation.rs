//! Annotations: the parts of a report that need attention, with their positions in the manifests,
//! for formats that mark lines.
//!
//! Many targets come from one line. Equal findings of a line are one annotation with a count, so
//! that a plan with thousands of changes marks as many lines as the manifests have selectors.

use std::collections::BTreeMap;

use super::humanize::Plural;
use super::text::drift::DriftSums;
use super::{HeldTarget, PlanReport, Report, ReportedRun, Subject};
use crate::diagnostic::{Diagnostic, Severity};
use crate::i18n::Text;
use crate::model::{CardKey, LeadCustomerType, Origin, OutcomeClass, SourceLocation, UserId};
use crate::plan::{
    Advice, Drift, DriftKind, DriftedCard, Plan, PlannedTarget, Violation, ViolationKind,
};

/// Level of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AnnotationLevel {
    /// An error: it stops the command, or a target failed.
    Error,
    /// A warning.
    Warning,
    /// A planned change.
    Note,
}

/// Finding at a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Annotation {
    /// The level of attention.
    pub(super) level: AnnotationLevel,
    /// The kind, as a stable word.
    pub(super) rule: String,
    /// The message.
    pub(super) message: String,
    /// The remedy, if it is known; may have several lines.
    pub(super) help: Option<String>,
    /// The position in the manifests, if there is one.
    pub(super) place: Option<SourceLocation>,
}

/// Returns all annotations of a report, the most important first.
pub(super) fn annotations(report: &Report<'_>) -> Vec<Annotation> {
    let mut annotations = match &report.subject {
        Subject::Plan(plan @ PlanReport { drift: Some(drift), .. }) => {
            drift_annotations(plan, drift)
        }
        Subject::Plan(plan) => plan_annotations(plan),
        Subject::Run(run) => run_annotations(run),
        Subject::PlanFile(shown) => shown.annotations(),
        Subject::Validation(checked) => {
            checked.diagnostics.iter().map(diagnostic_annotation).collect()
        }
        Subject::Failure(failed) => {
            let help =
                (!failed.hints.is_empty()).then(|| Text::join(failed.hints, "\n").to_string());
            let message = Text::join(failed.chain, ": ").to_string();
            vec![Annotation {
                level: AnnotationLevel::Error,
                rule: "failure".to_owned(),
                message,
                help,
                place: None,
            }]
        }
    };
    annotations.sort_by_key(|annotation| annotation.level);
    annotations
}

fn diagnostic_annotation(found: &Diagnostic) -> Annotation {
    Annotation {
        level: match found.severity {
            Severity::Error => AnnotationLevel::Error,
            Severity::Warning => AnnotationLevel::Warning,
        },
        rule: found.code.to_string(),
        message: found.message.to_string(),
        help: found.help.as_ref().map(Text::to_string),
        place: found.place().cloned(),
    }
}

fn plan_annotations(report: &PlanReport<'_>) -> Vec<Annotation> {
    let plan = report.plan;
    let mut annotations: Vec<Annotation> =
        plan.guards.violations.iter().map(|breach| guard_annotation(plan, breach)).collect();
    annotations.extend(report.warnings.iter().map(diagnostic_annotation));
    annotations.extend(held(&HeldTarget::from_plan(plan), |key| origin(plan, key)));
    let mut resets: BTreeMap<&SourceLocation, (&Origin, u32)> = BTreeMap::new();
    for target in plan.resets() {
        resets.entry(&target.origin.place).or_insert((&target.origin, 0)).1 += 1;
    }
    annotations.extend(resets.into_iter().map(|(place, (origin, cards))| Annotation {
        level: AnnotationLevel::Note,
        rule: "reset".to_owned(),
        message: format!("{} to reset ({})", Plural(cards, "card", "cards"), origin.selector),
        help: None,
        place: Some(place.clone()),
    }));
    annotations
}

/// Returns the drift by line and kind. Guards are about resets, and not part of it.
fn drift_annotations(report: &PlanReport<'_>, drift: &Drift) -> Vec<Annotation> {
    let mut annotations = Vec::new();
    if let Some(fingerprint) = drift.fingerprint() {
        annotations.push(Annotation {
            level: AnnotationLevel::Note,
            rule: "fingerprint".to_owned(),
            message: format!("{}\nFingerprint {fingerprint}", DriftSums(drift)),
            help: None,
            place: None,
        });
    }
    annotations.extend(report.warnings.iter().map(diagnostic_annotation));
    let mut groups: BTreeMap<(&SourceLocation, DriftKind), (&DriftedCard, u32)> = BTreeMap::new();
    for card in &drift.cards {
        groups.entry((&card.origin.place, card.kind)).or_insert((card, 0)).1 += 1;
    }
    annotations.extend(groups.into_iter().map(|((place, kind), (first, count))| Annotation {
        level: if kind.is_pending() { AnnotationLevel::Warning } else { AnnotationLevel::Note },
        rule: kind.as_str().to_owned(),
        message: format!(
            "{} ({})",
            several(first.key, count, &kind.to_string()),
            first.origin.selector
        ),
        help: None,
        place: Some(place.clone()),
    }));
    annotations
}

/// Returns the violation of a guard, at the line that causes it.
fn guard_annotation(plan: &Plan, breach: &Violation) -> Annotation {
    let is_its = |target: &&PlannedTarget| match breach.manifest() {
        Some(name) => &*target.origin.manifest == name,
        None => true,
    };
    let place = match &breach.kind {
        ViolationKind::CommonCard(lead) => {
            origin(plan, CardKey::common(*lead)).map(|origin| origin.place.clone())
        }
        ViolationKind::SpecialPerson(user, _) | ViolationKind::Protected(user) => {
            reset_place(plan, *user)
        }
        ViolationKind::TooManyPeople { .. } | ViolationKind::TooLargeShare { .. } => {
            largest(plan.resets().filter(|target| target.key.user().is_some()).filter(is_its))
        }
        ViolationKind::Shrunk { .. } => {
            largest(plan.targets.iter().filter(|target| target.key.user().is_some()).filter(is_its))
        }
    };
    let help: Vec<String> = plan.guards.advice().iter().map(advised).collect();
    let help = (!help.is_empty()).then(|| help.join("\n"));
    Annotation {
        level: AnnotationLevel::Error,
        rule: breach.as_str().to_owned(),
        message: breach.to_string(),
        help,
        place,
    }
}

/// Returns an advice with its lines.
fn advised(advice: &Advice) -> String {
    std::iter::once(advice.to_string())
        .chain(advice.lines().map(str::to_owned))
        .collect::<Vec<_>>()
        .join("\n")
}

fn origin(plan: &Plan, key: CardKey) -> Option<&Origin> {
    let index = plan.targets.binary_search_by_key(&key, |target| target.key).ok()?;
    plan.targets.get(index).map(|target| &*target.origin)
}

fn reset_place(plan: &Plan, user: UserId) -> Option<SourceLocation> {
    let own = LeadCustomerType::ALL.map(|lead| CardKey::personal(user, lead));
    plan.resets().find(|target| own.contains(&target.key)).map(|target| target.origin.place.clone())
}

/// Returns the line with the most targets; the first of several.
fn largest<'a>(targets: impl Iterator<Item = &'a PlannedTarget>) -> Option<SourceLocation> {
    let mut counts: BTreeMap<&SourceLocation, u32> = BTreeMap::new();
    for target in targets {
        *counts.entry(&target.origin.place).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(place, _)| place.clone())
}

fn held<'a>(
    held: &'a [HeldTarget],
    origin: impl Fn(CardKey) -> Option<&'a Origin>,
) -> Vec<Annotation> {
    let mut groups: BTreeMap<(Option<&SourceLocation>, &str), (&HeldTarget, u32)> = BTreeMap::new();
    for target in held {
        let place = origin(target.key).map(|origin| &origin.place);
        groups.entry((place, target.reason)).or_insert((target, 0)).1 += 1;
    }
    let annotation =
        |((place, word), (first, count)): ((Option<&SourceLocation>, &str), (&HeldTarget, u32))| {
            Annotation {
                level: AnnotationLevel::Warning,
                rule: word.to_owned(),
                message: format!("held: {}", several(first.key, count, &first.text)),
                help: None,
                place: place.cloned(),
            }
        };
    groups.into_iter().map(annotation).collect()
}

/// Common properties of targets that are one annotation.
type AnnotationGroup<'a> = (AnnotationLevel, Option<&'a SourceLocation>, &'a str);

fn run_annotations(run: &ReportedRun<'_>) -> Vec<Annotation> {
    let mut annotations = Vec::new();
    if let Some(reason) = run.stopped {
        let message = format!("the run ended early: {reason}");
        annotations.push(Annotation {
            level: AnnotationLevel::Error,
            rule: "stopped".to_owned(),
            message,
            help: None,
            place: None,
        });
    }
    let mut groups: BTreeMap<AnnotationGroup<'_>, (CardKey, String, u32)> = BTreeMap::new();
    for settled in run.targets.iter().filter(|settled| !settled.outcome.is_resolved()) {
        let level = match settled.outcome.class() {
            OutcomeClass::Done | OutcomeClass::Skipped => AnnotationLevel::Warning,
            OutcomeClass::Failed | OutcomeClass::Unknown => AnnotationLevel::Error,
        };
        let place = run.origin(settled.key).map(|origin| &origin.place);
        let group = (level, place, settled.outcome.as_str());
        groups.entry(group).or_insert_with(|| (settled.key, settled.outcome.to_string(), 0)).2 += 1;
    }
    annotations.extend(groups.into_iter().map(|((level, place, word), (key, text, count))| {
        Annotation {
            level,
            rule: word.to_owned(),
            message: several(key, count, &text),
            help: None,
            place: place.cloned(),
        }
    }));
    annotations.extend(held(&run.held, |key| run.origin(key)));
    annotations
}

fn several(key: CardKey, count: u32, text: &str) -> String {
    match count {
        0 | 1 => format!("{key}: {text}"),
        _ => format!("{key} and {} more: {text}", count - 1),
    }
}
