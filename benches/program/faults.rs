//! Runs with one fault.

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::process::Place;

/// Number of people on the portal.
const USERS: u64 = 250;

/// One fault at a time, and how much longer the run takes with it than without.
pub(super) async fn faults() {
    println!("\n### One fault in plan + apply of 250 users\n");
    println!(
        "| fault | at | seconds more than the quiet run | exit code | left after a further apply |"
    );
    println!("|---|---|---|---|---|");
    let kind = Kind::standard(1.0, 1);
    let mut quiet: Vec<f64> = Vec::new();
    for _ in 0..3 {
        quiet.push(faulty(kind, None).await.wall);
    }
    quiet.sort_by(f64::total_cmp);
    let usual = quiet[1];
    println!("| none | | {:.1} to {:.1} | 0 | nothing |", quiet[0] - usual, quiet[2] - usual);
    let plan_requests = {
        let portal = kind.portal(USERS).await;
        let place = Place::new(&portal, USERS);
        place.measure(&portal.webhook, &["plan", "-f", "bench.yaml", "--rate", &kind.rate()]).await;
        portal.counter("requests").await
    };
    for effect in [
        "rate-limit",
        "operating-time",
        "html-before",
        "html-after",
        "html-ok",
        "cut-before",
        "cut-after",
        "truncate",
        "slow",
        "redirect",
        "overload",
        "access-denied",
        "expire-webhook",
        "fail-command",
        "limit-command",
        "rate-limit-command",
        "skip-command",
        "fatal",
    ] {
        for (at, request, method) in [("a read", 5, "get"), ("a reset", plan_requests + 2, "reset")]
        {
            let mut rule = match effect {
                // These strike a command and not a request.
                "fail-command" | "limit-command" | "rate-limit-command" | "skip-command"
                | "fatal" => {
                    json!({"method": format!("crm.lead.details.configuration.{method}"), "nth": 20})
                }
                _ => json!({"method": "batch", "nth": request}),
            };
            rule["do"] = json!(effect);
            let mut title = effect.to_owned();
            if effect == "slow" {
                // A slow write is waited for: nothing may be sent a second time.
                let seconds = if method == "reset" { 10 } else { 1 };
                rule["ms"] = json!(seconds * 1000);
                title = format!("{effect}, {seconds} s");
            }
            row(kind, &title, at, usual, (rule, 1)).await;
        }
    }
    for times in [5, 12] {
        for (at, request) in [("the reads", 5), ("the resets", plan_requests + 2)] {
            let rule =
                json!({"method": "batch", "from": request, "times": times, "do": "rate-limit"});
            row(kind, &format!("rate-limit, {times} in a row"), at, usual, (rule, times)).await;
        }
    }
}

/// Prints the row of a rule that strikes so many times; `usual` is the time of a quiet run.
async fn row(kind: Kind, title: &str, at: &str, usual: f64, (rule, times): (Value, u64)) {
    let Ran { wall, code, struck, left } = faulty(kind, Some(rule)).await;
    assert_eq!(struck, times, "{title} at {at} did not strike");
    println!("| {title} | {at} | {:.1} | {code} | {left} |", wall - usual);
}

/// Result of a run with a fault.
struct Ran {
    wall: f64,
    code: i32,
    /// The number of faults.
    struck: u64,
    /// Whether a further apply finds its way to the end.
    left: &'static str,
}

/// An apply under a fault, and a further one without.
async fn faulty(kind: Kind, rule: Option<Value>) -> Ran {
    let portal = kind.portal(USERS).await;
    let place = Place::new(&portal, USERS);
    let rate = kind.rate();
    let state = portal.get("state").await;
    if let Some(rule) = &rule {
        portal.put("faults", &json!([rule])).await;
    }
    let apply = ["apply", "-f", "bench.yaml", "--rate", &rate, "--auto-approve"];
    let taken = place.measure(&portal.webhook, &apply).await;
    let struck = portal.counter("faults").await;
    portal.put("faults", &json!([])).await;
    // A webhook that has expired is made good again; the rows stay as they are.
    let mut now = portal.get("state").await;
    now["portal"] = state["portal"].clone();
    portal.put("state", &now).await;
    let again = place.measure(&portal.webhook, &apply).await;
    let plan = ["plan", "-f", "bench.yaml", "--rate", &rate, "--detailed-exitcode"];
    let settled = place.measure(&portal.webhook, &plan).await;
    let left = if again.code == 0 && settled.code == 0 { "nothing" } else { "something" };
    Ran { wall: taken.wall, code: taken.code, struck, left }
}
