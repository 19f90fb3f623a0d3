//! One request and its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::batch;
use super::card::Operation;
use super::complaint::{Complaint, Witness};
use super::encode;
use super::error::{Failure, Refused};
use super::fault::{Effect, Faults, Strike};
use super::history::History;
use super::limits::{LONGEST_REQUEST, Levels, Limits};
use super::listing::Listed;
use super::method::{self, Caller, Known, Method};
use super::php::{Array, Key, Php};
use super::request::{self, Format, Incoming, Parameters, Target};
use super::state::{Release, State};

/// What the emulator has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// HTTP requests, those that were refused included.
    pub requests: u64,
    /// Calls, alone and in batches.
    pub commands: u64,
    /// Requests that were refused because there were too many.
    pub refused_by_rate: u64,
    /// Calls that were refused because their method had taken too much time.
    pub refused_by_operating_time: u64,
    /// Rows that a `reset` or a `forceCommonScopeForAll` has removed.
    pub rows_removed: u64,
    /// Rows that a `set` has written.
    pub rows_written: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Calls by method, in lower case.
    pub by_method: BTreeMap<String, u64>,
}

/// What goes back over the wire.
#[derive(Debug)]
pub(super) enum Reply {
    Answer(Answer),
    /// The headers and the beginning of the body; then the connection ends.
    Truncated(Answer),
    /// The connection ends without an answer.
    Cut,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    pub(super) location: Option<&'static str>,
}

pub(super) const JSON: &str = "application/json; charset=utf-8";
const XML: &str = "text/xml; charset=utf-8";
const HTML: &str = "text/html; charset=UTF-8";

/// A page as a proxy in front of the portal would send it.
const PAGE: &str = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";

/// A running portal.
#[derive(Debug)]
pub(super) struct Portal {
    inside: Mutex<Inside>,
    started: Instant,
}

/// What changes while the portal runs.
#[derive(Debug)]
pub(super) struct Inside {
    pub(super) state: State,
    pub(super) limits: Limits,
    pub(super) command_time: Duration,
    pub(super) levels: Levels,
    pub(super) faults: Faults,
    pub(super) counters: Counters,
    pub(super) complaints: Vec<Complaint>,
    pub(super) history: History,
    /// What the portal held at its start.
    pub(super) first: State,
    /// Webhooks that a fault has made invalid.
    expired: Vec<String>,
}

impl Inside {
    pub(super) fn new(state: State, limits: Limits, command_time: Duration) -> Self {
        Self {
            first: state.clone(),
            state,
            limits,
            command_time,
            levels: Levels::default(),
            faults: Faults::default(),
            counters: Counters::default(),
            complaints: Vec::new(),
            history: History::default(),
            expired: Vec::new(),
        }
    }

    /// Makes webhooks valid again that a fault has made invalid.
    pub(super) fn forgive(&mut self) {
        self.expired.clear();
    }

    /// The time that a method has taken; nothing while the limit is off. A batch takes none: its commands do.
    fn operating(&self, webhook: &str, method: &str, now: Duration) -> Option<Operating> {
        self.operating_limit()?;
        let seconds = self.levels.operating(webhook, method, now);
        Some(Operating { seconds, forgotten_in: self.levels.forgets_in(webhook, method, now) })
    }

    /// The limits that are on: those asked for, and those of the state's settings.
    fn operating_limit(&self) -> Option<f64> {
        let text = |name: &str| {
            let value = self.state.setting(name)?;
            Some(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
        };
        if text("rest.load_limiter_active").as_deref() == Some("Y") {
            let limit = text("rest.load_limiter_second_limit").and_then(|text| text.parse().ok());
            return Some(limit.unwrap_or(420.0));
        }
        self.limits.operating_seconds
    }
}

/// The time that a method has taken in the last ten minutes, and when the oldest of it is forgotten, in seconds from now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operating {
    seconds: f64,
    forgotten_in: u64,
}

/// A request on its way: who calls, in which number, since when.
pub(super) struct Call {
    pub(super) request: u64,
    pub(super) caller: Caller,
    pub(super) webhook: String,
}

/// The time of day.
#[expect(
    clippy::disallowed_methods,
    reason = "the portal's answers hold its own time of day; the emulator imports no port"
)]
pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

