//! The HTTP adapter: a portal as [`crate::port::ReadPortal`] and [`crate::port::WritePortal`].
//!
//! From the outside in: [`HttpPortal`] gives out the rights to read and to write; `reading` and `writing` put questions
//! into the portal's words; `listing` and `reads` bring many commands through, page by page and batch by batch; `client`
//! makes one call and repeats it where that is safe; `sizing` and `schedule` say how much the next request should carry,
//! from what `timing` has learned; `gate` lets it wait for the limits, which `limiter` models; `transport` alone touches the
//! network; [`wire`] alone knows what answers look like.
//!
//! Promises: every request is complete in itself and names whose card it means; a write is never sent again once it may
//! have been carried out; results are matched by key; the webhook's secret is in no error, no log and no event.

mod batch;
mod card_form;
mod client;
mod command;
mod counter;
mod encode;
mod examine;
mod exchange;
#[cfg(test)]
mod fake;
mod forecast;
mod gate;
mod handle;
mod limiter;
mod listing;
#[cfg(test)]
mod loopback;
mod operating;
mod rate;
mod reading;
mod reads;
#[cfg(test)]
mod scenarios;
mod schedule;
mod seen;
mod settings;
#[cfg(test)]
mod size_scenarios;
mod sizing;
mod statistics;
mod timing;
mod transport;
mod trial;
mod under_way;
mod webhook;
pub mod wire;
mod writing;

pub use examine::{Availability, Examination};
pub use forecast::{Forecast, Task};
pub use handle::{AheadOfResets, HttpPortal, PortalReader, PortalWriter};
pub use limiter::{LimiterLevel, OPERATING_MINUTES};
pub use rate::{ParseRateError, Rate};
pub use settings::{EventHook, Limit, PortalEvent, PortalSettings, RetryBudget};
pub use statistics::Statistics;
pub use transport::ConnectError;
pub use webhook::{WebhookUrl, WebhookUrlError};
