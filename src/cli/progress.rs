//! Progress of a command: a bar on a terminal, a line every ten seconds elsewhere, each with the
//! remaining time.
//!
//! The remaining time comes from the model of the portal's limits: the first requests are immediate
//! and the rest have to wait. A timer updates both during waits for the portal, so that a long wait
//! does not look like a hang.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use tokio::task::JoinHandle;

use super::ui::Ui;
use crate::engine::{Event, EventSink};
use crate::i18n::Text;
use crate::portal::PlannedWork;
use crate::report::Seconds;

/// Interval of the progress lines in a pipeline's log.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Interval at which a bar is redrawn without events.
const REDRAW: Duration = Duration::from_secs(1);

/// Estimator of the duration of work, as far as it can be known.
pub(super) type DurationEstimator = Arc<dyn Fn(PlannedWork) -> Option<Duration> + Send + Sync>;

/// Event sink that shows the events of the engine.
pub(super) struct ProgressReporter {
    shared: Arc<SharedProgress>,
    clock: JoinHandle<()>,
}

struct SharedProgress {
    bars: Option<MultiProgress>,
    say: Box<dyn Fn(Text) + Send + Sync>,
    forecast: DurationEstimator,
    state: Mutex<DisplayState>,
}

#[derive(Default)]
struct DisplayState {
    bar: Option<ProgressBar>,
    step: Option<ProgressStep>,
}

/// Step of the work.
#[derive(Clone)]
struct ProgressStep {
    doing: Text,
    work: fn(usize) -> PlannedWork,
    done: usize,
    /// `None` for a list of unknown length.
    total: Option<usize>,
}

impl ProgressReporter {
    /// Creates a reporter without a step. Must be called within a runtime, whose clock it uses.
    pub(super) fn new(ui: &Ui, forecast: DurationEstimator) -> Self {
        let say = ui.clone();
        Self::with_output(ui.bars().cloned(), Box::new(move |text| say.note(text)), forecast)
    }

    fn with_output(
        bars: Option<MultiProgress>,
        say: Box<dyn Fn(Text) + Send + Sync>,
        forecast: DurationEstimator,
    ) -> Self {
        let shared = Arc::new(SharedProgress { bars, say, forecast, state: Mutex::default() });
        let clock = tokio::spawn(Arc::clone(&shared).redraw_periodically());
        Self { shared, clock }
    }

    /// Removes the bar, and prints nothing more.
    pub(super) fn finish(&self) {
        self.clock.abort();
        self.shared.end();
    }
}

impl Drop for ProgressReporter {
    fn drop(&mut self) {
        self.finish();
    }
}

impl EventSink for ProgressReporter {
    fn on_event(&self, event: Event) {
        let shared = &self.shared;
        match event {
            Event::LookingUp => shared.begin(tr!("looking up people"), PlannedWork::Reads, None),
            Event::Resolved { targets } => {
                tracing::debug!(targets, "resolved");
                shared.begin(tr!("reading cards"), PlannedWork::Reads, Some(targets));
            }
            Event::Read { done, total } => {
                shared.advance(|step| (step.done, step.total) = (done, Some(total)))
            }
            Event::Applying { total } => {
                tracing::debug!(total, "applying");
                shared.begin(tr!("resetting cards"), PlannedWork::Resets, Some(total));
            }
            Event::Completed { target, outcome } => {
                tracing::info!(%target, outcome = outcome.as_str(), "settled");
                shared.advance(|step| step.done += 1);
            }
            Event::Notice(text) => {
                tracing::info!("{}", text.english());
                (shared.say)(text);
            }
        }
    }
}

impl SharedProgress {
    fn state(&self) -> MutexGuard<'_, DisplayState> {
        // Numbers only: a panic while they were locked leaves a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redraws the bar, or prints a line, for as long as there is a step.
    async fn redraw_periodically(self: Arc<Self>) {
        let start = tokio::time::Instant::now();
        let every = if self.bars.is_some() { REDRAW } else { HEARTBEAT };
        let mut ticks = tokio::time::interval_at(start + every, every);
        loop {
            ticks.tick().await;
            let state = self.state();
            match (&state.bar, &state.step) {
                (Some(bar), _) => bar.tick(),
                (None, Some(step)) if self.bars.is_none() => (self.say)(step.line(&self.forecast)),
                (None, _) => {}
            }
        }
    }

    fn begin(&self, doing: Text, work: fn(usize) -> PlannedWork, total: Option<usize>) {
        self.end();
        let mut state = self.state();
        state.step = Some(ProgressStep { doing: doing.clone(), work, done: 0, total });
        if let Some(bars) = &self.bars {
            let bar = match total {
                Some(total) => ProgressBar::new(total as u64).with_style(self.style(work)),
                None => ProgressBar::new_spinner(),
            };
            let bar = bars.add(bar.with_message(doing.to_string()));
            bar.tick();
            state.bar = Some(bar);
        }
    }

