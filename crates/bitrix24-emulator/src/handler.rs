//! HTTP semantics of one request: limits, faults, credential, and the form of the response.

use std::time::Duration;

use crate::batch;
use crate::call::{CallContext, RequestContext};
use crate::command;
use crate::complaint::Linter;
use crate::encode;
use crate::error::{ErrorResponse, MethodError};
use crate::fault_injection::{FaultEffect, Injection};
use crate::limits::MAX_REQUEST_TIME;
use crate::method::{self, Caller, KnownMethod, Method};
use crate::pagination::MethodResult;
use crate::php::{PhpArray, PhpKey, PhpValue};
use crate::reply::{JSON, Reply, ResponseParts, XML, inject_after};
use crate::request::{self, IncomingRequest, RequestTarget, ResponseFormat};
use crate::server_state::EmulatedPortal;
use crate::state::Release;
use crate::time::{now, time};

/// Answers one request.
pub(super) async fn answer(
    portal: &EmulatedPortal,
    source: &str,
    incoming: IncomingRequest,
) -> Reply {
    let Some(target) = request::target(&incoming.path) else {
        return Reply::html(404, "<html><body><h1>404 Not Found</h1></body></html>");
    };
    let lower = target.method.to_ascii_lowercase();
    let (number, injections) = {
        let mut server = portal.server();
        let server = &mut *server;
        server.counters.requests += 1;
        if !server.levels.admit(&server.limits, source, portal.age()) {
            server.counters.refused_by_rate += 1;
            return refusal(&target, server.state.release, &MethodError::too_many_requests());
        }
        let needs_inner_commands = lower == "batch" && server.faults.needs_inner_commands();
        let commands = if needs_inner_commands {
            batch::methods(&server.state, &incoming)
        } else {
            Vec::new()
        };
        let injections = server.faults.inject_into_request(&lower, &commands);
        server.counters.faults += injections.len() as u64;
        for injection in &injections {
            server.event_log.record_fault(server.counters.requests, injection.effect, None);
        }
        (server.counters.requests, injections)
    };
    for injection in &injections {
        if let Some(reply) = inject_before(portal, injection, &target).await {
            return reply;
        }
    }
    let reply = if portal.server().limits.cut_long_requests {
        // What was done until then stays done.
        match tokio::time::timeout(MAX_REQUEST_TIME, execute(portal, number, &target, &incoming))
            .await
        {
            Ok(reply) => reply,
            Err(_) => Reply::page(504),
        }
    } else {
        execute(portal, number, &target, &incoming).await
    };
    injections.iter().fold(reply, inject_after)
}

/// Returns the reply of a fault that applies before the execution; `None` if the request goes on.
async fn inject_before(
    portal: &EmulatedPortal,
    injection: &Injection,
    target: &RequestTarget,
) -> Option<Reply> {
    let release = portal.server().state.release;
    match injection.effect {
        FaultEffect::RateLimit => Some(refusal(target, release, &MethodError::too_many_requests())),
        FaultEffect::OperatingTime => {
            Some(refusal(target, release, &MethodError::operating_time()))
        }
        FaultEffect::Overload => Some(refusal(target, release, &MethodError::overloaded())),
        FaultEffect::AccessDenied => {
            Some(refusal(target, release, &MethodError::not_in_the_plan(release)))
        }
        FaultEffect::ExpireWebhook => {
            let secret = target.webhook.as_ref().map(|(_, secret)| secret.to_ascii_lowercase());
            portal.server().expired.extend(secret);
            None
        }
        FaultEffect::HtmlBefore => Some(Reply::page(502)),
        FaultEffect::HtmlOk => Some(Reply::page(200)),
        FaultEffect::Redirect => Some(Reply::elsewhere("https://elsewhere.example/rest/")),
        FaultEffect::CutBefore => Some(Reply::Cut),
        FaultEffect::Answer if !injection.executed => Some(Reply::in_place(injection)),
        FaultEffect::Slow => {
            tokio::time::sleep(Duration::from_millis(injection.ms)).await;
            None
        }
        _ => None,
    }
}

/// Executes one request, alone or a batch.
async fn execute(
    portal: &EmulatedPortal,
    number: u64,
    target: &RequestTarget,
    incoming: &IncomingRequest,
) -> Reply {
    let (known, call, parameters, release) = match open(portal, number, target, incoming) {
        Ok(opened) => opened,
        Err((failure, release)) => return refusal(target, release, &failure),
    };
    let started = now();
    let answer = if known.method == Some(Method::Batch) {
        batch::run(portal, &call, &parameters).await.map(|rows| MethodResult {
            rows,
            total: None,
            next: None,
        })
    } else {
        let result = command::execute(portal, &call, known, &parameters, CallContext::Single);
        let pause = portal.server().command_time;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        result.map(|(listed, _)| listed)
    };
    match answer {
        Err(failure) => refusal(target, release, &failure),
        Ok(MethodResult { rows, total, next }) => {
            let mut body = PhpArray::default();
            body.set(PhpKey::from("result"), rows);
            if let Some(next) = next {
                body.set(PhpKey::from("next"), PhpValue::Int(next as i64));
            }
            if let Some(total) = total {
                body.set(PhpKey::from("total"), PhpValue::Int(total as i64));
            }
            let operating = portal.server().operating(&call.webhook, known.name, portal.age());
            body.set(PhpKey::from("time"), time(release, started, operating));
            encoded(target, 200, &PhpValue::Array(body))
        }
    }
}

