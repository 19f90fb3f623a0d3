//! Execution of one command, alone or in a batch: counters, operating time, faults, events.

use crate::call::{CallContext, RequestContext};
use crate::card_kind::Operation;
use crate::complaint::Linter;
use crate::error::MethodError;
use crate::fault_injection::{FaultEffect, Injection};
use crate::method::{self, KnownMethod, Method};
use crate::pagination::MethodResult;
use crate::php::{PhpArray, PhpValue};
use crate::server_state::EmulatedPortal;
use crate::time::{clock_text, now, time};

/// Number of values of a `set` in a batch that every portal reads: the default of PHP is 1000 in a
/// command.
const MAX_SET_VALUES: usize = 900;

/// Returns `true` if a fault leaves a command of a batch out: the command is not executed, and the
/// response does not name it.
pub(super) fn is_skipped(portal: &EmulatedPortal, call: &RequestContext, method: &str) -> bool {
    let mut server = portal.server();
    let injections = server.faults.inject_into_batch_command(&method.to_ascii_lowercase());
    server.counters.faults += injections.len() as u64;
    for injection in &injections {
        server.event_log.record_fault(call.request, injection.effect, None);
    }
    !injections.is_empty()
}

/// Executes one command, alone or in a batch. Returns its result and the part `time` of the
/// response.
pub(super) fn execute(
    portal: &EmulatedPortal,
    call: &RequestContext,
    known: KnownMethod,
    parameters: &PhpArray,
    context: CallContext,
) -> Result<(MethodResult, PhpValue), MethodError> {
    let mut server = portal.server();
    let server = &mut *server;
    server.counters.commands += 1;
    *server.counters.by_method.entry(known.name.to_owned()).or_default() += 1;
    let limit = server.operating_limit();
    if limit.is_some_and(|limit| {
        server.levels.operating(&call.webhook, known.name, portal.age()) > limit
    }) {
        server.counters.refused_by_operating_time += 1;
        return Err(MethodError::operating_time());
    }
    let Some(method) = known.method else {
        let mut linter = Linter {
            request: call.request,
            method: known.name,
            complaints: &mut server.complaints,
        };
        linter.complain(
            "not-imitated",
            "the portal has this method, and the emulator does not imitate it",
        );
        return Err(MethodError::no_method());
    };
    let injections = server.faults.inject_into_command(known.name);
    server.counters.faults += injections.len() as u64;
    let mut failure = None;
    for Injection { effect, row, code, executed, .. } in injections {
        server.event_log.record_fault(call.request, effect, row.as_ref());
        match (effect, row) {
            (FaultEffect::AnswerCommand, _) if executed => failure = Some(MethodError::any(code)),
            (FaultEffect::AnswerCommand, _) => return Err(MethodError::any(code)),
            (FaultEffect::Save, Some(row)) => {
                server.state.store(row.user_id, &row.name, row.common, row.value)
            }
            (FaultEffect::FailCommand, _) => return Err(MethodError::database()),
            (FaultEffect::LimitCommand, _) => return Err(MethodError::operating_time()),
            (FaultEffect::RateLimitCommand, _) => return Err(MethodError::too_many_requests()),
            (FaultEffect::Fatal, _) => return Err(MethodError::Fatal),
            _ => {}
        }
    }
    if let (Method::Card(_, Operation::Set), CallContext::InBatch) = (method, context)
        && parameters.leaves() > MAX_SET_VALUES
    {
        let mut linter = Linter {
            request: call.request,
            method: known.name,
            complaints: &mut server.complaints,
        };
        linter.complain("set-in-batch", "a large card is cut in a batch, and the answer is true");
    }
    let started = now();
    let pending = server.event_log.begin(&server.state, call.caller.user, method, parameters);
    let before = server.state.changes;
    let listed =
        method::call(&mut server.state, &call.caller, method, parameters, &clock_text(started));
    let changed = server.state.changes - before;
    if let Some(pending) = pending.filter(|_| listed.is_ok()) {
        server.event_log.record(call.request, &server.state, pending);
    }
    match method {
        Method::Card(_, Operation::Set) => server.counters.rows_written += changed,
        Method::Card(_, Operation::Reset | Operation::Force) => {
            server.counters.rows_removed += changed
        }
        _ => {}
    }
    let spent = server.command_time.as_secs_f64();
    if limit.is_some() {
        server.levels.charge(&call.webhook, known.name, portal.age(), spent);
    }
    let operating = server.operating(&call.webhook, known.name, portal.age());
    if let Some(failure) = failure {
        return Err(failure);
    }
    Ok((listed?, time(server.state.release, started, operating)))
}
