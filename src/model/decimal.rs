//! Strict parser for numbers in decimal digits.
//!
//! A sign, a blank, a leading zero, an underscore, an exponent or a prefix such as `0x` is refused:
//! other programs read `010` as 8, and an ambiguous number could name two users.

use std::time::Duration;

/// Returns the duration of a text such as `90s`, `15m`, `2h` or `250ms`.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number = whole(number)?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.saturating_mul(60))),
        "h" => Some(Duration::from_secs(number.saturating_mul(3600))),
        _ => None,
    }
}

/// Returns the whole number that a text writes in decimal digits, if it fits.
pub fn whole(text: &str) -> Option<u64> {
    if !is_plain(text) {
        return None;
    }
    text.parse().ok()
}

/// Returns the number that a text writes in decimal digits, with at most one decimal point between
/// them.
pub fn fraction(text: &str) -> Option<f64> {
    let (before, behind) = text.split_once('.').unwrap_or((text, "0"));
    let digits = !behind.is_empty() && behind.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(before) || !digits {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Returns the number that a text in another notation stands for, as a suggestion: with a sign,
/// blanks, underscores, leading zeros, a prefix, an exponent or a fraction of zero. Returns `None`
/// if no notation fits.
pub fn meant(text: &str) -> Option<u64> {
    let text = text.trim().replace('_', "");
    let text = text.strip_prefix('+').unwrap_or(&text);
    let lower = text.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok();
        }
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let number: f64 = if text.starts_with(|c: char| c.is_ascii_digit()) {
        text.parse().ok()?
    } else {
        return None;
    };
    let fits = number.fract() == 0.0 && (0.0..9e15).contains(&number);
    fits.then(|| format!("{number:.0}").parse().ok()).flatten()
}

/// Returns the number that a YAML 1.1 parser reads from a text with a leading zero, or `None` if
/// the text is not octal.
pub fn octal(text: &str) -> Option<u64> {
    let text = text.trim().replace('_', "");
    let digits = text.strip_prefix('+').unwrap_or(&text).strip_prefix('0')?;
    // The parser of the standard library would accept a sign.
    let is_octal = !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    is_octal.then(|| u64::from_str_radix(digits, 8).ok()).flatten()
}

/// Returns `true` if a text is a whole number in decimal digits, however large.
pub fn is_plain(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text.len() == 1 || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_digits_behind_a_zero_result_in_their_octal_number() {
        for (text, number) in
            [("010", 8), ("+010", 8), ("0_10", 8), ("0010", 8), ("07", 7), ("00", 0)]
        {
            assert_eq!(octal(text), Some(number), "{text:?}");
        }
        for text in ["0", "10", "08", "0x10", "0o10", "0+10", "0-1", "", "010.0"] {
            assert_eq!(octal(text), None, "{text:?}");
        }
    }

    #[test]
    fn decimal_another_notation_is_understood_for_a_suggestion() {
        for text in
            ["+16", " 16 ", "016", "0x10", "0X10", "0o20", "0b10000", "1_6", "16.0", "1.6e1", "16"]
        {
            assert_eq!(meant(text), Some(16), "{text:?}");
        }
        for text in ["", "anna", "1.5", "-16", "0x", "1e400", "nan", "inf", "1:30", "0xg"] {
            assert_eq!(meant(text), None, "{text:?}");
        }
    }

    #[test]
    fn decimal_anything_but_plain_digits_is_refused() {
        assert_eq!(
            (whole("0"), whole("7"), whole("2147483646")),
            (Some(0), Some(7), Some(2_147_483_646))
        );
        assert_eq!(
            (fraction("0.5"), fraction("50"), fraction("2.50")),
            (Some(0.5), Some(50.0), Some(2.5))
        );
        for text in [
            "",
            "+7",
            "-7",
            " 7",
            "7 ",
            "07",
            "00",
            "0x10",
            "0o7",
            "0b1",
            "1_000",
            "1e3",
            "٧",
            "1,0",
            "99999999999999999999",
        ] {
            assert_eq!(whole(text), None, "{text:?}");
        }
        for text in [
            "", ".", ".5", "5.", "+0.5", "05.5", "1e-1", "inf", "NaN", "0.5.5", "0x1.8", "0_1.5",
            "-0.5",
        ] {
            assert_eq!(fraction(text), None, "{text:?}");
        }
    }
}
