//! Faults by script: everything that goes wrong between a client and a portal, at a chosen request.
//!
//! A script is a JSON list of rules. A rule says which requests it is about (`method`: the method of the request, `batch`
//! included, or of a command in it; `*` at the end stands for anything), at which of them it strikes (`nth`, from 1; `every`
//! so many; `probability` with a `seed`; none of these: each), how often at most (`times`), and what happens:
//!
//! | `do` | what happens |
//! |---|---|
//! | `rate-limit` | 503 `QUERY_LIMIT_EXCEEDED`, nothing done |
//! | `operating-time` | 429 `OPERATION_TIME_LIMIT`, nothing done |
//! | `overload` | 401 `OVERLOAD_LIMIT`, nothing done |
//! | `expire-webhook` | 401 `INVALID_CREDENTIALS`, from now on |
//! | `html-before`, `html-after` | 502 and a page of HTML, before or after the request is carried out |
//! | `html-ok` | 200 and a page of HTML, nothing done |
//! | `redirect` | 302 to another address, nothing done |
//! | `cut-before`, `cut-after` | the connection ends without an answer, before or after the request is carried out |
//! | `truncate` | carried out, and the answer ends in the middle |
//! | `slow` | answered after `ms` milliseconds |
//! | `fail-command` | the command is refused with `ERROR_CORE`, nothing done; in a batch, the others go on |
//! | `limit-command` | the command is refused with `OPERATION_TIME_LIMIT`, nothing done |
//! | `fatal` | the handler breaks down in the command: status 500 for the whole request, earlier commands are done |
//! | `save` | just before the command is carried out, a person saves a card: `row` with `user_id`, `name` and `value` |
//!
//! ```json
//! [{"method": "batch", "nth": 3, "do": "cut-after"},
//!  {"method": "crm.lead.details.configuration.reset", "nth": 5, "do": "save",
//!   "row": {"user_id": 7, "name": "lead_details", "value": [{"name": "main", "title": "New"}]}}]
//! ```

use serde::Deserialize;
use thiserror::Error;

use super::php::Php;

/// A text is no script of faults.
#[derive(Debug, Error)]
#[error("not a script of faults: {0}")]
pub struct FaultScriptError(#[from] serde_json::Error);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    RateLimit,
    OperatingTime,
    Overload,
    ExpireWebhook,
    HtmlBefore,
    HtmlAfter,
    HtmlOk,
    Redirect,
    CutBefore,
    CutAfter,
    Truncate,
    Slow,
    FailCommand,
    LimitCommand,
    Fatal,
    Save,
}

/// A row that a person saves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedRow {
    pub(super) user_id: i64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) common: bool,
    pub(super) value: Php,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default = "any")]
    method: String,
    #[serde(default)]
    nth: Option<u64>,
    #[serde(default)]
    every: Option<u64>,
    #[serde(default)]
    probability: Option<f64>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    times: Option<u64>,
    #[serde(rename = "do")]
    effect: Effect,
    #[serde(default)]
    ms: u64,
    #[serde(default)]
    row: Option<SavedRow>,
    #[serde(skip)]
    met: u64,
    #[serde(skip)]
    struck: u64,
}

fn any() -> String {
    "*".to_owned()
}

/// A fault that strikes.
#[derive(Clone, Debug)]
pub(super) struct Strike {
    pub(super) effect: Effect,
    pub(super) ms: u64,
    pub(super) row: Option<SavedRow>,
}

/// The rules, with what they have seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
}

impl Faults {
    pub(super) fn read(script: &serde_json::Value) -> Result<Self, FaultScriptError> {
        Ok(Self { rules: serde_json::from_value(script.clone())? })
    }

    /// The faults that strike a request as a whole.
    pub(super) fn strike_request(&mut self, method: &str) -> Vec<Strike> {
        self.strike(method, Effect::is_of_request)
    }

    /// The faults that strike a command, alone or in a batch.
    pub(super) fn strike_command(&mut self, method: &str) -> Vec<Strike> {
        self.strike(method, |effect| !effect.is_of_request())
    }

    fn strike(&mut self, method: &str, is_meant: impl Fn(&Effect) -> bool) -> Vec<Strike> {
        let meant = self.rules.iter_mut().filter(|rule| is_meant(&rule.effect));
        meant.filter_map(|rule| rule.strike(method)).collect()
    }
}

impl Effect {
    fn is_of_request(&self) -> bool {
        !matches!(self, Self::FailCommand | Self::LimitCommand | Self::Fatal | Self::Save)
    }
}

impl Rule {
    fn strike(&mut self, method: &str) -> Option<Strike> {
        let fits = match self.method.strip_suffix('*') {
            Some(start) => method.starts_with(start),
            None => method.eq_ignore_ascii_case(&self.method),
        };
        if !fits {
            return None;
        }
        self.met += 1;
        let strikes = match (self.nth, self.every, self.probability) {
            (Some(nth), _, _) => self.met == nth,
            (None, Some(every), _) => every > 0 && self.met.is_multiple_of(every),
            (None, None, Some(probability)) => chance(self.seed, self.met) < probability,
            (None, None, None) => true,
        };
        if !strikes || self.times.is_some_and(|times| self.struck >= times) {
            return None;
        }
        self.struck += 1;
        Some(Strike { effect: self.effect, ms: self.ms, row: self.row.clone() })
    }
}

/// A number from 0 to 1 that depends on the seed and the number of the request alone (SplitMix64).
fn chance(seed: u64, number: u64) -> f64 {
    let mut mixed = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(script: serde_json::Value, calls: &[&str]) -> Vec<bool> {
        let mut faults = Faults::read(&script).unwrap();
        calls.iter().map(|method| !faults.strike_request(method).is_empty()).collect()
    }

    #[test]
    fn a_rule_strikes_where_it_says() {
        let calls = ["profile", "batch", "batch", "batch"];
        let script = serde_json::json!([{"method": "batch", "nth": 2, "do": "cut-after"}]);
        assert_eq!(struck(script, &calls), [false, false, true, false]);
        let script = serde_json::json!([{"method": "b*", "times": 2, "do": "slow", "ms": 5}]);
        assert_eq!(struck(script, &calls), [false, true, true, false]);
        let script = serde_json::json!([{"every": 2, "do": "html-before"}]);
        assert_eq!(struck(script, &calls), [false, true, false, true]);
    }

    #[test]
    fn chance_is_repeatable_and_fair() {
        let script = |seed: u64| serde_json::json!([{"probability": 0.25, "seed": seed, "do": "cut-before"}]);
        let calls = vec!["batch"; 4000];
        let one = struck(script(1), &calls);
        assert_eq!(one, struck(script(1), &calls));
        assert_ne!(one, struck(script(2), &calls));
        let count = one.iter().filter(|struck| **struck).count();
        assert!((900..1100).contains(&count), "{count}");
        assert!(Faults::read(&serde_json::json!([{"do": "explode"}])).is_err());
    }
}
