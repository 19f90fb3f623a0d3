//! Pipelines, categories, smart processes and labels of the types that a run is about.

use std::collections::{BTreeMap, BTreeSet};

use bitrix24::{BatchCommand, CommandSuccess, PAGE, ReadResult};
use serde_json::value::RawValue;

use super::client::PortalClient;
use super::methods::{CATEGORIES, DEAL_CATEGORIES, ITEM_FIELDS, TYPES};
use super::wire::{catalog as wire, fields};
use crate::model::{
    CardCatalog, CardKey, CardKind, EntityType, Pipeline, SmartProcessType, TypeCatalog,
};
use crate::ports::{CatalogQuery, PortalError};

/// Number of pages of smart processes in the first request: room for 200 of them.
const FIRST_PAGES: u64 = 4;

/// Command and its purpose.
enum Question {
    Pipelines(EntityType),
    DealPipelines,
    Labels(EntityType),
    Processes(u64),
}

impl Question {
    fn command(&self) -> BatchCommand {
        let of_type = |method, of: &EntityType| {
            BatchCommand::new(method).with("entityTypeId", &of.number().to_string())
        };
        // Without this a user field has another name than in a layout.
        let original = |command: BatchCommand| command.with("useOriginalUfNames", "Y");
        match self {
            Self::Pipelines(of) => of_type(CATEGORIES, of),
            Self::DealPipelines => BatchCommand::new(DEAL_CATEGORIES).optional(),
            Self::Labels(of) => original(of_type(ITEM_FIELDS, of)).optional(),
            Self::Processes(page) => {
                BatchCommand::new(TYPES).with("start", &(page * PAGE).to_string()).optional()
            }
        }
    }
}

/// Reads the catalog in one request, unless the portal has more than 200 smart processes.
pub(super) async fn catalog(
    client: &PortalClient,
    query: &CatalogQuery,
) -> Result<CardCatalog, PortalError> {
    let mut questions = Vec::new();
    for of in &query.types {
        if has_pipelines(*of) {
            questions.push(Question::Pipelines(*of));
        }
        if *of == EntityType::Deal {
            questions.push(Question::DealPipelines);
        }
        questions.push(Question::Labels(*of));
    }
    if query.processes {
        questions.extend((0..FIRST_PAGES).map(Question::Processes));
    }
    let mut catalog = CardCatalog::default();
    let mut deals: Vec<u32> = Vec::new();
    let mut pages = FIRST_PAGES;
    while !questions.is_empty() {
        let ends = ask(client, &questions).await?;
        let mut total = 0;
        for (question, end) in questions.iter().zip(ends) {
            match question {
                Question::Pipelines(of) => {
                    let list = pipelines(client, *of, end)?;
                    catalog.types.entry(*of).or_default().pipelines = list;
                }
                Question::Labels(of) => {
                    let labels = answered(end, ITEM_FIELDS, fields::item_field_labels);
                    catalog.types.entry(*of).or_default().labels = labels.ok().and_then(Result::ok);
                }
                Question::DealPipelines => {
                    let ids = answered(end, DEAL_CATEGORIES, wire::deal_pipeline_ids);
                    deals = ids.ok().and_then(Result::ok).unwrap_or_default();
                }
                Question::Processes(_) => {
                    if let ReadResult::Answered(answer) = &end {
                        total = total.max(answer.total.unwrap_or_default());
                    }
                    let page = answered(end, TYPES, wire::processes)?;
                    add_processes(&mut catalog.processes, page);
                }
            }
        }
        let needed = total.div_ceil(PAGE);
        questions = (pages..needed).map(Question::Processes).collect();
        pages = pages.max(needed);
    }
    if let Some(TypeCatalog { pipelines: Ok(listed), hidden, .. }) =
        catalog.types.get_mut(&EntityType::Deal)
    {
        let listed: BTreeSet<u32> = listed.iter().map(|pipeline| pipeline.id).collect();
        hidden.extend(deals.into_iter().filter(|id| !listed.contains(id)));
    }
    Ok(catalog)
}

