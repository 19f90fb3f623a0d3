//! `recard drift`: what differs from the manifests although nobody planned it? For a schedule: it
//! reads only, by type, and ends with 2 if there is drift.

use crate::cli::args::{DriftArgs, GlobalArgs, PolicyArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::{exit, git_log, planning, sources};
use crate::diagnostic::Diagnostic;
use crate::plan::Drift;
use crate::report::{PlanReport, Purpose, Subject};

/// Looks, and tells.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &DriftArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs = Outputs::open_for_plan(ui, Purpose::Drift, &arguments.view)?;
    outputs.finish(find_drift(&outputs, global, arguments, interrupt).await)
}

async fn find_drift(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &DriftArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let manifest = sources::load(outputs, &arguments.manifests.files, interrupt).await?;
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Read, interrupt).await?;
    endpoint.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let session = endpoint.connect(global, outputs.ui, interrupt).await?;
    let work = async |session: &Session| {
        let worth =
            |found: &[Diagnostic]| found.iter().all(|one| !one.is_error() || Drift::is_gone(one));
        let git = git_log::query(&manifest.sources);
        let (resolution, snapshot) =
            planning::resolve_and_observe(outputs, session, &manifest, worth).await?;
        let found = &resolution.warnings;
        let Some(snapshot) = snapshot else {
            return Err(sources::refuse(
                outputs,
                found,
                &manifest.sources,
                &tr!("the cards were not looked at"),
            ));
        };
        let gone: Vec<Diagnostic> =
            found.iter().filter(|found| found.is_error()).cloned().collect();
        let policy_args = PolicyArgs {
            blind_reset: false,
            max_users: None,
            ledger_args: arguments.ledger_args.clone(),
        };
        let planned = planning::plan_from_snapshot(
            session,
            &manifest,
            &policy_args,
            resolution,
            &snapshot,
            git,
        )
        .await?;
        let drift = Drift::from_plan(&planned.plan, gone);
        sources::show(outputs.ui, &planned.warnings, &manifest.sources);
        let cost = planning::apply_cost(session, &planned.plan, planned.plan.targets.len());
        let report = PlanReport { drift: Some(&drift), ..planned.report(session, &manifest, cost) };
        outputs.write(Subject::Plan(&report))?;
        Ok(if drift.is_none() { exit::DONE } else { exit::CHANGES_PENDING })
    };
    session.run_and_close(outputs.ui, work).await
}
