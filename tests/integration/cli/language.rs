//! Choice of the language, by option and environment.

use super::russian::is_russian;
use crate::support::env::{CommandOutput, TestEnv};

#[test]
fn language_follows_the_option_then_the_environment() {
    let env = TestEnv::new();
    let speaks_russian = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = env.command(&["history", "--portal", "embedded"]);
        let ended = CommandOutput::of(
            command.args(arguments).envs(variables.iter().copied()).output().unwrap(),
        );
        let failed = CommandOutput::of(
            env.command(&["plan", "-f", "missing.yaml"])
                .args(arguments)
                .envs(variables.iter().copied())
                .output()
                .unwrap(),
        );
        assert_eq!((ended.code, failed.code), (0, 1));
        is_russian(&failed.stderr)
    };
    for (arguments, variables, russian) in [
        (&[][..], &[][..], false),
        (&["--lang", "ru"], &[], true),
        (&["--lang", "en"], &[("RECARD_LANG", "ru"), ("LANG", "ru_RU.UTF-8")], false),
        (&[], &[("RECARD_LANG", "ru"), ("LC_ALL", "en_GB.UTF-8")], true),
        (&[], &[("LANG", "ru_RU.UTF-8")], true),
        (&[], &[("LC_MESSAGES", "en_GB"), ("LANG", "ru_RU.UTF-8")], false),
        (&[], &[("LC_ALL", "ru_RU"), ("LC_MESSAGES", "en_GB")], true),
        (&[], &[("LC_ALL", ""), ("LANG", "ru")], true),
        (&[], &[("LANG", "de_DE.UTF-8")], false),
        (&[], &[("LANG", "C")], false),
    ] {
        assert_eq!(speaks_russian(arguments, variables), russian, "{arguments:?} {variables:?}");
    }
}

#[test]
fn language_that_is_unknown_is_a_usage_error() {
    let env = TestEnv::new();
    let option = env.run(&["history", "--lang", "de"]);
    let variable =
        CommandOutput::of(env.command(&["history"]).env("RECARD_LANG", "de").output().unwrap());
    for ended in [option, variable] {
        assert_eq!(ended.code, 64);
        assert!(
            ended.stderr.contains("'de' for '--lang <LANGUAGE>': recard speaks en and ru"),
            "{ended:?}"
        );
    }
}
