//! In-memory portal behind the client's transport, with faults on demand, for tests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitrix24::{HttpResponse, ResponseOrigin, Transport, TransportError};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Fault of one request.
#[derive(Clone, Debug)]
pub(super) enum TransportFault {
    /// No fault: lets a fault come later.
    None,
    /// This answer comes, and nothing is executed.
    Answer(u16, &'static str),
    /// Nothing is executed, and no answer comes.
    Lost,
    /// The connection cannot be made.
    NotSent,
    /// Everything is executed, and no answer comes.
    LostAfter,
    /// Everything is executed, and half of the answer comes.
    Cut,
    /// These keys are neither in the results nor in the errors.
    LeftOut(&'static [&'static str]),
}

/// State of the fake portal.
#[derive(Default)]
pub(super) struct FakePortalState {
    /// Layouts by the query of their commands.
    pub(super) rows: BTreeMap<String, Value>,
    pub(super) users: Vec<Value>,
    pub(super) departments: Vec<Value>,
    /// The result of `crm.lead.fields`.
    pub(super) lead_fields: Value,
    /// The faults of the next requests.
    pub(super) faults: VecDeque<TransportFault>,
    /// Commands that contain this text break the whole request.
    pub(super) poison: Option<String>,
    /// Commands that contain a text fail with a code, this number of times.
    pub(super) failures: Vec<(String, &'static str, usize)>,
    /// The commands of each request, in their order.
    pub(super) log: Vec<Vec<String>>,
    /// The bodies of the requests that were no batches.
    pub(super) singles: Vec<(String, String)>,
    /// The method and the time of each request.
    pub(super) arrivals: Vec<(&'static str, Instant)>,
    /// The duration of a request, beside its commands.
    pub(super) delay: Duration,
    /// The duration of a command. The answer names it, unless it is zero.
    pub(super) command_time: Duration,
}

/// Transport of a fake portal. Clones share the portal.
#[derive(Clone, Default)]
pub(super) struct FakeTransport(pub(super) Arc<Mutex<FakePortalState>>);

impl FakeTransport {
    /// Changes the portal.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut FakePortalState) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// Creates a portal with these faults.
    pub(super) fn failing(faults: impl IntoIterator<Item = TransportFault>) -> Self {
        let portal = Self::default();
        portal.with(|state| state.faults = faults.into_iter().collect());
        portal
    }
}

impl Transport for FakeTransport {
    fn send<'a>(
        &'a self,
        method: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let (answer, delay) = self.with(|state| {
                state.arrivals.push((method, Instant::now()));
                let answer = state.answer(method, &body);
                let commands = state.log.last().filter(|_| method == "batch").map_or(1, Vec::len);
                (answer, state.delay + state.command_time * u32::try_from(commands).unwrap())
            });
            tokio::time::sleep(delay).await;
            answer
        })
    }
}

impl FakePortalState {
    fn answer(&mut self, method: &str, body: &[u8]) -> Result<HttpResponse, TransportError> {
        let fault = self.faults.pop_front().unwrap_or(TransportFault::None);
        match fault {
            TransportFault::Answer(status, body) => return Ok(page(status, body.to_owned())),
            TransportFault::Lost => {
                return Err(TransportError::Lost("connection closed".to_owned()));
            }
            TransportFault::NotSent => {
                return Err(TransportError::NotSent("connection refused".to_owned()));
            }
            TransportFault::None
            | TransportFault::LostAfter
            | TransportFault::Cut
            | TransportFault::LeftOut(_) => {}
        }
        let left_out = if let TransportFault::LeftOut(keys) = fault { keys } else { &[] };
        let text = if method == "batch" {
            self.batch(&commands(std::str::from_utf8(body).unwrap()), left_out)
        } else {
            self.singles.push((method.to_owned(), String::from_utf8(body.to_vec()).unwrap()));
            Some(json!({"result": true, "time": {"start": 1, "operating": 0.1}}).to_string())
        };
        let Some(text) = text else {
            return Ok(page(500, "<html>".to_owned()));
        };
        match fault {
            TransportFault::LostAfter => Err(TransportError::Lost("connection closed".to_owned())),
            TransportFault::Cut => Ok(page(200, text[..text.len() / 2].to_owned())),
            _ => Ok(page(200, text)),
        }
    }

