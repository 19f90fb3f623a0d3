//! Options of reports: formats, destinations, and details.

use clap::{Args, ValueEnum};

use crate::cli::output_format::{self, Output};
use crate::report::{HTML_LIMIT, MARKDOWN_LIMIT};

/// Short form of `--output json`. The default value of `--output` follows it.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(in crate::cli) struct JsonFlag {
    /// Short form of --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

/// Formats and destinations of reports.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct OutputArgs {
    #[arg(
        long,
        short,
        help = output_format::help(),
        value_parser = output_format::any(),
        hide_possible_values = true,
        value_name = "FORMAT[=PATH]",
        default_value_if("json", "true", "json"),
        default_value = "text"
    )]
    pub(in crate::cli) output: Vec<Output>,
    #[command(flatten)]
    pub(in crate::cli) json_flag: JsonFlag,
    /// Maximum size of Markdown in bytes; less room means less detail, never an error
    #[arg(long, value_name = "BYTES", value_parser = output_format::markdown_limit, default_value_t = MARKDOWN_LIMIT)]
    pub(in crate::cli) markdown_limit: usize,
    /// Size of HTML in bytes above which layouts are left out; rows and sums stay
    #[arg(long, value_name = "BYTES", value_parser = output_format::html_limit, default_value_t = HTML_LIMIT)]
    pub(in crate::cli) html_limit: usize,
    /// Replace names of people and departments, titles and reasons in HTML
    #[arg(long)]
    pub(in crate::cli) sanitize: bool,
    /// Name in the first line of Markdown, for pages with comments of several pipelines
    #[arg(long, value_name = "NAME", value_parser = output_format::marker)]
    pub(in crate::cli) marker: Option<String>,
}

/// Grouping of the cards that a plan resets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum GroupBy {
    /// Cards with the same layout are one group
    #[default]
    Layout,
    /// Each card stands alone
    None,
}

/// View of plans and reports.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct PlanView {
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
    /// Show each card before and after, and the origin of each target
    #[arg(long, visible_alias = "effective", overrides_with = "detail")]
    pub(in crate::cli) detail: bool,
    /// Group the cards with the same layout (layout), or list each card (none)
    #[arg(long, value_name = "BY", value_enum, default_value_t, hide_possible_values = true)]
    pub(in crate::cli) group: GroupBy,
    /// Show the unchanged cards, too
    #[arg(long)]
    pub(in crate::cli) unchanged: bool,
}
