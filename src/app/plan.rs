//! Plans of manifests, and what drifted from them. Sends nothing that writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::field_labels::save_labels;
use super::narrowing::Narrowing;
use super::observer::{Observer, Warning};
use super::planned::Planned;
use super::{Error, Phase, Session, permissions};
use crate::diagnostic::Diagnostic;
use crate::engine::{self, Event, EventSink as _, Resolution};
use crate::i18n::Text;
use crate::manifest::Declaration;
use crate::model::{CardKey, CurrentSelection, DesiredState, Ledger, Snapshot, UserId};
use crate::plan::{self, BlindReset, Drift, Plan, Policy};
use crate::ports::{PortalError, ReadPortal as _};
use crate::store::Store;

/// Manifests of a run.
#[derive(Clone, Copy)]
pub struct ManifestSet<'a> {
    /// Their declaration.
    pub declaration: &'a Declaration,
    /// Name and file of each document, by which a later run knows what they selected. The file is
    /// empty for a manifest without one.
    pub files: &'a [(String, String)],
}

/// Options of a plan.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Resets of cards that cannot be read.
    pub blind: BlindReset,
    /// Limit on the number of people, below those of the manifests.
    pub max_users: Option<u32>,
    /// Part of the targets; all of them by default.
    pub narrowing: Narrowing,
    /// File with the ledger of `mode: once`; that of the store if there is none.
    pub ledger: Option<PathBuf>,
}

/// Resolves the manifests, reads the cards of all targets, and plans.
///
/// # Errors
///
/// If the portal or the store cannot be read, or the manifests have an error.
pub async fn plan(
    session: &Session,
    manifests: ManifestSet<'_>,
    options: &PlanOptions,
    observer: &impl Observer,
) -> Result<Planned, Error> {
    let mut resolution = resolve(session, manifests, observer).await?;
    if resolution.warnings.iter().any(Diagnostic::is_error) {
        return Err(Error::Manifests(resolution.warnings));
    }
    let extent = narrow(session, &options.narrowing, &mut resolution.desired).await?;
    let snapshot = observe(session, &resolution.desired, observer).await?;
    from_snapshot(session, manifests, options, (resolution, extent), &snapshot, observer).await
}

/// Plans, and compares the plan with the manifests. Targets that the portal does not have any more
/// count as drift.
pub async fn drift(
    session: &Session,
    manifests: ManifestSet<'_>,
    options: &PlanOptions,
    observer: &impl Observer,
) -> Result<(Planned, Drift), Error> {
    let resolution = resolve(session, manifests, observer).await?;
    let errors = || resolution.warnings.iter().filter(|found| found.is_error());
    if !errors().all(Drift::is_dismissed) {
        return Err(Error::Manifests(resolution.warnings));
    }
    let gone: Vec<Diagnostic> = errors().cloned().collect();
    let snapshot = observe(session, &resolution.desired, observer).await?;
    let whole = (resolution, Extent::Whole);
    let planned = from_snapshot(session, manifests, options, whole, &snapshot, observer).await?;
    let drift = Drift::from_plan(&planned.plan, gone);
    Ok((planned, drift))
}

async fn resolve(
    session: &Session,
    manifests: ManifestSet<'_>,
    observer: &impl Observer,
) -> Result<Resolution, Error> {
    let progress = observer.progress();
    progress.on_event(Event::LookingUp);
    engine::resolve_existing(
        &session.portal.reader(),
        manifests.declaration,
        session.caller.portal_admin,
    )
    .await
    .map_err(|error| Error::Portal(Phase::Lookup, error))
}

async fn observe(
    session: &Session,
    desired: &DesiredState,
    observer: &impl Observer,
) -> Result<Snapshot, Error> {
    let targets: Vec<CardKey> = desired.targets.iter().map(|target| target.key).collect();
    read_cards(session, &targets, observer).await
}

/// Reads cards, and stores the proof of the release that the reads show.
pub(super) async fn read_cards(
    session: &Session,
    targets: &[CardKey],
    observer: &impl Observer,
) -> Result<Snapshot, Error> {
    let progress = observer.progress();
    let snapshot =
        engine::observe(&session.portal.reader(), &session.caller, targets, &progress).await;
    let snapshot = snapshot.map_err(|error| Error::Portal(Phase::ReadCards, error))?;
    session.save_proof(observer, snapshot.trust).await;
    Ok(snapshot)
}

/// Extent of a desired state, compared with what its manifests select.
enum Extent {
    Whole,
    /// Narrowed; the people whom each manifest selects as a whole.
    Partial(BTreeMap<Arc<str>, Vec<UserId>>),
}