    /// Executes the commands one after the other; returns `None` if the portal fails.
    fn batch(&mut self, commands: &[(String, String)], left_out: &[&str]) -> Option<String> {
        self.log.push(commands.iter().map(|(_, command)| command.clone()).collect());
        let (mut results, mut errors, mut totals, mut nexts) =
            (json!({}), json!({}), json!({}), json!({}));
        let mut times = json!({});
        for ((key, command), number) in commands.iter().zip(1_u32..) {
            if left_out.contains(&key.as_str()) {
                continue;
            }
            if self.poison.as_ref().is_some_and(|poison| command.contains(poison)) {
                return None;
            }
            let failure = self
                .failures
                .iter_mut()
                .find(|(text, _, left)| *left > 0 && command.contains(text.as_str()));
            if let Some((_, code, left)) = failure {
                *left -= 1;
                errors[key] = json!({"error": code, "error_description": ""});
                continue;
            }
            let (result, total, next) = self.command(command);
            results[key] = result;
            totals[key] = total;
            nexts[key] = next;
            if !self.command_time.is_zero() {
                let finish = 1_795_437_623.5 + (self.command_time * number).as_secs_f64();
                times[key] = json!({"start": 1_795_437_623, "finish": finish, "duration": 0.9, "processing": 0});
            }
        }
        let list_if_empty = |map: Value| {
            if map.as_object().is_some_and(serde_json::Map::is_empty) { json!([]) } else { map }
        };
        let maps = json!({
            "result": list_if_empty(results), "result_error": list_if_empty(errors), "result_total": totals,
            "result_next": nexts, "result_time": list_if_empty(times),
        });
        Some(json!({"result": maps, "time": {"start": 1}}).to_string())
    }

    fn command(&mut self, command: &str) -> (Value, Value, Value) {
        let (method, query) = command.split_once('?').unwrap_or((command, ""));
        let start: usize =
            query.rsplit_once("start=").map_or(0, |(_, start)| start.parse().unwrap());
        let list = match method {
            "crm.category.list" => {
                let of = query.strip_prefix("entityTypeId=").unwrap().parse::<u32>().unwrap();
                let pipeline =
                    |id: u32| json!({"id": id, "name": "", "entityTypeId": of, "isDefault": "N"});
                let list: Vec<Value> = (0..10).map(pipeline).collect();
                return (json!({ "categories": list }), json!(10), Value::Null);
            }
            "crm.lead.details.configuration.get" | "crm.item.details.configuration.get" => {
                return (
                    self.rows.get(query).cloned().unwrap_or(Value::Null),
                    Value::Null,
                    Value::Null,
                );
            }
            "crm.lead.details.configuration.reset" => {
                self.rows.remove(query);
                return (json!(true), Value::Null, Value::Null);
            }
            "profile" => {
                return (
                    json!({"ID": "1", "ADMIN": true, "NAME": "Anna"}),
                    Value::Null,
                    Value::Null,
                );
            }
            "method.get" => {
                let known = json!({"isExisting": true, "isAvailable": true});
                return (known, Value::Null, Value::Null);
            }
            "crm.lead.fields" => return (self.lead_fields.clone(), Value::Null, Value::Null),
            "user.get" => &self.users,
            "department.get" => &self.departments,
            other => panic!("the client never asks for {other}"),
        };
        // Beyond the end the first page comes again. The client must not accept it.
        let start = if start >= list.len() { 0 } else { start };
        let page: Vec<Value> = list.iter().skip(start).take(50).cloned().collect();
        let next = if start + 50 < list.len() { json!(start + 50) } else { Value::Null };
        (json!(page), json!(list.len()), next)
    }
}

/// Returns the commands of a batch in the order in which they are written: a JSON map would sort
/// them.
fn commands(body: &str) -> Vec<(String, String)> {
    let inner =
        body.strip_prefix(r#"{"halt":0,"cmd":{"#).and_then(|rest| rest.strip_suffix("}}")).unwrap();
    let texts: Vec<&str> = inner.split('"').skip(1).step_by(2).collect();
    texts.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

fn page(status: u16, body: String) -> HttpResponse {
    HttpResponse {
        status,
        content_type: None,
        body: body.into_bytes(),
        origin: ResponseOrigin::Portal,
    }
}
