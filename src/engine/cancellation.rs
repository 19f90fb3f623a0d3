//! A wish to stop, as a value: from a signal or a deadline to the places that start new requests.

use std::sync::Arc;

use tokio::sync::watch;

/// The end that wishes.
#[derive(Clone, Debug)]
pub struct CancellationHandle(Arc<watch::Sender<Option<Arc<str>>>>);

/// The end that looks before it starts something new.
#[derive(Clone, Debug)]
pub struct CancellationToken(watch::Receiver<Option<Arc<str>>>);

/// Makes both ends.
pub fn cancellation() -> (CancellationHandle, CancellationToken) {
    let (sender, receiver) = watch::channel(None);
    (CancellationHandle(Arc::new(sender)), CancellationToken(receiver))
}

impl CancellationHandle {
    /// Wishes to stop, and says why. The first wish stays.
    pub fn cancel(&self, reason: &str) {
        self.0.send_if_modified(|wish| {
            let first = wish.is_none();
            if first {
                *wish = Some(reason.into());
            }
            first
        });
    }
}

impl CancellationToken {
    /// Waits until somebody wishes to stop; for ever, if nobody can any more.
    pub async fn cancelled(&self) {
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
