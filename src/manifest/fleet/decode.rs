//! Decoder of the documents of a fleet: `kind: Fleet` and `kind: FleetPortal`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::content::{FleetGuards, Pause, PortalMode, SecretReference, StopRule, Wave, WaveRule};
use super::selector::{LabelSelector, is_key, is_value};
use crate::diagnostic::DiagnosticCode;
use crate::i18n::Text;
use crate::manifest::declaration::Located;
use crate::manifest::decode::{self, API_VERSION, Metadata, exactly};
use crate::manifest::mapping::{Finder, Mapping, suggestion};
use crate::manifest::value::{Empty, line, number, optional_list, text};
use crate::manifest::yaml_tree::{YamlNode, YamlValue};
use crate::model::{PortalId, SourceLocation, decimal};

/// Maximum length of a path or a name, in characters.
const MAX_LENGTH: usize = 255;

/// Keys of the entry of a portal.
const ENTRY_KEYS: &[&str] = &[
    "portal",
    "labels",
    "manifests",
    "values",
    "webhook",
    "readWebhook",
    "every",
    "mode",
    "pause",
];

/// Keys that `defaults` may state.
const DEFAULT_KEYS: &[&str] = &["manifests", "webhook", "readWebhook", "every", "mode"];

/// Longest interval and longest time to settle: 31 days.
const MAX_DURATION: Duration = Duration::from_secs(744 * 3600);

/// Range of `every`.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=MAX_DURATION;

/// Document of `kind: Fleet`.
pub(super) struct FleetDocument {
    pub(super) name: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) defaults: PortalEntry,
    pub(super) portals: Vec<PortalEntry>,
    pub(super) include: Vec<Located<Arc<str>>>,
    pub(super) waves: Vec<Wave>,
    pub(super) stop: StopRule,
    pub(super) guards: FleetGuards,
}

/// Entry of a portal, or the defaults of all.
pub(super) struct PortalEntry {
    pub(super) place: SourceLocation,
    pub(super) portal: Option<Located<PortalId>>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) manifests: Vec<Located<Arc<str>>>,
    /// Values by name. There are few, and of thousands of portals: a map takes much more room.
    pub(super) values: Vec<(String, YamlNode)>,
    pub(super) webhook: Option<SecretReference>,
    pub(super) read_webhook: Option<SecretReference>,
    pub(super) every: Option<Duration>,
    pub(super) mode: Option<PortalMode>,
    pub(super) pause: Option<Pause>,
}

impl PortalEntry {
    /// Creates an entry that states nothing.
    pub(super) fn without_portal(place: SourceLocation) -> Self {
        Self {
            place,
            portal: None,
            labels: BTreeMap::new(),
            manifests: Vec::new(),
            values: Vec::new(),
            webhook: None,
            read_webhook: None,
            every: None,
            mode: None,
            pause: None,
        }
    }
}

/// Returns the kind of a document, if it has one.
pub(super) fn kind(node: &YamlNode) -> Option<&str> {
    let YamlValue::Map(entries) = &node.value else { return None };
    entries.iter().find_map(|(key, value)| match (&key.value, &value.value) {
        (YamlValue::Text(key), YamlValue::Text(kind)) if key == "kind" => Some(kind.as_str()),
        _ => None,
    })
}

/// Decodes a document of `kind: Fleet`.
pub(super) fn fleet(finder: &mut Finder<'_>, node: &YamlNode) -> Option<FleetDocument> {
    let known = &["apiVersion", "kind", "metadata", "spec"];
    let mut top = Mapping::from_node(finder, node, tr_later!("the fleet"), known)?;
    check_kind(finder, &mut top, "Fleet");
    let help = tr!("write `metadata: {{ name: …, reason: … }}`");
    let metadata = top.require(finder, "metadata", help);
    let metadata = metadata.and_then(|node| decode::metadata(finder, node));
    let spec = top.require(finder, "spec", tr!("write `spec:` with `portals` or `include`"))?;
    let known = &["defaults", "portals", "include", "waves", "stop", "guards"];
    let mut fields = Mapping::from_node(finder, spec, "spec", known)?;
    let defaults = match fields.take("defaults") {
        Some(node) => {
            let mut fields = Mapping::from_node(finder, node, "defaults", DEFAULT_KEYS)?;
            entry_of(finder, node, &mut fields, None)
        }
        None => PortalEntry::without_portal(finder.place(spec)),
    };
    let (portals, include) = (fields.take("portals"), fields.take("include"));
    if portals.is_none() && include.is_none() && !fields.has_unknown() {
        let message = tr!("spec has neither `portals` nor `include`");
        let help = tr!("an empty fleet is more often a mistake than a wish");
        finder.error(DiagnosticCode::NothingDeclared, spec, message, Some(help));
    }
    let guards = fields.take("guards").map(|node| guards(finder, node)).unwrap_or_default();
    // The last portal leaves a fleet that is renamed or given up.
    let is_meant_empty = guards.acknowledged_fleet == Some(0);
    let empty = if is_meant_empty { Empty::Allowed } else { Empty::Refused };
    let portals = optional_list(finder, portals, "portals", empty, entry);
    let include = optional_list(finder, include, "include", Empty::Refused, path);
    let waves = optional_list(finder, fields.take("waves"), "waves", Empty::Refused, wave);
    let stop = fields.take("stop").map(|node| stop(finder, node)).unwrap_or(StopRule::STRICT);
    let Metadata { name, reason, owner: _, ticket: _ } = metadata?;
    Some(FleetDocument { name, reason, defaults, portals, include, waves, stop, guards })
}

