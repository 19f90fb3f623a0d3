//! Files that a command line names, compared with each other before anything is done.
//!
//! An output over a manifest, a webhook file or the store would destroy it, and of two outputs to
//! one file one would be lost. Nothing is written for such a command line, the outputs that tell of
//! other failures included.

use std::path::{Path, PathBuf};

use super::args::{Command, Global, LedgerAction, Memory};
use super::commands::export;
#[cfg(feature = "emulator")]
use super::embedded;
use super::environment;
use super::exit;
use super::failure::Failure;
use super::identity::{self, Identity};
use super::output::Output;
use super::sources;
use crate::language::Text;
use crate::report::Format;

/// A file that a command line names.
struct Named {
    path: PathBuf,
    role: Text,
}

/// Everything that a command line names.
#[derive(Default)]
struct Names {
    /// Files that are replaced.
    outputs: Vec<Named>,
    /// Files that are read, and some of them kept anew.
    inputs: Vec<Named>,
    /// Whether a manifest comes from stdin.
    stdin: bool,
}

/// Refuses a command line of which one file would be written over another one.
pub(super) fn check(global: &Global, command: &Command) -> Result<(), Failure> {
    let mut names = Names::default();
    names.of_command(command);
    names.of_global(global);
    names.of_outputs(outputs_of(command));
    if names.outputs.is_empty() {
        return Ok(());
    }
    names.compare(&global.store)
}

/// The outputs of the commands that write reports.
fn outputs_of(command: &Command) -> &[Output] {
    match command {
        Command::Validate(arguments) => &arguments.written.output,
        Command::Plan(arguments) => &arguments.shown.written.output,
        Command::Apply(arguments) => &arguments.shown.written.output,
        Command::Restore(arguments) => &arguments.shown.written.output,
        Command::History(arguments) => &arguments.output,
        Command::Show(arguments) => &arguments.written.output,
        Command::Reconcile(arguments) => &arguments.written.output,
        Command::Drift(arguments) => &arguments.shown.written.output,
        Command::Inventory(arguments) => &arguments.output,
        Command::Doctor(arguments) => &arguments.output,
        _ => &[],
    }
}

impl Names {
    fn of_command(&mut self, command: &Command) {
        match command {
            Command::Validate(arguments) => self.manifests(&arguments.manifests.files),
            Command::Plan(arguments) => {
                self.manifests(&arguments.manifests.files);
                self.memory(&arguments.rules.memory);
                self.output(arguments.out.as_deref(), || tr!("the plan file of --out"));
            }
            Command::Apply(arguments) => {
                self.manifests(&arguments.files);
                self.memory(&arguments.rules.memory);
                self.input(arguments.plan.as_deref(), || tr!("the plan file"));
            }
            Command::Resume(arguments) => self.memory(&arguments.memory),
            Command::Show(arguments) => {
                self.input(
                    Some(Path::new(&arguments.run)).filter(|path| path.exists() && !path.is_dir()),
                    || tr!("the plan file"),
                );
            }
            Command::Export(arguments) => {
                for path in arguments.out.iter().flat_map(|folder| export::files(folder)) {
                    self.output(Some(&path), || tr!("the export"));
                }
            }
            Command::Reconcile(arguments) => {
                self.manifests(&arguments.manifests.files);
                self.memory(&arguments.rules.memory);
            }
            Command::Drift(arguments) => {
                self.manifests(&arguments.manifests.files);
                self.memory(&arguments.memory);
            }
            Command::Ledger(arguments) => match &arguments.action {
                LedgerAction::Show { file: _ } => {}
                LedgerAction::New { file } => self.output(Some(file), || tr!("the new ledger")),
            },
            #[cfg(feature = "emulator")]
            Command::Emulate(arguments) => {
                self.output(arguments.ready_file.as_deref(), || tr!("the file of --ready-file"));
                self.input(arguments.faults.as_deref(), || tr!("the script of faults"));
                self.input(Some(Path::new(&arguments.seed)).filter(|path| path.is_file()), || {
                    tr!("the state of the emulator")
                });
            }
            _ => {}
        }
    }

    fn of_outputs(&mut self, outputs: &[Output]) {
        for Output { format, path } in outputs {
            self.output(path.as_deref(), || tr!("the output {format}", format));
        }
        if outputs.iter().any(|output| output.format == Format::Github) {
            self.output(environment::step_summary().as_deref(), || tr!("the step summary"));
        }
    }

    fn of_global(&mut self, global: &Global) {
        let webhooks =
            global.webhook_url_file.clone().into_iter().chain(environment::webhook_files());
        for path in webhooks {
            self.input(Some(&path), || tr!("the file of the webhook"));
        }
        #[cfg(feature = "emulator")]
        if let Some(file) =
            global.portal.as_deref().and_then(|portal| embedded::file(portal, &global.store))
        {
            let role = || tr!("the state of the embedded portal");
            let default = embedded::file(embedded::NAME, &global.store);
            // The portal writes its state back; its usual place is a file of the store.
            if default.is_some_and(|default| Identity::of(&default) == Identity::of(&file)) {
                self.input(Some(&file), role);
            } else {
                self.output(Some(&file), role);
            }
        }
    }

    fn manifests(&mut self, files: &[PathBuf]) {
        self.stdin |= files.iter().any(|file| file.as_os_str() == "-");
        let files = sources::found(files).unwrap_or_default();
        self.inputs.extend(files.into_iter().map(|path| Named { path, role: tr!("a manifest") }));
    }

    fn memory(&mut self, memory: &Memory) {
        self.input(memory.ledger.as_deref(), || tr!("the ledger"));
    }

    fn input(&mut self, path: Option<&Path>, role: impl Fn() -> Text) {
        self.inputs.extend(path.map(|path| Named { path: path.to_owned(), role: role() }));
    }

    fn output(&mut self, path: Option<&Path>, role: impl Fn() -> Text) {
        let kept = path.filter(|path| identity::is_kept(path));
        self.outputs.extend(kept.map(|path| Named { path: path.to_owned(), role: role() }));
    }

    /// Compares each output with the store, with every input, and with the outputs before it.
    fn compare(&self, store: &Path) -> Result<(), Failure> {
        let identified = |named: &Named| (Identity::of(&named.path), named.role.clone());
        let mut known: Vec<(Identity, Text)> = self.inputs.iter().map(identified).collect();
        if self.stdin {
            known.push((Identity::of_stdin(), tr!("a manifest")));
        }
        for Named { path, role } in &self.outputs {
            let shown = path.display();
            let refused = |other: &Text| {
                Failure::new(
                    exit::USAGE,
                    tr!("{role} would be written over {other}: {shown}", role, other, shown),
                )
                .hint(tr!("nothing was done; choose another path"))
            };
            if identity::is_of_store(path, store) {
                return Err(refused(&tr!("the store")));
            }
            let identity = Identity::of(path);
            if let Some((_, other)) = known.iter().find(|(known, _)| *known == identity) {
                return Err(refused(other));
            }
            known.push((identity, role.clone()));
        }
        Ok(())
    }
}
