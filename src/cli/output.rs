//! `--output FORMAT[=PATH]`: which forms of a plan or report go where.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::failure::Failure;
use super::ui::Ui;
use crate::store::write_whole;

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people on a terminal.
    Text,
    /// For programs.
    Json,
}

/// A form of output and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// The form.
    pub(super) format: Format,
    /// A file; stdout if there is none.
    pub(super) path: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no path behind the =".to_owned()),
            Some((format, path)) => (format, Some(PathBuf::from(path))),
            None => (text, None),
        };
        let format = match format {
            "text" => Format::Text,
            "json" => Format::Json,
            other => return Err(format!("there is no format {other:?}; there are text and json")),
        };
        Ok(Self { format, path })
    }
}

/// Finds out whether every file can be written, before anything is done whose report would be lost otherwise.
pub(super) fn check_paths(outputs: &[Output]) -> Result<(), Failure> {
    if outputs.iter().filter(|output| output.path.is_none()).count() > 1 {
        return Err(
            Failure::error("two outputs go to stdout").hint("give all but one of them a file: --output json=plan.json")
        );
    }
    for path in outputs.iter().filter_map(|output| output.path.as_deref()) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.is_dir() {
            return Err(Failure::error(format!("cannot write {}: it is a folder", path.display())));
        }
        tempfile::Builder::new().prefix(".recard-probe").tempfile_in(folder).map_err(|problem| {
            Failure::error(format!("cannot write {}: {problem}", path.display()))
                .hint("nothing was done yet; choose another path for --output")
        })?;
    }
    Ok(())
}

/// Writes every output; `text` makes the form that is asked for.
pub(super) fn write(ui: &Ui, outputs: &[Output], text: impl Fn(Format) -> String) -> Result<(), Failure> {
    for Output { format, path } in outputs {
        let text = text(*format);
        match path {
            None => ui.result(text)?,
            Some(path) => {
                let plain = anstream::adapter::strip_str(&text).to_string();
                write_whole(path, plain.as_bytes())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_may_have_a_path() {
        assert_eq!("json".parse(), Ok(Output { format: Format::Json, path: None }));
        assert_eq!("text=a=b".parse(), Ok(Output { format: Format::Text, path: Some("a=b".into()) }));
        assert!("yaml".parse::<Output>().unwrap_err().contains("text and json"));
        assert!("json=".parse::<Output>().is_err());
    }
}
