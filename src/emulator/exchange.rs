//! One request and its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch;
use super::card::Operation;
use super::complaint::Witness;
use super::encode;
use super::error::{Failure, Refused};
use super::fault::{Effect, Strike};
use super::inside::Inside;
use super::limits::LONGEST_REQUEST;
use super::listing::Listed;
use super::method::{self, Caller, Known, Method};
use super::php::{Array, Key, Php};
use super::reply::{Answer, JSON, Reply, XML, strike_after};
use super::request::{self, Format, Incoming, Target};
use super::state::Release;
use super::time::{clock_text, now, time};

/// A running portal.
#[derive(Debug)]
pub(super) struct Portal {
    inside: Mutex<Inside>,
    started: Instant,
}

/// A request on its way: who calls, in which number, since when.
pub(super) struct Call {
    pub(super) request: u64,
    pub(super) caller: Caller,
    pub(super) webhook: String,
}

impl Portal {
    pub(super) fn new(inside: Inside) -> Arc<Self> {
        Arc::new(Self { inside: Mutex::new(inside), started: Instant::now() })
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        // A panic in another request does not spoil the state: every change is made whole under one
        // lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Answers one request.
    pub(super) async fn answer(&self, source: &str, incoming: Incoming) -> Reply {
        let Some(target) = request::target(&incoming.path) else {
            return Reply::html(404, "<html><body><h1>404 Not Found</h1></body></html>");
        };
        let lower = target.method.to_ascii_lowercase();
        let (number, strikes) = {
            let mut inside = self.inside();
            let inside = &mut *inside;
            inside.counters.requests += 1;
            if !inside.levels.admit(&inside.limits, source, self.age()) {
                inside.counters.refused_by_rate += 1;
                return self.refusal(&target, inside.state.release, &Failure::too_many_requests());
            }
            let looks_inside = lower == "batch" && inside.faults.look_inside();
            let commands =
                if looks_inside { batch::methods(&inside.state, &incoming) } else { Vec::new() };
            let strikes = inside.faults.strike_request(&lower, &commands);
            inside.counters.faults += strikes.len() as u64;
            for strike in &strikes {
                inside.history.fault(inside.counters.requests, strike.effect, None);
            }
            (inside.counters.requests, strikes)
        };
        for strike in &strikes {
            if let Some(reply) = self.strike_before(strike, &target).await {
                return reply;
            }
        }
        let reply = if self.inside().limits.cut_long_requests {
            // What was done until then stays done.
            match tokio::time::timeout(LONGEST_REQUEST, self.carry_out(number, &target, &incoming))
                .await
            {
                Ok(reply) => reply,
                Err(_) => Reply::page(504),
            }
        } else {
            self.carry_out(number, &target, &incoming).await
        };
        strikes.iter().fold(reply, strike_after)
    }

    /// What a fault makes of a request before it is carried out; nothing if it goes on.
    async fn strike_before(&self, strike: &Strike, target: &Target) -> Option<Reply> {
        let release = self.inside().state.release;
        match strike.effect {
            Effect::RateLimit => Some(self.refusal(target, release, &Failure::too_many_requests())),
            Effect::OperatingTime => {
                Some(self.refusal(target, release, &Failure::operating_time()))
            }
            Effect::Overload => Some(self.refusal(target, release, &Failure::overloaded())),
            Effect::AccessDenied => {
                Some(self.refusal(target, release, &Failure::not_in_the_plan(release)))
            }
            Effect::ExpireWebhook => {
                let secret = target.webhook.as_ref().map(|(_, secret)| secret.to_ascii_lowercase());
                self.inside().expired.extend(secret);
                None
            }
            Effect::HtmlBefore => Some(Reply::page(502)),
            Effect::HtmlOk => Some(Reply::page(200)),
            Effect::Redirect => Some(Reply::elsewhere("https://elsewhere.example/rest/")),
            Effect::CutBefore => Some(Reply::Cut),
            Effect::Answer if !strike.executed => Some(Reply::in_place(strike)),
            Effect::Slow => {
                tokio::time::sleep(Duration::from_millis(strike.ms)).await;
                None
            }
            _ => None,
        }
    }

    /// Carries out one request, alone or a batch.
    async fn carry_out(&self, number: u64, target: &Target, incoming: &Incoming) -> Reply {
        let (known, call, parameters, release) = match self.open(number, target, incoming) {
            Ok(opened) => opened,
            Err((failure, release)) => return self.refusal(target, release, &failure),
        };
        let started = now();
        let answer = if known.method == Some(Method::Batch) {
            batch::run(self, &call, &parameters).await.map(|rows| Listed {
                rows,
                total: None,
                next: None,
            })
        } else {
            let result = self.command(&call, known, &parameters, Alone::Yes);
            let pause = self.inside().command_time;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            result.map(|(listed, _)| listed)
        };
        match answer {
            Err(failure) => self.refusal(target, release, &failure),
            Ok(Listed { rows, total, next }) => {
                let mut body = Array::default();
                body.set(Key::from("result"), rows);
                if let Some(next) = next {
                    body.set(Key::from("next"), Php::Int(next as i64));
                }
                if let Some(total) = total {
                    body.set(Key::from("total"), Php::Int(total as i64));
                }
                let operating = self.inside().operating(&call.webhook, known.name, self.age());
                body.set(Key::from("time"), time(release, started, operating));
                self.encoded(target, 200, &Php::Array(body))
            }
        }
    }

    /// Everything before the call itself: the portal's state, the method, the credential, the
    /// right, the parameters.
    fn open(
        &self,
        number: u64,
        target: &Target,
        incoming: &Incoming,
    ) -> Result<(Known, Call, Array, Release), (Failure, Release)> {
        let mut inside = self.inside();
        let inside = &mut *inside;
        let release = inside.state.release;
        let refuse = |failure| Err((failure, release));
        if inside.state.setting("main.site_stopped").and_then(serde_json::Value::as_str)
            == Some("Y")
        {
            return refuse(Failure::portal_closed());
        }
        let parameters = request::parameters(&inside.state, incoming);
        let has_token = parameters.values.at("token").is_some_and(|token| *token != Php::Null);
        let known = method::find(&target.method).filter(|_| !has_token);
        let mut witness =
            Witness { request: number, method: &target.method, complaints: &mut inside.complaints };
        let Some(known) = known else {
            witness.complain("unknown-method", "there is no such method");
            return refuse(Failure::no_method());
        };
        let Some((user, secret)) = &target.webhook else { return refuse(Failure::no_auth()) };
        if inside.state.environment.https_required == Some(true) {
            return refuse(Failure::https_required());
        }
        let secret = secret.to_ascii_lowercase();
        let owner = inside.state.webhook(user, &secret);
        let Some(row) = owner.filter(|_| !inside.expired.contains(&secret)) else {
            return refuse(Failure::bad_credentials());
        };
        let caller = Caller { user: row.user_id, rights: row.scope.clone() };
        if !known.is_allowed(&caller.rights) {
            return refuse(Failure::missing_right());
        }
        if inside.state.is_held(&secret) {
            return refuse(Failure::overloaded());
        }
        if !inside.state.people.get(&row.user_id).is_some_and(|person| person.active) {
            return refuse(Failure::dismissed());
        }
        witness.look_at_form(incoming, &parameters);
        if let Some(method) = known.method {
            witness.look(method, &parameters.values, Alone::Yes);
        }
        Ok((known, Call { request: number, caller, webhook: secret }, parameters.values, release))
    }

    /// Whether a fault leaves a command of a batch out: it is not carried out, and the answer does
    /// not name it.
    pub(super) fn leaves_out(&self, call: &Call, method: &str) -> bool {
        let mut inside = self.inside();
        let strikes = inside.faults.strike_command_of_batch(&method.to_ascii_lowercase());
        inside.counters.faults += strikes.len() as u64;
        for strike in &strikes {
            inside.history.fault(call.request, strike.effect, None);
        }
        !strikes.is_empty()
    }

    /// Carries out one call, alone or in a batch. Gives the answer and its `time`.
    pub(super) fn command(
        &self,
        call: &Call,
        known: Known,
        parameters: &Array,
        alone: Alone,
    ) -> Result<(Listed, Php), Failure> {
        let mut inside = self.inside();
        let inside = &mut *inside;
        inside.counters.commands += 1;
        *inside.counters.by_method.entry(known.name.to_owned()).or_default() += 1;
        let limit = inside.operating_limit();
        if limit.is_some_and(|limit| {
            inside.levels.operating(&call.webhook, known.name, self.age()) > limit
        }) {
            inside.counters.refused_by_operating_time += 1;
            return Err(Failure::operating_time());
        }
        let Some(method) = known.method else {
            let mut witness = Witness {
                request: call.request,
                method: known.name,
                complaints: &mut inside.complaints,
            };
            witness.complain(
                "not-imitated",
                "the portal has this method, and the emulator does not imitate it",
            );
            return Err(Failure::no_method());
        };
        let strikes = inside.faults.strike_command(known.name);
        inside.counters.faults += strikes.len() as u64;
        let mut failure = None;
        for Strike { effect, row, code, executed, .. } in strikes {
            inside.history.fault(call.request, effect, row.as_ref());
            match (effect, row) {
                (Effect::AnswerCommand, _) if executed => failure = Some(Failure::any(code)),
                (Effect::AnswerCommand, _) => return Err(Failure::any(code)),
                (Effect::Save, Some(row)) => {
                    inside.state.store(row.user_id, &row.name, row.common, row.value)
                }
                (Effect::FailCommand, _) => return Err(Failure::database()),
                (Effect::LimitCommand, _) => return Err(Failure::operating_time()),
                (Effect::RateLimitCommand, _) => return Err(Failure::too_many_requests()),
                (Effect::Fatal, _) => return Err(Failure::Fatal),
                _ => {}
            }
        }
        if let (Method::Card(_, Operation::Set), Alone::No) = (method, alone)
            && parameters.leaves() > MAX_SET_VALUES
        {
            let mut witness = Witness {
                request: call.request,
                method: known.name,
                complaints: &mut inside.complaints,
            };
            witness
                .complain("set-in-batch", "a large card is cut in a batch, and the answer is true");
        }
        let started = now();
        let watched = inside.history.watch(&inside.state, call.caller.user, method, parameters);
        let before = inside.state.changes;
        let listed =
            method::call(&mut inside.state, &call.caller, method, parameters, &clock_text(started));
        let changed = inside.state.changes - before;
        if let Some(watched) = watched.filter(|_| listed.is_ok()) {
            inside.history.note(call.request, &inside.state, watched);
        }
        match method {
            Method::Card(_, Operation::Set) => inside.counters.rows_written += changed,
            Method::Card(_, Operation::Reset | Operation::Force) => {
                inside.counters.rows_removed += changed
            }
            _ => {}
        }
        let spent = inside.command_time.as_secs_f64();
        if limit.is_some() {
            inside.levels.charge(&call.webhook, known.name, self.age(), spent);
        }
        let operating = inside.operating(&call.webhook, known.name, self.age());
        if let Some(failure) = failure {
            return Err(failure);
        }
        Ok((listed?, time(inside.state.release, started, operating)))
    }

    /// The answer to a call that failed.
    fn refusal(&self, target: &Target, release: Release, failure: &Failure) -> Reply {
        match failure {
            Failure::Fatal => Reply::html(500, ""),
            Failure::Refused(refused @ Refused { status, .. }) => {
                self.encoded(target, *status, &refused.body(release))
            }
        }
    }

    /// An answer in the form that the address asks for.
    fn encoded(&self, target: &Target, status: u16, body: &Php) -> Reply {
        let (content_type, body) = match target.format {
            Format::Json => (JSON, encode::json(body)),
            Format::Xml => (XML, encode::xml(body)),
        };
        Reply::Answer(Answer { status, content_type, body, location: None })
    }
}

/// The number of values of a `set` in a batch that every portal reads: PHP's default is 1000 in a
/// command.
const MAX_SET_VALUES: usize = 900;

/// Whether a call is a request of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    /// It is.
    Yes,
    /// It is one of a batch.
    No,
}
