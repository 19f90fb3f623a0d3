//! `recard ledger`: the memory of mode once. Reads the store alone.

use crate::cli::args::{Global, LedgerAction, Memory};
use crate::cli::commands::history;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::cli::{exit, planning};
use crate::model::{CardKey, Generation, LedgerEntry};

/// Shows a ledger, or begins one in a file.
pub(in crate::cli) fn run(ui: &Ui, global: &Global, action: &LedgerAction) -> Result<u8, Failure> {
    let store = history::store(global)?;
    match action {
        LedgerAction::Show { file } => {
            let ledger = planning::ledger(&store, &Memory { ledger: file.clone() })?;
            if ledger.is_empty() {
                ui.result(format_args!("Nothing of {} had its reset in mode once yet.\n", store.portal()))?;
            }
            ui.result(ledger.iter().map(line).collect::<String>())?;
        }
        LedgerAction::New { file } => {
            let ledger = store.ledger()?;
            store.begin_ledger_file(file, &ledger)?;
            ui.note(format_args!("{} holds {} entries; name it with --ledger", file.display(), ledger.iter().count()));
        }
    }
    Ok(exit::DONE)
}

fn line((generation, key, entry): (&Generation, CardKey, LedgerEntry)) -> String {
    let what = match entry.removed {
        Some(digest) => format!("reset; the layout {} was removed", digest.short()),
        None => "was at its default".to_owned(),
    };
    format!("{generation}  {key}  {what}\n")
}
