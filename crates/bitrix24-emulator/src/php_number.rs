//! Numbers of PHP: texts and fractions as whole numbers, and fractions as text.

/// Converts a fraction to a whole number: truncated, and beyond 64 bits wrapped around.
pub(super) fn wrapped(number: f64) -> i64 {
    const RANGE: f64 = 18_446_744_073_709_551_616.0;
    if !number.is_finite() {
        return 0;
    }
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        return number.trunc() as i64;
    }
    (number.trunc().rem_euclid(RANGE) as u64).cast_signed()
}

/// Parses the number at the beginning of a text: blanks, a sign, digits, a fraction, an exponent.
/// Too large ones stop at the limit, and those that not even a fraction can hold are 0.
pub(super) fn leading_number(text: &str) -> i64 {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
    };
    let sign = usize::from(text.starts_with(['+', '-']));
    let whole = digits(sign);
    let mut end = whole;
    if text.get(end..).unwrap_or_default().starts_with('.') {
        end = digits(end + 1);
    }
    if end == sign || text.get(sign..end) == Some(".") {
        return 0;
    }
    if text.get(end..).unwrap_or_default().starts_with(['e', 'E']) {
        let exponent_sign =
            end + 1 + usize::from(text.get(end + 1..).unwrap_or_default().starts_with(['+', '-']));
        let exponent = digits(exponent_sign);
        if exponent > exponent_sign {
            end = exponent;
        }
    }
    if end == whole {
        return match text.get(..whole).unwrap_or_default().parse::<i64>() {
            Ok(number) => number,
            Err(_) if text.starts_with('-') => i64::MIN,
            Err(_) => i64::MAX,
        };
    }
    // The conversion saturates.
    text.get(..end)
        .and_then(|number| number.parse::<f64>().ok())
        .filter(|number| number.is_finite())
        .unwrap_or(0.0) as i64
}

/// Number of digits of a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FloatDigits {
    /// The fewest that read back the same: in JSON.
    Shortest,
    /// At most fourteen: wherever a fraction becomes text, in XML too.
    Fourteen,
}

/// Formats a fraction. Whole ones have no point, very large and very small ones an exponent.
pub(super) fn float_text(number: f64, digits: FloatDigits) -> String {
    if !number.is_finite() {
        // JSON has no word for them, and the portal puts a 0 there.
        return "0".into();
    }
    let (scientific, most, letter) = match digits {
        FloatDigits::Shortest => (format!("{number:e}"), 17, 'e'),
        FloatDigits::Fourteen => (format!("{number:.13e}"), 14, 'E'),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) =
        mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let mantissa = mantissa.replace('.', "");
    let mantissa = match mantissa.trim_end_matches('0') {
        "" => "0",
        significant => significant,
    };
    let point = exponent + 1;
    if point < -3 || point > most {
        let (first, rest) = mantissa.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        return format!("{sign}{first}.{rest}{letter}{exponent:+}");
    }
    match usize::try_from(point) {
        Ok(before) if before >= mantissa.len() => format!("{sign}{mantissa:0<before$}"),
        Ok(before) if before > 0 => {
            let (whole, fraction) = mantissa.split_at(before);
            format!("{sign}{whole}.{fraction}")
        }
        _ => format!("{sign}0.{}{mantissa}", "0".repeat(point.unsigned_abs() as usize)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_written_as_the_portal_writes_them() {
        for (number, shortest, fourteen) in [
            (1.0, "1", "1"),
            (0.0, "0", "0"),
            (-2.5, "-2.5", "-2.5"),
            (0.1, "0.1", "0.1"),
            (1e15, "1000000000000000", "1.0E+15"),
            (1e14, "100000000000000", "1.0E+14"),
            (1e25, "1.0e+25", "1.0E+25"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17", "1.2345678901235E+17"),
            (1_795_437_695.916_178, "1795437695.916178", "1795437695.9162"),
            (1e-7, "1.0e-7", "1.0E-7"),
            (0.000_123_45, "0.00012345", "0.00012345"),
            (0.5, "0.5", "0.5"),
        ] {
            assert_eq!(float_text(number, FloatDigits::Shortest), shortest);
            assert_eq!(float_text(number, FloatDigits::Fourteen), fourteen);
        }
    }
}
