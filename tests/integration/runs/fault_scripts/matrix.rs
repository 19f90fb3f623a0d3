//! Every answer that a server can give, executed or not, to every request: the outcome is true in
//! every cell, and a restore brings everything back.

use std::sync::Arc;

use futures_util::StreamExt as _;
use recard::model::{CardKey, Outcome};
use serde_json::{Value, json};

use super::life::{Ended, Layouts, Life};
use super::script::{GET, RESET, SET};

/// Statuses that servers, proxies and content networks send.
const STATUSES: [u16; 79] = [
    200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400,
    401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421,
    422, 423, 424, 425, 426, 428, 429, 431, 440, 444, 449, 451, 460, 463, 494, 495, 496, 497, 498,
    499, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 521, 522, 523, 524, 525, 526,
    527, 530, 599,
];

/// Error codes of the portal (behavior notes, section 8.2), and some that it does not have.
const CODES: [&str; 25] = [
    "ERROR_METHOD_NOT_FOUND",
    "NO_AUTH_FOUND",
    "INVALID_CREDENTIALS",
    "authorization_error",
    "insufficient_scope",
    "INVALID_REQUEST",
    "OVERLOAD_LIMIT",
    "ACCESS_DENIED",
    "PORTAL_DELETED",
    "",
    "100",
    "ERROR_CORE",
    "INTERNAL_SERVER_ERROR",
    "OPERATION_TIME_LIMIT",
    "QUERY_LIMIT_EXCEEDED",
    "ERROR_BATCH_METHOD_NOT_ALLOWED",
    "ERROR_BATCH_LENGTH_EXCEEDED",
    "ERROR_UNEXPECTED_ANSWER",
    "ERROR_MANIFEST_IS_NOT_AVAILABLE",
    "expired_token",
    "invalid_token",
    "user_access_error",
    "WRONG_ENCODING",
    "WRONG_AUTH_TYPE",
    "SOMETHING_ELSE",
];

/// Bodies that come with status 200 and are no answer of a batch.
const BODIES: [&str; 9] = [
    "{\"result\":",
    "{\"result\":true}",
    "{\"result\":null,\"time\":{}}",
    "{\"result\":{}}",
    "{\"result\":{\"result\":[],\"result_error\":[]},\"time\":{}}",
    "{\"result\":{\"result\":{},\"result_error\":{\"b0\":7}}}",
    "[]",
    "null",
    "\u{feff}",
];

/// The request that meets the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    List,
    Get,
    Reset,
    Set,
    SingleSet,
}

#[derive(Clone, Debug)]
struct Cell {
    place: Place,
    script: Value,
    times: u32,
}

/// The cells of one fault at one place.
fn cells(place: Place, fault: &Value) -> impl Iterator<Item = Cell> {
    let of_command = fault["do"] == "answer-command";
    let target = match (place, of_command) {
        (Place::List, false) => json!({"inside": "user.get"}),
        (Place::Get, false) => json!({"inside": GET}),
        (Place::Reset, false) => json!({"inside": RESET}),
        (Place::Set, false) => json!({"inside": SET}),
        (Place::SingleSet, false) | (Place::Set | Place::SingleSet, true) => json!({"method": SET}),
        (Place::List, true) => json!({"method": "user.get"}),
        (Place::Get, true) => json!({"method": GET}),
        (Place::Reset, true) => json!({"method": RESET}),
    };
    let fault = fault.clone();
    // A read changes nothing, so that it makes no difference if it was executed.
    let variants: &[(u32, bool)] = match place {
        Place::List | Place::Get => &[(1, false)],
        Place::Reset | Place::Set | Place::SingleSet => &[(1, false), (1, true), (3, false)],
    };
    variants.iter().copied().map(move |(times, executed)| {
        let mut rule = fault.clone();
        rule.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
        // A cut connection says itself if the request was executed.
        if fault["do"] == "answer" || of_command {
            rule["executed"] = json!(executed);
        }
        rule["times"] = json!(times);
        Cell { place, script: json!([rule]), times }
    })
}

