//! Webhook URL: the credential of the client.
//!
//! It grants every right of its owner. So the text is checked once, here,
//! and then kept in a type that cannot be shown: `Debug` and `Display` print
//! `https://host/rest/<user>/***/`, and no error repeats what was typed.
//! Plain http is accepted for this machine alone, because the portal refuses it anyway and a
//! redirect to https would turn a call into one without parameters.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// Checked webhook URL. A clone holds the secret too; it is wiped from memory on drop.
#[derive(Clone)]
pub struct WebhookUrl {
    authority: Box<str>,
    masked: Box<str>,
    channel: Channel,
    address: SecretString,
    secret: SecretString,
}

/// Channel to the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Plain http to this machine.
    PlainLocal,
    /// TLS to this machine, without a proxy.
    Local,
    /// TLS to any other host.
    Remote,
}

/// Error of a text that is not a webhook URL. The text is never repeated, since a misspelled secret
/// is still most of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookUrlError {
    /// The text is not a URL.
    #[error("the webhook is not a web address of the form https://portal/rest/1/secret/")]
    NotAnAddress,
    /// It is plain http to another machine.
    #[error("the webhook must start with https://; plain http is accepted for this machine alone")]
    NotHttps,
    /// It has a user name, a password, a query or a fragment.
    #[error(
        "the webhook must not have a user name, a password, a query or a fragment in its address"
    )]
    TooMuch,
    /// The path is not `/rest/<user>/<secret>/`.
    #[error("the path of the webhook is not of the form /rest/<user>/<secret>/")]
    NotAWebhook,
}

impl WebhookUrl {
    /// Parses a URL. White space around it and a method name behind the secret are tolerated and
    /// cut.
    ///
    /// # Errors
    ///
    /// If it is not a URL, not safe, or not of the form of a webhook. The error never holds the
    /// secret.
    pub fn parse(text: &str) -> Result<Self, WebhookUrlError> {
        let url = Url::parse(text.trim()).map_err(|_| WebhookUrlError::NotAnAddress)?;
        let channel = match (url.scheme(), is_local(&url).ok_or(WebhookUrlError::NotAnAddress)?) {
            ("http", true) => Channel::PlainLocal,
            ("http", false) => return Err(WebhookUrlError::NotHttps),
            ("https", true) => Channel::Local,
            ("https", false) => Channel::Remote,
            _ => return Err(WebhookUrlError::NotAnAddress),
        };
        let bare = url.username().is_empty() && url.password().is_none();
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(WebhookUrlError::TooMuch);
        }
        let segments: Vec<&str> = url.path_segments().map(Iterator::collect).unwrap_or_default();
        let (user, secret) = match segments.as_slice() {
            ["rest", user, secret] | ["rest", user, secret, _] | ["rest", user, secret, _, ""] => {
                (*user, *secret)
            }
            _ => return Err(WebhookUrlError::NotAWebhook),
        };
        // In `/rest/api/1/SECRET/`, the URL of REST 3, both parts stand one place further.
        if user.eq_ignore_ascii_case("api") && secret.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WebhookUrlError::NotAWebhook);
        }
        let fits =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
        if user.is_empty()
            || secret.is_empty()
            || !user.bytes().all(fits)
            || !secret.bytes().all(fits)
        {
            return Err(WebhookUrlError::NotAWebhook);
        }
        let host = url.host_str().ok_or(WebhookUrlError::NotAnAddress)?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let scheme = url.scheme();
        Ok(Self {
            masked: format!("{scheme}://{authority}/rest/{user}/***/").into(),
            channel,
            address: SecretString::from(format!("{scheme}://{authority}/rest/{user}/{secret}/")),
            secret: SecretString::from(secret),
            authority: authority.into(),
        })
    }

    /// Returns the host, with the port if it is not the default of the scheme.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the secret, for a program that masks it in everything that it writes.
    pub fn expose_secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// Returns `true` if the portal is reached by TLS, which needs certificates.
    pub fn is_https(&self) -> bool {
        self.channel != Channel::PlainLocal
    }

    /// Returns the channel to the portal.
    pub(crate) fn channel(&self) -> Channel {
        self.channel
    }

    /// Returns the host if it is a name below `localhost`. Such a name means this machine, by RFC
    /// 6761, and is never looked up, because resolvers differ in what they make of it.
    pub(crate) fn name_of_this_machine(&self) -> Option<&str> {
        let host = self.authority.split(':').next()?;
        host.ends_with(".localhost").then_some(host)
    }

    /// Returns the full URL of a method. It holds the secret: only the transport may call this, and
    /// nothing may print it.
    pub(crate) fn method_url(&self, method: &str) -> Option<Url> {
        Url::parse(self.address.expose_secret()).ok()?.join(method).ok()
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({})", self.masked)
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked)
    }
}