impl Portal {
    pub(super) fn new(inside: Inside) -> Arc<Self> {
        Arc::new(Self { inside: Mutex::new(inside), started: Instant::now() })
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        // A panic in another request does not spoil the state: every change is made whole under one lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Answers one request.
    pub(super) async fn answer(&self, source: &str, incoming: Incoming) -> Reply {
        let Some(target) = request::target(&incoming.path) else {
            let body = "<html><body><h1>404 Not Found</h1></body></html>".to_owned();
            return Reply::Answer(Answer { status: 404, content_type: HTML, body, location: None });
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
            let commands = if looks_inside { batch::methods(&inside.state, &incoming) } else { Vec::new() };
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
            match tokio::time::timeout(LONGEST_REQUEST, self.carry_out(number, &target, &incoming)).await {
                Ok(reply) => reply,
                Err(_) => Reply::Answer(Answer { status: 504, content_type: HTML, body: PAGE.into(), location: None }),
            }
        } else {
            self.carry_out(number, &target, &incoming).await
        };
        strikes.iter().fold(reply, strike_after)
    }

    async fn strike_before(&self, strike: &Strike, target: &Target) -> Option<Reply> {
        let release = self.inside().state.release;
        let page =
            |status| Some(Reply::Answer(Answer { status, content_type: HTML, body: PAGE.into(), location: None }));
        match strike.effect {
            Effect::RateLimit => Some(self.refusal(target, release, &Failure::too_many_requests())),
            Effect::OperatingTime => Some(self.refusal(target, release, &Failure::operating_time())),
            Effect::Overload => Some(self.refusal(target, release, &Failure::overloaded())),
            Effect::ExpireWebhook => {
                let secret = target.webhook.as_ref().map(|(_, secret)| secret.to_ascii_lowercase());
                self.inside().expired.extend(secret);
                None
            }
            Effect::HtmlBefore => page(502),
            Effect::HtmlOk => page(200),
            Effect::Redirect => {
                let location = Some("https://elsewhere.example/rest/");
                Some(Reply::Answer(Answer { status: 302, content_type: HTML, body: String::new(), location }))
            }
            Effect::CutBefore => Some(Reply::Cut),
            Effect::Slow => {
                tokio::time::sleep(Duration::from_millis(strike.ms)).await;
                None
            }
            _ => None,
        }
    }

    async fn carry_out(&self, number: u64, target: &Target, incoming: &Incoming) -> Reply {
        let (known, call, parameters, release) = match self.open(number, target, incoming) {
            Ok(opened) => opened,
            Err((failure, release)) => return self.refusal(target, release, &failure),
        };
        let started = now();
        let answer = if known.method == Some(Method::Batch) {
            batch::run(self, &call, &parameters).await.map(|rows| Listed { rows, total: None, next: None })
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

    /// Everything before the call itself: the portal's state, the method, the credential, the right, the parameters.
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
        if inside.state.setting("main.site_stopped").and_then(serde_json::Value::as_str) == Some("Y") {
            return refuse(Failure::portal_closed());
        }
        let Parameters { values, lost_body, dropped } = request::parameters(&inside.state, incoming);
        let known = method::find(&target.method).filter(|_| values.at("token").is_none_or(|token| *token == Php::Null));
        let mut witness = Witness { request: number, method: &target.method, complaints: &mut inside.complaints };
        let Some(known) = known else {
            witness.complain("unknown-method", "there is no such method");
            return refuse(Failure::no_method());
        };
        let Some((user, secret)) = &target.webhook else { return refuse(Failure::no_auth()) };
        if inside.state.environment.https_required == Some(true) {
            return refuse(Failure::https_required());
        }
        let secret = secret.to_ascii_lowercase();
        let owner = inside.state.webhooks.iter().find(|row| {
            // What is written like a number is an id, and anything else a login.
            let is_named = match Key::from(user.as_str()) {
                Key::Int(id) => row.user_id == id,
                Key::Text(login) => {
                    let owner = inside.state.people.get(&row.user_id);
                    owner.is_some_and(|owner| !login.is_empty() && owner.login.to_lowercase() == login.to_lowercase())
                }
            };
            row.active && row.secret.to_ascii_lowercase() == secret && is_named
        });
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
        if incoming.verb != "POST" {
            witness.complain(
                "not-post",
                format!("{} instead of POST: a redirect or a proxy can repeat it", incoming.verb),
            );
        } else if incoming.content_type.as_deref() != Some("application/json") {
            let sent = incoming.content_type.as_deref().unwrap_or("missing");
            let text = format!("the content type is {sent}: only application/json is read by every release");
            witness.complain("bad-content-type", text);
        }
        if let Some(why) = lost_body {
            witness.complain("lost-body", format!("{why}: the portal takes it for an empty one"));
        }
        if dropped > 0 {
            witness.complain("dropped-values", format!("{dropped} values beyond the portal's limit were dropped"));
        }
        if let Some(method) = known.method {
            witness.look(method, &values, Alone::Yes);
        }
        Ok((known, Call { request: number, caller, webhook: secret }, values, release))
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
        if limit.is_some_and(|limit| inside.levels.operating(&call.webhook, known.name, self.age()) > limit) {
            inside.counters.refused_by_operating_time += 1;
            return Err(Failure::operating_time());
        }
        let Some(method) = known.method else {
            let mut witness = Witness { request: call.request, method: known.name, complaints: &mut inside.complaints };
            witness.complain("not-imitated", "the portal has this method, and the emulator does not imitate it");
            return Err(Failure::no_method());
        };
        let strikes = inside.faults.strike_command(known.name);
        inside.counters.faults += strikes.len() as u64;
        for Strike { effect, row, .. } in strikes {
            inside.history.fault(call.request, effect, row.as_ref());
            match (effect, row) {
                (Effect::Save, Some(row)) => inside.state.store(row.user_id, &row.name, row.common, row.value),
                (Effect::FailCommand, _) => return Err(Failure::database()),
                (Effect::LimitCommand, _) => return Err(Failure::operating_time()),
                (Effect::Fatal, _) => return Err(Failure::Fatal),
                _ => {}
            }
        }
        if let (Method::Card(_, Operation::Set), Alone::No) = (method, alone) {
            let mut witness = Witness { request: call.request, method: known.name, complaints: &mut inside.complaints };
            witness.complain("set-in-batch", "a large card is cut in a batch, and the answer is true");
        }
        let started = now();
        let watched = inside.history.watch(&inside.state, call.caller.user, method, parameters);
        let before = inside.state.changes;
        let listed = method::call(&mut inside.state, &call.caller, method, parameters, &clock_text(started));
        let changed = inside.state.changes - before;
        if let Some(watched) = watched.filter(|_| listed.is_ok()) {
            inside.history.note(call.request, &inside.state, watched);
        }
        match method {
            Method::Card(_, Operation::Set) => inside.counters.rows_written += changed,
            Method::Card(_, Operation::Reset | Operation::Force) => inside.counters.rows_removed += changed,
            _ => {}
        }
        let spent = inside.command_time.as_secs_f64();
        if limit.is_some() {
            inside.levels.charge(&call.webhook, known.name, self.age(), spent);
        }
        let operating = inside.operating(&call.webhook, known.name, self.age());
        Ok((listed?, time(inside.state.release, started, operating)))
    }

    fn refusal(&self, target: &Target, release: Release, failure: &Failure) -> Reply {
        match failure {
            Failure::Fatal => {
                Reply::Answer(Answer { status: 500, content_type: HTML, body: String::new(), location: None })
            }
            Failure::Refused(refused @ Refused { status, .. }) => self.encoded(target, *status, &refused.body(release)),
        }
    }

    fn encoded(&self, target: &Target, status: u16, body: &Php) -> Reply {
        let (content_type, body) = match target.format {
            Format::Json => (JSON, encode::json(body)),
            Format::Xml => (XML, encode::xml(body)),
        };
        Reply::Answer(Answer { status, content_type, body, location: None })
    }
}

/// Whether a call is a request of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    Yes,
    No,
}

fn strike_after(reply: Reply, strike: &Strike) -> Reply {
    match (strike.effect, reply) {
        (Effect::CutAfter, _) => Reply::Cut,
        (Effect::HtmlAfter, _) => {
            Reply::Answer(Answer { status: 502, content_type: HTML, body: PAGE.into(), location: None })
        }
        (Effect::Truncate, Reply::Answer(answer)) => Reply::Truncated(answer),
        (_, reply) => reply,
    }
}

/// A moment as the portal writes it in answers.
fn clock_text(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// The part `time` of an answer. Current releases cut the start to whole seconds, and so count up to one too many.
pub(super) fn time(release: Release, started: jiff::Timestamp, operating: Option<Operating>) -> Php {
    let seconds = |at: jiff::Timestamp| at.as_microsecond() as f64 / 1e6;
    let (start, finish) = (seconds(started), seconds(now()));
    let (start, processing) = match release {
        Release::Current => (Php::Int(start.trunc() as i64), Php::Int(0)),
        Release::Mid | Release::LegacyRead => {
            // A whole second would look like a newer release.
            let start = if start == start.trunc() { start + 1e-6 } else { start };
            (Php::Float(start), Php::Float((finish - start).max(1e-6)))
        }
    };
    let began = match &start {
        Php::Int(whole) => *whole as f64,
        Php::Float(fraction) => *fraction,
        _ => finish,
    };
    let mut entries = vec![
        ("start", start),
        ("finish", Php::Float(finish)),
        ("duration", Php::Float((finish - began).max(1e-6))),
        ("processing", processing),
        ("date_start", Php::Text(clock_text(started))),
        ("date_finish", Php::Text(clock_text(now()))),
    ];
    if let Some(Operating { seconds, forgotten_in }) = operating {
        let reset_at = now().as_second().saturating_add_unsigned(forgotten_in);
        entries.push(("operating_reset_at", Php::Int(reset_at)));
        entries.push(("operating", if seconds == 0.0 { Php::Int(0) } else { Php::Float(seconds) }));
    }
    entries.into_iter().collect()
}
