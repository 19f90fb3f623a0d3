//! `batch`: up to fifty calls in one request.
//!
//! Behaviour notes, section 9: the answer is 200 whatever became of the commands, there is no way
//! back, and a command that breaks down takes the answers of all others with it.

use super::complaint::Witness;
use super::encode;
use super::error::Failure;
use super::exchange::{Alone, Call, Portal};
use super::filter;
use super::listing::Listed;
use super::method::{self, Method};
use super::php::{Array, Key, Php};
use super::query;
use super::reference::{self, Results};
use super::request::{self, Incoming};
use super::state::State;
use super::time::{now, time};

/// How many commands a batch may have.
const LONGEST: usize = 50;

/// How deep batches may lie in one another, which only a spelling in capitals allows at all.
const DEEPEST: usize = 16;

/// A command, ready to be carried out.
struct Command {
    key: Key,
    method: String,
    query: String,
}

/// Carries out the commands of a batch one after the other, and gives the five maps of its answer.
pub(super) async fn run(portal: &Portal, call: &Call, parameters: &Array) -> Result<Php, Failure> {
    let (commands, halt) = plan(portal, call, parameters);
    let pause = portal.inside().command_time;
    let mut results = Results::default();
    // The ends of the commands, and not their lengths: what a timer is late would add up over a
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

/// The methods of the commands of a batch that was not opened yet, in lower case.
pub(super) fn methods(state: &State, incoming: &Incoming) -> Vec<String> {
    let parameters = request::parameters(state, incoming).values;
    let list = parameters.iter().find(|(key, _)| key.to_string().eq_ignore_ascii_case("cmd"));
    let commands = list.and_then(|(_, value)| value.array()).into_iter().flat_map(Array::values);
    let method =
        |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    commands.filter_map(Php::text).map(method).collect()
}

/// A batch within a batch, in one go.
fn nested(portal: &Portal, call: &Call, parameters: &Array, depth: usize) -> Result<Php, Failure> {
    let (commands, halt) = plan(portal, call, parameters);
    let mut results = Results::default();
    for (index, command) in commands.into_iter().enumerate() {
        let Some(command) = command else { continue };
        if step(portal, call, index, command, &mut results, depth)? && halt {
            break;
        }
    }
    Ok(maps(results))
}

/// Takes the parameters apart. What is no text leaves no trace, but keeps its place in the count.
fn plan(portal: &Portal, call: &Call, parameters: &Array) -> (Vec<Option<Command>>, bool) {
    let named = |wanted: &str| {
        parameters
            .iter()
            .find(|(key, _)| key.to_string().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    let halt = named("halt").is_some_and(Php::to_bool);
    let mut inside = portal.inside();
    let mut witness =
        Witness { request: call.request, method: "batch", complaints: &mut inside.complaints };
    if let Some(value) = named("halt")
        && !matches!(value, Php::Int(0 | 1))
    {
        witness.complain(
            "bad-halt",
            format!("halt {} is read by rules that surprise; 0 and 1 do not", encode::json(value)),
        );
    }
    let Some(list) = named("cmd").and_then(Php::array) else {
        witness.complain("empty-batch", "there is no list of commands");
        return (Vec::new(), halt);
    };
    if list.len() > LONGEST {
        witness.complain(
            "long-batch",
            format!("{} commands; the 51st and later are refused", list.len()),
        );
    }
    if list.iter().any(|(key, _)| !key.to_string().starts_with(|c: char| c.is_ascii_alphabetic())) {
        witness.complain(
            "unnamed-commands",
            "keys without a letter in front change the form of the answer",
        );
    }
    let commands = list
        .iter()
        .map(|(key, value)| {
            let Some(text) = value.text() else {
                witness.complain(
                    "bad-command",
                    "a command that is no text is skipped without a trace",
                );
                return None;
            };
            let whole = text.split('#').next().unwrap_or_default();
            if whole.len() != text.len() {
                witness.complain("unencoded-command", "everything behind a raw # is dropped");
            }
            // Raw line ends and the like do not come through.
            let whole = whole.replace(|c: char| c.is_ascii_control(), "_");
            let (method, query) = whole.split_once('?').unwrap_or((&whole, ""));
            Some(Command { key: key.clone(), method: method.to_owned(), query: query.to_owned() })
        })
        .collect();
    (commands, halt)
}

/// Carries out one command; tells whether it failed.
fn step(
    portal: &Portal,
    call: &Call,
    index: usize,
    command: Command,
    results: &mut Results,
    depth: usize,
) -> Result<bool, Failure> {
    let Command { key, method, query } = command;
    if portal.leaves_out(call, &method) {
        return Ok(false);
    }
    match carry_out(portal, call, index, &method, &query, results, depth) {
        Ok((Listed { rows, total, next }, time)) => {
            results.result.set(key.clone(), rows);
            if let Some(total) = total {
                results.total.set(key.clone(), Php::Int(total as i64));
            }
            if let Some(next) = next {
                results.next.set(key.clone(), Php::Int(next as i64));
            }
            results.time.set(key, time);
            Ok(false)
        }
        Err(Failure::Refused(refused)) => {
            let release = portal.inside().state.release;
            results.error.set(key, refused.body(release));
            Ok(true)
        }
        Err(Failure::Fatal) => Err(Failure::Fatal),
    }
}

fn carry_out(
    portal: &Portal,
    call: &Call,
    index: usize,
    name: &str,
    query: &str,
    results: &Results,
    depth: usize,
) -> Result<(Listed, Php), Failure> {
    if index >= LONGEST {
        return Err(Failure::batch_too_long());
    }
    if name == "batch" {
        return Err(Failure::batch_in_batch());
    }
    let mut parameters = {
        let mut inside = portal.inside();
        let parsed = query::parse(query.as_bytes(), inside.state.input_limit());
        let mut values = parsed.values;
        let mut witness =
            Witness { request: call.request, method: name, complaints: &mut inside.complaints };
        if parsed.dropped > 0 {
            let text = format!("{} values beyond the portal's limit were dropped", parsed.dropped);
            witness.complain("dropped-values", text);
        }
        match method::find(name).and_then(|known| known.method) {
            Some(method) => witness.look(method, &values, Alone::No),
            None => witness.complain("unknown-method", "there is no such method"),
        }
        if inside.state.security_filter {
            filter::clean(&mut values);
        }
        values
    };
    reference::resolve(&mut parameters, results);
    let known = method::find(name)
        .filter(|_| parameters.at("token").is_none_or(|token| *token == Php::Null))
        .ok_or_else(|| Failure::no_method_in_batch(name))?;
    if !known.is_allowed(&call.caller.rights) {
        return Err(Failure::missing_right_in_batch());
    }
    if known.method == Some(Method::Batch) {
        if depth >= DEEPEST {
            return Err(Failure::batch_in_batch());
        }
        let rows = nested(portal, call, &parameters, depth + 1)?;
        let time = time(portal.inside().state.release, now(), None);
        return Ok((Listed { rows, total: None, next: None }, time));
    }
    portal.command(call, known, &parameters, Alone::No)
}

fn maps(results: Results) -> Php {
    let Results { result, error, total, next, time } = results;
    let entries = [
        ("result", Php::Array(result)),
        ("result_error", Php::Array(error)),
        ("result_total", Php::Array(total)),
        ("result_next", Php::Array(next)),
        ("result_time", Php::Array(time)),
    ];
    entries.into_iter().collect()
}
