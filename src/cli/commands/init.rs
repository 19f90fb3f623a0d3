//! `recard init`: a first manifest, and the files by which a pipeline uses it. Replaces nothing and
//! sends nothing; beside existing manifests only the files of the pipeline are written.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::args::{CiSystem, GlobalArgs, InitArgs};
use crate::cli::commands::init_program::ProgramSource;
use crate::cli::env::{self, WebhookAccess};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::session;
use crate::cli::sources::{self, DEFAULT_FOLDER};
use crate::cli::ui::Ui;
use crate::diagnostic::visible;
use crate::i18n::Text;
use crate::manifest::{self, Source};
use crate::model::PortalId;

/// Portal in the manifest if none is known.
const PLACEHOLDER_PORTAL: &str = "company.bitrix24.com";

/// Selection of the manifest on an unknown portal: empty, until an address is filled in.
const PLACEHOLDER_USERS: &str =
    "        # By e-mail, id or department; `recard inventory` lists the departments.
        emails: [anna@example.com]
        # ids: [7, 42]
        # departments: [{ id: 41, recursive: true }] # or a plain id, without the departments below
        # all: true # every active employee
        # except: { ids: [1], departments: [44] }";

/// Selection of the manifest on the embedded portal, which works at once.
const EMBEDDED_USERS: &str =
    "        # By e-mail, id or department; `recard inventory` lists the departments.
        departments: [{ id: 41, recursive: true }] # or a plain id, without the departments below
        # ids: [7, 42]
        # emails: [anna@example.com]
        # all: true # every active employee
        except: { ids: [7] }";

/// File that is about to be written.
struct Template {
    path: &'static str,
    /// The pipeline that it is for, if any.
    system: Option<CiSystem>,
    text: &'static str,
}

const MANIFEST: Template = Template {
    path: "manifests/lead-cards.yaml",
    system: None,
    text: include_str!("../templates/manifest.yaml"),
};

impl CiSystem {
    fn template(self) -> Template {
        let (path, text) = match self {
            Self::Github => {
                (".github/workflows/recard.yml", include_str!("../templates/github.yml"))
            }
            Self::Gitlab => (".gitlab-ci.yml", include_str!("../templates/gitlab.yml")),
            Self::Shell => ("ci/recard.sh", include_str!("../templates/recard.sh")),
        };
        Template { path, system: Some(self), text }
    }

    fn next_step(self) -> Text {
        match self {
            Self::Github => {
                tr!("create the environment and the two secrets that the head of the file names")
            }
            Self::Gitlab => {
                tr!("create the environment and the variables that the head of the file names")
            }
            Self::Shell => tr!("call it as `sh ci/recard.sh check|plan|apply|drift`"),
        }
    }
}

/// Writes the files; none of them if one exists already.
pub(in crate::cli) fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &InitArgs,
) -> Result<u8, CliError> {
    let here = arguments.folder == Path::new(".");
    let manifests =
        if here { PathBuf::from(DEFAULT_FOLDER) } else { arguments.folder.join(DEFAULT_FOLDER) };
    let systems: BTreeSet<CiSystem> = arguments.ci.iter().copied().collect();
    // A pipeline may be added to existing manifests: then no others are written.
    let kept = if systems.is_empty() { None } else { sources::in_folder(&manifests) };
    let source = ProgramSource::find(arguments)?;
    let portal = portal(global, arguments, kept.as_deref())?;
    let users = if portal == "embedded" { EMBEDDED_USERS } else { PLACEHOLDER_USERS };
    let manifest = if kept.is_some() { None } else { Some(MANIFEST) };
    let templates: Vec<Template> =
        manifest.into_iter().chain(systems.iter().map(|system| system.template())).collect();
    let path = |template: &Template| {
        if here { PathBuf::from(template.path) } else { arguments.folder.join(template.path) }
    };
    let there: Vec<String> = templates
        .iter()
        .map(path)
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() {
        return Err(CliError::general(tr!(
            "{}: there already, and init replaces nothing",
            there.join(", ")
        ))
        .hint(tr!(
            "nothing was written; name another folder, and take over from there what you need"
        )));
    }
    let mut wrote = String::new();
    for template in &templates {
        let path = path(template);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|problem| {
                CliError::general(tr!(
                    "cannot make the folder {}: {problem}",
                    folder.display(),
                    problem
                ))
            })?;
        }
        let text = match template.system {
            Some(system) => source.fill(system, template.text),
            None => template.text.replace("@@USERS@@", users),
        };
        let text = text.replace("@@FOLDER@@", DEFAULT_FOLDER);
        // These files are readable for all who see the repository, unlike those of the store.
        let written = File::create_new(&path)
            .and_then(|mut file| file.write_all(text.replace("@@PORTAL@@", &portal).as_bytes()));
        written.map_err(|problem| {
            CliError::general(tr!("cannot write {}: {problem}", path.display(), problem))
        })?;
        let _ = writeln!(wrote, "{}", visible(&tr!("wrote {}", path.display())));
    }
    ui.changed(&wrote)?;
    let embedded = if portal == "embedded" { " --portal embedded" } else { "" };
    let folder = manifests.display();
    if kept.is_some() {
        ui.note(tr!("The manifests in {folder} stay as they are.", folder));
    } else {
        ui.note(tr!(
            "Next: select the people in {manifest}, then run `recard plan{embedded} -f {folder}`.",
            manifest = path(&MANIFEST).display(),
            embedded,
            folder
        ));
    }
    for system in &systems {
        ui.note(tr!("For {}: {}.", system.template().path, system.next_step()));
    }
    if let Some(note) = source.note() {
        ui.note(note);
    }
    Ok(exit::DONE)
}

/// Returns the portal of the files: the named one, that of the existing manifests, or that of the
/// webhook URL.
fn portal(
    global: &GlobalArgs,
    arguments: &InitArgs,
    kept: Option<&[Source]>,
) -> Result<String, CliError> {
    if let Some(host) = &arguments.host {
        let portal = PortalId::new(host).map_err(|problem| {
            CliError::new(
                exit::USAGE,
                tr!("--host {host}: {problem}", host = format_args!("{host:?}"), problem),
            )
            .hint(tr!("for example company.bitrix24.com"))
        })?;
        return Ok(portal.to_string());
    }
    if let Some(declaration) = kept.and_then(|sources| manifest::load(sources).declaration) {
        return Ok(declaration.portal().to_string());
    }
    if let Some(portal) = session::named_portal(global)? {
        return Ok(portal.to_string());
    }
    let file = global.webhook_url_file.as_deref();
    if env::has_webhook(file) {
        return Ok(env::webhook(WebhookAccess::Read, file)?.0.portal().to_string());
    }
    Ok(PLACEHOLDER_PORTAL.to_owned())
}
