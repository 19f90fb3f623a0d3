//! `recard reconcile`: an apply at an interval, for hosts without a scheduler.
//!
//! A round is an apply, with all of its guards and its lock, and nothing more. Rounds never
//! overlap: the wait for the next one starts after the end of the last. A failed round does not end
//! the loop, because the portal may be up again in the next one; a rejected webhook does, because
//! further requests would be pointless and harmful.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

use crate::app::ApplyOptions;
use crate::cli::args::{GlobalArgs, GroupBy, PlanView, ReconcileArgs};
use crate::cli::clock::SystemClock;
use crate::cli::commands::apply::{self, ApplyRequest};
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::http_server::{HttpServer, Routes, TextResponse, check_local};
use crate::cli::metrics::{RESULTS, result};
use crate::cli::output::Outputs;
use crate::cli::plan_view;
use crate::cli::session::PortalEndpoint;
use crate::cli::signals::Interrupt;
use crate::cli::sources;
use crate::cli::ui::Ui;
use crate::i18n::Text;
use crate::ports::{Clock as _, Rejection};
use crate::report::{Metrics, Purpose, Subject};

/// Number of intervals without the end of a round, on top of the longest wait for the portal's
/// limits, after which the loop counts as stuck.
const STUCK_AFTER_ROUNDS: u32 = 3;

/// Longest wait of a request for the portal's limits.
const MAX_LIMIT_WAIT: Duration = Duration::from_secs(15 * 60);

/// State of the loop, for its pages.
struct LoopState {
    metrics: Metrics,
    state: Mutex<LoopProgress>,
    stuck_after: Duration,
}

struct LoopProgress {
    last_step: Instant,
    last_code: Option<u8>,
}

impl LoopState {
    fn step(&self, code: Option<u8>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last_step = Instant::now();
        state.last_code = code.or(state.last_code);
    }

    fn respond(&self, path: &str, accepted: &str) -> TextResponse {
        let (quiet, code) = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.last_step.elapsed(), state.last_code)
        };
        let last = code.map_or("none yet", result);
        match path {
            "/metrics" => {
                TextResponse::metrics(accepted, |exposition| self.metrics.text(exposition))
            }
            "/healthz" if quiet > self.stuck_after => {
                let text = format!("stuck: nothing has happened for {} s\n", quiet.as_secs());
                TextResponse::plain(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            "/healthz" => TextResponse::plain(StatusCode::OK, "ok\n"),
            "/readyz" if code == Some(exit::DONE) => TextResponse::plain(StatusCode::OK, "ok\n"),
            "/readyz" => TextResponse::plain(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("the last round: {last}\n"),
            ),
            _ => TextResponse::not_found(),
        }
    }
}

