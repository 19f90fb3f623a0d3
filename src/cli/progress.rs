//! How far a command is: a bar on a terminal, a line every ten seconds elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::ui::Ui;
use crate::engine::{Event, Listener};
use crate::language::Text;

/// In a pipeline's log, a line this often shows that recard is alive.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Shows the events of the engine.
pub(super) struct Progress {
    ui: Ui,
    state: Mutex<State>,
}

struct State {
    bar: Option<ProgressBar>,
    doing: Text,
    done: usize,
    total: usize,
    last_line: Instant,
}

impl Progress {
    /// Starts with nothing to show.
    pub(super) fn new(ui: &Ui) -> Self {
        let state = State { bar: None, doing: Text::default(), done: 0, total: 0, last_line: Instant::now() };
        Self { ui: ui.clone(), state: Mutex::new(state) }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Ok(mut state) = self.state.lock()
            && let Some(bar) = state.bar.take()
        {
            bar.finish_and_clear();
        }
    }

    fn start(&self, state: &mut State, doing: Text, total: usize) {
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        (state.doing, state.done, state.total) = (doing, 0, total);
        if let Some(bars) = self.ui.bars() {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
            let bar = bars.add(ProgressBar::new(total as u64)).with_message(state.doing.to_string());
            state.bar = Some(style.map(|style| bar.clone().with_style(style)).unwrap_or(bar));
        }
    }

    fn advance(&self, state: &mut State, done: usize) {
        state.done = done;
        match &state.bar {
            Some(bar) => bar.set_position(done as u64),
            None if state.last_line.elapsed() >= HEARTBEAT => {
                state.last_line = Instant::now();
                self.ui.note(tr!(
                    "{doing} {done} of {total}",
                    doing = state.doing,
                    done = state.done,
                    total = state.total
                ));
            }
            None => {}
        }
    }
}

impl Listener for Progress {
    fn hear(&self, event: Event) {
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Event::Resolved { targets } => {
                tracing::debug!(targets, "resolved");
                self.start(&mut state, tr!("reading cards"), targets);
            }
            Event::Read { done, total } => {
                state.total = total;
                if let Some(bar) = &state.bar {
                    bar.set_length(total as u64);
                }
                self.advance(&mut state, done);
            }
            Event::Applying { total } => {
                tracing::debug!(total, "applying");
                self.start(&mut state, tr!("resetting cards"), total);
            }
            Event::Settled { target, outcome } => {
                tracing::info!(%target, outcome = outcome.word(), "settled");
                let done = state.done + 1;
                self.advance(&mut state, done);
            }
            Event::Note(text) => {
                tracing::info!("{}", text.english());
                self.ui.note(text);
            }
        }
    }
}
