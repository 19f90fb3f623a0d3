//! Every format at every end of a command: the exit code is the same, and every output has its
//! promised content.

use recard::emulator::Emulator;
use serde_json::{Value, json};
use snapbox::IntoData as _;

use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};

pub(super) const FORMATS: [&str; 8] =
    ["text", "json", "markdown", "junit", "sarif", "github", "csv", "html"];

pub(super) fn manifest(portal: &str, spec: &str) -> String {
    format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
         \"{portal}\"\n{spec}\n"
    )
}

/// A file that an earlier run left, and that must not be taken for this run's report.
const STALE: &str = "left by an earlier run";

/// Runs a command in every format, to stdout and to a file, and requires one exit code and a report
/// that can be read.
pub(super) fn in_every_format(env: &TestEnv, arguments: &[&str], code: i32) {
    // So many commands in a row would wait for the portal's rate limit.
    let arguments = &[arguments, &["--rate", "unlimited"]].concat()[..];
    for format in FORMATS {
        let ended = env.run(&[arguments, &["--output", format]].concat());
        assert_eq!(ended.code, code, "{format}: {ended:?}");
        if format != "text" && format != "github" {
            check(format, &ended.stdout, arguments[0], code);
        }
    }
    let files: Vec<String> =
        FORMATS.iter().map(|format| format!("{format}=out.{format}")).collect();
    for format in FORMATS {
        env.file(&format!("out.{format}"), STALE);
    }
    let outputs: Vec<&str> = files.iter().flat_map(|file| ["--output", file]).collect();
    let ended = env.run(&[arguments, &outputs].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{ended:?}");
    for format in FORMATS {
        let text = std::fs::read_to_string(env.at(format!("out.{format}"))).unwrap();
        check(format, &text, arguments[0], code);
    }
}

/// A report is there, is well formed, and says what command it is of.
pub(super) fn check(format: &str, text: &str, command: &str, code: i32) {
    assert!(!text.contains(STALE), "{command} {code} {format}");
    match format {
        "json" => {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value["purpose"], command, "{text}");
            if value["format"] == "recard.failure/v1" {
                assert_eq!(value["exitCode"], code, "{text}");
            }
            let schema = match value["format"].as_str().unwrap() {
                "recard.plan/v1" => include_str!("../../../schemas/plan.v1.schema.json"),
                "recard.report/v1" => include_str!("../../../schemas/report.v1.schema.json"),
                "recard.validation/v1" => {
                    include_str!("../../../schemas/validation.v1.schema.json")
                }
                "recard.failure/v1" => include_str!("../../../schemas/failure.v1.schema.json"),
                other => panic!("{other}"),
            };
            let schema: Value = serde_json::from_str(schema).unwrap();
            let validator = jsonschema::draft7::new(&schema).unwrap();
            let problems: Vec<String> =
                validator.iter_errors(&value).map(|problem| problem.to_string()).collect();
            assert!(problems.is_empty(), "{problems:?}: {text}");
        }
        "sarif" => {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value["version"], "2.1.0");
            let run = &value["runs"][0];
            assert_eq!(run["automationDetails"]["id"], format!("recard/{command}/"));
            let rules: Vec<&Value> = run["tool"]["driver"]["rules"]
                .as_array()
                .unwrap()
                .iter()
                .map(|rule| &rule["id"])
                .collect();
            for result in run["results"].as_array().unwrap() {
                assert!(
                    rules.contains(&&result["ruleId"]) && result["message"]["text"].is_string(),
                    "{text}"
                );
            }
            // Changes that are planned are no problem; drift is one.
            let is_quiet = code == 0 || (code == 2 && command != "drift");
            assert_eq!(run["results"].as_array().unwrap().is_empty(), is_quiet, "{text}");
        }
        "junit" => {
            let document = roxmltree::Document::parse(text).unwrap();
            assert_eq!(
                document.root_element().attribute("name"),
                Some(format!("recard {command}").as_str())
            );
        }
        "markdown" => {
            assert!(text.starts_with(&format!("<!-- recard:{command} -->\n###")), "{text}")
        }
        "csv" => assert!(text.starts_with('"') && text.ends_with("\"\r\n"), "{text}"),
        "html" => {
            assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>\n"), "{text}");
            assert!(text.contains(&format!("recard</span> <b>{command}</b>")), "{text}");
        }
        "github" => assert!(text.lines().all(|line| line.starts_with("::")), "{text}"),
        "text" => assert!(code == 0 || !text.is_empty(), "{command} {code}"),
        other => panic!("{other}"),
    }
}

