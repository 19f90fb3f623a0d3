//! Fault injection by script, at a chosen request.
//!
//! The form of a script stands in the documentation of [the crate](crate#how-it-fails), where
//! users find it.

use serde::Deserialize;
use thiserror::Error;

use crate::php::PhpValue;

/// Error: a value is not a fault script.
#[derive(Debug, Error)]
#[error("not a script of faults: {0}")]
pub struct FaultScriptError(String);

/// Effect of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FaultEffect {
    RateLimit,
    OperatingTime,
    Overload,
    AccessDenied,
    ExpireWebhook,
    HtmlBefore,
    HtmlAfter,
    HtmlOk,
    Redirect,
    CutBefore,
    CutAfter,
    Truncate,
    Slow,
    Answer,
    AnswerCommand,
    FailCommand,
    LimitCommand,
    RateLimitCommand,
    SkipCommand,
    Fatal,
    Save,
}

/// Scope of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FaultScope {
    Request,
    Command,
    CommandOfBatch,
}

/// Row that a person saves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedRow {
    pub(super) user_id: i64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) common: bool,
    pub(super) value: PhpValue,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultRule {
    #[serde(default = "any")]
    method: String,
    #[serde(default)]
    inside: Option<String>,
    #[serde(default)]
    nth: Option<u64>,
    #[serde(default)]
    from: Option<u64>,
    #[serde(default)]
    every: Option<u64>,
    #[serde(default)]
    probability: Option<f64>,
    #[serde(default)]
    seed: Option<u64>,
    #[serde(default)]
    times: Option<u64>,
    #[serde(rename = "do")]
    effect: FaultEffect,
    #[serde(default)]
    ms: Option<u64>,
    #[serde(default)]
    row: Option<SavedRow>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    executed: bool,
    #[serde(skip)]
    matched: u64,
    #[serde(skip)]
    injected: u64,
}

fn any() -> String {
    "*".to_owned()
}

/// Fault that applies to a request.
#[derive(Clone, Debug)]
pub(super) struct Injection {
    pub(super) effect: FaultEffect,
    pub(super) ms: u64,
    pub(super) row: Option<SavedRow>,
    /// The status in place of the portal's own.
    pub(super) status: u16,
    pub(super) body: String,
    /// The error code in place of the result of a command.
    pub(super) code: String,
    /// `true` if the request or command is executed all the same.
    pub(super) executed: bool,
}

/// Rules, with their counters.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultScript {
    rules: Vec<FaultRule>,
}

impl FaultScript {
    pub(super) fn read(script: &serde_json::Value) -> Result<Self, FaultScriptError> {
        let Some(list) = script.as_array() else {
            return Err(FaultScriptError("it is not a list of rules".into()));
        };
        let mut rules = Vec::new();
        for (index, rule) in list.iter().enumerate() {
            let wrong =
                |problem: String| FaultScriptError(format!("rule {}: {problem}", index + 1));
            let rule: FaultRule = serde_json::from_value(rule.clone())
                .map_err(|problem| wrong(problem.to_string()))?;
            rule.check().map_err(|problem| wrong(problem.to_owned()))?;
            rules.push(rule);
        }
        Ok(Self { rules })
    }

    /// Returns `true` if any rule needs the commands of a batch before its execution.
    pub(super) fn needs_inner_commands(&self) -> bool {
        self.rules.iter().any(|rule| rule.inside.is_some())
    }

    /// Returns the faults of a whole request; `commands` are its methods, if it is a batch.
    pub(super) fn inject_into_request(
        &mut self,
        method: &str,
        commands: &[String],
    ) -> Vec<Injection> {
        self.inject(method, commands, FaultScope::Request)
    }

    /// Returns the faults of a command, alone or in a batch.
    pub(super) fn inject_into_command(&mut self, method: &str) -> Vec<Injection> {
        self.inject(method, &[], FaultScope::Command)
    }

    /// Returns the faults of a command in a batch.
    pub(super) fn inject_into_batch_command(&mut self, method: &str) -> Vec<Injection> {
        self.inject(method, &[], FaultScope::CommandOfBatch)
    }

    fn inject(&mut self, method: &str, commands: &[String], scope: FaultScope) -> Vec<Injection> {
        let meant = self.rules.iter_mut().filter(|rule| rule.effect.applies_to() == scope);
        meant.filter_map(|rule| rule.inject(method, commands)).collect()
    }
}

