//! `recard unlock`: releases a lock whose owner is dead, after a person has made sure of it.
//!
//! On one host the command is not needed: the lock ends with its process, and the next run takes
//! over. If several hosts share a store, or after a restart of the machine, the liveness of the
//! owner is not visible, and a person has to check.

use std::sync::Arc;

use crate::app::Error;
use crate::cli::args::{GlobalArgs, UnlockArgs};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::Question;
use crate::cli::{env, exit, session};
use crate::i18n::english;
use crate::ports::{Clock as _, StoreError};
use crate::records::AuditEvent;
use crate::store::LockState;

/// Shows the owner of the lock, asks, and releases it.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &UnlockArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let store = session::store(global).await?;
    let owner = match store.lock_state().await? {
        LockState::Free => {
            ui.line(tr!("Nobody holds the lock of {}.", store.portal()))?;
            return Ok(exit::DONE);
        }
        LockState::Held(owner) => {
            return Err(CliError::from_store(StoreError::Locked(owner)).hint(tr!(
                "this process lives; wait for it, or end it, and its lock ends with it"
            )));
        }
        LockState::Left(owner) | LockState::Unknown(owner) => owner,
    };
    ui.line(tr!("{portal} was {owner}.", portal = store.portal(), owner))?;
    let question = tr!("Is that process dead, and may its lock be given back?");
    let answer = Question::new(ui, interrupt, arguments.auto_approve).ask(&question).await;
    answer.map_err(|declined| CliError::from(Error::Declined(declined)))?;
    store.unlock(&owner).await?;
    // The audit log names the person. A process that takes the lock at this moment gets the error
    // for a held lock.
    let taken_over = format!("{}; given back by hand", english(&owner));
    let owner = env::origin().lock_owner("unlock", SystemClock.now());
    let (mut locked, _) = store.lock(owner, Arc::new(SystemClock)).await?;
    locked.audit_lock(AuditEvent::LockTakenOver(taken_over)).await?;
    ui.changed(&format!(
        "{}\n",
        tr!("The lock was given back. If a run was cut, `recard recover` settles it.")
    ))?;
    Ok(exit::DONE)
}
