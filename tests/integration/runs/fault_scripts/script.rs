//! Fault scripts, generated from a number: every effect of the emulator occurs, alone and together
//! with others.

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub const GET: &str = "crm.lead.details.configuration.get";
pub const RESET: &str = "crm.lead.details.configuration.reset";
pub const SET: &str = "crm.lead.details.configuration.set";

/// A generator of numbers that is the same everywhere (SplitMix64).
pub struct Numbers(u64);

impl Numbers {
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// Effects on whole requests.
const OF_REQUEST: [&str; 15] = [
    "rate-limit",
    "operating-time",
    "overload",
    "access-denied",
    "expire-webhook",
    "html-before",
    "html-after",
    "html-ok",
    "redirect",
    "cut-before",
    "cut-after",
    "cut-after",
    "truncate",
    "truncate",
    "slow",
];

/// Effects on single commands.
const OF_COMMAND: [&str; 8] = [
    "fail-command",
    "limit-command",
    "rate-limit-command",
    "skip-command",
    "fatal",
    "fatal",
    "save",
    "save",
];

/// Faults after which a portal takes nothing more from the process that met them: it must not even
/// ask.
pub const REJECTING: [&str; 4] = ["overload", "access-denied", "expire-webhook", "redirect"];

/// Faults that let something be carried out, or not, without a word of it.
pub const SILENCING: [&str; 7] =
    ["html-before", "html-after", "html-ok", "cut-before", "cut-after", "truncate", "fatal"];

/// One to four rules, each of which ends.
pub fn script(seed: u64) -> Value {
    let mut numbers = Numbers::of(seed);
    if numbers.below(4) == 0 {
        return doubt(&mut numbers);
    }
    let rules = numbers.below(4) + 1;
    Value::Array((0..rules).map(|_| rule(&mut numbers)).collect())
}

/// Answers to resets are lost, and then the portal turns the process away or people save: what
/// nobody can find out. Or somebody saves once, from the first read to the last.
fn doubt(numbers: &mut Numbers) -> Value {
    if numbers.below(3) == 0 {
        // Nothing is lost, but the plan is not what stands there any more.
        let mut save = json!({"method": GET, "nth": numbers.below(50) + 15, "do": "save"});
        save["row"] = row(numbers);
        return json!([save]);
    }
    let lost = json!({"inside": RESET, "times": numbers.below(3) + 1,
        "do": numbers.one_of(&["cut-before", "cut-after", "truncate", "html-after"])});
    let then = if numbers.below(2) == 0 {
        json!({"nth": numbers.below(10) + 10, "do": numbers.one_of(&REJECTING)})
    } else {
        let mut save =
            json!({"method": GET, "every": numbers.below(5) + 3, "times": 12, "do": "save"});
        save["row"] = row(numbers);
        save
    };
    json!([lost, then])
}

/// A row that somebody saves.
fn row(numbers: &mut Numbers) -> Value {
    let user = [7, 7, 12, 12, 14, 14, 18, 33][usize::try_from(numbers.below(8)).unwrap()];
    let title = format!("Saved {}", numbers.below(1000));
    json!({"user_id": user, "name": numbers.one_of(&["lead_details", "lead_details", "returning_lead_details"]),
        "value": [{"name": "main", "title": title, "type": "section", "elements": [{"name": "TITLE"}]}]})
}

fn rule(numbers: &mut Numbers) -> Value {
    let mut rule = match numbers.below(4) {
        0 => {
            json!({"method": numbers.one_of(&["batch", "*", SET]), "do": numbers.one_of(&OF_REQUEST)})
        }
        1 => {
            json!({"inside": numbers.one_of(&[RESET, RESET, GET]), "do": numbers.one_of(&OF_REQUEST)})
        }
        _ => {
            let methods = [GET, RESET, RESET, SET, "user.get", "department.get", "profile"];
            json!({"method": numbers.one_of(&methods), "do": numbers.one_of(&OF_COMMAND)})
        }
    };
    match numbers.below(3) {
        0 => rule["nth"] = json!(numbers.below(12) + 1),
        1 => rule["every"] = json!(numbers.below(5) + 2),
        _ => {
            rule["probability"] = json!((numbers.below(35) + 5) as f64 / 100.0);
            rule["seed"] = json!(numbers.below(1_000_000));
        }
    }
    rule["times"] = json!(numbers.below(4) + 1);
    if rule["do"] == "slow" {
        rule["ms"] = json!(numbers.below(30));
    }
    if rule["do"] == "save" {
        rule["row"] = row(numbers);
    }
    rule
}

/// A card as the portal keeps it: whose, and the name of the row.
pub type Row = (i64, String);

/// The rows that people save in a script.
pub fn saved(script: &Value) -> BTreeSet<Row> {
    let rows = script
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["do"] == "save")
        .map(|rule| &rule["row"]);
    rows.map(|row| (row["user_id"].as_i64().unwrap(), row["name"].as_str().unwrap().to_owned()))
        .collect()
}
