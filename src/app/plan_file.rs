//! Plan files: making one, and whether one may be used here and now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Error, ManifestSet, Planned, Session, UnusablePlanFile};
use crate::engine;
use crate::manifest::{Declaration, Document};
use crate::model::{PortalId, UserId};
use crate::plan::{Plan, PlanExtent};
use crate::records::plan_file::{
    PlanBinding, PlanContent as _, PlanFile, PlanFileContent, PlanManifest, plan_file_targets,
};

/// Makes a plan file that expires after a time.
///
/// # Errors
///
/// If the plan cannot be written, or would expire beyond all times.
pub fn new_plan_file(
    session: &Session,
    manifests: ManifestSet<'_>,
    planned: &Planned,
    max_age: Duration,
) -> Result<PlanFile, Error> {
    let created = session.now();
    let plan = &planned.plan;
    let (targets, marks) = plan_file_targets(plan);
    let named = |document: &Document| PlanManifest {
        name: document.name.to_string(),
        reason: document.reason.to_string(),
        file: document.place.file.to_string(),
    };
    PlanFile::new(PlanFileContent {
        created,
        expires: created.checked_add(max_age).map_err(Error::PlanAge)?,
        portal: plan.portal.clone(),
        caller: plan.caller,
        caller_name: session.caller.name.to_string(),
        manifest: manifests.declaration.digest,
        manifests: manifests.declaration.documents.iter().map(named).collect(),
        commit: session.origin.commit.clone(),
        targets,
        marks,
        kinds: plan.kinds.narrowed(&plan.kinds_besides_leads()),
        narrowed: plan.extent == PlanExtent::Partial,
        limits: planned.limits.clone(),
        violations: plan.guards.violations.clone(),
        acknowledged: plan.guards.acknowledged.clone(),
        selected: selected(plan),
        counts: plan.counts(),
    })
    .map_err(Error::PlanFormat)
}

/// Returns the people that the manifests of a plan select, by the name of the manifest.
fn selected(plan: &Plan) -> BTreeMap<Arc<str>, Vec<UserId>> {
    let measured = plan.guards.impact.manifests.iter();
    measured.map(|(name, measure)| (Arc::clone(name), measure.selected.clone())).collect()
}

/// Checks that a plan file may be used now, for this portal and, if they are given, with these
/// manifests. Sends nothing.
///
/// # Errors
///
/// If it may not.
pub fn check_plan_file(
    content: &PlanFileContent,
    portal: &PortalId,
    declaration: Option<&Declaration>,
    now: Timestamp,
) -> Result<(), UnusablePlanFile> {
    check_binding(content.binding(), portal, now)?;
    match declaration.and_then(|declaration| engine::difference(content, declaration)) {
        Some(difference) => Err(UnusablePlanFile::OtherManifests(difference)),
        None => Ok(()),
    }
}

/// Checks that a plan file of any kind may be used now, for this portal.
pub(super) fn check_binding(
    binding: PlanBinding<'_>,
    portal: &PortalId,
    now: Timestamp,
) -> Result<(), UnusablePlanFile> {
    let PlanBinding { portal: planned, caller: _, created, expires } = binding;
    if planned != portal {
        let (planned, portal) = (planned.clone(), portal.clone());
        return Err(UnusablePlanFile::OtherPortal { planned, portal });
    }
    if binding.is_from_the_future(now) {
        return Err(UnusablePlanFile::FromTheFuture { created, now });
    }
    if binding.is_expired(now) {
        return Err(UnusablePlanFile::Expired(expires));
    }
    if binding.lasts_too_long() {
        return Err(UnusablePlanFile::LastsTooLong { created, expires });
    }
    Ok(())
}

/// Checks that a plan file was made with a webhook of the same person.
pub(super) fn check_caller(session: &Session, binding: PlanBinding<'_>) -> Result<(), Error> {
    let (planned, caller) = (binding.caller, session.caller.user);
    if planned == caller {
        return Ok(());
    }
    Err(Error::PlanFile(Box::new(UnusablePlanFile::OtherCaller { planned, caller })))
}
