//! Decoder from a tree of nodes to a document. It continues after a problem, to report all of them.

use std::sync::Arc;

use super::cards::ManifestKind;
use super::declaration::{
    CardSelector, Document, Exceptions, Located, PersonalBlock, UserSelection,
};
use super::mapping::{Finder, Mapping, meant};
use super::value::{Empty, department, email, line, list, number, optional_list, text, user};
use super::yaml_tree::{YamlNode, YamlValue};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::model::{Generation, ManifestLimits, Mode, PortalId};

pub(super) const API_VERSION: &str = "recard/v1";

/// Kinds of the documents of a fleet.
const FLEET_KINDS: [&str; 2] = ["Fleet", "FleetPortal"];

/// Keys of the cards: one for each kind of manifest.
const CARD_KEYS: &[&str] = &["leadCustomerTypes", "cards"];

/// Keys of an entry of `personal`.
const PERSONAL_KEYS: &[&str] = &["users", "leadCustomerTypes", "cards", "mode"];

/// Maximum length of a name or an owner, in characters.
const MAX_NAME_LENGTH: usize = 100;

/// Maximum length of a reason, in characters: it is printed in every plan and every report.
const MAX_REASON_LENGTH: usize = 500;

/// Decodes one document; returns `None` if it is too broken.
pub(super) fn document(
    node: &YamlNode,
    file: &Arc<str>,
    found: &mut Vec<Diagnostic>,
) -> Option<Document> {
    let finder = &mut Finder { file, found };
    let mut top = Mapping::from_node(
        finder,
        node,
        tr_later!("the manifest"),
        &["apiVersion", "kind", "metadata", "spec"],
    )?;
    if let Some(version) = top.require(finder, "apiVersion", tr!("write `apiVersion: recard/v1`")) {
        exactly(finder, version, API_VERSION, "apiVersion", DiagnosticCode::UnsupportedVersion);
    }
    let kind = top.require(finder, "kind", tr!("write `kind: LeadCardReset`"));
    if let Some(node) = kind
        && let YamlValue::Text(text) = &node.value
        && FLEET_KINDS.contains(&text.as_str())
    {
        let message = tr!("`kind: {text}` is no manifest of one portal", text);
        let help = tr!("`recard fleet plan` and its sisters read fleets");
        finder.error(DiagnosticCode::UnsupportedKind, node, message, Some(help));
        return None;
    }
    let kind =
        kind.and_then(|kind| self::kind(finder, kind)).unwrap_or(ManifestKind::LeadCardReset);
    let metadata =
        top.require(finder, "metadata", tr!("write `metadata: {{ name: …, reason: … }}`"));
    let spec =
        top.require(finder, "spec", tr!("write `spec:` with `portal` and `personal` or `common`"));
    let metadata = metadata.and_then(|node| self::metadata(finder, node));
    let spec = spec.and_then(|node| self::spec(finder, node, kind));
    let (Some(metadata), Some(spec)) = (metadata, spec) else { return None };
    let Metadata { name, reason, owner, ticket } = metadata;
    let Spec { portal, personal, common, guards } = spec;
    Some(Document {
        place: finder.place(node),
        name,
        reason,
        owner,
        ticket,
        portal,
        personal,
        common,
        guards,
    })
}

/// Returns kind and version of a document of another tool. Both keys must be there, and neither may
/// be a misspelling of recard's.
pub(super) fn kind_of_other_tool(node: &YamlNode) -> Option<String> {
    let YamlValue::Map(entries) = &node.value else { return None };
    let text_of = |wanted: &str| {
        entries.iter().find_map(|(key, value)| match (&key.value, &value.value) {
            (YamlValue::Text(key), YamlValue::Text(text)) if key == wanted => Some(text.as_str()),
            _ => None,
        })
    };
    let (version, kind) = (text_of("apiVersion")?, text_of("kind")?);
    let group = version.split('/').next().unwrap_or_default();
    let is_ours =
        meant(group, &["recard"]).is_some() || meant(kind, &ManifestKind::NAMES).is_some();
    (!is_ours).then(|| format!("{kind} ({version})"))
}

