//! `--output FORMAT[=PATH]` and its companions, as values of the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::TypedValueParser;

use super::value_parsers;
use crate::model::decimal;
use crate::report::{HTML_LIMIT, MARKDOWN_LIMIT, OutputFormat, RunHistory};

/// Less than this would not hold a headline.
pub(super) const MIN_MARKDOWN_LIMIT: usize = 1_000;

/// Less than this would not hold the page without cards.
const MIN_HTML_LIMIT: usize = 65_536;

/// A form of output and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// The form.
    pub(super) format: OutputFormat,
    /// A file; stdout if there is none.
    pub(super) path: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, path) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no path behind the =".to_owned()),
            Some((format, path)) => (format, Some(PathBuf::from(path))),
            None => (text, None),
        };
        match OutputFormat::ALL.into_iter().find(|(known, _)| *known == word) {
            Some((_, format)) => Ok(Self { format, path }),
            None => {
                let known = OutputFormat::ALL.map(|(known, _)| known).join(", ");
                let meant = format_of_file(word).filter(|_| path.is_none());
                let meant = meant.map(|format| {
                    format!("; to write {format} into that file: --output {format}={word}")
                });
                Err(format!(
                    "there is no format {word:?}; there are {known}{}",
                    meant.unwrap_or_default()
                ))
            }
        }
    }
}

/// Returns the help of `--output`.
pub(super) fn help() -> String {
    let formats = OutputFormat::ALL.map(|(word, _)| word).join(", ");
    format!("Format, to stdout or with =PATH to a file: {formats}; may be repeated")
}

/// Returns the format that the name of a file tells, if one stands in place of a format.
fn format_of_file(word: &str) -> Option<OutputFormat> {
    let (_, extension) = word.rsplit_once('.')?;
    let of_extension = match extension {
        "txt" => "text",
        "md" => "markdown",
        "xml" => "junit",
        "prom" => "prometheus",
        other => other,
    };
    OutputFormat::ALL
        .into_iter()
        .find(|(known, _)| *known == of_extension)
        .map(|(_, format)| format)
}

/// Returns the parser of an output in any format.
pub(super) fn any() -> impl TypedValueParser<Value = Output> {
    value_parsers::completed(|text: &str| text.parse(), OutputFormat::ALL.map(|(word, _)| word))
}

/// Returns the parser of an output of a command with text and JSON.
pub(super) fn text_or_json() -> impl TypedValueParser<Value = Output> {
    one_of(&[OutputFormat::Text, OutputFormat::Json])
}

/// Returns the parser of an output of a command with text, JSON and tables.
pub(super) fn text_json_or_csv() -> impl TypedValueParser<Value = Output> {
    one_of(&[OutputFormat::Text, OutputFormat::Json, OutputFormat::Csv])
}

/// Returns the parser of an output of a command that lists runs.
pub(super) fn history_format() -> impl TypedValueParser<Value = Output> {
    one_of(&RunHistory::FORMATS)
}

fn one_of(formats: &'static [OutputFormat]) -> impl TypedValueParser<Value = Output> {
    let words = OutputFormat::ALL.into_iter().filter(|(_, format)| formats.contains(format));
    value_parsers::completed(
        move |text: &str| parse_one_of(formats, text),
        words.map(|(word, _)| word),
    )
}

fn parse_one_of(formats: &[OutputFormat], text: &str) -> Result<Output, String> {
    let output: Output = text.parse()?;
    if formats.contains(&output.format) {
        return Ok(output);
    }
    let mut words: Vec<String> = formats.iter().map(ToString::to_string).collect();
    let last = words.pop().unwrap_or_default();
    Err(format!(
        "this command has no format {}; it has {} and {last}",
        output.format,
        words.join(", ")
    ))
}

/// Reads the limit on the bytes of Markdown.
pub(super) fn markdown_limit(text: &str) -> Result<usize, String> {
    match decimal::whole(text).and_then(|limit| usize::try_from(limit).ok()) {
        Some(limit) if limit >= MIN_MARKDOWN_LIMIT => Ok(limit),
        Some(_) => Err(format!("less than {MIN_MARKDOWN_LIMIT} bytes would not hold a headline")),
        None => Err(format!("a limit is a number of bytes, for example {MARKDOWN_LIMIT}")),
    }
}

/// Reads the limit on the bytes of HTML.
pub(super) fn html_limit(text: &str) -> Result<usize, String> {
    match decimal::whole(text).and_then(|limit| usize::try_from(limit).ok()) {
        Some(limit) if limit >= MIN_HTML_LIMIT => Ok(limit),
        Some(_) => Err(format!("less than {MIN_HTML_LIMIT} bytes would not hold the page")),
        None => Err(format!("a limit is a number of bytes, for example {HTML_LIMIT}")),
    }
}

/// Reads the name in the marker of a comment.
pub(super) fn marker(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let right = !text.is_empty()
        && text.len() <= 64
        && text.split('-').all(|part| !part.is_empty() && part.chars().all(fits));
    if right {
        return Ok(text.to_owned());
    }
    Err("a name has 1 to 64 letters, digits, dots, underscores, and single hyphens between them"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_format_may_have_a_path() {
        assert_eq!("json".parse(), Ok(Output { format: OutputFormat::Json, path: None }));
        let path = Some(PathBuf::from("a=b.json"));
        assert_eq!("json=a=b.json".parse(), Ok(Output { format: OutputFormat::Json, path }));
        for (word, format) in OutputFormat::ALL {
            assert_eq!(word.parse::<Output>().map(|output| output.format), Ok(format));
            assert_eq!(format.to_string(), word);
        }
        assert!("json=".parse::<Output>().is_err());
        assert!("yaml".parse::<Output>().is_err());
        for (file, told) in [
            ("p.json", "json into that file: --output json=p.json"),
            ("a/b.md", "markdown into that file: --output markdown=a/b.md"),
        ] {
            assert!(file.parse::<Output>().unwrap_err().ends_with(told), "{file}");
        }
        assert!(!"p.yaml".parse::<Output>().unwrap_err().contains("into that file"));
    }

    #[test]
    fn output_format_that_a_command_lacks_is_an_error_that_lists_its_formats() {
        let text_or_json = &[OutputFormat::Text, OutputFormat::Json];
        assert_eq!(
            parse_one_of(text_or_json, "sarif").unwrap_err(),
            "this command has no format sarif; it has text and json"
        );
        assert_eq!(
            parse_one_of(&RunHistory::FORMATS, "sarif").unwrap_err(),
            "this command has no format sarif; it has text, json, markdown and csv"
        );
        assert!(parse_one_of(text_or_json, "json=p.json").is_ok());
    }

    #[test]
    fn markdown_marker_cannot_close_its_comment() {
        assert_eq!(marker("team-a.prod_1"), Ok("team-a.prod_1".to_owned()));
        for wrong in ["", "a--b", "-a", "a-", "a>b", "a b", "-->"] {
            assert!(marker(wrong).is_err(), "{wrong}");
        }
    }
}
