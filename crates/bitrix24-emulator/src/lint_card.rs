//! Linter of the calls of cards: what reaches another row than it seems to, or none that anybody
//! sees.
//!
//! Behavior notes, section 6.

use crate::call::CallContext;
use crate::card_address;
use crate::card_kind::{CardKind, Family, Operation};
use crate::complaint::{Linter, shown};
use crate::encode;
use crate::php::{PhpArray, PhpValue};
use crate::state::{PortalState, Release};

/// Call of a card.
pub(super) struct CardCall<'a> {
    pub(super) state: &'a PortalState,
    pub(super) caller: i64,
    pub(super) family: Family,
    pub(super) operation: Operation,
    pub(super) parameters: &'a PhpArray,
    pub(super) context: CallContext,
}

/// Returns the key in `extras` that a careful client uses; `None` for kinds without pipelines.
fn careful_key(kind: CardKind) -> Option<&'static str> {
    match kind {
        CardKind::Lead | CardKind::Quote => None,
        CardKind::Deal => Some("dealCategoryId"),
        CardKind::Process(_) => Some("categoryId"),
        CardKind::Contact | CardKind::Company | CardKind::Invoice | CardKind::Document(_) => {
            Some("CATEGORY_ID")
        }
    }
}

/// Returns `true` for keys that are a pipeline's for some kind, or look as if.
fn names_a_pipeline(key: &str) -> bool {
    let plain = key.replace(['_', '.'], "").to_ascii_lowercase();
    ["categoryid", "dealcategoryid", "pipelineid"].contains(&plain.as_str())
}

impl CardCall<'_> {
    /// Returns `true` for the read that tells releases apart: the common card without a pipeline. A
    /// type that lists no pipeline must not be asked, since old releases create one.
    fn is_probe(&self, kind: CardKind) -> bool {
        self.operation == Operation::Get
            && kind.is_always_numbered()
            && self.parameters.at("extras").is_none()
            && self.parameters.at("scope").and_then(PhpValue::text) == Some("C")
            && !self.state.listed_pipelines(self.caller, kind).is_empty()
    }

    /// Returns a whole number that every release reads as it is meant; in a command of a batch
    /// every value is text.
    fn plain_number(&self, value: Option<&PhpValue>) -> Option<i64> {
        match value? {
            PhpValue::Int(number) => Some(*number),
            PhpValue::Text(text) if self.context == CallContext::InBatch => {
                text.parse().ok().filter(|number: &i64| number.to_string() == *text)
            }
            _ => None,
        }
    }
}

