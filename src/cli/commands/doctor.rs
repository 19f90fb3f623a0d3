//! `recard doctor`: checks of the portal, the webhook and the store, with remedies. It reads the
//! portal only, by type: this module has no right to write to it.

use jiff::{SignedDuration, Timestamp};

use crate::cli::args::{DoctorArgs, GlobalArgs};
use crate::cli::clock::SystemClock;
use crate::cli::commands::{doctor_cards, store};
use crate::cli::env::{self, WebhookAccess};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::output;
use crate::cli::session::{PortalConnection, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::engine::{KindSelection, diagnose_cards, listed_kinds};
use crate::i18n::Text;
use crate::model::{Identity, UserId};
use crate::portal::{MethodAvailability, PortalDiagnostics, Rate};
use crate::ports::{Clock as _, PeopleQuery, ReadPortal as _, StoreError};
use crate::report::{Check, CheckStatus, DoctorJson, DoctorReport, OutputFormat, pretty};
use crate::store::{LockState, Store};

/// Rights that recard needs. `user_brief` and `user_basic` show people too, but lack fields that
/// selectors need.
const RIGHTS: [&str; 3] = ["crm", "user", "department"];

/// Tolerated difference of the portal's clock: plan files expire by the hour.
const MAX_CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_secs(120);

/// Number of people whose cards are compared: those with the lowest ids, as many as fit into one
/// request.
const SAMPLE_SIZE: u64 = 20;

/// Checks, prints, and exits with 1 if a check failed.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &DoctorArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    output::check_paths(&arguments.output)?;
    let writes = env::has_write_webhook(global.webhook_url_file.as_deref());
    let access = if writes && !arguments.read { WebhookAccess::Write } else { WebhookAccess::Read };
    let endpoint = PortalEndpoint::find(global, access, interrupt).await?;
    let portal = endpoint.name().to_string();
    let (connection, unread_level) = endpoint.open(global, ui, interrupt).await?;
    let mut checks = Vec::new();
    let looking = async {
        portal_checks(ui, &connection, &mut checks).await;
        Ok(())
    };
    if let Err(stopped) = interrupt.unless_cancelled(looking).await {
        connection.close(ui).await?;
        return Err(stopped);
    }
    checks.extend(unread_level.map(level));
    store_checks(&connection.store, &mut checks).await;
    match store::server_checks(&global.store).await {
        Ok(server) => checks.extend(server),
        Err(problem) => checks.push(failed("server", CliError::from(problem))),
    }
    let emulator = connection.portal.is_emulator();
    let report = DoctorReport { heading: None, portal, emulator, checks };
    connection.close(ui).await?;
    output::write(ui, &arguments.output, |format| match format {
        OutputFormat::Json => pretty(&DoctorJson::new(&report)),
        _ => report.to_string(),
    })?;
    Ok(match report.verdict() {
        CheckStatus::Ok | CheckStatus::Warning => exit::DONE,
        CheckStatus::Failure => exit::ERROR,
    })
}

/// Runs the checks that need the portal. Each check builds on those before; a check without its
/// data is left out.
async fn portal_checks(ui: &Ui, connection: &PortalConnection, checks: &mut Vec<Check>) {
    let reader = connection.portal.reader();
    let asked_at = SystemClock.now();
    let examination = match reader.diagnose().await {
        Ok(examination) => examination,
        Err(problem) => return checks.push(failed("portal", CliError::from(problem))),
    };
    let answered_at = SystemClock.now();
    checks.push(Check::ok("portal", tr!("answers, and accepts the webhook")));
    checks.push(rights(&examination));
    checks.extend(methods(&examination));
    checks.push(clock(&examination, asked_at, answered_at));
    checks.push(limits(connection));
    let caller = match reader.identify().await {
        Ok(caller) => caller,
        Err(problem) => return checks.push(failed("caller", CliError::from(problem))),
    };
    let (caller, unread_proof) = connection.with_proof(ui, caller).await;
    checks.push(who(&caller));
    checks.extend(unread_proof.map(proof));
    let ids = (1..=SAMPLE_SIZE).filter_map(|id| UserId::new(id).ok()).collect();
    let people = match reader.people(&PeopleQuery::Ids(ids)).await {
        Ok(people) => people.into_iter().map(|person| person.id).collect(),
        // Without them there is less to compare; the missing right was reported already.
        Err(_) => Vec::new(),
    };
    match diagnose_cards(&reader, &caller, &people).await {
        Ok(cards) => {
            checks.extend([
                doctor_cards::release(&caller, Some(cards.trust)),
                doctor_cards::administrator(&cards, &caller),
            ]);
            checks.extend(doctor_cards::reads(&cards));
            checks.push(doctor_cards::lead_types(&cards));
        }
        Err(problem) => checks.extend([
            doctor_cards::release(&caller, None),
            failed("cards", CliError::from(problem)),
        ]),
    }
    match listed_kinds(&reader, &KindSelection::All).await {
        Ok(listed) => {
            checks.push(doctor_cards::pipelines(&listed, &caller));
            if let Some((process, pipeline)) = listed.default_pipelines.first()
                && let Ok(Some(found)) = reader.missing_pipeline(*process, *pipeline).await
            {
                checks.push(doctor_cards::missing_pipeline(found));
            }
        }
        Err(problem) => checks.push(failed("pipelines", CliError::from(problem))),
    }
}

