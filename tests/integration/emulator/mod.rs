//! Rules of the portal beyond its recordings: other values, other encodings, other releases.

mod addressing;
mod batch;
mod cards;
mod discovery;
mod fault_injection;
mod kinds;
mod lint;
mod lint_cards;
mod lists;
mod portals;
mod recordings;
mod serving;

use serde_json::Value;

use crate::support::portal::Portal;

const RESET: &str = "crm.lead.details.configuration.reset";
const GET: &str = "crm.lead.details.configuration.get";
const SET: &str = "crm.lead.details.configuration.set";
const FORCE: &str = "crm.lead.details.configuration.forceCommonScopeForAll";

/// Returns the people who lose a card by a reset with these parameters.
fn resets(portal: &Portal, parameters: Value) -> Vec<String> {
    portal
        .removed(|portal| assert_eq!(portal.ask(RESET, parameters.clone()).0, 200, "{parameters}"))
}

/// The same with the webhook of user 9, so that the caller and user 1 are two.
fn resets_by_nine(portal: &Portal, parameters: &Value) -> Vec<String> {
    portal.removed(|portal| {
        let (status, answer) = portal.ask_as("9/crmadminsecret09", RESET, parameters.clone());
        assert_eq!(status, 200, "{parameters} {answer}");
    })
}

/// Returns the people who lose a card by a reset with a body that is not JSON.
fn resets_by(
    portal: &Portal,
    verb: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> Vec<String> {
    portal.removed(|portal| {
        let path = format!("/1/adminsecret00001/{path}");
        let answer = portal.send(verb, &path, &[("Content-Type", content_type)], body).unwrap();
        assert_eq!(answer.status, 200);
    })
}
