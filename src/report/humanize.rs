//! Numbers and texts for display.

use std::fmt;

use super::cost::Cost;

/// Number with its noun: `1 card`, `2 cards`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plural<'a>(pub(super) u32, pub(super) &'a str, pub(super) &'a str);

impl fmt::Display for Plural<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, one, several) = *self;
        write!(f, "{number} {}", if number == 1 { one } else { several })
    }
}

/// Time in seconds, rounded as in speech: `under a second`, `about 12 s`, `about 3 min`.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        if seconds < 1.0 {
            f.write_str(&tr!("under a second"))
        } else if seconds < 120.0 {
            f.write_str(&tr!("about {seconds} s", seconds = format_args!("{seconds:.0}")))
        } else if seconds < 7200.0 {
            f.write_str(&tr!("about {} min", format_args!("{:.0}", seconds / 60.0)))
        } else {
            f.write_str(&tr!("about {} h", format_args!("{:.1}", seconds / 3600.0)))
        }
    }
}

/// Cost of an apply. The number of requests of a short one is left out: with room in the leaky
/// bucket they are made as small as is quickest.
pub(super) struct CostLine(pub(super) Cost);

impl fmt::Display for CostLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { requests, seconds, operating_share } = self.0;
        let time = Seconds(seconds);
        if seconds < 1.0 {
            write!(f, "{time}")?;
        } else {
            f.write_str(&tr!("{n} request, {time}" | "{n} requests, {time}" % requests, time))?;
        }
        if operating_share >= 0.01 {
            let percent = format_args!("{:.0}", operating_share * 100.0);
            f.write_str(&tr!(
                ", and {percent} % of the working time that the portal grants in ten minutes",
                percent
            ))?;
        }
        Ok(())
    }
}

/// Width at which names of people are cut, so that a line fits 80 columns.
pub(super) const NAME_WIDTH: usize = 22;

/// Cuts a text to a width in characters, with a truncation mark.
pub(super) fn truncate_to_width(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Wraps a text at blanks to a width, as far as its words allow it.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns the width of a column of texts, up to a limit.
pub(super) fn column_width<'a>(texts: impl Iterator<Item = &'a str>, limit: usize) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_names_duration_requests_and_a_notable_operating_share() {
        let cost = |seconds, operating_share| {
            CostLine(Cost { requests: 94, seconds, operating_share }).to_string()
        };
        assert_eq!(cost(0.3, 0.001), "under a second");
        assert_eq!(cost(47.0, 0.001), "94 requests, about 47 s");
        assert_eq!(
            cost(47.0, 0.123),
            "94 requests, about 47 s, and 12 % of the working time that the portal grants in ten minutes"
        );
    }

    #[test]
    fn numbers_and_nouns_are_formatted_for_people() {
        assert_eq!(Plural(1, "card", "cards").to_string(), "1 card");
        assert_eq!(Plural(0, "card", "cards").to_string(), "0 cards");
        assert_eq!(Seconds(0.4).to_string(), "under a second");
        assert_eq!(Seconds(12.3).to_string(), "about 12 s");
        assert_eq!(Seconds(300.0).to_string(), "about 5 min");
        assert_eq!(Seconds(9000.0).to_string(), "about 2.5 h");
    }

    #[test]
    fn text_that_is_long_is_wrapped_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("everything together", 4), ["everything", "together"]);
    }

    #[test]
    fn name_that_is_long_is_truncated_between_letters() {
        assert_eq!(truncate_to_width("Анна Каренина", 6), "Анна …");
        assert_eq!(truncate_to_width("Anna", 6), "Anna");
    }
}
