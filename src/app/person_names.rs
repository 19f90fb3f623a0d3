//! Names of people for reports about earlier runs: a journal holds ids alone.

use std::collections::BTreeMap;

use super::Session;
use crate::model::{CardKey, PersonName, RunId, UserId};
use crate::ports::{PeopleQuery, ReadPortal as _, RunPurpose};
use crate::records::plan_file::PlanFile;
use crate::store::Store;

/// Maximum depth of restores of restores that is followed.
const MAX_DEPTH: usize = 10;

/// Returns the names in a run's plan; those of the restored run, if it is a restore. An unreadable
/// plan is not an error, and its names are left out.
pub async fn names_of_run(store: &Store, run: &RunId) -> BTreeMap<UserId, PersonName> {
    let mut run = run.clone();
    for _ in 0..MAX_DEPTH {
        if let Ok(Some(bytes)) = store.plan(&run).await {
            let targets =
                PlanFile::parse(&bytes).map(|file| file.content.targets).unwrap_or_default();
            let named = targets.into_iter().filter(|target| !target.name.as_str().is_empty());
            return named.filter_map(|target| Some((target.key.user()?, target.name))).collect();
        }
        match store.summary(&run).await.map(|summary| summary.header.purpose) {
            Ok(RunPurpose::Restore(of)) => run = of,
            Ok(RunPurpose::Apply) | Err(_) => break,
        }
    }
    BTreeMap::new()
}

/// Returns the names of the people behind these cards: from the run's plan, and otherwise from the
/// portal.
pub(super) async fn names_of_cards(
    session: &Session,
    run: &RunId,
    keys: &[CardKey],
) -> BTreeMap<UserId, PersonName> {
    let mut names = names_of_run(&session.store, run).await;
    let mut missing: Vec<UserId> = keys.iter().filter_map(|key| key.user()).collect();
    missing.retain(|user| !names.contains_key(user));
    missing.dedup();
    if !missing.is_empty() {
        let found = session.portal.reader().people(&PeopleQuery::Ids(missing.clone())).await;
        let asked =
            found.unwrap_or_default().into_iter().filter(|person| missing.contains(&person.id));
        names.extend(asked.map(|person| (person.id, person.name)));
    }
    names
}
