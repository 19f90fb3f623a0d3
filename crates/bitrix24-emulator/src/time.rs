//! Clock of the portal, and the part `time` of its answers, which shows its release.

use crate::php::PhpValue;
use crate::state::Release;

/// Operating time of a method in the last ten minutes, and the seconds until its oldest bucket
/// drops out.
#[derive(Clone, Copy, Debug)]
pub(super) struct OperatingTime {
    pub(super) seconds: f64,
    pub(super) forgotten_in: u64,
}

/// The time of day.
#[expect(
    clippy::disallowed_methods,
    reason = "the portal's answers hold its own time of day; the emulator imports no port"
)]
pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Returns a time as the portal writes it in answers.
pub(super) fn clock_text(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Returns the part `time` of an answer. Current releases cut the start to whole seconds, and so
/// count up to one too many.
pub(super) fn time(
    release: Release,
    started: jiff::Timestamp,
    operating: Option<OperatingTime>,
) -> PhpValue {
    let seconds = |at: jiff::Timestamp| at.as_microsecond() as f64 / 1e6;
    let (start, finish) = (seconds(started), seconds(now()));
    let (start, processing) = match release {
        Release::Current => (PhpValue::Int(start.trunc() as i64), PhpValue::Int(0)),
        Release::Mid | Release::LegacyRead => {
            // A whole second would look like a newer release.
            let start = if start == start.trunc() { start + 1e-6 } else { start };
            (PhpValue::Float(start), PhpValue::Float((finish - start).max(1e-6)))
        }
    };
    let began = match &start {
        PhpValue::Int(whole) => *whole as f64,
        PhpValue::Float(fraction) => *fraction,
        _ => finish,
    };
    let mut entries = vec![
        ("start", start),
        ("finish", PhpValue::Float(finish)),
        ("duration", PhpValue::Float((finish - began).max(1e-6))),
        ("processing", processing),
        ("date_start", PhpValue::Text(clock_text(started))),
        ("date_finish", PhpValue::Text(clock_text(now()))),
    ];
    if let Some(OperatingTime { seconds, forgotten_in }) = operating {
        let reset_at = now().as_second().saturating_add_unsigned(forgotten_in);
        entries.push(("operating_reset_at", PhpValue::Int(reset_at)));
        entries.push((
            "operating",
            if seconds == 0.0 { PhpValue::Int(0) } else { PhpValue::Float(seconds) },
        ));
    }
    entries.into_iter().collect()
}
