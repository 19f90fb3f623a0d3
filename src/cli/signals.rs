//! Signals: the first one stops the command in order, the second one ends it at once.
//!
//! The command works on a thread of its own, and the signals are handled on another one: whatever
//! the command waits for (a pipe, a folder on a dead file system, a reader of stdout), a signal is
//! always handled. After the first signal:
//! - reads and waits are dropped ([`Interrupt::unless_cancelled`], [`Interrupt::run_blocking`]),
//!   and the command ends in order;
//! - a run that writes ([`Interrupt::begin_writing`]) is waited for: its requests in flight, its
//!   journal and its report;
//! - a command that writes nothing and does not end within [`GRACE_PERIOD`] is left behind.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::error::CliError;
use super::exit;
use super::ui::Ui;
use crate::engine::{CancellationHandle, CancellationToken, cancellation};
use crate::i18n::Text;
use crate::portal::HttpPortal;
use crate::ports::ReadPortal as _;

/// Reason of a cancellation by a signal, as journals have it.
pub(super) const INTERRUPTED: &str = tr_later!("interrupted");

/// Time for a command without a run to end in order after the first signal. Together with
/// [`MESSAGE_TIMEOUT`], the process ends within a second.
const GRACE_PERIOD: Duration = Duration::from_millis(600);

/// Timeout of the message about a signal. The reader of stderr may be gone.
const MESSAGE_TIMEOUT: Duration = Duration::from_millis(100);

/// Handler of signals.
#[derive(Clone)]
pub(super) struct Interrupt {
    handle: CancellationHandle,
    signal: CancellationToken,
    portals: Arc<Mutex<Vec<HttpPortal>>>,
    code: Arc<OnceLock<u8>>,
    /// Notified at the first signal.
    signal_received: Arc<Notify>,
    /// The number of runs that write.
    writing: Arc<watch::Sender<usize>>,
}

/// Run that writes. Signals wait for it until its drop.
#[must_use = "signals wait for the run for as long as it lives"]
pub(super) struct WritingRun(Arc<watch::Sender<usize>>);

impl Drop for WritingRun {
    fn drop(&mut self) {
        self.0.send_modify(|runs| *runs -= 1);
    }
}

impl Interrupt {
    /// Creates a handler. Reports about the end of the command get the signal, too.
    pub(super) fn new(ui: &Ui) -> Self {
        let (handle, signal) = cancellation();
        let (signal_received, writing) = (Arc::default(), Arc::new(watch::Sender::new(0)));
        Self {
            handle,
            signal,
            portals: Arc::default(),
            code: ui.signal(),
            signal_received,
            writing,
        }
    }

