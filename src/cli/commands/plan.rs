//! `recard plan`: what would apply do? Reads only, by type: nothing here has a right to write to
//! the portal.

use crate::app::{self, PlanOptions};
use crate::cli::args::{GlobalArgs, PlanArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::next_command;
use crate::cli::output::Outputs;
use crate::cli::plan_view::{self, ManifestView};
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::Interrupt;
use crate::cli::sources::LoadedManifests;
use crate::cli::ui::Ui;
use crate::cli::use_cases::CliObserver;
use crate::cli::{exit, output, sources};
use crate::plan::Plan;
use crate::report::{Effective, PlanReport, Purpose, Subject};
use crate::store::write_whole;

/// Plans and shows the plan.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &PlanArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs = Outputs::open_for_plan(ui, Purpose::Plan, &arguments.view)?;
    let outcome = async {
        arguments.out.as_deref().map_or(Ok(()), output::check_path)?;
        let manifest = sources::load(&outputs, &arguments.manifests.files, interrupt).await?;
        run_with(&outputs, global, arguments, &manifest, interrupt).await
    };
    outputs.finish(outcome.await)
}

/// Plans with manifests that were read.
pub(in crate::cli) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &PlanArgs,
    manifest: &LoadedManifests,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Read, interrupt).await?;
    endpoint.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let session = endpoint.connect(global, outputs.ui, interrupt).await?;
    let view = ManifestView::new(manifest);
    let work = async |session: &Session| {
        let options = PlanOptions {
            read_beside: arguments.effective.then_some(Effective::missing as fn(&Plan) -> _),
            ..plan_view::plan_options(&arguments.policy_args)
        };
        let files = manifest.files();
        let set = manifest.set(&files);
        let observer = CliObserver::new(outputs.ui, session);
        let planned = match app::plan(&session.app, set, &options, &observer).await {
            Ok(planned) => planned,
            Err(error) => {
                return Err(sources::refuse_error(outputs, session, manifest, error));
            }
        };
        view.wait(session).await?;
        let warnings = view.warnings(&planned);
        sources::show(outputs.ui, &warnings, &manifest.sources);
        let effective =
            planned.beside.as_ref().map(|read| Effective::from_plan(&planned.plan, read));
        // A plan file names the cards that are read again; without one, apply looks at all of them.
        let reads = match arguments.out {
            Some(_) => plan_view::reset_count(&planned.plan),
            None => planned.plan.targets.len(),
        };
        let cost = plan_view::apply_cost(session, &planned.plan, reads);
        let report = view.report(session, &planned, &warnings, cost);
        let report = PlanReport { effective: effective.as_ref(), ..report };
        outputs.write(Subject::Plan(&report))?;
        if let Some(path) = &arguments.out {
            let file = app::new_plan_file(&session.app, set, &planned, arguments.max_age)?;
            let bytes = file.encode().map_err(app::Error::PlanFormat)?;
            write_whole(path, &bytes)?;
            let (plan, again) = (next_command::shell_word(path), session.global_flags());
            outputs.ui.note(tr!(
                "The plan is in {plan}; to carry it out: recard apply {plan}{again}",
                plan,
                again
            ));
        }
        let settled = planned.plan.is_noop();
        Ok(if arguments.detailed_exitcode && !settled { exit::CHANGES_PENDING } else { exit::DONE })
    };
    session.run_and_close(outputs.ui, work).await
}
