//! Handler of one request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch;
use super::card::Operation;
use super::encode;
use super::error::{ErrorResponse, MethodError};
use super::fault_injection::{FaultEffect, Injection};
use super::limits::MAX_REQUEST_TIME;
use super::lint::Linter;
use super::method::{self, Caller, KnownMethod, Method};
use super::pagination::MethodResult;
use super::php::{PhpArray, PhpKey, PhpValue};
use super::reply::{JSON, Reply, ResponseParts, XML, inject_after};
use super::request::{self, IncomingRequest, RequestTarget, ResponseFormat};
use super::server_state::ServerState;
use super::state::Release;
use super::time::{clock_text, now, time};

/// Running portal.
#[derive(Debug)]
pub(super) struct EmulatedPortal {
    server: Mutex<ServerState>,
    started: Instant,
}

/// Request in progress: its caller, its number, its start.
pub(super) struct RequestContext {
    pub(super) request: u64,
    pub(super) caller: Caller,
    pub(super) webhook: String,
}

impl EmulatedPortal {
    pub(super) fn new(server: ServerState) -> Arc<Self> {
        Arc::new(Self { server: Mutex::new(server), started: Instant::now() })
    }

    pub(super) fn server(&self) -> MutexGuard<'_, ServerState> {
        // A panic in another request leaves a valid state: every change is made under one lock.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Answers one request.
    pub(super) async fn answer(&self, source: &str, incoming: IncomingRequest) -> Reply {
        let Some(target) = request::target(&incoming.path) else {
            return Reply::html(404, "<html><body><h1>404 Not Found</h1></body></html>");
        };
        let lower = target.method.to_ascii_lowercase();
        let (number, injections) = {
            let mut server = self.server();
            let server = &mut *server;
            server.counters.requests += 1;
            if !server.levels.admit(&server.limits, source, self.age()) {
                server.counters.refused_by_rate += 1;
                return self.refusal(
                    &target,
                    server.state.release,
                    &MethodError::too_many_requests(),
                );
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
            if let Some(reply) = self.inject_before(injection, &target).await {
                return reply;
            }
        }
        let reply = if self.server().limits.cut_long_requests {
            // Commands executed so far stay executed.
            match tokio::time::timeout(MAX_REQUEST_TIME, self.execute(number, &target, &incoming))
                .await
            {
                Ok(reply) => reply,
                Err(_) => Reply::page(504),
            }
        } else {
            self.execute(number, &target, &incoming).await
        };
        injections.iter().fold(reply, inject_after)
    }

    /// Returns the reply of a fault that applies before the execution; `None` if the request goes
    /// on.
    async fn inject_before(&self, injection: &Injection, target: &RequestTarget) -> Option<Reply> {
        let release = self.server().state.release;
        match injection.effect {
            FaultEffect::RateLimit => {
                Some(self.refusal(target, release, &MethodError::too_many_requests()))
            }
            FaultEffect::OperatingTime => {
                Some(self.refusal(target, release, &MethodError::operating_time()))
            }
            FaultEffect::Overload => {
                Some(self.refusal(target, release, &MethodError::overloaded()))
            }
            FaultEffect::AccessDenied => {
                Some(self.refusal(target, release, &MethodError::not_in_the_plan(release)))
            }
            FaultEffect::ExpireWebhook => {
                let secret = target.webhook.as_ref().map(|(_, secret)| secret.to_ascii_lowercase());
                self.server().expired.extend(secret);
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
        &self,
        number: u64,
        target: &RequestTarget,
        incoming: &IncomingRequest,
    ) -> Reply {
        let (known, call, parameters, release) = match self.open(number, target, incoming) {
            Ok(opened) => opened,
            Err((failure, release)) => return self.refusal(target, release, &failure),
        };
        let started = now();
        let answer = if known.method == Some(Method::Batch) {
            batch::run(self, &call, &parameters).await.map(|rows| MethodResult {
                rows,
                total: None,
                next: None,
            })
        } else {
            let result = self.command(&call, known, &parameters, CallContext::Single);
            let pause = self.server().command_time;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            result.map(|(listed, _)| listed)
        };
        match answer {
            Err(failure) => self.refusal(target, release, &failure),
            Ok(MethodResult { rows, total, next }) => {
                let mut body = PhpArray::default();
                body.set(PhpKey::from("result"), rows);
                if let Some(next) = next {
                    body.set(PhpKey::from("next"), PhpValue::Int(next as i64));
                }
                if let Some(total) = total {
                    body.set(PhpKey::from("total"), PhpValue::Int(total as i64));
                }
                let operating = self.server().operating(&call.webhook, known.name, self.age());
                body.set(PhpKey::from("time"), time(release, started, operating));
                self.encoded(target, 200, &PhpValue::Array(body))
            }
        }
    }

    /// Prepares a call: the portal's state, the method, the credential, the right, the parameters.
    fn open(
        &self,
        number: u64,
        target: &RequestTarget,
        incoming: &IncomingRequest,
    ) -> Result<(KnownMethod, RequestContext, PhpArray, Release), (MethodError, Release)> {
        let mut server = self.server();
        let server = &mut *server;
        let release = server.state.release;
        let refuse = |failure| Err((failure, release));
        if server.state.setting("main.site_stopped").and_then(serde_json::Value::as_str)
            == Some("Y")
        {
            return refuse(MethodError::portal_closed());
        }
        let parameters = request::parameters(&server.state, incoming);
        let has_token = parameters.values.at("token").is_some_and(|token| *token != PhpValue::Null);
        let known = method::find(&target.method).filter(|_| !has_token);
        let mut linter =
            Linter { request: number, method: &target.method, complaints: &mut server.complaints };
        let Some(known) = known else {
            linter.complain("unknown-method", "there is no such method");
            return refuse(MethodError::no_method());
        };
        let Some((user, secret)) = &target.webhook else { return refuse(MethodError::no_auth()) };
        if server.state.environment.https_required == Some(true) {
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
            linter.lint_call(method, &parameters.values, CallContext::Single);
        }
        Ok((
            known,
            RequestContext { request: number, caller, webhook: secret },
            parameters.values,
            release,
        ))
    }

    /// Returns `true` if a fault skips a command of a batch: it is not executed, and the answer
    /// does not name it.
    pub(super) fn skips_command(&self, call: &RequestContext, method: &str) -> bool {
        let mut server = self.server();
        let injections = server.faults.inject_into_batch_command(&method.to_ascii_lowercase());
        server.counters.faults += injections.len() as u64;
        for injection in &injections {
            server.event_log.record_fault(call.request, injection.effect, None);
        }
        !injections.is_empty()
    }

    /// Executes one call, alone or in a batch. Returns the answer and its `time`.
    pub(super) fn command(
        &self,
        call: &RequestContext,
        known: KnownMethod,
        parameters: &PhpArray,
        context: CallContext,
    ) -> Result<(MethodResult, PhpValue), MethodError> {
        let mut server = self.server();
        let server = &mut *server;
        server.counters.commands += 1;
        *server.counters.by_method.entry(known.name.to_owned()).or_default() += 1;
        let limit = server.operating_limit();
        if limit.is_some_and(|limit| {
            server.levels.operating(&call.webhook, known.name, self.age()) > limit
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
                (FaultEffect::AnswerCommand, _) if executed => {
                    failure = Some(MethodError::any(code))
                }
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
            linter
                .complain("set-in-batch", "a large card is cut in a batch, and the answer is true");
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
            server.levels.charge(&call.webhook, known.name, self.age(), spent);
        }
        let operating = server.operating(&call.webhook, known.name, self.age());
        if let Some(failure) = failure {
            return Err(failure);
        }
        Ok((listed?, time(server.state.release, started, operating)))
    }

    /// Returns the answer to a call that failed.
    fn refusal(&self, target: &RequestTarget, release: Release, failure: &MethodError) -> Reply {
        match failure {
            MethodError::Fatal => Reply::html(500, ""),
            MethodError::Refused(refused @ ErrorResponse { status, .. }) => {
                self.encoded(target, *status, &refused.body(release))
            }
        }
    }

    /// Encodes an answer in the format of the address.
    fn encoded(&self, target: &RequestTarget, status: u16, body: &PhpValue) -> Reply {
        let (content_type, body) = match target.format {
            ResponseFormat::Json => (JSON, encode::json(body)),
            ResponseFormat::Xml => (XML, encode::xml(body)),
        };
        Reply::Answer(ResponseParts { status, content_type, body, location: None })
    }
}

/// Number of values of a `set` in a batch that every portal reads: PHP's default is 1000 in a
/// command.
const MAX_SET_VALUES: usize = 900;

/// Context of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallContext {
    /// The call is a request of its own.
    Single,
    /// The call is a command of a batch.
    InBatch,
}
