//! Rounds over many portals at the same time, each isolated from the others.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};

/// End of the round of one portal.
#[derive(Debug, PartialEq, Eq)]
pub enum PortalRound<T> {
    /// It ended by itself.
    Ended(T),
    /// It took longer than its deadline, and was dropped.
    Late,
    /// It panicked; the text is that of the panic.
    Panicked(String),
}

/// Runs a round for each item, a number of them at the same time, and returns their ends in the
/// order of the items.
///
/// A round that hangs until the deadline or panics is the end of this round alone. A round that
/// writes must have no deadline here: its writes are awaited.
pub async fn rounds<I, T, F: Future<Output = T>>(
    items: impl IntoIterator<Item = I>,
    concurrency: usize,
    deadline: Option<Duration>,
    work: impl Fn(I) -> F,
) -> Vec<PortalRound<T>> {
    let one = async |(index, item): (usize, I)| {
        // The item is consumed by the round, and nothing else of it is used after a panic.
        let round = AssertUnwindSafe(async { work(item).await }).catch_unwind();
        let ended = match deadline {
            None => round.await,
            Some(deadline) => match tokio::time::timeout(deadline, round).await {
                Ok(ended) => ended,
                Err(_) => return (index, PortalRound::Late),
            },
        };
        match ended {
            Ok(value) => (index, PortalRound::Ended(value)),
            Err(panic) => (index, PortalRound::Panicked(panic_text(panic.as_ref()))),
        }
    };
    let all = stream::iter(items.into_iter().enumerate()).map(one);
    let mut ends: Vec<(usize, PortalRound<T>)> =
        all.buffer_unordered(concurrency.max(1)).collect().await;
    ends.sort_by_key(|(index, _)| *index);
    ends.into_iter().map(|(_, end)| end).collect()
}

/// Returns the text of a panic.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn round_that_hangs_or_panics_is_alone_in_it() {
        let started = Instant::now();
        let work = async |index: u64| {
            match index {
                3 => sleep(Duration::from_secs(100_000)).await,
                5 => panic!("round {index}"),
                _ => sleep(Duration::from_secs(1)).await,
            }
            index
        };
        let ends = rounds(0..10, 4, Some(Duration::from_secs(60)), work).await;
        for (index, end) in (0..).zip(ends) {
            let expected = match index {
                3 => PortalRound::Late,
                5 => PortalRound::Panicked("round 5".to_owned()),
                _ => PortalRound::Ended(index),
            };
            assert_eq!(end, expected);
        }
        // The others did not wait for the one that hangs.
        assert_eq!(started.elapsed(), Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn rounds_run_with_limited_concurrency() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let work = async |_| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            sleep(Duration::from_secs(1)).await;
            running.set(running.get() - 1);
        };
        let started = Instant::now();
        let ends = rounds(0..100, 50, None, work).await;
        assert_eq!((ends.len(), most.get()), (100, 50));
        assert_eq!(started.elapsed(), Duration::from_secs(2));
    }
}
