//! Envelope of every answer: result or error, paging, and times.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Refusal;
use crate::php_json;
use crate::response_error::{BodyKind, FailureClass, ResponseError};

/// Answer with a result. It borrows from the body.
#[derive(Clone, Debug)]
pub struct Success<'a> {
    /// The result as JSON text; `null` is a result.
    pub result: &'a RawValue,
    /// The number of all entries, if the answer has it.
    pub total: Option<u64>,
    /// The start of the next page, if there is one.
    pub next: Option<u64>,
    /// The times of the answer.
    pub times: Times,
}

/// Times of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// The form of the start.
    pub start: Option<WholeSeconds>,
    /// The seconds that the portal has spent in the method in the last ten minutes.
    pub operating: Option<f64>,
    /// The time at which the oldest part of `operating` drops out, in seconds since 1970 by the
    /// portal's clock.
    pub operating_reset_at: Option<f64>,
    /// The time at which the portal finished, in seconds since 1970 by the portal's clock, with a
    /// fraction in every release.
    pub finish: Option<f64>,
}

/// Form of the time at which the portal started to work: a whole number from release 25.700 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WholeSeconds {
    /// The time is a whole number.
    Yes,
    /// The time has a fraction.
    No,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    result: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    error: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    error_description: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    total: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    next: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    time: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Time<'a> {
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    start: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    operating: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    operating_reset_at: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "php_json::present")]
    finish: Option<&'a RawValue>,
}

/// Classifies an answer.
///
/// The presence of the key `error` makes it an error, whatever its value. A body that is not in the
/// portal's form is classified by the status; with status 200 it is an unusable answer.
pub fn decode<'a>(
    status: u16,
    content_type: Option<&str>,
    body: &'a [u8],
) -> Result<Success<'a>, ResponseError> {
    let foreign = || ResponseError::from_status(status, BodyKind::from_bytes(content_type, body));
    // A portal file that was saved with a byte order mark puts it in front of every answer.
    let text = std::str::from_utf8(body).map_err(|_| foreign())?.trim_start_matches('\u{feff}');
    if php_json::is_overfull(text) {
        // As persistent as a failure of the portal: fewer commands bring fewer values.
        return Err(ResponseError::Broken(
            FailureClass::Persistent,
            format!("more values than an answer can have, with status {status}"),
        ));
    }
    let envelope: Envelope<'a> = php_json::object(text).ok_or_else(foreign)?;
    if let Some(refusal) = refusal(envelope.error, envelope.error_description) {
        return Err(ResponseError::from_error(status, refusal));
    }
    match envelope.result {
        Some(result) if (200..300).contains(&status) => Ok(Success {
            result,
            total: php_json::number(envelope.total),
            next: php_json::number(envelope.next),
            times: Times::from_value(envelope.time),
        }),
        _ => Err(foreign()),
    }
}

/// Returns the error of an answer or a command, if the key exists.
pub(crate) fn refusal(error: Option<&RawValue>, description: Option<&RawValue>) -> Option<Refusal> {
    let code = php_json::text(Some(error?)).unwrap_or_default();
    Some(Refusal { code, message: php_json::text(description).unwrap_or_default() })
}

