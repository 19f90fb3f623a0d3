//! Lists of cards as text, in columns.

use std::fmt::{self, Write};

use anstyle::Style;

use crate::model::CardKey;
use crate::report::humanize::{NAME_WIDTH, column_width, truncate_to_width};
use crate::report::visible;

/// A word is padded to this width, so that lists of different words align.
const MIN_WORD_WIDTH: usize = 5;

/// Line of a list: a word, a card, the person, and a text, with more lines below it.
pub(super) struct Line<'a> {
    pub(super) style: Style,
    pub(super) word: String,
    pub(super) key: CardKey,
    pub(super) name: &'a str,
    /// The text, safe for a terminal.
    pub(super) text: String,
    /// The lines below, safe for a terminal, each with its end.
    pub(super) below: String,
}

/// Writes a list.
pub(super) fn write(out: &mut impl Write, lines: &[Line<'_>]) -> fmt::Result {
    let word_width = column_width(lines.iter().map(|line| line.word.as_str()), usize::MAX);
    let word_width = word_width.max(MIN_WORD_WIDTH);
    let key_width = lines.iter().map(|line| line.key.to_string().len()).max().unwrap_or(0);
    let name_width = column_width(lines.iter().map(|line| line.name), NAME_WIDTH);
    for Line { style, word, key, name, text, below } in lines {
        let key = key.to_string();
        let mut line = format!("{style}{word:<word_width$}{style:#}  {key:<key_width$}  ");
        if name_width > 0 {
            let name = truncate_to_width(&visible(name), name_width);
            let _ = write!(line, "{name:<name_width$}  ");
        }
        writeln!(out, "{}", format!("{line}{text}").trim_end())?;
        out.write_str(below)?;
    }
    Ok(())
}
