//! The HTTP adapter: a portal as [`crate::port::ReadPortal`] and [`crate::port::WritePortal`].
//!
//! From the outside in: [`HttpPortal`] gives out the rights to read and to write; `reading` and
//! `writing` put questions into the portal's words; `listing` and `reads` bring many commands
//! through, page by page and batch by batch; `client` makes one call and repeats it where that is
//! safe; `chunking` says how much a request carries; `admission` lets each wait for the limits,
//! which `rate_limiter` models with `leaky_bucket` and `method_budget`; `transport` alone touches
//! the network; [`wire`] alone knows what answers look like.
//!
//! Promises: every request is complete in itself and names whose card it means; a write is never
//! sent again once it may have been carried out; results are matched by key; the webhook's secret
//! is in no error, no log and no event.

mod admission;
mod batch;
mod card_form;
mod chunking;
mod client;
mod command;
mod encode;
mod estimate;
mod examine;
mod exchange;
#[cfg(test)]
mod fake;
mod handle;
mod latency;
mod leaky_bucket;
mod listing;
#[cfg(test)]
mod loopback;
mod method_budget;
#[cfg(test)]
mod pacing_tests;
mod quota;
mod rate_limiter;
mod reading;
mod reads;
#[cfg(test)]
mod scenarios;
mod seen;
mod settings;
mod statistics;
mod transport;
mod trial;
mod webhook;
pub mod wire;
mod writing;

pub use estimate::{Forecast, Task};
pub use examine::{Availability, Examination};
pub use handle::{HttpPortal, PortalReader, PortalWriter};
pub use quota::{ParseRateError, Rate};
pub use rate_limiter::LimiterLevel;
pub use settings::{EventHook, Limit, Network, PortalEvent, PortalSettings, RetryBudget};
pub use statistics::Statistics;
pub use transport::ConnectError;
pub use webhook::{WebhookUrl, WebhookUrlError};
