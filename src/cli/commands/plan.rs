//! `recard plan`: the changes that apply would make. Reads only, by type: this module has no right
//! to write to the portal.

use std::path::Path;
use std::time::Duration;

use crate::app::{self, PlanOptions};
use crate::cli::args::{GlobalArgs, PlanArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::next_command;
use crate::cli::output::Outputs;
use crate::cli::plan_view::{self, ManifestView};
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::sources::LoadedManifests;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, refuse_error};
use crate::cli::{exit, output, sources};
use crate::report::{Purpose, Subject};
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
        let manifest = sources::load(&outputs, &arguments.manifests.files(), interrupt).await?;
        let request = PlanRequest {
            options: PlanOptions {
                narrowing: arguments.narrowing_args.narrowing(),
                ..plan_view::plan_options(&arguments.policy_args)
            },
            out: arguments.out.as_deref().map(|path| (path, arguments.max_age)),
        };
        let end = run_with(&outputs, global, &request, &manifest, interrupt).await?;
        // A plan that apply would refuse is not green where a pipeline looks at the exit code.
        let is_gate = arguments.detailed_exitcode || arguments.out.is_some();
        Ok(match end {
            PlanEnd::Blocked if is_gate => exit::REFUSED,
            PlanEnd::Changes | PlanEnd::Blocked if arguments.detailed_exitcode => {
                exit::CHANGES_PENDING
            }
            PlanEnd::NoChanges | PlanEnd::Changes | PlanEnd::Blocked => exit::DONE,
        })
    };
    outputs.finish(outcome.await)
}

/// Options of a plan, and the plan file to be written with its age.
#[derive(Default)]
pub(super) struct PlanRequest<'a> {
    pub(super) options: PlanOptions,
    pub(super) out: Option<(&'a Path, Duration)>,
}

/// End of a plan.
pub(super) enum PlanEnd {
    /// Nothing is to be reset or held.
    NoChanges,
    /// Targets are to be reset or held.
    Changes,
    /// A guard blocks it: apply would refuse it.
    Blocked,
}

/// Plans with manifests that were read.
pub(super) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    request: &PlanRequest<'_>,
    manifest: &LoadedManifests,
    interrupt: &Interrupt,
) -> Result<PlanEnd, CliError> {
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Read, interrupt).await?;
    endpoint.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let session = endpoint.connect(global, outputs.ui, interrupt).await?;
    let view = ManifestView::new(manifest);
    let work = async |session: &CliSession| {
        let files = manifest.files();
        let set = manifest.set(&files);
        let observer = CliObserver::new(outputs.ui, session);
        let planned = match app::plan(&session.app, set, &request.options, &observer).await {
            Ok(planned) => planned,
            Err(error) => {
                return Err(refuse_error(outputs, session, manifest, error));
            }
        };
        view.wait(session).await?;
        let warnings = view.warnings(&planned);
        sources::show(outputs.ui, &warnings, &manifest.sources);
        // A plan file names the cards that are read again; without one, apply reads all of them.
        let reads = match request.out {
            Some(_) => plan_view::reset_count(&planned.plan),
            None => planned.plan.targets.len(),
        };
        let cost = plan_view::apply_cost(session, &planned.plan, reads);
        let report = view.report(session, &planned, &warnings, cost);
        outputs.write(Subject::Plan(&report))?;
        if request.out.is_none() && outputs.has_text() && plan_view::reset_count(&planned.plan) > 0
        {
            outputs.ui.note(tr!(
                "To apply exactly this plan, save it with --out FILE and run `recard apply FILE`."
            ));
        }
        if let Some((path, max_age)) = request.out {
            let file = app::new_plan_file(&session.app, set, &planned, max_age)?;
            let bytes = file.encode().map_err(app::Error::PlanFormat)?;
            write_whole(path, &bytes)?;
            let (plan, again) = (next_command::shell_word(path), session.global_flags());
            if !planned.plan.guards.holds() {
                outputs.ui.note(tr!(
                    "The plan is in {plan}. Apply would refuse it: make another one once the manifests acknowledge it.",
                    plan
                ));
                return Ok(PlanEnd::Blocked);
            }
            outputs.ui.note(tr!(
                "The plan is in {plan}; to carry it out: recard apply {plan}{again}",
                plan,
                again
            ));
        }
        Ok(match (planned.plan.guards.holds(), planned.plan.is_noop()) {
            (false, _) => PlanEnd::Blocked,
            (true, false) => PlanEnd::Changes,
            (true, true) => PlanEnd::NoChanges,
        })
    };
    session.run_and_close(outputs.ui, work).await
}
