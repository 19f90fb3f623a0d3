//! Commands of a batch: the method calls of recard.
//!
//! A command is built from checked types alone. It always has all parameters: the portal reads a
//! missing or odd one as "the caller", "personal" or "simple leads", and answers `true`.

use super::encode::push_encoded;
use crate::model::{CardKey, CardScope};

/// Method that reads a card.
pub(crate) const GET: &str = "crm.lead.details.configuration.get";
/// Method that resets a card.
pub(crate) const RESET: &str = "crm.lead.details.configuration.reset";
/// Method that stores a card.
pub(crate) const SET: &str = "crm.lead.details.configuration.set";
/// Method that returns the caller.
pub(crate) const PROFILE: &str = "profile";
/// Method that lists people.
pub(crate) const USERS: &str = "user.get";
/// Method that lists departments.
pub(crate) const DEPARTMENTS: &str = "department.get";
/// Method that lists the webhook's rights.
pub(crate) const RIGHTS: &str = "scope";
/// Method that returns the portal's time of day.
pub(crate) const SERVER_TIME: &str = "server.time";
/// Method that returns the availability of a method.
pub(crate) const METHOD_GET: &str = "method.get";
/// Method that carries commands.
pub(crate) const BATCH: &str = "batch";

/// Call of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchCommand {
    method: &'static str,
    query: String,
}

impl BatchCommand {
    /// Creates a call without parameters.
    pub(crate) fn new(method: &'static str) -> Self {
        Self { method, query: String::new() }
    }

    /// Adds a parameter. The name is the program's own and may have brackets; the value may be
    /// anything.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(name);
        self.query.push('=');
        push_encoded(&mut self.query, value);
        self
    }

    /// Creates a call for one card. Scope and user come first: a portal that drops parameters drops
    /// the last.
    pub(crate) fn for_card(method: &'static str, key: CardKey) -> Self {
        let command = match key.scope {
            CardScope::Common => Self::new(method).with("scope", "C"),
            CardScope::Personal(user) => {
                Self::new(method).with("scope", "P").with("userId", &user.to_string())
            }
        };
        command.with("extras[leadCustomerType]", &key.lead.number().to_string())
    }

    /// Returns the method.
    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the text of the command in a batch.
    pub(crate) fn text(&self) -> String {
        if self.query.is_empty() {
            self.method.to_owned()
        } else {
            format!("{}?{}", self.method, self.query)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LeadCustomerType, UserId};

    #[test]
    fn a_command_for_a_card_names_scope_user_and_lead_type() {
        let person = CardKey::personal(UserId::new(7).unwrap(), LeadCustomerType::Repeat);
        assert_eq!(
            BatchCommand::for_card(RESET, person).text(),
            "crm.lead.details.configuration.reset?scope=P&userId=7&extras[leadCustomerType]=2"
        );
        assert_eq!(
            BatchCommand::for_card(GET, CardKey::common(LeadCustomerType::Simple)).text(),
            "crm.lead.details.configuration.get?scope=C&extras[leadCustomerType]=1"
        );
    }

    #[test]
    fn a_value_cannot_become_another_parameter() {
        let command = BatchCommand::new(USERS)
            .with("FILTER[EMAIL]", "a&userId=1@b.example")
            .with("start", "0");
        assert_eq!(command.text(), "user.get?FILTER[EMAIL]=a%26userId%3D1%40b.example&start=0");
        assert_eq!(BatchCommand::new(PROFILE).text(), "profile");
    }
}
