//! Webhook URL with the portal that it names. Its secret is masked in everything that recard
//! writes.

use std::fmt;

use thiserror::Error;

use crate::diagnostic::register_secret;
use crate::model::{Digest, PortalId};

/// A checked webhook URL. `Debug` and `Display` show it without its secret.
#[derive(Clone)]
pub struct WebhookUrl {
    portal: PortalId,
    url: bitrix24::WebhookUrl,
}

/// Error of a text that is not a webhook URL. The text is never repeated, since a misspelled secret
/// is still most of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookUrlError {
    /// The text is not a URL.
    #[error("{}", tr!("the webhook is not a web address of the form https://portal/rest/1/secret/"))]
    NotAnAddress,
    /// It is plain http to another machine.
    #[error("{}", tr!("the webhook must start with https://; plain http is accepted for this machine alone"))]
    NotHttps,
    /// It has a user name, a password, a query or a fragment.
    #[error("{}", tr!("the webhook must not have a user name, a password, a query or a fragment in its address"))]
    TooMuch,
    /// The path is not `/rest/<user>/<secret>/`.
    #[error("{}", tr!("the path of the webhook is not of the form /rest/<user>/<secret>/"))]
    NotAWebhook,
}

impl From<bitrix24::WebhookUrlError> for WebhookUrlError {
    fn from(error: bitrix24::WebhookUrlError) -> Self {
        match error {
            bitrix24::WebhookUrlError::NotAnAddress => Self::NotAnAddress,
            bitrix24::WebhookUrlError::NotHttps => Self::NotHttps,
            bitrix24::WebhookUrlError::TooMuch => Self::TooMuch,
            bitrix24::WebhookUrlError::NotAWebhook => Self::NotAWebhook,
        }
    }
}

impl WebhookUrl {
    /// Checks a URL and registers its secret with the mask, because a portal may repeat the secret
    /// in an answer.
    ///
    /// # Errors
    ///
    /// If the text is not the URL of a webhook. The error never holds the secret.
    pub fn parse(text: &str) -> Result<Self, WebhookUrlError> {
        let url = bitrix24::WebhookUrl::parse(text)?;
        register_secret(url.expose_secret());
        let portal = PortalId::new(url.authority()).map_err(|_| WebhookUrlError::NotAnAddress)?;
        Ok(Self { portal, url })
    }

    /// Returns the portal: the host, with the port if it is not the scheme's usual one.
    pub fn portal(&self) -> PortalId {
        self.portal.clone()
    }

    /// Returns `true` if the portal is reached by TLS, which needs certificates.
    pub fn is_https(&self) -> bool {
        self.url.is_https()
    }

    /// Returns `true` if both are one webhook.
    pub fn is_same(&self, other: &Self) -> bool {
        self.portal == other.portal && self.url.expose_secret() == other.url.expose_secret()
    }

    /// Returns the digest of a salt and the secret, by which another secret is told.
    pub fn digest(&self, salt: &str) -> Digest {
        Digest::hash(format!("{salt} {}", self.url.expose_secret()).as_bytes())
    }

    /// Returns the URL for the REST client.
    pub(super) fn into_inner(self) -> bitrix24::WebhookUrl {
        self.url
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.url, f)
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.url, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::mask;

    #[test]
    fn webhook_secret_is_masked_everywhere() {
        let webhook =
            WebhookUrl::parse("https://Company.Bitrix24.com/rest/1/m4sk3ds3cr3t/").unwrap();
        assert_eq!(webhook.portal().as_str(), "company.bitrix24.com");
        let shown = format!("{webhook} {webhook:?} {}", mask("m4sk3ds3cr3t"));
        assert!(!shown.contains("m4sk3d"), "{shown}");
    }
}
