//! Plan files on the command line: writing one, reading one, and whether it may be used here and
//! now.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::clock::SystemClock;
use super::env;
use super::error::CliError;
use super::planning::Planned;
use super::session::Session;
use super::sources::LoadedManifests;
use crate::engine;
use crate::manifest::Document;
use crate::model::{PortalId, UserId};
use crate::plan::Plan;
use crate::ports::Clock as _;
use crate::records::plan_file::{
    MAX_PLAN_AGE, PlanFile, PlanFileContent, PlanManifest, plan_file_targets,
};
use crate::store::read_whole;

/// As much as is read of a plan file. One for all cards of 100,000 people has less.
const MAX_PLAN_FILE_BYTES: u64 = 256 << 20;

/// The plan as a file that expires after a time.
pub(super) fn new_plan_file(
    session: &Session,
    manifest: &LoadedManifests,
    planned: &Planned,
    max_age: Duration,
) -> Result<PlanFile, CliError> {
    let unwritable = |problem: &dyn std::fmt::Display| {
        CliError::general(tr!("cannot make a plan file: {problem}", problem))
    };
    let created = SystemClock.now();
    let plan = &planned.plan;
    let (targets, marks) = plan_file_targets(plan);
    let named = |document: &Document| PlanManifest {
        name: document.name.to_string(),
        reason: document.reason.to_string(),
        file: document.place.file.to_string(),
    };
    PlanFile::new(PlanFileContent {
        created,
        expires: created.checked_add(max_age).map_err(|problem| unwritable(&problem))?,
        portal: plan.portal.clone(),
        caller: plan.caller,
        caller_name: session.caller.name.to_string(),
        manifest: manifest.declaration.digest,
        manifests: manifest.declaration.documents.iter().map(named).collect(),
        commit: env::commit(),
        targets,
        marks,
        limits: planned.limits.clone(),
        violations: plan.guards.violations.clone(),
        acknowledged: plan.guards.acknowledged.clone(),
        selected: selected(plan),
        counts: plan.counts(),
    })
    .map_err(|problem| unwritable(&problem))
}

/// Returns whom the manifests of a plan select, by the name of the manifest.
fn selected(plan: &Plan) -> BTreeMap<Arc<str>, Vec<UserId>> {
    let measured = plan.guards.impact.manifests.iter();
    measured.map(|(name, measure)| (Arc::clone(name), measure.selected.clone())).collect()
}

/// Reads a plan file, with its bytes. What it says is whole; whether it may be used is another
/// question.
pub(super) fn read(path: &Path) -> Result<(PlanFile, Vec<u8>), CliError> {
    let bytes = read_whole(path, MAX_PLAN_FILE_BYTES).map_err(|problem| {
        CliError::general(tr!("cannot read the plan file {}: {problem}", path.display(), problem))
            .hint(tr!("nothing was written; a plan file is what `recard plan -f FILE --out PLAN` has written"))
    })?;
    match PlanFile::parse(&bytes) {
        Ok(file) => Ok((file, bytes)),
        Err(problem) => Err(CliError::plan_file(tr!("{}: {problem}", path.display(), problem))),
    }
}

/// Whether a plan file may be used now, for this portal and, if there are some, with these
/// manifests. Nothing is sent.
pub(super) fn check(
    content: &PlanFileContent,
    portal: &PortalId,
    manifest: Option<&LoadedManifests>,
) -> Result<(), CliError> {
    if content.portal != *portal {
        return Err(CliError::plan_file(tr!(
            "the plan file is for the portal {}, and the webhook is one of {portal}",
            content.portal,
            portal
        )));
    }
    let now = SystemClock.now();
    if content.is_from_the_future(now) {
        return Err(CliError::plan_file(tr!(
            "the plan file was made at {}, and here it is {}: the clock of one of the machines is wrong",
            format_time(content.created),
            format_time(now)
        )));
    }
    if content.is_expired(now) {
        return Err(CliError::plan_file(tr!(
            "the plan file expired at {}",
            format_time(content.expires)
        )));
    }
    if content.lasts_too_long() {
        let days = MAX_PLAN_AGE.as_hours() / 24;
        return Err(CliError::plan_file(tr!(
            "the plan file of {} may be used until {}, and no plan may be used for longer than {days} days",
            format_time(content.created),
            format_time(content.expires),
            days
        )));
    }
    match manifest.and_then(|manifest| engine::difference(content, &manifest.declaration)) {
        Some(difference) => Err(CliError::plan_file(difference)),
        None => Ok(()),
    }
}

/// Whether a plan file was made with the webhook of the same person.
pub(super) fn check_caller(content: &PlanFileContent, session: &Session) -> Result<(), CliError> {
    if content.caller == session.caller.user {
        return Ok(());
    }
    Err(CliError::plan_file(tr!(
        "the plan file was made as user {}, and this webhook acts as user {}",
        content.caller,
        session.caller.user
    ))
    .hint(tr!("a webhook for plans and one for applying must belong to the same person")))
}

/// A time as people and programs read it, to the second.
pub(super) fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
