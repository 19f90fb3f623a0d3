//! Answer of a batch: five maps, each in any of PHP's forms.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::php_json::{self, PhpMap};
use crate::response::{Success, Times, refusal};
use crate::response_error::{CommandError, FailureClass, ResponseError};

/// Answer of a batch, by the keys of its commands. A command without a key here was not executed.
#[derive(Clone, Debug)]
pub struct BatchResponse<'a> {
    /// The results of the commands.
    pub results: BTreeMap<String, CommandResponse<'a>>,
    /// The times of the whole batch.
    pub times: Times,
}

/// Answer to one command.
#[derive(Clone, Debug)]
pub struct CommandResponse<'a> {
    /// The result or error.
    pub outcome: RawCommandResult<'a>,
    /// The number of all entries, if the answer has it.
    pub total: Option<u64>,
    /// The start of the next page, if there is one.
    pub next: Option<u64>,
    /// The times of the command.
    pub times: Times,
}

/// Result or error of one command.
#[derive(Clone, Debug)]
pub enum RawCommandResult<'a> {
    /// The result as JSON text; `null` is a result.
    Answered(&'a RawValue),
    /// An error.
    Failed(CommandError),
}

#[derive(Deserialize)]
struct Maps<'a> {
    #[serde(default, borrow, deserialize_with = "php_json::present_map")]
    result: Option<PhpMap<'a>>,
    #[serde(default, borrow, deserialize_with = "php_json::present_map")]
    result_error: Option<PhpMap<'a>>,
    #[serde(default, borrow)]
    result_total: PhpMap<'a>,
    #[serde(default, borrow)]
    result_next: PhpMap<'a>,
    #[serde(default, borrow)]
    result_time: PhpMap<'a>,
}

#[derive(Deserialize)]
struct CommandErrorBody<'a> {
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    error: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    error_description: Option<&'a RawValue>,
}

impl<'a> BatchResponse<'a> {
    /// Parses the result of a batch. An answer without the maps does not tell which commands were
    /// executed.
    pub fn from_success(success: &Success<'a>) -> Result<Self, ResponseError> {
        let malformed = || {
            ResponseError::Broken(
                FailureClass::Transient,
                "the answer of a batch without its maps".to_owned(),
            )
        };
        let maps: Maps<'a> = php_json::object(success.result.get()).ok_or_else(malformed)?;
        let (PhpMap(totals), PhpMap(nexts), PhpMap(times)) =
            (maps.result_total, maps.result_next, maps.result_time);
        let (done, failed) = match (maps.result, maps.result_error) {
            (None, None) => return Err(malformed()),
            (done, failed) => (done.unwrap_or_default(), failed.unwrap_or_default()),
        };
        let mut results = BTreeMap::new();
        let mut add = |key: String, outcome| {
            let result = CommandResponse {
                outcome,
                total: php_json::number(totals.get(&key).copied()),
                next: php_json::number(nexts.get(&key).copied()),
                times: Times::from_value(times.get(&key).copied()),
            };
            results.insert(key, result);
        };
        for (key, value) in done.0 {
            add(key, RawCommandResult::Answered(value));
        }
        // Errors come second: a key in both maps counts as failed.
        for (key, value) in failed.0 {
            let error: Option<CommandErrorBody<'_>> = php_json::object(value.get());
            let refusal = error.and_then(|error| refusal(error.error, error.error_description));
            add(
                key,
                RawCommandResult::Failed(CommandError::from_refusal(
                    refusal.ok_or_else(malformed)?,
                )),
            );
        }
        Ok(Self { results, times: success.times })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Refusal, Rejection};
    use crate::quota::Limit;
    use crate::response::decode;

    fn keys(result: &str) -> Vec<(String, String)> {
        let body = format!(r#"{{"result":{result},"time":{{"start":1}}}}"#);
        let success = decode(200, None, body.as_bytes()).unwrap();
        let words = |outcome: &RawCommandResult<'_>| match outcome {
            RawCommandResult::Answered(value) => value.get().to_owned(),
            RawCommandResult::Failed(trouble) => format!("{trouble:?}"),
        };
        let answer = BatchResponse::from_success(&success).unwrap();
        answer.results.iter().map(|(key, result)| (key.clone(), words(&result.outcome))).collect()
    }

