//! What of a report needs somebody's attention, each with its place in the manifests: for formats
//! that mark lines.
//!
//! Many targets come from one line. What is the same about them is one finding with a count, so
//! that a plan with thousands of changes marks as many lines as the manifests have selectors.

use std::collections::BTreeMap;

use super::drift_text::DriftSums;
use super::words::Counted;
use super::{Held, PlanReport, Report, SettledRun, Subject};
use crate::diagnostic::{Diagnostic, Severity};
use crate::language::Text;
use crate::model::{CardKey, LeadCustomerType, Origin, OutcomeClass, Place, UserId};
use crate::plan::{Advice, Breach, BreachKind, Drift, DriftKind, DriftedCard, Plan, PlannedTarget};

/// How much attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// It stops something, or went wrong.
    Error,
    /// Worth knowing.
    Warning,
    /// What is going to happen.
    Note,
}

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// How much attention it needs.
    pub(super) level: Level,
    /// What kind, as a word that never changes.
    pub(super) rule: String,
    /// What is to be said.
    pub(super) message: String,
    /// How to mend it, where that is known; may have several lines.
    pub(super) help: Option<String>,
    /// Where in the manifests, if it has a place there.
    pub(super) place: Option<Place>,
}

/// Everything in a report that needs attention, what matters most first.
pub(super) fn findings(report: &Report<'_>) -> Vec<Finding> {
    let mut findings = match &report.subject {
        Subject::Plan(plan @ PlanReport { drift: Some(drift), .. }) => of_drift(plan, drift),
        Subject::Plan(plan) => of_plan(plan),
        Subject::Run(run) => of_run(run),
        Subject::PlanFile(shown) => shown.findings(),
        Subject::Validation(checked) => checked.diagnostics.iter().map(of_diagnostic).collect(),
        Subject::Failure(failed) => {
            let help =
                (!failed.hints.is_empty()).then(|| Text::joined(failed.hints, "\n").to_string());
            let message = Text::joined(failed.chain, ": ").to_string();
            vec![Finding {
                level: Level::Error,
                rule: "failure".to_owned(),
                message,
                help,
                place: None,
            }]
        }
    };
    findings.sort_by_key(|finding| finding.level);
    findings
}

fn of_diagnostic(found: &Diagnostic) -> Finding {
    Finding {
        level: match found.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        },
        rule: found.code.to_string(),
        message: found.message.to_string(),
        help: found.help.as_ref().map(Text::to_string),
        place: found.place().cloned(),
    }
}

fn of_plan(report: &PlanReport<'_>) -> Vec<Finding> {
    let plan = report.plan;
    let mut findings: Vec<Finding> =
        plan.guards.breaches.iter().map(|breach| of_breach(plan, breach)).collect();
    findings.extend(report.warnings.iter().map(of_diagnostic));
    findings.extend(held(&Held::of(plan), |key| origin(plan, key)));
    let mut resets: BTreeMap<&Place, (&Origin, u32)> = BTreeMap::new();
    for target in plan.resets() {
        resets.entry(&target.origin.place).or_insert((&target.origin, 0)).1 += 1;
    }
    findings.extend(resets.into_iter().map(|(place, (origin, cards))| Finding {
        level: Level::Note,
        rule: "reset".to_owned(),
        message: format!("{} to reset ({})", Counted(cards, "card", "cards"), origin.selector),
        help: None,
        place: Some(place.clone()),
    }));
    findings
}

/// What drifted, by line and kind. Guards are about resets, which drift never does; so they are no
/// part of it.
fn of_drift(report: &PlanReport<'_>, drift: &Drift) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(fingerprint) = drift.fingerprint() {
        findings.push(Finding {
            level: Level::Note,
            rule: "fingerprint".to_owned(),
            message: format!("{}\nFingerprint {fingerprint}", DriftSums(drift)),
            help: None,
            place: None,
        });
    }
    findings.extend(report.warnings.iter().map(of_diagnostic));
    let mut groups: BTreeMap<(&Place, DriftKind), (&DriftedCard, u32)> = BTreeMap::new();
    for card in &drift.cards {
        groups.entry((&card.origin.place, card.kind)).or_insert((card, 0)).1 += 1;
    }
    findings.extend(groups.into_iter().map(|((place, kind), (first, count))| Finding {
        level: if kind.is_pending() { Level::Warning } else { Level::Note },
        rule: kind.word().to_owned(),
        message: format!(
            "{} ({})",
            several(first.key, count, &kind.to_string()),
            first.origin.selector
        ),
        help: None,
        place: Some(place.clone()),
    }));
    findings
}

