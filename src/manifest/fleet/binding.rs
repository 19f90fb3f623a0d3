//! Binding of shared manifests to a portal: its name in place of a missing `spec.portal`, and its
//! values in place of `{ value: NAME }`.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::manifest::declaration::Located;
use crate::manifest::mapping::{Finder, suggestion};
use crate::manifest::yaml_tree::{YamlNode, YamlValue};
use crate::model::PortalId;

/// Portal that manifests are bound to.
pub(super) struct Binding<'a> {
    pub(super) portal: &'a Located<PortalId>,
    pub(super) values: &'a [(String, YamlNode)],
}

impl Binding<'_> {
    /// Returns a document of a manifest as it is for the portal. Undefined values and pins to
    /// another portal are reported.
    pub(super) fn bind(
        &self,
        document: &YamlNode,
        file: &Arc<str>,
        found: &mut Vec<Diagnostic>,
    ) -> YamlNode {
        let mut bound = document.clone();
        let Some(spec) = entry(&mut bound, "spec") else { return bound };
        let finder = &mut Finder { file, found };
        match entry(spec, "portal") {
            Some(pin) => self.check_pin(pin, finder),
            None => self.name_portal(spec),
        }
        if let Some(personal) = entry(spec, "personal")
            && let YamlValue::List(blocks) = &mut personal.value
        {
            for users in blocks.iter_mut().filter_map(|block| entry(block, "users")) {
                self.fill_in(users, finder);
            }
        }
        bound
    }

    fn check_pin(&self, pin: &YamlNode, finder: &mut Finder<'_>) {
        let YamlValue::Text(text) = &pin.value else { return };
        if PortalId::new(text).is_ok_and(|pinned| pinned != self.portal.value) {
            let message = tr!(
                "the manifest is for the portal {text}, and {} uses it",
                self.portal.value,
                text
            );
            let help = tr!("leave `portal` out of a manifest that several portals share");
            finder.error(DiagnosticCode::DifferentPortals, pin, message, Some(help));
        }
    }

    fn name_portal(&self, spec: &mut YamlNode) {
        let YamlValue::Map(entries) = &mut spec.value else { return };
        let place = &self.portal.place;
        let text = |text: &str| YamlNode::text_at(place, text);
        entries.push((text("portal"), text(self.portal.value.as_str())));
    }

    /// Replaces `{ value: NAME }` by the value of the portal.
    fn fill_in(&self, users: &mut YamlNode, finder: &mut Finder<'_>) {
        let YamlValue::Map(entries) = &users.value else { return };
        let [(key, name)] = entries.as_slice() else { return };
        let (YamlValue::Text(key), YamlValue::Text(text)) = (&key.value, &name.value) else {
            return;
        };
        if key != "value" {
            return;
        }
        match self.values.iter().find(|(name, _)| name == text) {
            Some((_, value)) => *users = value.clone(),
            None => {
                let known: Vec<&str> = self.values.iter().map(|(name, _)| name.as_str()).collect();
                let message = tr!("the portal {} has no value `{text}`", self.portal.value, text);
                let help = match known.as_slice() {
                    [] => tr!(
                        "say what it is in the entry of the portal: `values: {{ {text}: {{ departments: [ … ] }} }}`",
                        text
                    ),
                    known => suggestion(text, known),
                };
                finder.error(DiagnosticCode::UnknownValue, name, message, Some(help));
                // The portal that has none is the other place to mend.
                if let Some(last) = finder.found.pop() {
                    finder.found.push(last.label(self.portal.place.clone(), tr!("the portal")));
                }
                // A selection that is refused already, and not a second time by its form.
                let place = &self.portal.place;
                let all = YamlNode::text_at(place, "all");
                let mut yes = all.clone();
                yes.value = YamlValue::Bool(true);
                users.value = YamlValue::Map(vec![(all, yes)]);
            }
        }
    }
}

/// Returns the value of a key of a mapping.
fn entry<'n>(node: &'n mut YamlNode, wanted: &str) -> Option<&'n mut YamlNode> {
    let YamlValue::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find_map(|(key, value)| match &key.value {
        YamlValue::Text(text) if text == wanted => Some(value),
        _ => None,
    })
}
