//! Generated manifest of all people with a personal card.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::humanize::{Plural, truncate_to_width};
use super::visible;
use crate::diagnostic::secrets;
use crate::model::{CardKey, CardKind, PipelinedType, PortalId, UserId};

/// Maximum length of a name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// Input of a generated manifest.
#[derive(Clone, Debug)]
pub struct ExportedManifest {
    /// The portal.
    pub portal: PortalId,
    /// The day, in the form `2026-11-01`.
    pub day: String,
    /// The customized cards.
    pub cards: Vec<CardKey>,
    /// The comments beside ids; may be empty.
    pub names: BTreeMap<UserId, String>,
}

impl ExportedManifest {
    /// Returns the people with a personal card, with its types of lead.
    pub fn people(&self) -> BTreeMap<UserId, Vec<CardKind>> {
        let mut people: BTreeMap<UserId, Vec<CardKind>> = BTreeMap::new();
        for key in &self.cards {
            if let Some(user) = key.user() {
                people.entry(user).or_default().push(key.kind);
            }
        }
        people
    }
}

impl fmt::Display for ExportedManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { portal, day, cards, names } = self;
        let people = self.people();
        let count = u32::try_from(people.len()).unwrap_or(u32::MAX);
        writeln!(
            f,
            "# Written by `recard export` on {day}: {} with a card of their own.",
            Plural(count, "person", "people")
        )?;
        writeln!(f, "#")?;
        writeln!(
            f,
            "# Applied as it stands, it puts all of these cards back to their defaults. Take out the lines of those who"
        )?;
        writeln!(f, "# are to keep theirs, and look at `recard plan` first.")?;
        let common: Vec<String> =
            cards.iter().filter(|key| key.user().is_none()).map(|key| key.kind.short()).collect();
        if !common.is_empty() {
            writeln!(
                f,
                "#\n# The common card is arranged for: {}. It is left out on purpose.",
                common.join(", ")
            )?;
        }
        let is_of_leads = cards.iter().all(|key| key.kind.lead().is_some());
        let form = if is_of_leads { "LeadCardReset" } else { "CardReset" };
        writeln!(f, "apiVersion: recard/v1\nkind: {form}\nmetadata:\n  name: exported")?;
        writeln!(f, "  reason: \"Exported on {day}; say here why these cards are reset\"")?;
        writeln!(f, "spec:\n  portal: \"{portal}\"\n  personal:")?;
        let mut blocks: BTreeMap<&[CardKind], Vec<UserId>> = BTreeMap::new();
        for (user, kinds) in &people {
            blocks.entry(kinds).or_default().push(*user);
        }
        for (kinds, users) in blocks {
            writeln!(f, "    - users:\n        ids:")?;
            for user in users {
                let mut line = format!("          - {user}");
                match names.get(&user).map(|name| comment(name)) {
                    Some(name) if !name.is_empty() => write!(line, " # {name}")?,
                    _ => {}
                }
                writeln!(f, "{line}")?;
            }
            if is_of_leads {
                let leads: Vec<String> = kinds.iter().map(|kind| kind.short()).collect();
                writeln!(f, "      leadCustomerTypes: [{}]", leads.join(", "))?;
            } else {
                writeln!(f, "      cards:")?;
                kinds.iter().try_for_each(|kind| writeln!(f, "        - {}", entry(*kind)))?;
            }
        }
        Ok(())
    }
}

/// Returns an entry of `cards` for a kind.
fn entry(kind: CardKind) -> String {
    let pipeline = kind.pipeline().unwrap_or_default();
    match kind {
        CardKind::Lead(lead) => format!("lead: {{ types: [{lead}] }}"),
        CardKind::Deal(_) => format!("deal: {{ pipelines: [{pipeline}] }}"),
        CardKind::Contact(None) => "contact: {}".to_owned(),
        CardKind::Contact(Some(_)) => format!("contact: {{ categories: [{pipeline}] }}"),
        CardKind::Company(None) => "company: {}".to_owned(),
        CardKind::Company(Some(_)) => format!("company: {{ categories: [{pipeline}] }}"),
        CardKind::Quote => "quote: {}".to_owned(),
        CardKind::SmartInvoice(_) | CardKind::NoPipeline(PipelinedType::SmartInvoice) => {
            "smartInvoice: {}".to_owned()
        }
        CardKind::SmartProcess(of, _) => {
            format!("smartProcess: {{ type: {of}, pipelines: [{pipeline}] }}")
        }
        CardKind::NoPipeline(PipelinedType::SmartProcess(of)) => {
            format!("smartProcess: {{ type: {of}, pipelines: all }}")
        }
    }
}

