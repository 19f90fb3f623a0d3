//! The client over a transport in memory, by its public interface.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use bitrix24::{
    BATCH, Batch, BatchCommand, BatchExecutor, CallError, ClientError, ClientSettings,
    CommandResult, HttpResponse, Idempotency, IndeterminateCause, PageItem, PagedQuery, Paginator,
    ReadResult, Rejection, ResponseOrigin, RestClient, RetryState, StopReason, Transport,
    TransportError,
};
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// A portal that answers each command with its own text, and lists the numbers 1 to `count`.
#[derive(Clone, Default)]
struct Portal {
    count: u64,
    /// Errors of the next requests.
    faults: Arc<Mutex<VecDeque<TransportError>>>,
    /// Commands with this text break the whole request.
    poison: &'static str,
    /// Bodies of all requests.
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Portal {
    fn batches(&self) -> BatchExecutor {
        let client = RestClient::new(Box::new(self.clone()), &ClientSettings::default());
        BatchExecutor::new(client)
    }

    fn response(&self, body: &Value) -> HttpResponse {
        let mut results = Map::new();
        let (mut totals, mut nexts) = (Map::new(), Map::new());
        for (key, command) in body["cmd"].as_object().unwrap() {
            let command = command.as_str().unwrap();
            if !self.poison.is_empty() && command.contains(self.poison) {
                return response(500, "<html>");
            }
            let Some((_, start)) = command.split_once("start=") else {
                results.insert(key.clone(), json!(command));
                continue;
            };
            let start: u64 = start.parse().unwrap();
            let end = self.count.min(start + 50);
            results.insert(key.clone(), (start + 1..=end).collect::<Vec<u64>>().into());
            totals.insert(key.clone(), self.count.into());
            if end < self.count {
                nexts.insert(key.clone(), end.into());
            }
        }
        let maps = json!({
            "result": results, "result_error": [], "result_total": totals, "result_next": nexts
        });
        response(200, &json!({ "result": maps }).to_string())
    }
}

fn response(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, content_type: None, body: body.into(), origin: ResponseOrigin::Portal }
}

impl Transport for Portal {
    fn send<'a>(
        &'a self,
        method: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        assert_eq!(method, BATCH);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let fault = self.faults.lock().unwrap().pop_front();
        let result = fault.map_or_else(|| Ok(self.response(&body)), Err);
        self.bodies.lock().unwrap().push(body);
        Box::pin(async { result })
    }
}

/// An entry of the list.
struct Number(u32);

impl PageItem for Number {
    const NOUN: &'static str = "numbers";
    const CHANGED: &'static str = "the list of numbers does not fit together";
    const REQUESTS_AFTER_A_PAGE: u64 = 0;

    fn number(&self) -> u32 {
        self.0
    }

    fn page(result: &RawValue) -> Option<Vec<Self>> {
        let numbers: Vec<u32> = serde_json::from_str(result.get()).ok()?;
        Some(numbers.into_iter().map(Self).collect())
    }
}

fn read_command(number: usize) -> BatchCommand {
    BatchCommand::new("read").with("id", &number.to_string())
}

async fn read(
    batches: &BatchExecutor,
    count: usize,
) -> Result<BTreeMap<usize, ReadResult>, ClientError> {
    let mut results = BTreeMap::new();
    let mut take = |number, result| assert!(results.insert(number, result).is_none(), "{number}");
    batches.read_all(count, 0, &read_command, &mut take).await?;
    Ok(results)
}

#[tokio::test(start_paused = true)]
async fn read_all_poisoned_command_is_bisected_and_all_others_are_answered() {
    let portal = Portal { poison: "id=77", ..Portal::default() };
    let results = read(&portal.batches(), 120).await.unwrap();
    assert_eq!(results.len(), 120);
    for (number, result) in results {
        match result {
            ReadResult::Answered(success) => {
                assert_eq!(success.json.get(), format!("\"read?id={number}\""));
            }
            ReadResult::NoAnswer(_) => assert_eq!(number, 77),
            ReadResult::Refused(refusal) => panic!("{number}: {refusal}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn list_of_several_pages_is_complete() {
    for count in [0, 1, 50, 51, 620] {
        let portal = Portal { count, ..Portal::default() };
        let lists = Paginator::new(portal.batches());
        let command = BatchCommand::new("list");
        let entries: BTreeMap<u32, Number> =
            lists.list(&[PagedQuery { command, at_most: None, likely: 50 }]).await.unwrap();
        assert_eq!(entries.len() as u64, count);
    }
}

#[tokio::test(start_paused = true)]
async fn write_without_response_is_indeterminate_and_sent_once() {
    let portal = Portal::default();
    portal.faults.lock().unwrap().push_back(TransportError::Lost("cut".to_owned()));
    let batch = Batch::numbered([BatchCommand::new("write")]);
    let mut retry = RetryState::default();
    let end = portal.batches().send(&batch, Idempotency::Unsafe, &mut retry).await.unwrap_err();
    assert_eq!(end, CallError::Indeterminate("cut".to_owned(), IndeterminateCause::NoAnswer));
    assert_eq!(portal.bodies.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn write_that_was_not_sent_is_retried() {
    let portal = Portal::default();
    portal.faults.lock().unwrap().push_back(TransportError::NotSent("refused".to_owned()));
    let batch = Batch::numbered([BatchCommand::new("write")]);
    let batches = portal.batches();
    let results =
        batches.send(&batch, Idempotency::Unsafe, &mut RetryState::default()).await.unwrap();
    assert!(matches!(results.get(&Batch::key(0)), Some(CommandResult::Answered(_))));
    let metrics = batches.client().metrics();
    assert_eq!((metrics.requests, metrics.retried, metrics.by_method["write"]), (2, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn untrusted_certificate_ends_every_later_request() {
    let portal = Portal::default();
    let blocked = TransportError::Blocked(Rejection::Certificate, "unknown issuer".to_owned());
    portal.faults.lock().unwrap().push_back(blocked);
    let batches = portal.batches();
    for _ in 0..2 {
        let error = read(&batches, 1).await.unwrap_err();
        assert!(matches!(error, ClientError::Rejected(Rejection::Certificate, _)), "{error:?}");
    }
    assert_eq!(portal.bodies.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn canceled_client_sends_no_request() {
    let portal = Portal::default();
    let batches = portal.batches();
    batches.client().cancel("enough");
    let error = read(&batches, 1).await.unwrap_err();
    assert_eq!(error, ClientError::Stopped(StopReason::Canceled("enough".to_owned())));
    assert!(portal.bodies.lock().unwrap().is_empty());
}
