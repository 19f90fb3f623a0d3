//! `recard reconcile`: an apply every so often, for those without a scheduler.
//!
//! A round is an apply, with all of its guards and its lock, and nothing more. Rounds never
//! overlap: the next one is waited for only once this one has ended. A round that fails does not
//! end the loop, because the next one may find the portal up again; a webhook that the portal does
//! not accept does, because asking again and again would be pointless and harmful.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

use crate::cli::args::{ApplyArguments, Global, ReconcileArguments, Shown, Written};
use crate::cli::clock::SystemClock;
use crate::cli::commands::apply;
use crate::cli::door::{Door, Page, Pages};
use crate::cli::environment::Need;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::metrics::{Metrics, result};
use crate::cli::output::Outputs;
use crate::cli::session::Address;
use crate::cli::sources;
use crate::cli::ui::Ui;
use crate::language::Text;
use crate::port::{Clock as _, Rejection};
use crate::report::{Purpose, Subject};

/// A loop in which nothing has ended for so many rounds' time, and the longest wait for the
/// portal's limits, is stuck.
const STUCK_AFTER_ROUNDS: u32 = 3;

/// The longest that a request may wait for the portal's limits.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The answer of the Prometheus page, as its format names it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the pages tell, and the loop knows.
struct Watched {
    metrics: Metrics,
    state: Mutex<State>,
    patience: Duration,
}

struct State {
    last_step: Instant,
    last_code: Option<u8>,
}

impl Watched {
    fn step(&self, code: Option<u8>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last_step = Instant::now();
        state.last_code = code.or(state.last_code);
    }

    fn page(&self, path: &str) -> Page {
        let (quiet, code) = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.last_step.elapsed(), state.last_code)
        };
        let last = code.map_or("none yet", result);
        match path {
            "/metrics" => Page {
                status: StatusCode::OK,
                content_type: OPEN_METRICS,
                text: self.metrics.text(),
            },
            "/healthz" if quiet > self.patience => {
                let text = format!("stuck: nothing has happened for {} s\n", quiet.as_secs());
                Page::plain(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            "/healthz" => Page::plain(StatusCode::OK, "ok\n"),
            "/readyz" if code == Some(exit::DONE) => Page::plain(StatusCode::OK, "ok\n"),
            "/readyz" => {
                Page::plain(StatusCode::SERVICE_UNAVAILABLE, format!("the last round: {last}\n"))
            }
            _ => Page::plain(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
        }
    }
}

/// Makes rounds until somebody ends it.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &ReconcileArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    if arguments.every.is_zero() {
        return Err(Failure::new(exit::USAGE, tr!("--every must be longer than no time")));
    }
    if arguments.manifests.files.iter().any(|file| file.as_os_str() == "-") {
        return Err(Failure::new(
            exit::USAGE,
            tr!("stdin can be read only once, and every round reads the manifests anew"),
        ));
    }
    if let Some(address) = arguments.listen
        && !address.ip().is_loopback()
        && !arguments.allow_remote
    {
        return Err(Failure::error(tr!("{address} can be reached from other machines", address)).hint(tr!(
            "add --allow-remote if that is wanted: the numbers tell how many people's cards are reset, and when"
        )));
    }
    check_beforehand(ui, global, arguments, interrupt).await?;
    let jitter = arguments.jitter.unwrap_or(arguments.every / 10);
    let watched = Arc::new(Watched {
        metrics: Metrics::new(),
        state: Mutex::new(State { last_step: Instant::now(), last_code: None }),
        patience: arguments
            .every
            .saturating_mul(STUCK_AFTER_ROUNDS)
            .saturating_add(jitter)
            .saturating_add(LONGEST_WAIT),
    });
    let _door = match arguments.listen {
        Some(address) => Some(open(ui, address, &watched).await?),
        None => None,
    };
    let mut number = 0_u64;
    loop {
        number += 1;
        let begun = Instant::now();
        watched.step(None);
        let outcome = round(ui, global, arguments, interrupt, &watched).await;
        let code = match &outcome {
            Ok(code) => *code,
            Err(failure) => failure.code,
        };
        watched.metrics.ended(code, SystemClock.now(), begun.elapsed());
        watched.step(Some(code));
        if let Some(code) = interrupt.code() {
            return Ok(code);
        }
        if let Err(failure) = outcome {
            if failure.rejection.is_some_and(ends_everything) {
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
            Text::known(result(code)),
            wait.as_secs(),
            number
        ));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = interrupt.wished() => return Ok(interrupt.code().unwrap_or(exit::DONE)),
        }
    }
}

/// Finds mistakes of the command line before the first round, where somebody still looks.
async fn check_beforehand(
    ui: &Ui,
    global: &Global,
    arguments: &ReconcileArguments,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let shown = shown(arguments);
    let outputs = Outputs::showing(ui, Purpose::Apply, &shown)?;
    let manifest = sources::load(&outputs, &arguments.manifests.files, interrupt).await?;
    let address = Address::find(global, Need::Write, interrupt).await?;
    address.check_pin(manifest.declaration.portal(), &manifest.pin_place())
}

async fn open(ui: &Ui, address: SocketAddr, watched: &Arc<Watched>) -> Result<Door, Failure> {
    let pages: Pages = {
        let watched = Arc::clone(watched);
        Arc::new(move |path| watched.page(path))
    };
    let door = Door::open(address, pages).await?;
    ui.note(tr!("listening on http://{}: /healthz, /readyz, /metrics", door.address()));
    Ok(door)
}

/// One apply. The manifests are read anew, so that a change in the folder counts from the next
/// round on.
async fn round(
    ui: &Ui,
    global: &Global,
    arguments: &ReconcileArguments,
    interrupt: &Interrupt,
    watched: &Watched,
) -> Result<u8, Failure> {
    let shown = shown(arguments);
    let listener = |subject: Subject<'_>| watched.metrics.hear(subject);
    let outputs = Outputs::showing(ui, Purpose::Apply, &shown)?.heard_by(&listener);
    let applying = ApplyArguments {
        plan: None,
        files: arguments.manifests.files.clone(),
        shown: shown.clone(),
        rules: arguments.rules.clone(),
        auto_approve: true,
    };
    let outcome = async {
        let manifest = sources::load(&outputs, &applying.files, interrupt).await?;
        apply::with(&outputs, global, &applying, &manifest, interrupt).await
    };
    outputs.finish(outcome.await)
}

fn shown(arguments: &ReconcileArguments) -> Shown {
    let Written { output, markdown_limit, marker } = arguments.written.clone();
    Shown { written: Written { output, markdown_limit, marker }, detail: false, unchanged: false }
}

/// Whether no later request can succeed with this webhook. What a front server says while the
/// portal is being mended passes.
fn ends_everything(rejection: Rejection) -> bool {
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
