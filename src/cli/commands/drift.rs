//! `recard drift`: differences from the manifests that no plan made. For a scheduler: it reads
//! only, by type, and exits with 2 if there is drift.

use crate::app;
use crate::cli::args::{DriftArgs, GlobalArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::plan_view::{self, ManifestView};
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, use_case_error};
use crate::cli::{exit, sources};
use crate::report::{PlanReport, Purpose, Subject};

/// Reads and reports.
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
    let manifest = sources::load(outputs, &arguments.manifests.files(), interrupt).await?;
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Read, interrupt).await?;
    endpoint.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let session = endpoint.connect(global, outputs.ui, interrupt).await?;
    let view = ManifestView::new(&manifest);
    let work = async |session: &CliSession| {
        let options = plan_view::ledger_options(&arguments.ledger_args);
        let files = manifest.files();
        let observer = CliObserver::new(outputs.ui, session);
        let set = manifest.set(&files);
        let (planned, drift) = match app::drift(&session.app, set, &options, &observer).await {
            Ok(found) => found,
            Err(app::Error::Manifests(found)) => {
                let harm = tr!("the cards were not looked at");
                return Err(sources::refuse(outputs, &found, &manifest.sources, &harm));
            }
            Err(error) => return Err(use_case_error(session, error)),
        };
        view.wait(session).await?;
        let warnings = view.warnings(&planned);
        sources::show(outputs.ui, &warnings, &manifest.sources);
        let cost = plan_view::apply_cost(session, &planned.plan, planned.plan.targets.len());
        let report = view.report(session, &planned, &warnings, cost);
        outputs.write(Subject::Plan(&PlanReport { drift: Some(&drift), ..report }))?;
        Ok(if drift.is_none() { exit::DONE } else { exit::CHANGES_PENDING })
    };
    session.run_and_close(outputs.ui, work).await
}
