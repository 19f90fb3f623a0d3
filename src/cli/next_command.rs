//! Next commands that recard suggests, with the options they need.
//!
//! If the portal or the store was named on the command line, a suggested command without these
//! options would end with "no portal is given", or use another store. Environment variables are
//! still set for the next command.

use std::path::Path;

use super::args::{DEFAULT_STORE, GlobalArgs, MethodFamilyArg};
use super::env;
use crate::diagnostic::visible;

/// Returns the options that name the portal and the store, with a blank before each; empty if the
/// environment names them.
pub(super) fn global_flags(global: &GlobalArgs) -> String {
    let said = |variable: &str, value: &str| env::is_set_to(variable, value);
    let store = global.store.to_string();
    let mut text = String::new();
    match &global.emulator {
        Some(Some(file)) => {
            text.push_str(" --emulator=");
            text.push_str(&shell_word(file));
        }
        Some(None) => text.push_str(" --emulator"),
        None => {}
    }
    let mut add = |option: &str, value: &str| {
        text.push_str(" --");
        text.push_str(option);
        text.push(' ');
        text.push_str(&shell_quote(value));
    };
    if let Some(portal) = global.portal.as_deref().filter(|portal| !said("RECARD_PORTAL", portal)) {
        add("portal", portal);
    }
    let mut add_file = |option: &str, file: Option<&Path>| {
        if let Some(file) = file {
            add(option, &file.display().to_string());
        }
    };
    add_file("webhook-url-file", global.webhook_url_file.as_deref());
    add_file("backup-key-file", global.backup_key_file.as_deref());
    if store != DEFAULT_STORE && !said("RECARD_STORE", &store) {
        add("store", &store);
    }
    match global.method_family {
        MethodFamilyArg::Auto => {}
        MethodFamilyArg::Lead => add("method-family", "lead"),
        MethodFamilyArg::Item => add("method-family", "item"),
    }
    text
}

/// Returns a path as a word for a shell.
pub(super) fn shell_word(path: &Path) -> String {
    shell_quote(&path.display().to_string())
}

/// Returns a text as one word for a shell. A marker of build servers is written so that only the
/// shell joins it again; a control character has no such form, and is shown as one.
fn shell_quote(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-:=,+@%".contains(c);
    let is_plain = !text.is_empty() && text.chars().all(plain) && visible(text) == text;
    if is_plain {
        return text.to_owned();
    }
    let mut word = String::from("'");
    for c in text.chars() {
        if matches!(c, ':' | '#') && word.ends_with(c) {
            word.push_str("''");
        }
        match c {
            '\'' => word.push_str(r"'\''"),
            c => word.push(c),
        }
    }
    word + "'"
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn what_was_said_on_the_command_line_is_said_again() {
        let again =
            |line: &str| global_flags(&Cli::try_parse_from(line.split(' ')).unwrap().global);
        assert_eq!(again("recard plan -f x"), "");
        assert_eq!(again("recard plan -f x --portal embedded"), " --portal embedded");
        assert_eq!(again("recard plan x --emulator"), " --emulator");
        assert_eq!(again("recard --emulator=a.json plan x"), " --emulator=a.json");
        assert_eq!(again("recard plan -f x --quiet --store ../kept"), " --store ../kept");
        assert_eq!(
            again("recard plan -f x --webhook-url-file /run/hook --store .recard"),
            " --webhook-url-file /run/hook"
        );
        assert_eq!(again("recard plan -f x --backup-key-file k"), " --backup-key-file k");
    }

    #[test]
    fn shell_word_is_read_back_by_a_shell() {
        for text in [
            "plan.json",
            "a b",
            "it's",
            "$HOME",
            "",
            "*",
            "план.json",
            r#"a"b\c"#,
            "a::b",
            ":::",
            "##[x]",
            "'::'",
        ] {
            assert_eq!(
                visible(&shell_word(Path::new(text))),
                shell_word(Path::new(text)),
                "it is shown as it is"
            );
            assert_eq!(
                shlex::split(&shell_word(Path::new(text))),
                Some(vec![text.to_owned()]),
                "{text}"
            );
        }
        assert_eq!(
            shell_word(Path::new("plans/a-1.recard-plan.json")),
            "plans/a-1.recard-plan.json"
        );
    }
}