/// Runs rounds until a signal.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &ReconcileArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    if arguments.every.is_zero() {
        return Err(CliError::new(exit::USAGE, tr!("--every must be longer than no time")));
    }
    if arguments.manifests.files().iter().any(|file| file.as_os_str() == "-") {
        return Err(CliError::new(
            exit::USAGE,
            tr!("stdin can be read only once, and every round reads the manifests again"),
        ));
    }
    check_local(arguments.listen, arguments.allow_remote)?;
    check_beforehand(ui, global, arguments, interrupt).await?;
    let jitter = arguments.jitter.unwrap_or(arguments.every / 10);
    let loop_state = Arc::new(LoopState {
        metrics: Metrics::new(&RESULTS),
        state: Mutex::new(LoopProgress { last_step: Instant::now(), last_code: None }),
        stuck_after: arguments
            .every
            .saturating_mul(STUCK_AFTER_ROUNDS)
            .saturating_add(jitter)
            .saturating_add(MAX_LIMIT_WAIT),
    });
    let _server = match arguments.listen {
        Some(address) => Some(start_server(ui, address, &loop_state).await?),
        None => None,
    };
    let mut number = 0_u64;
    loop {
        number += 1;
        let begun = Instant::now();
        loop_state.step(None);
        let outcome = round(ui, global, arguments, interrupt, &loop_state).await;
        let code = match &outcome {
            Ok(code) => *code,
            Err(failure) => failure.code,
        };
        let (took, requests) = (begun.elapsed(), ui.traffic().totals());
        let succeeded = code == exit::DONE;
        loop_state.metrics.record_round(result(code), succeeded, SystemClock.now(), took, requests);
        tracing::info!(
            round = number,
            result = result(code),
            code,
            seconds = took.as_secs_f64(),
            "round ended"
        );
        loop_state.step(Some(code));
        if let Some(code) = interrupt.code() {
            return Ok(code);
        }
        if let Err(failure) = outcome {
            if failure.rejection.is_some_and(is_permanent) {
                return Err(failure.hint(tr!(
                    "the loop ends here: no further round could succeed with this webhook"
                )));
            }
            ui.fail(&failure);
        }
        if arguments.rounds.is_some_and(|rounds| number >= rounds) {
            return Ok(code);
        }
        let next = begun + arguments.every + jitter.mul_f64(rand::random::<f64>());
        let wait = next.saturating_duration_since(Instant::now());
        ui.note(tr!(
            "round {number}: {}; the next one in {} s",
            Text::from_msgid(result(code)),
            wait.as_secs(),
            number
        ));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = interrupt.cancelled() => return Ok(interrupt.code().unwrap_or(exit::DONE)),
        }
    }
}

/// Finds errors of the command line before the first round, while a person still watches.
async fn check_beforehand(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &ReconcileArgs,
    interrupt: &Interrupt,
) -> Result<(), CliError> {
    let view = plan_view(arguments);
    let outputs = Outputs::open_for_plan(ui, Purpose::Apply, &view)?;
    let manifest = sources::load(&outputs, &arguments.manifests.files(), interrupt).await?;
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    endpoint.check_pin(manifest.declaration.portal(), &manifest.pin_place())
}

async fn start_server(
    ui: &Ui,
    address: SocketAddr,
    loop_state: &Arc<LoopState>,
) -> Result<HttpServer, CliError> {
    let routes: Routes = {
        let loop_state = Arc::clone(loop_state);
        Arc::new(move |path, accepted| loop_state.respond(path, accepted))
    };
    HttpServer::start(ui, address, routes).await
}

/// Runs one apply. The manifests are read again, so that a change in the folder counts from the
/// next round on.
async fn round(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &ReconcileArgs,
    interrupt: &Interrupt,
    loop_state: &LoopState,
) -> Result<u8, CliError> {
    let view = plan_view(arguments);
    let listener = |subject: Subject<'_>| loop_state.metrics.record_report(subject);
    let outputs = Outputs::open_for_plan(ui, Purpose::Apply, &view)?.with_observer(&listener);
    let request = ApplyRequest {
        options: ApplyOptions {
            plan: plan_view::plan_options(&arguments.policy_args),
            lock_timeout: global.lock_timeout,
        },
        auto_approve: true,
    };
    let outcome = async {
        let manifest = sources::load(&outputs, &arguments.manifests.files(), interrupt).await?;
        apply::run_with(&outputs, global, &request, &manifest, interrupt).await
    };
    outputs.finish(outcome.await)
}

fn plan_view(arguments: &ReconcileArgs) -> PlanView {
    PlanView {
        output_args: arguments.output_args.clone(),
        detail: false,
        unchanged: false,
        group: GroupBy::default(),
    }
}

/// Returns `true` if no later request can succeed with this webhook. A message of a front server
/// during maintenance is temporary.
fn is_permanent(rejection: Rejection) -> bool {
    match rejection {
        Rejection::Credentials
        | Rejection::OwnerDismissed
        | Rejection::MissingRight
        | Rejection::HttpsRequired
        | Rejection::Overload
        | Rejection::PlanWithoutRest
        | Rejection::PortalClosed => true,
        Rejection::NotAllowed
        | Rejection::Redirect
        | Rejection::NotAPortal
        | Rejection::Certificate
        | Rejection::ProxyRefuses
        | Rejection::ProxyUnreachable => false,
    }
}