    fn refused(key: &str, code: &str, message: &str) -> (String, String) {
        let refusal = Refusal { code: code.to_owned(), message: message.to_owned() };
        (key.to_owned(), format!("{:?}", CommandError::Refused(refusal)))
    }

    #[test]
    fn results_and_errors_are_found_by_key_in_every_form_of_the_maps() {
        let ok = |key: &str| (key.to_owned(), "true".to_owned());
        let error = r#"{"error":"","error_description":"Access denied."}"#;
        let no = |key: &str| refused(key, "", "Access denied.");
        assert_eq!(
            keys(&format!(r#"{{"result":{{"c0":true}},"result_error":{{"c1":{error}}}}}"#)),
            [ok("c0"), no("c1")]
        );
        assert_eq!(keys(r#"{"result":[],"result_error":[]}"#), []);
        assert_eq!(
            keys(&format!(r#"{{"result":{{"1":true}},"result_error":[{error}]}}"#)),
            [no("0"), ok("1")]
        );
        assert_eq!(
            keys(&format!(r#"{{"result":[true],"result_error":{{"1":{error}}}}}"#)),
            [ok("0"), no("1")]
        );
    }

    #[test]
    fn null_result_is_there_and_a_missing_key_is_not() {
        let found = keys(
            r#"{"result":{"c0":null,"c2":false},"result_error":[],"result_total":[],"result_next":[]}"#,
        );
        assert_eq!(
            found,
            [("c0".to_owned(), "null".to_owned()), ("c2".to_owned(), "false".to_owned())]
        );
    }

    #[test]
    fn result_keeps_every_byte() {
        let layout = r#"[{"title":"a\/b \u003Cи\u0026","elements":[] , "optionFlags":"1"}]"#;
        assert_eq!(
            keys(&format!(r#"{{"result":{{"c0":{layout}}}}}"#)),
            [("c0".to_owned(), layout.to_owned())]
        );
    }

    #[test]
    fn paging_and_operating_time_belong_to_their_command() {
        let body =
            br#"{"result":{"result":{"u":[]},"result_error":[],"result_total":{"u":125},"result_next":{"u":"50"},
            "result_time":{"u":{"start":1.5,"operating":2.25}}},"time":{"start":1,"operating":0}}"#;
        let success = decode(200, None, body).unwrap();
        let answer = BatchResponse::from_success(&success).unwrap();
        let users = &answer.results["u"];
        assert_eq!(
            (users.total, users.next, users.times.operating),
            (Some(125), Some(50), Some(2.25))
        );
        assert_eq!(answer.times.operating, Some(0.0));
    }

    #[test]
    fn limits_and_rejections_inside_a_batch_are_known_as_such() {
        let trouble = |code: &str| {
            CommandError::from_refusal(Refusal { code: code.to_owned(), message: String::new() })
        };
        assert!(matches!(
            trouble("OPERATION_TIME_LIMIT"),
            CommandError::Limited(Limit::OperatingTime, _)
        ));
        assert!(matches!(trouble("QUERY_LIMIT_EXCEEDED"), CommandError::Limited(Limit::Rate, _)));
        assert!(matches!(
            trouble("insufficient_scope"),
            CommandError::Rejected(Rejection::MissingRight, _)
        ));
        assert!(matches!(trouble("ERROR_CORE"), CommandError::Broken(_)));
        assert!(matches!(trouble(""), CommandError::Refused(_)));
    }

    #[test]
    fn map_that_is_null_is_an_empty_one() {
        assert_eq!(keys(r#"{"result":null}"#), []);
        assert_eq!(
            keys(r#"{"result":null,"result_error":null,"result_total":null,"result_time":null}"#),
            []
        );
    }

    #[test]
    fn batch_without_maps_says_nothing() {
        for result in [
            "true",
            "null",
            "[]",
            "{}",
            r#"{"result":true}"#,
            r#"{"result":[],"result_error":{"c0":7}}"#,
        ] {
            let body = format!(r#"{{"result":{result}}}"#);
            let success = decode(200, None, body.as_bytes()).unwrap();
            assert!(
                matches!(BatchResponse::from_success(&success), Err(ResponseError::Broken(..))),
                "{result}"
            );
        }
    }
}
