//! Portals of a fleet that another published fleet of the store has as well: two declarations would
//! reset one portal in turn.

use std::collections::BTreeMap;

use super::state;
use crate::cli::args::GlobalArgs;
use crate::cli::error::CliError;
use crate::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use crate::i18n::Text;
use crate::manifest::Fleet;
use crate::ports::FleetState as _;
use crate::records::fleet::FleetPlanFile;

/// Returns a problem, with its place, for each portal of a fleet that another one has.
pub(in crate::cli) async fn find(
    global: &GlobalArgs,
    fleet: &Fleet,
    severity: Severity,
) -> Result<Vec<Diagnostic>, CliError> {
    let others = others(global, &fleet.name).await?;
    let problem = |portal: &crate::manifest::FleetPortal| {
        let (place, code) = (portal.place.clone(), DiagnosticCode::DuplicateName);
        let message = message(portal.name(), others.get(portal.name())?);
        let found = match severity {
            Severity::Warning => Diagnostic::warning(code, place, message),
            Severity::Error => Diagnostic::error(code, place, message),
        };
        Some(found.help(remedy()))
    };
    Ok(fleet.portals.iter().filter_map(problem).collect())
}

/// Refuses a file with a plan for a portal that another fleet has.
pub(in crate::cli) async fn refuse_planned(
    global: &GlobalArgs,
    file: &FleetPlanFile,
) -> Result<(), CliError> {
    let others = others(global, &file.fleet).await?;
    let mut found = file.plans.iter().filter_map(|plan| Some((plan, others.get(&plan.portal)?)));
    match found.next() {
        Some((plan, other)) => Err(CliError::general(message(&plan.portal, other)).hint(remedy())),
        None => Ok(()),
    }
}

/// Returns the fleet of each portal that another published fleet has. A fleet whose state cannot be
/// read is left out: workers do not reconcile it either, and it stops no other fleet.
async fn others(global: &GlobalArgs, fleet: &str) -> Result<BTreeMap<String, String>, CliError> {
    let state = state::open(global);
    let mut portals = BTreeMap::new();
    for (name, _) in state.heads().await?.into_iter().filter(|(name, _)| *name != fleet) {
        let Ok(Some(view)) = state.view(&name).await else { continue };
        let named = view.portals.into_iter().map(|portal| portal.published.portal.to_string());
        portals.extend(named.map(|portal| (portal, name.clone())));
    }
    Ok(portals)
}

fn message(portal: &str, fleet: &str) -> Text {
    tr!("the portal {portal} is of the fleet {fleet}, too, which is published", portal, fleet)
}

fn remedy() -> Text {
    tr!("publish that fleet without the portal first")
}
