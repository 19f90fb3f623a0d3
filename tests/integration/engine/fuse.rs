//! Death of the process at one step.

use std::sync::{Arc, Mutex};

/// Stops everything after a number of steps, as a killed process would.
#[derive(Clone, Default)]
pub(super) struct Fuse(Arc<Mutex<FuseState>>);

#[derive(Default)]
struct FuseState {
    left: Option<usize>,
    burnt: bool,
}

/// Side of a step on which the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Before,
    After,
}

impl Fuse {
    pub(super) fn after(steps: usize) -> Self {
        Self(Arc::new(Mutex::new(FuseState { left: Some(steps), burnt: false })))
    }

    pub(super) fn is_burnt(&self) -> bool {
        self.0.lock().unwrap().burnt
    }

    /// Executes a step, unless the process is dead. Returns `None` if it is, or died in this step.
    pub(super) fn step<T>(&self, cut: Cut, act: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.0.lock().unwrap();
        if state.burnt {
            return None;
        }
        match &mut state.left {
            Some(0) => {
                state.burnt = true;
                if cut == Cut::After {
                    act();
                }
                None
            }
            Some(left) => {
                *left -= 1;
                Some(act())
            }
            None => Some(act()),
        }
    }
}