/// Asks for the pipelines of the types of some cards, where the portal was not asked yet. Cards
/// without a pipeline need no request.
pub(super) async fn ask_for_pipelines(
    client: &PortalClient,
    keys: &[CardKey],
) -> Result<(), PortalError> {
    let kinds = keys.iter().map(|key| key.kind).filter(|kind| kind.pipeline().is_some());
    let mut types: BTreeSet<EntityType> = kinds.map(CardKind::entity_type).collect();
    types.retain(|of| !client.listed().contains_key(of));
    let questions: Vec<Question> = types.iter().copied().map(Question::Pipelines).collect();
    for (of, end) in types.into_iter().zip(ask(client, &questions).await?) {
        // A refusal is an answer: there is no such type any more.
        let _ = pipelines(client, of, end)?;
    }
    Ok(())
}

/// Parses a list of pipelines, and keeps their ids.
fn pipelines(
    client: &PortalClient,
    of: EntityType,
    end: ReadResult,
) -> Result<Result<Vec<Pipeline>, String>, PortalError> {
    let list = answered(end, CATEGORIES, |json| wire::pipelines(json, of))?;
    client.listed().insert(of, list.iter().flatten().map(|pipeline| pipeline.id).collect());
    Ok(list)
}

/// Returns `true` if the portal has pipelines or categories for a type. It refuses the list of
/// leads and quotes.
fn has_pipelines(of: EntityType) -> bool {
    !matches!(of, EntityType::Lead | EntityType::Quote)
}

type Processes = Result<Vec<(SmartProcessType, Box<str>)>, String>;

/// Adds a page. The pages of a list that changes while it is read overlap, and a process that
/// stands on two of them is one.
fn add_processes(all: &mut Option<Processes>, page: Processes) {
    match (all.as_mut(), page) {
        (Some(Ok(all)), Ok(page)) => {
            let known: BTreeSet<SmartProcessType> =
                all.iter().map(|(process, _)| *process).collect();
            all.extend(page.into_iter().filter(|(process, _)| !known.contains(process)));
        }
        (Some(Err(_)), _) => {}
        (None | Some(Ok(_)), page) => *all = Some(page),
    }
}

async fn ask(
    client: &PortalClient,
    questions: &[Question],
) -> Result<Vec<ReadResult>, PortalError> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let command =
        |number: usize| questions.get(number).map_or_else(harmless, |question| question.command());
    let mut ends = BTreeMap::new();
    let mut take = |number: usize, end: ReadResult| drop(ends.insert(number, end));
    client.batches().read_in_fewest(questions.len(), &command, &mut take).await?;
    let end = |number: usize| {
        ends.remove(&number).unwrap_or_else(|| ReadResult::NoAnswer("no answer".to_owned()))
    };
    Ok((0..questions.len()).map(end).collect())
}

/// Returns a harmless command for a number outside of the list, which cannot occur.
fn harmless() -> BatchCommand {
    BatchCommand::new(super::methods::PROFILE)
}

/// Parses an answer. The inner error is a refusal by the portal.
fn answered<T>(
    end: ReadResult,
    method: &str,
    parse: impl Fn(&RawValue) -> Option<T>,
) -> Result<Result<T, String>, PortalError> {
    match end {
        ReadResult::Answered(CommandSuccess { json, .. }) => match parse(&json) {
            Some(found) => Ok(Ok(found)),
            None => Err(PortalError::Unexpected(format!("{method}: the answer makes no sense"))),
        },
        ReadResult::Refused(refusal) => Ok(Err(refusal.to_string())),
        ReadResult::NoAnswer(text) => Err(PortalError::MaybeExecuted(format!("{method}: {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_on_two_overlapping_pages_stands_once_in_the_list() {
        let process = |id| (SmartProcessType::new(id).unwrap(), Box::<str>::from("Orders"));
        let mut all = None;
        add_processes(&mut all, Ok(vec![process(177), process(178)]));
        add_processes(&mut all, Ok(vec![process(178), process(1038)]));
        assert_eq!(all, Some(Ok(vec![process(177), process(178), process(1038)])));
        add_processes(&mut all, Err("no".to_owned()));
        add_processes(&mut all, Ok(vec![process(180)]));
        assert_eq!(all, Some(Err("no".to_owned())));
    }
}
