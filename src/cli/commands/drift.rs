//! `recard drift`: what differs from the manifests although nobody planned it? For a schedule: it reads only, by type, and
//! ends with 2 if there is drift.

use crate::cli::args::{DriftArguments, Global, Rules};
use crate::cli::environment::Need;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Outputs;
use crate::cli::session::{Address, Session};
use crate::cli::ui::Ui;
use crate::cli::{exit, planning, sources};
use crate::diagnostic::Diagnostic;
use crate::engine::{self, Resolution};
use crate::plan::Drift;
use crate::report::{PlanReport, Purpose, Subject};

/// Looks, and tells.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &DriftArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let outputs = Outputs::showing(ui, Purpose::Drift, &arguments.shown)?;
    outputs.finish(look(&outputs, global, arguments, interrupt).await)
}

async fn look(
    outputs: &Outputs<'_>,
    global: &Global,
    arguments: &DriftArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let manifest = sources::load(outputs, &arguments.manifests.files)?;
    let address = Address::find(global, Need::Read).await?;
    address.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let session = address.connect(global, outputs.ui, interrupt).await?;
    let work = async |session: &Session| {
        let Resolution { desired, warnings } =
            engine::resolve_what_is_there(&session.portal.reader(), &manifest.declaration).await.map_err(
                |problem| {
                    session.told(Failure::from(problem).while_doing(tr!("cannot look up people and departments")))
                },
            )?;
        if warnings.iter().any(|found| found.is_error() && !Drift::is_gone(found)) {
            return Err(sources::refuse(outputs, &warnings, &manifest.sources, &tr!("the cards were not looked at")));
        }
        let gone: Vec<Diagnostic> = warnings.iter().filter(|found| found.is_error()).cloned().collect();
        let rules = Rules { blind_reset: false, max_users: None, memory: arguments.memory.clone() };
        let resolution = Resolution { desired, warnings };
        let planned = planning::of_resolution(outputs, session, &manifest, &rules, resolution).await?;
        let drift = Drift::of(&planned.plan, gone);
        sources::show(outputs.ui, &planned.warnings, &manifest.sources);
        let report = PlanReport { drift: Some(&drift), ..planned.report(session, &manifest) };
        outputs.write(Subject::Plan(&report))?;
        Ok(if drift.is_none() { exit::DONE } else { exit::CHANGES_PENDING })
    };
    session.during(outputs.ui, work).await
}
