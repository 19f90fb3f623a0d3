//! `recard plan`: what would apply do? Reads only, by type: nothing here has a right to write to
//! the portal.

use crate::cli::args::{GlobalArgs, PlanArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::next_command;
use crate::cli::output::Outputs;
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::Interrupt;
use crate::cli::sources::LoadedManifests;
use crate::cli::ui::Ui;
use crate::cli::{exit, output, plan_files, planning, sources};
use crate::engine::{self, Event};
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
    let work = async |session: &Session| {
        let planned =
            planning::make_plan(outputs, session, manifest, &arguments.policy_args).await?;
        sources::show(outputs.ui, &planned.warnings, &manifest.sources);
        let effective = match arguments.effective {
            true => Some(effective(session, &planned.plan).await?),
            false => None,
        };
        // A plan file names the cards that are read again; without one, apply looks at all of them.
        let reads = match arguments.out {
            Some(_) => planning::reset_count(&planned.plan),
            None => planned.plan.targets.len(),
        };
        let cost = planning::apply_cost(session, &planned.plan, reads);
        let report =
            PlanReport { effective: effective.as_ref(), ..planned.report(session, manifest, cost) };
        outputs.write(Subject::Plan(&report))?;
        if let Some(path) = &arguments.out {
            let file = plan_files::new_plan_file(session, manifest, &planned, arguments.max_age)?;
            let bytes = file.encode().map_err(|problem| {
                CliError::general(tr!("cannot make a plan file: {problem}", problem))
            })?;
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

/// Looks at what the common view shows, where the plan does not say it.
async fn effective(session: &Session, plan: &Plan) -> Result<Effective, CliError> {
    let keys = Effective::missing(plan);
    let silent = |_: Event| {};
    let seen = engine::observe(&session.portal.reader(), &session.caller, &keys, &silent).await;
    let seen = seen
        .map_err(|problem| CliError::from(problem).context(tr!("cannot read the common cards")))?;
    Ok(Effective::from_plan(plan, &seen))
}
