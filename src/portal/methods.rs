//! The methods that recard calls, and the call for one card.
//!
//! A command is built from checked types alone. It always has all parameters: the portal reads a
//! missing or odd one as "the caller", "personal" or "simple leads", and answers `true`.

use bitrix24::BatchCommand;

use crate::model::{CardKey, CardScope};

/// Reads a card.
pub(super) const GET: &str = "crm.lead.details.configuration.get";
/// Resets a card.
pub(super) const RESET: &str = "crm.lead.details.configuration.reset";
/// Stores a card.
pub(super) const SET: &str = "crm.lead.details.configuration.set";
/// Tells who the caller is.
pub(super) const PROFILE: &str = "profile";
/// Lists the fields of leads with their labels.
pub(super) const LEAD_FIELDS: &str = "crm.lead.fields";
/// Lists people.
pub(super) const USERS: &str = "user.get";
/// Lists departments.
pub(super) const DEPARTMENTS: &str = "department.get";
/// Lists the webhook's rights.
pub(super) const RIGHTS: &str = "scope";
/// Tells the portal's time of day.
pub(super) const SERVER_TIME: &str = "server.time";
/// Method that returns the availability of a method.
pub(super) const METHOD_GET: &str = "method.get";

/// Returns the call of a method for one card. Scope and user come first: a portal that drops
/// parameters drops the last.
pub(super) fn card_command(method: &'static str, key: CardKey) -> BatchCommand {
    let command = BatchCommand::new(method);
    let command = match key.scope {
        CardScope::Common => command.with("scope", "C"),
        CardScope::Personal(user) => command.with("scope", "P").with("userId", &user.to_string()),
    };
    command.with("extras[leadCustomerType]", &key.lead.number().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LeadCustomerType, UserId};

    #[test]
    fn command_for_a_card_names_scope_user_and_lead_type() {
        let person = CardKey::personal(UserId::new(7).unwrap(), LeadCustomerType::Repeat);
        assert_eq!(
            card_command(RESET, person).text(),
            "crm.lead.details.configuration.reset?scope=P&userId=7&extras[leadCustomerType]=2"
        );
        assert_eq!(
            card_command(GET, CardKey::common(LeadCustomerType::Simple)).text(),
            "crm.lead.details.configuration.get?scope=C&extras[leadCustomerType]=1"
        );
    }
}
