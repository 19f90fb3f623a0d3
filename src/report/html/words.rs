//! Words of the page.

use std::collections::BTreeMap;

use super::markup::text;
use crate::i18n::Text;
use crate::report::Purpose;

/// Words for the script, by their names there.
pub(super) type Words = BTreeMap<&'static str, String>;

/// Returns the words for the script. It fills the places in braces.
pub(super) fn words(purpose: Purpose) -> Words {
    let (shown, all, people, user, n) = ("{shown}", "{all}", "{people}", "{user}", "{n}");
    let (now, afterwards, removed) = match purpose {
        Purpose::Apply => {
            (tr!("Before"), tr!("Afterwards"), tr!("The layout of the plan; a backup is on disk."))
        }
        Purpose::Drift => {
            (tr!("Now"), tr!("At its default"), tr!("The card as it is; drift changes nothing."))
        }
        Purpose::Restore => {
            (tr!("Now"), tr!("Afterwards"), tr!("Will be replaced, after a backup."))
        }
        _ => (tr!("Now"), tr!("Afterwards"), tr!("Will be removed, after a backup.")),
    };
    BTreeMap::from(
        [
            ("now", now),
            ("afterwards", afterwards),
            ("removed", removed),
            ("count", tr!("Cards: {shown} of {all}. People: {people}.", shown, all, people)),
            ("user", tr!("user {user}", user)),
            ("everybody", tr!("everybody in the common view")),
            ("once", tr!("each layout once")),
            ("reason", tr!("Reason")),
            ("kind", tr!("Kind of card")),
            ("manifest", tr!("Manifest")),
            ("view", tr!("view")),
            ("own", tr!("in their own view")),
            ("common", tr!("in the common view")),
            (
                "commonNote",
                tr!("People in this view do not see their own card. The portal does not tell which view a person uses."),
            ),
            ("builtIn", tr!("Known from the vendor's code of May 2026 only; the portal does not show it.")),
            ("always", tr!("always shown")),
            ("hidden", tr!("hidden when empty")),
            ("vanishes", tr!("vanishes")),
            ("appears", tr!("appears")),
            ("nothing", tr!("nothing")),
            ("noLonger", tr!("no longer shown when empty")),
            ("commonCard", tr!("the layout is the one of the common card")),
            ("unknown", tr!("Not known.")),
            ("leftOut", tr!("This layout is left out of the page: --html-limit is reached.")),
            ("noSections", tr!("Not a list of sections:")),
            ("empty", tr!("No sections.")),
            ("atDefault", tr!("At its default.")),
            ("noLayouts", tr!("This report holds no layouts.")),
            ("none", tr!("No card passes the filters.")),
            ("notPrinted", tr!("Cards left out in print: {n}.", n)),
        ]
        .map(|(name, word)| (name, word.to_string())),
    )
}

/// Returns a label of the frame.
pub(super) fn label(name: &str) -> Option<Text> {
    Some(match name {
        "w-cards" => tr!("Cards"),
        "w-card" => tr!("Card"),
        "w-search" => tr!("Person, id, section or field (/)"),
        "w-departments" => tr!("All departments"),
        "w-reasons" => tr!("All reasons"),
        "w-filters" => tr!("Filters"),
        _ => return None,
    })
}

/// Returns the line that tells the keys.
pub(super) fn keys() -> String {
    let key = |key: &str| format!("<kbd>{key}</kbd>");
    let line = [
        (format!("{} {}", key("↑"), key("↓")), tr!("card")),
        (key("/"), tr!("search")),
        (key("Esc"), tr!("clear")),
        (format!("{} {}", key("o"), key("c")), tr!("own or common view")),
        (key("d"), tr!("light or dark")),
    ];
    let line: Vec<String> =
        line.into_iter().map(|(keys, what)| format!("{keys} {}", text(&what))).collect();
    let offline = tr!("Nothing is loaded from anywhere; this file works offline.");
    format!("{} {}. {}", text(&tr!("Keys:")), line.join(", "), text(&offline))
}
