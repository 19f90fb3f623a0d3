//! `recard fleet plan` and `recard fleet drift`: a look at many portals. They read only, by type.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::cli::args::{FleetDriftArgs, FleetFilesArgs, FleetPlanArgs, GlobalArgs, RoundsArgs};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::fleet::plans::{Look, LookOptions};
use crate::cli::fleet::portal_session::Surroundings;
use crate::cli::fleet::{files, guards, other_fleets, plans, reports, state};
use crate::cli::output::{self, Outputs};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::{exit, next_command, sources};
use crate::diagnostic::Severity;
use crate::manifest::FleetPortal;
use crate::portal::TotalRate;
use crate::ports::FleetState as _;
use crate::records::fleet::FleetPlanFile;
use crate::report::Purpose;
use crate::store::write_whole;

/// Plans all portals of a fleet.
pub(super) async fn plan(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetPlanArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let FleetPlanArgs { fleet, rounds, detailed_exitcode, out, max_age } = arguments;
    let outputs = open(ui, Purpose::Plan, rounds)?;
    let request = Request {
        command: "plan",
        look: Look::Plan(out.as_ref().map(|_| *max_age)),
        out: out.as_deref(),
        pending: if *detailed_exitcode { exit::CHANGES_PENDING } else { exit::DONE },
        is_gate: *detailed_exitcode || out.is_some(),
    };
    let looked = look(&outputs, global, (fleet, rounds), &request, interrupt);
    outputs.finish(looked.await)
}

/// Looks for drift on all portals of a fleet.
pub(super) async fn drift(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetDriftArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let FleetDriftArgs { fleet, rounds } = arguments;
    let outputs = open(ui, Purpose::Drift, rounds)?;
    let request = Request {
        command: "drift",
        look: Look::Drift,
        out: None,
        pending: exit::CHANGES_PENDING,
        is_gate: false,
    };
    let looked = look(&outputs, global, (fleet, rounds), &request, interrupt);
    outputs.finish(looked.await)
}

/// Opens the outputs of a report over a fleet.
pub(super) fn open<'a>(
    ui: &'a Ui,
    purpose: Purpose,
    rounds: &'a RoundsArgs,
) -> Result<Outputs<'a>, CliError> {
    reports::check_formats(&rounds.output_args)?;
    Outputs::open(ui, purpose, &rounds.output_args)
}

/// Returns the surroundings of the portals of a command.
pub(super) async fn surroundings<'a>(
    ui: &Ui,
    global: &'a GlobalArgs,
    rounds: &'a RoundsArgs,
    interrupt: &'a Interrupt,
) -> Result<Surroundings<'a>, CliError> {
    let secrets = rounds.secrets.as_deref();
    let total_rate = rounds.total_rate.and_then(TotalRate::new).map(Arc::new);
    let pauses = state::open(global).pauses().await?;
    let ui = ui.without_notes();
    Ok(Surroundings { global, ui, interrupt, secrets, pauses, total_rate, held: None })
}

struct Request<'a> {
    command: &'static str,
    look: Look,
    out: Option<&'a Path>,
    /// The exit code of changes.
    pending: u8,
    /// `true` if a guard of the fleet changes the exit code.
    is_gate: bool,
}

async fn look(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    (fleet, rounds): (&FleetFilesArgs, &RoundsArgs),
    request: &Request<'_>,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let started = Instant::now();
    request.out.map_or(Ok(()), output::check_path)?;
    let earlier = reports::earlier(rounds.new_since.as_deref())?;
    let loaded = files::load(outputs, fleet, interrupt).await?;
    request.out.map_or(Ok(()), |_| loaded.check_waves(outputs))?;
    let fleet = &loaded.fleet;
    let found = other_fleets::find(global, fleet, Severity::Warning).await?;
    sources::show(outputs.ui, &found, &loaded.sources);
    let portals: Vec<&FleetPortal> = fleet.portals.iter().collect();
    let options = LookOptions {
        look: request.look,
        access: WebhookAccess::Read,
        concurrency: rounds.concurrency,
        deadline: rounds.portal_deadline,
    };
    let surroundings = surroundings(outputs.ui, global, rounds, interrupt).await?;
    let looked = async { Ok(plans::look(&surroundings, fleet, &portals, &options).await) };
    let (rows, planned) = interrupt.unless_cancelled(looked).await?;
    let mut violations = guards::violations(&fleet.guards, &rows);
    if request.look != Look::Drift {
        let before = reports::known_portals(global, &fleet.name).await?;
        violations.extend(guards::lost_portals(&fleet.guards, &before, &loaded.all));
    }
    if let Some(path) = request.out {
        save(outputs.ui, path, plans::plan_file(fleet, &rows, planned, &violations))?;
    }
    let name = (&*fleet.name, &*fleet.reason);
    let mut report = reports::report(request.command, name, rows, violations, started);
    earlier.iter().for_each(|earlier| report.mark_new(earlier));
    let all = (request.look != Look::Drift).then_some(&loaded.all);
    reports::finish(outputs, global, &report, all).await?;
    Ok(reports::exit_code(&report, request.pending, request.is_gate))
}

fn save(ui: &Ui, path: &Path, file: FleetPlanFile) -> Result<(), CliError> {
    let bytes = file.encode().map_err(crate::app::Error::PlanFormat)?;
    write_whole(path, &bytes)?;
    let plan = next_command::shell_word(path);
    ui.note(tr!(
        "{n} plan is in {plan}; to carry it out: recard fleet apply {plan}"
            | "{n} plans are in {plan}; to carry them out: recard fleet apply {plan}"
                % file.plans.len(),
        plan
    ));
    Ok(())
}
