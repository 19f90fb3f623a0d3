//! `recard ledger`: the ledger of mode once. Reads the store alone.

use crate::app;
use crate::cli::args::{GlobalArgs, LedgerAction};
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::cli::{exit, session};
use crate::model::{CardKey, Generation, LedgerEntry};

/// Shows a ledger, or creates one in a file.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    action: &LedgerAction,
) -> Result<u8, CliError> {
    let store = session::store(global).await?;
    match action {
        LedgerAction::Show { file } => {
            let ledger = app::read_ledger(&store, file.as_deref()).await?;
            if ledger.is_empty() {
                ui.line(tr!("Nothing of {} had its reset in mode once yet.", store.portal()))?;
            }
            ui.result(ledger.iter().map(line).collect::<String>())?;
        }
        LedgerAction::New { file } => {
            if file.exists() {
                return Err(CliError::general(tr!("{file} exists already", file = file.display()))
                    .hint(tr!(
                        "nothing was written; name another file, or keep this ledger with --ledger"
                    )));
            }
            let ledger = store.ledger().await?;
            store.create_ledger_file(file, &ledger).await?;
            ui.note(tr!(
                "{file} holds {n} entry; name it with --ledger"
                    | "{file} holds {n} entries; name it with --ledger" % ledger.iter().count(),
                file = file.display()
            ));
        }
    }
    Ok(exit::DONE)
}

fn line((generation, key, entry): (&Generation, CardKey, LedgerEntry)) -> String {
    let what = match entry.removed {
        Some(digest) => tr!("reset; the layout {} was removed", digest.short()),
        None => tr!("was at its default"),
    };
    format!("{generation}  {key}  {what}\n")
}
