//! `recard plan`: what would apply do? Reads only, by type: nothing here has a right to write to the portal.

use crate::cli::args::{Global, PlanArguments};
use crate::cli::environment::Need;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::Address;
use crate::cli::sources::Manifest;
use crate::cli::ui::Ui;
use crate::cli::{exit, output, planning, sources};

/// Plans and shows the plan.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &PlanArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    output::check_paths(&arguments.shown.output)?;
    let manifest = sources::load(ui, &arguments.manifests.files)?;
    with(ui, global, arguments, &manifest, interrupt).await
}

/// Plans with manifests that were read.
pub(in crate::cli) async fn with(
    ui: &Ui,
    global: &Global,
    arguments: &PlanArguments,
    manifest: &Manifest,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let address = Address::find(global, Need::Read).await?;
    address.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let session = address.connect(global, ui, interrupt).await?;
    let planned = planning::make(ui, &session, manifest, &arguments.rules).await?;
    planned.show(ui, &session, manifest, &arguments.shown)?;
    let settled = planned.plan.is_settled();
    session.close(ui)?;
    Ok(if arguments.detailed_exitcode && !settled { exit::CHANGES_PENDING } else { exit::DONE })
}
