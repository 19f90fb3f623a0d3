//! Files of another kind than an option needs: the error names the file, and the hint is about that
//! option.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};
use serde_json::Value;

fn make_pipe(env: &TestEnv) {
    assert!(Command::new("mkfifo").arg(env.at("pipe")).status().unwrap().success());
}

/// Writes bytes into a pipe as soon as a reader has opened it.
fn fed(pipe: &Path, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
    let pipe = pipe.to_owned();
    std::thread::spawn(move || {
        let _ = std::fs::File::options().write(true).open(pipe).unwrap().write_all(&bytes);
    })
}

#[test]
fn ledger_that_is_no_regular_file_is_refused_with_help_about_ledgers() {
    let env = TestEnv::quickstart();
    make_pipe(&env);
    for line in [
        "plan -f lead.yaml --ledger pipe",
        "apply -f lead.yaml --auto-approve --ledger pipe",
        "drift -f lead.yaml --ledger /dev/null",
        "apply -f lead.yaml --auto-approve --ledger .",
        "ledger show pipe",
    ] {
        let refused = env.run_embedded(line);
        assert_eq!(refused.code, 1, "{line}: {refused:?}");
        assert!(refused.stderr.contains("it is not a regular file"), "{line}: {refused:?}");
        assert!(
            refused.stderr.contains("help: a ledger is written again after each run"),
            "{line}: {refused:?}"
        );
        assert!(!refused.stderr.contains("--store"), "{line}: {refused:?}");
    }
    assert!(!env.run_embedded("history").stdout.contains("apply"));
}

#[test]
fn plan_file_in_a_pipe_is_shown_and_applied_and_a_missing_one_is_refused_with_help_about_plans() {
    let env = TestEnv::quickstart();
    make_pipe(&env);
    assert_eq!(env.run_embedded("plan -f lead.yaml --out lead.recard-plan.json").code, 0);
    let plan = std::fs::read(env.at("lead.recard-plan.json")).unwrap();
    let pipe = env.at("pipe");
    let by_name = env.run_embedded("show lead.recard-plan.json");
    for (line, bytes, code, told) in [
        ("show pipe", plan.clone(), 0, ""),
        ("show pipe", b"hello".to_vec(), 5, "pipe: this is not a plan file"),
        ("apply pipe --auto-approve", b"{}".to_vec(), 5, "pipe: this is not a plan file"),
        ("apply pipe --auto-approve", plan, 0, ""),
        ("apply pipe --auto-approve", QUICKSTART.as_bytes().to_vec(), 0, ""),
    ] {
        let writer = fed(&pipe, bytes);
        let ended = env.run_embedded(line);
        writer.join().unwrap();
        assert_eq!(ended.code, code, "{line}: {ended:?}");
        assert!(ended.stderr.contains(told), "{line}: {ended:?}");
        if line == "show pipe" && code == 0 {
            assert_eq!(ended.stdout, by_name.stdout);
        }
    }
    for line in ["apply ./missing.json --auto-approve", "show ./missing"] {
        let refused = env.run_embedded(line);
        assert_eq!(refused.code, 1, "{line}: {refused:?}");
        assert!(refused.stderr.contains("cannot read the plan file ./"), "{line}: {refused:?}");
        assert!(
            refused.stderr.contains("help: nothing was written; a plan file is what `recard plan"),
            "{line}"
        );
    }
}

