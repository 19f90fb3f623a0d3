//! `recard restore PLAN`: executes a restore plan file, as it was reviewed or less of it.

use std::path::Path;

use crate::app::{self, Approval, Approver, Declined, Proposal};
use crate::cli::args::{GlobalArgs, RestoreArgs};
use crate::cli::clock::SystemClock;
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::use_cases::{CliObserver, Question, format_time, plan_file_error};
use crate::cli::{exit, plan_files, restore_report};
use crate::ports::Clock as _;
use crate::report::{HeldTarget, RestoreReport, Subject};

/// Checks the file against where it is used, and executes it.
pub(super) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &RestoreArgs,
    path: &Path,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let RestoreArgs { filter, preview, overwrite_newer, .. } = arguments;
    if !filter.is_empty() || preview.is_wanted() || *overwrite_newer {
        return Err(CliError::new(
            exit::USAGE,
            tr!("a restore plan file says itself which cards are restored"),
        )
        .hint(tr!("leave out the filter here, and give it to `recard restore RUN --out PLAN`; `recard show PLAN` shows the file")));
    }
    let plan = path.to_owned();
    let file = interrupt.run_blocking(move || plan_files::read_restore(&plan)).await??;
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    app::check_restore_plan_file(&file.content, endpoint.name(), SystemClock.now())
        .map_err(|problem| plan_file_error(problem).of_restore())?;
    let ui = outputs.ui;
    let session = endpoint.connect(global, ui, interrupt).await?;
    let work = async |session: &CliSession| {
        let observer = CliObserver::new(ui, session);
        let question = Question::new(ui, interrupt, true);
        let approver = RestorePlanApprover { outputs, session, question };
        let timeout = global.lock_timeout;
        let restored =
            app::restore_plan_file(&session.app, &file, timeout, &approver, &observer).await;
        match restored {
            Ok(restored) => {
                let report = RestoreReport {
                    content: &file.content,
                    layouts: None,
                    file: None,
                    settled: &[],
                };
                let held = HeldTarget::from_restore_plan(&report);
                restore_report::write_restored(outputs, session, restored, held)
            }
            Err(error) => Err(approver.question.error(session, error).of_restore()),
        }
    };
    session.run_and_close(ui, work).await
}

/// Shows what is left of a restore plan file. It was approved by its review.
struct RestorePlanApprover<'a> {
    outputs: &'a Outputs<'a>,
    session: &'a CliSession,
    question: Question<'a>,
}

impl Approver for RestorePlanApprover<'_> {
    async fn show(&self, proposal: Proposal<'_>) -> Result<(), Declined> {
        let Proposal::RestorePlanFile(file, planned) = proposal else { return Ok(()) };
        let head = tr!("Plan {} of {}\n", file.id.short(), format_time(file.content.created));
        self.question.shown(self.outputs.preview_text(&head))?;
        // If no card of the plan is left, the report says why.
        if planned.plan.actions().next().is_none() && file.content.actions().next().is_some() {
            return Ok(());
        }
        let preview = |report: &RestoreReport<'_>| self.outputs.preview(Subject::Restore(report));
        self.question.shown(restore_report::with_report(self.session, planned, preview))
    }

    async fn approve(&self, _: Proposal<'_>) -> Result<Approval, Declined> {
        Ok(Approval::Given)
    }
}
