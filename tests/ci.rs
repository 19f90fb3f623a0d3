//! Pipelines of `recard init`, run from the files themselves: every shell step of every job, in the
//! order of the file, with the secrets of the file and no others, against the emulator.

#![cfg(all(unix, feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use recard::emulator::{Counters, Emulator};
use serde_json::{Value, json};
use support::recard::{Ended, Place};

/// Stands in for GitHub's `gh`: keeps comments and one issue in files, and a list of what it was
/// asked to do.
const GH: &str = r##"#!/bin/bash
set -euo pipefail
state="$HUB"
echo "$*" | head -n 1 >> "$state/calls"
body() { for word in "$@"; do case "$word" in body=@*) cat "${word#body=@}" ;; esac; done; }
file() { while [ $# -gt 0 ]; do if [ "$1" = --body-file ]; then cat "$2"; fi; shift; done; }
case "$1 $2" in
  "api --paginate")
    test "$3" = repos/acme/crm/issues/12/comments
    marker=$(printf '%s' "$5" | sed 's/.*startswith("\(.*\)")).*/\1/')
    for comment in "$state"/comments/*; do
      [ -e "$comment" ] || continue
      if [ "$(head -n 1 "$comment")" = "$marker" ]; then basename "$comment"; fi
    done ;;
  "api --silent")
    test "$3" = --method
    case "$4 $5" in
      "POST repos/acme/crm/issues/12/comments") body "$@" > "$state/comments/$(( $(ls "$state/comments" | wc -l) + 100 ))" ;;
      "PATCH repos/acme/crm/issues/comments/"*) test -e "$state/comments/${5##*/}"; body "$@" > "$state/comments/${5##*/}" ;;
      *) exit 9 ;;
    esac ;;
  "issue list") if [ -e "$state/issue" ]; then echo 7; fi ;;
  "issue create") file "$@" > "$state/issue" ;;
  "issue view") test "$3" = 7; cat "$state/issue" ;;
  "issue edit") test "$3" = 7; file "$@" > "$state/issue" ;;
  "issue close") test "$3" = 7; rm "$state/issue" ;;
  "label create") ;;
  *) exit 9 ;;
esac
"##;

/// Stands in for `curl` towards GitLab: keeps notes in files, and lists them as GitLab does.
const CURL: &str = r##"#!/bin/bash
set -euo pipefail
state="$HUB"; method=GET; body=""
for last in "$@"; do :; done
while [ $# -gt 0 ]; do
  case "$1" in --output) output="$2"; shift ;; --proto) test "$2" = '=https'; shift ;; --request) method="$2"; shift ;; --data-urlencode) body="${2#body@}"; shift ;; --header) test "$2" = "PRIVATE-TOKEN: made-up-token"; shift ;; esac
  shift
done
echo "$method $last" >> "$state/calls"
notes=https://gitlab.example/api/v4/projects/3/merge_requests/12/notes
case "$method $last" in
  "GET https://downloads.example/recard") test "$output" != /dev/null; ln -sf "$SERVED" "$output" ;;
  "GET $notes?per_page=100&sort=asc")
    separator='['
    for note in "$state"/comments/*; do
      [ -e "$note" ] || continue
      text=$(head -n 1 "$note" | sed 's/</\\u003c/g; s/>/\\u003e/g; s/"/\\"/g')
      printf '%s{"id":%s,"type":null,"body":"%s\\n{\\"id\\":5}","author":{"id":1,"username":"root"}}' "$separator" "${note##*/}" "$text"
      separator=','
    done
    if [ "$separator" = '[' ]; then printf '['; fi
    printf ']' ;;
  "POST $notes") cp "$body" "$state/comments/$(( $(ls "$state/comments" | wc -l) + 100 ))" ;;
  "PUT $notes/"*) test -e "$state/comments/${last##*/}"; cp "$body" "$state/comments/${last##*/}" ;;
  *) exit 9 ;;
esac
"##;

/// A repository with a pipeline, and the portal that it is for.
struct Repository {
    emulator: Emulator,
    place: Place,
    /// The checksum of the program, as somebody has put it into the settings.
    sum: String,
    /// The content of the download.
    served: PathBuf,
}