/// Returns `true` if a URL is of this machine; `None` if it has no host. No name but `localhost`
/// and those below it is of this machine, whatever it resolves to.
fn is_local(url: &Url) -> Option<bool> {
    let host = url.host_str()?;
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    Some(
        host == "localhost"
            || host.ends_with(".localhost")
            || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhook_is_shown_without_its_secret() {
        let webhook =
            WebhookUrl::parse("https://Company.Bitrix24.com/rest/1/s3cr3tvalue/").unwrap();
        assert_eq!(webhook.to_string(), "https://company.bitrix24.com/rest/1/***/");
        assert!(!format!("{webhook:?}").contains("s3cr3t"));
        assert_eq!(webhook.authority(), "company.bitrix24.com");
        let address = webhook.method_url("batch").unwrap();
        assert_eq!(address.as_str(), "https://company.bitrix24.com/rest/1/s3cr3tvalue/batch");
    }

    #[test]
    fn method_behind_the_secret_is_cut() {
        for text in [
            "https://a.example/rest/anna/key",
            "https://a.example/rest/anna/key/",
            " https://a.example/rest/anna/key/profile.json\n",
            "https://a.example/rest/anna/key/profile/",
        ] {
            let address = WebhookUrl::parse(text).unwrap().method_url("batch").unwrap();
            assert_eq!(address.as_str(), "https://a.example/rest/anna/key/batch", "{text:?}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for host in
            ["127.0.0.1:8080", "127.9.9.9", "localhost:81", "p0001.localhost:81", "[::1]:8080"]
        {
            let webhook = WebhookUrl::parse(&format!("http://{host}/rest/1/key/")).unwrap();
            assert_eq!((webhook.channel(), webhook.authority()), (Channel::PlainLocal, host));
        }
        assert_eq!(
            WebhookUrl::parse("https://localhost/rest/1/key/").unwrap().channel(),
            Channel::Local
        );
        assert_eq!(
            WebhookUrl::parse("https://a.example/rest/1/key/").unwrap().channel(),
            Channel::Remote
        );
        for host in [
            "company.bitrix24.com",
            "10.0.0.1",
            "localhost.example",
            "notlocalhost",
            "127.0.0.1.example",
        ] {
            let error = WebhookUrl::parse(&format!("http://{host}/rest/1/key/")).unwrap_err();
            assert_eq!(error, WebhookUrlError::NotHttps, "{host}");
        }
    }

    #[test]
    fn webhook_that_is_invalid_is_refused_without_repeating_it() {
        for text in [
            "",
            "s3cr3t",
            "ftp://a.example/rest/1/s3cr3t/",
            "https://a.example/rest/1/",
            "https://a.example/rest//s3cr3t/",
            "https://a.example/other/1/s3cr3t/",
            "https://u:s3cr3t@a.example/rest/1/s3cr3t/",
            "https://a.example/rest/1/s3cr3t/?a=1",
            "https://a.example/rest/1/s3cr3t/#a",
            "https://a.example/rest/1/s3cr3t/a/b",
            "https://a.example/rest/1/s3cr3t%2F/",
            "https:///rest/1/s3cr3t/",
        ] {
            let error = WebhookUrl::parse(text).unwrap_err();
            assert!(
                !error.to_string().contains("s3cr3t") && !format!("{error:?}").contains("s3cr3t"),
                "{text}"
            );
        }
    }
}
