//! `recard drift`: what differs from the manifests although nobody planned it? For a schedule: it
//! reads only, by type, and ends with 2 if there is drift.

use crate::cli::args::{DriftArguments, Global, Rules};
use crate::cli::environment::Need;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Outputs;
use crate::cli::session::{Address, Session};
use crate::cli::ui::Ui;
use crate::cli::{exit, planning, provenance, sources};
use crate::diagnostic::Diagnostic;
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
    let manifest = sources::load(outputs, &arguments.manifests.files, interrupt).await?;
    let address = Address::find(global, Need::Read, interrupt).await?;
    address.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let session = address.connect(global, outputs.ui, interrupt).await?;
    let work = async |session: &Session| {
        let worth =
            |found: &[Diagnostic]| found.iter().all(|one| !one.is_error() || Drift::is_gone(one));
        let git = provenance::ask(&manifest.sources);
        let (resolution, snapshot) = planning::look(outputs, session, &manifest, worth).await?;
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
        let rules = Rules { blind_reset: false, max_users: None, memory: arguments.memory.clone() };
        let planned =
            planning::of_snapshot(session, &manifest, &rules, resolution, &snapshot, git).await?;
        let drift = Drift::of(&planned.plan, gone);
        sources::show(outputs.ui, &planned.warnings, &manifest.sources);
        let cost = planning::cost_of_apply(session, &planned.plan, planned.plan.targets.len());
        let report = PlanReport { drift: Some(&drift), ..planned.report(session, &manifest, cost) };
        outputs.write(Subject::Plan(&report))?;
        Ok(if drift.is_none() { exit::DONE } else { exit::CHANGES_PENDING })
    };
    session.during(outputs.ui, work).await
}
