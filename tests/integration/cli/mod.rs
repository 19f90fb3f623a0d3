//! The program as a person or a script calls it: words, options, output, exit codes, signals.

mod card;
#[cfg(unix)]
mod ci_templates;
mod commands;
#[cfg(unix)]
mod contrib;
#[cfg(unix)]
mod conventions;
mod doctor;
#[cfg(unix)]
mod environment;
mod errors;
mod exit_codes;
#[cfg(unix)]
mod explain;
#[cfg(unix)]
mod git;
mod habits;
mod hidden_kinds;
#[cfg(unix)]
mod html;
#[cfg(unix)]
mod init;
mod inventory;
mod language;
mod log;
mod manual;
mod narrowing;
mod options;
mod outputs;
#[cfg(target_os = "linux")]
mod reports;
mod russian;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(unix)]
mod untrusted_text;
mod warnings;
#[cfg(unix)]
mod wrong_files;
