//! A wish to stop, as a value: from a signal or a deadline to the places that start new requests.

use std::sync::Arc;

use tokio::sync::watch;

/// The end that wishes.
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<watch::Sender<Option<Arc<str>>>>);

/// The end that looks before it starts something new.
#[derive(Clone, Debug)]
pub struct StopSignal(watch::Receiver<Option<Arc<str>>>);

/// Makes both ends.
pub fn stop_pair() -> (StopHandle, StopSignal) {
    let (sender, receiver) = watch::channel(None);
    (StopHandle(Arc::new(sender)), StopSignal(receiver))
}

impl StopHandle {
    /// Wishes to stop, and says why. The first wish stays.
    pub fn stop(&self, reason: &str) {
        self.0.send_if_modified(|wish| {
            let first = wish.is_none();
            if first {
                *wish = Some(reason.into());
            }
            first
        });
    }
}

impl StopSignal {
    /// Waits until somebody wishes to stop; for ever, if nobody can any more.
    pub async fn wished(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Why to stop, if somebody wishes it.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }
}
