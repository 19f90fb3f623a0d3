//! `recard plan`: what would apply do? Reads only, by type: nothing here has a right to write to
//! the portal.

use crate::cli::again;
use crate::cli::args::{Global, PlanArguments};
use crate::cli::environment::Need;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Outputs;
use crate::cli::session::{Address, Session};
use crate::cli::sources::Manifest;
use crate::cli::ui::Ui;
use crate::cli::{exit, output, plan_files, planning, sources};
use crate::engine::{self, Event};
use crate::plan::Plan;
use crate::report::{Effective, PlanReport, Purpose, Subject};
use crate::store::write_whole;

/// Plans and shows the plan.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &PlanArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let outputs = Outputs::showing(ui, Purpose::Plan, &arguments.shown)?;
    let outcome = async {
        arguments.out.as_deref().map_or(Ok(()), output::check_path)?;
        let manifest = sources::load(&outputs, &arguments.manifests.files, interrupt).await?;
        with(&outputs, global, arguments, &manifest, interrupt).await
    };
    outputs.finish(outcome.await)
}

/// Plans with manifests that were read.
pub(in crate::cli) async fn with(
    outputs: &Outputs<'_>,
    global: &Global,
    arguments: &PlanArguments,
    manifest: &Manifest,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let address = Address::find(global, Need::Read, interrupt).await?;
    address.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let session = address.connect(global, outputs.ui, interrupt).await?;
    let work = async |session: &Session| {
        let planned = planning::make(outputs, session, manifest, &arguments.rules).await?;
        sources::show(outputs.ui, &planned.warnings, &manifest.sources);
        let effective = match arguments.effective {
            true => Some(effective(session, &planned.plan).await?),
            false => None,
        };
        // A plan file names the cards that are read again; without one, apply looks at all of them.
        let reads = match arguments.out {
            Some(_) => planning::resets(&planned.plan),
            None => planned.plan.targets.len(),
        };
        let cost = planning::cost_of_apply(session, &planned.plan, reads);
        let report =
            PlanReport { effective: effective.as_ref(), ..planned.report(session, manifest, cost) };
        outputs.write(Subject::Plan(&report))?;
        if let Some(path) = &arguments.out {
            let file = plan_files::made(session, manifest, &planned, arguments.max_age)?;
            let bytes = file.encode().map_err(|problem| {
                Failure::error(tr!("cannot make a plan file: {problem}", problem))
            })?;
            write_whole(path, &bytes)?;
            let (plan, again) = (again::word(path), session.again());
            outputs.ui.note(tr!(
                "The plan is in {plan}; to carry it out: recard apply {plan}{again}",
                plan,
                again
            ));
        }
        let settled = planned.plan.is_settled();
        Ok(if arguments.detailed_exitcode && !settled { exit::CHANGES_PENDING } else { exit::DONE })
    };
    session.during(outputs.ui, work).await
}

/// Looks at what the common view shows, where the plan does not say it.
async fn effective(session: &Session, plan: &Plan) -> Result<Effective, Failure> {
    let keys = Effective::missing(plan);
    let silent = |_: Event| {};
    let seen = engine::observe(&session.portal.reader(), &session.caller, &keys, &silent).await;
    let seen = seen.map_err(|problem| {
        Failure::from(problem).while_doing(tr!("cannot read the common cards"))
    })?;
    Ok(Effective::of(plan, &seen))
}