/// A guard's breach, at the line that brings it about.
fn of_breach(plan: &Plan, breach: &Breach) -> Finding {
    let is_its = |target: &&PlannedTarget| match breach.manifest() {
        Some(name) => &*target.origin.manifest == name,
        None => true,
    };
    let place = match &breach.kind {
        BreachKind::CommonCard(lead) => {
            origin(plan, CardKey::common(*lead)).map(|origin| origin.place.clone())
        }
        BreachKind::SpecialPerson(user, _) | BreachKind::Protected(user) => reset_of(plan, *user),
        BreachKind::TooManyPeople { .. } | BreachKind::TooLargeShare { .. } => {
            largest(plan.resets().filter(|target| target.key.user().is_some()).filter(is_its))
        }
        BreachKind::Shrunk { .. } => {
            largest(plan.targets.iter().filter(|target| target.key.user().is_some()).filter(is_its))
        }
    };
    let help: Vec<String> = plan.guards.advice().iter().map(advised).collect();
    let help = (!help.is_empty()).then(|| help.join("\n"));
    Finding {
        level: Level::Error,
        rule: breach.word().to_owned(),
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

fn reset_of(plan: &Plan, user: UserId) -> Option<Place> {
    let own = LeadCustomerType::ALL.map(|lead| CardKey::personal(user, lead));
    plan.resets().find(|target| own.contains(&target.key)).map(|target| target.origin.place.clone())
}

/// The line that the most targets come from; the first of several.
fn largest<'a>(targets: impl Iterator<Item = &'a PlannedTarget>) -> Option<Place> {
    let mut counts: BTreeMap<&Place, u32> = BTreeMap::new();
    for target in targets {
        *counts.entry(&target.origin.place).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(place, _)| place.clone())
}

fn held<'a>(held: &'a [Held], origin: impl Fn(CardKey) -> Option<&'a Origin>) -> Vec<Finding> {
    let mut groups: BTreeMap<(Option<&Place>, &str), (&Held, u32)> = BTreeMap::new();
    for target in held {
        let place = origin(target.key).map(|origin| &origin.place);
        groups.entry((place, target.reason)).or_insert((target, 0)).1 += 1;
    }
    let finding =
        |((place, word), (first, count)): ((Option<&Place>, &str), (&Held, u32))| Finding {
            level: Level::Warning,
            rule: word.to_owned(),
            message: format!("held: {}", several(first.key, count, &first.text)),
            help: None,
            place: place.cloned(),
        };
    groups.into_iter().map(finding).collect()
}

/// What targets of a run have in common that are told as one.
type Group<'a> = (Level, Option<&'a Place>, &'a str);

fn of_run(run: &SettledRun<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(reason) = run.stopped {
        let message = format!("the run ended early: {reason}");
        findings.push(Finding {
            level: Level::Error,
            rule: "stopped".to_owned(),
            message,
            help: None,
            place: None,
        });
    }
    let mut groups: BTreeMap<Group<'_>, (CardKey, String, u32)> = BTreeMap::new();
    for settled in run.targets.iter().filter(|settled| !settled.outcome.is_settled()) {
        let level = match settled.outcome.class() {
            OutcomeClass::Done | OutcomeClass::Skipped => Level::Warning,
            OutcomeClass::Failed | OutcomeClass::Unknown => Level::Error,
        };
        let place = run.origin(settled.key).map(|origin| &origin.place);
        let group = (level, place, settled.outcome.word());
        groups.entry(group).or_insert_with(|| (settled.key, settled.outcome.to_string(), 0)).2 += 1;
    }
    findings.extend(groups.into_iter().map(|((level, place, word), (key, text, count))| Finding {
        level,
        rule: word.to_owned(),
        message: several(key, count, &text),
        help: None,
        place: place.cloned(),
    }));
    findings.extend(held(&run.held, |key| run.origin(key)));
    findings
}

fn several(key: CardKey, count: u32, text: &str) -> String {
    match count {
        0 | 1 => format!("{key}: {text}"),
        _ => format!("{key} and {} more: {text}", count - 1),
    }
}
