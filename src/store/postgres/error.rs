//! Errors of the driver, in words.

use std::error::Error as _;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Returns an error in words. It holds no secret: texts of the server have neither passwords nor
/// the details, which may repeat a row.
pub(super) fn words(problem: &Error) -> String {
    if let Some(refused) = problem.as_db_error() {
        return refused.message().to_owned();
    }
    let mut text = problem.to_string();
    let mut source = problem.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Returns `true` if the server refuses the user or the password.
pub(super) fn is_refused(problem: &Error) -> bool {
    problem.code().is_some_and(|code| code.code().starts_with("28"))
}

/// Returns `true` if the server could not be reached, ended, or chose this transaction to give way:
/// the same statement may succeed later.
pub(super) fn is_passing(problem: &Error) -> bool {
    const PASSING: &[&SqlState] = &[
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::TOO_MANY_CONNECTIONS,
        &SqlState::IDLE_SESSION_TIMEOUT,
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        &SqlState::DISK_FULL,
        &SqlState::OUT_OF_MEMORY,
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    match problem.code() {
        Some(code) => PASSING.contains(&code) || code.code().starts_with("08"),
        None => {
            problem.is_closed() || problem.source().is_some_and(|cause| cause.is::<io::Error>())
        }
    }
}
