//! Append-only files of lines with checksums.
//!
//! A line is sixteen hexadecimal digits, a blank, a JSON object and a line end. A process may be
//! killed, or a disk may fill up, in the middle of a line. Such a torn line is the beginning of a
//! valid one, stands at the very end of the file and has no line end; it was never synced and is
//! left out. Any other mismatch is damage.

use thiserror::Error;

use crate::model::Digest;

/// Number of digits of the SHA-256 sum in front of a line. With 64 bits, accidental damage is
/// always detected.
const CHECKSUM_DIGITS: usize = 16;

/// Complete lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedLines<'a> {
    /// The lines, in order.
    pub lines: Vec<CheckedLine<'a>>,
    /// The number of bytes of these lines. The rest is a torn line.
    pub whole: usize,
    /// The number of bytes of a torn line; 0 if there is none.
    pub torn: usize,
}

/// Complete line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedLine<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The JSON object.
    pub json: &'a str,
}

/// Error: a line was damaged after it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {number} does not fit its checksum")]
pub struct LineError {
    /// Its number, from 1.
    pub number: usize,
}

/// Returns a line with its checksum and its end.
pub fn checked_line(json: &str) -> String {
    let mut line = checksum(json.as_bytes());
    line.push(' ');
    line.push_str(json);
    line.push('\n');
    line
}

/// Returns the JSON object of a line without its end, if it fits its checksum.
pub fn check_line(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?;
    let (sum, json) = text.split_at_checked(CHECKSUM_DIGITS)?;
    let json = json.strip_prefix(' ')?;
    (checksum(json.as_bytes()) == sum).then_some(json)
}

/// Splits a file of checked lines.
///
/// # Errors
///
/// If a complete line is damaged: any line with an end, or a last one whose end is another byte
/// now.
pub fn read_lines(file: &[u8]) -> Result<CheckedLines<'_>, LineError> {
    split(file, check_line)
}

/// Line of a file that is read with damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundLine<'a> {
    /// The line is undamaged.
    Whole {
        /// The offset of its JSON object in the file.
        at: usize,
        /// The object.
        line: CheckedLine<'a>,
    },
    /// The line is damaged.
    Damaged(LineError),
}

/// Splits a file of checked lines with damage. Returns the number of bytes that are kept when it
/// grows, too: all but a torn last line.
pub fn find_lines(file: &[u8]) -> (Vec<FoundLine<'_>>, usize) {
    let (mut found, mut at, mut kept) = (Vec::new(), 0, 0);
    for (index, part) in file.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let whole = part.strip_suffix(b"\n");
        // A line without an end is torn, unless only its end is damaged.
        if whole.is_none() && part.split_last().is_none_or(|(_, line)| check_line(line).is_none()) {
            break;
        }
        found.push(match whole.and_then(check_line) {
            Some(json) => FoundLine::Whole {
                at: at + CHECKSUM_DIGITS + 1,
                line: CheckedLine { number, json },
            },
            None => FoundLine::Damaged(LineError { number }),
        });
        at += part.len();
        kept = at;
    }
    (found, kept)
}

/// Splits a file of lines with a check, which gets a line without its end and returns its JSON
/// object.
pub(super) fn split<'a>(
    file: &'a [u8],
    check: impl Fn(&'a [u8]) -> Option<&'a str>,
) -> Result<CheckedLines<'a>, LineError> {
    let mut found = CheckedLines::default();
    for (index, part) in file.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let Some(line) = part.strip_suffix(b"\n") else {
            // A torn line is the beginning of a valid one. A valid line with one byte more is a
            // line with a damaged end.
            if part.split_last().is_some_and(|(_, line)| check(line).is_some()) {
                return Err(LineError { number });
            }
            found.torn = part.len();
            break;
        };
        let json = check(line).ok_or(LineError { number })?;
        found.whole += part.len();
        found.lines.push(CheckedLine { number, json });
    }
    Ok(found)
}

/// Returns the first digits of the sum.
pub(super) fn checksum(bytes: &[u8]) -> String {
    let mut sum = Digest::hash(bytes).hex();
    sum.truncate(CHECKSUM_DIGITS);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_cut_anywhere_in_its_last_line_reads_as_without_it() {
        let first = checked_line("{\"a\":1}");
        let file = format!("{first}{}", checked_line("{\"b\":2}"));
        for cut in first.len()..file.len() {
            let read = read_lines(&file.as_bytes()[..cut]).unwrap();
            assert_eq!(read.lines, [CheckedLine { number: 1, json: "{\"a\":1}" }], "cut at {cut}");
            assert_eq!((read.whole, read.torn), (first.len(), cut - first.len()));
        }
        assert_eq!(read_lines(file.as_bytes()).unwrap().lines.len(), 2);
    }

    #[test]
    fn checked_lines_are_found_beside_damaged_ones() {
        let (one, other, last) =
            (checked_line("{\"a\":1}"), checked_line("{\"b\":2}"), checked_line("{\"c\":3}"));
        let file = format!("{one}{}{last}torn", other.replace("\"b\"", "\"x\""));
        let (found, kept) = find_lines(file.as_bytes());
        assert_eq!(kept, file.len() - 4);
        let [
            FoundLine::Whole { at: first, line: a },
            FoundLine::Damaged(damaged),
            FoundLine::Whole { at: third, line: c },
        ] = found.as_slice()
        else {
            panic!("{found:?}")
        };
        assert_eq!(
            (a.json, a.number, damaged.number, c.json, c.number),
            ("{\"a\":1}", 1, 2, "{\"c\":3}", 3)
        );
        assert!(file[*first..].starts_with(a.json) && file[*third..].starts_with(c.json));
        // A line with a damaged end is not torn: it is kept and reported.
        let odd = one.replace('\n', "?");
        assert_eq!(
            find_lines(odd.as_bytes()),
            (vec![FoundLine::Damaged(LineError { number: 1 })], odd.len())
        );
    }

    #[test]
    fn checked_line_with_a_flipped_bit_is_refused() {
        let file = checked_line("{\"a\":1}") + &checked_line("{\"b\":\"J*\"}");
        for index in 0..file.len() * 8 {
            let mut damaged = file.clone().into_bytes();
            damaged[index / 8] ^= 1 << (index % 8);
            assert!(read_lines(&damaged).is_err(), "bit {index}");
        }
    }

    #[test]
    fn empty_file_has_no_lines() {
        assert_eq!(read_lines(b"").unwrap(), CheckedLines::default());
    }

    #[test]
    fn line_in_capitals_or_without_its_blank_is_damaged() {
        let line = checked_line("{}");
        for text in
            [line.to_uppercase(), line.replace(' ', ""), line.replace(' ', "  "), "\n".to_owned()]
        {
            assert_eq!(read_lines(text.as_bytes()), Err(LineError { number: 1 }), "{text:?}");
        }
    }
}
