//! `recard inventory`: the number of people with customized cards, by department or by kind. Reads
//! only, by type.

use crate::app;
use crate::cli::args::{GlobalArgs, InventoryArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, use_case_error};
use crate::cli::{exit, output};
use crate::engine::{CardInventory, KindSelection};
use crate::report::{Inventory, OutputFormat, pretty};

/// Counts the cards and prints the counts.
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
    let survey = session
        .run_and_close(ui, async |session| {
            read_cards(ui, session, &arguments.card.selection()).await
        })
        .await?;
    let inventory = Inventory::new(&survey);
    output::write(ui, &arguments.output, |format| match format {
        OutputFormat::Json => pretty(&inventory),
        OutputFormat::Csv => inventory.csv(),
        _ => inventory.to_string(),
    })?;
    Ok(exit_code(ui, &survey))
}

/// Reads the cards of all people.
pub(super) async fn read_cards(
    ui: &Ui,
    session: &CliSession,
    kinds: &KindSelection,
) -> Result<CardInventory, CliError> {
    let taken = app::inventory(&session.app, kinds, &CliObserver::new(ui, session)).await;
    taken.map_err(|error| use_case_error(session, error))
}

/// Returns the exit code, and warns of unreadable cards.
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
