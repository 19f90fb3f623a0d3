//! Lines that know whether they are whole: a checksum in front of a JSON object.
//!
//! A process may be killed in the middle of a line. Such a torn line can only be the last one, and is told from damage by
//! that: whatever else does not fit its checksum is damage.

use thiserror::Error;

use crate::model::Digest;

/// How many hexadecimal digits of the SHA-256 sum stand in front of a line. 64 bits: no accident passes them.
const CHECKSUM_DIGITS: usize = 16;

/// A line that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The JSON object.
    pub json: &'a str,
    /// Where the line ends, in bytes from the beginning of the file: the length of what is surely whole.
    pub end: usize,
}

/// A line that is not whole, and not the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {number} does not fit its checksum")]
pub struct LineError {
    /// Its number, from 1.
    pub number: usize,
}

/// A line with its checksum and its end.
pub fn checked_line(json: &str) -> String {
    let mut checksum = Digest::of(json.as_bytes()).hex();
    checksum.truncate(CHECKSUM_DIGITS);
    format!("{checksum} {json}\n")
}

/// Splits a file into lines. A torn last line is left out.
///
/// # Errors
///
/// If a line is damaged that was once whole: the last line with its end, or any line before.
pub fn read_lines(bytes: &[u8]) -> Result<Vec<Line<'_>>, LineError> {
    let mut lines = Vec::new();
    let mut end = 0;
    for (index, part) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(text) = part.strip_suffix(b"\n") else { break };
        let number = index + 1;
        let json = checked(text).ok_or(LineError { number })?;
        end += part.len();
        lines.push(Line { number, json, end });
    }
    Ok(lines)
}

fn checked(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let (checksum, json) = text.split_at_checked(CHECKSUM_DIGITS)?;
    let json = json.strip_prefix(' ')?;
    Digest::of(json.as_bytes()).hex().starts_with(checksum).then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cut_anywhere_in_its_last_line_reads_as_without_it() {
        let file = checked_line("{\"a\":1}") + &checked_line("{\"b\":2}");
        let first = checked_line("{\"a\":1}").len();
        for cut in first..file.len() {
            let lines = read_lines(&file.as_bytes()[..cut]).unwrap();
            assert_eq!(lines.iter().map(|line| line.json).collect::<Vec<_>>(), ["{\"a\":1}"]);
            assert_eq!(lines[0].end, first);
        }
        assert_eq!(read_lines(file.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn no_flipped_bit_passes() {
        let file = checked_line("{\"a\":1}") + &checked_line("{\"b\":2}");
        let whole = read_lines(file.as_bytes()).unwrap();
        for index in 0..file.len() * 8 {
            let mut damaged = file.clone().into_bytes();
            damaged[index / 8] ^= 1 << (index % 8);
            if let Ok(lines) = read_lines(&damaged) {
                // Only the very last line end can go unseen; then the last line counts as torn.
                assert_eq!(lines[..], whole[..1], "bit {index}");
                assert_eq!(index / 8, file.len() - 1);
            }
        }
    }
}