impl Repository {
    async fn new(system: &str) -> Self {
        let emulator = Emulator::start().await.unwrap();
        let place = Place::new();
        let portal =
            emulator.rest_url().trim_start_matches("http://").trim_end_matches("/rest").to_owned();
        let written = place.run(&["init", "--ci", system, "--host", &portal]);
        assert_eq!(written.code, 0, "{written:?}");
        let manifest = place.path().join("manifests/lead-cards.yaml");
        let text = fs::read_to_string(&manifest)
            .unwrap()
            .replace("emails: [anna@example.com]", "departments: [42]");
        fs::remove_file(&manifest).unwrap();
        place.file("manifests/lead-cards.yaml", &text);
        fs::create_dir_all(place.path().join("hub/comments")).unwrap();
        for (name, script) in [("gh", GH), ("curl", CURL)] {
            let path = place.file(&format!("bin/{name}"), script);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let served = PathBuf::from(env!("CARGO_BIN_EXE_recard"));
        if system == "shell" {
            std::os::unix::fs::symlink(&served, place.path().join("bin/recard")).unwrap();
        }
        let sum = std::process::Command::new("sha256sum").arg(&served).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap().split(' ').next().unwrap().to_owned();
        assert_eq!(sum.len(), 64, "{sum}");
        Self { emulator, place, sum, served }
    }

    fn yaml(&self, path: &str) -> Value {
        serde_yaml::from_str(&self.read(path)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|problem| panic!("{name}: {problem}"))
    }

    /// Runs a script as a pipeline does, with these variables and no others.
    fn sh(&self, shell: &[&str], script: &str, variables: &BTreeMap<String, String>) -> Ended {
        let mut command = std::process::Command::new(shell[0]);
        command
            .args(&shell[1..])
            .arg(script)
            .current_dir(self.place.path())
            .env_clear()
            .envs(variables);
        let installed =
            fs::read_to_string(self.path("github-path")).unwrap_or_default().trim().to_owned();
        command.env("PATH", format!("{}:/usr/bin:/bin:{installed}", self.path("bin").display()));
        command
            .env("HUB", self.path("hub"))
            .env("SERVED", &self.served)
            .stdin(std::process::Stdio::null());
        Ended::of(command.output().unwrap())
    }

    /// Both webhooks belong to the same person.
    fn secret(&self, name: &str) -> String {
        match name {
            "RECARD_WEBHOOK_URL" | "RECARD_READ_WEBHOOK_URL" => {
                self.emulator.webhook_url(1).unwrap()
            }
            other => panic!("the pipeline asks for a secret {other}"),
        }
    }

    fn arrange(&self, user: u32) {
        let mut state = self.emulator.state();
        let value = json!([{"name": "default_column", "type": "column", "elements":
            [{"name": "main", "title": "Mine", "type": "section", "elements": []}]}]);
        let row = json!({"user_id": user, "category": "crm.entity.editor", "name": "lead_details", "common": "N", "value": value});
        state["options"].as_array_mut().unwrap().push(row);
        self.emulator.set_state(&state).unwrap();
    }

    fn comments(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("hub/comments")).unwrap();
        files.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    /// Returns the number of rows that the portal lost during a closure.
    fn rows_removed_by(&self, run: impl FnOnce()) -> u64 {
        let before: Counters = self.emulator.counters();
        run();
        let after = self.emulator.counters();
        assert_eq!(before.rows_written, after.rows_written);
        after.rows_removed - before.rows_removed
    }
}

/// GitHub: evaluates what the file's expressions mean here. An expression that is not known is a
/// mistake in the file.
fn evaluated(repository: &Repository, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, expression)) = rest.split_once("${{") {
        let (expression, after) = expression.split_once("}}").unwrap();
        out.push_str(before);
        match expression.trim() {
            "github.token" => out.push_str("made-up-token"),
            "github.event.pull_request.number" => out.push_str("12"),
            "vars.RECARD_URL" => out.push_str("https://downloads.example/recard"),
            "vars.RECARD_SHA256" => out.push_str(&repository.sum),
            secret => out.push_str(&repository.secret(secret.strip_prefix("secrets.").unwrap())),
        }
        rest = after;
    }
    out + rest
}