fn failed(check: &'static str, failure: CliError) -> Check {
    Check {
        check,
        verdict: CheckStatus::Failure,
        text: Text::join(&failure.chain, ": "),
        help: failure.hints,
    }
}

fn rights(examination: &PortalDiagnostics) -> Check {
    let rights = match &examination.rights {
        Ok(rights) => rights,
        Err(text) => {
            return Check::warning(
                "rights",
                tr!("the portal does not list them: {text}", text),
                tr!("try again later"),
            );
        }
    };
    let has = |right: &&str| rights.iter().any(|found| found == right);
    let missing: Vec<&str> = RIGHTS.into_iter().filter(|right| !has(right)).collect();
    if !missing.is_empty() {
        let text = tr!("the webhook lacks {}", missing.join(", "));
        let help = tr!(
            "edit the webhook on the portal's page Developer resources and tick crm, user and department"
        );
        return Check::failure("rights", text, help);
    }
    let more: Vec<&str> = rights
        .iter()
        .map(String::as_str)
        .filter(|right| !RIGHTS.contains(right))
        .filter(|right| *right != "rest")
        .collect();
    if more.is_empty() {
        return Check::ok("rights", "crm, user, department");
    }
    let text = tr!("crm, user, department, and more than recard needs: {}", more.join(", "));
    Check::warning(
        "rights",
        text,
        tr!("everybody who has the webhook can use them: untick what is not needed"),
    )
}

fn methods(examination: &PortalDiagnostics) -> Option<Check> {
    let mut missing = Vec::new();
    for (name, availability) in &examination.methods {
        match availability {
            MethodAvailability::Missing => missing.push(*name),
            // A missing right is reported under rights; an unknown one may be there.
            MethodAvailability::Available
            | MethodAvailability::NotAllowed
            | MethodAvailability::Unknown(_) => {}
        }
    }
    if missing.is_empty() {
        return None;
    }
    let text = tr!("the portal has no {}", missing.join(", "));
    let is_of = |family: &str| missing.iter().all(|name| name.starts_with(family));
    if is_of("crm.lead.") {
        let help = tr!("the cards of leads go through crm.item.details.configuration.*");
        return Some(Check::warning("methods", text, help));
    }
    if is_of("crm.item.") {
        return Some(Check::warning("methods", text, tr!("only the cards of leads can be reset")));
    }
    Some(Check::failure(
        "methods",
        text,
        tr!("the CRM must be installed on the portal, and not older than 2023"),
    ))
}

fn clock(examination: &PortalDiagnostics, asked: Timestamp, answered: Timestamp) -> Check {
    let theirs = match &examination.server_time {
        Ok(theirs) => *theirs,
        Err(text) => {
            return Check::warning(
                "clock",
                tr!("the portal does not tell the time: {text}", text),
                tr!("try again later"),
            );
        }
    };
    // The portal read its clock at some time between the two.
    let difference = if theirs < asked {
        asked.duration_since(theirs)
    } else if theirs > answered {
        theirs.duration_since(answered)
    } else {
        SignedDuration::ZERO
    };
    if difference <= MAX_CLOCK_DIFFERENCE {
        return Check::ok("clock", tr!("agrees with the portal's"));
    }
    let text = tr!("differs from the portal's by {} s", difference.as_secs());
    Check::warning(
        "clock",
        text,
        tr!("plan files expire by this machine's clock, and runs are named by it: set it right"),
    )
}

fn limits(connection: &PortalConnection) -> Check {
    let rate = connection.source.rate;
    let level = connection.portal.level();
    let text = match rate {
        Rate::Limited { .. } => {
            tr!(
                "rate {rate}, the counter stands at {}",
                format_args!("{:.0}", level.level.ceil()),
                rate
            )
        }
        Rate::Unlimited => tr!("rate {rate}", rate),
    };
    Check::ok("limits", text)
}

/// Reports that the stored state of the rate limiter cannot be read.
fn level(problem: StoreError) -> Check {
    let help = tr!(
        "nothing needs to be done: the counter was taken for full, and what it stands at was now written anew"
    );
    Check::warning("level", Text::from_display(&CliError::from_store(problem)), help)
}

/// Reports the owner of the lock and its liveness, as far as it is visible from here.
fn lock(state: LockState, host: &str) -> Check {
    match state {
        LockState::Free => Check::ok("lock", tr!("free")),
        LockState::Held(owner) => Check::warning(
            "lock",
            tr!("{owner}; that process lives", owner),
            tr!(
                "wait for it, with --lock-timeout if you like; until then commands that write end with 6"
            ),
        ),
        LockState::Left(owner) if owner.host == host => Check::warning(
            "lock",
            tr!("{owner}; that process is dead", owner),
            tr!("the lock needs nothing: the next command that writes takes it over, and says so"),
        ),
        LockState::Unknown(owner) if owner.host == host => Check::warning(
            "lock",
            tr!("{owner}; whether it lives cannot be seen from here", owner),
            tr!(
                "it may live on another machine of this name, or in another container, or have ended with a restart of this \
                 machine; if the process is dead, `recard unlock` gives the lock back"
            ),
        ),
        LockState::Left(owner) | LockState::Unknown(owner) => Check::warning(
            "lock",
            tr!("{owner}; whether it lives cannot be seen from this host", owner),
            tr!("look on that host; if the process is dead, `recard unlock` gives the lock back"),
        ),
    }
}