impl Times {
    /// Parses the times of an answer or of one command; missing and odd ones are left out.
    pub(crate) fn from_value(value: Option<&RawValue>) -> Self {
        let Some(time) = value.and_then(|value| php_json::object::<Time<'_>>(value.get())) else {
            return Self::default();
        };
        let start = time
            .start
            .map(RawValue::get)
            .filter(|text| text.starts_with(|c: char| c.is_ascii_digit()));
        let whole = |text: &str| {
            if text.bytes().all(|byte| byte.is_ascii_digit()) {
                WholeSeconds::Yes
            } else {
                WholeSeconds::No
            }
        };
        Self {
            start: start.map(whole),
            operating: php_json::seconds(time.operating),
            operating_reset_at: php_json::seconds(time.operating_reset_at),
            finish: php_json::seconds(time.finish),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Rejection;
    use crate::quota::Limit;

    const JSON: Option<&str> = Some("application/json; charset=utf-8");

    fn trouble(status: u16, body: &str) -> ResponseError {
        decode(status, JSON, body.as_bytes()).unwrap_err()
    }

    #[test]
    fn response_with_a_null_result_is_a_success() {
        let answer =
            decode(200, JSON, br#"{"result":null,"total":"125","time":{"start":1795437644.03,"operating":1.5,"operating_reset_at":"1795437700"}}"#)
                .unwrap();
        assert_eq!((answer.result.get(), answer.total, answer.next), ("null", Some(125), None));
        let reset_at = Some(1_795_437_700.0);
        let expected = Times {
            start: Some(WholeSeconds::No),
            operating: Some(1.5),
            operating_reset_at: reset_at,
            finish: None,
        };
        assert_eq!(answer.times, expected);
    }

    #[test]
    fn presence_of_an_error_counts_and_not_its_truth() {
        for code in ["\"\"", "null", "0", "100", "\"100\"", "[]"] {
            let body =
                format!(r#"{{"error":{code},"error_description":"Access denied.","result":true}}"#);
            assert!(matches!(trouble(400, &body), ResponseError::Refused(_)), "{code}");
            assert!(matches!(trouble(200, &body), ResponseError::Refused(_)), "{code}");
        }
        let ResponseError::Refused(refusal) =
            trouble(400, r#"{"error":100,"error_description":"no"}"#)
        else {
            panic!()
        };
        assert_eq!(refusal, Refusal { code: "100".to_owned(), message: "no".to_owned() });
    }

    #[test]
    fn code_decides_whatever_the_status() {
        for status in [200, 401, 403, 503] {
            let error = |code: &str| {
                trouble(status, &format!(r#"{{"error":"{code}","error_description":""}}"#))
            };
            assert!(matches!(
                error("QUERY_LIMIT_EXCEEDED"),
                ResponseError::Limited(Limit::Rate, _)
            ));
            assert!(matches!(
                error("OPERATION_TIME_LIMIT"),
                ResponseError::Limited(Limit::OperatingTime, _)
            ));
            assert!(matches!(
                error("OVERLOAD_LIMIT"),
                ResponseError::Rejected(Rejection::Overload, _)
            ));
            assert!(matches!(
                error("authorization_error"),
                ResponseError::Rejected(Rejection::OwnerDismissed, _)
            ));
            assert!(matches!(
                error("expired_token"),
                ResponseError::Rejected(Rejection::Credentials, _)
            ));
            assert!(matches!(
                error("INTERNAL_SERVER_ERROR"),
                ResponseError::Broken(FailureClass::Persistent, _)
            ));
        }
    }

    #[test]
    fn response_without_json_is_classified_by_its_status() {
        let page = "<html><body>s3cr3t</body></html>";
        assert!(matches!(trouble(200, page), ResponseError::Broken(FailureClass::NotAPortal, _)));
        assert!(matches!(trouble(200, ""), ResponseError::Broken(FailureClass::Transient, _)));
        assert!(matches!(trouble(502, page), ResponseError::Broken(FailureClass::Transient, _)));
        assert!(matches!(trouble(503, page), ResponseError::Broken(FailureClass::Transient, _)));
        assert!(matches!(trouble(500, page), ResponseError::Broken(FailureClass::Persistent, _)));
        assert!(matches!(trouble(429, page), ResponseError::Limited(Limit::Rate, _)));
        assert!(matches!(trouble(302, page), ResponseError::Rejected(Rejection::Redirect, _)));
        assert!(matches!(trouble(404, page), ResponseError::Rejected(Rejection::NotAPortal, _)));
        assert!(!format!("{:?}", trouble(502, page)).contains("s3cr3t"), "a page is not repeated");
    }

    #[test]
    fn response_that_is_truncated_is_no_answer() {
        let whole = r#"{"result":{"result":{"c0":true}},"time":{"start":1}}"#;
        for length in 0..whole.len() {
            assert!(
                matches!(
                    trouble(200, &whole[..length]),
                    ResponseError::Broken(FailureClass::Transient, _)
                ),
                "{length}"
            );
        }
        assert!(matches!(
            decode(200, JSON, b"{\"result\":\"\xff\"}"),
            Err(ResponseError::Broken(..))
        ));
        assert!(matches!(trouble(200, r#"{"time":{}}"#), ResponseError::Broken(..)));
        assert!(matches!(trouble(500, r#"{"result":true}"#), ResponseError::Broken(..)));
        assert!(
            matches!(trouble(200, "[true]"), ResponseError::Broken(..)),
            "a list is no envelope"
        );
    }

    #[test]
    fn response_with_millions_of_keys_is_refused() {
        // 16 MiB that would take two GiB as maps.
        let keys: String = (0..1_100_000).map(|number| format!("\"c{number:06}\":1,")).collect();
        let body = format!(r#"{{"result":{{"result":{{{keys}"z":1}}}}}}"#);
        assert!(matches!(trouble(200, &body), ResponseError::Broken(FailureClass::Persistent, _)));
    }

    #[test]
    fn whole_second_is_told_from_a_fraction() {
        let start = |text: &str| {
            let body = format!(r#"{{"result":1,"time":{{"start":{text}}}}}"#);
            decode(200, JSON, body.as_bytes()).unwrap().times.start
        };
        assert_eq!(start("1795437644"), Some(WholeSeconds::Yes));
        assert_eq!(start("1795437644.5"), Some(WholeSeconds::No));
        assert_eq!(start("\"x\""), None);
        assert_eq!(
            decode(200, JSON, br#"{"result":1,"time":[]}"#).unwrap().times,
            Times::default()
        );
    }

    #[test]
    fn envelope_behind_byte_order_marks_is_read() {
        let success = decode(200, None, "\u{feff}\u{feff}{\"result\": true}".as_bytes()).unwrap();
        assert_eq!(success.result.get(), "true");
        let refused = "\u{feff}{\"error\": \"INVALID_CREDENTIALS\", \"error_description\": \"\"}";
        assert!(matches!(decode(401, None, refused.as_bytes()), Err(ResponseError::Rejected(..))));
    }
}