fn variables(repository: &Repository, value: &Value) -> BTreeMap<String, String> {
    let variables = value.as_object().into_iter().flatten();
    variables
        .map(|(name, value)| (name.clone(), evaluated(repository, value.as_str().unwrap())))
        .collect()
}

/// Runs the steps of a GitHub job; with what its last step put out.
fn github_job(repository: &Repository, job: &str) -> Ended {
    let workflow = repository.yaml(".github/workflows/recard.yml");
    let job = &workflow["jobs"][job];
    for name in ["github-output", "github-summary", "github-path"] {
        repository.place.file(name, "");
    }
    fs::create_dir_all(repository.path("runner-temp")).unwrap();
    let mut last = None;
    for step in job["steps"].as_array().unwrap_or_else(|| panic!("no steps: {job}")) {
        let Some(script) = step["run"].as_str() else { continue };
        let failed = last.as_ref().is_some_and(|ended: &Ended| ended.code != 0);
        if failed && step["if"] != "always()" {
            continue;
        }
        let mut environment = variables(repository, &workflow["env"]);
        environment.extend(variables(repository, &job["env"]));
        environment.extend(variables(repository, &step["env"]));
        environment.insert("GITHUB_REPOSITORY".into(), "acme/crm".into());
        environment
            .insert("RUNNER_TEMP".into(), repository.path("runner-temp").display().to_string());
        environment
            .insert("GITHUB_PATH".into(), repository.path("github-path").display().to_string());
        environment
            .insert("GITHUB_OUTPUT".into(), repository.path("github-output").display().to_string());
        environment.insert(
            "GITHUB_STEP_SUMMARY".into(),
            repository.path("github-summary").display().to_string(),
        );
        // The shell that GitHub uses where none is named.
        let ended = repository.sh(&["bash", "-e", "-c"], script, &environment);
        if !failed {
            last = Some(ended);
        }
    }
    last.unwrap()
}

