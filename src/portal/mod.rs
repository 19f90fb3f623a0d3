//! HTTP adapter: a portal as [`crate::ports::ReadPortal`] and [`crate::ports::WritePortal`].
//!
//! From the outside in: [`HttpPortal`] gives out the rights to read and to write; `queries` and
//! `mutations` translate calls into methods of the portal; `pagination` and `batch_reader` send
//! many commands, page by page and batch by batch; `rest_client` makes one call and repeats it
//! where that is safe; `chunking` chooses the size of a request; `admission` lets each request wait
//! for the limits, which `rate_limiter` models with `leaky_bucket` and `method_budget`; `transport`
//! alone touches the network; [`wire`] alone knows the form of answers.
//!
//! Guarantees: every request is complete in itself and names the owner of its card; a write is
//! never repeated once it may have been executed; results are matched by key; the webhook's secret
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
