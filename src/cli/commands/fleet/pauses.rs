//! `recard fleet pause`, `unpause` and `retry`: portals that workers and commands leave alone.

use futures_util::{StreamExt as _, stream};

use crate::cli::args::{FleetPauseArgs, FleetPortalsArgs, GlobalArgs};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::fleet::state;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::value_parsers::Until;
use crate::cli::{env, exit};
use crate::model::PortalId;
use crate::ports::{
    Clock as _, CommandPause, FleetState as _, FleetView, ParkReason, PortalState, StoreError,
};
use crate::store::{Fleets, Store};

/// Number of portals whose records are asked for at the same time.
const AT_A_TIME: usize = 16;

/// Pauses portals.
pub(super) async fn pause(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetPauseArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let FleetPauseArgs { portals, until, reason } = arguments;
    let at = SystemClock.now();
    let until = match until {
        None => None,
        Some(Until::At(time)) => Some(*time),
        Some(Until::In(time)) => Some(at.checked_add(*time).map_err(|_| {
            CliError::new(exit::USAGE, tr!("the end of the pause is too far away"))
        })?),
    };
    if until.is_some_and(|until| until <= at) {
        return Err(CliError::new(exit::USAGE, tr!("the end of the pause is over already")));
    }
    let pause = CommandPause { until, at, by: env::actor(), reason: reason.clone() };
    let work = async {
        let state = state::open(global);
        let (portals, moved) = here(global, chosen(&state, portals).await?).await;
        // What is known is there for a warning alone, and keeps no portal from being paused.
        let known = global.store.portals().await.ok();
        state.set_pause(&portals, Some(&pause)).await?;
        let is_unknown =
            |portal: &&PortalId| known.as_ref().is_some_and(|all| !all.contains(portal));
        let unknown = portals.iter().filter(is_unknown);
        let unknown: Vec<&str> = unknown.map(PortalId::as_str).collect();
        Ok((
            portals.len(),
            unknown.join(", "),
            views(&state).await?.is_some_and(|views| views.is_empty()),
            moved,
        ))
    };
    let (number, unknown, is_unpublished, moved) = interrupt.unless_cancelled(work).await?;
    ui.changed(&format!("{}\n", tr!("{n} portal is paused" | "{n} portals are paused" % number)))?;
    if is_unpublished && !unknown.is_empty() {
        ui.warn(tr!(
            "no fleet is published, and the store knows nothing of {unknown}: look at the spelling; the pause holds for a portal of exactly this name",
            unknown
        ));
    }
    let code = if moved.is_empty() { exit::DONE } else { exit::PARTIAL };
    for problem in moved {
        ui.fail(&CliError::from(problem));
    }
    Ok(code)
}

/// Returns the portals whose records are in the store, and why the others are not: a pause would
/// keep nobody from those.
async fn here(global: &GlobalArgs, portals: Vec<PortalId>) -> (Vec<PortalId>, Vec<StoreError>) {
    let (mut here, mut moved) = (Vec::with_capacity(portals.len()), Vec::new());
    let opened = stream::iter(&portals).map(|portal| Store::open_current(&global.store, portal));
    let opened: Vec<_> = opened.buffered(AT_A_TIME).collect().await;
    for (portal, opened) in portals.into_iter().zip(opened) {
        match opened {
            Err(problem @ StoreError::Moved { .. }) => moved.push(problem),
            _ => here.push(portal),
        }
    }
    (here, moved)
}

/// Ends pauses by command. A pause in the fleet manifest holds on.
pub(super) async fn unpause(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetPortalsArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let work = async {
        let state = state::open(global);
        let portals = chosen(&state, arguments).await?;
        let before = state.pauses().await?;
        let paused: Vec<PortalId> =
            portals.iter().filter(|portal| before.contains_key(portal)).cloned().collect();
        state.set_pause(&paused, None).await?;
        let declared = declared_pauses(&state, &portals).await?;
        Ok((paused.len(), declared))
    };
    let (number, declared) = interrupt.unless_cancelled(work).await?;
    ui.changed(&format!(
        "{}\n",
        tr!("{n} portal is no longer paused by command"
            | "{n} portals are no longer paused by command" % number)
    ))?;
    if !declared.is_empty() {
        let names = declared.iter().map(PortalId::as_str).collect::<Vec<_>>().join(", ");
        ui.warn(tr!("a pause in the fleet manifest holds on: {names}", names));
    }
    Ok(exit::DONE)
}

