//! Signals: the first one asks everything to come to an end, the second one ends at once.

use std::sync::{Arc, Mutex, OnceLock};

use super::exit;
use super::ui::Ui;
use crate::engine::{StopHandle, StopSignal, stop_pair};
use crate::portal::HttpPortal;

/// Listens for signals.
#[derive(Clone)]
pub(super) struct Interrupt {
    handle: StopHandle,
    signal: StopSignal,
    portal: Arc<Mutex<Option<HttpPortal>>>,
    code: Arc<OnceLock<u8>>,
}

impl Interrupt {
    /// Nothing happened yet. What is said in reports about the end of the command is told the signal, too.
    pub(super) fn new(ui: &Ui) -> Self {
        let (handle, signal) = stop_pair();
        Self { handle, signal, portal: Arc::default(), code: ui.signal() }
    }

    /// The wish to stop, for the engine.
    pub(super) fn signal(&self) -> &StopSignal {
        &self.signal
    }

    /// A portal that is to wait no longer once somebody wishes to stop.
    pub(super) fn stops(&self, portal: &HttpPortal) {
        if let Ok(mut slot) = self.portal.lock() {
            *slot = Some(portal.clone());
        }
        if let Some(reason) = self.signal.reason() {
            portal.stop(&reason);
        }
    }

    /// Waits until somebody wishes to stop.
    pub(super) async fn wished(&self) {
        self.signal.wished().await;
    }

    /// The exit code of the signal that came, if one did.
    pub(super) fn code(&self) -> Option<u8> {
        self.code.get().copied()
    }

    /// Waits for signals; returns with the second one.
    pub(super) async fn listen(&self, ui: &Ui) -> u8 {
        let mut signals = Signals::new();
        let first = signals.next().await;
        let _ = self.code.set(first);
        self.handle.stop(tr_later!("interrupted"));
        if let Ok(slot) = self.portal.lock()
            && let Some(portal) = slot.as_ref()
        {
            portal.stop("interrupted");
        }
        ui.warn(tr!("interrupted: finishing what is under way; once more to stop at once"));
        let second = signals.next().await;
        ui.warn(tr!("stopped at once; `recard resume` settles what was under way"));
        second
    }
}

/// The signals that end the program. Made once, so that none is missed between the first and the second.
struct Signals {
    #[cfg(unix)]
    streams: Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        let streams = signal(SignalKind::interrupt()).and_then(|it| Ok((it, signal(SignalKind::terminate())?)));
        Self { streams: streams.ok() }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }

    /// The exit code of the next signal. Waits for ever where signals cannot be had.
    #[cfg(unix)]
    async fn next(&mut self) -> u8 {
        let Some((interrupt, terminate)) = &mut self.streams else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => exit::INTERRUPTED,
            _ = terminate.recv() => exit::TERMINATED,
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
