//! Failure of a command: an exit code, the chain of causes, and hints.

use std::error::Error;
use std::fmt;

use super::exit;
use crate::engine::{ApplyError, RecoveryError, RestoreError};
use crate::i18n::Text;
use crate::portal::ConnectError;
use crate::ports::{PortalError, Rejection, StoreError};

/// Way in which a failure is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// As an error.
    #[default]
    Error,
    /// As the answer to a decision of the person at the terminal.
    Answer,
}

/// Failure that is about to be printed.
#[derive(Debug)]
pub(super) struct CliError {
    /// The exit code.
    pub(super) code: u8,
    /// The way in which it is told.
    pub(super) tone: Tone,
    /// The chain of causes; the first text is the outermost. Empty if the failure was printed
    /// already.
    pub(super) chain: Vec<Text>,
    /// The remedies.
    pub(super) hints: Vec<Text>,
    /// The reason why the portal rejects this webhook, if that is the cause.
    pub(super) rejection: Option<Rejection>,
    /// `true` if the portal could not be reached, or gave no usable answer, and nothing was
    /// written.
    pub(super) is_unreachable: bool,
    /// `true` if the database of the store was away, which says nothing about a portal.
    pub(super) is_store_away: bool,
}

impl CliError {
    /// Creates a failure from a text.
    pub(super) fn new(code: u8, text: impl Into<Text>) -> Self {
        Self {
            code,
            tone: Tone::Error,
            chain: vec![text.into()],
            hints: Vec::new(),
            rejection: None,
            is_unreachable: false,
            is_store_away: false,
        }
    }

    /// Creates an error with exit code 1.
    pub(super) fn general(text: impl Into<Text>) -> Self {
        Self::new(exit::ERROR, text)
    }

    /// Creates a refusal with exit code 4.
    pub(super) fn refused(text: impl Into<Text>) -> Self {
        Self::new(exit::REFUSED, text)
    }

    /// Creates the end of a command whose question was answered with no, with exit code 4.
    pub(super) fn answer(text: impl Into<Text>) -> Self {
        Self { tone: Tone::Answer, ..Self::new(exit::REFUSED, text) }
    }

    /// Adds a remedy.
    pub(super) fn hint(mut self, hint: impl Into<Text>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts the attempted action in front of the chain.
    pub(super) fn context(mut self, doing: impl Into<Text>) -> Self {
        self.chain.insert(0, doing.into());
        self
    }

    pub(super) fn from_source(code: u8, error: &(dyn Error + 'static)) -> Self {
        let mut chain = vec![Text::from_display(&error)];
        let mut cause = error.source();
        while let Some(next) = cause {
            let text = Text::from_display(&next);
            // Some errors repeat their cause in their own text.
            if chain.last().is_none_or(|last| !last.english().ends_with(text.english())) {
                chain.push(text);
            }
            cause = next.source();
        }
        Self { code, chain, ..Self::new(code, Text::default()) }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Text::join(&self.chain, ": "))
    }
}

impl CliError {
    /// Creates a failure of the store without hints.
    pub(super) fn from_store(problem: StoreError) -> Self {
        let code =
            if matches!(problem, StoreError::Locked(_)) { exit::LOCKED } else { exit::ERROR };
        let is_store_away = matches!(problem, StoreError::Database { is_passing: true, .. });
        Self { is_store_away, ..Self::from_source(code, &problem) }
    }

    /// Creates the failure of a plan file, with exit code 5.
    pub(super) fn plan_file(text: impl Into<Text>) -> Self {
        Self::new(exit::PLAN_FILE, text)
            .hint(tr!("nothing was written; make a new plan: recard plan -f FILE --out PLAN"))
    }

