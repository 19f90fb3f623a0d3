//! Collision check for the files of a command line.
//!
//! An output over a manifest, a webhook file or the store would destroy it, and of two outputs to
//! one file one would be lost. For such a command line nothing is written, not even the outputs
//! that report failures.

use std::path::{Path, PathBuf};

use super::args::{CardAction, CardArgs, CliCommand, GlobalArgs, LedgerAction, LedgerArgs};
use super::commands::export;
use super::embedded;
use super::env;
use super::error::CliError;
use super::exit;
use super::file_identity::{self, FileIdentity};
use super::output_format::Output;
use super::{plan_files, sources};
use crate::i18n::Text;
use crate::report::OutputFormat;

/// File of a command line.
struct NamedFile {
    path: PathBuf,
    role: Text,
}

/// All files of a command line.
#[derive(Default)]
struct NamedFiles {
    /// Files that are replaced.
    outputs: Vec<NamedFile>,
    /// Files that are read; some of them are also written.
    inputs: Vec<NamedFile>,
    /// `true` if a manifest comes from stdin.
    stdin: bool,
}

/// Refuses a command line that would write one file over another one.
pub(super) fn check(global: &GlobalArgs, command: &CliCommand) -> Result<(), CliError> {
    let mut names = NamedFiles::default();
    names.add_command(command);
    names.add_global(global);
    names.add_outputs(command_outputs(command));
    if names.outputs.is_empty() {
        return Ok(());
    }
    names.compare(global.store.folder())
}

/// Returns the outputs of the commands that write reports.
fn command_outputs(command: &CliCommand) -> &[Output] {
    match command {
        CliCommand::Validate(arguments) => &arguments.output_args.output,
        CliCommand::Plan(arguments) => &arguments.view.output_args.output,
        CliCommand::Apply(arguments) => &arguments.view.output_args.output,
        CliCommand::Restore(arguments) => &arguments.view.output_args.output,
        CliCommand::History(arguments) => &arguments.output,
        CliCommand::Show(arguments) => &arguments.output_args.output,
        CliCommand::Reconcile(arguments) => &arguments.output_args.output,
        CliCommand::Drift(arguments) => &arguments.view.output_args.output,
        CliCommand::Inventory(arguments) => &arguments.output,
        CliCommand::Doctor(arguments) => &arguments.output,
        CliCommand::Fleet(arguments) => arguments.action.outputs(),
        CliCommand::Card(CardArgs { action: CardAction::Show(arguments) }) => &arguments.output,
        _ => &[],
    }
}

impl NamedFiles {
    fn add_command(&mut self, command: &CliCommand) {
        match command {
            CliCommand::Validate(arguments) => self.manifests(&arguments.manifests.files()),
            CliCommand::Plan(arguments) => {
                self.manifests(&arguments.manifests.files());
                self.ledger(&arguments.policy_args.ledger_args);
                self.output(arguments.out.as_deref(), || tr!("the plan file of --out"));
            }
            CliCommand::Fleet(arguments) => {
                self.manifests(&arguments.action.files());
                let out = arguments.action.out();
                self.output(out, || tr!("the plan file of --out"));
            }
            CliCommand::Apply(arguments) => {
                let plan = plan_files::sole_plan(&arguments.positional);
                if plan.is_none() || !arguments.files.is_empty() {
                    let manifests = arguments.positional.iter().chain(&arguments.files);
                    let is_plan = |path: &&PathBuf| plan == Some(path.as_path());
                    self.manifests(
                        &manifests.filter(|path| !is_plan(path)).cloned().collect::<Vec<_>>(),
                    );
                }
                self.ledger(&arguments.policy_args.ledger_args);
                self.input(plan, || tr!("the plan file"));
            }
            CliCommand::Restore(arguments) => {
                self.output(arguments.preview.out.as_deref(), || tr!("the plan file of --out"));
                self.input(plan_files::path(&arguments.run).as_deref(), || tr!("the plan file"));
            }
            CliCommand::Recover(arguments) => self.ledger(&arguments.ledger_args),
            CliCommand::Show(arguments) => {
                self.input(plan_files::path(&arguments.run).as_deref(), || tr!("the plan file"));
            }
            CliCommand::Export(arguments) => {
                for path in arguments.out.iter().flat_map(|folder| export::files(folder)) {
                    self.output(Some(&path), || tr!("the export"));
                }
            }
            CliCommand::Reconcile(arguments) => {
                self.manifests(&arguments.manifests.files());
                self.ledger(&arguments.policy_args.ledger_args);
            }
            CliCommand::Drift(arguments) => {
                self.manifests(&arguments.manifests.files());
                self.ledger(&arguments.ledger_args);
            }
            CliCommand::Ledger(arguments) => match &arguments.action {
                LedgerAction::Show { file: _ } => {}
                LedgerAction::New { file } => self.output(Some(file), || tr!("the new ledger")),
            },
            CliCommand::Emulate(arguments) => {
                self.output(arguments.ready_file.as_deref(), || tr!("the file of --ready-file"));
                self.input(arguments.faults.as_deref(), || tr!("the script of faults"));
                self.input(Some(Path::new(&arguments.seed)).filter(|path| path.is_file()), || {
                    tr!("the state of the emulator")
                });
            }
            _ => {}
        }
    }

