//! `recard restore`: restores the layouts that a run removed, or shows what that would do.

use crate::app::{self, Approval, Approver, Declined, Proposal, RestoreOptions, RestoreSelection};
use crate::cli::args::{GlobalArgs, RestoreArgs};
use crate::cli::commands::{restore_plan_file, restore_preview};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::restore_error::restore_error;
use crate::cli::restore_report::{with_report, write_restored};
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, Question};
use crate::cli::{exit, plan_files};
use crate::engine::NewerLayouts;
use crate::report::{HeldTarget, OutputFormat, Purpose, Report, RestoreReport, Subject};

/// Plans the restore, shows it, asks, and executes it; or shows the plan alone, or executes a plan
/// file.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &RestoreArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs =
        Outputs::open_for_plan(ui, Purpose::Restore, &arguments.view)?.with_every_target();
    let outcome = async {
        if let Some(path) = plan_files::path(&arguments.run) {
            return restore_plan_file::run_with(&outputs, global, arguments, &path, interrupt)
                .await;
        }
        let selection = selection(arguments);
        if arguments.preview.is_wanted() {
            let preview = &arguments.preview;
            return restore_preview::run_with(&outputs, global, &selection, preview, interrupt)
                .await;
        }
        if arguments.filter.is_empty() {
            return Err(CliError::new(exit::USAGE, tr!("no card to be restored is named")).hint(
                tr!("name cards with --user, --department, --common or --card, or take --all; --plan shows what would be done"),
            ));
        }
        let options = RestoreOptions { selection, lock_timeout: global.lock_timeout };
        let request = RestoreRequest { options, auto_approve: arguments.auto_approve };
        run_with(&outputs, global, &request, interrupt).await
    };
    outputs.finish(outcome.await)
}

/// Returns the cards that the command line names. Without a filter these are all cards of the run,
/// which a preview may show.
fn selection(arguments: &RestoreArgs) -> RestoreSelection {
    let filter = &arguments.filter;
    RestoreSelection {
        run: arguments.run.clone(),
        filter: app::TargetFilter {
            all: filter.all,
            users: filter.user.iter().copied().collect(),
            departments: filter.department.iter().copied().collect(),
            common: filter.common,
            kind: filter.kind,
            cards: None,
        },
        newer: match arguments.overwrite_newer {
            true => NewerLayouts::Overwrite,
            false => NewerLayouts::Keep,
        },
    }
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
    let work = async |session: &CliSession| {
        let question = Question::new(ui, interrupt, request.auto_approve);
        let approver = RestoreApprover { outputs, session, question };
        let observer = CliObserver::new(ui, session);
        let selection = &request.options.selection;
        match app::restore(&session.app, &request.options, &approver, &observer).await {
            Ok(restored) => finish(outputs, session, restored),
            Err(error) => Err(restore_error(session, selection, error)
                .await
                .unwrap_or_else(|error| approver.question.error(session, error))),
        }
    };
    session.run_and_close(ui, work).await
}

/// Approval of a restore at the terminal.
struct RestoreApprover<'a> {
    outputs: &'a Outputs<'a>,
    session: &'a CliSession,
    question: Question<'a>,
}

impl Approver for RestoreApprover<'_> {
    async fn show(&self, proposal: Proposal<'_>) -> Result<(), Declined> {
        let Proposal::Restore(planned) = proposal else { return Ok(()) };
        let preview = |report: &RestoreReport<'_>| self.outputs.preview(Subject::Restore(report));
        self.question.shown(with_report(self.session, planned, preview))
    }

    async fn approve(&self, proposal: Proposal<'_>) -> Result<Approval, Declined> {
        let Proposal::Restore(planned) = proposal else { return Ok(Approval::Given) };
        let outputs = self.outputs;
        // Whoever is asked has seen the plan.
        if self.question.is_asked() && !outputs.has_text() {
            with_report(self.session, planned, |report| {
                let shown = Report { purpose: Purpose::Restore, subject: Subject::Restore(report) };
                outputs.ui.diagnostics(&shown.render(OutputFormat::Text, outputs.options()));
            });
        }
        let actions = u32::try_from(planned.plan.actions().count()).unwrap_or(u32::MAX);
        let question = tr!(
            "Write {n} card on {portal}?" | "Write {n} cards on {portal}?" % actions,
            portal = planned.portal
        );
        self.question.ask(&question).await
    }
}

/// Writes the report of the restore, and returns the exit code.
fn finish(
    outputs: &Outputs<'_>,
    session: &CliSession,
    restored: app::RestoredRun,
) -> Result<u8, CliError> {
    let held = with_report(session, &restored.planned, HeldTarget::from_restore_plan);
    write_restored(outputs, session, restored, held)
}
