//! Plan as text: the lost layouts, their owners, the reasons, and the guards that block it.

use std::fmt;

use crate::i18n::Text;
use crate::model::{ReadTrust, TrustEvidence};
use crate::plan::diff::{LineChange, diff};
use crate::plan::{Decision, GuardReport, KeepReason, Plan, PlannedTarget};
use crate::report::escape::visible_line;
use crate::report::humanize::{CostLine, NAME_WIDTH, column_width, truncate_to_width};
use crate::report::report_model::{once_lines, reason_text};
use crate::report::style::{ADDED, BAD, FAINT, GOOD, HEADING, PLACE, REMOVED, WARNING};
use crate::report::{Commit, Cost, Effective, PlanReport, visible};

/// Filter of the listed targets of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowFilter {
    /// Reset and held targets; kept ones are counted.
    #[default]
    Changes,
    /// All targets.
    Targets,
}

/// Rule for the content of cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiffDetail {
    /// The content is hidden.
    #[default]
    Hidden,
    /// The lost layout is shown as a diff, with the position of the target in the manifest.
    Shown,
}

/// Plan as text.
#[derive(Clone, Debug)]
pub struct PlanText<'a> {
    /// The plan.
    pub report: &'a PlanReport<'a>,
    /// The listed targets.
    pub listing: RowFilter,
    /// The rule for their content.
    pub content: DiffDetail,
}

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The warnings stand on stderr already, with their lines.
        let PlanReport {
            plan,
            caller,
            manifests,
            commits: _,
            cost,
            warnings: _,
            drift: _,
            effective,
        } = self.report;
        let portal = portal(plan.portal.as_str(), caller.emulator);
        let who =
            tr!("as user {user} {name}", user = caller.user, name = visible(caller.name.as_str()));
        writeln!(f, "{HEADING}{portal}{HEADING:#}, {who}")?;
        writeln!(f, "{FAINT}{}{FAINT:#}", tr!("Reads of other users: {}", trust(plan.trust)))?;
        for (name, reason) in manifests {
            let manifest =
                tr!("Manifest {name}: {reason}", name = visible(name), reason = visible(reason));
            writeln!(f, "{FAINT}{manifest}{FAINT:#}")?;
        }
        writeln!(f)?;

        let shown: Vec<&PlannedTarget> =
            plan.targets.iter().filter(|target| self.shows(target)).collect();
        let key_width = shown.iter().map(|target| target.key.to_string().len()).max().unwrap_or(0);
        let name_width =
            column_width(shown.iter().map(|target| plan.person_name(target.key)), NAME_WIDTH);
        let word_width = shown
            .iter()
            .map(|target| decision_label(&target.decision).chars().count())
            .max()
            .unwrap_or(0)
            .max(5);
        for target in &shown {
            self.line(f, target, [word_width, key_width, name_width])?;
        }
        if !shown.is_empty() {
            if effective.is_some() {
                let unread = tr!(
                    "Which view a person looks at cannot be read, nor can views made for some."
                );
                writeln!(f, "{FAINT}{unread}{FAINT:#}")?;
            }
            writeln!(f)?;
        }

        let counts = plan.counts();
        for line in once_lines(plan) {
            writeln!(f, "{line}")?;
        }
        if plan.is_noop() {
            let cards = as_wanted(counts.keep);
            return writeln!(f, "{GOOD}{}{GOOD:#} {cards}", tr!("Nothing to do:"));
        }
        writeln!(f, "{HEADING}{}{HEADING:#} {}", tr!("Plan:"), sums(plan))?;
        if counts.reset > 0 {
            writeln!(f, "{}", apply_takes(cost))?;
        }
        guards(f, &plan.guards)
    }
}

impl PlanText<'_> {
    fn shows(&self, target: &PlannedTarget) -> bool {
        match (self.listing, &target.decision) {
            (RowFilter::Targets, _)
            | (RowFilter::Changes, Decision::Reset(_) | Decision::Hold(_)) => true,
            (RowFilter::Changes, Decision::Keep(reason)) => match reason {
                KeepReason::CustomizedAgain(_) => true,
                KeepReason::AtDefault | KeepReason::CommonDefault | KeepReason::AlreadyReset(_) => {
                    false
                }
            },
        }
    }

    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        target: &PlannedTarget,
        [word_width, key_width, name_width]: [usize; 3],
    ) -> fmt::Result {
        let plan = self.report.plan;
        let style = match target.decision {
            Decision::Reset(_) => REMOVED,
            Decision::Hold(_) => WARNING,
            Decision::Keep(_) => FAINT,
        };
        let word = decision_label(&target.decision);
        let name = truncate_to_width(&visible(plan.person_name(target.key)), name_width);
        let key = target.key.to_string();
        write!(f, "{style}{word:<word_width$}{style:#}  {key:<key_width$}  ")?;
        if name_width > 0 {
            write!(f, "{name:<name_width$}  ")?;
        }
        writeln!(f, "{}", visible(&reason_text(target)))?;
        if let Some(effective) = self.report.effective {
            let common = effective.common_view(target.key.lead);
            let sight = match Effective::own_view(plan, target) {
                Some(own) => tr!("own view: {own}; common view: {common}", own, common),
                None => tr!("common view: {common}", common),
            };
            writeln!(f, "       {FAINT}{}{FAINT:#} {sight}", tr!("afterwards"))?;
        }
        match self.content {
            DiffDetail::Hidden => return Ok(()),
            DiffDetail::Shown => {}
        }
        let origin = &target.origin;
        let (place, selector) = (origin.place.to_string(), origin.selector.to_string());
        writeln!(
            f,
            "       {PLACE}{}{PLACE:#} {FAINT}{}{FAINT:#}",
            visible(&place),
            visible(&selector)
        )?;
        write!(f, "       {FAINT}{}", tr!("because: {}", visible(&origin.reason)))?;
        if let Some(Commit { id, author, date }) = self.report.commit(origin) {
            let (id, author) = (format_args!("{id:.10}"), visible(author));
            write!(f, " ({})", tr!("commit {id} of {date} by {author}", id, date, author))?;
        }
        writeln!(f, "{FAINT:#}")?;
        if let Some(layout) = target.decision.layout() {
            for line in diff(Some(layout), plan.common_default(target.key)) {
                let style = match line.change {
                    LineChange::Removed => REMOVED,
                    LineChange::Added => ADDED,
                    LineChange::Gap => PLACE,
                    LineChange::Same => FAINT,
                };
                writeln!(
                    f,
                    "       {style}{}{}{style:#}",
                    line.change.sign(),
                    visible_line(&line.text)
                )?;
            }
        }
        Ok(())
    }
}

