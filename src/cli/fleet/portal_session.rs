//! Session of one portal of a fleet: its secret, and a listener that prints nothing.

use std::path::Path;
use std::sync::Arc;

use super::rows::Pauses;
use crate::app::{Approval, Approver, Declined, Observer, Proposal, Warning};
use crate::cli::args::GlobalArgs;
use crate::cli::env;
use crate::cli::error::CliError;
use crate::cli::held_portal::HeldPortal;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::engine::Event;
use crate::manifest::SecretReference;
use crate::model::PortalId;
use crate::portal::{TotalRate, WebhookUrl};
use crate::ports::Rejection;

/// Surroundings of all portals of a command.
pub(in crate::cli) struct Surroundings<'a> {
    pub(in crate::cli) global: &'a GlobalArgs,
    /// Printer without notes: a thousand portals would have a thousand.
    pub(in crate::cli) ui: Ui,
    pub(in crate::cli) interrupt: &'a Interrupt,
    pub(in crate::cli) secrets: Option<&'a Path>,
    /// The pauses by command.
    pub(in crate::cli) pauses: Pauses,
    /// The cap of all requests.
    pub(in crate::cli) total_rate: Option<Arc<TotalRate>>,
    /// The claim, in the round of a worker.
    pub(in crate::cli) held: Option<HeldPortal>,
}

impl Surroundings<'_> {
    /// Connects to a portal with the webhook of a place. A webhook that is refused is read once
    /// more: it may have been replaced in that moment.
    pub(in crate::cli) async fn connect(
        &self,
        portal: &PortalId,
        secret: &SecretReference,
    ) -> Result<CliSession, CliError> {
        let (webhook, from) = self.webhook(portal, secret)?;
        let refused = match self.connect_with(webhook.clone(), from).await {
            Err(problem) if problem.rejection == Some(Rejection::Credentials) => problem,
            ended => return ended,
        };
        match self.webhook(portal, secret)? {
            (again, from) if !again.is_same(&webhook) => self.connect_with(again, from).await,
            _ => Err(refused),
        }
    }

    /// Returns the webhook of a place, which must belong to the portal.
    pub(in crate::cli) fn webhook(
        &self,
        portal: &PortalId,
        secret: &SecretReference,
    ) -> Result<(WebhookUrl, String), CliError> {
        let (webhook, from) = env::webhook_of_portal(secret, portal, self.secrets)?;
        if webhook.portal() == *portal {
            return Ok((webhook, from));
        }
        Err(CliError::general(tr!(
            "the webhook from {from} is one of {}; nothing was sent",
            webhook.portal(),
            from
        )))
    }

    async fn connect_with(
        &self,
        webhook: WebhookUrl,
        from: String,
    ) -> Result<CliSession, CliError> {
        let mut endpoint = PortalEndpoint::new(webhook, from);
        endpoint.total_rate = self.total_rate.clone();
        endpoint.held = self.held.clone();
        endpoint.connect(self.global, &self.ui, self.interrupt).await
    }
}

/// Listener of the round of one portal. Its warnings go to the log: a report is of bounded size.
pub(in crate::cli) struct RoundObserver<'a> {
    pub(in crate::cli) session: &'a CliSession,
}

impl Observer for RoundObserver<'_> {
    type Progress = fn(Event);

    fn progress(&self) -> fn(Event) {
        |_| {}
    }

    fn warn(&self, warning: Warning) {
        let portal = self.session.app.store.portal().as_str();
        tracing::warn!(portal, ?warning, "fleet");
    }

    fn begin_writing(&self) -> Result<(), Declined> {
        self.session.begin_writing().map_err(|_| Declined::Interrupted)
    }
}

/// Approval of a plan that was approved with the plans of all portals.
pub(in crate::cli) struct ApprovedWithFleet;

impl Approver for ApprovedWithFleet {
    async fn show(&self, _: Proposal<'_>) -> Result<(), Declined> {
        Ok(())
    }

    async fn approve(&self, _: Proposal<'_>) -> Result<Approval, Declined> {
        Ok(Approval::Given)
    }
}
