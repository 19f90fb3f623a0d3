//! Admin API of the emulator: state, counters, complaints and faults, at an address of its own.
//!
//! A page in a browser gets no access: requests of a page carry `Origin`, and requests by a foreign
//! host name carry it in `Host`; both are refused while the address is a loopback one.
//!
//! | request | effect |
//! |---|---|
//! | `GET /state` | returns the state: `variant`, `environment`, `portal`, `options` |
//! | `PUT /state` | replaces it; missing parts of `portal` come from the base portal |
//! | `DELETE /state` | restores the first state |
//! | `PUT /seed` | starts from `"company"`, `"empty"` or `"users=N"` |
//! | `GET /counters`, `DELETE /counters` | returns or resets the counters |
//! | `GET /complaints`, `DELETE /complaints` | returns or clears the complaints |
//! | `PUT /faults`, `DELETE /faults` | sets or removes a fault script |
//! | `GET /portals` | returns the names of several portals; `/portals/NAME/state` and so on is one of them |
//! | `PUT /history`, `GET /history`, `DELETE /history` | starts, returns or stops the event log |

use std::net::IpAddr;

use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, header};
use serde_json::{Value, json};

use crate::fault_injection::FaultScript;
use crate::limits::LimitLevels;
use crate::portals::Portals;
use crate::seed::Seed;
use crate::server_state::{Counters, EmulatedPortal, ServerState};
use crate::state::PortalState;

/// Answers an admin request about one of several portals, or about the first one.
pub(super) fn answer_for(
    portals: &Portals,
    method: &Method,
    path: &str,
    body: &[u8],
) -> (u16, String) {
    let Some(rest) = path.strip_prefix("/portals") else {
        return answer(&portals.first, method, path, body);
    };
    let Some((name, rest)) = rest.strip_prefix('/').and_then(|rest| rest.split_once('/')) else {
        let names: Vec<&String> = portals.named.keys().collect();
        return (200, json!(names).to_string());
    };
    match portals.named.get(name.split(':').next().unwrap_or(name)) {
        Some(portal) => answer(portal, method, &format!("/{rest}"), body),
        None => (404, json!({ "error": "no such portal" }).to_string()),
    }
}

/// Answers an admin request with a status and JSON.
pub(super) fn answer(
    portal: &EmulatedPortal,
    method: &Method,
    path: &str,
    body: &[u8],
) -> (u16, String) {
    let (status, value) = match handle(portal, method, path, body) {
        Ok(value) => (200, value),
        Err((status, text)) => (status, json!({ "error": text })),
    };
    (status, value.to_string())
}

fn handle(
    portal: &EmulatedPortal,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Result<Value, (u16, String)> {
    let read = || -> Result<Value, (u16, String)> {
        serde_json::from_slice(body)
            .map_err(|problem| (400, format!("the body is not JSON: {problem}")))
    };
    let mut server = portal.server();
    let value =
        |part: serde_json::Result<Value>| part.map_err(|problem| (500, problem.to_string()));
    match (method.as_str(), path.trim_end_matches('/')) {
        ("GET", "/state") => Ok(server.state.to_json()),
        ("PUT", "/state") => {
            let state =
                PortalState::from_json(&read()?).map_err(|problem| (400, problem.to_string()))?;
            replace(&mut server, state);
            Ok(json!({}))
        }
        ("DELETE", "/state") => {
            let first = PortalState::clone(&server.first);
            replace(&mut server, first);
            Ok(json!({}))
        }
        ("PUT", "/seed") => {
            let Value::String(text) = read()? else {
                return Err((400, "the body is the name of a seed, a JSON text".into()));
            };
            let seed: Seed = text.parse().map_err(|problem| (400, problem))?;
            replace(&mut server, seed.state().map_err(|problem| (500, problem.to_string()))?);
            Ok(json!({}))
        }
        ("GET", "/counters") => value(serde_json::to_value(&server.counters)),
        ("DELETE", "/counters") => {
            server.counters = Counters::default();
            Ok(json!({}))
        }
        ("GET", "/complaints") => value(serde_json::to_value(&server.complaints)),
        ("DELETE", "/complaints") => {
            server.complaints.clear();
            Ok(json!({}))
        }
        ("PUT", "/faults") => {
            server.faults =
                FaultScript::read(&read()?).map_err(|problem| (400, problem.to_string()))?;
            server.reset_expired();
            Ok(json!({}))
        }
        ("DELETE", "/faults") => {
            server.faults = FaultScript::default();
            server.reset_expired();
            Ok(json!({}))
        }
        ("PUT", "/history") => {
            server.event_log.start();
            Ok(json!({}))
        }
        ("GET", "/history") => value(serde_json::to_value(server.event_log.events())),
        ("DELETE", "/history") => {
            server.event_log.stop();
            Ok(json!({}))
        }
        (_, "/state" | "/seed" | "/counters" | "/complaints" | "/faults" | "/history") => {
            Err((405, "not with this method".into()))
        }
        _ => Err((
            404,
            "there are /state, /seed, /counters, /complaints, /faults and /history".into(),
        )),
    }
}

/// Returns `true` if a request may come from a page in a browser, or by a foreign name of this
/// machine.
pub(super) fn comes_from_a_page(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::ORIGIN) {
        return true;
    }
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let Ok(authority) = host.parse::<Authority>() else { return true };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name != "localhost" && name.parse::<IpAddr>().is_err()
}

/// Replaces the whole state, the limits' levels and expired webhooks included.
pub(super) fn replace(server: &mut ServerState, mut state: PortalState) {
    state.changes = server.state.changes + 1;
    server.state = state;
    server.levels = LimitLevels::default();
    server.reset_expired();
}
