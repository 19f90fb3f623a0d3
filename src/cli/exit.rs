//! Exit codes: a public promise. Each code has one meaning and never depends on the output format.

/// Done, or no changes.
pub const DONE: u8 = 0;
/// Error: bad input, or the portal or the store could not be used.
pub const ERROR: u8 = 1;
/// Changes are pending; only with `--detailed-exitcode`, and from `drift`.
pub const CHANGES_PENDING: u8 = 2;
/// Some targets failed, changed since the plan, or are indeterminate; the report names them.
pub const PARTIAL: u8 = 3;
/// Refused: by a guard, by a rule, or by a "no" at the prompt. Nothing was written.
pub const REFUSED: u8 = 4;
/// The plan file is stale, expired, used, damaged, or for another portal or caller. Nothing was
/// written.
pub const PLAN_FILE: u8 = 5;
/// Another process works on this portal. Nothing was written.
pub const LOCKED: u8 = 6;
/// The command line could not be understood.
pub const USAGE: u8 = 64;
/// Ended by an interrupt (Ctrl-C). The journal is complete.
pub const INTERRUPTED: u8 = 130;
/// Ended by a request to terminate. The journal is complete.
pub const TERMINATED: u8 = 143;

/// Every code with its meaning, for the help text and the documents.
pub const TABLE: &[(u8, &str)] = &[
    (DONE, tr_later!("done, or nothing to do")),
    (ERROR, tr_later!("an error: bad input, or the portal or the store could not be used")),
    (
        CHANGES_PENDING,
        tr_later!("changes are pending (only with `--detailed-exitcode`, and from `drift`)"),
    ),
    (
        PARTIAL,
        tr_later!(
            "partial: some targets failed, had changed or are not known; the report names them"
        ),
    ),
    (
        REFUSED,
        tr_later!("refused by a guard, a rule or a \"no\" at the prompt; nothing was written"),
    ),
    (
        PLAN_FILE,
        tr_later!(
            "the plan file is stale, expired, used, damaged or for another portal; nothing was written"
        ),
    ),
    (LOCKED, tr_later!("another process works on this portal; nothing was written")),
    (USAGE, tr_later!("the command line could not be understood")),
    (INTERRUPTED, tr_later!("interrupted; the journal is complete")),
    (TERMINATED, tr_later!("terminated; the journal is complete")),
];