fn who(caller: &Identity) -> Check {
    let text = tr!("user {} {}, one of {} active", caller.user, caller.name, caller.active_users);
    Check::ok("caller", text)
}

/// Reports that the stored evidence cannot be read.
fn proof(problem: StoreError) -> Check {
    let help = tr!(
        "nothing needs to be done: it proves nothing, and is written anew once the portal shows its release"
    );
    Check::warning("proof", Text::from_display(&CliError::from_store(problem)), help)
}

/// Runs the checks that need no portal.
async fn store_checks(store: &Store, checks: &mut Vec<Check>) {
    checks.push(match store.probe().await {
        Ok(()) => Check::ok("store", tr!("can be written to")),
        Err(problem) => failed("store", CliError::from(problem)),
    });
    let state = store.lock_state().await;
    let is_held = matches!(state, Ok(LockState::Held(_)));
    checks.push(match state {
        Ok(state) => lock(state, &env::host()),
        Err(problem) => failed("lock", CliError::from(problem)),
    });
    let mut unread = Vec::new();
    checks.push(match store.find_unfinished(&mut unread).await {
        Ok(None) => Check::ok("runs", tr!("none is unfinished")),
        // Its process holds the lock: the run is not interrupted.
        Ok(Some(run)) if is_held => Check::ok("runs", tr!("the run {run} is in progress", run)),
        Ok(Some(run)) => Check::warning(
            "runs",
            tr!("the run {run} was cut before its end", run),
            tr!("`recard recover` finds out what became of it; until then apply refuses to start"),
        ),
        Err(problem) => failed("runs", CliError::from(problem)),
    });
    for problem in unread {
        let help = tr!("the run ended, and no other run needs it");
        let text = Text::from_display(&CliError::from_store(problem));
        checks.push(Check::warning("runs", text, help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined_at(time: &str) -> PortalDiagnostics {
        PortalDiagnostics {
            rights: Ok(Vec::new()),
            server_time: Ok(time.parse().unwrap()),
            methods: Vec::new(),
        }
    }

    #[test]
    fn doctor_with_a_clock_off_by_minutes_warns() {
        let (asked, answered) =
            ("2026-11-01T09:00:00Z".parse().unwrap(), "2026-11-01T09:00:05Z".parse().unwrap());
        let verdict = |time| clock(&examined_at(time), asked, answered).verdict;
        assert_eq!(verdict("2026-11-01T12:00:03+03:00"), CheckStatus::Ok);
        assert_eq!(verdict("2026-11-01T08:58:30Z"), CheckStatus::Ok);
        assert_eq!(verdict("2026-11-01T09:02:30Z"), CheckStatus::Warning);
        assert!(
            clock(&examined_at("2026-11-01T08:50:00Z"), asked, answered).text.contains("600 s")
        );
    }

    #[test]
    fn doctor_warns_of_an_extra_right_and_fails_without_a_needed_one() {
        let with = |rights: &[&str]| PortalDiagnostics {
            rights: Ok(rights.iter().map(|right| (*right).to_owned()).collect()),
            ..examined_at("2026-11-01T09:00:00Z")
        };
        assert_eq!(rights(&with(&["user", "crm", "department"])).verdict, CheckStatus::Ok);
        let more = rights(&with(&["user", "crm", "department", "task"]));
        assert!(more.verdict == CheckStatus::Warning && more.text.ends_with(": task"), "{more:?}");
        let fewer = rights(&with(&["crm", "user_brief"]));
        assert!(
            fewer.verdict == CheckStatus::Failure && fewer.text.ends_with("lacks user, department"),
            "{fewer:?}"
        );
    }

    #[test]
    fn portal_without_one_family_of_methods_works_in_part_and_without_both_not_at_all() {
        let families = ["crm.lead.details.configuration.get", "crm.item.details.configuration.get"];
        let found = |availability: [MethodAvailability; 2]| {
            methods(&PortalDiagnostics {
                methods: families.into_iter().zip(availability).collect(),
                ..examined_at("2026-11-01T09:00:00Z")
            })
        };
        use MethodAvailability::{Available, Missing, NotAllowed};
        assert_eq!(found([Available, Available]), None);
        assert_eq!(found([NotAllowed, NotAllowed]), None);
        let verdict = |availability| found(availability).unwrap().verdict;
        assert_eq!(verdict([Missing, Available]), CheckStatus::Warning);
        assert_eq!(verdict([Available, Missing]), CheckStatus::Warning);
        assert_eq!(verdict([Missing, Missing]), CheckStatus::Failure);
    }
}
