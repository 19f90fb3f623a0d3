//! How the client works, and what it tells while it does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::quota::{Limit, Rate};
use crate::rate_limiter::LimiterLevel;

/// Who is told what the client does beside its work. Called from the client's tasks: it must return
/// at once.
pub type EventHook = Arc<dyn Fn(ClientEvent) + Send + Sync>;

/// How a client works. The defaults are for a cloud portal on a standard plan.
#[derive(Clone)]
pub struct ClientSettings {
    /// Value of the header `User-Agent`.
    pub user_agent: String,
    /// How many requests the portal takes.
    pub rate: Rate,
    /// Which share of the portal's operating time this program takes for itself; the rest is left
    /// to others.
    pub operating_share: f64,
    /// How many requests may be in flight at once.
    pub connections: usize,
    /// How long to wait for an answer. The cloud cuts a request after 60 seconds; a client that
    /// gives up earlier does not learn what became of it.
    pub request_timeout: Duration,
    /// How much trouble is put up with.
    pub retry_budget: RetryBudget,
    /// How long after connecting the client stops sending.
    pub deadline: Option<Duration>,
    /// What the portal's limits stand at, if an earlier process has left it.
    pub level: Option<LimiterLevel>,
    /// How other machines are reached.
    pub network: Network,
    /// Who is told about waits, refusals and repeats.
    pub events: EventHook,
}

/// How other machines are reached, as the environment says. Nothing of it is about this machine.
#[derive(Clone, Default)]
pub struct Network {
    /// The address of the proxy; it may hold a password.
    pub proxy: Option<String>,
    /// The hosts that are reached without it, in the form of `NO_PROXY`.
    pub no_proxy: String,
    /// Texts with root certificates (PEM) that are trusted in place of those of the system; none if
    /// those are trusted.
    pub roots: Option<Vec<Vec<u8>>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy, no_proxy, roots } = self;
        f.debug_struct("Network")
            .field("proxy", &proxy.is_some())
            .field("no_proxy", no_proxy)
            .field("roots", &roots.as_ref().map(Vec::len))
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
            events: Arc::new(|_| {}),
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
            events: _,
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
            .finish_non_exhaustive()
    }
}

/// How much trouble is put up with: the one budget that all layers draw on, so that repeats never
/// multiply.
///
/// A refusal because of a limit is no trouble: the portal is well, and the request only has to
/// wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// How many repeats the client can owe. A repeat or a narrowing takes one, every success gives
    /// a half back, so that single faults in a long run do not add up, and a portal that fails all
    /// the time is given up soon.
    pub retries: u32,
    /// How long one request may be in trouble before it is given up. Twenty seconds outlast a
    /// restart of the portal's servers, and nobody who looks at the progress thinks that the
    /// program hangs.
    pub max_elapsed: Duration,
    /// The first pause before a repeat; each further one is twice as long, with jitter, up to
    /// `max_backoff`.
    pub initial_backoff: Duration,
    /// The longest pause before a repeat.
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

/// What the client does beside its work. No event holds an address, a parameter or content.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// A request waits until the limit allows it.
    Waiting {
        /// Which limit.
        limit: Limit,
        /// How long.
        time: Duration,
    },
    /// The portal refused a request or a command because of a limit; it will be repeated.
    Throttled(Limit),
    /// A request did not succeed and will be repeated.
    RequestRetried {
        /// What came instead of an answer.
        reason: String,
        /// How long it waits before.
        pause: Duration,
    },
    /// Some commands of a batch had no usable answer, or a list changed while it was read: what
    /// only reads is asked once more.
    ReadRetried {
        /// Why.
        reason: String,
    },
    /// A batch did not succeed and is sent again in two halves, to find the command that is to
    /// blame.
    BatchSplit {
        /// How many commands it had.
        commands: usize,
        /// What came instead of an answer.
        reason: String,
    },
}
