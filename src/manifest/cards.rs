//! Decoders of cards: `leadCustomerTypes` of the kind `LeadCardReset`, and `cards` of `CardReset`.
//!
//! A pipeline is always stated for deals and smart processes: the portal takes a missing one for
//! the default pipeline, without a word.

use super::declaration::{CardSelector, Located, PipelineName, ProcessName};
use super::mapping::{Finder, Mapping, suggestion};
use super::value::{Empty, line, list, number, unique};
use super::yaml_tree::{YamlNode, YamlValue};
use crate::diagnostic::DiagnosticCode;
use crate::i18n::Text;
use crate::model::{CardKind, LeadCustomerType, SmartProcessType, SourceLocation, decimal};

/// Maximum length of the name of a pipeline or smart process, in characters.
const MAX_NAME_LENGTH: usize = 255;

/// Kind of a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ManifestKind {
    /// The simple form, for cards of leads.
    LeadCardReset,
    /// The form for cards of every kind.
    CardReset,
}

impl ManifestKind {
    /// All kinds, in the order in which an error names them.
    pub(super) const NAMES: [&'static str; 2] = ["LeadCardReset", "CardReset"];

    /// Returns the kind with a name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "LeadCardReset" => Some(Self::LeadCardReset),
            "CardReset" => Some(Self::CardReset),
            _ => None,
        }
    }

    /// Decodes the required cards of a block.
    pub(super) fn cards(
        self,
        finder: &mut Finder<'_>,
        fields: &mut Mapping<'_>,
        lead_help: Text,
        card_help: Text,
    ) -> Option<Vec<Located<CardSelector>>> {
        let (own, other, kind) = match self {
            Self::LeadCardReset => ("leadCustomerTypes", "cards", "CardReset"),
            Self::CardReset => ("cards", "leadCustomerTypes", "LeadCardReset"),
        };
        if let Some(node) = fields.take(other) {
            let message = tr!("`{other}` is a key of `kind: {kind}`", other, kind);
            let help = tr!("write `{own}` here, or change the kind of the manifest", own);
            finder.error(DiagnosticCode::UnknownKey, node, message, Some(help));
            fields.take(own);
            return None;
        }
        match self {
            Self::LeadCardReset => {
                let node = fields.require(finder, own, lead_help)?;
                let leads = leads(finder, node, "leadCustomerTypes").into_iter();
                let card = |lead: Located<_>| Located {
                    value: CardSelector::Lead(lead.value),
                    place: lead.place,
                };
                Some(leads.map(card).collect())
            }
            Self::CardReset => {
                let node = fields.require(finder, own, card_help)?;
                let cards = list(finder, node, "cards", Empty::Refused, card);
                Some(unique(finder, cards.into_iter().flatten().collect()))
            }
        }
    }

    /// Decodes `acknowledge.common`.
    pub(super) fn acknowledged(self, finder: &mut Finder<'_>, node: &YamlNode) -> Vec<CardKind> {
        match self {
            Self::LeadCardReset => leads(finder, node, "common")
                .into_iter()
                .map(|lead| CardKind::Lead(lead.value))
                .collect(),
            Self::CardReset => list(finder, node, "common", Empty::Refused, kind),
        }
    }
}

/// Decodes types of leads; a repeated one is reported and counts once.
fn leads(finder: &mut Finder<'_>, node: &YamlNode, what: &str) -> Vec<Located<LeadCustomerType>> {
    let leads = list(finder, node, what, Empty::Refused, lead);
    unique(finder, leads)
}