/// Decodes a document of `kind: FleetPortal`.
pub(super) fn portal(finder: &mut Finder<'_>, node: &YamlNode) -> Option<PortalEntry> {
    let known = &["apiVersion", "kind", "spec"];
    let mut top = Mapping::from_node(finder, node, tr_later!("the portal of a fleet"), known)?;
    check_kind(finder, &mut top, "FleetPortal");
    let help = tr!("write `spec: {{ portal: company.bitrix24.com }}`");
    let spec = top.require(finder, "spec", help)?;
    entry(finder, spec)
}

fn check_kind(finder: &mut Finder<'_>, top: &mut Mapping<'_>, wanted: &'static str) {
    if let Some(version) = top.require(finder, "apiVersion", tr!("write `apiVersion: recard/v1`")) {
        exactly(finder, version, API_VERSION, "apiVersion", DiagnosticCode::UnsupportedVersion);
    }
    let help = tr!("write `kind: {wanted}`", wanted);
    if let Some(kind) = top.require(finder, "kind", help) {
        exactly(finder, kind, wanted, "kind", DiagnosticCode::UnsupportedKind);
    }
}

fn entry(finder: &mut Finder<'_>, node: &YamlNode) -> Option<PortalEntry> {
    let known = ENTRY_KEYS;
    let mut fields = Mapping::from_node(finder, node, tr_later!("the entry of a portal"), known)?;
    let help = tr!("name the portal, such as company.bitrix24.com");
    let portal = fields.require(finder, "portal", help);
    let portal = portal.and_then(|node| decode::portal(finder, node));
    Some(entry_of(finder, node, &mut fields, portal))
}

fn entry_of(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    fields: &mut Mapping<'_>,
    portal: Option<Located<PortalId>>,
) -> PortalEntry {
    let mut take = |key| fields.take_known(key);
    let (labels, manifests, values) = (take("labels"), take("manifests"), take("values"));
    let (webhook, read_webhook) = (take("webhook"), take("readWebhook"));
    let (every, mode, pause) = (take("every"), take("mode"), take("pause"));
    PortalEntry {
        place: portal.as_ref().map_or_else(|| finder.place(node), |portal| portal.place.clone()),
        portal,
        labels: labels.map(|node| self::labels(finder, node, "labels")).unwrap_or_default(),
        manifests: optional_list(finder, manifests, "manifests", Empty::Refused, path),
        values: values.map(|node| self::values(finder, node)).unwrap_or_default(),
        webhook: webhook.and_then(|node| secret(finder, node, "webhook")),
        read_webhook: read_webhook.and_then(|node| secret(finder, node, "readWebhook")),
        every: every.and_then(|node| duration(finder, node, "every", &EVERY)),
        mode: mode.and_then(|node| self::mode(finder, node)),
        pause: pause.and_then(|node| self::pause(finder, node)),
    }
}

