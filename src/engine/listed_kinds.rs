//! Kinds of cards that a command names, checked against the portal's own lists.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::card_directory::kind_names;
use crate::model::{
    CardCatalog, CardKind, CardLabels, EntityType, KindNames, PipelineId, SmartProcessType,
    TypeCatalog,
};
use crate::ports::{CatalogQuery, PortalError, ReadPortal};

/// Kinds of cards that a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KindSelection {
    /// These. Empty means both kinds of leads.
    Kinds(Vec<CardKind>),
    /// All kinds that the portal lists.
    All,
}

/// Kinds of cards that the portal lists.
#[derive(Clone, Debug)]
pub struct ListedKinds {
    /// The kinds, sorted, each once.
    pub kinds: Vec<CardKind>,
    /// Kinds that were named and are not in the portal's lists; they must not be read.
    pub unlisted: Vec<CardKind>,
    /// The names.
    pub names: KindNames,
    /// The labels of the fields, leads aside.
    pub labels: CardLabels,
    /// Ids of pipelines of deals that the list of the caller hides.
    pub hidden_deals: Vec<u32>,
    /// The types without a listed pipeline: their cards cannot be named.
    pub without_pipeline: Vec<EntityType>,
    /// The smart processes with their default pipelines.
    pub default_pipelines: Vec<(SmartProcessType, PipelineId)>,
    /// Refusal of the list of smart processes, if the portal does not show it to the caller.
    pub no_processes: Option<String>,
}

/// Looks up kinds of cards. Leads need no request.
pub async fn listed_kinds<P: ReadPortal>(
    portal: &P,
    selection: &KindSelection,
) -> Result<ListedKinds, PortalError> {
    let named = match selection {
        KindSelection::Kinds(kinds) if kinds.is_empty() => CardKind::LEADS.to_vec(),
        KindSelection::Kinds(kinds) => kinds.clone(),
        KindSelection::All => Vec::new(),
    };
    let is_all = *selection == KindSelection::All;
    let mut types: BTreeSet<EntityType> = named.iter().map(|kind| kind.entity_type()).collect();
    types.remove(&EntityType::Lead);
    if is_all {
        use EntityType::{Company, Contact, Deal, Quote, SmartInvoice};
        types.extend([Deal, Contact, Company, Quote, SmartInvoice]);
    }
    let is_process = |of: &EntityType| matches!(of, EntityType::SmartProcess(_));
    let processes = is_all || types.iter().any(is_process);
    let mut catalog = CardCatalog::default();
    if !types.is_empty() {
        catalog = portal.catalog(&CatalogQuery { types, processes }).await?;
    }
    if is_all {
        let listed = catalog.processes.iter().flatten().flatten();
        let types = listed.map(|(process, _)| EntityType::SmartProcess(*process)).collect();
        let more = portal.catalog(&CatalogQuery { types, processes: false }).await?;
        catalog.types.extend(more.types);
    }
    let mut all: BTreeSet<CardKind> = CardKind::LEADS.into_iter().collect();
    for of in catalog.types.keys() {
        all.extend(kinds_of(&catalog, *of));
    }
    let (kinds, unlisted) = match is_all {
        true => (all, BTreeSet::new()),
        false => named.into_iter().partition(|kind| all.contains(kind)),
    };
    let names = kind_names(&catalog);
    let hidden_deals = catalog.types.get(&EntityType::Deal);
    let hidden_deals = hidden_deals.map(|catalog| catalog.hidden.clone()).unwrap_or_default();
    let is_empty = |of: &&EntityType| kinds_of(&catalog, **of).is_empty();
    let without_pipeline = catalog.types.keys().filter(is_empty).copied().collect();
    let default = |(of, one): (&EntityType, &TypeCatalog)| {
        let EntityType::SmartProcess(process) = of else { return None };
        let default = one.pipelines.iter().flatten().find(|pipeline| pipeline.is_default)?;
        Some((*process, NonZeroU32::new(default.id)?))
    };
    let default_pipelines = catalog.types.iter().filter_map(default).collect();
    let no_processes = catalog.processes.as_ref().and_then(|listed| listed.clone().err());
    let labels = catalog.types.into_iter().filter_map(|(of, catalog)| Some((of, catalog.labels?)));
    Ok(ListedKinds {
        kinds: kinds.into_iter().collect(),
        unlisted: unlisted.into_iter().collect(),
        names,
        labels: labels.collect(),
        hidden_deals,
        without_pipeline,
        default_pipelines,
        no_processes,
    })
}

/// Returns the kinds of a type that the portal lists.
fn kinds_of(catalog: &CardCatalog, of: EntityType) -> Vec<CardKind> {
    let mut kinds = match of {
        EntityType::Lead => CardKind::LEADS.to_vec(),
        EntityType::Quote => vec![CardKind::Quote],
        EntityType::Contact => vec![CardKind::Contact(None)],
        EntityType::Company => vec![CardKind::Company(None)],
        EntityType::Deal | EntityType::SmartInvoice | EntityType::SmartProcess(_) => Vec::new(),
    };
    let listed =
        catalog.types.get(&of).map(|catalog| &catalog.pipelines).into_iter().flatten().flatten();
    kinds.extend(listed.filter_map(|pipeline| CardKind::in_pipeline(of, pipeline.id)));
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pipeline;

    #[test]
    fn type_without_a_listed_pipeline_has_no_kind() {
        let mut catalog = CardCatalog::default();
        let invoice = EntityType::SmartInvoice;
        catalog.types.insert(invoice, TypeCatalog::default());
        assert_eq!(kinds_of(&catalog, invoice), []);
        let pipeline = |id| Pipeline { id, name: "General".into(), is_default: true };
        let listed =
            TypeCatalog { pipelines: Ok(vec![pipeline(0), pipeline(9)]), ..Default::default() };
        catalog.types.insert(invoice, listed.clone());
        catalog.types.insert(EntityType::Contact, listed);
        let shown = |of| kinds_of(&catalog, of).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(invoice), ["smart-invoice/9"]);
        assert_eq!(shown(EntityType::Contact), ["contact", "contact/9"]);
    }
}