#[test]
fn file_that_holds_no_state_is_refused_as_portal_and_as_seed_and_stays_as_it_is() {
    let env = TestEnv::quickstart();
    assert_eq!(env.run_embedded("ledger new once.json").code, 0);
    assert_eq!(env.run_embedded("plan -f lead.yaml --out plan.json").code, 0);
    let state = std::fs::read_to_string(env.at(".recard/embedded.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut state = state.clone();
        change(&mut state);
        state.to_string()
    };
    let cases = [
        ("once.json", None, "unknown field"),
        ("plan.json", None, "unknown field"),
        ("empty.json", Some("{}".to_owned()), "it has none of the parts"),
        ("list.json", Some("[]".to_owned()), "it is not an object"),
        ("parts.json", Some("[\"mid\", {}, {}, []]".to_owned()), "it is not an object"),
        ("number.json", Some("7".to_owned()), "it is not an object"),
        ("more.json", Some(changed(&|state| state["rows"] = 7.into())), "unknown field `rows`"),
        (
            "inner.json",
            Some(changed(&|state| state["portal"]["people"] = 7.into())),
            "unknown field `people`",
        ),
        (
            "row.json",
            Some(changed(&|state| state["options"][0]["user"] = 7.into())),
            "unknown field `user`",
        ),
        ("type.json", Some(changed(&|state| state["options"] = 7.into())), "invalid type"),
    ];
    for (name, text, told) in cases {
        if let Some(text) = &text {
            env.file(name, text);
        }
        let before = std::fs::read(env.at(name)).unwrap();
        let plan = ["plan", "-f", "lead.yaml", "--portal", &format!("embedded:{name}")];
        let refused = env.run(&plan);
        assert_eq!(refused.code, 1, "{name}: {refused:?}");
        let found = format!("{name} does not hold the state of an embedded portal: ");
        assert!(
            refused.stderr.contains(&found) && refused.stderr.contains(told),
            "{name}: {refused:?}"
        );
        assert!(
            refused.stderr.contains("help: nothing was changed; name a state"),
            "{name}: {refused:?}"
        );
        assert_eq!(std::fs::read(env.at(name)).unwrap(), before, "{name}");
        let mut command = env.command(&["emulate", "--seed", name]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() && begun.elapsed().as_secs() < 30 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let _ = child.kill();
        let refused = CommandOutput::of(child.wait_with_output().unwrap());
        assert_eq!(refused.code, 1, "{name}: {refused:?}");
        assert!(
            refused.stderr.contains(&format!("the seed {name} cannot be used: ")),
            "{name}: {refused:?}"
        );
        assert!(
            refused.stderr.contains(told) && refused.stderr.contains("help: a state is"),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn empty_list_of_acknowledged_cards_is_named_by_its_key() {
    let env = TestEnv::new();
    let guards = "  guards: { acknowledge: { common: [] } }\n";
    env.file("lead.yaml", &(QUICKSTART.to_owned() + guards));
    let refused = env.run(&["validate", "-f", "lead.yaml"]);
    assert!(refused.code == 1 && refused.stderr.contains("`common` is empty"), "{refused:?}");
}

#[test]
fn number_with_a_leading_zero_gets_both_of_its_readings_as_help() {
    let env = TestEnv::new();
    let manifest = |ids: &str, people: &str| {
        format!(
            "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
             embedded\n  personal:\n    - users: {{ ids: [{ids}] }}\n      leadCustomerTypes: [simple]\n  guards: {{ \
             maxUsers: {people} }}\n"
        )
    };
    let both = |text: &str, decimal: u32, octal: u32| {
        format!(
            "write {decimal} or {octal}, without a leading zero: YAML 1.2 reads {text} as {decimal}, and YAML 1.1 as octal \
             {octal}"
        )
    };
    for (ids, people, told) in [
        ("010", "5", both("010", 10, 8)),
        ("\"010\"", "5", both("010", 10, 8)),
        ("7", "0012", both("0012", 12, 10)),
        ("08", "5", "write 8\n".to_owned()),
        ("07", "5", "write 7\n".to_owned()),
        ("0x10", "5", "write 16\n".to_owned()),
    ] {
        env.file("lead.yaml", &manifest(ids, people));
        let refused = env.run(&["validate", "-f", "lead.yaml"]);
        assert_eq!(refused.code, 1, "{ids}, {people}: {refused:?}");
        assert!(refused.stderr.contains(&told), "{ids}, {people}: {told}: {refused:?}");
        assert_eq!(refused.stderr.matches("help:").count(), 1, "{ids}, {people}: {refused:?}");
    }
}
