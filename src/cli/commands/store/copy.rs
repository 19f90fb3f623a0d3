//! `recard store copy`: moves the records of a portal into another store.

use std::sync::Arc;

use crate::cli::args::{GlobalArgs, StoreCopyArgs};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::cli::{env, exit, session};
use crate::model::PortalId;
use crate::ports::{Clock, FleetState as _};
use crate::store::{CopyError, Fleets, Store, StoreLocation};

/// Copies, compares, and marks the source.
pub(super) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &StoreCopyArgs,
) -> Result<u8, CliError> {
    let from = session::store_as_it_is(global)?;
    // What is sealed here is sealed there.
    let to = env::located(arguments.to.clone(), global.backup_key_file.as_deref())?;
    if from.moved_to().await? == Some(to.to_string()) {
        // The answer to an earlier try was lost.
        ui.note(tr!("the records of {portal} are in {to} already", portal = from.portal(), to));
        return Ok(exit::DONE);
    }
    from.refuse_moved().await?;
    let target = Store::open(&to, from.portal())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let owner = env::origin().lock_owner("store copy", clock.now());
    keep_pause(ui, (&global.store, &to), from.portal(), &clock).await?;
    let moved = from.move_to(&target, &to.to_string(), &owner, &clock).await;
    let (copied, notes) = moved.map_err(|problem| match problem {
        CopyError::Store(problem) => CliError::from(problem),
        problem => CliError::from_source(exit::ERROR, &problem)
            .hint(tr!("nothing was removed, and {store} stays in charge", store = global.store)),
    })?;
    for note in notes {
        ui.warn(note);
    }
    let runs = tr!("{n} run" | "{n} runs" % copied.runs);
    let events = tr!("{n} event" | "{n} events" % copied.events);
    let portal = from.portal();
    ui.changed(&format!(
        "{}\n",
        tr!("The records of {portal} were copied to {to} and compared: {runs}, {events}. From now on use --store {to}.", portal, to, runs, events)
    ))?;
    Ok(exit::DONE)
}

/// Pauses the portal in the other store as here, before it is in charge: workers there must not
/// touch what somebody paused.
async fn keep_pause(
    ui: &Ui,
    (from, to): (&StoreLocation, &StoreLocation),
    portal: &PortalId,
    clock: &Arc<dyn Clock>,
) -> Result<(), CliError> {
    let open = |store| Fleets::open(store, Arc::clone(clock));
    let pauses = open(from).pauses().await?;
    if let Some(pause) = pauses.get(portal).filter(|pause| pause.holds(clock.now())) {
        open(to).set_pause(std::slice::from_ref(portal), Some(pause)).await?;
        ui.note(tr!("{portal} is paused in {to}, too; `recard fleet unpause` ends it", portal, to));
    }
    Ok(())
}