/// Decodes a type of lead, as a word or as the portal's number.
fn lead(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Located<LeadCustomerType>> {
    let value = match &node.value {
        YamlValue::Text(text) => match text.as_str() {
            "simple" => LeadCustomerType::Simple,
            "repeat" => LeadCustomerType::Repeat,
            other => {
                let message = tr!("there is no kind of lead `{other}`", other);
                finder.error(
                    DiagnosticCode::UnknownValue,
                    node,
                    message,
                    Some(suggestion(other, &["simple", "repeat"])),
                );
                return None;
            }
        },
        YamlValue::Whole(1) => LeadCustomerType::Simple,
        YamlValue::Whole(2) => LeadCustomerType::Repeat,
        YamlValue::Whole(number) => {
            let help =
                tr!("1 is simple, 2 is repeat; the portal takes any other number for simple leads");
            finder.error(
                DiagnosticCode::UnknownValue,
                node,
                tr!("there is no kind of lead {number}", number),
                Some(help),
            );
            return None;
        }
        _ => {
            finder.wrong_type(node, tr!("`simple` or `repeat`"), tr!("a kind of lead"));
            return None;
        }
    };
    Some(Located { value, place: finder.place(node) })
}

/// Decodes the text form of a kind of card.
fn kind(finder: &mut Finder<'_>, node: &YamlNode) -> Option<CardKind> {
    let parsed = match &node.value {
        YamlValue::Text(text) => text.parse::<CardKind>().map_err(|error| error.to_string()),
        _ => {
            finder.wrong_type(node, tr!("a text"), tr!("a kind of card"));
            return None;
        }
    };
    match parsed {
        Ok(kind) => Some(kind),
        Err(problem) => {
            let help = tr!("copy it from the plan, such as `common: [\"deal/0\"]`");
            finder.error(DiagnosticCode::UnknownValue, node, problem, Some(help));
            None
        }
    }
}

/// Keys of an entry of `cards`.
const CARDS: [&str; 7] =
    ["lead", "deal", "contact", "company", "quote", "smartInvoice", "smartProcess"];

/// Decodes one entry of `cards`: a mapping with one key.
fn card(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Vec<Located<CardSelector>>> {
    if let YamlValue::Text(word) = &node.value {
        let help = match CARDS.contains(&word.as_str()) {
            true => tr!("write `{}`", example(word)),
            false => suggestion(word, &CARDS),
        };
        finder.wrong_type_with(node, tr!("a mapping"), tr!("a card"), help);
        return None;
    }
    let mut fields = Mapping::from_node(finder, node, tr_later!("a card"), &CARDS)?;
    let mut taken = CARDS.into_iter().filter_map(|key| Some((key, fields.take(key)?)));
    let (first, more) = (taken.next(), taken.next());
    drop(taken);
    let (key, content) = match (first, more) {
        (Some(one), None) => one,
        (Some((one, _)), Some((other, _))) => {
            let message = tr!("`{one}` and `{other}` are in one entry", one, other);
            let help = tr!("begin each kind of card with a hyphen of its own");
            finder.error(DiagnosticCode::UnknownKey, node, message, Some(help));
            return None;
        }
        (None, _) => {
            if !fields.has_unknown() {
                let help = tr!("write a kind of card, such as `deal: {{ pipelines: [default] }}`");
                finder.error(
                    DiagnosticCode::EmptySelection,
                    node,
                    tr!("this entry names no card"),
                    Some(help),
                );
            }
            return None;
        }
    };
    if matches!(content.value, YamlValue::Null) {
        let help = tr!("write `{}`", example(key));
        finder.wrong_type_with(content, tr!("a mapping"), format!("`{key}`"), help);
        return None;
    }
    let found = match key {
        "lead" => {
            let mut fields = Mapping::from_node(finder, content, "lead", &["types"])?;
            let help = tr!("say for which leads: `types: [simple, repeat]`");
            let node = fields.require(finder, "types", help)?;
            let leads = leads(finder, node, "types").into_iter();
            leads.map(|lead| (CardSelector::Lead(lead.value), lead.place)).collect()
        }
        "deal" => {
            let mut fields = Mapping::from_node(finder, content, "deal", &["pipelines"])?;
            let help = tr!("name the pipelines: `pipelines: [default, 5]`, or `pipelines: all`");
            let node = fields.require(finder, "pipelines", help)?;
            pipelines(finder, node, "pipelines", CardSelector::Deal)
        }
        "contact" => categories(finder, content, "contact", CardSelector::Contact)?,
        "company" => categories(finder, content, "company", CardSelector::Company)?,
        "smartProcess" => {
            let mut fields =
                Mapping::from_node(finder, content, "smartProcess", &["type", "pipelines"])?;
            let help = tr!("name the smart process by number or title: `type: 177`");
            let process =
                fields.require(finder, "type", help).and_then(|node| process(finder, node));
            let help = tr!("name the pipelines: `pipelines: [default, 5]`, or `pipelines: all`");
            let node = fields.require(finder, "pipelines", help)?;
            let process = process?;
            pipelines(finder, node, "pipelines", |pipeline| {
                CardSelector::SmartProcess(process.clone(), pipeline)
            })
        }
        // Both have one card.
        "quote" | "smartInvoice" => {
            Mapping::from_node(
                finder,
                content,
                if key == "quote" { "quote" } else { "smartInvoice" },
                &[],
            )?;
            let card =
                if key == "quote" { CardSelector::Quote } else { CardSelector::SmartInvoice };
            vec![(card, finder.place(content))]
        }
        _ => return None,
    };
    Some(found.into_iter().map(|(value, place)| Located { value, place }).collect())
}

/// Returns a valid entry of a kind.
fn example(key: &str) -> String {
    let content = match key {
        "lead" => "{ types: [simple, repeat] }",
        "deal" => "{ pipelines: [default] }",
        "smartProcess" => "{ type: 177, pipelines: all }",
        _ => "{}",
    };
    format!("{key}: {content}")
}

type Placed = Vec<(CardSelector, SourceLocation)>;

/// Decodes the categories of contacts or companies; without any, the main card.
fn categories(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    name: &'static str,
    card: impl Fn(PipelineName) -> CardSelector,
) -> Option<Placed> {
    let mut fields = Mapping::from_node(finder, node, name, &["categories"])?;
    match fields.take("categories") {
        Some(node) => Some(pipelines(finder, node, "categories", card)),
        None if fields.has_unknown() => None,
        None => Some(vec![(card(PipelineName::Default), finder.place(node))]),
    }
}

/// Decodes pipelines or categories: a list, or one of the words `all` and `default`.
fn pipelines(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    what: &str,
    card: impl Fn(PipelineName) -> CardSelector,
) -> Placed {
    let names = match &node.value {
        YamlValue::Text(word) if word == "all" => vec![(PipelineName::All, finder.place(node))],
        YamlValue::Text(word) if word == "default" => {
            vec![(PipelineName::Default, finder.place(node))]
        }
        _ => list(finder, node, what, Empty::Refused, |finder, node| {
            Some((pipeline(finder, node, what)?, finder.place(node)))
        }),
    };
    names.into_iter().map(|(name, place)| (card(name), place)).collect()
}

fn pipeline(finder: &mut Finder<'_>, node: &YamlNode, what: &str) -> Option<PipelineName> {
    match &node.value {
        YamlValue::Text(word) if word == "all" => Some(PipelineName::All),
        YamlValue::Text(word) if word == "default" => Some(PipelineName::Default),
        YamlValue::Text(text) if decimal::meant(text).is_none() => {
            line(finder, node, what, MAX_NAME_LENGTH).map(PipelineName::Name)
        }
        YamlValue::Bool(_) | YamlValue::Null | YamlValue::List(_) | YamlValue::Map(_) => {
            let wanted = tr!("an id, a name, `default` or `all`");
            finder.wrong_type(node, wanted, format!("`{what}`"));
            None
        }
        _ => number(finder, node, what, u32::MAX).map(PipelineName::Id),
    }
}

fn process(finder: &mut Finder<'_>, node: &YamlNode) -> Option<ProcessName> {
    if let YamlValue::Text(text) = &node.value
        && decimal::meant(text).is_none()
    {
        return line(finder, node, "type", MAX_NAME_LENGTH).map(ProcessName::Title);
    }
    let number = number(finder, node, "type", u32::MAX)?;
    let process = SmartProcessType::new(number);
    if process.is_none() {
        let message = tr!("{number} is not the number of a smart process", number);
        let help = tr!(
            "smart processes have numbers from 128 to 191, and even ones from 1030; other cards have keys of their own"
        );
        finder.error(DiagnosticCode::InvalidId, node, message, Some(help));
    }
    process.map(ProcessName::Id)
}
