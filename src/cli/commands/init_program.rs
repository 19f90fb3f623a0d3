//! Source of the program in the pipelines of `recard init`: a download with its checksum, or an
//! image with its digest. A name that a registry resolves is none: whoever registers it first
//! receives the webhook.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::cli::args::{CiSystem, InitArgs};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::i18n::Text;

/// Placeholders of a template.
const SETUP: &str = "@@SETUP@@";
const SOURCE: &str = "@@SOURCE@@";
const INSTALL: &str = "@@INSTALL@@";

/// System whose program this one is: the pipelines run there.
const IS_PIPELINE_SYSTEM: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// Source of the program in a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProgramSource {
    /// Variables of the pipeline system.
    Settings,
    /// An address, and the checksum of what it serves.
    Download {
        /// The https address of the program.
        url: String,
        /// The SHA-256 of the program.
        sum: String,
        /// `true` if the checksum is that of this program.
        own: bool,
    },
    /// An image with its digest.
    Image(String),
}

impl ProgramSource {
    /// Reads the source off the command line.
    pub(super) fn find(arguments: &InitArgs) -> Result<Self, CliError> {
        if let Some(image) = &arguments.image {
            let other = arguments.ci.iter().find(|system| **system != CiSystem::Github);
            return match other {
                None => Ok(Self::Image(image.clone())),
                Some(_) => Err(CliError::new(
                    exit::USAGE,
                    tr!("--image is for GitHub alone: the image has no shell, which the jobs of others need"),
                )
                .hint(tr!("use --download-url and --sha256 there"))),
            };
        }
        let Some(url) = &arguments.download_url else { return Ok(Self::Settings) };
        let (sum, own) = match &arguments.sha256 {
            Some(sum) => (sum.clone(), false),
            None => (own_sum()?, true),
        };
        Ok(Self::Download { url: url.clone(), sum, own })
    }

    /// Fills the placeholders of a template.
    pub(super) fn fill(&self, system: CiSystem, template: &str) -> String {
        let install = match (system, self) {
            (CiSystem::Github, Self::Image(_)) => {
                indented(include_str!("../templates/install/github-image.sh"), 10)
            }
            (CiSystem::Github, _) => indented(include_str!("../templates/install/github.sh"), 10),
            (CiSystem::Gitlab, _) => indented(include_str!("../templates/install/gitlab.sh"), 6),
            (CiSystem::Shell, Self::Download { url, sum, .. }) => format!(
                "RECARD_URL=\"{url}\"\nRECARD_SHA256=\"{sum}\"\n{}",
                indented(include_str!("../templates/install/shell.sh"), 0)
            ),
            (CiSystem::Shell, _) => String::new(),
        };
        let text = template.replace(INSTALL, &install);
        let text = text.replace(SETUP, &self.setup(system)).replace(SOURCE, &self.source(system));
        // A shell script without a download has an empty line less.
        text.replace("\n\n\n", "\n\n")
    }

    fn source(&self, system: CiSystem) -> String {
        match (self, system) {
            (Self::Settings, CiSystem::Github) => {
                "  RECARD_URL: ${{ vars.RECARD_URL }}\n  RECARD_SHA256: ${{ vars.RECARD_SHA256 }}"
                    .to_owned()
            }
            (Self::Settings, CiSystem::Gitlab | CiSystem::Shell) => {
                "  # RECARD_URL and RECARD_SHA256 stand in the settings.".to_owned()
            }
            (Self::Download { url, sum, .. }, _) => {
                format!("  RECARD_URL: \"{url}\"\n  RECARD_SHA256: \"{sum}\"")
            }
            (Self::Image(image), _) => format!("  RECARD_IMAGE: \"{image}\""),
        }
    }

    /// Returns the set-up instructions for the program, as comments.
    fn setup(&self, system: CiSystem) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let indent = if system == CiSystem::Shell { "# " } else { "#   " };
        match (self, system) {
            (Self::Settings, CiSystem::Shell) => {
                "# The program recard must be in the PATH: get it from a place that you trust, and verify its checksum (sha256sum)."
                    .to_owned()
            }
            (Self::Settings, CiSystem::Github | CiSystem::Gitlab) => {
                let settings = match system {
                    CiSystem::Github => "Settings > Secrets and variables > Actions > Variables",
                    CiSystem::Gitlab | CiSystem::Shell => "Settings > CI/CD > Variables",
                };
                format!(
                    "#   {settings}: RECARD_URL, the https address of the static program for Linux\n\
                     #   (recard-{version}-x86_64-unknown-linux-gnu of a release), from a place that you trust, and RECARD_SHA256, its checksum\n\
                     #   from SHA256SUMS of the release. Every job checks what it downloads."
                )
            }
            (Self::Download { own: true, .. }, _) => format!(
                "{indent}The address below must serve recard {version}, the very file that wrote this one: every job checks that."
            ),
            (Self::Download { own: false, .. }, _) => {
                format!("{indent}The address below must serve the program with the checksum below it: every job checks that.")
            }
            (Self::Image(_), _) => {
                "#   The runners must reach the image below. Its digest names one content and no other.".to_owned()
            }
        }
    }

    /// Returns what the user should know of the source; `None` if it is what they have said.
    pub(super) fn note(&self) -> Option<Text> {
        match self {
            Self::Download { url, own: true, .. } => Some(tr!(
                "The checksum is that of this program, recard {version}. {url} must serve the same file.",
                version = env!("CARGO_PKG_VERSION"),
                url
            )),
            Self::Settings | Self::Download { .. } | Self::Image(_) => None,
        }
    }
}

fn indented(text: &str, by: usize) -> String {
    let lines = text.lines().map(|line| format!("{:by$}{line}", ""));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the SHA-256 of the running program.
fn own_sum() -> Result<String, CliError> {
    let unknown = |problem: Text| {
        CliError::general(tr!("the checksum of the program is not known: {problem}", problem))
            .hint(tr!("state it: --sha256 SUM, as SHA256SUMS of the release has it"))
    };
    if !IS_PIPELINE_SYSTEM {
        return Err(unknown(tr!("the pipelines run on Linux, and this program does not")));
    }
    let program: Result<PathBuf, _> = std::env::current_exe();
    let bytes = program.and_then(std::fs::read);
    let bytes = bytes.map_err(|problem| unknown(problem.to_string().into()))?;
    Ok(base16ct::lower::encode_string(&Sha256::digest(bytes)))
}
