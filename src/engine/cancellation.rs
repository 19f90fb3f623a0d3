//! Cancellation token: from a signal or a deadline to the code that starts new requests.

use std::sync::Arc;

use tokio::sync::watch;

/// Sending side, which cancels.
#[derive(Clone, Debug)]
pub struct CancellationHandle(Arc<watch::Sender<Option<Arc<str>>>>);

/// Receiving side, which is checked before new work starts.
#[derive(Clone, Debug)]
pub struct CancellationToken(watch::Receiver<Option<Arc<str>>>);

/// Creates both sides.
pub fn cancellation() -> (CancellationHandle, CancellationToken) {
    let (sender, receiver) = watch::channel(None);
    (CancellationHandle(Arc::new(sender)), CancellationToken(receiver))
}

impl CancellationHandle {
    /// Cancels with a reason. The first reason stays.
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
    /// Waits for the cancellation; forever, if the handle is gone.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns the reason of the cancellation, if it was cancelled.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }
}
