//! Plans of the portals of a fleet.

use std::time::{Duration, Instant};

use super::portal_session::{RoundObserver, Surroundings};
use super::rows;
use crate::app::{self, ManifestSet, PlanOptions};
use crate::cli::clock::SystemClock;
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::session::CliSession;
use crate::cli::sources::selection_file;
use crate::cli::use_cases::use_case_error;
use crate::i18n::Text;
use crate::manifest::{Declaration, Fleet, FleetPortal, PortalMode, SecretReference};
use crate::plan::Plan;
use crate::ports::Clock as _;
use crate::records::fleet::{
    FleetCounts, FleetPlanFile, FleetViolation, PlannedPortal, PortalOutcome, PortalRow,
    StoredSecret, StoredStopRule,
};

/// Kind of the look at each portal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Look {
    /// A plan; with a plan file of this lifetime if it is to be applied.
    Plan(Option<Duration>),
    /// What drifted.
    Drift,
}

/// Options of a look at all portals.
pub(in crate::cli) struct LookOptions {
    pub(in crate::cli) look: Look,
    pub(in crate::cli) access: WebhookAccess,
    pub(in crate::cli) concurrency: usize,
    pub(in crate::cli) deadline: Duration,
}

/// End of the look at one portal.
struct Looked {
    outcome: PortalOutcome,
    cause: Option<Text>,
    counts: FleetCounts,
    milliseconds: u32,
    plan: Option<String>,
}

/// Looks at portals. Returns a row for each, and the plans that can be applied.
pub(in crate::cli) async fn look(
    surroundings: &Surroundings<'_>,
    fleet: &Fleet,
    portals: &[&FleetPortal],
    options: &LookOptions,
) -> (Vec<PortalRow>, Vec<PlannedPortal>) {
    let now = SystemClock.now();
    let work = async |portal: &FleetPortal| match rows::row_without_round(
        fleet,
        portal,
        &surroundings.pauses,
        now,
    ) {
        Some(row) => Ok(Err(row)),
        None => look_at(surroundings, portal, options).await.map(Ok),
    };
    let deadline = Some(options.deadline);
    let ends = app::rounds(portals.iter().copied(), options.concurrency, deadline, work).await;
    let mut plans = Vec::new();
    let mut all = Vec::with_capacity(portals.len());
    for (portal, end) in portals.iter().zip(ends) {
        let planned = rows::row(fleet, portal, PortalOutcome::Unchanged);
        all.push(rows::ended(end, planned, |looked, row| match looked {
            Err(row) => row,
            Ok(looked) => into_row(portal, looked, row, &mut plans),
        }));
    }
    (all, plans)
}

/// Looks for drift on one portal, and fills its row.
pub(in crate::cli) async fn drift_of_one(
    session: &CliSession,
    portal: &FleetPortal,
    row: PortalRow,
) -> Result<PortalRow, app::Error> {
    let Some(declaration) = &portal.declaration else { return Ok(row) };
    let files = manifest_files(declaration);
    let looked = look_in(session, ManifestSet { declaration, files: &files }, Look::Drift).await?;
    Ok(into_row(portal, looked, row, &mut Vec::new()))
}

fn into_row(
    portal: &FleetPortal,
    looked: Looked,
    mut row: PortalRow,
    plans: &mut Vec<PlannedPortal>,
) -> PortalRow {
    let Looked { outcome, cause, counts, milliseconds, plan } = looked;
    row.outcome = outcome;
    row.counts = counts;
    row.milliseconds = milliseconds;
    if let Some(cause) = cause {
        rows::set_cause(&mut row, &cause);
    }
    if let (Some(plan), Some(webhook)) = (plan, &portal.webhook) {
        let portal = row.portal.clone();
        plans.push(PlannedPortal { portal, webhook: stored(webhook), plan });
    }
    row
}

