//! Connection to a portal, with its store.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::args::GlobalArgs;
use super::clock::SystemClock;
use super::embedded::{self, Embedded};
use super::env::{self, WebhookAccess};
use super::error::CliError;
use super::exit;
use super::field_labels;
use super::held_portal::{self, HeldPortal};
use super::log;
use super::next_command;
use super::portal_messages::user_message;
use super::signals::{Interrupt, WritingRun};
use super::stored_level;
use super::ui::Ui;
use crate::app;
use crate::i18n::Text;
use crate::model::{CardLabels, Identity, PortalId, ReleaseSign, TrustEvidence};
use crate::portal::{
    HttpPortal, LimiterLevel, ParseRateError, PortalSettings, Rate, TotalRate, WebhookUrl,
};
use crate::ports::{Claim, Clock as _, ReadPortal as _, StoreError};
use crate::store::Store;

/// Session of a command: the portal, and what the command line adds to it.
pub(super) struct CliSession {
    /// Portal, store, caller and clock.
    pub(super) app: app::Session,
    source: PortalSource,
    interrupt: Interrupt,
    /// Held from the begin of a run to the end of the session: what is stored and reported of the
    /// run is waited for as well.
    writing: OnceLock<WritingRun>,
}

/// Source of a portal: what stays of the command line and the environment once it is connected.
pub(super) struct PortalSource {
    /// The portal's rate limit, as far as known.
    pub(super) rate: Rate,
    /// The masked webhook URL, and its source.
    webhook: Text,
    /// The options that a suggested command needs.
    global_flags: String,
    /// The portal itself, if it runs in this process.
    embedded: Option<Embedded>,
}

/// Portal before the first request, with its part of the store.
pub(super) struct PortalConnection {
    /// The portal.
    pub(super) portal: HttpPortal,
    /// Its part of the store.
    pub(super) store: Store,
    /// Its source.
    pub(super) source: PortalSource,
    claim: Option<Claim>,
}

/// Portal of a command, before any request.
pub(super) struct PortalEndpoint {
    webhook: WebhookUrl,
    /// The variable or file of the webhook.
    from: String,
    name: PortalId,
    /// The cap of requests that several portals share.
    pub(super) total_rate: Option<Arc<TotalRate>>,
    /// The claim of the worker whose round this is.
    pub(super) held: Option<HeldPortal>,
    embedded: Option<Embedded>,
}

/// Returns the portal that `--portal` or `--emulator` names; `None` if neither is stated.
pub(super) fn named_portal(global: &GlobalArgs) -> Result<Option<PortalId>, CliError> {
    if embedded::state_file(global).is_some() {
        let name = PortalId::new(embedded::PORTAL_NAME).map_err(|problem| {
            CliError::general(tr!("the embedded portal has no usable name: {problem}", problem))
        });
        return name.map(Some);
    }
    let Some(portal) = &global.portal else { return Ok(None) };
    // Every host has a dot or a port; a misspelled `embedded` has neither.
    match PortalId::new(portal) {
        Ok(host) if portal.contains(['.', ':']) && !portal.starts_with("embedded:") => {
            Ok(Some(host))
        }
        Ok(_) | Err(_) => Err(unknown_portal(portal)),
    }
}

/// Returns the store of the portal that the command line or the environment names.
pub(super) async fn store(global: &GlobalArgs) -> Result<Store, CliError> {
    let store = store_as_it_is(global)?;
    store.refuse_moved().await?;
    Ok(store)
}

/// Returns the store of the portal that the command line or the environment names, also if it has
/// moved.
pub(super) fn store_as_it_is(global: &GlobalArgs) -> Result<Store, CliError> {
    let portal = match named_portal(global)? {
        Some(portal) => portal,
        None => env::webhook(WebhookAccess::Read, global.webhook_url_file.as_deref())?.0.portal(),
    };
    Ok(Store::open(&global.store, &portal)?)
}

fn unknown_portal(portal: &str) -> CliError {
    CliError::general(tr!("--portal takes the host of a portal, embedded or embedded:FILE, not {portal}", portal = format_args!("{portal:?}")))
        .hint(tr!("a host is written as company.bitrix24.com, without its webhook, which is a secret and belongs into RECARD_WEBHOOK_URL"))
}

impl PortalEndpoint {
    /// Finds the portal that the command line and the environment name.
    pub(super) async fn find(
        global: &GlobalArgs,
        access: WebhookAccess,
        interrupt: &Interrupt,
    ) -> Result<Self, CliError> {
        let named = named_portal(global)?;
        if let (Some(file), Some(name)) = (embedded::state_file(global), &named) {
            log::record_portal(name);
            return Self::start_embedded(file, name.clone(), global).await;
        }
        let file = global.webhook_url_file.clone();
        let (webhook, from) =
            interrupt.run_blocking(move || env::webhook(access, file.as_deref())).await??;
        let name = webhook.portal();
        if let Some(named) = named.filter(|named| *named != name) {
            return Err(CliError::general(tr!(
                "--portal names {named}, and the webhook from {from} is one of {name}; nothing was sent",
                named,
                from,
                name
            )));
        }
        log::record_portal(&name);
        Ok(Self::new(webhook, from))
    }