    fn add_outputs(&mut self, outputs: &[Output]) {
        for Output { format, path } in outputs {
            self.output(path.as_deref(), || tr!("the output {format}", format));
        }
        if outputs.iter().any(|output| output.format == OutputFormat::Github) {
            self.output(env::step_summary().as_deref(), || tr!("the step summary"));
        }
    }

    fn add_global(&mut self, global: &GlobalArgs) {
        let webhooks = global.webhook_url_file.clone().into_iter().chain(env::webhook_files());
        for path in webhooks {
            self.input(Some(&path), || tr!("the file of the webhook"));
        }
        if let Some(file) = embedded::state_file(global) {
            let role = || tr!("the state of the embedded portal");
            let default = embedded::default_file(global.store.folder());
            // The portal writes its state back; its default place is a file of the store.
            if FileIdentity::from_path(&default) == FileIdentity::from_path(&file) {
                self.input(Some(&file), role);
            } else {
                self.output(Some(&file), role);
            }
        }
    }

    fn manifests(&mut self, files: &[PathBuf]) {
        self.stdin |= files.iter().any(|file| file.as_os_str() == "-");
        let files = sources::find_files(files).unwrap_or_default();
        self.inputs
            .extend(files.into_iter().map(|path| NamedFile { path, role: tr!("a manifest") }));
    }

    fn ledger(&mut self, ledger_args: &LedgerArgs) {
        self.input(ledger_args.ledger.as_deref(), || tr!("the ledger"));
    }

    fn input(&mut self, path: Option<&Path>, role: impl Fn() -> Text) {
        self.inputs.extend(path.map(|path| NamedFile { path: path.to_owned(), role: role() }));
    }

    fn output(&mut self, path: Option<&Path>, role: impl Fn() -> Text) {
        let kept = path.filter(|path| file_identity::is_kept(path));
        self.outputs.extend(kept.map(|path| NamedFile { path: path.to_owned(), role: role() }));
    }

    /// Compares each output with the store, with every input, and with the outputs before it.
    fn compare(&self, store: &Path) -> Result<(), CliError> {
        let identified =
            |named: &NamedFile| (FileIdentity::from_path(&named.path), named.role.clone());
        let mut known: Vec<(FileIdentity, Text)> = self.inputs.iter().map(identified).collect();
        if self.stdin {
            known.push((FileIdentity::from_stdin(), tr!("a manifest")));
        }
        for NamedFile { path, role } in &self.outputs {
            let shown = path.display();
            let refused = |other: &Text| {
                CliError::new(
                    exit::USAGE,
                    tr!("{role} would be written over {other}: {shown}", role, other, shown),
                )
                .hint(tr!("nothing was done; choose another path"))
            };
            if file_identity::is_of_store(path, store) {
                return Err(refused(&tr!("the store")));
            }
            let identity = FileIdentity::from_path(path);
            if let Some((_, other)) = known.iter().find(|(known, _)| *known == identity) {
                return Err(refused(other));
            }
            known.push((identity, role.clone()));
        }
        Ok(())
    }
}
