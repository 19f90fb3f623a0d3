//! Diagnostics of the portal and of the webhook, for `recard doctor`.
//!
//! Small methods that need no right, in a request or two. Each result is separate: a portal that
//! does not answer one of them may answer the others.

use std::collections::BTreeMap;

use bitrix24::{BatchCommand, ReadResult, php_json};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::PortalReader;
use super::address::{MethodFamily, Operation, card_command};
use super::client::PortalClient;
use super::http_portal::PortalRight as _;
use super::method_lookup::{MethodAvailability, availability, look_up};
use super::methods::{DEPARTMENTS, RIGHTS, SERVER_TIME, USERS};
use crate::model::{CardKey, CardKind, PipelineId, SmartProcessType};
use crate::ports::PortalError;

/// Returns the methods that recard calls: those for cards, in both families, and those for people.
fn methods() -> Vec<&'static str> {
    let cards = [MethodFamily::Lead, MethodFamily::Item].into_iter().flat_map(|family| {
        [Operation::Get, Operation::Reset, Operation::Set].map(|operation| family.method(operation))
    });
    cards.chain([USERS, DEPARTMENTS]).collect()
}

/// Card that the portal takes where a smart process is named without a pipeline (`CARDS.md`,
/// section 5). recard always names one; the finding tells releases apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingPipeline {
    /// The card of the default pipeline: releases up to June 2025.
    Default,
    /// A row that no interface shows: releases from July 2025 on.
    Nobody,
}

/// Diagnostics of a portal.
#[derive(Clone, Debug)]
pub struct PortalDiagnostics {
    /// The rights of the webhook; a text if there was no usable answer.
    pub rights: Result<Vec<String>, String>,
    /// The portal's time of day; a text if there was no usable answer.
    pub server_time: Result<Timestamp, String>,
    /// The methods that recard calls, with their availability.
    pub methods: Vec<(&'static str, MethodAvailability)>,
}

impl PortalReader {
    /// Reads the diagnostics. Changes nothing, and needs no right.
    ///
    /// # Errors
    ///
    /// If the portal cannot be used at all.
    pub async fn diagnose(&self) -> Result<PortalDiagnostics, PortalError> {
        diagnose(self.client()).await
    }

    /// Finds out which card the portal takes where a smart process is named without a pipeline, by
    /// two reads of common cards. `None` if the card of the default pipeline is at its default, so
    /// that both read the same.
    ///
    /// # Errors
    ///
    /// If the portal cannot be used at all.
    pub async fn missing_pipeline(
        &self,
        process: SmartProcessType,
        default: PipelineId,
    ) -> Result<Option<MissingPipeline>, PortalError> {
        let client = self.client();
        let Some(with) = card_command(
            Operation::Get,
            CardKey::common(CardKind::SmartProcess(process, default)),
            MethodFamily::Item,
        ) else {
            return Ok(None);
        };
        let without = BatchCommand::new(MethodFamily::Item.method(Operation::Get))
            .with("scope", "C")
            .with("entityTypeId", &process.to_string());
        let command = |number: usize| if number == 0 { with.clone() } else { without.clone() };
        let mut ends = BTreeMap::new();
        let mut take = |number: usize, end: ReadResult| drop(ends.insert(number, end));
        client.batches().read_in_fewest(2, &command, &mut take).await?;
        let mut read = |number: usize| match ends.remove(&number) {
            Some(ReadResult::Answered(answer)) => Some(answer.json),
            _ => None,
        };
        let (Some(with), Some(without)) = (read(0), read(1)) else { return Ok(None) };
        Ok(match (with.get(), without.get()) {
            ("null", _) => None,
            (_, "null") => Some(MissingPipeline::Nobody),
            (with, without) if with == without => Some(MissingPipeline::Default),
            // A stray common card of nobody.
            _ => Some(MissingPipeline::Nobody),
        })
    }
}

async fn diagnose(client: &PortalClient) -> Result<PortalDiagnostics, PortalError> {
    let small = [BatchCommand::new(RIGHTS), BatchCommand::new(SERVER_TIME)];
    let methods = methods();
    let commands: Vec<BatchCommand> =
        small.into_iter().chain(methods.iter().map(|name| look_up(name))).collect();
    let command = |number: usize| {
        commands.get(number).cloned().unwrap_or_else(|| BatchCommand::new(SERVER_TIME))
    };
    let mut ends = BTreeMap::new();
    let mut take = |number: usize, end: ReadResult| drop(ends.insert(number, end));
    client.batches().read_in_fewest(commands.len(), &command, &mut take).await?;
    let mut answer = |number: usize| match ends.remove(&number) {
        Some(ReadResult::Answered(answer)) => Ok(answer.json),
        Some(ReadResult::Refused(refusal)) => Err(refusal.to_string()),
        Some(ReadResult::NoAnswer(text)) => Err(text),
        None => Err("no answer".to_owned()),
    };
    let rights = answer(0).and_then(|json| rights(&json).ok_or_else(|| malformed(&json)));
    let server_time = answer(1).and_then(|json| time(&json).ok_or_else(|| malformed(&json)));
    let method = |(index, name): (usize, &&'static str)| {
        let found =
            answer(index + 2).and_then(|json| availability(&json).ok_or_else(|| malformed(&json)));
        (*name, found.unwrap_or_else(MethodAvailability::Unknown))
    };
    let methods = methods.iter().enumerate().map(method).collect();
    Ok(PortalDiagnostics { rights, server_time, methods })
}

fn rights(json: &RawValue) -> Option<Vec<String>> {
    php_json::list(json)?.into_iter().map(|right| php_json::text(Some(right))).collect()
}

fn time(json: &RawValue) -> Option<Timestamp> {
    php_json::text(Some(json))?.parse().ok()
}

fn malformed(json: &RawValue) -> String {
    let shown: String = json.get().chars().take(60).collect();
    format!("the answer makes no sense: {shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn diagnostics_parse_the_server_time_and_the_rights() {
        assert_eq!(
            time(&raw(r#""2026-11-01T12:00:00+03:00""#)),
            "2026-11-01T09:00:00Z".parse().ok()
        );
        assert_eq!(time(&raw(r#""noon""#)), None);
        assert_eq!(rights(&raw(r#"["crm","user"]"#)).unwrap(), ["crm", "user"]);
        assert_eq!(rights(&raw("[]")).unwrap(), Vec::<String>::new());
    }
}