/// Runs the script of a GitLab job.
fn gitlab_job(repository: &Repository, job: &str, secrets: &[&str]) -> Ended {
    let pipeline = repository.yaml(".gitlab-ci.yml");
    let lines = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    let script = [lines(&pipeline["default"]["before_script"]), lines(&pipeline[job]["script"])]
        .concat()
        .join("\n");
    let mut environment = variables(repository, &pipeline["variables"]);
    let given = [
        ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
        ("CI_PROJECT_ID", "3"),
        ("CI_MERGE_REQUEST_IID", "12"),
    ];
    environment.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let installed = [
        ("RECARD_URL", "https://downloads.example/recard".to_owned()),
        ("RECARD_SHA256", repository.sum.clone()),
        ("CI_PROJECT_DIR", repository.place.path().display().to_string()),
        ("HOME", repository.path("home").display().to_string()),
    ];
    environment.extend(installed.map(|(name, value)| (name.to_owned(), value)));
    for secret in secrets {
        let value = if *secret == "RECARD_GITLAB_TOKEN" {
            "made-up-token".into()
        } else {
            repository.secret(secret)
        };
        environment.insert((*secret).to_owned(), value);
    }
    repository.sh(&["bash", "-eo", "pipefail", "-c"], &script, &environment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_github_a_pull_request_is_planned_a_merge_applied_and_drift_kept_as_one_issue() {
    let repository = Repository::new("github").await;
    let job = |name: &str| github_job(&repository, name);
    let succeeds = |name: &str| {
        let ended = job(name);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        ended
    };
    let calls = || repository.read("hub/calls").lines().map(str::to_owned).collect::<Vec<_>>();

    // Pull request: no portal is asked by validate, and nothing is written by plan.
    succeeds("validate");
    assert_eq!(repository.emulator.counters().requests, 0);
    let removed = repository.rows_removed_by(|| {
        assert!(succeeds("plan").stderr.is_empty());
        succeeds("plan");
    });
    assert_eq!(removed, 0);
    let comments = repository.comments();
    assert_eq!(comments.len(), 1, "one comment, edited in place: {:?}", calls());
    assert!(
        comments[0].starts_with("<!-- recard:plan -->\n")
            && comments[0].contains("3 cards to reset"),
        "{comments:?}"
    );
    assert_eq!(calls().iter().filter(|call| call.contains("--method PATCH")).count(), 1);

    // Merge: what was planned is applied, once.
    let removed = repository.rows_removed_by(|| drop(succeeds("plan-merged")));
    assert_eq!((removed, repository.read("github-output").as_str()), (0, "changes=true\n"));
    assert!(repository.read("github-summary").contains("3 cards to reset"));
    let removed = repository
        .rows_removed_by(|| assert!(succeeds("apply").stdout.contains("Done: 3 of 3 cards")));
    assert_eq!(removed, 3);
    assert_eq!(job("apply").code, 5, "a plan file is used once");
    succeeds("plan-merged");
    assert_eq!(repository.read("github-output"), "changes=false\n");

    // Schedule: no drift, drift, the same drift, no drift again.
    let has_issue = || repository.path("hub/issue").exists();
    succeeds("drift");
    assert!(!has_issue());
    repository.arrange(19);
    assert!(succeeds("drift").stdout.contains("customised  personal/19/simple"));
    assert!(has_issue() && repository.read("hub/issue").contains("1 card drifted"));
    let so_far = calls().len();
    succeeds("drift");
    let mut again = calls().split_off(so_far);
    again.retain(|call| !call.ends_with(" https://downloads.example/recard"));
    assert!(
        again.iter().all(|call| call.starts_with("issue list") || call.starts_with("issue view")),
        "{again:?}"
    );
    repository.arrange(24);
    succeeds("drift");
    assert!(
        repository.read("hub/issue").contains("2 cards drifted"),
        "more drift stands in the same issue"
    );
    succeeds("plan-merged");
    succeeds("apply");
    succeeds("drift");
    assert!(!has_issue());
    assert_eq!(calls().iter().filter(|call| call.starts_with("issue create")).count(), 1);
    assert_eq!(repository.emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_github_a_plan_that_fails_says_so_in_the_comment() {
    let repository = Repository::new("github").await;
    let text = repository
        .read("manifests/lead-cards.yaml")
        .replace("departments: [42]", "departments: [77]");
    repository.place.file("manifests/lead-cards.yaml", &text);
    assert_eq!(github_job(&repository, "plan").code, 1);
    let comments = repository.comments();
    assert!(comments.len() == 1 && comments[0].contains("no active department 77"), "{comments:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_gitlab_a_merge_request_is_planned_a_merge_applied_and_drift_fails_the_schedule() {
    let repository = Repository::new("gitlab").await;
    let read = ["RECARD_READ_WEBHOOK_URL"];
    let validated = gitlab_job(&repository, "validate", &[]);
    assert_eq!((validated.code, repository.emulator.counters().requests), (0, 0), "{validated:?}");

    let removed = repository.rows_removed_by(|| {
        let without_token = gitlab_job(&repository, "plan", &read);
        assert_eq!((without_token.code, repository.comments().len()), (0, 0), "{without_token:?}");
        for _ in 0..2 {
            let planned = gitlab_job(
                &repository,
                "plan",
                &["RECARD_READ_WEBHOOK_URL", "RECARD_GITLAB_TOKEN"],
            );
            assert_eq!(planned.code, 0, "{planned:?}");
        }
        assert_eq!(gitlab_job(&repository, "plan-merged", &read).code, 0);
    });
    assert_eq!(removed, 0);
    let comments = repository.comments();
    assert!(
        comments.len() == 1 && comments[0].contains("3 cards to reset"),
        "one note, edited in place: {comments:?}"
    );
    assert!(
        repository
            .read("hub/calls")
            .contains("PUT https://gitlab.example/api/v4/projects/3/merge_requests/12/notes/100")
    );
    assert!(repository.read("plan.xml").contains("<testsuite"));

    let removed = repository.rows_removed_by(|| {
        let applied = gitlab_job(&repository, "apply", &["RECARD_WEBHOOK_URL"]);
        assert_eq!(applied.code, 0, "{applied:?}");
    });
    assert_eq!(removed, 3);
    // Nothing is left to do, and applying that is no error.
    assert_eq!(gitlab_job(&repository, "plan-merged", &read).code, 0);
    assert_eq!(gitlab_job(&repository, "apply", &["RECARD_WEBHOOK_URL"]).code, 0);

    assert_eq!(gitlab_job(&repository, "drift", &read).code, 0);
    repository.arrange(19);
    let drifted = gitlab_job(&repository, "drift", &read);
    assert!(drifted.code == 2 && drifted.stdout.contains("personal/19/simple"), "{drifted:?}");
    assert_eq!(gitlab_job(&repository, "plan-merged", &read).code, 0);
    assert_eq!(gitlab_job(&repository, "apply", &["RECARD_WEBHOOK_URL"]).code, 0);
    assert_eq!(gitlab_job(&repository, "drift", &read).code, 0);
    assert_eq!(repository.emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shell_script_does_the_same_anywhere() {
    let repository = Repository::new("shell").await;
    let run = |what: &str, secrets: &[&str]| {
        let secrets =
            secrets.iter().map(|name| ((*name).to_owned(), repository.secret(name))).collect();
        repository.sh(&["sh", "ci/recard.sh"], what, &secrets)
    };
    let read = ["RECARD_READ_WEBHOOK_URL"];
    assert_eq!(run("check", &[]).code, 0);
    assert_eq!(repository.emulator.counters().requests, 0);
    let removed = repository.rows_removed_by(|| {
        let planned = run("plan", &read);
        assert!(planned.code == 0 && planned.stdout.contains("3 to reset"), "{planned:?}");
        let without_the_right = run("apply", &read);
        assert_eq!(without_the_right.code, 1, "{without_the_right:?}");
        assert!(
            without_the_right.stderr.starts_with("error: this command writes, and"),
            "{without_the_right:?}"
        );
    });
    assert_eq!(removed, 0);
    assert!(repository.read("plan.md").starts_with("<!-- recard:plan -->"));
    assert_eq!(
        repository.rows_removed_by(|| assert_eq!(run("apply", &["RECARD_WEBHOOK_URL"]).code, 0)),
        3
    );
    assert_eq!(run("drift", &read).code, 0);
    repository.arrange(19);
    assert_eq!(run("drift", &read).code, 2);
    run("plan", &read);
    assert_eq!(run("apply", &["RECARD_WEBHOOK_URL"]).code, 0);
    assert_eq!(run("drift", &read).code, 0);
    assert_eq!(run("nonsense", &[]).code, 64);
    assert_eq!(repository.emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_with_another_checksum_is_never_started() {
    for system in ["github", "gitlab"] {
        let mut repository = Repository::new(system).await;
        let started = repository.path("started");
        repository.served =
            repository.place.file("other", &format!("#!/bin/sh\ntouch '{}'\n", started.display()));
        fs::set_permissions(&repository.served, fs::Permissions::from_mode(0o755)).unwrap();
        for sum in [repository.sum.clone(), String::new(), "0".repeat(64)] {
            repository.sum = sum;
            let ended = match system {
                "github" => github_job(&repository, "drift"),
                _ => gitlab_job(&repository, "drift", &["RECARD_READ_WEBHOOK_URL"]),
            };
            assert_ne!(ended.code, 0, "{ended:?}");
            assert!(!started.exists(), "{system}: {ended:?}");
        }
        assert_eq!(repository.emulator.counters().requests, 0);
    }
}

/// Words that put a program onto a machine by its name, from a place where anybody may have
/// registered that name.
const INSTALLERS: &[&str] = &[
    "cargo install",
    "cargo binstall",
    "cargo-binstall",
    "brew install",
    "apt install",
    "apt-get install",
    "apk add",
    "dnf install",
    "yum install",
    "pacman -S",
    "snap install",
    "nix-env",
    "choco install",
    "winget install",
    "scoop install",
    "npm install",
    "npm i ",
    "npx ",
    "pip install",
    "pipx ",
    "gem install",
    "go install",
    "cargo add",
    "nix run",
    "nix profile",
    "uvx ",
    "uv tool",
    "pnpm ",
    "yarn ",
    "bunx ",
    "go run",
    "go get",
    "conda install",
    "mise use",
    "asdf ",
    "zypper install",
    "port install",
    "flatpak install",
    "docker run",
    "docker pull",
    "podman run",
    "podman pull",
    "FROM ",
    "image:",
    "container:",
    "component:",
    "uses:",
];

/// Returns `true` if a line installs recard by a name. A path, or a URL with a checksum beside it,
/// is not a name.
fn installs_by_name(line: &str) -> bool {
    INSTALLERS.iter().any(|installer| {
        let Some((_, rest)) = line.split_once(installer) else { return false };
        let command = rest.split(['#', ';', '|', '&', '`']).next().unwrap();
        let is_option = |word: &&str| {
            !word.starts_with('-') && !word.starts_with('.') && !word.starts_with('$')
        };
        command
            .split_whitespace()
            .filter(is_option)
            .any(|word| word.trim_matches(['"', '\'']).contains("recard"))
    })
}

#[test]
fn no_pipeline_and_no_document_installs_recard_by_a_name() {
    for line in [
        "run: cargo install --locked recard",
        "docker run ghcr.io/x/recard:1 plan",
        "- uses: recard/setup@v1",
    ] {
        assert!(installs_by_name(line), "{line}");
    }
    for line in [
        "cargo install --path . --locked` puts the program `recard`",
        "cargo install cargo-deny --locked # recard",
    ] {
        assert!(!installs_by_name(line), "{line}");
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.clone()];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                // What is built, and what git keeps, is not ours; the tests hold bad examples.
                if !["target", ".git", "tests"].contains(&name.as_str()) {
                    folders.push(path);
                }
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            looked += 1;
            // A command may go on behind the end of a line.
            for line in text.replace("\\\n", " ").lines() {
                assert!(!installs_by_name(line), "{}: {line}", path.display());
            }
        }
    }
    assert!(looked > 100, "only {looked} files were looked at");
    for template in ["github.yml", "gitlab.yml"] {
        let text = fs::read_to_string(root.join("src/cli/templates").join(template)).unwrap();
        let count = |word: &str| text.matches(word).count();
        let downloads = count("\"${RECARD_URL:?");
        assert!(downloads > 0 && downloads == count("sha256sum --check --strict"), "{template}");
        assert_eq!(
            downloads,
            count("curl --fail --silent --show-error --location --proto '=https'"),
            "{template}"
        );
    }
}

#[test]
fn pipelines_fetch_the_whole_history() {
    let place = Place::new();
    assert_eq!(place.run(&["init", "--ci", "github", "--ci", "gitlab"]).code, 0);
    let read = |name: &str| -> Value {
        serde_yaml::from_str(&fs::read_to_string(place.path().join(name)).unwrap()).unwrap()
    };
    let workflow = read(".github/workflows/recard.yml");
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        let steps = job["steps"].as_array().unwrap();
        let mut checkouts = steps
            .iter()
            .filter(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("checkout")));
        assert!(checkouts.all(|step| step["with"]["fetch-depth"] == 0), "{name}");
    }
    assert_eq!(read(".gitlab-ci.yml")["variables"]["GIT_DEPTH"], "0");
}

/// Which jobs may see which secret, and that no apply is cut short: read off the files.
#[test]
fn only_the_protected_job_gets_the_right_to_write() {
    let place = Place::new();
    assert_eq!(place.run(&["init", "--ci", "github", "--ci", "gitlab"]).code, 0);
    let read = |name: &str| -> Value {
        serde_yaml::from_str(&fs::read_to_string(place.path().join(name)).unwrap()).unwrap()
    };
    let workflow = read(".github/workflows/recard.yml");
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        let writes = job.to_string().contains("secrets.RECARD_WEBHOOK_URL");
        assert_eq!(writes, name == "apply", "{name}");
        assert_eq!(writes, job["environment"] == "recard", "{name}");
        assert_eq!(name == "validate", !job.to_string().contains("secrets."), "{name}");
    }
    let concurrency = &workflow["jobs"]["apply"]["concurrency"];
    assert_eq!(
        *concurrency,
        json!({"group": "recard-apply-company.bitrix24.com", "cancel-in-progress": false})
    );
    let apply = &read(".gitlab-ci.yml")["apply"];
    assert_eq!((&apply["environment"], &apply["interruptible"]), (&json!("recard"), &json!(false)));
    assert_eq!(
        (&apply["resource_group"], &apply["rules"][0]["when"]),
        (&json!("recard-apply-company.bitrix24.com"), &json!("manual"))
    );
}

#[test]
fn init_replaces_nothing_and_writes_all_or_none() {
    let place = Place::new();
    place.file("ci/recard.sh", "mine\n");
    let ended = place.run(&["init", "--ci", "shell"]);
    assert!(ended.code == 1 && ended.stderr.contains("ci/recard.sh: there already"), "{ended:?}");
    assert!(!place.path().join("manifests").exists());
    assert_eq!(fs::read_to_string(place.path().join("ci/recard.sh")).unwrap(), "mine\n");
}

#[test]
fn a_pipeline_is_written_for_manifests_that_are_there_already() {
    let place = Place::new();
    place.file(
        "manifests/mine.yaml",
        &support::company::manifest("crm.example.org", "{ ids: [7] }", ""),
    );
    let ended = place.run(&["init", "--ci", "github"]);
    assert_eq!(
        (ended.code, &*ended.stdout),
        (0, "wrote .github/workflows/recard.yml\n"),
        "{ended:?}"
    );
    assert_eq!(fs::read_dir(place.path().join("manifests")).unwrap().count(), 1);
    let workflow = fs::read_to_string(place.path().join(".github/workflows/recard.yml")).unwrap();
    assert!(workflow.contains("group: recard-apply-crm.example.org\n"), "{workflow}");
    // The other system later, and no manifest is needed for it either.
    assert_eq!(place.run(&["init", "--ci", "gitlab"]).code, 0);
    // Without a pipeline there would be nothing left to do, and a second manifest is not written
    // unasked.
    place.file(
        "manifests/lead-cards.yaml",
        &support::company::manifest("crm.example.org", "{ ids: [8] }", ""),
    );
    assert_eq!(place.run(&["init"]).code, 1);
}

#[test]
fn on_github_drift_is_kept_as_one_issue_in_every_language() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let repository = runtime.block_on(Repository::new("github"));
    let path = ".github/workflows/recard.yml";
    let russian = repository.read(path).replacen("env:\n", "env:\n  RECARD_LANG: ru\n", 1);
    repository.place.file(path, &russian);
    for user in [19, 24] {
        repository.arrange(user);
        assert_eq!(github_job(&repository, "drift").code, 0);
    }
    let issue = repository.read("hub/issue");
    assert!(
        issue.contains("Отпечаток") && issue.contains("personal/24/simple"),
        "more drift stands in it: {issue}"
    );
}

#[test]
fn what_init_writes_is_valid_and_works_on_the_embedded_portal_at_once() {
    let place = Place::new();
    let embedded = ["--portal", "embedded"];
    assert_eq!(place.run(&[&["init"], &embedded[..]].concat()).code, 0);
    let planned =
        place.run(&[&["plan", "-f", "manifests", "--detailed-exitcode"], &embedded[..]].concat());
    assert_eq!(planned.code, 2, "{planned:?}");
    // For a real portal the manifest selects nobody until somebody has put in an address.
    assert_eq!(place.run(&["init", "real"]).code, 0);
    let valid = place.run(&["validate", "-f", "real/manifests"]);
    assert_eq!(
        valid.stdout, "1 manifest for the portal company.bitrix24.com: valid, 0 warnings\n",
        "{valid:?}"
    );
}
