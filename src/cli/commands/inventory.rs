//! `recard inventory`: how many people of which department have arranged their cards. Reads only,
//! by type.

use crate::cli::args::{GlobalArgs, InventoryArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::progress::ProgressReporter;
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::{exit, output};
use crate::engine::{self, CardInventory};
use crate::report::{Inventory, OutputFormat, pretty};

/// Counts and shows the counts.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &InventoryArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    output::check_paths(&arguments.output)?;
    let session = PortalEndpoint::find(global, WebhookAccess::Read, interrupt)
        .await?
        .connect(global, ui, interrupt)
        .await?;
    let survey = session.run_and_close(ui, async |session| read_cards(ui, session).await).await?;
    let inventory = Inventory::new(&survey);
    output::write(ui, &arguments.output, |format| match format {
        OutputFormat::Json => pretty(&inventory),
        OutputFormat::Csv => inventory.csv(),
        _ => inventory.to_string(),
    })?;
    Ok(exit_code(ui, &survey))
}

/// Reads everybody's cards.
pub(super) async fn read_cards(ui: &Ui, session: &Session) -> Result<CardInventory, CliError> {
    let progress = ProgressReporter::new(ui, session.duration_estimator());
    let survey = engine::take_inventory(&session.portal.reader(), &session.caller, &progress).await;
    progress.finish();
    let survey = survey.map_err(|problem| {
        CliError::from(problem).context(tr!("cannot look at everybody's cards"))
    })?;
    session.keep_proof(ui, survey.snapshot.trust);
    Ok(survey)
}

/// The exit code, with a word about what could not be read.
pub(super) fn exit_code(ui: &Ui, survey: &CardInventory) -> u8 {
    match survey.unread() {
        0 => exit::DONE,
        unread => {
            ui.warn(tr!(
                "{n} card could not be read, or not be believed; `recard doctor` says why"
                    | "{n} cards could not be read, or not be believed; `recard doctor` says why"
                        % unread
            ));
            exit::PARTIAL
        }
    }
}
