//! Options of every command: their place before and after the name, color, and verbosity.

#![cfg(all(feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use support::recard::{Ended, Place};

const ESCAPE: char = '\u{1b}';

fn place() -> Place {
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    place
}

/// A text without the numbers of a forecast, which follow how quickly the portal has just answered.
fn without_forecast(text: &str) -> String {
    let is_forecast = |line: &&str| {
        ["\"requests\": ", "\"seconds\": ", "Apply takes"].iter().any(|start| line.contains(start))
    };
    text.lines()
        .map(|line| if is_forecast(&line) { "FORECAST" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn options_of_every_command_do_the_same_before_and_after_its_name() {
    let place = place();
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
            let mut command = place.command(arguments);
            without_forecast(
                &Ended::of(command.env("RECARD_PORTAL", "embedded").output().unwrap()).shown(),
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
    assert!(
        place.path().join("elsewhere/portals").is_dir()
            && place.path().join("other.json").is_file()
    );
}

#[test]
fn option_of_one_command_before_its_name_is_a_misunderstanding_with_a_tip() {
    let ended = place().run(&["--output", "csv", "plan", "-f", "lead.yaml"]);
    assert!(ended.code == 64 && ended.stderr.contains("tip: 'plan --output' exists"), "{ended:?}");
}

#[test]
fn an_option_that_no_command_knows_is_a_misunderstanding_wherever_it_stands() {
    let place = place();
    for arguments in [["--fly", "plan", "-f", "lead.yaml"], ["plan", "--fly", "-f", "lead.yaml"]] {
        let ended = place.run(&arguments);
        assert!(ended.code == 64 && ended.stderr.contains("'--fly'"), "{ended:?}");
    }
}

#[test]
fn a_limit_that_makes_no_sense_is_a_misunderstanding() {
    let place = place();
    for (option, value) in [
        ("--rate", "fast"),
        ("--rate", "0,2"),
        ("--operating-share", "1.5"),
        ("--operating-share", "all"),
    ] {
        let ended = place.run(&["plan", "--portal", "embedded", "-f", "lead.yaml", option, value]);
        assert!(
            ended.code == 64 && ended.stderr.contains(option) && ended.stdout.is_empty(),
            "{ended:?}"
        );
    }
}

/// A plan with a warning on stderr, under an environment.
fn coloured(place: &Place, options: &[&str], environment: &[(&str, &str)]) -> (bool, bool) {
    let plan = [&["plan", "--portal", "embedded", "-f", "gone.yaml"], options].concat();
    let ended = Ended::of(place.command(&plan).envs(environment.iter().copied()).output().unwrap());
    assert!(ended.code == 0 && ended.stderr.contains("was dismissed"), "{ended:?}");
    (ended.stdout.contains(ESCAPE), ended.stderr.contains(ESCAPE))
}

#[test]
fn colour_is_as_the_option_says_and_else_as_the_environment_says() {
    let place = place();
    let manifest = support::company::manifest("embedded", "{ ids: [7, 10] }", "");
    place.file("gone.yaml", &manifest);
    let (both, none) = ((true, true), (false, false));
    // A pipe is no terminal.
    assert_eq!(coloured(&place, &[], &[]), none);
    assert_eq!(coloured(&place, &["--color", "always"], &[]), both);
    assert_eq!(coloured(&place, &["--color", "never"], &[]), none);
    // Pipelines that show colors ask for them in this way.
    let forced = ("CLICOLOR_FORCE", "1");
    assert_eq!(coloured(&place, &[], &[forced]), both);
    assert_eq!(coloured(&place, &["--color", "auto"], &[forced]), both);
    assert_eq!(coloured(&place, &["--color", "never"], &[forced]), none);
    // Whoever wants none gets none, unless the command line asks for it.
    assert_eq!(coloured(&place, &[], &[forced, ("NO_COLOR", "1")]), none);
    assert_eq!(coloured(&place, &["--color", "always"], &[("NO_COLOR", "1")]), both);
    let wrong = place.run(&["plan", "--color", "sometimes", "-f", "gone.yaml"]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
}

#[test]
fn quiet_leaves_results_warnings_and_errors() {
    let place = place();
    place.file("gone.yaml", &support::company::manifest("embedded", "{ ids: [7, 10] }", ""));
    let plan = |file: &str, more: &[&str]| {
        place
            .run(&[&["plan", "--portal", "embedded", "-f", file, "--out", "p.json"], more].concat())
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
