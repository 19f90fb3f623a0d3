//! `recard store gc`: deletes old backups of a database.

use crate::cli::args::{GlobalArgs, StoreGcArgs};
use crate::cli::error::CliError;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;

#[cfg(not(feature = "postgres"))]
/// Refuses: without the feature every store is a folder.
pub(super) async fn run(
    _ui: &Ui,
    global: &GlobalArgs,
    _arguments: &StoreGcArgs,
    _interrupt: &Interrupt,
) -> Result<u8, CliError> {
    Err(super::no_database(&global.store))
}

#[cfg(feature = "postgres")]
pub(super) use with::run;

#[cfg(feature = "postgres")]
mod with {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::app;
    use crate::cli::clock::SystemClock;
    use crate::cli::use_cases::Question;
    use crate::cli::{env, exit, session};
    use crate::model::{PortalId, RunId};
    use crate::ports::Clock as _;
    use crate::store::{DeletableBackups, Store, StoreLocation};

    /// Shows what would go, asks, and deletes it portal by portal.
    pub(in crate::cli::commands::store) async fn run(
        ui: &Ui,
        global: &GlobalArgs,
        arguments: &StoreGcArgs,
        interrupt: &Interrupt,
    ) -> Result<u8, CliError> {
        let StoreLocation::Database(database) = &global.store else {
            return Err(super::super::no_database(&global.store));
        };
        let portals = match session::named_portal(global)? {
            Some(portal) => vec![portal],
            None => database.portals().await?,
        };
        let now = SystemClock.now();
        let before = now
            .checked_sub(arguments.older)
            .map_err(|problem| CliError::new(exit::USAGE, tr!("--older: {problem}", problem)))?;
        let keep = usize::try_from(arguments.keep).unwrap_or(usize::MAX);
        let is_one = portals.len() == 1;
        let mut chosen = Vec::new();
        let (mut layouts, mut bytes, mut left_out) = (0, 0, 0);
        for portal in portals {
            let store = Store::open(&global.store, &portal)?;
            let runs = match deletable(&store, before, keep).await {
                Err(problem) if !is_one && is_of_portal(&problem) => {
                    leave_out(ui, &portal, problem);
                    left_out += 1;
                    continue;
                }
                runs => runs?,
            };
            for (run, backups) in &runs {
                let size = backups.bytes();
                ui.line(tr!(
                    "{portal}  {run}  {n} layout, {size} bytes"
                        | "{portal}  {run}  {n} layouts, {size} bytes" % backups.count(),
                    portal,
                    run,
                    size
                ))?;
                layouts += backups.count();
                bytes += size;
            }
            chosen.push((store, runs));
        }
        if layouts == 0 {
            ui.line(tr!("No backup is old enough to be deleted."))?;
            return Ok(if left_out == 0 { exit::DONE } else { exit::PARTIAL });
        }
        let question = tr!(
            "Delete {n} layout for good ({bytes} bytes)? It cannot be restored afterwards."
                | "Delete {n} layouts for good ({bytes} bytes)? They cannot be restored afterwards."
                    % layouts,
            bytes
        );
        let answer = Question::new(ui, interrupt, arguments.auto_approve).ask(&question).await;
        answer.map_err(|declined| CliError::from(app::Error::Declined(declined)))?;
        let mut deleted = 0;
        for (store, runs) in chosen {
            match delete(ui, &store, runs, &mut deleted).await {
                Err(problem) if !is_one && is_of_portal(&problem) => {
                    leave_out(ui, store.portal(), problem);
                    left_out += 1;
                }
                ended => ended?,
            }
        }
        ui.changed(&format!(
            "{}\n",
            tr!("{n} layout was deleted." | "{n} layouts were deleted." % deleted)
        ))?;
        Ok(if left_out == 0 { exit::DONE } else { exit::PARTIAL })
    }

    type OfRuns = BTreeMap<RunId, DeletableBackups>;

    async fn deletable(
        store: &Store,
        before: Timestamp,
        keep: usize,
    ) -> Result<OfRuns, app::Error> {
        store.refuse_moved().await?;
        app::deletable_backups(store, before, keep).await
    }

    /// Deletes backups of one portal, under its lock, and counts them.
    async fn delete(
        ui: &Ui,
        store: &Store,
        runs: OfRuns,
        deleted: &mut usize,
    ) -> Result<(), app::Error> {
        let owner = env::origin().lock_owner("store gc", SystemClock.now());
        let (mut guard, note) = store.lock(owner, Arc::new(SystemClock)).await?;
        if let Some(note) = note {
            ui.warn(note);
        }
        for (run, backups) in &runs {
            guard.delete_backups(run, backups).await?;
            *deleted += backups.count();
        }
        Ok(())
    }

    /// Returns `true` for a failure of one portal, which does not end the work on the others.
    fn is_of_portal(problem: &app::Error) -> bool {
        !matches!(problem, app::Error::Store(source) if source.is_of_database())
    }

    fn leave_out(ui: &Ui, portal: &PortalId, problem: app::Error) {
        let problem = CliError::from(problem);
        ui.fail(&problem.context(tr!("nothing more was deleted of {portal}", portal)));
    }
}