impl FaultEffect {
    /// Returns its name in a script.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate-limit",
            Self::OperatingTime => "operating-time",
            Self::Overload => "overload",
            Self::AccessDenied => "access-denied",
            Self::ExpireWebhook => "expire-webhook",
            Self::HtmlBefore => "html-before",
            Self::HtmlAfter => "html-after",
            Self::HtmlOk => "html-ok",
            Self::Redirect => "redirect",
            Self::CutBefore => "cut-before",
            Self::CutAfter => "cut-after",
            Self::Truncate => "truncate",
            Self::Slow => "slow",
            Self::Answer => "answer",
            Self::AnswerCommand => "answer-command",
            Self::FailCommand => "fail-command",
            Self::LimitCommand => "limit-command",
            Self::RateLimitCommand => "rate-limit-command",
            Self::SkipCommand => "skip-command",
            Self::Fatal => "fatal",
            Self::Save => "save",
        }
    }

    fn applies_to(self) -> FaultScope {
        match self {
            Self::AnswerCommand
            | Self::FailCommand
            | Self::LimitCommand
            | Self::RateLimitCommand
            | Self::Fatal
            | Self::Save => FaultScope::Command,
            Self::SkipCommand => FaultScope::CommandOfBatch,
            _ => FaultScope::Request,
        }
    }
}

impl FaultRule {
    /// Refuses a rule that can never apply, or has no effect.
    fn check(&self) -> Result<(), &'static str> {
        let places = [
            self.nth.is_some(),
            self.from.is_some(),
            self.every.is_some(),
            self.probability.is_some(),
        ];
        if places.into_iter().filter(|given| *given).count() > 1 {
            return Err("only one of nth, from, every and probability can say where it strikes");
        }
        if [self.nth, self.from, self.every, self.times].contains(&Some(0)) {
            return Err("nth, from, every and times count from 1");
        }
        if self.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return Err("probability is a number from 0 to 1");
        }
        if self.seed.is_some() && self.probability.is_none() {
            return Err("seed goes with probability");
        }
        if self.inside.is_some() && self.effect.applies_to() != FaultScope::Request {
            return Err(
                "inside goes with what happens to a whole request; method names the command",
            );
        }
        if (self.effect == FaultEffect::Save) != self.row.is_some() {
            return Err("row goes with the effect save, which needs one");
        }
        if (self.effect == FaultEffect::Slow) != self.ms.is_some() {
            return Err("ms goes with the effect slow, which needs it");
        }
        if (self.effect == FaultEffect::Answer) != self.status.is_some() {
            return Err("status goes with the effect answer, which needs it");
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("status is a number from 200 to 599");
        }
        if self.body.is_some() && self.effect != FaultEffect::Answer {
            return Err("body goes with the effect answer");
        }
        if (self.effect == FaultEffect::AnswerCommand) != self.code.is_some() {
            return Err("code goes with the effect answer-command, which needs it");
        }
        if self.executed && !matches!(self.effect, FaultEffect::Answer | FaultEffect::AnswerCommand)
        {
            return Err("executed goes with the effects answer and answer-command");
        }
        Ok(())
    }

    fn inject(&mut self, method: &str, commands: &[String]) -> Option<Injection> {
        let holds_it = |wanted: &String| commands.iter().any(|command| fits(wanted, command));
        if !fits(&self.method, method) || !self.inside.as_ref().is_none_or(holds_it) {
            return None;
        }
        self.matched += 1;
        let applies = self.nth.is_none_or(|nth| self.matched == nth)
            && self.from.is_none_or(|from| self.matched >= from)
            && self.every.is_none_or(|every| self.matched.is_multiple_of(every))
            && self.probability.is_none_or(|probability| {
                chance(self.seed.unwrap_or(0), self.matched) < probability
            });
        if !applies || self.times.is_some_and(|times| self.injected >= times) {
            return None;
        }
        self.injected += 1;
        Some(Injection {
            effect: self.effect,
            ms: self.ms.unwrap_or(0),
            row: self.row.clone(),
            status: self.status.unwrap_or(200),
            body: self.body.clone().unwrap_or_default(),
            code: self.code.clone().unwrap_or_default(),
            executed: self.executed,
        })
    }
}

/// Returns `true` if a method, in lower case, is the one of a rule.
fn fits(wanted: &str, method: &str) -> bool {
    let wanted = wanted.to_ascii_lowercase();
    match wanted.strip_suffix('*') {
        Some(start) => method.starts_with(start),
        None => method == wanted,
    }
}