/// `metadata` of a manifest or a fleet.
pub(super) struct Metadata {
    pub(super) name: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) owner: Option<Arc<str>>,
    pub(super) ticket: Option<Arc<str>>,
}

struct Spec {
    portal: Located<PortalId>,
    personal: Vec<PersonalBlock>,
    common: Vec<Located<CardSelector>>,
    guards: ManifestLimits,
}

/// Checks a text that has one possible value.
pub(super) fn exactly(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    wanted: &str,
    what: &str,
    code: DiagnosticCode,
) {
    match &node.value {
        YamlValue::Text(text) if text == wanted => {}
        YamlValue::Text(text) => {
            let message = tr!("`{what}: {text}` is not one that this recard reads", what, text);
            finder.error(code, node, message, Some(tr!("write `{what}: {wanted}`", what, wanted)));
        }
        _ => finder.wrong_type(node, tr!("a text"), what),
    }
}

/// Decodes the kind of a manifest.
fn kind(finder: &mut Finder<'_>, node: &YamlNode) -> Option<ManifestKind> {
    if let YamlValue::Text(text) = &node.value
        && let Some(kind) = ManifestKind::from_name(text)
    {
        return Some(kind);
    }
    let wanted = match &node.value {
        YamlValue::Text(text) => meant(text, &ManifestKind::NAMES),
        _ => None,
    };
    exactly(
        finder,
        node,
        wanted.unwrap_or("LeadCardReset"),
        "kind",
        DiagnosticCode::UnsupportedKind,
    );
    None
}

