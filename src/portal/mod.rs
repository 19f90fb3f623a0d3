//! The HTTP adapter: a portal as [`crate::port::ReadPortal`] and [`crate::port::WritePortal`].
mod batch;
mod command;
mod counter;
mod encode;
mod limiter;
mod operating;
mod rate;
mod settings;
mod webhook;
pub mod wire;

pub use limiter::{LimiterLevel, OPERATING_MINUTES};
pub use rate::{ParseRateError, Rate};
pub use settings::{EventHook, Limit, PortalEvent, PortalSettings, RetryBudget};
pub use webhook::{WebhookUrl, WebhookUrlError};
