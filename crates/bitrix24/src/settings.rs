//! Settings of the client, and its events.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::quota::{Limit, Rate};
use crate::rate_limiter::LimiterLevel;
use crate::tls::TrustedRoots;
use crate::total_rate::TotalRate;

/// Observer of the client. Called from the client's tasks: it must return at once.
pub type EventHook = Arc<dyn Fn(ClientEvent) + Send + Sync>;

/// Permission to send a request that writes. Asked after the admission and immediately before each
/// such request, in both lanes; the error is the reason of a refusal. It must return at once.
pub type WritePermit = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Settings of a client. The defaults are for a cloud portal on a standard plan.
#[derive(Clone)]
pub struct ClientSettings {
    /// Value of the header `User-Agent`.
    pub user_agent: String,
    /// The rate of the portal's request limit.
    pub rate: Rate,
    /// The share of the portal's operating time for this program; the rest is left to others.
    pub operating_share: f64,
    /// The maximum number of requests in flight.
    pub connections: usize,
    /// The timeout of an answer. The cloud cuts a request after 60 seconds; a client with a shorter
    /// timeout does not learn its result.
    pub request_timeout: Duration,
    /// The retry budget.
    pub retry_budget: RetryBudget,
    /// The time after connecting at which the client stops sending.
    pub deadline: Option<Duration>,
    /// The state of the rate limiter from an earlier process.
    pub level: Option<LimiterLevel>,
    /// The network settings.
    pub network: Network,
    /// The cap that this client shares with others.
    pub total_rate: Option<Arc<TotalRate>>,
    /// The observer of waits, refusals and retries.
    pub events: EventHook,
    /// The permission for each request that writes; by default always given.
    pub write_permit: WritePermit,
}

/// Network settings from the environment. None of them applies to this machine itself.
#[derive(Clone, Default)]
pub struct Network {
    /// The URL of the proxy; it may hold a password.
    pub proxy: Option<String>,
    /// The hosts without a proxy, in the form of `NO_PROXY`.
    pub no_proxy: String,
    /// Root certificates that are trusted.
    pub roots: TrustedRoots,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy, no_proxy, roots } = self;
        f.debug_struct("Network")
            .field("proxy", &proxy.is_some())
            .field("no_proxy", no_proxy)
            .field("roots", roots)
            .finish()
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            user_agent: concat!("bitrix24-rs/", env!("CARGO_PKG_VERSION")).to_owned(),
            rate: Rate::default(),
            operating_share: 0.8,
            connections: 8,
            request_timeout: Duration::from_secs(75),
            retry_budget: RetryBudget::default(),
            deadline: None,
            level: None,
            network: Network::default(),
            total_rate: None,
            events: Arc::new(|_| {}),
            write_permit: Arc::new(|| Ok(())),
        }
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user_agent,
            rate,
            operating_share,
            connections,
            request_timeout,
            retry_budget,
            deadline,
            level,
            network,
            total_rate,
            events: _,
            write_permit: _,
        } = self;
        f.debug_struct("ClientSettings")
            .field("user_agent", user_agent)
            .field("rate", rate)
            .field("operating_share", operating_share)
            .field("connections", connections)
            .field("request_timeout", request_timeout)
            .field("retry_budget", retry_budget)
            .field("deadline", deadline)
            .field("level", level)
            .field("network", network)
            .field("total_rate", total_rate)
            .finish_non_exhaustive()
    }
}

/// Retry budget: one for all layers, so that retries never multiply.
///
/// A refusal because of a limit costs nothing: the portal is well, and the request only has to
/// wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// The maximum number of retries on credit. A retry or a split takes one, every success gives a
    /// half back, so that single faults in a long run do not add up, and a portal that fails all
    /// the time is given up soon.
    pub retries: u32,
    /// The maximum duration of a failure of one request. Twenty seconds outlast a restart of the
    /// portal's servers, and do not look like a hang in the progress.
    pub max_elapsed: Duration,
    /// The first backoff; each further one is twice as long, with jitter, up to `max_backoff`.
    pub initial_backoff: Duration,
    /// The longest backoff.
    pub max_backoff: Duration,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            retries: 200,
            max_elapsed: Duration::from_secs(20),
            initial_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(4),
        }
    }
}

/// Event of the client. No event holds a URL, a parameter or content.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// A request waits until the limit allows it.
    Waiting {
        /// The limit.
        limit: Limit,
        /// The waiting time.
        time: Duration,
    },
    /// The portal refused a request or a command because of a limit; it will be repeated.
    Throttled(Limit),
    /// A request failed and will be repeated.
    RequestRetried {
        /// The reason.
        reason: String,
        /// The backoff.
        pause: Duration,
    },
    /// Some commands of a batch had no usable answer, or a list changed while it was read: the
    /// reads are repeated.
    ReadRetried {
        /// The reason.
        reason: String,
    },
    /// A batch failed and is sent again in two halves, to find the bad command.
    BatchSplit {
        /// The number of its commands.
        commands: usize,
        /// The reason.
        reason: String,
    },
}
