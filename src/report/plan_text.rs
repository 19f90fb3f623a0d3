//! A plan as text: what is lost, by whom, why, and what stands against it.

use std::fmt;

use super::style::{ADDED, BAD, FAINT, GOOD, HEADING, PLACE, REMOVED, WARNING};
use super::subject::{once_lines, told};
use super::words::{Counted, Expense, column_width, fitted};
use super::{Commit, Effective, PlanReport, visible};
use crate::model::{ReadTrust, TrustEvidence};
use crate::plan::diff::{Change, diff};
use crate::plan::{Decision, GuardReport, KeepReason, PlannedTarget};

/// Names are cut here, so that a line of a plan fits 80 columns.
const NAME_WIDTH: usize = 22;

/// Which targets of a plan are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// Those that are reset or held; cards that stay are counted.
    #[default]
    Changes,
    /// All.
    Targets,
}

/// Whether the content of cards is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// It is not.
    #[default]
    Left,
    /// What is lost is shown as a diff, with the place in the manifest that a target comes from.
    Shown,
}

/// A plan as text.
#[derive(Clone, Debug)]
pub struct PlanText<'a> {
    /// The plan.
    pub report: &'a PlanReport<'a>,
    /// Which of its targets.
    pub listing: Listing,
    /// And whether with their content.
    pub content: Content,
}

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The warnings stand on stderr already, with the lines that they are about.
        let PlanReport { plan, caller, manifests, commits: _, cost, warnings: _, drift: _, effective } = self.report;
        let kind = if caller.emulator { " (an emulator)" } else { "" };
        writeln!(
            f,
            "{HEADING}Portal {}{kind}{HEADING:#}, as user {} {}",
            plan.portal,
            caller.user,
            visible(caller.name.as_str())
        )?;
        writeln!(f, "{FAINT}Reads of other users: {}{FAINT:#}", Trust(plan.trust))?;
        for (name, reason) in manifests {
            writeln!(f, "{FAINT}Manifest {}: {}{FAINT:#}", visible(name), visible(reason))?;
        }
        writeln!(f)?;

        let shown: Vec<&PlannedTarget> = plan.targets.iter().filter(|target| self.shows(target)).collect();
        let key_width = shown.iter().map(|target| target.key.to_string().len()).max().unwrap_or(0);
        let name_width = column_width(shown.iter().map(|target| plan.person_name(target.key)), NAME_WIDTH);
        for target in &shown {
            self.line(f, target, key_width, name_width)?;
        }
        if !shown.is_empty() {
            if effective.is_some() {
                writeln!(
                    f,
                    "{FAINT}Which view a person looks at cannot be read, nor can views made for some.{FAINT:#}"
                )?;
            }
            writeln!(f)?;
        }

        let counts = plan.counts();
        for line in once_lines(plan) {
            writeln!(f, "{line}")?;
        }
        let people = u32::try_from(plan.guards.measure.people.len()).unwrap_or(u32::MAX);
        if plan.is_settled() {
            let cards = Counted(counts.keep, "card is as", "cards are as");
            writeln!(f, "{GOOD}Nothing to do:{GOOD:#} {cards} the manifests want.")?;
            return Ok(());
        }
        write!(f, "{HEADING}Plan:{HEADING:#} {} to reset", counts.reset)?;
        if people > 0 {
            let measure = &plan.guards.measure;
            write!(f, " ({} of {})", Counted(people, "person", "people"), measure.active_users)?;
        }
        write!(f, ", {} to keep, {} held.", counts.keep, counts.hold)?;
        writeln!(f)?;
        if counts.reset > 0 {
            writeln!(f, "Apply takes {}.", Expense(*cost))?;
        }
        guards(f, &plan.guards)
    }
}