/// Returns a name as a YAML comment, without content that a manifest must not hold: a line break, a
/// character outside of YAML, or the secret of a webhook.
fn comment(name: &str) -> String {
    let known: String = visible(name)
        .chars()
        .map(|c| if matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c })
        .collect();
    let mut text = truncate_to_width(known.trim(), MAX_NAME_CHARS);
    while let Some(secret) = secrets(&text).pop() {
        text.replace_range(secret, "***");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::{Source, load};

    fn problems(manifest: &ExportedManifest) -> Vec<String> {
        let text = manifest.to_string();
        let loaded =
            load(&[Source { name: "exported.yaml".into(), bytes: text.clone().into_bytes() }]);
        let declared = loaded.declaration.map(|found| {
            found.documents.iter().map(|document| document.personal.len()).sum::<usize>()
        });
        let mut problems: Vec<String> =
            loaded.diagnostics.iter().map(ToString::to_string).collect();
        if declared.is_none() || !problems.is_empty() {
            problems.push(text);
        }
        problems
    }

    fn exported(names: &[(u32, &str)], portal: &str) -> ExportedManifest {
        let user = |id: u32| UserId::new(u64::from(id)).unwrap();
        let key = |(index, (id, _)): (usize, &(u32, &str))| {
            CardKey::personal(user(*id), CardKind::LEADS[index % 2])
        };
        ExportedManifest {
            portal: PortalId::new(portal).unwrap(),
            day: "2026-11-01".to_owned(),
            cards: names.iter().enumerate().map(key).collect(),
            names: names.iter().map(|(id, name)| (user(*id), (*name).to_owned())).collect(),
        }
    }

    #[test]
    fn export_of_hostile_names_is_valid() {
        let names = [
            "https://a.bitrix24.com/rest/1/abcdefgh12345678/",
            "/rest/1/abcdefgh12345678 /rest/2/abcdefgh12345678",
            "a\nb: c",
            "a\r\n---\nkind: x",
            "\u{85}\u{2028}\u{2029}\u{feff}",
            "\u{fffe}\u{ffff}\u{1ffff}\u{0}\u{7f}",
            "# - [ { ' \" : & * ! | > % @ `",
            "\t",
            "",
            "🧑‍🚀 \u{202e}",
            &"x".repeat(10_000),
        ];
        let people: Vec<(u32, &str)> = (1..).zip(names).chain([(2_147_483_646, "last")]).collect();
        for portal in [
            "a.example",
            "embedded",
            "[::1]:8080",
            "127.0.0.1:80",
            "0",
            "1.5",
            "true",
            "null",
            "0x10",
            "a_b",
        ] {
            assert_eq!(problems(&exported(&people, portal)), Vec::<String>::new(), "{portal}");
        }
    }

    /// Generates the name of any valid portal.
    fn portals() -> impl Strategy<Value = String> {
        "[a-z0-9][a-z0-9._:-]{0,30}".prop_filter("a portal", |name| PortalId::new(name).is_ok())
    }

    /// Generates a name of fragments with a meaning in a manifest; random names hardly ever have
    /// one.
    fn hostile_name() -> impl Strategy<Value = String> {
        let pieces = [
            "https://a.example",
            "/rest/1/",
            "\\/rest\\/2\\/",
            "abcdefgh12345678",
            "\n",
            "\r",
            "---",
            ": ",
            "# ",
            "\u{fffe}",
            "\u{feff}",
            "\t",
            " ",
            "\"",
        ];
        let piece = prop_oneof![4 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn export_of_any_name_is_valid(names in prop::collection::vec(hostile_name(), 1..8), portal in portals()) {
            let people: Vec<(u32, &str)> = (1..).zip(names.iter().map(String::as_str)).collect();
            prop_assert_eq!(problems(&exported(&people, &portal)), Vec::<String>::new());
        }
    }
}
