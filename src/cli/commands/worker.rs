//! `recard worker`: reconciles the portals of a fleet, until stopped.
//!
//! On a folder there is one worker, and the fleet is read from its files, again and again: a change
//! counts from the next round on. Files that have become invalid change nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cli::args::{GlobalArgs, WorkerArgs};
use crate::cli::clock::SystemClock;
use crate::cli::env;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::fleet::files::{self, FleetOnDisk};
use crate::cli::fleet::rows;
use crate::cli::fleet::worker_pages::WorkerPages;
use crate::cli::fleet::worker_rounds::{KnownFleets, WorkerRounds};
use crate::cli::http_server::{HttpServer, check_local};
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::fleet::worker::{LeaseTimes, WorkerSettings, work};
use crate::model::Digest;
use crate::portal::TotalRate;
use crate::ports::{Clock, Worker};
use crate::report::Purpose;
use crate::store::{FolderQueue, QueuePortal, StoreLocation};

/// Interval at which the files of the fleet are read.
const READ_INTERVAL: Duration = Duration::from_secs(10);

/// Works until a signal.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &WorkerArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    check_local(arguments.listen, arguments.allow_remote)?;
    let root = match &global.store {
        StoreLocation::Folder(root) => root,
        #[cfg(feature = "postgres")]
        StoreLocation::Database(_) => {
            return Err(CliError::general(tr!("workers on a database are not there yet")));
        }
    };
    let outputs = Outputs::none(ui, Purpose::Apply);
    let loaded = files::load(&outputs, &arguments.fleet, interrupt).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let owner = env::origin().lock_owner("worker", clock.now());
    let queue = FolderQueue::open(root, owner, Arc::clone(&clock)).await?;
    let settings = WorkerSettings {
        slots: arguments.slots,
        lease: LeaseTimes { lease: arguments.lease },
        round: arguments.portal_deadline,
        ..WorkerSettings::default()
    };
    let pages = WorkerPages { status: Arc::default(), settings, revision: Arc::default() };
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
        fleets: KnownFleets::default(),
    };
    let fleet = FileFleet { queue: &queue, rounds: &rounds, revision: &pages.revision };
    let portals = fleet.take(loaded).await?;
    ui.note(tr!(
        "{n} portal, {slots} at the same time" | "{n} portals, {slots} at the same time" % portals,
        slots = settings.slots
    ));
    // Signals wait for the rounds.
    let _writing = interrupt.begin_writing()?;
    let worker = Worker {
        id: format!("{}-{:08x}", env::host(), rand::random::<u32>()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (over, stop) = ((&queue, &rounds), interrupt.signal());
    tokio::select! {
        biased;
        () = work(&worker, over, &settings, &clock, &pages.status, stop) => {}
        () = fleet.follow(&outputs, arguments, interrupt) => {}
    }
    Ok(interrupt.code().unwrap_or(exit::DONE))
}

/// Fleet that is read from files.
struct FileFleet<'a> {
    queue: &'a FolderQueue,
    rounds: &'a WorkerRounds<'a>,
    revision: &'a Mutex<Option<String>>,
}

impl FileFleet<'_> {
    /// Takes a fleet that was read. Returns the number of its portals.
    async fn take(&self, loaded: FleetOnDisk) -> Result<usize, CliError> {
        let FleetOnDisk { fleet, sources, .. } = loaded;
        let digest = Digest::hash_written(|sum| {
            sources.iter().try_for_each(|source| {
                write!(sum, "{}\n{}\n", source.name, source.bytes.len())?;
                sum.write_all(&source.bytes)
            })
        });
        let digest = digest.map_err(|problem: std::io::Error| {
            CliError::general(tr!("cannot read the fleet: {problem}", problem))
        })?;
        let now = SystemClock.now();
        let named = fleet.portals.iter().filter_map(|portal| {
            Some(QueuePortal {
                portal: portal.portal.clone()?,
                revision: digest,
                is_paused: rows::is_paused(portal, now),
            })
        });
        let portals: Vec<QueuePortal> = named.collect();
        let count = portals.len();
        self.rounds.fleets.add(digest, fleet);
        self.queue.set_portals(portals).await?;
        let mut revision = self.revision.lock().unwrap_or_else(PoisonError::into_inner);
        *revision = Some(digest.to_string());
        Ok(count)
    }

    /// Reads the files again and again.
    async fn follow(&self, outputs: &Outputs<'_>, arguments: &WorkerArgs, interrupt: &Interrupt) {
        let mut is_valid = true;
        loop {
            tokio::time::sleep(READ_INTERVAL).await;
            let read = files::load_again(&arguments.fleet, interrupt).await;
            let taken = match read {
                Ok(loaded) => self.take(loaded).await.map(|_| ()),
                Err(problem) => Err(problem),
            };
            match taken {
                Ok(()) => is_valid = true,
                Err(problem) if is_valid => {
                    outputs.ui.fail(&problem);
                    outputs.ui.note(tr!("the portals are reconciled as before"));
                    is_valid = false;
                }
                Err(_) => {}
            }
        }
    }
}
