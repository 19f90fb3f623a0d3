//! Parsers of values on the command line: numbers by their range, in decimal digits and nothing
//! else, and what `init` writes into a pipeline.

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::{PathBufValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use jiff::Timestamp;
use url::Url;

use crate::app::PersonSelector;
use crate::manifest::DepartmentName;
use crate::model::{CardKind, DepartmentId, ParseCardKindError, UserId, decimal};
use crate::store::StoreLocation;

/// Parser with words that shells complete. It accepts whatever the parser inside accepts.
#[derive(Clone)]
pub(super) struct Completed<P> {
    parser: P,
    words: Vec<&'static str>,
}

/// Returns a parser with words that shells complete.
pub(super) fn completed<P: TypedValueParser>(
    parser: P,
    words: impl IntoIterator<Item = &'static str>,
) -> Completed<P> {
    Completed { parser, words: words.into_iter().collect() }
}

impl<P: TypedValueParser> TypedValueParser for Completed<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<P::Value, clap::Error> {
        self.parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().copied().map(PossibleValue::new)))
    }
}

/// Returns the parser of the place of a store.
pub(super) fn store() -> impl TypedValueParser<Value = StoreLocation> {
    PathBufValueParser::new().map(StoreLocation::from)
}

/// Parses the id of a user. A name is a common mistake here.
pub(super) fn user(text: &str) -> Result<UserId, String> {
    id(text).map_err(|problem| {
        format!("{problem}; `recard show RUN` names the people of a run with their ids")
    })
}

/// Parses a person: an id, or an e-mail address.
pub(super) fn person(text: &str) -> Result<PersonSelector, String> {
    if text.contains('@') {
        return Ok(PersonSelector::Email(text.trim().to_lowercase().into()));
    }
    id(text)
        .map(PersonSelector::Id)
        .map_err(|problem| format!("a person is named by id or e-mail address; {problem}"))
}

/// Parses a kind of card: `lead/simple` or `simple` for short, `deal/0`, `contact` and so on.
pub(super) fn card_kind(text: &str) -> Result<CardKind, String> {
    text.parse().map_err(|problem: ParseCardKindError| problem.to_string())
}

/// Parses a kind of card; `None` for `all`.
pub(super) fn card_kinds(text: &str) -> Result<Option<CardKind>, String> {
    if text == "all" { Ok(None) } else { card_kind(text).map(Some) }
}

/// Parses a department: an id, or a name.
pub(super) fn department_name(text: &str) -> Result<DepartmentName, String> {
    match text.trim() {
        "" => Err("a department is named by id or name".to_owned()),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            id(number).map(DepartmentName::Id)
        }
        name => Ok(DepartmentName::Name(name.into())),
    }
}

/// Parses the id of a department.
pub(super) fn department(text: &str) -> Result<DepartmentId, String> {
    id(text).map_err(|problem| {
        format!("{problem}; `recard inventory` lists the departments with their ids")
    })
}

fn id<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "an id is a whole number from 1 to 2147483646, in decimal digits".to_owned())
}

/// Parses the number of emulated portals.
pub(super) fn portals(text: &str) -> Result<std::num::NonZeroU32, String> {
    let number = decimal::whole(text).and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| *number <= 9999).and_then(std::num::NonZeroU32::new);
    number.ok_or_else(|| "there can be 1 to 9999 portals".to_owned())
}

/// Parses the number of portals that are worked on at the same time.
pub(super) fn concurrency(text: &str) -> Result<usize, String> {
    let number = decimal::whole(text).and_then(|number| usize::try_from(number).ok());
    let number = number.filter(|number| (1..=1000).contains(number));
    number.ok_or_else(|| "1 to 1000 portals can be worked on at the same time".to_owned())
}

/// Parses a number of requests a second.
pub(super) fn total_rate(text: &str) -> Result<f64, String> {
    let number = decimal::fraction(text).filter(|rate| (0.1..=10_000.0).contains(rate));
    number.ok_or_else(|| "a rate is a number of requests a second, from 0.1 to 10000".to_owned())
}

/// Parses the limit on people.
pub(super) fn people(text: &str) -> Result<u32, String> {
    let number = decimal::whole(text).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| {
        format!("a limit is a whole number from 0 to {}, in decimal digits", u32::MAX)
    })
}

/// Start of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// A time.
    At(Timestamp),
    /// A duration before now.
    Ago(Duration),
}

/// Parses the start of a period: a date, a time, or a duration that has passed since.
pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Some(days) = text.strip_suffix('d').and_then(decimal::whole) {
        return Ok(Since::Ago(Duration::from_secs(days.saturating_mul(24 * 3600))));
    }
    text.parse::<Timestamp>()
        .or_else(|_| format!("{text}T00:00:00Z").parse())
        .map(Since::At)
        .ok()
        .or_else(|| duration(text).ok().map(Since::Ago))
        .ok_or_else(|| {
            "a time is a date such as 2026-11-01, a time such as 2026-11-01T09:00:00Z, or a duration such as 24h or 7d"
                .to_owned()
        })
}

/// End of a time that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// A time.
    At(Timestamp),
    /// A duration from now.
    In(Duration),
}