    /// Returns the portal of a webhook from a variable or a file.
    pub(super) fn new(webhook: WebhookUrl, from: String) -> Self {
        Self { name: webhook.portal(), webhook, from, total_rate: None, held: None, embedded: None }
    }

    async fn start_embedded(
        file: PathBuf,
        name: PortalId,
        global: &GlobalArgs,
    ) -> Result<Self, CliError> {
        let running = Embedded::start(file).await?;
        let unusable = |problem| {
            CliError::general(tr!("the embedded portal has no usable webhook: {problem}", problem))
        };
        let webhook = WebhookUrl::parse(&running.webhook()?).map_err(unusable)?;
        let option = if global.emulator.is_some() { "--emulator" } else { "--portal" };
        let from = option.to_owned();
        Ok(Self { webhook, from, name, total_rate: None, held: None, embedded: Some(running) })
    }

    /// Refuses another portal than the one that the manifests pin.
    pub(super) fn check_pin(&self, pinned: &PortalId, place: &str) -> Result<(), CliError> {
        if *pinned == self.name {
            return Ok(());
        }
        Err(CliError::general(tr!(
            "the manifests are for the portal {pinned}, and the webhook is one of {}",
            self.name,
            pinned
        ))
        .hint(tr!(
            "the portal is named at {place}, and the webhook comes from {}: mend the one or the other; nothing was sent",
            self.from,
            place
        )))
    }

    /// Returns the portal's name.
    pub(super) fn name(&self) -> &PortalId {
        &self.name
    }

    /// Opens the store, connects, and identifies the caller.
    pub(super) async fn connect(
        self,
        global: &GlobalArgs,
        ui: &Ui,
        interrupt: &Interrupt,
    ) -> Result<CliSession, CliError> {
        let (connection, unread) = self.open(global, ui, interrupt).await?;
        if let Some(problem) = unread {
            ui.warn(tr!(
                "{problem}; it only tells what the portal's limits stood at, and is taken for full",
                problem
            ));
        }
        let reader = connection.portal.reader();
        match interrupt.unless_cancelled(async { Ok(reader.identify().await?) }).await {
            Ok(caller) => {
                let (caller, unread) = connection.with_proof(ui, caller).await;
                if let Some(problem) = unread {
                    ui.warn(tr!(
                        "{problem}; it proves nothing, and is written anew once the portal shows its release",
                        problem
                    ));
                }
                let labels = field_labels::load(ui, &connection.portal, &connection.store).await;
                Ok(connection.with_caller(caller, labels, interrupt))
            }
            Err(problem) => Err(connection.source.with_webhook_hint(problem)),
        }
    }

    /// Opens the store and prepares the connection. Sends nothing.
    ///
    /// The stored state of the rate limiter is pacing, and never content: an unreadable one is not
    /// an error. The leaky bucket then counts as full, so that no request is refused, and the
    /// problem is returned.
    pub(super) async fn open(
        self,
        global: &GlobalArgs,
        ui: &Ui,
        interrupt: &Interrupt,
    ) -> Result<(PortalConnection, Option<StoreError>), CliError> {
        let mut store = Store::open_current(&global.store, &self.name).await?;
        if self.held.is_some() {
            store.keep_documents();
        }
        let rate = self.rate(global)?;
        let (level, unread) = match store.limiter_state().await {
            Ok(level) => (level.map(|stored| stored_level::read(&stored, rate)), None),
            Err(problem) => (Some(LimiterLevel::full(rate)), Some(problem)),
        };
        Ok((self.open_at(global, ui, interrupt, store, level)?, unread))
    }

    /// Returns the portal's rate limit: that of the command line; none for an embedded portal.
    fn rate(&self, global: &GlobalArgs) -> Result<Rate, CliError> {
        if let Some(rate) = &global.rate {
            return rate.parse().map_err(|ParseRateError| {
                let problem = tr!(
                    "a rate is `standard`, `enterprise`, `unlimited`, or two positive numbers such as `50,2`, the first the larger"
                );
                CliError::new(exit::USAGE, tr!("--rate: {problem}", problem))
            });
        }
        if self.embedded.is_some() {
            return Ok(Rate::Unlimited);
        }
        Ok(Rate::default())
    }

    fn open_at(
        self,
        global: &GlobalArgs,
        ui: &Ui,
        interrupt: &Interrupt,
        store: Store,
        level: Option<LimiterLevel>,
    ) -> Result<PortalConnection, CliError> {
        let source = PortalSource {
            rate: self.rate(global)?,
            webhook: tr!("{}, from {}", self.webhook, self.from),
            global_flags: next_command::global_flags(global),
            embedded: self.embedded,
        };
        let mut settings = PortalSettings { rate: source.rate, level, ..PortalSettings::default() };
        (settings.operating_share, settings.deadline) = (global.operating_share, global.deadline);
        if self.webhook.is_https() {
            settings.network = env::network()?;
        }
        settings.write_permit = store.write_permit();
        settings.total_rate = self.total_rate;
        let claim = self.held.map(|held| held.apply(&mut settings));
        let (talk, last) = (ui.clone(), Mutex::new(Text::default()));
        settings.events = Arc::new(move |event| {
            tracing::info!(?event, "portal");
            if let Some(text) = user_message(&event) {
                // A repeated problem is printed once; the log has each.
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if *last != text {
                    talk.note(&text);
                    *last = text;
                }
            }
        });
        let portal = HttpPortal::connect_as(self.name, self.webhook, settings)?;
        if let Some(family) = global.method_family.forced() {
            portal.force_method_family(family);
        }
        interrupt.register_portal(&portal);
        ui.traffic().follow(&portal);
        Ok(PortalConnection { portal, store, source, claim })
    }
}

