//! `recard restore --plan` and `--out`: what a restore would do. Reads only, by type: this module
//! has no right to write to the portal.

use crate::app::{self, RestoreSelection};
use crate::cli::args::{GlobalArgs, RestorePreviewArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::restore_error::restore_error;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::use_cases::{CliObserver, use_case_error};
use crate::cli::{exit, next_command, output, restore_report};
use crate::report::{HeldTarget, RestorePlanUse, RestoreReport, Subject};
use crate::store::write_whole;

/// Plans a restore, shows the plan, and writes the plan file if one is wanted.
pub(super) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    selection: &RestoreSelection,
    preview: &RestorePreviewArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    preview.out.as_deref().map_or(Ok(()), output::check_path)?;
    let ui = outputs.ui;
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Read, interrupt).await?;
    let session = endpoint.connect(global, ui, interrupt).await?;
    let work = async |session: &CliSession| {
        let observer = CliObserver::new(ui, session);
        let planned = match app::plan_restore(&session.app, selection, &observer).await {
            Ok(planned) => planned,
            Err(error) => {
                return Err(restore_error(session, selection, error)
                    .await
                    .unwrap_or_else(|error| use_case_error(session, error)));
            }
        };
        let held = match &preview.out {
            None => {
                let held = restore_report::with_report(session, &planned, |report| {
                    outputs.write(Subject::Restore(report))?;
                    Ok::<_, CliError>(HeldTarget::from_restore_plan(report))
                })?;
                if outputs.has_text() && planned.plan.actions().next().is_some() {
                    ui.note(tr!("Nothing was written. To restore exactly this later, keep the plan with --out FILE."));
                }
                held
            }
            Some(path) => {
                let file = app::new_restore_plan_file(&session.app, &planned, preview.max_age)?;
                let bytes = file.encode().map_err(app::Error::PlanFormat)?;
                let report = RestoreReport {
                    content: &file.content,
                    layouts: Some(&planned.plan),
                    file: Some(RestorePlanUse { id: file.id, used: None }),
                    settled: &[],
                };
                outputs.write(Subject::Restore(&report))?;
                write_whole(path, &bytes)?;
                let (plan, again) = (next_command::shell_word(path), session.global_flags());
                ui.note(tr!(
                    "The plan is in {plan}; to carry it out: recard restore {plan}{again}",
                    plan,
                    again
                ));
                HeldTarget::from_restore_plan(&report)
            }
        };
        let is_noop =
            planned.plan.actions().next().is_none() && held.is_empty() && !planned.is_incomplete;
        let is_pending = preview.detailed_exitcode && !is_noop;
        Ok(if is_pending { exit::CHANGES_PENDING } else { exit::DONE })
    };
    session.run_and_close(ui, work).await
}
