//! HTML report: one self-contained page that works without a network.
//!
//! The page holds its data as JSON and shows one card at a time, so that thousands of cards are no
//! load for a browser. A policy in its head allows nothing but its own script and style, by their
//! hashes. All foreign text reaches the document as text: `escape` replaces what HTML obeys, and
//! the script sets texts alone. Without script or style the sums and the first cards are readable
//! as they stand in the file.

mod cells;
mod header;
mod layouts;
mod markup;
mod plain;
mod privacy;
mod table;
mod texts;
mod words;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::RenderOptions;
use super::report_model::ReportModel;
use crate::i18n::{Language, current_language};
use crate::model::CardLabels;
use layouts::LayoutData;
use markup::data;
pub(super) use markup::text;
use privacy::Privacy;
use table::Table;

/// The frame of the page, with a place for each part.
const FRAME: &str = include_str!("page.html");

/// The style of the page.
pub(super) const STYLE: &str = include_str!("page.css");

/// The script of the page.
const SCRIPT: &str =
    concat!(include_str!("list.js"), include_str!("card.js"), include_str!("keys.js"));

/// Part of the limit, as a divisor, that the cards without a script may take.
const PLAIN_PART: usize = 8;

/// Data of the script.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageData<'a> {
    words: &'a words::Words,
    #[serde(flatten)]
    table: &'a Table<'a>,
    texts: &'a [String],
    layouts: &'a [Option<LayoutData>],
}

/// Renders the report as a page of at most the bytes of the options, as long as the rows have room.
/// The layouts that have no room are left out.
pub(super) fn render(model: &ReportModel<'_>, options: &RenderOptions) -> String {
    let privacy = Privacy::new(options.sanitizer.as_ref());
    let unlabeled = CardLabels::default();
    let mut table = Table::new(model, &privacy, &unlabeled);
    let cards = plain::cards(&table, options.html_limit / PLAIN_PART);
    let header = header::header(model, options, &privacy);
    let words = words::words(model.purpose);
    let page = |data: &str| {
        let part = |name: &str| match name {
            "lang" => match current_language() {
                Language::Russian => "ru".to_owned(),
                _ => "en".to_owned(),
            },
            "policy" => policy(SCRIPT, STYLE),
            "version" => env!("CARGO_PKG_VERSION").to_owned(),
            "title" => text(&header::title(model, &privacy)),
            "style" => STYLE.to_owned(),
            "header" => header.clone(),
            "cards" => cards.clone(),
            "keys" => words::keys(),
            "data" => data.to_owned(),
            "script" => SCRIPT.to_owned(),
            label => words::label(label).map(|label| text(&label)).unwrap_or_default(),
        };
        filled(FRAME, part)
    };
    let fixed =
        data(&PageData { words: &words, table: &table, texts: table.texts(), layouts: &[] });
    let room = options.html_limit.saturating_sub(page(&fixed).len());
    let layouts = table.layouts_within(room);
    page(&data(&PageData { words: &words, table: &table, texts: table.texts(), layouts: &layouts }))
}

/// Returns the policy of a page: nothing is loaded, and only its own script and style count.
pub(super) fn policy(script: &str, style: &str) -> String {
    let (script, style) = (hash(script), hash(style));
    format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Puts each part at its place `{{name}}`.
pub(super) fn filled(frame: &str, part: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = frame;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, after) = behind.split_once("}}").unwrap_or((behind, ""));
        out.push_str(before);
        out.push_str(&part(name));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_the_policy_are_those_of_script_and_style() {
        let frame = filled(FRAME, |name| match name {
            "policy" => policy(SCRIPT, STYLE),
            "style" => STYLE.to_owned(),
            "script" => SCRIPT.to_owned(),
            _ => String::new(),
        });
        for (open, close, directive) in
            [("<script>", "</script>", "script-src"), ("<style>", "</style>", "style-src")]
        {
            let (_, behind) = frame.split_once(open).unwrap();
            let (content, _) = behind.split_once(close).unwrap();
            let digest = BASE64_STANDARD.encode(Sha256::digest(content));
            assert!(content.len() > 1_000);
            assert!(
                policy(SCRIPT, STYLE).contains(&format!("{directive} 'sha256-{digest}'")),
                "{open}"
            );
            assert_eq!(frame.matches(open).count(), 1, "{open}");
        }
    }

    #[test]
    fn html_script_sets_text_only_and_sends_no_request() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "fetch(",
            "XMLHttpRequest",
            "import(",
            "http:",
            "https:",
            "url(",
            "localStorage",
        ] {
            assert!(!SCRIPT.contains(word) && !STYLE.contains(word), "{word}");
        }
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }
}