impl PortalSource {
    /// Returns a failure with the webhook URL, if the portal rejects it.
    pub(super) fn with_webhook_hint(&self, failure: CliError) -> CliError {
        match failure.rejection {
            Some(_) => failure.hint(tr!("it is the webhook {webhook}", webhook = self.webhook)),
            None => failure,
        }
    }

    /// Saves the state for later commands: that of the rate limiter, and that of the embedded
    /// portal.
    async fn close(self, portal: &HttpPortal, store: &Store, ui: &Ui) -> Result<(), CliError> {
        let level = stored_level::written(portal.level());
        if let Err(problem) = store.save_limiter_state(&level).await {
            ui.warn(tr!("the level of the rate limit could not be kept: {problem}", problem));
        }
        self.leave()
    }

    /// Ends without a change of the store, but for the embedded portal's state.
    pub(super) fn leave(self) -> Result<(), CliError> {
        self.embedded.map_or(Ok(()), |mut embedded| embedded.save())
    }
}

impl PortalConnection {
    /// Adds the stored proof to the release that the answers show, and updates that proof. An
    /// unreadable proof proves nothing; the problem is returned.
    pub(super) async fn with_proof(
        &self,
        ui: &Ui,
        caller: Identity,
    ) -> (Identity, Option<StoreError>) {
        let (kept, unread) = match self.store.read_proof().await {
            Ok(kept) => (kept, None),
            Err(problem) => (None, Some(problem)),
        };
        let updated = match caller.release_sign {
            ReleaseSign::Trusted(evidence) => {
                app::save_proof(&self.store, kept.as_ref(), evidence, SystemClock.now()).await
            }
            ReleaseSign::Old => self.store.delete_read_proof().await,
            ReleaseSign::Earlier(_) | ReleaseSign::Unknown => Ok(()),
        };
        warn_of_proof(ui, updated);
        let earlier = kept.map(|_| TrustEvidence::KeptProof);
        (Identity { release_sign: caller.release_sign.or_earlier(earlier), ..caller }, unread)
    }

    /// Creates the session of a caller.
    fn with_caller(
        self,
        caller: Identity,
        labels: CardLabels,
        interrupt: &Interrupt,
    ) -> CliSession {
        let app = app::Session {
            portal: self.portal,
            store: self.store,
            caller,
            labels,
            origin: held_portal::origin(self.claim.as_ref()),
            clock: Arc::new(SystemClock),
            cancellation: interrupt.signal().clone(),
            claim: self.claim,
        };
        let (source, interrupt) = (self.source, interrupt.clone());
        CliSession { app, source, interrupt, writing: OnceLock::new() }
    }

    /// Saves the state for later commands.
    pub(super) async fn close(self, ui: &Ui) -> Result<(), CliError> {
        self.source.close(&self.portal, &self.store, ui).await
    }
}

impl CliSession {
    /// Returns a failure with the webhook URL, if the portal rejects it.
    pub(super) fn with_webhook_hint(&self, failure: CliError) -> CliError {
        self.source.with_webhook_hint(failure)
    }

    /// Returns the options that a suggested command needs, with a blank before each.
    pub(super) fn global_flags(&self) -> &str {
        &self.source.global_flags
    }

    /// Returns the signal handler, for blocking work.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Marks the start of a run: from now on signals wait for the session to end.
    ///
    /// # Errors
    ///
    /// If the command was cancelled: then no run starts any more.
    pub(super) fn begin_writing(&self) -> Result<(), CliError> {
        if self.writing.get().is_none() {
            let _ = self.writing.set(self.interrupt.begin_writing()?);
        }
        Ok(())
    }

    /// Works in the session and closes it, whatever the result of the work: a failed run has used
    /// the rate limit too. Work that only reads is dropped on cancellation.
    pub(super) async fn run_and_close<T>(
        self,
        ui: &Ui,
        work: impl AsyncFnOnce(&Self) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let outcome = self.interrupt.unless_cancelled(work(&self)).await;
        self.interrupt.forget_portal(&self.app.portal);
        let Self { app, source, interrupt: _, writing: _writing } = self;
        let closed = source.close(&app.portal, &app.store, ui).await;
        drop(app);
        ui.traffic().settle();
        outcome.and_then(|done| closed.map(|()| done))
    }
}

fn warn_of_proof(ui: &Ui, updated: Result<(), StoreError>) {
    if let Err(problem) = updated {
        ui.warn(tr!("the proof of the portal's release could not be kept: {problem}", problem));
    }
}