impl PlanText<'_> {
    fn shows(&self, target: &PlannedTarget) -> bool {
        match (self.listing, &target.decision) {
            (Listing::Targets, _) | (Listing::Changes, Decision::Reset(_) | Decision::Hold(_)) => true,
            (Listing::Changes, Decision::Keep(reason)) => match reason {
                KeepReason::CustomisedAgain(_) => true,
                KeepReason::AtDefault | KeepReason::StandIn | KeepReason::HadItsTurn(_) => false,
            },
        }
    }

    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        target: &PlannedTarget,
        key_width: usize,
        name_width: usize,
    ) -> fmt::Result {
        let plan = self.report.plan;
        let style = match target.decision {
            Decision::Reset(_) => REMOVED,
            Decision::Hold(_) => WARNING,
            Decision::Keep(_) => FAINT,
        };
        let word = target.decision.word();
        let name = fitted(&visible(plan.person_name(target.key)), name_width);
        let key = target.key.to_string();
        write!(f, "{style}{word:<5}{style:#}  {key:<key_width$}  ")?;
        if name_width > 0 {
            write!(f, "{name:<name_width$}  ")?;
        }
        writeln!(f, "{}", visible(&told(target)))?;
        if let Some(effective) = self.report.effective {
            let common = effective.common_view(target.key.lead);
            match Effective::own_view(plan, target) {
                Some(own) => writeln!(f, "       {FAINT}afterwards{FAINT:#} own view: {own}; common view: {common}")?,
                None => writeln!(f, "       {FAINT}afterwards{FAINT:#} common view: {common}")?,
            }
        }
        match self.content {
            Content::Left => return Ok(()),
            Content::Shown => {}
        }
        let origin = &target.origin;
        let (place, selector) = (origin.place.to_string(), origin.selector.to_string());
        writeln!(f, "       {PLACE}{}{PLACE:#} {FAINT}{}{FAINT:#}", visible(&place), visible(&selector))?;
        write!(f, "       {FAINT}because: {}", visible(&origin.reason))?;
        if let Some(Commit { id, author, date }) = self.report.commit(origin) {
            write!(f, " (commit {:.10} of {date} by {})", id, visible(author))?;
        }
        writeln!(f, "{FAINT:#}")?;
        if let Some(layout) = target.decision.layout() {
            let stand_in = target.key.user().and(plan.stand_ins.get(&target.key.lead));
            for line in diff(Some(layout), stand_in) {
                let style = match line.change {
                    Change::Removed => REMOVED,
                    Change::Added => ADDED,
                    Change::Gap => PLACE,
                    Change::Same => FAINT,
                };
                let indent = line.text.len() - line.text.trim_start().len();
                let (blanks, text) = line.text.split_at(indent);
                writeln!(f, "       {style}{}{blanks}{}{style:#}", line.change.sign(), visible(text))?;
            }
        }
        Ok(())
    }
}

/// The guards: what stands against a plan and what would allow it, and what a manifest has acknowledged.
fn guards(f: &mut fmt::Formatter<'_>, guards: &GuardReport) -> fmt::Result {
    for breach in &guards.acknowledged {
        writeln!(f, "{WARNING}acknowledged:{WARNING:#} {breach}")?;
    }
    if guards.holds() {
        return Ok(());
    }
    for breach in &guards.breaches {
        writeln!(f, "{BAD}guard:{BAD:#} {breach}")?;
    }
    match guards.acknowledgement() {
        Some(lines) => {
            writeln!(f, "Apply will refuse. These lines under `spec` would allow exactly this:")?;
            for line in lines.lines() {
                writeln!(f, "    {line}")?;
            }
            Ok(())
        }
        None => {
            writeln!(f, "Apply will refuse. Nothing lifts a protection; leave the person out with `except`.")
        }
    }
}

struct Trust(ReadTrust);

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ReadTrust::Trusted(TrustEvidence::WholeSeconds) => "trusted (the answers show a release from 25.700 on)",
            ReadTrust::Trusted(TrustEvidence::NoTimeZoneOffset) => {
                "trusted (the profile shows a release from 25.550 on)"
            }
            ReadTrust::Trusted(TrustEvidence::DifferingRead) => "trusted (other people's cards read differently)",
            ReadTrust::NotTrusted => "not trusted (the portal answers with the caller's own card, as up to 24.200)",
            ReadTrust::Unproven => "unproven (nothing shows whose card the portal reads)",
        })
    }
}