    fn style(&self, work: fn(usize) -> PlannedWork) -> ProgressStyle {
        let forecast = Arc::clone(&self.forecast);
        let left = move |state: &ProgressState, out: &mut dyn fmt::Write| {
            let left = state.len().unwrap_or_default().saturating_sub(state.pos());
            if let Some(time) = forecast(work(usize::try_from(left).unwrap_or(usize::MAX))) {
                // A failed drawing is ignored.
                let _ = write!(out, "{}", time_left(time));
            }
        };
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {left}");
        style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("left", left)
    }

    fn advance(&self, change: impl FnOnce(&mut ProgressStep)) {
        let mut state = self.state();
        let Some(step) = &mut state.step else { return };
        change(step);
        let (done, total) = (step.done, step.total);
        if let Some(bar) = &state.bar {
            if let Some(total) = total {
                bar.set_length(total as u64);
            }
            bar.set_position(done as u64);
        }
    }

    fn end(&self) {
        let mut state = self.state();
        state.step = None;
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl ProgressStep {
    /// Returns a line for a log.
    fn line(&self, forecast: &DurationEstimator) -> Text {
        let Self { doing, work, done, total } = self;
        let Some(total) = *total else { return doing.clone() };
        let line = tr!("{doing} {done} of {total}", doing, done, total);
        match forecast(work(total.saturating_sub(*done))) {
            Some(time) => tr!("{line}, {left}", line, left = time_left(time)),
            None => line,
        }
    }
}

fn time_left(time: Duration) -> Text {
    tr!("{time} left", time = Seconds(time.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use std::io;

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;
    use crate::model::{CardKey, LeadCustomerType, Outcome, UserId};

    /// Returns an estimator: two cards a second are read, and one is reset; the rest follows the
    /// limits.
    fn forecast() -> DurationEstimator {
        Arc::new(|work| match work {
            PlannedWork::Reads(left) => Some(Duration::from_secs(left as u64 / 2)),
            PlannedWork::Resets(0) => None,
            PlannedWork::Resets(left) | PlannedWork::ReadsThenResets(_, left) => {
                Some(Duration::from_secs(left as u64))
            }
        })
    }

    type Said = Arc<Mutex<Vec<String>>>;

    fn in_a_pipeline() -> (ProgressReporter, Said) {
        let said = Said::default();
        let heard = Arc::clone(&said);
        (
            ProgressReporter::with_output(
                None,
                Box::new(move |text| heard.lock().unwrap().push(text.to_string())),
                forecast(),
            ),
            said,
        )
    }

    /// Advances the paused clock; the task of the heartbeat runs before this returns.
    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        tokio::task::yield_now().await;
    }

    fn settled() -> Event {
        let target = CardKey::personal(UserId::new(7).unwrap(), LeadCustomerType::Simple);
        Event::Completed { target, outcome: Outcome::Reset }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_in_a_pipeline_is_a_line_every_ten_seconds() {
        let (progress, said) = in_a_pipeline();
        pass(25).await;
        assert_eq!(said.lock().unwrap().len(), 0, "there is nothing to tell yet");
        progress.on_event(Event::LookingUp);
        pass(10).await;
        progress.on_event(Event::Resolved { targets: 500 });
        progress.on_event(Event::Read { done: 100, total: 502 });
        pass(4).await;
        pass(6).await;
        pass(10).await;
        progress.on_event(Event::Applying { total: 300 });
        (0..299).for_each(|_| progress.on_event(settled()));
        pass(10).await;
        progress.on_event(settled());
        pass(10).await;
        progress.finish();
        pass(60).await;
        let lines = [
            "looking up people",
            "reading cards 100 of 502, about 3 min left",
            "reading cards 100 of 502, about 3 min left",
            "resetting cards 299 of 300, about 1 s left",
            "resetting cards 300 of 300",
        ];
        assert_eq!(*said.lock().unwrap(), lines);
    }

    /// Terminal that stores its drawings.
    #[derive(Clone, Debug, Default)]
    struct Terminal(Arc<Mutex<String>>);

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().unwrap().clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_on_a_terminal_is_a_bar_with_the_remaining_time() {
        let terminal = Terminal::default();
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(
            terminal.clone(),
        )));
        let silent = Box::new(|text: Text| panic!("a bar says all there is to say: {text}"));
        let progress = ProgressReporter::with_output(Some(bars), silent, forecast());
        let drawn = || terminal.0.lock().unwrap().trim_end().to_owned();
        progress.on_event(Event::LookingUp);
        assert!(drawn().contains("looking up people"), "{}", drawn());
        progress.on_event(Event::Resolved { targets: 100 });
        progress.on_event(Event::Read { done: 40, total: 104 });
        pass(1).await;
        let bar = drawn();
        assert!(
            bar.starts_with("reading cards ") && bar.ends_with(" 40/104 about 32 s left"),
            "{bar}"
        );
        assert_eq!(bar.chars().count(), 80, "{bar}");
        progress.on_event(Event::Applying { total: 20 });
        (0..5).for_each(|_| progress.on_event(settled()));
        pass(1).await;
        assert!(drawn().ends_with(" 5/20 about 15 s left"), "{}", drawn());
        progress.finish();
        assert_eq!(drawn(), "");
    }
}