async fn look_at(
    surroundings: &Surroundings<'_>,
    portal: &FleetPortal,
    options: &LookOptions,
) -> Result<Looked, CliError> {
    let started = Instant::now();
    let (Some(name), Some(declaration)) = (&portal.portal, &portal.declaration) else {
        return Err(CliError::general(tr!(
            "its manifests have problems; `recard fleet validate` shows them"
        )));
    };
    // A portal that is never written to is only looked at.
    let (look, access) = match portal.mode {
        PortalMode::Apply => (options.look, options.access),
        PortalMode::Drift => (Look::Drift, WebhookAccess::Read),
    };
    let secret = match access {
        WebhookAccess::Read => portal.secret_to_read(),
        WebhookAccess::Write => portal.webhook.as_ref(),
    };
    let Some(secret) = secret else {
        return Err(CliError::general(tr!("the fleet names no place of the webhook")));
    };
    let session = surroundings.connect(name, secret).await?;
    let files = manifest_files(declaration);
    let set = ManifestSet { declaration, files: &files };
    let work = async |session: &CliSession| {
        let looked = look_in(session, set, look).await;
        looked.map_err(|error| use_case_error(session, error))
    };
    let looked = session.run_and_close(&surroundings.ui, work).await?;
    Ok(Looked { milliseconds: rows::milliseconds(started), ..looked })
}

async fn look_in(
    session: &CliSession,
    set: ManifestSet<'_>,
    look: Look,
) -> Result<Looked, app::Error> {
    let observer = RoundObserver { session };
    let options = PlanOptions::default();
    let (planned, pending) = match look {
        Look::Plan(_) => {
            let planned = app::plan(&session.app, set, &options, &observer).await?;
            let pending = !planned.plan.is_noop();
            (planned, pending.then_some(PortalOutcome::Changes))
        }
        Look::Drift => {
            let (planned, drift) = app::drift(&session.app, set, &options, &observer).await?;
            (planned, (!drift.is_none()).then_some(PortalOutcome::Drifted))
        }
    };
    let plan = &planned.plan;
    let violation = plan.guards.violations.first().filter(|_| look != Look::Drift);
    let file = match look {
        Look::Plan(Some(max_age))
            if violation.is_none() && (plan.counts().reset > 0 || plan.new_marks() > 0) =>
        {
            let file = app::new_plan_file(&session.app, set, &planned, max_age)?;
            let bytes = file.encode().map_err(app::Error::PlanFormat)?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => None,
    };
    Ok(Looked {
        outcome: match violation {
            Some(_) => PortalOutcome::Blocked,
            None => pending.unwrap_or(PortalOutcome::Unchanged),
        },
        cause: violation.map(Text::from_display).or_else(|| rows::held_cause(plan)),
        counts: counts(plan),
        milliseconds: 0,
        plan: file,
    })
}

fn counts(plan: &Plan) -> FleetCounts {
    let counts = plan.counts();
    let people = u32::try_from(plan.guards.impact.people.len()).unwrap_or(u32::MAX);
    FleetCounts { people, reset: counts.reset, keep: counts.keep, hold: counts.hold }
}

/// Returns name and file of each manifest.
pub(in crate::cli) fn manifest_files(declaration: &Declaration) -> Vec<(String, String)> {
    let documents = declaration.documents.iter();
    documents
        .map(|document| (document.name.to_string(), selection_file(&document.place.file)))
        .collect()
}

/// Makes the file with the plans.
pub(in crate::cli) fn plan_file(
    fleet: &Fleet,
    rows: &[PortalRow],
    plans: Vec<PlannedPortal>,
    violations: &[FleetViolation],
) -> FleetPlanFile {
    FleetPlanFile {
        fleet: fleet.name.to_string(),
        reason: fleet.reason.to_string(),
        created: SystemClock.now(),
        waves: fleet.waves.iter().map(|wave| wave.name.to_string()).collect(),
        stop: StoredStopRule {
            failed: fleet.stop.failed,
            failed_percent: fleet.stop.failed_percent,
        },
        violations: violations.to_vec(),
        rows: rows.to_vec(),
        plans,
    }
}

fn stored(secret: &SecretReference) -> StoredSecret {
    match secret {
        SecretReference::File(name) => StoredSecret::File(name.to_string()),
        SecretReference::Variable(name) => StoredSecret::Env(name.to_string()),
    }
}
