//! Futures in functions that are not async.

/// Future that a function waits for without being async.
pub trait Wait: Future + Sized {
    /// Waits for the end of the future, on a thread of its own: the caller may have a runtime.
    fn wait(self) -> Self::Output
    where
        Self: Send,
        Self::Output: Send,
    {
        std::thread::scope(|scope| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            scope.spawn(|| runtime.unwrap().block_on(self)).join().unwrap()
        })
    }
}

impl<F: Future> Wait for F {}