/// Decodes `metadata`.
pub(super) fn metadata(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Metadata> {
    let mut fields =
        Mapping::from_node(finder, node, "metadata", &["name", "reason", "owner", "ticket"])?;
    let name = fields.require(
        finder,
        "name",
        tr!("give the manifest a short name, such as sales-back-to-standard"),
    );
    let reason = fields.require(
        finder,
        "reason",
        tr!("state the reason: every plan, report and audit line shows it"),
    );
    let name = name.and_then(|node| line(finder, node, "name", MAX_NAME_LENGTH));
    let reason = reason.and_then(|node| line(finder, node, "reason", MAX_REASON_LENGTH));
    let owner = fields.take("owner").and_then(|node| line(finder, node, "owner", MAX_NAME_LENGTH));
    let ticket =
        fields.take("ticket").and_then(|node| line(finder, node, "ticket", MAX_NAME_LENGTH));
    Some(Metadata { name: name?, reason: reason?, owner, ticket })
}

fn spec(finder: &mut Finder<'_>, node: &YamlNode, kind: ManifestKind) -> Option<Spec> {
    let mut fields = Mapping::from_node(
        finder,
        node,
        "spec",
        &["portal", "personal", "common", "guards", "protect"],
    )?;
    let help = tr!(
        "name the portal that the manifest is for, such as company.bitrix24.com; it is refused for any other"
    );
    let portal = fields.require(finder, "portal", help).and_then(|node| self::portal(finder, node));
    let (personal_node, common_node) = (fields.take("personal"), fields.take("common"));
    if personal_node.is_none() && common_node.is_none() && !fields.has_unknown() {
        let message = tr!("spec has neither `personal` nor `common`");
        let help = tr!("a manifest that declares nothing is more often a mistake than a wish");
        finder.error(DiagnosticCode::NothingDeclared, node, message, Some(help));
    }
    let personal = personal_node
        .map(|node| {
            list(finder, node, "personal", Empty::Refused, |finder, node| block(finder, node, kind))
        })
        .unwrap_or_default();
    let common = common_node.map(|node| self::common(finder, node, kind)).unwrap_or_default();
    let mut guards =
        fields.take("guards").map(|node| self::guards(finder, node, kind)).unwrap_or_default();
    if let Some(node) = fields.take("protect")
        && let Some(mut protect) = Mapping::from_node(finder, node, "protect", &["ids"])
        && let Some(ids) = protect.require(finder, "ids", tr!("write `protect: {{ ids: [ … ] }}`"))
    {
        guards.protected = list(finder, ids, "protect.ids", Empty::Refused, user)
            .into_iter()
            .map(|id| id.value)
            .collect();
    }
    Some(Spec { portal: portal?, personal, common, guards })
}

/// Decodes the name of a portal.
pub(super) fn portal(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Located<PortalId>> {
    let text = text(finder, node, "portal")?;
    let place = finder.place(node);
    match PortalId::new(text) {
        Ok(value) => Some(Located { value, place }),
        Err(problem) => {
            let host = text
                .split_once("://")
                .map_or(text, |(_, rest)| rest)
                .split(['/', '?', '#', '@'])
                .next();
            let help = match host.and_then(|host| PortalId::new(host).ok()) {
                Some(host) => tr!("write the host alone: `portal: {host}`", host),
                None => tr!("write the host of the portal, such as company.bitrix24.com"),
            };
            finder.error(
                DiagnosticCode::InvalidPortal,
                node,
                tr!("this is no portal: {problem}", problem),
                Some(help),
            );
            None
        }
    }
}

fn block(finder: &mut Finder<'_>, node: &YamlNode, kind: ManifestKind) -> Option<PersonalBlock> {
    let mut fields = Mapping::from_node(finder, node, "personal", PERSONAL_KEYS)?;
    let help =
        tr!("say whose cards: `users: {{ ids: [ … ] }}`, emails, departments or `all: true`");
    let users = fields.require(finder, "users", help).and_then(|node| users(finder, node));
    let cards = kind.cards(
        finder,
        &mut fields,
        tr!("say for which leads: `leadCustomerTypes: [simple, repeat]`"),
        tr!("say which cards: `cards: [{{ deal: {{ pipelines: [default] }} }}]`"),
    );
    let mode = match fields.take("mode") {
        None => Some(Mode::Enforce),
        Some(node) => mode(finder, node),
    };
    Some(PersonalBlock { place: finder.place(node), users: users?, cards: cards?, mode: mode? })
}

fn common(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    kind: ManifestKind,
) -> Vec<Located<CardSelector>> {
    let Some(mut fields) = Mapping::from_node(finder, node, "common", CARD_KEYS) else {
        return Vec::new();
    };
    kind.cards(
        finder,
        &mut fields,
        tr!("say which common cards: `leadCustomerTypes: [repeat]`"),
        tr!("say which common cards: `cards: [{{ deal: {{ pipelines: [default] }} }}]`"),
    )
    .unwrap_or_default()
}

fn mode(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Mode> {
    match &node.value {
        YamlValue::Text(text) if text == "enforce" => Some(Mode::Enforce),
        YamlValue::Text(text) => {
            let help = match text.as_str() {
                "once" => {
                    tr!("a reset that happens once needs a name: `mode: {{ once: 2026-11 }}`")
                }
                _ => tr!("there are `enforce`, and `{{ once: GENERATION }}`"),
            };
            finder.error(
                DiagnosticCode::UnknownValue,
                node,
                tr!("there is no mode `{text}`", text),
                Some(help),
            );
            None
        }
        YamlValue::Map(_) => {
            let mut fields = Mapping::from_node(finder, node, "mode", &["once"])?;
            let generation =
                fields.require(finder, "once", tr!("write `mode: {{ once: 2026-11 }}`"))?;
            let name = match &generation.value {
                YamlValue::Text(text) => text.clone(),
                YamlValue::Whole(number) => number.to_string(),
                _ => {
                    finder.wrong_type(generation, tr!("a text"), "once");
                    return None;
                }
            };
            let known = Generation::new(&name);
            if known.is_none() {
                let help =
                    tr!("1 to 64 letters, digits, dots, hyphens and underscores, such as 2026-11");
                let message =
                    tr!("{name} cannot name a generation", name = format_args!("{name:?}"));
                finder.error(DiagnosticCode::InvalidGeneration, generation, message, Some(help));
            }
            known.map(Mode::Once)
        }
        _ => {
            finder.wrong_type(node, tr!("`enforce` or `{{ once: GENERATION }}`"), "mode");
            None
        }
    }
}

fn users(finder: &mut Finder<'_>, node: &YamlNode) -> Option<UserSelection> {
    let mut fields = Mapping::from_node(
        finder,
        node,
        "users",
        &["ids", "emails", "departments", "all", "except"],
    )?;
    let mut selection = UserSelection {
        ids: optional_list(finder, fields.take("ids"), "ids", Empty::Refused, user),
        emails: optional_list(finder, fields.take("emails"), "emails", Empty::Refused, email),
        departments: optional_list(
            finder,
            fields.take("departments"),
            "departments",
            Empty::Refused,
            department,
        ),
        ..UserSelection::default()
    };
    if let Some(all) = fields.take("all") {
        match all.value {
            YamlValue::Bool(true) => selection.all = Some(finder.place(all)),
            YamlValue::Bool(false) => {}
            _ => finder.wrong_type(all, tr!("true or false"), "all"),
        }
    }
    if let Some(except) = fields.take("except")
        && let Some(mut fields) =
            Mapping::from_node(finder, except, "except", &["ids", "emails", "departments"])
    {
        selection.except = Exceptions {
            ids: optional_list(finder, fields.take("ids"), "except.ids", Empty::Allowed, user),
            emails: optional_list(
                finder,
                fields.take("emails"),
                "except.emails",
                Empty::Allowed,
                email,
            ),
            departments: optional_list(
                finder,
                fields.take("departments"),
                "except.departments",
                Empty::Allowed,
                department,
            ),
        };
    }
    let misspelt = fields.has_unknown();
    let named = !selection.ids.is_empty()
        || !selection.emails.is_empty()
        || !selection.departments.is_empty();
    // A value that was refused has its own problem already.
    let stated = matches!(&node.value, YamlValue::Map(map) if map.iter().any(|(key, value)| {
        matches!(&key.value, YamlValue::Text(text) if match text.as_str() {
            "ids" | "emails" | "departments" => true,
            "all" => !matches!(value.value, YamlValue::Bool(_)),
            _ => false,
        })
    }));
    if !named && !stated && !misspelt && selection.all.is_none() {
        let help = tr!(
            "name people by ids, emails or departments, or write `all: true` for every active employee"
        );
        finder.error(DiagnosticCode::EmptySelection, node, tr!("this selects nobody"), Some(help));
    }
    Some(selection)
}

fn guards(finder: &mut Finder<'_>, node: &YamlNode, kind: ManifestKind) -> ManifestLimits {
    let mut guards = ManifestLimits::default();
    let Some(mut fields) = Mapping::from_node(
        finder,
        node,
        "guards",
        &["maxUsers", "maxPercentOfUsers", "acknowledge"],
    ) else {
        return guards;
    };
    guards.max_users =
        fields.take("maxUsers").and_then(|node| number(finder, node, "maxUsers", u32::MAX));
    let percent = fields
        .take("maxPercentOfUsers")
        .and_then(|node| number(finder, node, "maxPercentOfUsers", 100));
    guards.max_percent_of_users = percent.and_then(|percent| u8::try_from(percent).ok());
    let known = &["users", "selection", "common", "people"];
    if let Some(node) = fields.take("acknowledge")
        && let Some(mut fields) = Mapping::from_node(finder, node, "acknowledge", known)
    {
        guards.acknowledged_users =
            fields.take("users").and_then(|node| number(finder, node, "users", u32::MAX));
        guards.acknowledged_selection =
            fields.take("selection").and_then(|node| number(finder, node, "selection", u32::MAX));
        let common = fields.take("common").map(|node| kind.acknowledged(finder, node));
        guards.acknowledged_common = common.into_iter().flatten().collect();
        let people = optional_list(finder, fields.take("people"), "people", Empty::Refused, user);
        guards.acknowledged_people = people.into_iter().map(|id| id.value).collect();
    }
    guards
}