fn path(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Located<Arc<str>>> {
    let value = line(finder, node, tr_later!("a path"), MAX_LENGTH)?;
    Some(Located { value, place: finder.place(node) })
}

/// Decodes the entries of a mapping whose keys are free; a key that appears twice is an error.
fn free_entries<'n>(
    finder: &mut Finder<'_>,
    node: &'n YamlNode,
    what: &'static str,
) -> Vec<(&'n str, &'n YamlNode, &'n YamlNode)> {
    let YamlValue::Map(entries) = &node.value else {
        finder.wrong_type(node, tr!("a mapping"), format!("`{what}`"));
        return Vec::new();
    };
    let mut known: Vec<(&str, &YamlNode, &YamlNode)> = Vec::new();
    for (key, value) in entries {
        let Some(text) = text(finder, key, tr!("a key")) else { continue };
        if known.iter().any(|(earlier, ..)| *earlier == text) {
            let help = tr!("keep one of them; recard does not guess which");
            let message = tr!("`{text}` appears twice", text);
            finder.error(DiagnosticCode::DuplicateKey, key, message, Some(help));
            continue;
        }
        known.push((text, key, value));
    }
    known
}

fn labels(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    what: &'static str,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, at, value) in free_entries(finder, node, what) {
        let Some(text) = text(finder, value, tr!("the value of a label")) else { continue };
        for (part, at, fits) in [(key, at, is_key(key)), (text, value, is_value(text))] {
            if !fits {
                let message =
                    tr!("{part} is not allowed in a label", part = format_args!("{part:?}"));
                let help =
                    tr!("labels are of up to 63 letters, digits, dots, hyphens and underscores");
                finder.error(DiagnosticCode::UnknownValue, at, message, Some(help));
            }
        }
        labels.insert(key.to_owned(), text.to_owned());
    }
    labels
}

/// Decodes values. They are selections, checked where a manifest uses them.
fn values(finder: &mut Finder<'_>, node: &YamlNode) -> Vec<(String, YamlNode)> {
    let entries = free_entries(finder, node, "values").into_iter();
    let file = Arc::clone(finder.file);
    entries.map(|(key, _, value)| (key.to_owned(), value.in_file(&file))).collect()
}

fn secret(finder: &mut Finder<'_>, node: &YamlNode, what: &'static str) -> Option<SecretReference> {
    let mut fields = Mapping::from_node(finder, node, what, &["file", "env"])?;
    let help =
        tr!("write `{{ file: NAME }}` or `{{ env: NAME }}`; the webhook itself must not be here");
    match (fields.take("file"), fields.take("env")) {
        (Some(file), None) => {
            let name = line(finder, file, "file", MAX_LENGTH)?;
            // The folder of secrets is named on the command line, and not left again.
            if name.starts_with('/') || name.split('/').any(|part| part == "..") {
                let message = tr!("{name} leads out of the folder of secrets", name);
                finder.error(DiagnosticCode::UnknownValue, file, message, Some(help));
                return None;
            }
            Some(SecretReference::File(name))
        }
        (None, Some(env)) => line(finder, env, "env", MAX_LENGTH).map(SecretReference::Variable),
        (Some(_), Some(_)) => {
            let message = tr!("a secret has either `file` or `env`");
            finder.error(DiagnosticCode::UnknownKey, node, message, Some(help));
            None
        }
        (None, None) if fields.has_unknown() => None,
        (None, None) => {
            let message = tr!("`{what}` names no place of a secret", what);
            finder.error(DiagnosticCode::MissingKey, node, message, Some(help));
            None
        }
    }
}

fn mode(finder: &mut Finder<'_>, node: &YamlNode) -> Option<PortalMode> {
    match text(finder, node, "mode")? {
        "apply" => Some(PortalMode::Apply),
        "drift" => Some(PortalMode::Drift),
        other => {
            let message = tr!("there is no mode `{other}`", other);
            let help = suggestion(other, &["apply", "drift"]);
            finder.error(DiagnosticCode::UnknownValue, node, message, Some(help));
            None
        }
    }
}

fn duration(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    key: &'static str,
    range: &RangeInclusive<Duration>,
) -> Option<Duration> {
    let text = match &node.value {
        // A number lacks its unit, which quotes do not mend.
        YamlValue::Whole(number) => number.to_string(),
        _ => text(finder, node, key)?.to_owned(),
    };
    let found = decimal::duration(&text).filter(|time| range.contains(time));
    if found.is_none() {
        let message = tr!("{text} is no time for `{key}`", text, key);
        let (least, most) = (range.start().as_secs(), range.end().as_secs() / 3600);
        let help = tr!("write 90s, 15m or 2h, at least {least}s and at most {most}h", least, most);
        finder.error(DiagnosticCode::OutOfRange, node, message, Some(help));
    }
    found
}