impl Linter<'_> {
    pub(super) fn lint_card(&mut self, call: &CardCall<'_>) {
        let CardCall { state, family, operation, parameters, .. } = call;
        if *operation == Operation::Force {
            self.complain(
                "force",
                "the personal cards of everybody are removed, whatever else the request says",
            );
        } else {
            self.lint_scope_and_user(parameters);
        }
        match family {
            Family::Lead => {}
            Family::Deal | Family::Contact | Family::Company => self.complain(
                "old-family",
                "the method has no entityTypeId: without its body it works on the caller",
            ),
            Family::Item if call.plain_number(parameters.at("entityTypeId")).is_none() => {
                let text = format!(
                    "the type is {}: it is refused, or read as another one, often as leads",
                    shown(parameters.at("entityTypeId"))
                );
                return self.complain("bad-entity-type", text);
            }
            Family::Item => {}
        }
        // The portal refuses any other type.
        let Ok(kind) = card_address::kind(state, *family, parameters) else { return };
        match kind {
            CardKind::Lead => self.lint_lead_type(parameters),
            _ => self.lint_pipeline(call, kind),
        }
        self.lint_release(call);
    }

    fn lint_lead_type(&mut self, parameters: &PhpArray) {
        let extras = parameters.at("extras").and_then(PhpValue::array);
        for (key, value) in extras.into_iter().flat_map(PhpArray::iter) {
            match key.to_string().as_str() {
                "leadCustomerType" => {
                    let right = matches!(value, PhpValue::Int(1 | 2))
                        || matches!(value.text(), Some("1" | "2"));
                    if !right {
                        let text =
                            format!("leadCustomerType {} is neither 1 nor 2", encode::json(value));
                        self.complain("bad-lead-type", text);
                    }
                }
                other => self.complain_about_key(other),
            }
        }
        if extras.is_none_or(|extras| extras.at("leadCustomerType").is_none()) {
            self.complain(
                "missing-extras",
                "without extras.leadCustomerType the portal takes simple leads",
            );
        }
    }

    fn complain_about_key(&mut self, key: &str) {
        let text = format!("the key {key:?} in extras is unknown, or addresses another row");
        self.complain("unknown-extras", text);
    }

    fn lint_pipeline(&mut self, call: &CardCall<'_>, kind: CardKind) {
        let extras = call.parameters.at("extras").and_then(PhpValue::array);
        let keys: Vec<String> =
            extras.into_iter().flat_map(PhpArray::iter).map(|(key, _)| key.to_string()).collect();
        let (pipelines, others): (Vec<&String>, Vec<&String>) =
            keys.iter().partition(|key| names_a_pipeline(key));
        for key in others {
            self.complain_about_key(key);
        }
        let careful = careful_key(kind);
        let is_needed = kind == CardKind::Deal || kind.is_always_numbered();
        let sent = call.parameters.at("extras").filter(|extras| **extras != PhpValue::Null);
        if extras.is_none() && sent.is_some() && !is_needed {
            self.complain("unknown-extras", "extras is no object: the main card is addressed");
        }
        match pipelines.as_slice() {
            [] => {
                if is_needed && !call.is_probe(kind) {
                    let text = format!(
                        "without extras.{} the portal takes the default pipeline, or a row that \
                         nobody sees",
                        careful.unwrap_or_default()
                    );
                    self.complain("missing-pipeline", text);
                }
            }
            [key] if Some(key.as_str()) == careful => {
                self.lint_number(call, kind, extras.and_then(|extras| extras.at(key)));
            }
            [key] => {
                let text = format!(
                    "the key {key:?} is not the one of this kind: another row is addressed"
                );
                self.complain("wrong-pipeline-key", text);
            }
            _ => self.complain("two-pipeline-keys", "which of the keys wins depends on the kind"),
        }
    }

    fn lint_number(&mut self, call: &CardCall<'_>, kind: CardKind, value: Option<&PhpValue>) {
        // The default pipeline of deals has the number 0, any other pipeline a positive one.
        let least = i64::from(kind != CardKind::Deal);
        match call.plain_number(value).filter(|number| *number >= least) {
            None => {
                let text = format!(
                    "the pipeline is {}: it is read as another one, as the default one, or as none",
                    shown(value)
                );
                self.complain("bad-pipeline", text);
            }
            Some(number) if !call.state.listed_pipelines(call.caller, kind).contains(&number) => {
                let text = format!(
                    "pipeline {number} is not in the list of this type that the caller gets"
                );
                self.complain("unlisted-pipeline", text);
            }
            Some(_) => {}
        }
    }

    /// Checks what a release before the current one does otherwise.
    fn lint_release(&mut self, call: &CardCall<'_>) {
        let CardCall { state, caller, family, operation, parameters, .. } = call;
        let is_personal = parameters.at("scope").and_then(PhpValue::text) == Some("P");
        let named = parameters.at("userId").map_or(*caller, PhpValue::to_int);
        let is_set = *operation == Operation::Set;
        if state.release == Release::LegacyRead && is_set && is_personal && named != *caller {
            self.complain("set-for-others", "this release writes the card of the caller");
        }
        if state.release == Release::Current || !matches!(operation, Operation::Reset) {
            return;
        }
        let row = card_address::addressed(state, *caller, *family, *operation, parameters);
        if let Some((user, name)) = row
            && state.row_of_any_spelling(user, &name).is_some()
            && state.row(user, &name).is_none()
        {
            let text = "the row has another spelling: no get shows it, and so no backup has it";
            self.complain("unseen-row", text);
        }
    }

    fn lint_scope_and_user(&mut self, parameters: &PhpArray) {
        let scope = parameters.at("scope");
        match scope.and_then(PhpValue::text) {
            Some("C") => return,
            Some("P") => {}
            _ => {
                let text = format!(
                    "the scope is {}: what is not exactly C counts as personal",
                    shown(scope)
                );
                self.complain("bad-scope", text);
            }
        }
        let plain = match parameters.at("userId") {
            Some(PhpValue::Int(number)) => (1..=2_147_483_646).contains(number),
            // In a command of a batch every value is text.
            Some(PhpValue::Text(text)) => text.parse::<u32>().is_ok_and(|number| {
                number.to_string() == *text && (1..=2_147_483_646).contains(&number)
            }),
            _ => false,
        };
        if !plain {
            let text = format!(
                "the user id is {}: it is read as the caller, as user 1, or as somebody else",
                shown(parameters.at("userId"))
            );
            self.complain("bad-user-id", text);
        }
    }
}
