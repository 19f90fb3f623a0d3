//! `recard worker`: reconciles the portals of a fleet, until stopped.
//!
//! On a database any number of workers reconcile what was published. On a folder there is one; with
//! files named it reads the fleet from them, again and again.

use std::sync::Arc;

use crate::cli::args::{GlobalArgs, WorkerArgs};
use crate::cli::clock::SystemClock;
use crate::cli::env;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::fleet::publication::trusted_keys;
use crate::cli::fleet::worker_fleets::{FleetSource, KnownFleets};
use crate::cli::fleet::worker_pages::WorkerPages;
use crate::cli::fleet::worker_rounds::WorkerRounds;
use crate::cli::fleet::{files, other_fleets};
use crate::cli::http_server::{HttpServer, check_local};
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::sources;
use crate::cli::ui::Ui;
use crate::diagnostic::Severity;
use crate::fleet::worker::{LeaseTimes, WorkerSettings, work};
use crate::portal::TotalRate;
use crate::ports::{Clock, WorkQueue, Worker};
use crate::report::Purpose;
#[cfg(feature = "postgres")]
use crate::store::postgres::PostgresQueue;
use crate::store::{Fleets, FolderQueue, StoreLocation};

/// Works until a signal.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &WorkerArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    check_local(arguments.listen, arguments.allow_remote)?;
    check_options(arguments)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let command = WorkerCommand { ui, global, arguments, interrupt, clock: &clock };
    let known = KnownFleets::default();
    let trusted = trusted_keys(&arguments.trusted_key)?;
    let published = || Fleets::open(&global.store, Arc::clone(&clock));
    match &global.store {
        StoreLocation::Folder(root) => {
            let loaded = match arguments.fleet.is_named() {
                true => {
                    let outputs = Outputs::none(ui, Purpose::Apply);
                    let loaded = files::load(&outputs, &arguments.fleet, interrupt).await?;
                    let found = other_fleets::find(global, &loaded.fleet, Severity::Error).await?;
                    if !found.is_empty() {
                        let harm = tr!("nothing was sent to a portal");
                        return Err(sources::refuse(&outputs, &found, &loaded.sources, &harm));
                    }
                    Some(loaded)
                }
                false => None,
            };
            let owner = env::origin().lock_owner("worker", clock.now());
            let queue = FolderQueue::open(root, owner, Arc::clone(&clock)).await?;
            let source = match loaded {
                Some(loaded) => {
                    FleetSource::take_files(&known, (&queue, global), loaded).await?;
                    FleetSource::Files(&arguments.fleet, &queue, global)
                }
                None => FleetSource::Published(published(), Some(&queue), trusted),
            };
            command.work(&queue, known, source).await
        }
        #[cfg(feature = "postgres")]
        StoreLocation::Database(_) if arguments.fleet.is_named() => {
            Err(CliError::new(exit::USAGE, tr!("a worker on a database reads no files"))
                .hint(tr!("publish them: `recard fleet publish`")))
        }
        #[cfg(feature = "postgres")]
        StoreLocation::Database(database) => {
            let queue = PostgresQueue::new(database.clone());
            // Found before the first page is served: the server, and the version of the schema.
            queue.overview().await?;
            let source = FleetSource::Published(published(), None, trusted);
            command.work(&queue, known, source).await
        }
    }
}

/// Refuses options that do not apply to the source of the fleet: a worker would ignore them.
fn check_options(arguments: &WorkerArgs) -> Result<(), CliError> {
    let is_file = arguments.fleet.is_named();
    if !is_file && arguments.fleet.selector.is_some() {
        let text =
            tr!("--selector is for the fleet of a file; a worker takes all that is published");
        return Err(CliError::new(exit::USAGE, text)
            .hint(tr!("to leave portals alone: `recard fleet pause -l LABELS`")));
    }
    if is_file && !arguments.trusted_key.is_empty() {
        let text = tr!("--trusted-key is for what is published; files have no signature");
        return Err(CliError::new(exit::USAGE, text).hint(tr!(
            "publish them with `recard fleet publish --signing-key`, and leave -f out"
        )));
    }
    Ok(())
}

struct WorkerCommand<'a> {
    ui: &'a Ui,
    global: &'a GlobalArgs,
    arguments: &'a WorkerArgs,
    interrupt: &'a Interrupt,
    clock: &'a Arc<dyn Clock>,
}

impl WorkerCommand<'_> {
    async fn work<Q: WorkQueue>(
        &self,
        queue: &Q,
        known: KnownFleets,
        source: FleetSource<'_>,
    ) -> Result<u8, CliError> {
        let Self { ui, global, arguments, interrupt, clock } = self;
        let settings = WorkerSettings {
            slots: arguments.slots,
            lease: LeaseTimes { lease: arguments.lease },
            round: arguments.portal_deadline,
            ..WorkerSettings::default()
        };
        let (status, traffic) = (Arc::default(), ui.traffic().clone());
        let pages = WorkerPages { status, settings, traffic, fleets: known.shown() };
        let _server = match arguments.listen {
            Some(address) => Some(HttpServer::start(ui, address, pages.clone().routes()).await?),
            None => None,
        };
        let rounds = WorkerRounds {
            global,
            ui: ui.without_notes(),
            secrets: arguments.secrets.as_deref(),
            total_rate: arguments.total_rate.and_then(TotalRate::new).map(Arc::new),
            lease: settings.lease,
            fleets: known,
            source,
        };
        let id = format!("{}-{:08x}", env::host(), rand::random::<u32>());
        ui.note(tr!(
            "the worker {id} reconciles {n} portal at the same time"
                | "the worker {id} reconciles up to {n} portals at the same time" % settings.slots,
            id
        ));
        // Signals wait for the rounds.
        let _writing = interrupt.begin_writing()?;
        let worker = Worker { id, version: env!("CARGO_PKG_VERSION").to_owned() };
        let (over, stop) = ((queue, &rounds), interrupt.signal());
        tokio::select! {
            biased;
            () = work(&worker, over, &settings, clock, &pages.status, stop) => {}
            () = rounds.source.follow(&rounds.fleets, ui, interrupt) => {}
        }
        Ok(interrupt.code().unwrap_or(exit::DONE))
    }
}
