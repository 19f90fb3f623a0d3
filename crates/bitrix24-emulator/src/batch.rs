//! `batch`: up to fifty calls in one request.
//!
//! Behavior notes, section 9: the answer is 200 whatever the results of the commands, there is no
//! rollback, and a command that fails fatally takes the answers of all others with it.

use crate::call::{CallContext, RequestContext};
use crate::command;
use crate::complaint::Linter;
use crate::encode;
use crate::error::MethodError;
use crate::method::{self, Method};
use crate::pagination::MethodResult;
use crate::php::{PhpArray, PhpKey, PhpValue};
use crate::query;
use crate::request::{self, IncomingRequest};
use crate::result_refs::{self, BatchResults};
use crate::server_state::EmulatedPortal;
use crate::state::PortalState;
use crate::time::{now, time};
use crate::xss_filter;

/// Maximum number of commands in a batch.
const MAX_COMMANDS: usize = 50;

/// Maximum depth of nested batches, which only a spelling in capitals allows at all.
const MAX_DEPTH: usize = 16;

/// Command, ready for execution.
struct ParsedCommand {
    key: PhpKey,
    method: String,
    query: String,
}

/// Executes the commands of a batch one after the other, and returns the five maps of its answer.
pub(super) async fn run(
    portal: &EmulatedPortal,
    call: &RequestContext,
    parameters: &PhpArray,
) -> Result<PhpValue, MethodError> {
    let (commands, halt) = plan(portal, call, parameters);
    let pause = portal.server().command_time;
    let mut results = BatchResults::default();
    // The ends of the commands, and not their durations: delays of a timer would add up over a
    // batch.
    let mut end = tokio::time::Instant::now();
    for (index, command) in commands.into_iter().enumerate() {
        let Some(command) = command else { continue };
        let failed = step(portal, call, index, command, &mut results, 0)?;
        if !pause.is_zero() {
            end += pause;
            tokio::time::sleep_until(end).await;
        }
        if failed && halt {
            break;
        }
    }
    Ok(maps(results))
}

/// Returns the methods of an unopened batch, in lower case.
pub(super) fn methods(state: &PortalState, incoming: &IncomingRequest) -> Vec<String> {
    let parameters = request::parameters(state, incoming).values;
    let list = parameters.iter().find(|(key, _)| key.to_string().eq_ignore_ascii_case("cmd"));
    let commands = list.and_then(|(_, value)| value.array()).into_iter().flat_map(PhpArray::values);
    let method =
        |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    commands.filter_map(PhpValue::text).map(method).collect()
}

/// Executes a batch within a batch at once.
fn nested(
    portal: &EmulatedPortal,
    call: &RequestContext,
    parameters: &PhpArray,
    depth: usize,
) -> Result<PhpValue, MethodError> {
    let (commands, halt) = plan(portal, call, parameters);
    let mut results = BatchResults::default();
    for (index, command) in commands.into_iter().enumerate() {
        let Some(command) = command else { continue };
        if step(portal, call, index, command, &mut results, depth)? && halt {
            break;
        }
    }
    Ok(maps(results))
}