fn all_cells() -> Vec<Cell> {
    let answer = |status: u16, body: &str| json!({"do": "answer", "status": status, "body": body});
    let error = |code: &str| format!("{{\"error\":\"{code}\",\"error_description\":\"no\"}}");
    let page = "<html><body>no</body></html>";
    let of_requests = STATUSES
        .into_iter()
        .map(|status| answer(status, if status.is_multiple_of(2) { page } else { "" }))
        .chain(
            CODES
                .into_iter()
                .zip([200, 400].into_iter().cycle())
                .map(|(code, status)| answer(status, &error(code))),
        )
        .chain(BODIES.into_iter().map(|body| answer(200, body)))
        .chain(["cut-before", "cut-after", "truncate"].into_iter().map(|cut| json!({"do": cut})));
    let of_commands = CODES.into_iter().map(|code| json!({"do": "answer-command", "code": code}));
    let faults: Vec<Value> = of_requests.chain(of_commands).collect();
    let places = [Place::List, Place::Get, Place::Reset, Place::Set, Place::SingleSet];
    places
        .into_iter()
        .flat_map(|place| faults.iter().flat_map(move |fault| cells(place, fault)))
        .collect()
}

/// Plans, applies and restores with one fault at one place, and compares every report with the
/// portal.
async fn try_out(life: &Life, cell: &Cell) {
    life.reset();
    let none = json!([]);
    let at = |places: &[Place]| if places.contains(&cell.place) { &cell.script } else { &none };
    let before = life.layouts();
    let Some(applied) = life.apply(at(&[Place::List, Place::Get]), at(&[Place::Reset])).await
    else {
        assert!(matches!(cell.place, Place::List | Place::Get), "{cell:?}");
        assert_eq!(life.layouts(), before, "a plan writes nothing: {cell:?}");
        return;
    };
    let after = life.layouts();
    for (key, outcome) in &applied.outcomes {
        let (was, is) = (before.get(key), after.get(key));
        let holds = match outcome {
            Outcome::Reset | Outcome::ResetUnseen => is.is_none(),
            Outcome::NotAttempted(_) | Outcome::Refused { .. } | Outcome::StillCustomized => {
                is == was
            }
            Outcome::Unknown(_) => cell.times > 1,
            _ => false,
        };
        assert!(holds, "{key} is said to be {outcome:?}, was {was:?}, is {is:?}: {cell:?}");
    }
    untouched(&before, &after, &applied, cell);
    assert!(applied.sent || applied.outcomes.is_empty(), "{cell:?}");
    assert!(!applied.failed || cell.place == Place::Reset, "{cell:?}");

    if let Some(restored) = life.restore(&applied.log, at(&[Place::Set, Place::SingleSet])).await {
        let now = life.layouts();
        for (key, outcome) in &restored.outcomes {
            let holds = match outcome {
                Outcome::Restored | Outcome::RestoredUnseen => now.get(key) == before.get(key),
                Outcome::NotAttempted(_) | Outcome::Refused { .. } => {
                    now.get(key) == after.get(key)
                }
                Outcome::Unknown(_) => cell.times > 1,
                _ => false,
            };
            assert!(holds, "{key} is said to be {outcome:?} after a restore: {cell:?}");
        }
    }
    life.restore(&applied.log, &none).await;
    assert_eq!(life.layouts(), before, "a restore gives everything back: {cell:?}");
    assert_eq!(life.emulator.complaints(), [], "{cell:?}");
}

/// Cards without an intent are as before.
fn untouched(before: &Layouts, after: &Layouts, ended: &Ended, cell: &Cell) {
    let touched = |key: &CardKey| ended.intended(*key);
    let left = |layouts: &Layouts| {
        layouts
            .iter()
            .filter(|(key, _)| !touched(key))
            .map(|(key, one)| (*key, *one))
            .collect::<Vec<_>>()
    };
    assert_eq!(left(before), left(after), "{cell:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_answered_in_any_way_has_a_true_outcome_and_can_be_restored() {
    let cells = Arc::new(all_cells());
    let workers = 12;
    let tries = futures_util::stream::iter(0..workers).map(|worker| {
        let cells = Arc::clone(&cells);
        tokio::spawn(async move {
            let life = Life::start().await;
            for cell in cells.iter().skip(worker).step_by(workers) {
                try_out(&life, cell).await;
            }
        })
    });
    let ended: Vec<_> = tries.buffer_unordered(workers).collect().await;
    assert!(ended.iter().all(Result::is_ok), "some cells failed; what they said stands above");
}