/// Returns a number from 0 to 1 that depends on the seed and the number of the request alone
/// (SplitMix64).
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

    fn injected(script: serde_json::Value, calls: &[&str]) -> Vec<bool> {
        let mut faults = FaultScript::read(&script).unwrap();
        calls.iter().map(|method| !faults.inject_into_request(method, &[]).is_empty()).collect()
    }

    #[test]
    fn fault_rule_applies_to_its_stated_requests() {
        let calls = ["profile", "batch", "batch", "batch"];
        let script = serde_json::json!([{"method": "batch", "nth": 2, "do": "cut-after"}]);
        assert_eq!(injected(script, &calls), [false, false, true, false]);
        let script = serde_json::json!([{"method": "b*", "times": 2, "do": "slow", "ms": 5}]);
        assert_eq!(injected(script, &calls), [false, true, true, false]);
        let script = serde_json::json!([{"every": 2, "do": "html-before"}]);
        assert_eq!(injected(script, &calls), [false, true, false, true]);
        let script = serde_json::json!([{"from": 2, "times": 2, "do": "rate-limit"}]);
        assert_eq!(injected(script, &calls), [false, true, true, false]);
    }

    #[test]
    fn rule_can_be_about_batches_that_hold_a_command() {
        let injected = |rule: serde_json::Value, method: &str, commands: &[&str]| {
            let commands: Vec<String> =
                commands.iter().map(|command| (*command).to_owned()).collect();
            !FaultScript::read(&serde_json::json!([rule]))
                .unwrap()
                .inject_into_request(method, &commands)
                .is_empty()
        };
        let rule = |inside: &str| serde_json::json!({"method": "batch", "inside": inside, "do": "cut-after"});
        assert!(injected(rule("x.Reset"), "batch", &["x.get", "x.reset", "x.get"]));
        assert!(injected(rule("x.*"), "batch", &["y.get", "x.get"]));
        assert!(!injected(rule("x.reset"), "batch", &["x.get"]));
        assert!(!injected(rule("x.reset"), "batch", &[]));
        let any = serde_json::json!({"inside": "x.reset", "do": "cut-after"});
        assert!(!injected(any.clone(), "x.reset", &[]), "that is what method is for");
        assert!(injected(any, "batch", &["x.reset"]));
        let mut faults =
            FaultScript::read(&serde_json::json!([{"inside": "b", "nth": 2, "do": "cut-after"}]))
                .unwrap();
        let mut matched =
            |command: &str| !faults.inject_into_request("batch", &[command.to_owned()]).is_empty();
        assert_eq!(
            [matched("b"), matched("a"), matched("b")],
            [false, false, true],
            "only batches that hold it are counted"
        );
    }

    #[test]
    fn fault_effect_is_named_as_in_its_script() {
        for word in [
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
            "truncate",
            "slow",
            "answer",
            "answer-command",
            "fail-command",
            "limit-command",
            "rate-limit-command",
            "skip-command",
            "fatal",
            "save",
        ] {
            let effect: FaultEffect = serde_json::from_value(word.into()).unwrap();
            assert_eq!(effect.as_str(), word);
        }
    }

    #[test]
    fn fault_probability_is_repeatable_and_uniform() {
        let script = |seed: u64| serde_json::json!([{"probability": 0.25, "seed": seed, "do": "cut-before"}]);
        let calls = vec!["batch"; 4000];
        let one = injected(script(1), &calls);
        assert_eq!(one, injected(script(1), &calls));
        assert_ne!(one, injected(script(2), &calls));
        let count = one.iter().filter(|injected| **injected).count();
        assert!((900..1100).contains(&count), "{count}");
    }

    #[test]
    fn script_with_a_mistake_says_which() {
        let problem = |script| FaultScript::read(&script).unwrap_err().to_string();
        for (rule, text) in [
            (serde_json::json!({"do": "explode"}), "unknown variant `explode`"),
            (serde_json::json!({"do": "slow"}), "ms goes with the effect slow"),
            (serde_json::json!({"do": "save"}), "row goes with the effect save"),
            (serde_json::json!({"do": "answer"}), "status goes with the effect answer"),
            (serde_json::json!({"do": "answer", "status": 100}), "from 200 to 599"),
            (
                serde_json::json!({"do": "answer-command"}),
                "code goes with the effect answer-command",
            ),
            (serde_json::json!({"do": "fatal", "executed": true}), "executed goes with"),
            (serde_json::json!({"do": "fatal", "body": ""}), "body goes with"),
            (serde_json::json!({"do": "fatal", "nth": 1, "every": 2}), "only one of"),
            (serde_json::json!({"do": "fatal", "nth": 0}), "count from 1"),
            (serde_json::json!({"do": "fatal", "probability": 2}), "from 0 to 1"),
            (serde_json::json!({"do": "fatal", "seed": 2}), "seed goes with probability"),
            (
                serde_json::json!({"do": "fatal", "inside": "x"}),
                "inside goes with what happens to a whole request",
            ),
            (serde_json::json!({"do": "fatal", "often": true}), "unknown field `often`"),
        ] {
            let shown = problem(serde_json::json!([{"do": "fatal"}, rule]));
            assert!(shown.contains("rule 2: ") && shown.contains(text), "{shown}");
        }
        assert!(problem(serde_json::json!({"do": "fatal"})).contains("not a list"));
    }
}
