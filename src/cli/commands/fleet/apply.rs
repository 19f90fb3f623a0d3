//! `recard fleet apply`: plans all portals, asks once, and executes wave by wave; or executes the
//! file of `fleet plan --out`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::plan::{open, surroundings};
use crate::cli::args::{FleetApplyArgs, GlobalArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::fleet::plans::{Look, LookOptions};
use crate::cli::fleet::portal_session::Surroundings;
use crate::cli::fleet::{applies, files, guards, other_fleets, plans, reports};
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{Question, declined_error};
use crate::cli::{exit, plan_files, sources};
use crate::diagnostic::Severity;
use crate::manifest::{FleetPortal, LabelSelector};
use crate::records::fleet::{FleetPlanFile, PortalOutcome};
use crate::report::{OutputFormat, Purpose};

/// Lifetime of plans that are applied at once.
const PLAN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Applies a fleet, or a file with its plans.
pub(super) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetApplyArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs = open(ui, Purpose::Apply, &arguments.rounds)?;
    outputs.finish(apply(&outputs, global, arguments, interrupt).await)
}

async fn apply(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &FleetApplyArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let started = Instant::now();
    let rounds = &arguments.rounds;
    let earlier = reports::earlier(rounds.new_since.as_deref())?;
    // A portal that takes too long starts no further request, and ends in order.
    let global = &GlobalArgs {
        deadline: Some(global.deadline.unwrap_or(rounds.portal_deadline)),
        ..global.clone()
    };
    let surroundings = surroundings(outputs.ui, global, rounds, interrupt).await?;
    let named = arguments.fleet.files();
    let (file, all) = match sole_plan_file(&named) {
        Some(path) => {
            let file = selected(read(path)?, arguments.fleet.selector.as_ref())?;
            other_fleets::refuse_planned(global, &file).await?;
            (file, None)
        }
        None => plan(outputs, arguments, &surroundings).await?,
    };
    check_wave(arguments, &file.waves)?;
    let name = (file.fleet.as_str(), file.reason.as_str());
    let report = reports::report("plan", name, file.rows.clone(), file.violations.clone(), started);
    if !file.violations.is_empty() {
        reports::finish(outputs, global, &report, None).await?;
        return Ok(exit::REFUSED);
    }
    // Those of portals that a guard blocks are in the sums, and not in a plan.
    let planned = file.rows.iter().filter(|row| row.outcome == PortalOutcome::Changes);
    let resets = planned.map(|row| row.counts.reset).fold(0, u32::saturating_add);
    let portals = file.plans.len();
    if !file.plans.is_empty() && sole_plan_file(&named).is_none() {
        outputs.preview_text(&report.render(OutputFormat::Text, outputs.options()))?;
        let question = Question::new(outputs.ui, interrupt, arguments.auto_approve);
        let text = tr!(
            "Reset {cards} on {n} portal? Their layouts are backed up first."
                | "Reset {cards} on {n} portals? Their layouts are backed up first." % portals,
            cards = tr!("{n} card" | "{n} cards" % resets)
        );
        question.ask(&text).await.map_err(declined_error)?;
    }
    let wave = arguments.wave.as_deref();
    let applied = applies::apply(&surroundings, &file, wave, rounds.concurrency).await;
    let mut report = reports::report("apply", name, applied.rows, Vec::new(), started);
    report.stopped_in = applied.stopped_in;
    earlier.iter().for_each(|earlier| report.mark_new(earlier));
    reports::finish(outputs, global, &report, all.as_ref()).await?;
    Ok(reports::exit_code(&report, exit::DONE, true))
}

/// Returns the file with plans, if one is named in place of a fleet.
fn sole_plan_file(named: &[PathBuf]) -> Option<&Path> {
    let [path] = named else { return None };
    plan_files::is_named_as_plan(path).then_some(path.as_path())
}

fn read(path: &Path) -> Result<FleetPlanFile, CliError> {
    let bytes = plan_files::read_bytes(path)?;
    FleetPlanFile::parse(&bytes)
        .map_err(|problem| CliError::plan_file(tr!("{}: {problem}", path.display(), problem)))
}

/// Keeps the plans of the portals that the command selects, by the labels that they had.
fn selected(
    mut file: FleetPlanFile,
    selector: Option<&LabelSelector>,
) -> Result<FleetPlanFile, CliError> {
    let Some(selector) = selector else { return Ok(file) };
    file.rows.retain(|row| selector.matches(&row.labels));
    if file.rows.is_empty() {
        return Err(files::nothing_selected());
    }
    let names: BTreeSet<&str> = file.rows.iter().map(|row| row.portal.as_str()).collect();
    file.plans.retain(|plan| names.contains(plan.portal.as_str()));
    Ok(file)
}

/// Refuses a wave that the fleet does not have.
fn check_wave(arguments: &FleetApplyArgs, waves: &[String]) -> Result<(), CliError> {
    match &arguments.wave {
        Some(wave) if !waves.contains(wave) => {
            let listed = waves.join(", ");
            Err(CliError::new(exit::USAGE, tr!("there is no wave {wave}", wave))
                .hint(tr!("there are: {listed}", listed)))
        }
        _ => Ok(()),
    }
}

/// Plans the portals of a fleet, with the webhooks that write. Returns the names of all portals of
/// the fleet beside it.
async fn plan(
    outputs: &Outputs<'_>,
    arguments: &FleetApplyArgs,
    surroundings: &Surroundings<'_>,
) -> Result<(FleetPlanFile, Option<BTreeSet<String>>), CliError> {
    let interrupt = surroundings.interrupt;
    let loaded = files::load(outputs, &arguments.fleet, interrupt).await?;
    loaded.check_waves(outputs)?;
    let found = other_fleets::find(surroundings.global, &loaded.fleet, Severity::Error).await?;
    if !found.is_empty() {
        let harm = tr!("nothing was sent to a portal");
        return Err(sources::refuse(outputs, &found, &loaded.sources, &harm));
    }
    let fleet = &loaded.fleet;
    let waves: Vec<String> = fleet.waves.iter().map(|wave| wave.name.to_string()).collect();
    check_wave(arguments, &waves)?;
    let last = arguments.wave.as_deref();
    let last = last.and_then(|name| fleet.waves.iter().position(|wave| *wave.name == *name));
    let is_wanted = |portal: &&FleetPortal| last.is_none_or(|last| portal.wave <= last);
    let portals: Vec<&FleetPortal> = fleet.portals.iter().filter(is_wanted).collect();
    let options = LookOptions {
        look: Look::Plan(Some(PLAN_AGE)),
        access: WebhookAccess::Write,
        concurrency: arguments.rounds.concurrency,
        deadline: arguments.rounds.portal_deadline,
    };
    let looked = async { Ok(plans::look(surroundings, fleet, &portals, &options).await) };
    let (rows, planned) = interrupt.unless_cancelled(looked).await?;
    let before = reports::known_portals(surroundings.global, &fleet.name).await?;
    let mut violations = guards::violations(&fleet.guards, &rows);
    violations.extend(guards::lost_portals(&fleet.guards, &before, &loaded.all));
    Ok((plans::plan_file(fleet, &rows, planned, &violations), Some(loaded.all)))
}
