//! The HTTP adapter: a portal as [`crate::ports::ReadPortal`] and [`crate::ports::WritePortal`].
//!
//! From the outside in: [`HttpPortal`] gives out the rights to read and to write; `queries` and
//! `mutations` put questions into the portal's words; `pagination` and `batch_reader` bring many commands
//! through, page by page and batch by batch; `rest_client` makes one call and repeats it where that is
//! safe; `chunking` says how much a request carries; `admission` lets each wait for the limits,
//! which `rate_limiter` models with `leaky_bucket` and `method_budget`; `transport` alone touches
//! the network; [`wire`] alone knows what answers look like.
//!
//! Promises: every request is complete in itself and names whose card it means; a write is never
//! sent again once it may have been carried out; results are matched by key; the webhook's secret
//! is in no error, no log and no event.

mod admission;
mod batch;
mod batch_call;
mod batch_reader;
mod chunking;
#[cfg(test)]
mod client_tests;
mod diagnostics;
mod encode;
mod estimate;
#[cfg(test)]
mod fake_transport;
mod http_portal;
mod latency;
mod layout_cache;
mod layout_query;
mod leaky_bucket;
mod method_budget;
mod methods;
mod metrics;
mod mutations;
#[cfg(test)]
mod pacing_tests;
mod pagination;
mod queries;
mod quota;
mod rate_limiter;
mod rest_client;
mod retry;
mod settings;
mod transport;
#[cfg(test)]
mod transport_tests;
mod webhook;
pub mod wire;

pub use diagnostics::{MethodAvailability, PortalDiagnostics};
pub use estimate::{Estimate, PlannedWork};
pub use http_portal::{HttpPortal, PortalReader, PortalWriter};
pub use metrics::RequestMetrics;
pub use quota::{ParseRateError, Rate};
pub use rate_limiter::LimiterLevel;
pub use settings::{EventHook, Limit, Network, PortalEvent, PortalSettings, RetryBudget};
pub use transport::ConnectError;
pub use webhook::{WebhookUrl, WebhookUrlError};
