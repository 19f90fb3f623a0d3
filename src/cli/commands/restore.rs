//! `recard restore`: restores the layouts that a run removed.

use std::collections::BTreeSet;

use crate::app::{self, Approval, Approver, Declined, Proposal, RestoreOptions};
use crate::cli::args::{GlobalArgs, LeadType, RestoreArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::output::Outputs;
use crate::cli::run_report;
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, Question};
use crate::engine::NewerLayouts;
use crate::model::{CardKey, LeadCustomerType, PortalId, RunId, UserId};
use crate::report::{HeldTarget, Purpose, ReportedRun, RestoreText, Subject, visible};

/// Number of people of a run that an error lists.
const MAX_LISTED: usize = 20;

/// Plans the restore, shows it, asks, and executes it.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &RestoreArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs =
        Outputs::open_for_plan(ui, Purpose::Restore, &arguments.view)?.with_every_target();
    let overwrites = arguments.overwrite_newer;
    let filter = &arguments.filter;
    let options = RestoreOptions {
        run: arguments.run.clone(),
        filter: app::TargetFilter {
            all: filter.all,
            users: filter.user.iter().copied().collect(),
            common: filter.common,
            lead: filter.lead.map(LeadType::lead_customer_type),
        },
        newer: if overwrites { NewerLayouts::Overwrite } else { NewerLayouts::Keep },
        lock_timeout: global.lock_timeout,
    };
    let request = RestoreRequest { options, auto_approve: arguments.auto_approve };
    outputs.finish(run_with(&outputs, global, &request, interrupt).await)
}

/// Options of a restore, and whether it was approved beforehand.
pub(super) struct RestoreRequest {
    pub(super) options: RestoreOptions,
    pub(super) auto_approve: bool,
}

/// Restores into outputs that were opened.
pub(super) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    request: &RestoreRequest,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let ui = outputs.ui;
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    let session = endpoint.connect(global, ui, interrupt).await?;
    let work = async |session: &Session| {
        let question = Question::new(ui, interrupt, request.auto_approve);
        let approver = RestoreApprover { outputs, portal: session.app.store.portal(), question };
        let observer = CliObserver::new(ui, session);
        match app::restore(&session.app, &request.options, &approver, &observer).await {
            Ok(restored) => finish(outputs, session, restored),
            Err(app::Error::Filter { run, cards }) => Err(filter_error(
                session,
                &run,
                &cards.into_iter().collect(),
                &request.options.filter,
            )),
            Err(error) => Err(approver.question.error(session, error)),
        }
    };
    session.run_and_close(ui, work).await
}

/// Approval of a restore at the terminal.
struct RestoreApprover<'a> {
    outputs: &'a Outputs<'a>,
    portal: &'a PortalId,
    question: Question<'a>,
}

impl Approver for RestoreApprover<'_> {
    async fn show(&self, proposal: Proposal<'_>) -> Result<(), Declined> {
        let Proposal::Restore(plan, names) = proposal else { return Ok(()) };
        let content = self.outputs.options().content;
        let text = RestoreText { plan, names, content }.to_string();
        self.question.shown(self.outputs.preview_text(&text))
    }

    async fn approve(&self, proposal: Proposal<'_>) -> Result<Approval, Declined> {
        let Proposal::Restore(plan, _) = proposal else { return Ok(Approval::Given) };
        let actions = u32::try_from(plan.actions().count()).unwrap_or(u32::MAX);
        let question = tr!(
            "Write {n} card on {portal}?" | "Write {n} cards on {portal}?" % actions,
            portal = self.portal
        );
        self.question.ask(&question).await
    }
}

/// Writes the report of the restore, and returns the exit code.
fn finish(
    outputs: &Outputs<'_>,
    session: &Session,
    restored: app::RestoredRun,
) -> Result<u8, CliError> {
    let app::RestoredRun { portal, plan, names, is_incomplete, run } = restored;
    let report = ReportedRun {
        held: HeldTarget::from_restore_plan(&plan),
        names: Some(&names),
        ..ReportedRun::not_begun(portal.as_str())
    };
    let kept_back = !report.held.is_empty() || is_incomplete;
    let code = match run {
        None => outputs.write(Subject::Run(&report)).map(|()| exit::DONE)?,
        Some(finished) => run_report::write_finished(outputs, session, report, finished)?,
    };
    Ok(if kept_back { exit::PARTIAL } else { code })
}

/// Words a filter that the run has no card for, and lists the people whose cards it has: a mistyped
/// id must not end with "nothing to put back".
fn filter_error(
    session: &Session,
    run: &RunId,
    cards: &BTreeSet<CardKey>,
    filter: &app::TargetFilter,
) -> CliError {
    let has = |whose: Option<UserId>, lead: Option<LeadCustomerType>| {
        cards.iter().any(|key| key.user() == whose && lead.is_none_or(|lead| lead == key.lead))
    };
    let of_kind = |lead: LeadCustomerType| cards.iter().any(|key| lead == key.lead);
    let missing = if let Some(user) = filter.users.iter().find(|user| !has(Some(**user), None)) {
        tr!("user {user} is not in the run {run}", user, run)
    } else if filter.common && !has(None, None) {
        tr!("the run {run} has no common card", run)
    } else if let Some(lead) = filter.lead.filter(|lead| !of_kind(*lead)) {
        tr!("the run {run} has no card for {} leads", lead.as_str(), run)
    } else if let Some(user) = filter.users.iter().find(|user| !has(Some(**user), filter.lead)) {
        tr!("user {user} has no card for these leads in the run {run}", user, run)
    } else {
        tr!("the run {run} has no such card", run)
    };
    let people: BTreeSet<UserId> = cards.iter().filter_map(|key| key.user()).collect();
    if people.is_empty() {
        return CliError::general(missing).hint(tr!("the run has common cards only"));
    }
    let names = app::names_of_run(&session.app.store, run);
    let named = |user: &UserId| match names.get(user) {
        Some(name) => format!("{user} {}", visible(name.as_str())),
        None => user.to_string(),
    };
    let listed = people.iter().take(MAX_LISTED).map(named).collect::<Vec<_>>().join(", ");
    let hint = match people.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => {
            tr!(
                "the run has cards of {listed}, and {more} more; `recard show {run}` lists all",
                listed,
                more,
                run
            )
        }
        Some(0) | None => tr!("the run has cards of {listed}", listed),
    };
    CliError::general(missing).hint(hint)
}