/// Parses the end of a time: a date, a time, or a duration from now.
pub(super) fn until(text: &str) -> Result<Until, String> {
    match (since(text), duration(text)) {
        (Ok(Since::At(at)), _) => Ok(Until::At(at)),
        (_, Ok(time)) => Ok(Until::In(time)),
        _ => Err("the end is a duration such as 2h, a date such as 2026-12-01, or a time such as 2026-12-01T09:00:00Z".to_owned()),
    }
}

/// Parses a number of things, at least one.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let number = decimal::whole(text).filter(|number| *number > 0);
    number.ok_or_else(|| "a number is counted from 1, in decimal digits".to_owned())
}

/// Parses a number of rounds.
pub(super) fn rounds(text: &str) -> Result<u64, String> {
    let number = decimal::whole(text).filter(|number| *number > 0);
    number.ok_or_else(|| "rounds are counted from 1, in decimal digits".to_owned())
}

/// Parses a reason, which is shown in reports.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let reason = text.trim();
    if reason.is_empty() {
        Err("a reason is not empty: reports show it".to_owned())
    } else {
        Ok(reason.to_owned())
    }
}

/// Parses a share, such as 0.8.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = decimal::fraction(text).filter(|share| (0.1..=1.0).contains(share));
    number.ok_or_else(|| "a share is a number from 0.1 to 1, such as 0.8".to_owned())
}

/// Parses a duration such as `90s`, `15m`, `2h` or `250ms`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    decimal::duration(text).ok_or_else(|| {
        "a time is a number with a unit, ms, s, m or h: 250ms, 90s, 15m or 2h".to_owned()
    })
}

/// Parses the address of a program. It stands in files that a shell and a pipeline system read.
pub(super) fn download_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|problem| problem.to_string())?;
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!&()*+,;=%".contains(c);
    if url.scheme() != "https" || !text.chars().all(is_safe) {
        return Err("the address begins with https:// and has no blank, quote, $ or \\".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address would show its password to all who read the pipeline".to_owned());
    }
    if [".xz", ".gz", ".zip", ".deb", ".tar"].iter().any(|end| url.path().ends_with(end)) {
        return Err("the address is that of the program itself, not of an archive".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses a SHA-256.
pub(super) fn sha256(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("a SHA-256 has 64 hexadecimal digits".to_owned())
}

/// Parses an image with its digest.
pub(super) fn image(text: &str) -> Result<String, String> {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "./:_-".contains(c);
    match text.split_once("@sha256:") {
        Some((name, digest))
            if !name.is_empty() && name.chars().all(is_safe) && sha256(digest).is_ok() =>
        {
            Ok(text.to_owned())
        }
        Some(_) | None => {
            Err("an image has its digest: registry.example/recard@sha256:…".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_without_a_unit_is_refused() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        for wrong in ["90", "s", "-1s", "+1s", "015m", "1_0s", "1e3s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn start_of_a_period_is_a_date_a_time_or_a_duration() {
        let at = |text: &str| Ok(Since::At(text.parse().unwrap()));
        assert_eq!(since("2026-11-01"), at("2026-11-01T00:00:00Z"));
        assert_eq!(since("2026-11-01T09:30:00+03:00"), at("2026-11-01T06:30:00Z"));
        assert_eq!(since("7d"), Ok(Since::Ago(Duration::from_secs(7 * 24 * 3600))));
        assert_eq!(since("90m"), Ok(Since::Ago(Duration::from_secs(5400))));
        for wrong in ["yesterday", "2026-13-01", "7", "d", "-1d", "2026-11-01T09:00"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn number_that_is_not_plain_decimal_is_refused() {
        for wrong in ["0x10", "0o7", "1_000", "+7", "010", "1e3", "7.0", "", " 7", "anna"] {
            assert!(user(wrong).is_err() && department(wrong).is_err(), "{wrong}");
            assert!(people(wrong).is_err() && rounds(wrong).is_err(), "{wrong}");
        }
        for wrong in ["8e-1", "+0.5", ".5", "0.05", "1.1", "NaN", "0x1"] {
            assert!(share(wrong).is_err(), "{wrong}");
            assert!(wrong == "1.1" || total_rate(wrong).is_err(), "{wrong}");
        }
        assert_eq!((share("0.5"), people("0"), rounds("2")), (Ok(0.5), Ok(0), Ok(2)));
    }

    #[test]
    fn source_of_the_program_is_checked_before_it_stands_in_a_pipeline() {
        let sum = "0f".repeat(32);
        assert!(download_url("https://downloads.example/recard-1/recard").is_ok());
        for wrong in [
            "http://downloads.example/recard",
            "downloads.example/recard",
            "https://downloads.example/$(id)",
            "https://downloads.example/${{secrets.X}}",
            "https://downloads.example/a\"b",
            "https://me:secret@downloads.example/recard",
            "https://downloads.example/recard.tar.xz",
        ] {
            assert!(download_url(wrong).is_err(), "{wrong}");
        }
        assert_eq!(sha256(&sum.to_uppercase()), Ok(sum.clone()));
        assert!(sha256(&sum[1..]).is_err() && sha256(&format!("{}g", &sum[1..])).is_err());
        assert!(image(&format!("registry.example:5000/a/recard@sha256:{sum}")).is_ok());
        for wrong in ["recard", "registry.example/recard:1", "recard@sha256:12", "a$b@sha256:0"] {
            assert!(image(wrong).is_err(), "{wrong}");
        }
    }
}
