//! Cards for readers without a script: the first ones, folded.

use std::fmt::Write as _;

use super::markup::text;
use super::table::{PlainRow, Table};
use crate::report::escape;

/// Number of cards that are written out.
const MAX_CARDS: usize = 200;

/// Returns the first cards that are not hidden at first, within a number of bytes.
pub(super) fn cards(table: &Table<'_>, limit: usize) -> String {
    let mut out = String::new();
    let mut shown = 0;
    for PlainRow { title, lines, cards } in table.plain_rows().take(MAX_CARDS) {
        let mut card = format!("<details><summary>{}</summary>\n", text(&title));
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(card, "<p>{}</p>", text(line));
        }
        for (heading, content) in cards {
            let lines: Vec<String> = content.lines().iter().map(|line| text(line)).collect();
            let _ = write!(card, "<h3>{}</h3>\n<pre>{}</pre>\n", text(&heading), lines.join("\n"));
        }
        card.push_str("</details>\n");
        if out.len() + card.len() > limit {
            break;
        }
        out.push_str(&card);
        shown += 1;
    }
    if table.len() > 0 {
        let all = table.len();
        let _ = writeln!(out, "<p>{}</p>", text(&tr!("Cards here: {shown} of {all}.", shown, all)));
    }
    escape::xml(&out)
}