#[test]
fn output_that_cannot_be_written_stops_each_command_before_its_work() {
    let env = TestEnv::quickstart();
    for command in [
        &["validate", "-f", "lead.yaml"][..],
        &["plan", "--portal", "embedded", "-f", "lead.yaml"],
        &["apply", "--portal", "embedded", "-f", "lead.yaml", "--auto-approve"],
        &["restore", "last", "--everything", "--portal", "embedded"],
        &["show", "last", "--portal", "embedded"],
    ] {
        for format in FORMATS {
            let output = format!("{format}=none/report");
            let ended = env.run(&[command, &["--output", &output]].concat());
            assert_eq!(ended.code, 1, "{ended:?}");
            assert!(
                ended.stderr.contains("cannot write none/report") && ended.stdout.is_empty(),
                "{ended:?}"
            );
        }
    }
    assert!(!env.at(".recard").exists());
    let mut command =
        env.command(&["plan", "--portal", "embedded", "-f", "lead.yaml", "--output", "github"]);
    let ended =
        CommandOutput::of(command.env("GITHUB_STEP_SUMMARY", "none/summary.md").output().unwrap());
    assert!(ended.code == 1 && ended.stderr.contains("none/summary.md"), "{ended:?}");
    assert!(!env.at(".recard").exists());
}

