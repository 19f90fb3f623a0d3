//! Options of every command.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::value_parsers;
use crate::i18n::Language;
use crate::portal::MethodFamily;
use crate::store::StoreLocation;

/// Folder of the store, unless another one is named.
pub(in crate::cli) const DEFAULT_STORE: &str = ".recard";

/// Heading of the options of every command.
pub(in crate::cli) const GLOBAL_HEADING: &str = "Options for every command";

/// Options that every command takes, before or after its name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = GLOBAL_HEADING)]
pub(in crate::cli) struct GlobalArgs {
    /// Use an emulated portal inside this process in place of a real one; its state is in FILE, by
    /// default in the store
    #[arg(long, global = true, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "portal", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) emulator: Option<Option<PathBuf>>,
    /// Portal that the webhook must belong to, such as company.bitrix24.com; or `embedded[:FILE]`,
    /// which is `--emulator[=FILE]` (or RECARD_PORTAL)
    #[arg(long, global = true, value_name = "PORTAL")]
    pub(in crate::cli) portal: Option<String>,
    /// File that holds the webhook URL (or RECARD_WEBHOOK_URL, or RECARD_WEBHOOK_URL_FILE)
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) webhook_url_file: Option<PathBuf>,
    /// Folder of backups, journals and locks, or postgres://USER@HOST/DATABASE (or RECARD_STORE)
    #[arg(long, global = true, value_name = "STORE", default_value = DEFAULT_STORE, value_parser = value_parsers::store(), value_hint = ValueHint::DirPath)]
    pub(in crate::cli) store: StoreLocation,
    /// File with the key that encrypts backups in a database: 64 hexadecimal digits
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) backup_key_file: Option<PathBuf>,
    /// The portal's rate limit: standard (50 at once, 2 a second), enterprise (250, 5), unlimited,
    /// or X,Y (or RECARD_RATE)
    #[arg(long, global = true, value_name = "RATE", value_parser = rate(), hide_possible_values = true)]
    pub(in crate::cli) rate: Option<String>,
    /// Share of the portal's operating time that recard may use, 0.1 to 1
    #[arg(long, global = true, value_name = "SHARE", value_parser = value_parsers::share, default_value_t = 0.8)]
    pub(in crate::cli) operating_share: f64,
    /// Methods for the cards of leads: `auto` asks which the portal has, the others force one
    #[arg(long, global = true, value_name = "FAMILY", value_enum, default_value_t = MethodFamilyArg::Auto)]
    pub(in crate::cli) method_family: MethodFamilyArg,
    /// Start no further request after this time (90s, 15m, 2h)
    #[arg(long, global = true, value_name = "TIME", value_parser = value_parsers::duration)]
    pub(in crate::cli) deadline: Option<Duration>,
    /// Wait this long for the lock if another process works on the portal (90s, 15m)
    #[arg(long, global = true, value_name = "TIME", value_parser = value_parsers::duration, default_value = "0s")]
    pub(in crate::cli) lock_timeout: Duration,
    /// Color of the output; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorWhen::Auto)]
    pub(in crate::cli) color: ColorWhen,
    /// Language of texts for people: en or ru; by default that of RECARD_LANG, LC_ALL, LC_MESSAGES
    /// or LANG
    #[arg(long, global = true, value_name = "LANGUAGE", value_parser = languages(), hide_possible_values = true)]
    pub(in crate::cli) lang: Option<Language>,
    /// Print only warnings and errors on stderr
    #[arg(long, short, global = true)]
    pub(in crate::cli) quiet: bool,
    /// Format of log lines on stderr; RECARD_LOG filters them (for example recard=debug). Without
    /// RECARD_LOG, json has the lines of recard=info, and text has none
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value_t = LogFormat::Text)]
    pub(in crate::cli) log_format: LogFormat,
}

impl GlobalArgs {
    /// Returns `true` if `--emulator` is stated.
    pub(in crate::cli) fn names_emulator(&self) -> bool {
        self.emulator.is_some()
    }
}

/// Methods for the cards of leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MethodFamilyArg {
    /// Those of leads, or `item` if the portal no longer has them.
    Auto,
    /// `crm.lead.details.configuration.*`.
    Lead,
    /// `crm.item.details.configuration.*`, which all other cards have.
    Item,
}

impl MethodFamilyArg {
    /// Returns the methods that are forced.
    pub(in crate::cli) fn forced(self) -> Option<MethodFamily> {
        match self {
            Self::Auto => None,
            Self::Lead => Some(MethodFamily::Lead),
            Self::Item => Some(MethodFamily::Item),
        }
    }
}

/// Use of color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColorWhen {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogFormat {
    /// Lines of text.
    Text,
    /// JSON objects, one a line.
    Json,
}

/// Returns the parser of a rate limit; the session knows its meaning.
fn rate() -> impl TypedValueParser<Value = String> {
    value_parsers::completed(StringValueParser::new(), ["standard", "enterprise", "unlimited"])
}

/// Returns the parser of a language.
fn languages() -> impl TypedValueParser<Value = Language> {
    value_parsers::completed(language, Language::ALL.map(|(word, _)| word))
}

/// Parses a language.
pub(in crate::cli) fn language(text: &str) -> Result<Language, String> {
    let known = Language::ALL.into_iter().find(|(word, _)| *word == text);
    known.map(|(_, language)| language).ok_or_else(|| "recard speaks en and ru".to_owned())
}