/// Writes the guards: those that block a plan with the lines that would allow it, and the
/// acknowledged ones.
fn guards(f: &mut fmt::Formatter<'_>, guards: &GuardReport) -> fmt::Result {
    for breach in &guards.acknowledged {
        writeln!(
            f,
            "{WARNING}{}{WARNING:#} {}",
            tr!("acknowledged:"),
            visible(&breach.to_string())
        )?;
    }
    if guards.holds() {
        return Ok(());
    }
    for breach in &guards.violations {
        writeln!(f, "{BAD}{}{BAD:#} {}", tr!("guard:"), visible(&breach.to_string()))?;
    }
    let refused = tr!("Apply will refuse.");
    for (index, advice) in guards.advice().iter().enumerate() {
        match index {
            0 => writeln!(f, "{refused} {advice}")?,
            _ => writeln!(f, "{advice}")?,
        }
        for line in advice.lines() {
            writeln!(f, "    {}", visible(line))?;
        }
    }
    Ok(())
}

/// Returns the portal with its kind.
pub(in crate::report) fn portal(name: &str, emulator: bool) -> Text {
    if emulator { tr!("Portal {name} (an emulator)", name) } else { tr!("Portal {name}", name) }
}

/// Returns the message that there is nothing to do.
pub(in crate::report) fn as_wanted(cards: u32) -> Text {
    tr!("{n} card is as the manifests want." | "{n} cards are as the manifests want." % cards)
}

/// Returns the sums of a plan.
pub(in crate::report) fn sums(plan: &Plan) -> Text {
    let counts = plan.counts();
    let (reset, keep, hold) = (counts.reset, counts.keep, counts.hold);
    let impact = &plan.guards.impact;
    let active = impact.active_users;
    match impact.people.len() {
        0 => tr!("{reset} to reset, {keep} to keep, {hold} held.", reset, keep, hold),
        people => tr!(
            "{reset} to reset ({n} person of {active}), {keep} to keep, {hold} held."
                | "{reset} to reset ({n} people of {active}), {keep} to keep, {hold} held."
                    % people,
            reset,
            active,
            keep,
            hold
        ),
    }
}

/// Returns the cost of an apply.
pub(in crate::report) fn apply_takes(cost: &Cost) -> Text {
    tr!("Apply takes {}.", CostLine(*cost))
}

/// Returns the word for a decision.
fn decision_label(decision: &Decision) -> Text {
    match decision {
        Decision::Keep(_) => tr!("keep"),
        Decision::Reset(_) => tr!("reset"),
        Decision::Hold(_) => tr!("hold"),
    }
}

fn trust(trust: ReadTrust) -> Text {
    match trust {
        ReadTrust::Trusted(TrustEvidence::WholeSeconds) => {
            tr!("trusted (the answers show a release from 25.700 on)")
        }
        ReadTrust::Trusted(TrustEvidence::NoTimeZoneOffset) => {
            tr!("trusted (the profile shows a release from 25.550 on)")
        }
        ReadTrust::Trusted(TrustEvidence::SelectObeyed) => {
            tr!("trusted (the list of people shows a release from 24.300 on)")
        }
        ReadTrust::Trusted(TrustEvidence::DifferingRead) => {
            tr!("trusted (other people's cards read differently)")
        }
        ReadTrust::Trusted(TrustEvidence::KeptProof) => {
            tr!("trusted (an earlier command proved it, see the store)")
        }
        ReadTrust::Trusted(TrustEvidence::RunRecord) => tr!("trusted (the run recorded a proof)"),
        ReadTrust::NotTrusted => {
            tr!("not trusted (the portal answers with the caller's own card, as up to 24.200)")
        }
        ReadTrust::Unproven => tr!("unproven (nothing shows whose card the portal reads)"),
    }
}
