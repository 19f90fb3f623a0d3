//! Options of every command: their place before and after the name, color, and verbosity.

use crate::support::env::{CommandOutput, TestEnv};

const ESCAPE: char = '\u{1b}';

/// A text without the numbers of a forecast, which follow how quickly the portal has just answered,
/// and without the end of a log line, which names the run of the program.
fn without_forecast(text: &str) -> String {
    let is_forecast = |line: &&str| {
        ["\"requests\": ", "\"seconds\": ", "Apply takes"].iter().any(|start| line.contains(start))
    };
    text.lines()
        .map(|line| if is_forecast(&line) { "FORECAST" } else { line })
        .map(|line| if line.starts_with("{\"timestamp\"") { "LOG LINE" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn options_of_every_command_do_the_same_before_and_after_its_name() {
    let env = TestEnv::quickstart();
    for options in [
        &["--quiet"][..],
        &["-q"],
        &["--color", "always"],
        &["--color=never"],
        &["--store", "elsewhere"],
        &["--portal", "embedded:other.json"],
        &["--rate", "enterprise"],
        &["--log-format", "json"],
        &["--deadline", "1m"],
        &["--lock-timeout", "1s"],
        &["--operating-share", "0.5"],
    ] {
        let run = |arguments: &[&str]| {
            let mut command = env.command(arguments);
            without_forecast(
                &CommandOutput::of(command.env("RECARD_PORTAL", "embedded").output().unwrap())
                    .shown(),
            )
        };
        let plan = ["plan", "--detailed-exitcode", "-f", "lead.yaml"];
        let before = run(&[options, &plan[..]].concat());
        let after = run(&[&plan[..], options].concat());
        assert_eq!(before, after, "{options:?}");
        assert!(before.starts_with("exit 2\n"), "{before}");
        if options == ["--color", "always"] {
            assert!(before.contains(ESCAPE), "{before}");
        }
    }
    assert!(env.at("elsewhere/portals").is_dir() && env.at("other.json").is_file());
}

#[test]
fn option_of_a_command_before_its_name_is_a_usage_error_with_a_tip() {
    let ended = TestEnv::quickstart().run(&["--output", "csv", "plan", "-f", "lead.yaml"]);
    assert!(ended.code == 64 && ended.stderr.contains("tip: 'plan --output' exists"), "{ended:?}");
}

#[test]
fn unknown_option_at_each_position_is_a_usage_error() {
    let env = TestEnv::quickstart();
    for arguments in [["--fly", "plan", "-f", "lead.yaml"], ["plan", "--fly", "-f", "lead.yaml"]] {
        let ended = env.run(&arguments);
        assert!(ended.code == 64 && ended.stderr.contains("'--fly'"), "{ended:?}");
    }
}

#[test]
fn limit_option_out_of_range_is_a_usage_error() {
    let env = TestEnv::quickstart();
    for (option, value) in [
        ("--rate", "fast"),
        ("--rate", "0,2"),
        ("--operating-share", "1.5"),
        ("--operating-share", "all"),
    ] {
        let ended = env.run(&["plan", "--portal", "embedded", "-f", "lead.yaml", option, value]);
        assert!(
            ended.code == 64 && ended.stderr.contains(option) && ended.stdout.is_empty(),
            "{ended:?}"
        );
    }
}

/// A plan with a warning on stderr, under an environment.
fn coloured(env: &TestEnv, options: &[&str], environment: &[(&str, &str)]) -> (bool, bool) {
    let plan = [&["plan", "--portal", "embedded", "-f", "gone.yaml"], options].concat();
    let ended =
        CommandOutput::of(env.command(&plan).envs(environment.iter().copied()).output().unwrap());
    assert!(ended.code == 0 && ended.stderr.contains("was dismissed"), "{ended:?}");
    (ended.stdout.contains(ESCAPE), ended.stderr.contains(ESCAPE))
}

#[test]
fn color_follows_the_option_then_the_environment() {
    let env = TestEnv::quickstart();
    let manifest = crate::support::company::manifest("embedded", "{ ids: [7, 10] }", "");
    env.file("gone.yaml", &manifest);
    let (both, none) = ((true, true), (false, false));
    // A pipe is no terminal.
    assert_eq!(coloured(&env, &[], &[]), none);
    assert_eq!(coloured(&env, &["--color", "always"], &[]), both);
    assert_eq!(coloured(&env, &["--color", "never"], &[]), none);
    // Pipelines that show colors ask for them in this way.
    let forced = ("CLICOLOR_FORCE", "1");
    assert_eq!(coloured(&env, &[], &[forced]), both);
    assert_eq!(coloured(&env, &["--color", "auto"], &[forced]), both);
    assert_eq!(coloured(&env, &["--color", "never"], &[forced]), none);
    // Whoever wants none gets none, unless the command line asks for it.
    assert_eq!(coloured(&env, &[], &[forced, ("NO_COLOR", "1")]), none);
    assert_eq!(coloured(&env, &["--color", "always"], &[("NO_COLOR", "1")]), both);
    let wrong = env.run(&["plan", "--color", "sometimes", "-f", "gone.yaml"]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
}

#[test]
fn quiet_prints_results_warnings_and_errors() {
    let env = TestEnv::quickstart();
    env.file("gone.yaml", &crate::support::company::manifest("embedded", "{ ids: [7, 10] }", ""));
    let plan = |file: &str, more: &[&str]| {
        env.run(&[&["plan", "--portal", "embedded", "-f", file, "--out", "p.json"], more].concat())
    };
    let (normal, quiet) = (plan("gone.yaml", &[]), plan("gone.yaml", &["--quiet"]));
    assert_eq!(normal.stdout, quiet.stdout);
    assert!(normal.stderr.contains("The plan is in p.json"), "{normal:?}");
    assert!(
        !quiet.stderr.contains("The plan is in") && quiet.stderr.contains("warning[RC0406]"),
        "{quiet:?}"
    );
    let failed = plan("none.yaml", &["--quiet"]);
    assert!(
        failed.code == 1 && failed.stderr.starts_with("error: cannot read the manifest none.yaml"),
        "{failed:?}"
    );
}
