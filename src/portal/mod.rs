//! Adapter of [`crate::ports::ReadPortal`] and [`crate::ports::WritePortal`] over the REST client
//! `bitrix24`.
//!
//! [`HttpPortal`] gives out the rights to read and to write. `queries` and `mutations` translate
//! them into methods of the portal, `address` and `methods` name all of these methods, and [`wire`]
//! turns results into values of the model. `error` maps the errors of the client to those of the
//! port.
//!
//! Promises: every request is complete in itself and names whose card it means; a write is never
//! sent again once it may have been executed; results are matched by key; the secret of the webhook
//! is in no error, no log and no event.

mod address;
mod catalog;
mod client;
mod connect;
mod diagnostics;
mod error;
mod estimate;
mod http_portal;
mod layout_cache;
mod layout_query;
mod method_lookup;
mod methods;
mod mutations;
mod queries;
mod webhook;
pub mod wire;

pub use address::MethodFamily;
pub use bitrix24::{
    ClientEvent as PortalEvent, ClientSettings as PortalSettings, EventHook, Limit, LimiterLevel,
    Network, ParseRateError, Rate, RequestMetrics, RetryBudget, TotalRate, TrustedRoots,
    WritePermit,
};
pub use connect::ConnectError;
pub use diagnostics::{MissingPipeline, PortalDiagnostics};
pub use estimate::{Estimate, PlannedWork};
pub use http_portal::{HttpPortal, PortalReader, PortalWriter};
pub use method_lookup::MethodAvailability;
pub use webhook::{WebhookUrl, WebhookUrlError};
