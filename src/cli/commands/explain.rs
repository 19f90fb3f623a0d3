//! `recard explain`: the meaning of a diagnostic code, with a wrong and a right example.

use crate::cli::args::ExplainArgs;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::explanations::explanation;
use crate::cli::ui::Ui;
use crate::diagnostic::DiagnosticCode;
use crate::i18n::Text;

/// Explains a code, or lists all of them.
pub(in crate::cli) fn run(ui: &Ui, arguments: &ExplainArgs) -> Result<u8, CliError> {
    let Some(word) = &arguments.code else {
        let line = |code: &DiagnosticCode| {
            format!("{code}  {}\n", Text::from_msgid(explanation(*code).meaning))
        };
        ui.result(DiagnosticCode::ALL.iter().map(line).collect::<String>())?;
        return Ok(exit::DONE);
    };
    let found = DiagnosticCode::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(word));
    let Some(code) = found else {
        return Err(CliError::new(exit::USAGE, tr!("there is no code {word}", word))
            .hint(tr!("`recard explain` lists all codes")));
    };
    let explained = explanation(*code);
    let indented = |text: String| -> String {
        text.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect()
    };
    // The examples are texts of recard itself. One of them holds an invented webhook, which must
    // not be covered here.
    ui.verbatim(&format!(
        "{}: {}\n\n{}\n\n{}\n{}\n\n{}",
        explained.code,
        Text::from_msgid(explained.meaning),
        tr!("Wrong:"),
        indented(explained.wrong()),
        tr!("Right:"),
        indented(explained.right()),
    ))?;
    Ok(exit::DONE)
}
