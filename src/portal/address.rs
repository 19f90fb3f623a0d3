//! Address of a card in the portal's API: the method, `entityTypeId` and `extras` of its kind.
//!
//! This is the only place that knows them. The portal takes a key of another kind, or a missing
//! one, for the default pipeline, and answers `true` (`CARDS.md`, sections 3 and 9): each kind has
//! exactly its own key, and a kind without a known pipeline has no address.

use bitrix24::BatchCommand;

use crate::model::{CardKey, CardKind, CardScope};

/// Operation on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Reads it.
    Get,
    /// Stores it.
    Set,
    /// Resets it.
    Reset,
}

/// Family of methods for the cards of leads. All other cards have the family `crm.item` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MethodFamily {
    /// `crm.lead.details.configuration.*`, which knows the type of lead by its own parameter.
    #[default]
    Lead,
    /// `crm.item.details.configuration.*`, which is common to all kinds of cards.
    Item,
}

/// Address of the cards of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CardAddress {
    family: MethodFamily,
    /// `entityTypeId`; the family of leads has none.
    pub(super) entity_type_id: Option<u32>,
    /// The only entry of `extras`, if the kind has one.
    pub(super) extra: Option<(&'static str, u32)>,
}

impl CardAddress {
    /// Returns the address of a kind; `None` if no pipeline is known that the portal requires.
    pub(super) fn from_kind(kind: CardKind, leads: MethodFamily) -> Option<Self> {
        let extra = match kind {
            CardKind::Lead(lead) => Some(("leadCustomerType", u32::from(lead.number()))),
            CardKind::Deal(pipeline) => Some(("dealCategoryId", pipeline)),
            CardKind::Contact(category) | CardKind::Company(category) => {
                category.map(|category| ("CATEGORY_ID", category.get()))
            }
            CardKind::Quote => None,
            CardKind::SmartInvoice(pipeline) => Some(("CATEGORY_ID", pipeline.get())),
            CardKind::SmartProcess(_, pipeline) => Some(("categoryId", pipeline.get())),
            CardKind::NoPipeline(_) => return None,
        };
        let family = match kind {
            CardKind::Lead(_) => leads,
            _ => MethodFamily::Item,
        };
        let entity_type_id = match family {
            MethodFamily::Lead => None,
            MethodFamily::Item => Some(kind.entity_type().number()),
        };
        Some(Self { family, entity_type_id, extra })
    }

    /// Returns the method for an operation.
    pub(super) fn method(self, operation: Operation) -> &'static str {
        self.family.method(operation)
    }
}

impl MethodFamily {
    /// Returns the method for an operation.
    pub(super) fn method(self, operation: Operation) -> &'static str {
        match (self, operation) {
            (Self::Lead, Operation::Get) => "crm.lead.details.configuration.get",
            (Self::Lead, Operation::Set) => "crm.lead.details.configuration.set",
            (Self::Lead, Operation::Reset) => "crm.lead.details.configuration.reset",
            (Self::Item, Operation::Get) => "crm.item.details.configuration.get",
            (Self::Item, Operation::Set) => "crm.item.details.configuration.set",
            (Self::Item, Operation::Reset) => "crm.item.details.configuration.reset",
        }
    }
}

/// Returns the command of a batch for one card; `None` if the card has no address. Scope, user and
/// address come first: a portal that drops parameters drops the last.
pub(super) fn card_command(
    operation: Operation,
    key: CardKey,
    leads: MethodFamily,
) -> Option<BatchCommand> {
    let address = CardAddress::from_kind(key.kind, leads)?;
    let command = BatchCommand::new(address.method(operation));
    let mut command = match key.scope {
        CardScope::Common => command.with("scope", "C"),
        CardScope::Personal(user) => command.with("scope", "P").with("userId", &user.to_string()),
    };
    if let Some(number) = address.entity_type_id {
        command = command.with("entityTypeId", &number.to_string());
    }
    if let Some((name, number)) = address.extra {
        command = command.with(&format!("extras[{name}]"), &number.to_string());
    }
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: &str, leads: MethodFamily) -> Option<String> {
        let key = key.parse().unwrap();
        card_command(Operation::Reset, key, leads).map(|command| command.text())
    }

    #[test]
    fn command_for_a_card_names_scope_user_and_the_key_of_its_kind() {
        let lead = "crm.lead.details.configuration.reset?scope=P&userId=7";
        let item = "crm.item.details.configuration.reset?scope=P&userId=7&entityTypeId";
        for (key, wanted) in [
            ("lead/repeat", format!("{lead}&extras[leadCustomerType]=2")),
            ("deal/0", format!("{item}=2&extras[dealCategoryId]=0")),
            ("deal/5", format!("{item}=2&extras[dealCategoryId]=5")),
            ("contact", format!("{item}=3")),
            ("contact/15", format!("{item}=3&extras[CATEGORY_ID]=15")),
            ("company", format!("{item}=4")),
            ("company/16", format!("{item}=4&extras[CATEGORY_ID]=16")),
            ("quote", format!("{item}=7")),
            ("smart-invoice/9", format!("{item}=31&extras[CATEGORY_ID]=9")),
            ("smart-process/177/9", format!("{item}=177&extras[categoryId]=9")),
        ] {
            let key = format!("personal/7/{key}");
            assert_eq!(text(&key, MethodFamily::Lead), Some(wanted), "{key}");
        }
        assert_eq!(
            text("common/lead/simple", MethodFamily::Lead).unwrap(),
            "crm.lead.details.configuration.reset?scope=C&extras[leadCustomerType]=1"
        );
        assert_eq!(
            text("common/lead/simple", MethodFamily::Item).unwrap(),
            "crm.item.details.configuration.reset?scope=C&entityTypeId=1&extras[leadCustomerType]=1"
        );
    }

    #[test]
    fn card_without_a_listed_pipeline_has_no_command() {
        for key in ["personal/7/smart-invoice/?", "common/smart-process/177/?"] {
            assert_eq!(text(key, MethodFamily::Item), None, "{key}");
        }
    }
}