    /// Replaces the remedy of a plan file that cannot be used by that of a restore plan file.
    pub(super) fn of_restore(mut self) -> Self {
        if let (exit::PLAN_FILE, Some(hint)) = (self.code, self.hints.first_mut()) {
            *hint =
                tr!("nothing was written; make a new plan: recard restore RUN --all --out PLAN");
        }
        self
    }
}

impl From<StoreError> for CliError {
    fn from(problem: StoreError) -> Self {
        let hint = match &problem {
            StoreError::Io { .. } => Some(tr!(
                "recard writes a backup before every reset, so it needs a store it can write to (--store DIR)"
            )),
            StoreError::Damaged { .. } => Some(tr!(
                "nothing was guessed and nothing was written; keep the file, and look at it by hand"
            )),
            StoreError::Unreadable { run, .. } => Some(tr!(
                "make it readable, or keep it elsewhere and put an empty file in its place: `recard recover {run}` then finds out from the other files of the run what became of it, and closes it",
                run
            )),
            StoreError::TooNew { .. } => Some(tr!("use the newer recard that wrote it")),
            StoreError::Locked(_) => Some(tr!(
                "wait for it, with --lock-timeout if you like; `recard unlock` shows who holds the lock"
            )),
            StoreError::Missing(_) => Some(tr!("`recard history` lists the runs of the store")),
            StoreError::Database { .. } => Some(tr!(
                "`recard store check` tells if the database can be reached, and what this role may not do there"
            )),
            StoreError::NotMigrated { .. } => Some(tr!(
                "`recard store migrate` brings it up to date, with a role that owns the schema"
            )),
            StoreError::SchemaTooNew { .. } => Some(tr!(
                "use the recard whose `recard store migrate` made it, or a newer one of the same major version"
            )),
            StoreError::Moved { .. } => Some(tr!("name that store with --store")),
            StoreError::LeaseLost { .. } => {
                Some(tr!("`recard recover` settles an interrupted run, once the portal is free"))
            }
        };
        let failure = Self::from_store(problem);
        hint.into_iter().fold(failure, Self::hint)
    }
}

impl From<PortalError> for CliError {
    fn from(problem: PortalError) -> Self {
        let mut failure = Self::from_source(exit::ERROR, &problem);
        failure.is_unreachable = match &problem {
            PortalError::NotExecuted(_) | PortalError::MaybeExecuted(_) => true,
            PortalError::Rejected { rejection, .. } => {
                matches!(rejection, Rejection::ProxyRefuses | Rejection::ProxyUnreachable)
            }
            PortalError::Unexpected(_) | PortalError::Stopped(_) => false,
        };
        match &problem {
            PortalError::Rejected { rejection, code, message } => {
                let said: Vec<&str> =
                    [code.as_str(), message.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
                if matches!(rejection, Rejection::Certificate | Rejection::ProxyRefuses | Rejection::ProxyUnreachable) {
                    // The portal sent no message.
                    failure.chain.push(Text::from(message.as_str()));
                } else if !said.is_empty() {
                    failure.chain.push(tr!("the portal says: {}", said.join(" ")));
                }
                failure.rejection = Some(*rejection);
                failure.hint(rejection_hint(*rejection))
            }
            PortalError::NotExecuted(_) => {
                failure.hint(tr!("nothing was done; see that the address is right and that this machine reaches the portal, or try again later"))
            }
            PortalError::MaybeExecuted(_) => {
                failure.hint(tr!("open the portal in a browser on this machine: a sign-in page, a proxy or maintenance may stand in the way; if it looks well, try again later"))
            }
            PortalError::Unexpected(_) => {
                failure.hint(tr!("nothing that came back was used; `recard doctor` looks closer"))
            }
            PortalError::Stopped(_) => failure,
        }
    }
}

fn rejection_hint(rejection: Rejection) -> Text {
    match rejection {
        Rejection::Credentials => {
            tr!(
                "the webhook may have been deleted, switched off or mistyped: compare it with the portal's page \
             Developer resources, and remember that its number is the id of its owner"
            )
        }
        Rejection::OwnerDismissed => tr!("create a new webhook as an active user"),
        Rejection::MissingRight => {
            tr!(
                "the webhook needs the rights crm, user and department: edit it on the portal's page Developer resources; \
             `recard doctor` tells which one is missing"
            )
        }
        Rejection::NotAllowed => {
            tr!(
                "the owner of the webhook must be an administrator of the CRM (of the portal, before release 25.100)"
            )
        }
        Rejection::HttpsRequired => tr!("write the address of the webhook with https://"),
        Rejection::Overload => {
            tr!("the portal has switched the webhook off; an administrator must lift that")
        }
        Rejection::PlanWithoutRest => tr!("the portal's tariff must include the REST interface"),
        Rejection::PortalClosed => tr!("the portal was closed by its owner"),
        Rejection::Redirect => {
            tr!(
                "recard follows no redirect, because the portal would lose the request's parameters on the way and act on \
             the wrong person; use the address that the portal itself shows"
            )
        }
        Rejection::Certificate => {
            tr!(
                "nothing was sent. recard trusts the root certificates of this machine, or those of SSL_CERT_FILE: if a proxy or a \
                 portal of your own has a certificate of another authority, name the file of that authority (PEM) in SSL_CERT_FILE; \
                 else compare the address and the date of this machine"
            )
        }
        Rejection::ProxyRefuses => {
            tr!(
                "nothing was sent. The proxy is that of HTTPS_PROXY: let it pass to the portal, put a user and a password into its \
                 address if it wants them, or name the portal in NO_PROXY"
            )
        }
        Rejection::ProxyUnreachable => {
            tr!(
                "nothing was sent. The proxy is that of HTTPS_PROXY: see that its address is right and that it runs, or name the \
                 portal in NO_PROXY"
            )
        }
        Rejection::NotAPortal => {
            tr!("is it the address of a webhook, https://company.bitrix24.com/rest/1/…/?")
        }
    }
}

impl From<ConnectError> for CliError {
    fn from(problem: ConnectError) -> Self {
        let hint = match &problem {
            ConnectError::NoRoots => Some(tr!(
                "install the package ca-certificates, or name a file with root certificates (PEM) in SSL_CERT_FILE; nothing was sent"
            )),
            ConnectError::BadRoots => Some(tr!(
                "SSL_CERT_FILE and SSL_CERT_DIR name files with root certificates in PEM; nothing was sent"
            )),
            ConnectError::BadProxy => Some(tr!(
                "it is that of HTTPS_PROXY, https_proxy, ALL_PROXY or all_proxy; nothing was sent"
            )),
            ConnectError::Http(_) => None,
        };
        let failure =
            Self::from_source(exit::ERROR, &problem).context(tr!("cannot start the connection"));
        hint.into_iter().fold(failure, Self::hint)
    }
}

impl From<RecoveryError> for CliError {
    fn from(problem: RecoveryError) -> Self {
        match problem {
            RecoveryError::NoHeader => Self::from_source(exit::ERROR, &problem),
            RecoveryError::OtherCaller { run, .. } => Self::from_source(exit::ERROR, &problem)
                .hint(tr!(
                    "nothing was written; recover with a webhook that belongs to user {run}",
                    run
                )),
            RecoveryError::Store(cause) => Self::from(cause).context(tr!("the run is not settled")),
            // The run has outcomes that are not known.
            RecoveryError::Portal(cause) => Self { is_unreachable: false, ..Self::from(cause) }
                .context(tr!("the run is not settled")),
        }
    }
}

impl From<RestoreError> for CliError {
    fn from(problem: RestoreError) -> Self {
        match problem {
            RestoreError::NoHeader => Self::from_source(exit::ERROR, &problem),
        }
    }
}

impl From<ApplyError> for CliError {
    fn from(problem: ApplyError) -> Self {
        let report = problem.report();
        let sent = report.sent.then(|| report.run.clone());
        let failure = match problem {
            ApplyError::Store { source, .. } => {
                Self::from(source).context(tr!("the store failed, and the run stopped"))
            }
            ApplyError::Portal { source, .. } => Self::from(source)
                .context(tr!("the portal refuses to work with us, and the run stopped")),
        };
        match sent {
            None => failure,
            // The usual hints assume that no request was sent.
            Some(run) => Self {
                code: exit::PARTIAL,
                hints: Vec::new(),
                is_unreachable: false,
                ..failure
            }
            .hint(tr!(
                "cards may have changed: `recard show {run}` tells which, `recard restore {run}` undoes it",
                run
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portal_counts_as_unreachable_only_if_it_gave_no_answer_and_nothing_was_written() {
        let lost = || PortalError::MaybeExecuted("cut".to_owned());
        let rejected = |rejection| {
            let (code, message) = (String::new(), String::new());
            PortalError::Rejected { rejection, code, message }
        };
        for (problem, expected) in [
            (lost(), true),
            (PortalError::NotExecuted("refused".to_owned()), true),
            (rejected(Rejection::ProxyUnreachable), true),
            (rejected(Rejection::Credentials), false),
            (rejected(Rejection::Overload), false),
            (PortalError::Unexpected("no list".to_owned()), false),
            (PortalError::Stopped("too late".to_owned()), false),
        ] {
            let told = problem.to_string();
            assert_eq!(CliError::from(problem).is_unreachable, expected, "{told}");
        }
        let recovery = CliError::from(RecoveryError::Portal(lost()));
        assert!(!recovery.is_unreachable, "what an earlier round wrote is not known");
    }
}