#[test]
fn output_to_stdout_given_twice_is_a_usage_error() {
    let env = TestEnv::quickstart();
    let ended =
        env.run(&["plan", "--portal", "embedded", "-f", "lead.yaml", "-o", "json", "-o", "text"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{ended:?}");
    assert!(
        ended.stderr.contains("two outputs go to stdout")
            && ended.stderr.contains("json=plan.json"),
        "{ended:?}"
    );
}

#[test]
fn github_output_has_annotations_and_a_step_summary() {
    let env = TestEnv::quickstart();
    env.file("summary.md", "what other steps wrote\n");
    let plan = [
        "plan",
        "--portal",
        "embedded",
        "-f",
        "lead.yaml",
        "--output",
        "text",
        "--output",
        "github",
    ];
    let ended = CommandOutput::of(
        env.command(&plan).env("GITHUB_STEP_SUMMARY", "summary.md").output().unwrap(),
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    let notice =
        "::notice file=lead.yaml,line=17,col=23,title=recard plan%3A reset::9 cards to reset";
    assert!(
        ended.stdout.contains("Plan: 9 to reset") && ended.stdout.contains(notice),
        "{ended:?}"
    );
    let summary = std::fs::read_to_string(env.at("summary.md")).unwrap();
    assert!(summary.starts_with("what other steps wrote\n<!-- recard:plan -->\n"), "{summary}");
    // Without the format the summary is left alone.
    let ended = CommandOutput::of(
        env.command(&plan[..5]).env("GITHUB_STEP_SUMMARY", "summary.md").output().unwrap(),
    );
    assert_eq!(ended.code, 0);
    assert_eq!(std::fs::read_to_string(env.at("summary.md")).unwrap(), summary);
}

#[test]
fn markdown_marker_and_size_limit_follow_the_options() {
    let env = TestEnv::quickstart();
    let plan = ["plan", "--portal", "embedded", "-f", "lead.yaml", "--output", "markdown"];
    let ended = env.run(&[&plan[..], &["--marker", "team-a", "--markdown-limit", "1000"]].concat());
    assert!(ended.stdout.starts_with("<!-- recard:plan:team-a -->\n"), "{ended:?}");
    assert!(ended.stdout.len() <= 1000 && ended.stdout.contains("9 cards to reset"), "{ended:?}");
    assert_eq!(env.run(&[&plan[..], &["--marker", "a --> b"]].concat()).code, 64);
    assert_eq!(env.run(&[&plan[..], &["--markdown-limit", "10"]].concat()).code, 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_shows_the_layout_after_the_reset() {
    let emulator = Emulator::start().await.unwrap();
    let mut state = emulator.state();
    let value = json!([{"name": "m", "title": "M", "type": "section", "elements": []}]);
    for (user, name, common) in [
        (0, "lead_details", "Y"),
        (0, "returning_lead_details_common", "Y"),
        (7, "lead_details", "N"),
    ] {
        let rows = state["options"].as_array_mut().unwrap();
        rows.retain(|row| row["user_id"] != user || row["name"] != name);
        rows.push(
            json!({"user_id": user, "category": "crm.entity.editor", "name": name, "common": common, "value": value}),
        );
    }
    emulator.set_state(&state).unwrap();
    let env = TestEnv::with_webhook(&emulator.webhook_url(1).unwrap());
    let portal =
        emulator.rest_url().trim_start_matches("http://").trim_end_matches("/rest").to_owned();
    env.file(
        "lead.yaml",
        &manifest(&portal, "  personal: [{ users: { ids: [7] }, leadCustomerTypes: [1, 2] }]"),
    );
    let plan = ["plan", "-f", "lead.yaml", "--effective", "--unchanged"];
    let ended = env.run(&plan);
    let sight = "personal view: Bitrix24's built-in card; common view: the common card";
    for text in [
        "personal/7/lead/simple  Maria Lindqvist  already at its default (shows the card set for all)",
        sight,
        "Which view a person uses cannot be read",
        "the vendor's code of May 2026",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {ended:?}");
    }
    let ended = env.run(&[&plan[..], &["--output", "json"]].concat());
    let value: Value = serde_json::from_str(&ended.stdout).unwrap();
    let group = &value["groups"][0];
    assert_eq!((&group["cards"], &group["people"]), (&json!(1), &json!(1)), "{value}");
    assert_eq!(group["targets"], json!(["personal/7/lead/repeat"]));
    let after = &group["afterwards"][0];
    assert_eq!(
        (&after["personalView"], &after["commonView"], &after["layout"]),
        (&json!("built-in"), &json!("common-card"), &json!("built-in/repeat"))
    );
    assert!(after["appearing"].as_array().unwrap().contains(&json!("UTM")), "{value}");
    let now = &value["layouts"][group["layout"].as_str().unwrap()];
    let field = &now["sections"][0]["fields"][2];
    assert_eq!(
        field,
        &json!({"code": "OPPORTUNITY_WITH_CURRENCY", "label": "Amount and currency", "alwaysShown": true})
    );
    check("json", &ended.stdout, "plan", 0);
    let ended = env.run(&[&plan[..], &["--output", "markdown"]].concat());
    assert!(ended.stdout.contains(sight), "{ended:?}");
    assert_eq!(emulator.complaints(), []);
}

/// A repository with one commit of the manifest, if git is there; nothing if it is not.
fn committed(env: &TestEnv) -> Option<()> {
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args([
            "-c",
            "user.name=Anna <b>@x",
            "-c",
            "user.email=anna@example.com",
            "-c",
            "commit.gpgsign=false",
        ]);
        let quiet = command
            .args(arguments)
            .current_dir(env.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output();
        quiet.ok().filter(|output| output.status.success()).map(|_| ())
    };
    git(&["init", "-q"])?;
    git(&["add", "lead.yaml"])?;
    git(&["commit", "-q", "-m", "cards back to standard"])
}

#[test]
fn plan_names_line_selector_reason_and_commit_of_each_action() {
    let env = TestEnv::quickstart();
    let plan = ["plan", "--portal", "embedded", "-f", "lead.yaml", "--detail"];
    // Without git, and outside of a repository, the plan is the same without the commit.
    let ended = env.run(&plan);
    for text in
        ["lead.yaml:17:23 department 41 and below\n", "because: New lead form since 1 November\n"]
    {
        assert!(ended.stdout.contains(text), "{text}: {ended:?}");
    }
    assert!(!ended.stdout.contains("(commit"), "{ended:?}");
    if committed(&env).is_some() {
        #[expect(
            clippy::disallowed_methods,
            reason = "git is found where the test itself has just found it"
        )]
        let path = std::env::var_os("PATH").unwrap();
        let ended = CommandOutput::of(env.command(&plan).env("PATH", path).output().unwrap());
        assert!(
            ended.stdout.contains("because: New lead form since 1 November (commit "),
            "{ended:?}"
        );
        assert!(ended.stdout.contains(" by Anna"), "{ended:?}");
    }
}

#[test]
fn history_is_rendered_in_each_format() {
    let env = TestEnv::new();
    env.file("lead.yaml", &QUICKSTART.replace("reason: \"", "reason: \"=1+1 "));
    let history = |format: &str| {
        let ended = env.run(&["history", "--portal", "embedded", "--output", format]);
        assert_eq!(ended.code, 0, "{ended:?}");
        crate::support::env::steady(&ended.stdout)
    };
    assert_eq!(history("text"), "The store has no run for this portal.\n");
    assert_eq!(history("json"), "[]\n");
    assert_eq!(history("markdown"), "<!-- recard:history -->\n### recard history: 0 runs\n");
    let heading = "\"run\",\"command\",\"restores\",\"end\",\"planned\",\"done\",\"skipped\",\"failed\",\"unknown\",\
                   \"caller\",\"actor\",\"commit\",\"manifests\"\r\n";
    assert_eq!(history("csv"), heading);
    let mut apply =
        env.command(&["apply", "--portal", "embedded", "-f", "lead.yaml", "--auto-approve"]);
    let traps =
        [("RECARD_ACTOR", "=HYPERLINK(1) | @all"), ("RECARD_COMMIT", "0123456789abcdef0123")];
    assert_eq!(CommandOutput::of(apply.envs(traps).output().unwrap()).code, 0);
    assert_eq!(
        env.run(&["restore", "last", "--user", "8", "--portal", "embedded", "--auto-approve"]).code,
        0
    );
    assert_eq!(
        history("text"),
        "RUN  restore of RUN: 2 of 2 done, 0 skipped, 0 failed, 0 unknown\nRUN  apply: 9 of 9 done, 0 skipped, 0 failed, 0 \
         unknown\n    sales-back-to-standard, by =HYPERLINK(1) | @all, commit 0123456789ab\n"
    );
    let table = history("csv");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 3, "{table}");
    assert!(
        rows[2].starts_with(
            "\"RUN\",\"apply\",\"\",\"complete\",\"9\",\"9\",\"0\",\"0\",\"0\",\"1\",\"'=HYPER"
        ),
        "{table}"
    );
    assert!(
        rows[1].starts_with("\"RUN\",\"restore\",\"RUN\",\"complete\",\"2\",\"2\","),
        "{table}"
    );
    let told = history("json");
    let json: Value = serde_json::from_str(&told).unwrap();
    assert!(
        json[0]["about"]["restores"].is_string() && json[1]["about"]["restores"].is_null(),
        "the newest first: {told}"
    );
    let comment = history("markdown");
    let lines: Vec<&str> = comment.lines().collect();
    assert_eq!(lines[..2], ["<!-- recard:history -->", "### recard history: 2 runs"]);
    // The newest first, and nothing that people wrote is markup.
    assert!(lines[5].starts_with("| `RUN` | restore of `RUN` | 2 of 2 | 0 | 0 | 0 |"), "{comment}");
    assert!(lines[5].ends_with("| 0 |  |  |  |"), "what nobody knows is an empty cell: {comment}");
    assert!(lines[6].starts_with("| `RUN` | apply | 9 of 9 | 0 | 0 | 0 | <code>"), "{comment}");
    assert!(!comment.contains("@all") && lines[6].matches('|').count() == 10, "{comment}");
    assert_eq!(env.run(&["history", "--portal", "embedded", "--output", "junit"]).code, 64);
}

#[test]
fn restore_and_show_print_names_of_people() {
    let env = TestEnv::quickstart();
    assert_eq!(
        env.run(&["apply", "--portal", "embedded", "-f", "lead.yaml", "--auto-approve"]).code,
        0
    );
    let shown = env.run(&["show", "last", "--portal", "embedded"]);
    assert!(
        shown.stdout.contains("done   personal/8/lead/simple   Ivan Petrov     reset, read back"),
        "{shown:?}"
    );
    let restore = |run: &str, more: &[&str]| {
        let outputs = [
            "--output",
            "text",
            "--output",
            "csv=out.csv",
            "--output",
            "json=out.json",
            "--output",
            "markdown=out.md",
        ];
        let first = ["restore", run, "--portal", "embedded", "--auto-approve"];
        env.run(&[&first[..], more, &outputs].concat())
    };
    let ended = restore("last", &["--user", "8", "--user", "12"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    for line in [
        "put    personal/8/lead/simple   Ivan Petrov   puts back 2 sections, 5 fields",
        "done   personal/12/lead/simple  Anna Petrova  restored, read back the same",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {ended:?}");
    }
    let text = |name: &str| std::fs::read_to_string(env.at(name)).unwrap();
    for name in ["out.csv", "out.json", "out.md"] {
        assert!(text(name).contains("Ivan Petrov"), "{name}: {}", text(name));
    }
    // A restore has no plan of its own: the names come from the run that it put back.
    let shown = env.run(&["show", "last", "--portal", "embedded"]);
    assert!(shown.stdout.contains("personal/8/lead/simple   Ivan Petrov"), "{shown:?}");
    // Without the records of the plan the portal is asked.
    let folder = env.at(".recard/portals/embedded/runs");
    for run in std::fs::read_dir(&folder).unwrap() {
        let plan = run.unwrap().path().join("plan.json");
        if plan.exists() {
            std::fs::remove_file(plan).unwrap();
        }
    }
    let restored: Value = serde_json::from_str(&text("out.json")).unwrap();
    let undone = restore(restored["run"].as_str().unwrap(), &["--all"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert!(
        undone.stdout.contains("reset  personal/8/lead/simple   Ivan Petrov   was at its default"),
        "{undone:?}"
    );
}

#[test]
fn github_step_summary_is_at_most_one_mebibyte() {
    const LIMIT: usize = 1 << 20;
    let env = TestEnv::quickstart();
    let plan =
        ["plan", "--portal", "embedded", "-f", "lead.yaml", "--detail", "--output", "github"];
    let run = |taken: usize, arguments: &[&str]| {
        env.file("summary.md", &".".repeat(taken));
        let mut command = env.command(&[&plan[..], arguments].concat());
        let ended =
            CommandOutput::of(command.env("GITHUB_STEP_SUMMARY", "summary.md").output().unwrap());
        assert_eq!(ended.code, 0, "{ended:?}");
        (std::fs::metadata(env.at("summary.md")).unwrap().len() as usize - taken, ended.stderr)
    };
    // The limit of a comment is none for the summary.
    let (whole, told) = run(0, &["--markdown-limit", "1000"]);
    assert!(whole > 1_000 && told.is_empty(), "{whole} {told}");
    assert_eq!(run(LIMIT - whole, &[]).0, whole);
    let (less, told) = run(LIMIT - whole + 1, &[]);
    assert!(less > 0 && less < whole && told.is_empty(), "{less} of {whole}: {told}");
    for taken in [LIMIT - 100, LIMIT, LIMIT + 1] {
        let (written, told) = run(taken, &[]);
        assert!(
            written == 0 && told.contains("the step summary has no room for the report"),
            "{written}: {told}"
        );
    }
}

#[test]
fn json_example_is_the_plan_of_the_quickstart() {
    let env = TestEnv::new();
    env.file("examples/quickstart.yaml", QUICKSTART);
    let ended = env.run(&["plan", "--emulator", "examples/quickstart.yaml", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    check("json", &ended.stdout, "plan", 0);
    // The cost depends on the machine.
    let (before, rest) = ended.stdout.split_once("  \"cost\": {").unwrap();
    let (_, after) = rest.split_once('}').unwrap();
    let cost = "\n    \"requests\": 2,\n    \"seconds\": 0.2,\n    \"operatingShare\": 0.0\n  ";
    let shown = format!("{before}  \"cost\": {{{cost}}}{after}").into_data().raw();
    let path = crate::support::page::root().join("examples/plan.json");
    let example = snapbox::Data::read_from(&path, None).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(shown, example);
}
