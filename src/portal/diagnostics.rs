//! Diagnostics of the portal and of the webhook, for `recard doctor`.
//!
//! Small methods that need no right, in a request or two. Each result is separate: a portal that
//! does not answer one of them may answer the others.

use std::collections::BTreeMap;

use bitrix24::{BatchCommand, ReadResult, php_json};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::PortalReader;
use super::address::{MethodFamily, Operation};
use super::client::PortalClient;
use super::http_portal::PortalRight as _;
use super::method_lookup::{MethodAvailability, availability, look_up};
use super::methods::{DEPARTMENTS, RIGHTS, SERVER_TIME, USERS};
use crate::ports::PortalError;

/// Returns the methods that recard calls: those for cards in the family for leads.
fn methods(family: MethodFamily) -> [&'static str; 5] {
    let [get, reset, set] = [Operation::Get, Operation::Reset, Operation::Set]
        .map(|operation| family.method(operation));
    [get, reset, set, USERS, DEPARTMENTS]
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
}

async fn diagnose(client: &PortalClient) -> Result<PortalDiagnostics, PortalError> {
    let small = [BatchCommand::new(RIGHTS), BatchCommand::new(SERVER_TIME)];
    let methods = methods(client.method_family());
    let commands: Vec<BatchCommand> =
        small.into_iter().chain(methods.iter().map(|name| look_up(name))).collect();
    let command = |number: usize| {
        commands.get(number).cloned().unwrap_or_else(|| BatchCommand::new(SERVER_TIME))
    };
    let mut ends = BTreeMap::new();
    let mut take = |number: usize, end: ReadResult| drop(ends.insert(number, end));
    client.batches().read_all(commands.len(), 0, &command, &mut take).await?;
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
    fn time_has_an_offset() {
        assert_eq!(
            time(&raw(r#""2026-11-01T12:00:00+03:00""#)),
            "2026-11-01T09:00:00Z".parse().ok()
        );
        assert_eq!(time(&raw(r#""noon""#)), None);
        assert_eq!(rights(&raw(r#"["crm","user"]"#)).unwrap(), ["crm", "user"]);
        assert_eq!(rights(&raw("[]")).unwrap(), Vec::<String>::new());
    }
}
