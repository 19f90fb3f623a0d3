//! `--user`, `--department` and `--target`: they take targets away, and never add one.

use serde_json::Value;

use crate::support::env::{CommandOutput, TestEnv};

/// Returns the cards that a plan resets.
fn resets(ended: &CommandOutput) -> Vec<String> {
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    let targets = plan["targets"].as_array().unwrap().iter();
    let resets = targets.filter(|target| target["decision"] == "reset");
    resets.map(|target| target["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn narrowed_plan_has_the_named_targets_and_says_that_it_is_partial() {
    let env = TestEnv::quickstart();
    let plan = |options: &str| env.run_embedded(format!("plan lead.yaml --json {options}").trim());
    for (options, wanted) in [
        ("--user 12", "personal/12/lead/simple"),
        ("--user Anna.Petrova@company.example", "personal/12/lead/simple"),
        ("--user 12 --user 14", "personal/12/lead/simple personal/14/lead/simple"),
        ("--target personal/18/lead/repeat", "personal/18/lead/repeat"),
        ("--target personal/18/repeat", "personal/18/lead/repeat"),
        (
            "--department 42",
            "personal/18/lead/simple personal/18/lead/repeat personal/20/lead/simple",
        ),
        // Values of different options narrow each other.
        ("--department 42 --user 18 --target personal/18/lead/simple", "personal/18/lead/simple"),
    ] {
        let ended = plan(options);
        assert_eq!(ended.code, 0, "{options}: {ended:?}");
        assert_eq!(resets(&ended).join(" "), wanted, "{options}");
        let json: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(json["partial"], true, "{options}");
    }
    // A department stands for those below it, and may be named.
    let words = ["plan", "lead.yaml", "--json", "--emulator", "--department", "Sales East"];
    assert_eq!(resets(&env.run(&words)).len(), 3);
    assert_eq!(resets(&plan("--department 41")), resets(&plan("")));
    let whole: Value = serde_json::from_str(&plan("").stdout).unwrap();
    assert!(whole.get("partial").is_none());
    let text = env.run_embedded("plan lead.yaml --user 12 -o text -o markdown=plan.md");
    let markdown = std::fs::read_to_string(env.at("plan.md")).unwrap();
    let header: String = markdown.lines().take(4).collect();
    for told in [&text.stdout, &header] {
        assert!(told.contains("Partial: narrowed on the command line"), "{told}");
    }
}

#[test]
fn value_that_matches_no_target_is_an_error_that_lists_what_there_is() {
    let env = TestEnv::quickstart();
    for (options, told, listed) in [
        ("--user 99", "no personal card of user 99", "12 Anna Petrova"),
        // A person whom the manifests except is not selected again.
        ("--user 7", "no personal card of user 7", "8 Ivan Petrov"),
        ("--user x@y.example", "no personal card of x@y.example", "8 Ivan Petrov"),
        ("--user 12 --user 99", "no personal card of user 99", "12 Anna Petrova"),
        ("--department 45", "people of department 45", "42 Sales East"),
        ("--department Sale", "people of department \"Sale\"", "41 Sales"),
        ("--target common/lead/simple", "the card common/lead/simple", "personal/8/lead/simple"),
        (
            "--user 12 --target personal/14/lead/simple",
            "no card matches --user, --department and --target together",
            "personal/8/lead/simple",
        ),
    ] {
        for command in ["plan lead.yaml", "apply lead.yaml --yes"] {
            let ended = env.run_embedded(&format!("{command} {options}"));
            assert_eq!(ended.code, 1, "{command} {options}: {ended:?}");
            assert!(ended.stderr.contains(told), "{command} {options}: {ended:?}");
            assert!(ended.stderr.contains(listed), "{command} {options}: {ended:?}");
        }
    }
    for wrong in ["--user anna", "--target personal/12", "--user 0"] {
        assert_eq!(env.run_embedded(&format!("plan lead.yaml {wrong}")).code, 64, "{wrong}");
    }
    assert!(env.run_embedded("history").stdout.contains("no run"), "nothing was written");
}

#[test]
fn narrowed_apply_resets_the_named_cards_alone_and_stores_no_selection() {
    let env = TestEnv::quickstart();
    let selections = || {
        let path = env.store_folder().join("selection.json");
        std::fs::read_to_string(path).ok()
    };
    let narrowed = env.run_embedded("apply lead.yaml --yes --user 12 -o json");
    assert_eq!(narrowed.code, 0, "{narrowed:?}");
    let report: Value = serde_json::from_str(&narrowed.stdout).unwrap();
    assert_eq!((&report["partial"], &report["totals"]["done"]), (&true.into(), &1.into()));
    assert_eq!(selections(), None);
    // Nothing is left to do for the person, and the store still knows no selection.
    assert_eq!(env.run_embedded("apply lead.yaml --yes --user 12").code, 0);
    assert_eq!(selections(), None);
    let rest = env.run_embedded("apply lead.yaml --yes -o json");
    let report: Value = serde_json::from_str(&rest.stdout).unwrap();
    assert_eq!((report.get("partial"), &report["totals"]["done"]), (None, &8.into()));
    let whole = selections();
    assert!(whole.is_some());
    // A narrowed run is no shrunk selection, and does not make one of the next whole run.
    let again = env.run_embedded("apply lead.yaml --yes --user 14");
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(selections(), whole);
    assert_eq!(env.run_embedded("apply lead.yaml --yes").code, 0);
}

#[test]
fn plan_file_of_a_narrowed_plan_has_its_targets_alone_and_stays_partial() {
    let env = TestEnv::quickstart();
    let planned = env.run_embedded("plan lead.yaml --department 42 --out plan.json");
    assert_eq!(planned.code, 0, "{planned:?}");
    let content = env.read_plan_file("plan.json");
    assert!(content.narrowed);
    assert_eq!(content.targets.len(), 3);
    let shown = env.run(&["show", "plan.json"]);
    assert!(shown.stdout.contains("Partial: narrowed on the command line"), "{shown:?}");
    let wider = env.run_embedded("apply plan.json --user 18");
    assert!(wider.code == 64 && wider.stderr.contains("has its targets already"), "{wider:?}");
    let applied = env.run_embedded("apply plan.json -f lead.yaml -o json");
    assert_eq!(applied.code, 0, "{applied:?}");
    let report: Value = serde_json::from_str(&applied.stdout).unwrap();
    assert_eq!((&report["partial"], &report["totals"]["done"]), (&true.into(), &3.into()));
    assert!(!env.store_folder().join("selection.json").exists());
    assert_eq!(resets(&env.run_embedded("plan lead.yaml --json")).len(), 6);
}

#[test]
fn guards_of_a_narrowed_run_count_what_it_resets() {
    let env = TestEnv::quickstart();
    let limit = "plan lead.yaml --max-users 3 --detailed-exitcode";
    assert_eq!(env.run_embedded(limit).code, 4);
    assert_eq!(env.run_embedded(&format!("{limit} --department 42")).code, 2);
    let refused = env.run_embedded("apply lead.yaml --yes --max-users 1 --department 42");
    assert!(refused.code == 4 && refused.stderr.contains("2 people"), "{refused:?}");
}

#[test]
fn plan_that_a_guard_blocks_exits_with_4_where_its_exit_code_is_asked_for() {
    let env = TestEnv::quickstart();
    let run =
        |options: &str| env.run_embedded(format!("plan lead.yaml --max-users 3 {options}").trim());
    assert_eq!(run("").code, 0);
    let detailed = run("--detailed-exitcode");
    assert!(detailed.code == 4 && detailed.stdout.contains("9 to reset"), "{detailed:?}");
    // Plan file and reports are written all the same, and apply refuses the file.
    let saved = run("--out plan.json -o json=report.json -o markdown=comment.md");
    assert_eq!(saved.code, 4, "{saved:?}");
    assert_eq!(env.read_plan_file("plan.json").violations.len(), 1);
    let report: Value =
        serde_json::from_slice(&std::fs::read(env.at("report.json")).unwrap()).unwrap();
    assert_eq!(report["guards"]["hold"], false);
    assert!(std::fs::read_to_string(env.at("comment.md")).unwrap().contains("🛑"));
    let applied = env.run_embedded("apply plan.json");
    assert_eq!(applied.code, 4, "{applied:?}");
    assert!(env.run_embedded("history").stdout.contains("no run"));
}

#[test]
fn narrowed_plan_and_run_are_partial_in_every_format_for_people() {
    let env = TestEnv::quickstart();
    for line in ["plan lead.yaml --user 12", "apply lead.yaml --yes --user 12"] {
        let outputs = "-o text -o markdown=report.md -o html=report.html";
        let ended = env.run_embedded(&format!("{line} {outputs}"));
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        let file = |name: &str| std::fs::read_to_string(env.at(name)).unwrap();
        for text in [ended.stdout, file("report.md"), file("report.html")] {
            assert!(text.contains("Partial: narrowed on the command line"), "{line}: {text}");
        }
    }
}
