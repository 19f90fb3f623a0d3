//! Rate of the portal's request limit: a leaky bucket.
//!
//! Every request adds 1 to a counter of the portal and the client's IP address; it leaks
//! `per_second` in a second, and a request that would lift it above `burst` is refused. The
//! portal's plan decides the numbers.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The two numbers of the portal's counter, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// The portal counts.
    Limited {
        /// The capacity of the counter.
        burst: f64,
        /// The leak of a second.
        per_second: f64,
    },
    /// The portal does not count: the usual setting of self-hosted ones.
    Unlimited,
}

/// One of the portal's two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests in a time.
    Rate,
    /// The time that the portal spends in a method.
    OperatingTime,
}

/// The text is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a rate is `standard`, `enterprise`, `unlimited`, or two positive numbers such as `50,2`, the first the larger"
)]
pub struct ParseRateError;

impl Rate {
    /// Limit of all cloud plans but Enterprise (vendor's documentation): 50 at once, 2 a second.
    pub const STANDARD: Self = Self::Limited { burst: 50.0, per_second: 2.0 };

    /// Limit of the cloud plan Enterprise (vendor's documentation): 250 at once, 5 a second.
    pub const ENTERPRISE: Self = Self::Limited { burst: 250.0, per_second: 5.0 };
}

impl Default for Rate {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        match text {
            "standard" => return Ok(Self::STANDARD),
            "enterprise" => return Ok(Self::ENTERPRISE),
            "unlimited" => return Ok(Self::Unlimited),
            _ => {}
        }
        let (burst, per_second) = text.split_once(',').ok_or(ParseRateError)?;
        let number = |text: &str| plain_decimal(text.trim()).ok_or(ParseRateError);
        let (burst, per_second) = (number(burst)?, number(per_second)?);
        // A client that does not know the time of the leak uses the difference of the two, so that
        // there must be room for at least one request.
        let usable = per_second > 0.0 && burst - per_second >= 1.0;
        if usable { Ok(Self::Limited { burst, per_second }) } else { Err(ParseRateError) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            rate if rate == Self::STANDARD => f.write_str("standard"),
            rate if rate == Self::ENTERPRISE => f.write_str("enterprise"),
            Self::Limited { burst, per_second } => write!(f, "{burst},{per_second}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// Reads a decimal number without sign, exponent and leading zeros.
fn plain_decimal(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = digits(whole) && (whole == "0" || !whole.starts_with('0'));
    if is_plain && digits(fraction) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_can_be_read_back_from_its_text() {
        for text in ["standard", "enterprise", "unlimited", "100,3", "10,0.5"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("50, 2".parse::<Rate>().unwrap(), Rate::STANDARD);
    }

    #[test]
    fn rate_that_would_never_let_a_request_through_is_refused() {
        for text in [
            "", "fast", "50", "50,0", "50,-1", "2,2", "2,1.5", "inf,2", "NaN,2", "50,NaN",
            "50,2,1", "5e1,2", "+50,2", "050,2",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(ParseRateError), "{text}");
        }
    }
}