/// Parses the parameters. A value that is not a text is dropped, but keeps its place in the count.
fn plan(
    portal: &EmulatedPortal,
    call: &RequestContext,
    parameters: &PhpArray,
) -> (Vec<Option<ParsedCommand>>, bool) {
    let named = |wanted: &str| {
        parameters
            .iter()
            .find(|(key, _)| key.to_string().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    let halt = named("halt").is_some_and(PhpValue::to_bool);
    let mut server = portal.server();
    let mut linter =
        Linter { request: call.request, method: "batch", complaints: &mut server.complaints };
    if let Some(value) = named("halt")
        && !matches!(value, PhpValue::Int(0 | 1))
    {
        linter.complain(
            "bad-halt",
            format!("halt {} is read by rules that surprise; 0 and 1 do not", encode::json(value)),
        );
    }
    let Some(list) = named("cmd").and_then(PhpValue::array) else {
        linter.complain("empty-batch", "there is no list of commands");
        return (Vec::new(), halt);
    };
    if list.len() > MAX_COMMANDS {
        linter.complain(
            "long-batch",
            format!("{} commands; the 51st and later are refused", list.len()),
        );
    }
    if list.iter().any(|(key, _)| !key.to_string().starts_with(|c: char| c.is_ascii_alphabetic())) {
        linter.complain(
            "unnamed-commands",
            "keys without a letter in front change the form of the answer",
        );
    }
    let commands = list
        .iter()
        .map(|(key, value)| {
            let Some(text) = value.text() else {
                linter.complain(
                    "bad-command",
                    "a command that is no text is skipped without a trace",
                );
                return None;
            };
            let whole = text.split('#').next().unwrap_or_default();
            if whole.len() != text.len() {
                linter.complain("unencoded-command", "everything behind a raw # is dropped");
            }
            // Raw control characters are replaced.
            let whole = whole.replace(|c: char| c.is_ascii_control(), "_");
            let (method, query) = whole.split_once('?').unwrap_or((&whole, ""));
            Some(ParsedCommand {
                key: key.clone(),
                method: method.to_owned(),
                query: query.to_owned(),
            })
        })
        .collect();
    (commands, halt)
}

/// Executes one command; returns `true` if it failed.
fn step(
    portal: &EmulatedPortal,
    call: &RequestContext,
    index: usize,
    parsed: ParsedCommand,
    results: &mut BatchResults,
    depth: usize,
) -> Result<bool, MethodError> {
    let ParsedCommand { key, method, query } = parsed;
    if command::is_skipped(portal, call, &method) {
        return Ok(false);
    }
    match execute(portal, call, index, &method, &query, results, depth) {
        Ok((MethodResult { rows, total, next }, time)) => {
            results.result.set(key.clone(), rows);
            if let Some(total) = total {
                results.total.set(key.clone(), PhpValue::Int(total as i64));
            }
            if let Some(next) = next {
                results.next.set(key.clone(), PhpValue::Int(next as i64));
            }
            results.time.set(key, time);
            Ok(false)
        }
        Err(MethodError::Refused(refused)) => {
            let release = portal.server().state.release;
            results.error.set(key, refused.body(release));
            Ok(true)
        }
        Err(MethodError::Fatal) => Err(MethodError::Fatal),
    }
}

fn execute(
    portal: &EmulatedPortal,
    call: &RequestContext,
    index: usize,
    name: &str,
    query: &str,
    results: &BatchResults,
    depth: usize,
) -> Result<(MethodResult, PhpValue), MethodError> {
    if index >= MAX_COMMANDS {
        return Err(MethodError::batch_too_long());
    }
    if name == "batch" {
        return Err(MethodError::batch_in_batch());
    }
    let mut parameters = {
        let mut server = portal.server();
        let server = &mut *server;
        let parsed = query::parse(query.as_bytes(), server.state.input_limit());
        let mut values = parsed.values;
        let mut linter =
            Linter { request: call.request, method: name, complaints: &mut server.complaints };
        if parsed.dropped > 0 {
            let text = format!("{} values beyond the portal's limit were dropped", parsed.dropped);
            linter.complain("dropped-values", text);
        }
        match method::find(&server.state, name).and_then(|known| known.method) {
            Some(method) => {
                let (state, user) = (&server.state, call.caller.user);
                linter.lint_call(state, user, method, &values, CallContext::InBatch);
            }
            None => linter.complain("unknown-method", "there is no such method"),
        }
        if server.state.security_filter {
            xss_filter::clean(&mut values);
        }
        values
    };
    result_refs::resolve(&mut parameters, results);
    let known = method::find(&portal.server().state, name)
        .filter(|_| parameters.at("token").is_none_or(|token| *token == PhpValue::Null))
        .ok_or_else(|| MethodError::no_method_in_batch(name))?;
    if !known.is_allowed(&call.caller.rights) {
        return Err(MethodError::missing_right_in_batch());
    }
    if known.method == Some(Method::Batch) {
        if depth >= MAX_DEPTH {
            return Err(MethodError::batch_in_batch());
        }
        let rows = nested(portal, call, &parameters, depth + 1)?;
        let time = time(portal.server().state.release, now(), None);
        return Ok((MethodResult { rows, total: None, next: None }, time));
    }
    command::execute(portal, call, known, &parameters, CallContext::InBatch)
}

fn maps(results: BatchResults) -> PhpValue {
    let BatchResults { result, error, total, next, time } = results;
    let entries = [
        ("result", PhpValue::Array(result)),
        ("result_error", PhpValue::Array(error)),
        ("result_total", PhpValue::Array(total)),
        ("result_next", PhpValue::Array(next)),
        ("result_time", PhpValue::Array(time)),
    ];
    entries.into_iter().collect()
}
