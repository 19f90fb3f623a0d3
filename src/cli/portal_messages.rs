//! Messages about events of the connection to a portal.

use crate::i18n::Text;
use crate::portal::{Limit, PortalEvent};

/// Wait in seconds from which a notice is printed.
const LONG_WAIT_SECONDS: u64 = 5;

/// Returns the message for an event of the connection; `None` for short waits.
pub(super) fn user_message(event: &PortalEvent) -> Option<Text> {
    let limit = |limit: &Limit| match limit {
        Limit::Rate => tr!("requests"),
        Limit::OperatingTime => tr!("operating time"),
    };
    match event {
        PortalEvent::Waiting { limit: which, time } if time.as_secs() >= LONG_WAIT_SECONDS => Some(
            tr!("waiting {} s: the portal's limit on {} is reached", time.as_secs(), limit(which)),
        ),
        PortalEvent::Waiting { .. } => None,
        PortalEvent::Throttled(which) => Some(tr!(
            "the portal refused a request for its limit on {}; it is repeated",
            limit(which)
        )),
        PortalEvent::RequestRetried { reason, .. } => {
            Some(tr!("a request had no usable answer ({reason}); it is repeated", reason))
        }
        PortalEvent::ReadRetried { reason } => {
            Some(tr!("{reason}; asking again", reason = Text::from_msgid(reason)))
        }
        PortalEvent::BatchSplit { commands, reason } => Some(tr!(
            "a request with {commands} commands had no usable answer ({reason}); looking for the one to blame",
            commands,
            reason
        )),
    }
}
