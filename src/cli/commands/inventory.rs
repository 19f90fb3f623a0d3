//! `recard inventory`: how many people of which department have arranged their cards. Reads only,
//! by type.

use crate::cli::args::{Global, InventoryArguments};
use crate::cli::environment::Need;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::progress::Progress;
use crate::cli::session::{Address, Session};
use crate::cli::ui::Ui;
use crate::cli::{exit, output};
use crate::engine::{self, Survey};
use crate::report::{Format, Inventory, pretty};

/// Counts and shows the counts.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &InventoryArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    output::check_paths(&arguments.output)?;
    let session =
        Address::find(global, Need::Read, interrupt).await?.connect(global, ui, interrupt).await?;
    let survey = session.during(ui, async |session| take(ui, session).await).await?;
    let inventory = Inventory::new(&survey);
    output::write(ui, &arguments.output, |format| match format {
        Format::Json => pretty(&inventory),
        Format::Csv => inventory.csv(),
        _ => inventory.to_string(),
    })?;
    Ok(ended(ui, &survey))
}

/// Reads everybody's cards.
pub(super) async fn take(ui: &Ui, session: &Session) -> Result<Survey, Failure> {
    let progress = Progress::new(ui, session.forecast());
    let survey = engine::survey(&session.portal.reader(), &session.caller, &progress).await;
    progress.finish();
    let survey = survey.map_err(|problem| {
        Failure::from(problem).while_doing(tr!("cannot look at everybody's cards"))
    })?;
    session.keep_proof(ui, survey.snapshot.trust);
    Ok(survey)
}

/// The exit code, with a word about what could not be read.
pub(super) fn ended(ui: &Ui, survey: &Survey) -> u8 {
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
