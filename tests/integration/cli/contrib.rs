//! Files that others run recard with: the action, the hooks, the units, the CronJob, the component.
//! Their commands are taken out of the files and run against the emulator.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::support::env::{CommandOutput, TestEnv};
use crate::support::page::{read, root};
use crate::support::tools;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_recard");

/// Stands in for `curl`, and serves a file.
const CURL: &str = include_str!("curl.sh");

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn executable(env: &TestEnv, name: &str, text: &str) -> PathBuf {
    let path = env.file(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Runs a script with these variables and no others, in the folder of the test.
fn bash(env: &TestEnv, script: &str, variables: &[(&str, &str)]) -> CommandOutput {
    let mut command = std::process::Command::new("bash");
    command.args(["-eo", "pipefail", "-c", script]).current_dir(env.path()).env_clear();
    let path = format!("{}:/usr/bin:/bin", env.at("bin").display());
    command.env("PATH", path).env("HUB", env.at("hub")).env("HOME", env.at("home"));
    command.env("SERVED", env.at("served")).envs(variables.iter().copied());
    CommandOutput::of(command.stdin(std::process::Stdio::null()).output().unwrap())
}

/// Folder with a server of downloads, and the checksum of what it serves.
fn serving(env: &TestEnv, make: impl FnOnce()) -> String {
    fs::create_dir_all(env.at("hub/comments")).unwrap();
    fs::create_dir_all(env.at("home")).unwrap();
    executable(env, "bin/curl", CURL);
    make();
    let sum = bash(env, "sha256sum served", &[]).stdout;
    sum.split(' ').next().unwrap().to_owned()
}

#[test]
fn action_installs_the_tarball_with_the_right_checksum_and_no_other() {
    let env = TestEnv::new();
    let name = format!("recard-{}-x86_64-unknown-linux-gnu", env!("CARGO_PKG_VERSION"));
    let sum = serving(&env, || {
        executable(&env, &format!("{name}/recard"), &format!("#!/bin/sh\nexec {PROGRAM} \"$@\"\n"));
        let packed = bash(&env, &format!("tar --create --xz --file served {name}"), &[]);
        assert_eq!(packed.code, 0, "{packed:?}");
    });
    let action = yaml(&read("action.yml"));
    let steps = action["runs"]["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &action["runs"]["using"]), (1, &json!("composite")));
    let inputs: Vec<&str> =
        action["inputs"].as_object().unwrap().keys().map(|key| &**key).collect();
    assert_eq!(inputs, ["version", "sha256", "base-url"]);
    let script = steps[0]["run"].as_str().unwrap();
    fs::create_dir(env.at("temp")).unwrap();
    let temp = env.at("temp").display().to_string();
    let run = |sum: &str, os: &str| {
        for file in ["path", "output"] {
            env.file(file, "");
        }
        let variables = [
            ("VERSION", env!("CARGO_PKG_VERSION")),
            ("SHA256", sum),
            ("BASE_URL", "https://downloads.example/"),
            ("RUNNER_OS", os),
            ("RUNNER_ARCH", "X64"),
            ("RUNNER_TEMP", &temp),
            ("GITHUB_PATH", "path"),
            ("GITHUB_OUTPUT", "output"),
        ];
        bash(&env, script, &variables)
    };
    for (sum, os) in [("0".repeat(64), "Linux"), (String::new(), "Linux"), (sum.clone(), "macOS")] {
        let refused = run(&sum, os);
        assert!(refused.code != 0 && !env.at("temp").join(&name).exists(), "{refused:?}");
        assert_eq!(fs::read_to_string(env.at("path")).unwrap(), "");
    }
    let installed = run(&sum, "Linux");
    assert!(
        installed.code == 0 && installed.stdout.contains(env!("CARGO_PKG_VERSION")),
        "{installed:?}"
    );
    let folder = fs::read_to_string(env.at("path")).unwrap();
    assert!(PathBuf::from(folder.trim()).join("recard").exists(), "{folder}");
    assert_eq!(fs::read_to_string(env.at("output")).unwrap(), format!("folder={folder}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitlab_component_plans_and_reports_drift_with_the_checked_program() {
    let env = TestEnv::with_manifest("{ departments: [42] }").await;
    let sum = serving(&env, || {
        executable(&env, "served", &format!("#!/bin/sh\nexec {PROGRAM} \"$@\"\n"));
    });
    let text = read("contrib/gitlab/templates/recard.yml");
    let (head, body) = text.split_once("\n---\n").unwrap();
    let mut body = body.to_owned();
    let given = BTreeMap::from([
        ("version", env!("CARGO_PKG_VERSION")),
        ("sha256", &sum),
        ("base-url", "https://downloads.example"),
        ("manifests", "lead.yaml"),
    ]);
    for (name, input) in yaml(head)["spec"]["inputs"].as_object().unwrap() {
        let value = given.get(&**name).copied().or(input["default"].as_str()).unwrap();
        body = body.replace(&format!("$[[ inputs.{name} ]]"), value);
    }
    assert!(!body.contains("$[["), "{body}");
    let component = yaml(&body);
    env.file("secret", &env.emulator().webhook_url(1).unwrap());
    let folder = env.path().display().to_string();
    let job = |name: &str, sum: &str| {
        let job = &component[name];
        assert_eq!(job["extends"], ".recard");
        let lines = [&component[".recard"]["before_script"], &job["script"]];
        let lines = lines.into_iter().flat_map(|lines| lines.as_array().unwrap());
        let script: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
        let shared = component[".recard"]["variables"].as_object().unwrap();
        let mut variables: Vec<(&str, &str)> =
            shared.iter().map(|(name, value)| (&**name, value.as_str().unwrap())).collect();
        variables.extend([
            ("RECARD_SHA256", sum),
            ("CI_PROJECT_DIR", &folder),
            ("RECARD_READ_WEBHOOK_URL_FILE", "secret"),
        ]);
        bash(&env, &script.join("\n"), &variables)
    };
    let wrong = job("recard-drift", &"0".repeat(64));
    assert!(wrong.code == 1 && env.emulator().counters().requests == 0, "{wrong:?}");
    assert_eq!(job("recard-validate", &sum).code, 0);
    let planned = job("recard-plan", &sum);
    assert_eq!(planned.code, 0, "{planned:?}");
    assert!(fs::read_to_string(env.at("plan.html")).unwrap().contains("<html"));
    assert_eq!(job("recard-drift", &sum).code, 2);
    assert_eq!(env.emulator().counters().rows_removed, 0);
}

/// Returns the values of a key in a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// Runs the command of a unit as systemd does, with its variables, credentials and folders.
fn start_unit(env: &TestEnv, unit: &str) -> CommandOutput {
    let webhook = env.at("etc/webhook").display().to_string();
    env.file("etc/webhook", &env.emulator().webhook_url(1).unwrap());
    let credential = values(unit, "LoadCredential")[0];
    let (name, from) = credential.split_once(':').unwrap();
    env.file(&format!("credentials/{name}"), &fs::read_to_string(&webhook).unwrap());
    assert_eq!(from, "/etc/recard/webhook");
    for (folder, key) in [("state", "StateDirectory"), ("cache", "CacheDirectory")] {
        fs::create_dir_all(env.at(folder).join(values(unit, key)[0])).unwrap();
    }
    let real = |text: &str| {
        text.replace("%S", &env.at("state").display().to_string())
            .replace("%C", &env.at("cache").display().to_string())
            .replace("%d", &env.at("credentials").display().to_string())
            .replace("/etc/recard/manifests", &env.at("lead.yaml").display().to_string())
            .replace("/usr/bin/recard", PROGRAM)
    };
    let variables: Vec<String> = values(unit, "Environment").into_iter().map(real).collect();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|one| one.split_once('=').unwrap()).collect();
    bash(env, &format!("exec {}", real(values(unit, "ExecStart")[0])), &variables)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_units_apply_report_drift_and_stop_where_a_person_is_needed() {
    let drift = read("contrib/systemd/recard-drift.service");
    let apply = read("contrib/systemd/recard-apply.service");
    assert_eq!(values(&drift, "SuccessExitStatus"), ["2"]);
    for unit in [&drift, &apply] {
        assert_eq!(values(unit, "RestartPreventExitStatus"), ["4 64"]);
    }
    assert_eq!(values(&apply, "SuccessExitStatus"), [""; 0]);

    let env = TestEnv::with_manifest("{ departments: [42] }").await.without_webhook();
    let drifted = start_unit(&env, &drift);
    assert_eq!((drifted.code, env.emulator().counters().rows_removed), (2, 0), "{drifted:?}");
    let applied = start_unit(&env, &apply);
    assert_eq!((applied.code, env.emulator().counters().rows_removed), (0, 3), "{applied:?}");
    assert!(
        env.at("cache/recard/apply.prom").exists() && env.at("cache/recard/drift.prom").exists()
    );
    assert_eq!(start_unit(&env, &drift).code, 0);
    let all = TestEnv::with_manifest("{ all: true }").await.without_webhook();
    let refused = start_unit(&all, &apply);
    assert_eq!((refused.code, all.emulator().counters().rows_removed), (4, 0), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_cronjob_applies_as_a_user_without_rights() {
    let text = read("contrib/kubernetes/cronjob.yaml");
    let job = text.split("\n---\n").map(yaml).find(|one| one["kind"] == "CronJob").unwrap();
    let spec = &job["spec"]["jobTemplate"]["spec"];
    assert_eq!(job["spec"]["concurrencyPolicy"], "Forbid");
    assert_eq!(spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"], json!([4, 64]));
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);

    let env = TestEnv::with_manifest("{ departments: [42] }").await.without_webhook();
    // A ConfigMap is a folder of links into a folder with another name.
    let manifest = fs::read_to_string(env.at("lead.yaml")).unwrap();
    env.file("work/manifests/..2026_11_01/lead.yaml", &manifest);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, env.at("work/manifests").join(name)).unwrap();
    };
    link("..2026_11_01", "..data");
    link("..data/lead.yaml", "lead.yaml");
    env.file("webhook/webhook", &env.emulator().webhook_url(1).unwrap());
    fs::create_dir(env.at("store")).unwrap();
    let real = |text: &str| {
        let mut text = text.to_owned();
        for mount in container["volumeMounts"].as_array().unwrap() {
            let folder = match mount["name"].as_str().unwrap() {
                "manifests" => env.at("work/manifests"),
                other => env.at(other),
            };
            let path = mount["mountPath"].as_str().unwrap();
            text = text.replace(path, &folder.display().to_string());
        }
        text
    };
    let arguments = container["args"].as_array().unwrap();
    let words: Vec<String> = arguments.iter().map(|word| real(word.as_str().unwrap())).collect();
    let variables = container["env"].as_array().unwrap().iter();
    let variables: Vec<(&str, String)> = variables
        .map(|one| (one["name"].as_str().unwrap(), real(one["value"].as_str().unwrap())))
        .collect();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, &**value)).collect();
    let ended = bash(&env, &format!("exec {PROGRAM} {}", words.join(" ")), &variables);
    assert_eq!((ended.code, env.emulator().counters().rows_removed), (0, 3), "{ended:?}");
    // On stderr there is nothing but objects.
    assert!(
        ended.stderr.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{ended:?}"
    );
    assert!(ended.stderr.lines().count() > 3 && fs::read_dir(env.at("store")).unwrap().count() > 0);
}

/// Runs the command of a worker until a condition holds, and stops it. Returns its exit code.
fn work_until(mut command: std::process::Command, is_done: impl Fn() -> bool) -> Option<i32> {
    let mut child = command.spawn().unwrap();
    let begun = std::time::Instant::now();
    while !is_done() && begun.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    child.wait().unwrap().code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_unit_of_the_worker_reconciles_until_it_is_stopped() {
    let unit = read("contrib/systemd/recard-worker.service");
    assert_eq!(values(&unit, "SuccessExitStatus"), ["143"]);
    assert_eq!(values(&unit, "RestartPreventExitStatus"), ["6 64"]);
    let env = TestEnv::with_manifest("{ departments: [42] }").await.without_webhook();
    let portal = env.portal();
    let fleet = format!(
        "apiVersion: recard/v1\nkind: Fleet\nmetadata: {{ name: test, reason: Test }}\nspec:\n  \
         defaults: {{ manifests: [lead.yaml], webhook: {{ file: \"{{portal}}\" }} }}\n  \
         portals: [{{ portal: \"{portal}\" }}]\n"
    );
    env.file("etc/fleet.yaml", &fleet);
    std::fs::copy(env.at("lead.yaml"), env.at("etc/lead.yaml")).unwrap();
    let webhook = env.emulator().webhook_url(1).unwrap();
    env.file(&format!("etc/secrets/{}", portal.replace(':', "_")), &webhook);
    let real = |text: &str| {
        text.replace("%S", &env.at("state").display().to_string())
            .replace("/etc/recard", &env.at("etc").display().to_string())
            .replace("127.0.0.1:9464", "127.0.0.1:0")
    };
    let start = real(values(&unit, "ExecStart")[0]);
    let words: Vec<&str> = start.split(' ').skip(1).collect();
    let mut command = env.command(&words);
    for variable in values(&unit, "Environment") {
        let (name, value) = variable.split_once('=').unwrap();
        command.env(name, real(value));
    }
    let is_done = || env.emulator().counters().rows_removed == 3;
    assert_eq!(work_until(command, is_done), Some(143));
    assert!(is_done() && env.at("state/recard/portals").is_dir());
}

#[test]
fn kubernetes_workers_have_probes_and_time_to_end() {
    let text = read("contrib/kubernetes/worker.yaml");
    let deployment = yaml(&text);
    let pod = &deployment["spec"]["template"]["spec"];
    // Longer than the 60 s in which a worker ends in order.
    assert_eq!(pod["terminationGracePeriodSeconds"], 90);
    assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    let container = &pod["containers"][0];
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/run/secrets/recard"));
    // The arguments are those of the program.
    let arguments = container["args"].as_array().unwrap();
    let words: Vec<&str> = arguments.iter().map(|word| word.as_str().unwrap()).collect();
    let env = TestEnv::new();
    let ended = env.run(&[&words[..], &["--help"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn hooks_check_the_manifests_that_they_are_given() {
    let hooks = yaml(&read(".pre-commit-hooks.yaml"));
    let env = TestEnv::quickstart();
    env.file("other.yaml", "apiVersion: recard/v1\nkind: Nonsense\n");
    for hook in hooks.as_array().unwrap() {
        assert_eq!(hook["require_serial"], true, "the manifests of a commit are one set");
        let entry: Vec<&str> = hook["entry"].as_str().unwrap().split(' ').collect();
        let ["recard", arguments @ ..] = entry.as_slice() else { panic!("{hook}") };
        let run = |files: &[&str]| env.run(&[arguments, files].concat()).code;
        assert_eq!((run(&["lead.yaml"]), run(&["lead.yaml", "other.yaml"])), (0, 1));
    }
}

/// The validators that know these formats. Most are not on the machine of a developer.
#[test]
fn contributed_files_pass_the_validators_of_the_machine() {
    let env = TestEnv::new();
    let made = env.run(&["init", "--ci", "github", "--ci", "gitlab"]);
    assert_eq!(made.code, 0, "{made:?}");
    let at = |name: &str| env.at(name).display().to_string();
    let component = read("contrib/gitlab/templates/recard.yml");
    let component =
        component.split_once("\n---\n").unwrap().1.replace("$[[ inputs.stage ]]", "test");
    env.file("component.yml", &component);
    let (workflow, gitlab) = (at(".github/workflows/recard.yml"), at(".gitlab-ci.yml"));
    let schema = |name: &'static str, file: &str| {
        ("check-jsonschema", vec!["--builtin-schema".into(), name.into(), file.to_owned()])
    };
    let mut checks = vec![
        schema("vendor.github-actions", "action.yml"),
        schema("vendor.github-workflows", &workflow),
        schema("vendor.gitlab-ci", &gitlab),
        schema("vendor.compose-spec", "contrib/compose/compose.yaml"),
        schema("vendor.gitlab-ci", &at("component.yml")),
        ("action-validator", vec!["action.yml".into()]),
        ("action-validator", vec![workflow.clone()]),
        ("pre-commit", vec!["validate-manifest".into(), ".pre-commit-hooks.yaml".into()]),
        ("kubernetes-validate", vec!["--strict".into(), "contrib/kubernetes/cronjob.yaml".into()]),
        ("kubernetes-validate", vec!["--strict".into(), "contrib/kubernetes/worker.yaml".into()]),
    ];
    let mut units = vec!["verify".to_owned(), "--man=no".to_owned()];
    for entry in fs::read_dir(root().join("contrib/systemd")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = read(&format!("contrib/systemd/{name}")).replace("/usr/bin/recard", PROGRAM);
        units.push(env.file(&format!("units/{name}"), &text).display().to_string());
    }
    assert_eq!(units.len(), 7);
    checks.push(("systemd-analyze", units));
    for (program, arguments) in checks {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if let Some(checked) = tools::run(program, &arguments, "") {
            assert_eq!(checked.code, 0, "{program} {arguments:?}: {checked:?}");
        }
    }
}
