//! REST client of a Bitrix24 portal.
//!
//! Each type holds the one below and never calls up: [`Paginator`] (lists in pages),
//! [`BatchExecutor`] (batches, bisection), [`RestClient`] (one call: admission, retry, error
//! classes), [`Transport`] (HTTP). The rate limiter is a pure state machine.
#![doc = include_str!("../README.md")]

mod admission;
mod batch;
mod batch_executor;
mod batch_response;
mod chunking;
mod client_state;
mod command;
mod error;
mod latency;
mod leaky_bucket;
mod method_budget;
mod metrics;
mod pagination;
pub mod php_json;
mod probe;
mod quota;
mod rate_limiter;
mod request;
mod response;
mod response_error;
mod rest_client;
mod retry;
mod settings;
mod tls;
mod total_rate;
mod transport;
mod webhook;

pub use batch::{Batch, MAX_COMMANDS};
pub use batch_executor::{
    BatchExecutor, CommandResult, CommandResults, CommandSuccess, NOT_EXECUTED, ReadResult,
};
pub use batch_response::{BatchResponse, CommandResponse, RawCommandResult};
pub use chunking::Workload;
pub use command::{BATCH, BatchCommand};
pub use error::{
    CallError, ClientError, ConnectError, IndeterminateCause, Lane, Refusal, Rejection, StopReason,
};
pub use metrics::{LimitWaits, RequestMetrics};
pub use pagination::{PAGE, PageItem, PagedQuery, Paginator};
pub use quota::{Limit, ParseRateError, Rate};
pub use rate_limiter::{Budget, CallWeights, LimiterLevel};
pub use request::{Request, RoundTrip};
pub use response::{Success, Times, WholeSeconds, decode};
pub use response_error::{CommandError, FailureClass, ResponseError};
pub use rest_client::RestClient;
pub use retry::{Idempotency, RetryState};
pub use settings::{ClientEvent, ClientSettings, EventHook, Network, RetryBudget, WritePermit};
pub use tls::TrustedRoots;
pub use total_rate::TotalRate;
pub use transport::{HttpResponse, HttpTransport, ResponseOrigin, Transport, TransportError};
pub use webhook::{WebhookUrl, WebhookUrlError};