    /// Creates a handler for one of several portals, which is cancelled by [`Self::cancel`] alone
    /// and counts its own runs.
    pub(super) fn child() -> Self {
        let (handle, signal) = cancellation();
        Self {
            handle,
            signal,
            portals: Arc::default(),
            code: Arc::default(),
            signal_received: Arc::default(),
            writing: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Cancels as the first signal does: no run starts any more, and one that writes ends in order.
    pub(super) fn cancel(&self, reason: &str) {
        let _ = self.code.set(exit::TERMINATED);
        self.handle.cancel(reason);
        if let Ok(portals) = self.portals.lock() {
            portals.iter().for_each(|portal| portal.cancel(reason));
        }
    }

    /// Returns the cancellation token for the engine.
    pub(super) fn signal(&self) -> &CancellationToken {
        &self.signal
    }

    /// Registers a portal whose waits end on cancellation. An earlier connection to it is
    /// forgotten.
    pub(super) fn register_portal(&self, portal: &HttpPortal) {
        self.forget_portal(portal);
        if let Ok(mut portals) = self.portals.lock() {
            portals.push(portal.clone());
        }
        if let Some(reason) = self.signal.reason() {
            portal.cancel(&reason);
        }
    }

    /// Forgets the connection to a portal.
    pub(super) fn forget_portal(&self, portal: &HttpPortal) {
        let name = |portal: &HttpPortal| portal.reader().portal().clone();
        let gone = name(portal);
        if let Ok(mut portals) = self.portals.lock() {
            portals.retain(|other| name(other) != gone);
        }
    }

    /// Waits for the cancellation.
    pub(super) async fn cancelled(&self) {
        self.signal.cancelled().await;
    }

    /// Returns the exit code of the received signal, if there was one.
    pub(super) fn code(&self) -> Option<u8> {
        self.code.get().copied()
    }

    /// Marks the start of a run that writes.
    ///
    /// # Errors
    ///
    /// After a signal: then no run starts any more.
    pub(super) fn begin_writing(&self) -> Result<WritingRun, CliError> {
        self.writing.send_modify(|runs| *runs += 1);
        let writing = WritingRun(Arc::clone(&self.writing));
        // Checked after the mark: `listen` checks the mark after the code.
        if self.code().is_some() { Err(interrupted()) } else { Ok(writing) }
    }

    /// Cancels the command at the first signal, on the thread of the command: a prepared request is
    /// sent before the command sees the signal. Never returns.
    pub(super) async fn relay(&self) -> Infallible {
        self.signal_received.notified().await;
        self.handle.cancel(INTERRUPTED);
        if let Ok(portals) = self.portals.lock() {
            portals.iter().for_each(|portal| portal.cancel(INTERRUPTED));
        }
        std::future::pending().await
    }

    /// Runs work, and drops it on cancellation while no run writes.
    pub(super) async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        let stopped = async {
            self.cancelled().await;
            if *self.writing.borrow() > 0 {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = stopped => Err(interrupted()),
        }
    }

    /// Runs blocking work on another thread, and leaves it behind on cancellation.
    pub(super) async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CliError> {
        let done = tokio::task::spawn_blocking(work);
        tokio::select! {
            biased;
            done = done => match done {
                Ok(done) => Ok(done),
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Err(interrupted()),
                },
            },
            () = self.cancelled() => Err(interrupted()),
        }
    }

    /// Waits for signals; returns the exit code when the process must end whatever the state of the
    /// command.
    pub(super) async fn listen(&self, mut signals: Signals, ui: &Ui) -> u8 {
        let first = signals.next().await;
        let _ = self.code.set(first);
        self.signal_received.notify_one();
        say(
            ui,
            tr!("interrupted: finishing the requests in flight; a second signal stops at once"),
        )
        .await;
        tokio::select! {
            second = signals.next() => {
                say(ui, tr!("stopped at once; `recard recover` settles what was under way")).await;
                second
            }
            () = self.grace_period_over() => first,
        }
    }

    /// Waits until the command has had its time to end in order.
    async fn grace_period_over(&self) {
        let mut runs = self.writing.subscribe();
        // The sender lives as long as `self`.
        let _ = runs.wait_for(|runs| *runs == 0).await;
        tokio::time::sleep(GRACE_PERIOD).await;
    }
}

/// Returns the failure of a command that was stopped before it wrote anything.
pub(super) fn interrupted() -> CliError {
    CliError::refused(tr!("interrupted; nothing was written"))
}

/// Prints a message about a signal. The command may hold the lock of stderr, so the message is
/// printed on a thread of its own.
async fn say(ui: &Ui, text: Text) {
    let ui = ui.clone();
    let said = tokio::task::spawn_blocking(move || ui.warn(text));
    let _ = tokio::time::timeout(MESSAGE_TIMEOUT, said).await;
}

/// Signals that end the program. Created once, so that none is missed between the first and the
/// second.
pub(super) struct Signals {
    #[cfg(unix)]
    streams: Option<SignalStreams>,
}

#[cfg(unix)]
struct SignalStreams {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// SIGHUP: the terminal is gone. `None` if the signal is to be ignored.
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        let streams = || -> std::io::Result<SignalStreams> {
            // Checked first: registering a handler ends the ignoring of the signal.
            let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
            Ok(SignalStreams {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup,
            })
        };
        Self { streams: streams().ok() }
    }

    #[cfg(not(unix))]
    pub(super) fn new() -> Self {
        Self {}
    }

    /// Waits for the next signal and returns its exit code. Never returns where signals are not
    /// supported.
    #[cfg(unix)]
    async fn next(&mut self) -> u8 {
        let Some(SignalStreams { interrupt, terminate, hangup }) = &mut self.streams else {
            return std::future::pending().await;
        };
        let hung_up = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => exit::INTERRUPTED,
            _ = terminate.recv() => exit::TERMINATED,
            _ = hung_up => exit::TERMINATED,
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => exit::INTERRUPTED,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Returns `true` if the process was started with SIGHUP ignored, as `nohup` does. On other systems
/// the signal keeps its default.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return true };
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // One bit for each signal, from number 1 on; SIGHUP is number 1.
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_none_or(|mask| mask & 1 == 1)
}
