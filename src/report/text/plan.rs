//! Plan as text: the cards to be reset, their owners, the reasons, and the guards that block it.

use std::fmt::{self, Write as _};

use super::review;
use super::rows::{self, Line};
use crate::i18n::Text;
use crate::model::{ReadTrust, TrustEvidence};
use crate::plan::{Plan, PlanExtent};
use crate::report::alike::fold_alike;
use crate::report::humanize::CostLine;
use crate::report::plan_file::partial_if;
use crate::report::report_model::{ReportModel, Row, RowGroup};
use crate::report::review::kind_lines;
use crate::report::style::{BAD, FAINT, GOOD, HEADING, WARNING};
use crate::report::undo;
use crate::report::{Cost, DiffDetail, Grouping, PlanReport, RenderOptions, RowFilter, visible};

/// Writes a plan.
pub(super) fn write(
    out: &mut String,
    model: &ReportModel<'_>,
    report: &PlanReport<'_>,
    options: &RenderOptions,
) -> fmt::Result {
    // The warnings stand on stderr already, with their lines.
    let PlanReport {
        plan,
        caller,
        manifests,
        commits: _,
        cost: _,
        warnings: _,
        drift: _,
        labels: _,
    } = report;
    let portal = portal(plan.portal.as_str(), caller.emulator);
    let who =
        tr!("as user {user} {name}", user = caller.user, name = visible(caller.name.as_str()));
    writeln!(out, "{HEADING}{portal}{HEADING:#}, {who}")?;
    writeln!(out, "{FAINT}{}{FAINT:#}", tr!("Reads of other users: {}", trust(plan.trust)))?;
    for (name, reason) in manifests {
        let manifest =
            tr!("Manifest {name}: {reason}", name = visible(name), reason = visible(reason));
        writeln!(out, "{FAINT}{manifest}{FAINT:#}")?;
    }
    for kind in kind_lines(plan, |name| visible(name).into_owned()) {
        writeln!(out, "{FAINT}{kind}{FAINT:#}")?;
    }
    if let Some(partial) = partial(plan) {
        writeln!(out, "{WARNING}{partial}{WARNING:#}")?;
    }
    writeln!(out)?;
    // A plan that apply refuses must not look like a good one.
    if !plan.guards.holds() {
        guards(out, plan)?;
        writeln!(out)?;
    }
    let length = out.len();
    if let Some(review) = &model.review {
        review::write(out, model, review, report, options)?;
    }
    let is_listed = |row: &&Row<'_>| match (row.group, options.listing) {
        (Some(RowGroup::Reset), _) => false,
        (_, RowFilter::Targets) => true,
        (group, RowFilter::Changes) => group.is_some(),
    };
    let listed: Vec<&Row<'_>> = model.rows.iter().filter(is_listed).collect();
    let rows = match (options.grouping, options.listing) {
        (Grouping::Layout, RowFilter::Changes) => fold_alike(&listed),
        _ => listed.into_iter().map(|row| (row, 0)).collect(),
    };
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .filter_map(|(row, more)| line(row, more, report, options.content))
        .collect();
    rows::write(out, &lines)?;
    if out.len() > length {
        writeln!(out)?;
    }
    for line in &model.once {
        writeln!(out, "{line}")?;
    }
    if plan.is_noop() && plan.guards.holds() {
        let cards = as_wanted(plan.counts().keep);
        return writeln!(out, "{GOOD}{}{GOOD:#} {cards}", tr!("No changes."));
    }
    writeln!(out, "{HEADING}{}{HEADING:#} {}", tr!("Plan:"), sums(plan))?;
    if let Some(review) = model.review.as_ref().filter(|review| !review.groups.is_empty()) {
        writeln!(out, "{}", undo::promise(plan))?;
        for limit in undo::limits(plan) {
            writeln!(out, "{WARNING}{limit}{WARNING:#}")?;
        }
        if options.content == DiffDetail::Shown {
            for note in review.notes() {
                writeln!(out, "{FAINT}{note}{FAINT:#}")?;
            }
        }
    }
    if let Some(cost) = &model.cost {
        writeln!(out, "{}", apply_takes(cost))?;
    }
    match plan.guards.violations.len() {
        0 => guards(out, plan),
        count => {
            let blocked = tr!("Apply will refuse: {n} guard blocks the plan, see above."
                | "Apply will refuse: {n} guards block the plan, see above." % count);
            writeln!(out, "{BAD}{blocked}{BAD:#}")
        }
    }
}

/// Returns the sentence on a plan that was narrowed.
pub(in crate::report) fn partial(plan: &Plan) -> Option<Text> {
    partial_if(plan.extent == PlanExtent::Partial)
}

fn line<'a>(
    row: &Row<'a>,
    more: usize,
    report: &PlanReport<'_>,
    content: DiffDetail,
) -> Option<Line<'a>> {
    let (style, word) = match row.group {
        Some(RowGroup::Held) => (WARNING, tr!("hold")),
        _ => (FAINT, tr!("keep")),
    };
    let key = row.key?;
    let mut below = String::new();
    if content == DiffDetail::Shown {
        let targets = &report.plan.targets;
        let index = targets.binary_search_by_key(&key, |target| target.key).ok()?;
        review::origin(&mut below, targets.get(index)?, report).ok()?;
    }
    if more > 0 {
        let kind = key.kind;
        let more = tr!(
            "and {n} more card of {kind} with that reason; `--group none` lists it"
                | "and {n} more cards of {kind} with that reason; `--group none` lists them" % more,
            kind
        );
        writeln!(below, "       {FAINT}{more}{FAINT:#}").ok()?;
    }
    let text = visible(&row.reason_text()).into_owned();
    Some(Line { style, word: word.into(), key, name: row.name, text, below })
}

/// Writes the guards: those that block a plan with the lines that would allow it, and the
/// acknowledged ones.
fn guards(f: &mut String, plan: &Plan) -> fmt::Result {
    let guards = &plan.guards;
    for breach in &guards.acknowledged {
        writeln!(
            f,
            "{WARNING}{}{WARNING:#} {}",
            tr!("acknowledged:"),
            visible(&breach.words(&plan.kinds))
        )?;
    }
    if guards.holds() {
        return Ok(());
    }
    for breach in &guards.violations {
        writeln!(f, "{BAD}{}{BAD:#} {}", tr!("guard:"), visible(&breach.words(&plan.kinds)))?;
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
    tr!("{n} card matches the manifests." | "{n} cards match the manifests." % cards)
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

/// Returns the trust in the reads, with its evidence.
pub(in crate::report) fn trust(trust: ReadTrust) -> Text {
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
