//! The program as a person or a script calls it: words, options, output, exit codes, signals.

#[cfg(unix)]
mod ci_templates;
mod commands;
#[cfg(unix)]
mod conventions;
mod doctor;
mod errors;
mod inventory;
mod log;
mod options;
mod outputs;
#[cfg(target_os = "linux")]
mod reports;
mod russian;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(unix)]
mod untrusted_text;
#[cfg(unix)]
mod wrong_files;