/// Narrows a desired state. The guard against a shrunk selection is about all that the manifests
/// select, so that selection is returned.
async fn narrow(
    session: &Session,
    narrowing: &Narrowing,
    desired: &mut DesiredState,
) -> Result<Extent, Error> {
    if narrowing.is_whole() {
        return Ok(Extent::Whole);
    }
    let departments = match narrowing.departments.as_slice() {
        [] => Vec::new(),
        _ => {
            let read = session.portal.reader().departments().await;
            read.map_err(|error| Error::Portal(Phase::Lookup, error))?
        }
    };
    let selected = desired.selected();
    narrowing.narrow(desired, &departments).map_err(|error| Error::Narrowing(Box::new(error)))?;
    Ok(Extent::Partial(selected))
}

async fn from_snapshot(
    session: &Session,
    manifests: ManifestSet<'_>,
    options: &PlanOptions,
    (resolution, extent): (Resolution, Extent),
    snapshot: &Snapshot,
    observer: &impl Observer,
) -> Result<Planned, Error> {
    let Resolution { mut desired, mut warnings, employees, labels: told } = resolution;
    desired.guards.lower(options.max_users);
    for (id, name) in session.portal.department_names().into_iter().flatten() {
        desired.departments.entry(*id).or_insert_with(|| name.clone());
    }
    let policy = Policy {
        blind: options.blind,
        ledger: read_ledger(&session.store, options.ledger.as_deref()).await?,
        previous_selections: previous_selections(
            &session.store,
            manifests.files,
            &match &extent {
                Extent::Whole => desired.selected(),
                Extent::Partial(selected) => selected.clone(),
            },
        )
        .await?,
    };
    let made = plan::plan(&desired, snapshot, &policy);
    verify(&desired, snapshot, &policy, &made)?;
    let made = match &extent {
        Extent::Whole => made,
        Extent::Partial(selected) => made.narrowed(selected, &desired.guards),
    };
    let plan = with_employees(session, made, employees).await?;
    let not_allowed = permissions::warning(session, &plan)
        .await
        .map_err(|error| Error::Portal(Phase::Permissions, error))?;
    warnings.extend(not_allowed);
    warnings.extend(permissions::item_methods(session, &plan));
    let mut labels = session.labels.clone();
    if let Err(error) = save_labels(&session.store, &mut labels, told, session.now()).await {
        observer.warn(Warning::LabelsNotSaved(error));
    }
    Ok(Planned { plan, warnings, limits: desired.guards, labels })
}

/// Counts the employees, unless their number is known, and measures the guards again where the
/// share of the portal counts.
pub(super) async fn with_employees(
    session: &Session,
    made: Plan,
    known: Option<u32>,
) -> Result<Plan, Error> {
    let counted = |error: PortalError| Error::Portal(Phase::Employees, error);
    let employees = match known {
        Some(employees) => employees,
        None if !made.guards.lacks_employees() => return Ok(made),
        None => session.portal.reader().employees().await.map_err(counted)?,
    };
    Ok(Plan { guards: made.guards.with_employees(employees), ..made })
}

/// Verifies a plan.
pub(super) fn verify(
    desired: &DesiredState,
    snapshot: &Snapshot,
    policy: &Policy,
    made: &Plan,
) -> Result<(), Error> {
    match plan::verify_plan(desired, snapshot, policy, made).first() {
        None => Ok(()),
        Some(defect) => Err(Error::Verification(Box::new(Text::from_display(defect)))),
    }
}

/// Reads the ledger of `mode: once`: that of a file, or that of the store.
///
/// # Errors
///
/// If it cannot be read, or there is no such file.
pub async fn read_ledger(store: &Store, file: Option<&Path>) -> Result<Ledger, Error> {
    match file {
        None => Ok(store.ledger().await?),
        Some(path) => store
            .ledger_file(path)
            .await
            .map_err(|source| Error::Ledger { path: path.to_owned(), source: Box::new(source) }),
    }
}

/// Returns how many people each manifest selected in its last run.
pub(super) async fn previous_selections(
    store: &Store,
    files: &[(String, String)],
    selected: &BTreeMap<Arc<str>, Vec<UserId>>,
) -> Result<BTreeMap<Arc<str>, u32>, Error> {
    let run: Vec<CurrentSelection<'_>> = files
        .iter()
        .map(|(manifest, file)| selection(manifest, file, selected.get(manifest.as_str())))
        .collect();
    let is_gone = |file: &str| !file.is_empty() && !Path::new(file).exists();
    let previous = store.selections().await?.previous(&run, is_gone);
    Ok(previous.into_iter().map(|(name, people)| (name.into(), people)).collect())
}

/// Returns the selection of a manifest, for comparing and for storing.
pub(super) fn selection<'a>(
    manifest: &'a str,
    file: &'a str,
    people: Option<&'a Vec<UserId>>,
) -> CurrentSelection<'a> {
    CurrentSelection { manifest, file, people: people.map_or(&[], Vec::as_slice) }
}
