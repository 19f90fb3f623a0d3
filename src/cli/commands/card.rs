//! `recard card show`: one person's cards as they are now. Reads only, by type.

use crate::app;
use crate::cli::args::{CardShowArgs, GlobalArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, use_case_error};
use crate::cli::{exit, output};
use crate::report::{OutputFormat, PersonCardsReport, pretty};

/// Reads the cards of a person and prints them.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &CardShowArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    output::check_paths(&arguments.output)?;
    let session = PortalEndpoint::find(global, WebhookAccess::Read, interrupt)
        .await?
        .connect(global, ui, interrupt)
        .await?;
    let kinds = arguments.card.selection();
    let work = async |session: &CliSession| {
        let observer = CliObserver::new(ui, session);
        let read = app::person_cards(&session.app, &arguments.user, &kinds, &observer).await;
        read.map_err(|error| use_case_error(session, error))
    };
    let app::PersonCards { person, snapshot, labels } = session.run_and_close(ui, work).await?;
    let report = PersonCardsReport { person: &person, snapshot: &snapshot, labels: &labels };
    output::write(ui, &arguments.output, |format| match format {
        OutputFormat::Json => pretty(&report.json()),
        _ => report.to_string(),
    })?;
    Ok(if report.unread() == 0 { exit::DONE } else { exit::PARTIAL })
}
