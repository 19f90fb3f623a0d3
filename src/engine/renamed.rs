//! Names of a plan file that changed since it was made.
//!
//! A file selects by number, and was reviewed by name.

use std::collections::{BTreeMap, BTreeSet};

use super::card_directory::kind_names;
use crate::model::{CardKind, EntityType, KindNames, Person, PersonName, UserId};
use crate::ports::{CatalogQuery, PortalError, ReadPortal};
use crate::records::plan_file::{PlanFileContent, PlanFileTarget};

/// Asks the portal for the names of the pipelines and types of a plan file. Leads need no request.
pub async fn present_kinds<P: ReadPortal>(
    portal: &P,
    file: &PlanFileContent,
) -> Result<KindNames, PortalError> {
    let mut types: BTreeSet<EntityType> =
        file.targets.iter().map(|target| target.key.kind.entity_type()).collect();
    types.remove(&EntityType::Lead);
    if types.is_empty() {
        return Ok(KindNames::default());
    }
    let processes = types.iter().any(|of| matches!(of, EntityType::SmartProcess(_)));
    let catalog = portal.catalog(&CatalogQuery { types, processes }).await?;
    Ok(kind_names(&catalog))
}

/// Returns the kinds of cards of a plan file whose pipeline or type has another name now: who
/// reviewed the file may have meant another one. A name that is not known now is not another one.
pub fn renamed_kinds(file: &PlanFileContent, present: &KindNames) -> BTreeSet<CardKind> {
    let differs = |planned: Option<&Box<str>>, present: Option<&Box<str>>| {
        planned.zip(present).is_some_and(|(planned, present)| planned != present)
    };
    let is_renamed = |kind: &CardKind| {
        let title = |names: &'_ KindNames| match kind.entity_type() {
            EntityType::SmartProcess(process) => names.processes.get(&process).cloned(),
            _ => None,
        };
        differs(file.kinds.pipelines.get(kind), present.pipelines.get(kind))
            || differs(title(&file.kinds).as_ref(), title(present).as_ref())
    };
    file.targets.iter().map(|target| target.key.kind).filter(is_renamed).collect()
}

/// Returns the people of a plan file who have another name now, each with both names.
pub fn renamed_people(
    file: &PlanFileContent,
    people: &BTreeMap<UserId, Person>,
) -> Vec<(UserId, PersonName, PersonName)> {
    let renamed = |target: &PlanFileTarget| {
        let (id, planned) = (target.key.user()?, &target.name);
        let present = &people.get(&id)?.name;
        let is_known = !planned.as_str().is_empty() && !present.as_str().is_empty();
        (is_known && planned != present).then(|| (id, planned.clone(), present.clone()))
    };
    let mut found: Vec<_> = file.targets.iter().filter_map(renamed).collect();
    found.dedup();
    found
}