/// Prepares a call: the portal's state, the method, the credential, the right, the parameters.
fn open(
    portal: &EmulatedPortal,
    number: u64,
    target: &RequestTarget,
    incoming: &IncomingRequest,
) -> Result<(KnownMethod, RequestContext, PhpArray, Release), (MethodError, Release)> {
    let mut server = portal.server();
    let server = &mut *server;
    let release = server.state.release;
    let refuse = |failure| Err((failure, release));
    if server.state.setting("main.site_stopped").and_then(serde_json::Value::as_str) == Some("Y") {
        return refuse(MethodError::portal_closed());
    }
    let parameters = request::parameters(&server.state, incoming);
    let has_token = parameters.values.at("token").is_some_and(|token| *token != PhpValue::Null);
    let known = method::find(&server.state, &target.method).filter(|_| !has_token);
    let mut linter =
        Linter { request: number, method: &target.method, complaints: &mut server.complaints };
    let Some(known) = known else {
        linter.complain("unknown-method", "there is no such method");
        return refuse(MethodError::no_method());
    };
    let Some((user, secret)) = &target.webhook else { return refuse(MethodError::no_auth()) };
    if server.state.environment.https_required == Some(true) && !server.has_tls {
        return refuse(MethodError::https_required());
    }
    let secret = secret.to_ascii_lowercase();
    let owner = server.state.webhook(user, &secret);
    let Some(row) = owner.filter(|_| !server.expired.contains(&secret)) else {
        return refuse(MethodError::bad_credentials());
    };
    let caller = Caller { user: row.user_id, rights: row.scope.clone() };
    if !known.is_allowed(&caller.rights) {
        return refuse(MethodError::missing_right());
    }
    if server.state.is_held(&secret) {
        return refuse(MethodError::overloaded());
    }
    if !server.state.people.get(&row.user_id).is_some_and(|person| person.active) {
        return refuse(MethodError::dismissed());
    }
    linter.lint_form(incoming, &parameters);
    if let Some(method) = known.method {
        let (state, values) = (&server.state, &parameters.values);
        linter.lint_call(state, caller.user, method, values, CallContext::Single);
    }
    Ok((
        known,
        RequestContext { request: number, caller, webhook: secret },
        parameters.values,
        release,
    ))
}

/// The answer to a call that failed.
fn refusal(target: &RequestTarget, release: Release, failure: &MethodError) -> Reply {
    match failure {
        MethodError::Fatal => Reply::html(500, ""),
        MethodError::Refused(refused @ ErrorResponse { status, .. }) => {
            encoded(target, *status, &refused.body(release))
        }
    }
}

/// Encodes an answer in the format of the address.
fn encoded(target: &RequestTarget, status: u16, body: &PhpValue) -> Reply {
    let (content_type, body) = match target.format {
        ResponseFormat::Json => (JSON, encode::json(body)),
        ResponseFormat::Xml => (XML, encode::xml(body)),
    };
    Reply::Answer(ResponseParts { status, content_type, body, location: None })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::limits::Limits;
    use crate::server_state::ServerState;

    #[tokio::test(start_paused = true)]
    async fn long_request_is_cut_and_what_was_done_until_then_stays_done() {
        let state = Seed::Company.state().unwrap();
        let portal = EmulatedPortal::new(ServerState::new(
            state,
            Limits::standard(),
            Duration::from_secs(7),
        ));
        let cmd: serde_json::Map<String, serde_json::Value> =
            (0..20).map(|number| (format!("c{number}"), "profile".into())).collect();
        let incoming = IncomingRequest {
            verb: "POST".into(),
            path: "/rest/1/emulator00000001/batch".into(),
            query: String::new(),
            content_type: Some("application/json".into()),
            body: serde_json::json!({ "cmd": cmd }).to_string().into_bytes(),
        };
        let Reply::Answer(response) = answer(&portal, "127.0.0.1", incoming).await else {
            panic!("no answer")
        };
        assert_eq!(response.status, 504);
        // The ninth began after 56 seconds.
        assert_eq!(portal.server().counters.commands, 9);
    }
}