/// Frees parked portals.
pub(super) async fn retry(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetPortalsArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let work = async {
        let state = state::open(global);
        let portals = chosen(&state, arguments).await?;
        Ok(state.retry(&portals).await?)
    };
    let retried = interrupt.unless_cancelled(work).await?;
    let number = retried.iter().filter(|(_, freed)| freed.is_ok()).count();
    ui.changed(&format!(
        "{}\n",
        tr!("{n} portal is no longer parked" | "{n} portals are no longer parked" % number)
    ))?;
    let mut code = exit::DONE;
    for (portal, freed) in retried {
        if let Err(problem) = freed {
            ui.fail(&CliError::from(problem).context(tr!("{portal} cannot be freed", portal)));
            code = exit::PARTIAL;
        }
    }
    Ok(code)
}

/// Returns the portals of a command: those that it names, or those of the published fleet with the
/// labels that it selects.
async fn chosen(state: &Fleets, arguments: &FleetPortalsArgs) -> Result<Vec<PortalId>, CliError> {
    let FleetPortalsArgs { portals, selector, name } = arguments;
    let Some(selector) = selector else {
        let Some(known) = views(state).await? else { return Ok(portals.clone()) };
        let is_known = |portal: &&PortalId| known.iter().any(|view| has(view, portal));
        // A fleet that no worker reconciles is published nowhere.
        if let Some(unknown) = portals.iter().find(|portal| !known.is_empty() && !is_known(portal))
        {
            return Err(CliError::general(tr!(
                "no published fleet has the portal {unknown}",
                unknown
            )));
        }
        return Ok(portals.clone());
    };
    let (_, view) = state::find(state, name.as_deref()).await?;
    // A portal with labels that nobody knows must not be left out without a word.
    let has_no_labels = |portal: &&PortalState| {
        let parked = portal.queue.parked.as_ref().map(|parked| &parked.reason);
        portal.published.labels.is_empty() && matches!(parked, Some(ParkReason::UnreadableRow(_)))
    };
    if let Some(portal) = view.portals.iter().find(has_no_labels) {
        let portal = &portal.published.portal;
        return Err(CliError::general(tr!("the labels of {portal} cannot be read", portal))
            .hint(tr!("name the portals in place of --selector")));
    }
    let selected = view.portals.iter().map(|portal| &portal.published);
    let selected = selected.filter(|portal| selector.matches(&portal.labels));
    let selected: Vec<PortalId> = selected.map(|portal| portal.portal.clone()).collect();
    if selected.is_empty() {
        return Err(CliError::general(tr!("no portal has the labels that --selector wants"))
            .hint(tr!("an empty selection is more often a mistake than a wish")));
    }
    Ok(selected)
}

/// Returns all published fleets; `None` if the head of one cannot be read, whose portals are not
/// known then, and can be paused all the same.
async fn views(state: &Fleets) -> Result<Option<Vec<FleetView>>, CliError> {
    let mut views = Vec::new();
    for (fleet, head) in state.heads().await? {
        if head.is_err() {
            return Ok(None);
        }
        views.extend(state.view(&fleet).await?);
    }
    Ok(Some(views))
}

fn has(view: &FleetView, portal: &PortalId) -> bool {
    view.portals.iter().any(|state| state.published.portal == *portal)
}

/// Returns those of some portals that a pause in a fleet manifest still holds for.
async fn declared_pauses(state: &Fleets, portals: &[PortalId]) -> Result<Vec<PortalId>, CliError> {
    let views = views(state).await?.unwrap_or_default();
    let paused = views.iter().flat_map(|view| {
        view.portals
            .iter()
            .filter(|portal| portal.is_paused(view.now))
            .map(|portal| &portal.published)
    });
    let paused = paused.filter(|published| portals.contains(&published.portal));
    Ok(paused.map(|published| published.portal.clone()).collect())
}
