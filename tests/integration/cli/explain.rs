//! `recard explain`: every example is executed as it is printed.

use std::process::Command;

use recard::diagnostic::DiagnosticCode;
use serde_json::json;

use crate::support::env::{CommandOutput, TestEnv};

/// Returns the wrong and the right example of a code, as they are printed.
fn examples(env: &TestEnv, code: &str) -> [String; 2] {
    let printed = env.run(&["explain", code]);
    assert!(printed.code == 0 && printed.stdout.starts_with(code), "{printed:?}");
    let (_, examples) = printed.stdout.split_once("\n\nWrong:\n\n").unwrap();
    let (wrong, right) = examples.split_once("\n\nRight:\n\n").unwrap();
    let text = |block: &str| -> String {
        block
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
            .collect()
    };
    [text(wrong), text(right)]
}

/// Writes an example into a file: by its shell command, or as it is.
fn write(env: &TestEnv, name: &str, example: &str, portal: &str) {
    match example.strip_prefix("$ ") {
        None => {
            env.file(name, &example.replace("portal: embedded", &format!("portal: \"{portal}\"")));
        }
        Some(command) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", command.trim_end()]).current_dir(env.path());
            assert!(shell.status().unwrap().success(), "{command}");
            assert!(env.at(name).is_file(), "{command} writes no {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_has_a_wrong_example_that_gives_it_and_a_right_one_that_does_not() {
    let env = TestEnv::start().await;
    // Two people with one address, a department without people, and two departments and two
    // pipelines of one name.
    env.change(|state| {
        let users = state["portal"]["users"].as_array_mut().unwrap();
        let thirteen = users.iter_mut().find(|user| user["ID"] == 13).unwrap();
        thirteen["EMAIL"] = json!("anna.petrova@company.example");
        let departments = state["portal"]["departments"].as_array_mut().unwrap();
        let department = |id: i64, name: &str, parent: i64| {
            json!({"ID": id, "NAME": name, "PARENT": parent, "ACTIVE": true, "SORT": 500, "LEFT_MARGIN": id, "UF_HEAD": null})
        };
        departments.push(department(46, "Empty", 1));
        departments.push(department(47, "Support", 42));
        let pipelines = state["portal"]["crm_deal_categories"].as_array_mut().unwrap();
        pipelines.push(json!({"id": 7, "name": "Partners", "sort": 600}));
    });
    let (portal, employee) = (env.portal(), env.emulator().webhook_url(8).unwrap());
    for code in DiagnosticCode::ALL.iter().map(|code| code.as_str()) {
        let [wrong, right] = examples(&env, code);
        write(&env, "wrong.yaml", &wrong, &portal);
        write(&env, "right.yaml", &right, &portal);
        let run = |file: &str, webhook: &str, family: &str| {
            // The portal knows people and departments; the text alone shows all other problems.
            let command = if code.starts_with("RC04") { "plan" } else { "validate" };
            let mut command = env.command(&[command, file, "--method-family", family]);
            CommandOutput::of(command.env("RECARD_WEBHOOK_URL", webhook).output().unwrap())
        };
        let by =
            if matches!(code, "RC0407" | "RC0411") { employee.as_str() } else { env.webhook() };
        let family = if code == "RC0412" { "item" } else { "auto" };
        let given = run("wrong.yaml", by, family);
        match code {
            // A command reads no more of a file than its limit, so the code is that of the library.
            "RC0102" => assert!(given.stderr.contains("more than 8 MiB"), "{given:?}"),
            _ => assert!(given.stderr.contains(&format!("[{code}]")), "{code}: {given:?}"),
        }
        let left = run("right.yaml", env.webhook(), "auto");
        assert!(left.code == 0 && !left.stderr.contains("[RC"), "{code}: {left:?}");
    }
    assert_eq!(env.emulator().counters().rows_removed, 0);
}

#[test]
fn code_is_found_in_small_letters_and_an_unknown_one_is_a_usage_error() {
    let env = TestEnv::new();
    assert_eq!(env.run(&["explain", "rc0303"]).stdout, env.run(&["explain", "RC0303"]).stdout);
    let unknown = env.run(&["explain", "RC9999"]);
    assert!(unknown.code == 64 && unknown.stderr.contains("`recard explain` lists"), "{unknown:?}");
    let all = env.run(&["explain"]).stdout;
    for code in DiagnosticCode::ALL {
        assert!(all.contains(&format!("\n{code}  ")) || all.starts_with(code.as_str()), "{code}");
    }
}