fn pause(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Pause> {
    let mut fields = Mapping::from_node(finder, node, "pause", &["until", "reason"])?;
    let reason = fields.require(finder, "reason", tr!("state the reason: every report shows it"));
    let reason = reason.and_then(|node| line(finder, node, "reason", MAX_LENGTH));
    let until = match fields.take("until") {
        None => None,
        Some(node) => {
            let date = text(finder, node, "until")?;
            let parsed = date.parse::<Date>();
            if parsed.is_err() {
                let message = tr!("{date} is no day", date = format_args!("{date:?}"));
                let help = tr!("write the first day without the pause: 2026-12-01");
                finder.error(DiagnosticCode::UnknownValue, node, message, Some(help));
            }
            Some(parsed.ok()?)
        }
    };
    Some(Pause { until, reason: reason? })
}

fn wave(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Wave> {
    let known = &["name", "select", "percent", "settle"];
    let mut fields = Mapping::from_node(finder, node, tr_later!("a wave"), known)?;
    let name = fields.require(finder, "name", tr!("give the wave a short name, such as canary"))?;
    let value = line(finder, name, "name", MAX_LENGTH)?;
    let place = finder.place(name);
    let settle = fields.take("settle");
    let settle =
        settle.and_then(|node| duration(finder, node, "settle", &(Duration::ZERO..=MAX_DURATION)));
    let takes = match (fields.take("select"), fields.take("percent")) {
        (None, None) => WaveRule::Rest,
        (Some(node), None) => WaveRule::Select(select(finder, node)?),
        (None, Some(node)) => WaveRule::Percent(number(finder, node, "percent", 100)?),
        (Some(_), Some(node)) => {
            let message = tr!("a wave has either `select` or `percent`");
            let help = tr!("a wave without both takes all portals that are left");
            finder.error(DiagnosticCode::UnknownKey, node, message, Some(help));
            return None;
        }
    };
    Some(Wave { name: Located { value, place }, takes, settle: settle.unwrap_or_default() })
}

fn select(finder: &mut Finder<'_>, node: &YamlNode) -> Option<LabelSelector> {
    let parsed = match &node.value {
        YamlValue::Text(text) => {
            LabelSelector::parse(text).map_err(|error| Text::from_display(&error))
        }
        _ => match labels(finder, node, "select") {
            labels if labels.is_empty() => Err(tr!("the selector is empty")),
            labels => Ok(LabelSelector::of_labels(labels)),
        },
    };
    if let Err(message) = &parsed {
        let help = tr!(
            "write `select: {{ ring: canary }}` or `select: \"ring=canary,country in (de,at)\"`"
        );
        finder.error(DiagnosticCode::EmptySelection, node, message.clone(), Some(help));
    }
    parsed.ok()
}

fn stop(finder: &mut Finder<'_>, node: &YamlNode) -> StopRule {
    let known = &["failed", "failedPercent"];
    let Some(mut fields) = Mapping::from_node(finder, node, "stop", known) else {
        return StopRule::STRICT;
    };
    let (failed, percent) = (fields.take("failed"), fields.take("failedPercent"));
    if failed.is_none() && percent.is_none() {
        return StopRule::STRICT;
    }
    StopRule {
        failed: failed.and_then(|node| number(finder, node, "failed", u32::MAX)),
        failed_percent: percent.and_then(|node| number(finder, node, "failedPercent", 100)),
    }
}

fn guards(finder: &mut Finder<'_>, node: &YamlNode) -> FleetGuards {
    let mut guards = FleetGuards::default();
    let known = &["maxPortals", "maxPeople", "acknowledge"];
    let Some(mut fields) = Mapping::from_node(finder, node, "guards", known) else {
        return guards;
    };
    let mut stated = |key: &'static str, fields: &mut Mapping<'_>| {
        fields.take(key).and_then(|node| number(finder, node, key, u32::MAX))
    };
    guards.max_portals = stated("maxPortals", &mut fields).unwrap_or(guards.max_portals);
    guards.max_people = stated("maxPeople", &mut fields).unwrap_or(guards.max_people);
    if let Some(node) = fields.take("acknowledge")
        && let Some(mut fields) =
            Mapping::from_node(finder, node, "acknowledge", &["portals", "people", "fleet"])
    {
        let mut stated = |key: &'static str, fields: &mut Mapping<'_>| {
            fields.take(key).and_then(|node| number(finder, node, key, u32::MAX))
        };
        guards.acknowledged_portals = stated("portals", &mut fields);
        guards.acknowledged_people = stated("people", &mut fields);
        guards.acknowledged_fleet = stated("fleet", &mut fields);
    }
    guards
}
