//! Pipelines of `recard init`, run from the files themselves: every shell step of every job, in the
//! order of the file, with the secrets of the file and no others, against the emulator.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::support::env::{CommandOutput, TestEnv};
use recard::emulator::Counters;
use serde_json::{Value, json};

/// Stands in for GitHub's `gh`: keeps comments and one issue in files, and a list of what it was
/// asked to do.
const GH: &str = include_str!("gh.sh");

/// Stands in for `curl` towards GitLab: keeps notes in files, and lists them as GitLab does.
const CURL: &str = include_str!("curl.sh");

/// Stands in for `docker`: an image whose digest is known, with the program in it.
const DOCKER: &str = include_str!("docker.sh");

/// Digest of the image.
const IMAGE: &str = "registry.example/recard@sha256:\
    1111111111111111111111111111111111111111111111111111111111111111";

/// Id of the run of the pipeline.
const RUN: &str = "4711";

/// A repository with a pipeline, and the portal that it is for.
struct Repository {
    env: TestEnv,
    /// The checksum of the program, as somebody has put it into the settings.
    sum: String,
    /// The content of the download.
    served: PathBuf,
}

impl Repository {
    async fn new(system: &str) -> Self {
        Self::with_program(system, &[]).await
    }

    /// Makes one whose program comes from where these options say.
    async fn with_program(system: &str, options: &[&str]) -> Self {
        let env = TestEnv::start().await.without_webhook();
        let portal = env.portal();
        let written = env.run(&[&["init", "--ci", system, "--host", &portal], options].concat());
        assert_eq!(written.code, 0, "{written:?}");
        let manifest = env.at("manifests/lead-cards.yaml");
        let text = fs::read_to_string(&manifest)
            .unwrap()
            .replace("emails: [anna@example.com]", "departments: [42]");
        fs::remove_file(&manifest).unwrap();
        env.file("manifests/lead-cards.yaml", &text);
        fs::create_dir_all(env.at("hub/comments")).unwrap();
        for (name, script) in [("gh", GH), ("curl", CURL), ("docker", DOCKER)] {
            let path = env.file(&format!("bin/{name}"), script);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let served = PathBuf::from(env!("CARGO_BIN_EXE_recard"));
        if system == "shell" && options.is_empty() {
            std::os::unix::fs::symlink(&served, env.at("bin/recard")).unwrap();
        }
        let sum = std::process::Command::new("sha256sum").arg(&served).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap().split(' ').next().unwrap().to_owned();
        assert_eq!(sum.len(), 64, "{sum}");
        Self { env, sum, served }
    }

    fn yaml(&self, path: &str) -> Value {
        serde_yaml::from_str(&self.read(path)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.env.at(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|problem| panic!("{name}: {problem}"))
    }

    /// Runs a script as a pipeline does, with these variables and no others.
    fn sh(
        &self,
        shell: &[&str],
        script: &str,
        variables: &BTreeMap<String, String>,
    ) -> CommandOutput {
        let mut command = std::process::Command::new(shell[0]);
        command
            .args(&shell[1..])
            .arg(script)
            .current_dir(self.env.path())
            .env_clear()
            .envs(variables);
        let installed =
            fs::read_to_string(self.path("github-path")).unwrap_or_default().trim().to_owned();
        command.env("PATH", format!("{}:/usr/bin:/bin:{installed}", self.path("bin").display()));
        command
            .env("HUB", self.path("hub"))
            .env("SERVED", &self.served)
            .stdin(std::process::Stdio::null());
        CommandOutput::of(command.output().unwrap())
    }

    /// Both webhooks belong to the same person.
    fn secret(&self, name: &str) -> String {
        match name {
            "RECARD_WEBHOOK_URL" | "RECARD_READ_WEBHOOK_URL" => {
                self.env.emulator().webhook_url(1).unwrap()
            }
            other => panic!("the pipeline asks for a secret {other}"),
        }
    }

    /// Commits the manifests and the pipeline to the repository at the hub, and returns the commit.
    fn pushed(&self) -> String {
        let script = r#"
            git init --quiet --bare "$HUB/acme/crm"
            there() { git --git-dir "$HUB/acme/crm" --work-tree . -c user.name=O -c user.email=o@example.com "$@"; }
            there add --force manifests .github
            there commit --quiet --allow-empty -m work
            there rev-parse HEAD"#;
        let pushed = self.sh(&["bash", "-e", "-c"], script, &BTreeMap::new());
        assert_eq!(pushed.code, 0, "{pushed:?}");
        pushed.stdout.trim().to_owned()
    }

    fn arrange(&self, user: u32) {
        let mut state = self.env.emulator().state();
        let value = json!([{"name": "default_column", "type": "column", "elements":
            [{"name": "main", "title": "Mine", "type": "section", "elements": []}]}]);
        let row = json!({"user_id": user, "category": "crm.entity.editor", "name": "lead_details", "common": "N", "value": value});
        state["options"].as_array_mut().unwrap().push(row);
        self.env.emulator().set_state(&state).unwrap();
    }

    fn comments(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("hub/comments")).unwrap();
        files.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    /// Returns the number of rows that the portal lost during a closure.
    fn rows_removed_by(&self, run: impl FnOnce()) -> u64 {
        let before: Counters = self.env.emulator().counters();
        run();
        let after = self.env.emulator().counters();
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
            "github.run_attempt" => out.push('1'),
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

/// Runs the steps of a GitHub job; with what they put out until one failed.
fn github_job(repository: &Repository, job: &str) -> CommandOutput {
    let workflow = repository.yaml(".github/workflows/recard.yml");
    let job = &workflow["jobs"][job];
    for name in ["github-output", "github-summary", "github-path"] {
        repository.env.file(name, "");
    }
    fs::create_dir_all(repository.path("runner-temp")).unwrap();
    let commit = repository.pushed();
    let mut last: Option<CommandOutput> = None;
    for step in job["steps"].as_array().unwrap_or_else(|| panic!("no steps: {job}")) {
        let Some(script) = step["run"].as_str() else {
            keep_files(repository, step);
            continue;
        };
        let failed = last.as_ref().is_some_and(|ended| ended.code != 0);
        if failed && step["if"] != "always()" {
            continue;
        }
        let mut environment = variables(repository, &workflow["env"]);
        environment.extend(variables(repository, &job["env"]));
        environment.extend(variables(repository, &step["env"]));
        environment.insert("GITHUB_REPOSITORY".into(), "acme/crm".into());
        environment.insert(
            "GITHUB_SERVER_URL".into(),
            format!("file://{}", repository.path("hub").display()),
        );
        for (name, value) in
            [("GITHUB_SHA", &*commit), ("GITHUB_RUN_ID", RUN), ("GITHUB_RUN_ATTEMPT", "1")]
        {
            environment.insert(name.into(), value.into());
        }
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
            let before = last.map(|before| before.stdout).unwrap_or_default();
            last = Some(CommandOutput { stdout: before + &ended.stdout, ..ended });
        }
    }
    last.unwrap()
}

/// GitHub: the action that keeps files, which is the only one. A failed step before it is no
/// reason for it to keep nothing.
fn keep_files(repository: &Repository, step: &Value) {
    assert_eq!(step["uses"], "actions/upload-artifact@v4", "{step}");
    let kept = &step["with"];
    let name = evaluated(repository, kept["name"].as_str().unwrap());
    let path = repository.path(kept["path"].as_str().unwrap());
    if !path.exists() {
        assert_eq!(kept["if-no-files-found"], "ignore", "{step}");
        return;
    }
    let artifact = repository.path("hub/artifacts").join(name);
    fs::create_dir_all(&artifact).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-R")
        .arg(if path.is_dir() { path.join(".") } else { path })
        .arg(artifact)
        .status();
    assert!(copied.unwrap().success());
}

/// Runs the script of a GitLab job.
fn gitlab_job(repository: &Repository, job: &str, secrets: &[&str]) -> CommandOutput {
    let pipeline = repository.yaml(".gitlab-ci.yml");
    let lines = |value: &Value| -> Vec<String> {
        let lines = value.as_array().into_iter().flatten();
        lines.map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    let script = [lines(&pipeline["default"]["before_script"]), lines(&pipeline[job]["script"])]
        .concat()
        .join("\n");
    assert!(!script.is_empty(), "{job}");
    let after = lines(&pipeline[job]["after_script"]).join("\n");
    let mut environment = variables(repository, &pipeline["variables"]);
    let given = [
        ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
        ("CI_PROJECT_ID", "3"),
        ("CI_MERGE_REQUEST_IID", "12"),
        ("CI_JOB_ID", "77"),
    ];
    environment.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let installed = [
        ("RECARD_URL", "https://downloads.example/recard".to_owned()),
        ("RECARD_SHA256", repository.sum.clone()),
        ("CI_PROJECT_DIR", repository.env.path().display().to_string()),
        ("HOME", repository.path("home").display().to_string()),
    ];
    for (name, value) in installed {
        // What stands in the file is not in the settings.
        environment.entry(name.to_owned()).or_insert(value);
    }
    for secret in secrets {
        let value = match secret.strip_suffix("_FILE") {
            // A variable of the type File holds the name of a file.
            Some(variable) => {
                repository.env.file(&format!("secret/{secret}"), &repository.secret(variable));
                repository.path(&format!("secret/{secret}")).display().to_string()
            }
            None => "made-up-token".into(),
        };
        environment.insert((*secret).to_owned(), value);
    }
    let bash = ["bash", "-eo", "pipefail", "-c"];
    let ended = repository.sh(&bash, &script, &environment);
    let after = repository.sh(&bash, &after, &environment);
    assert_eq!(after.code, 0, "{after:?}");
    CommandOutput { stdout: ended.stdout + &after.stdout, ..ended }
}

/// The way back, as the summary of an apply has it, in an empty folder; and the apply once more.
fn undo_and_redo(repository: &Repository, summary: &str) {
    let (_, commands) = summary.split_once("```sh\n").unwrap_or_else(|| panic!("{summary}"));
    let (commands, _) = commands.split_once("```").unwrap();
    assert!(
        commands.contains("recard-store-1") && commands.ends_with("--everything\n"),
        "{commands}"
    );
    fs::create_dir(repository.path("elsewhere")).unwrap();
    let secret = ("RECARD_WEBHOOK_URL".to_owned(), repository.secret("RECARD_WEBHOOK_URL"));
    let script = commands.replace("--everything", "--everything --auto-approve");
    let undo = format!("cd elsewhere\n{script}");
    let undone = repository.sh(&["bash", "-e", "-c"], &undo, &[secret].into());
    assert!(undone.code == 0 && undone.stdout.contains("Done: 3 of 3 cards"), "{undone:?}");
    assert_eq!(github_job(repository, "plan-merged").code, 0);
    assert_eq!(github_job(repository, "apply").code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn github_pull_request_is_planned_merge_is_applied_drift_is_one_issue() {
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
    assert_eq!(repository.env.emulator().counters().requests, 0);
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
    let summary = repository.read("github-summary");
    assert_eq!(job("apply").code, 5, "a plan file is used once");
    undo_and_redo(&repository, &summary);
    succeeds("plan-merged");
    assert_eq!(repository.read("github-output"), "changes=false\n");

    // Schedule: no drift, drift, the same drift, no drift again.
    let has_issue = || repository.path("hub/issue").exists();
    succeeds("drift");
    assert!(!has_issue());
    repository.arrange(19);
    assert!(succeeds("drift").stdout.contains("customized  personal/19/lead/simple"));
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
    assert_eq!(repository.env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn github_plan_that_fails_is_named_in_the_comment() {
    let repository = Repository::new("github").await;
    let text = repository
        .read("manifests/lead-cards.yaml")
        .replace("departments: [42]", "departments: [77]");
    repository.env.file("manifests/lead-cards.yaml", &text);
    assert_eq!(github_job(&repository, "plan").code, 1);
    let comments = repository.comments();
    assert!(comments.len() == 1 && comments[0].contains("no active department 77"), "{comments:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pull_request_with_a_plan_that_a_guard_blocks_fails_and_says_why() {
    for system in ["github", "gitlab"] {
        let repository = Repository::new(system).await;
        let text =
            repository.read("manifests/lead-cards.yaml").replace("departments: [42]", "all: true");
        repository.env.file("manifests/lead-cards.yaml", &text);
        let ended = match system {
            "github" => github_job(&repository, "plan"),
            _ => gitlab_job(
                &repository,
                "plan",
                &["RECARD_READ_WEBHOOK_URL_FILE", "RECARD_GITLAB_TOKEN"],
            ),
        };
        assert_eq!(ended.code, 4, "{system}: {ended:?}");
        let comments = repository.comments();
        let is_said = |text: &str| comments.len() == 1 && comments[0].contains(text);
        assert!(is_said("Apply will refuse this plan") && is_said("guards:"), "{comments:?}");
        assert!(repository.read("plan.html").contains("<html"), "{system}");
        assert_eq!(repository.env.emulator().counters().rows_removed, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitlab_merge_request_is_planned_merge_is_applied_drift_fails_the_schedule() {
    let repository = Repository::new("gitlab").await;
    let read = ["RECARD_READ_WEBHOOK_URL_FILE"];
    let validated = gitlab_job(&repository, "validate", &[]);
    assert_eq!(
        (validated.code, repository.env.emulator().counters().requests),
        (0, 0),
        "{validated:?}"
    );

    let removed = repository.rows_removed_by(|| {
        let without_token = gitlab_job(&repository, "plan", &read);
        assert_eq!((without_token.code, repository.comments().len()), (0, 0), "{without_token:?}");
        for _ in 0..2 {
            let planned = gitlab_job(
                &repository,
                "plan",
                &["RECARD_READ_WEBHOOK_URL_FILE", "RECARD_GITLAB_TOKEN"],
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
        let applied = gitlab_job(&repository, "apply", &["RECARD_WEBHOOK_URL_FILE"]);
        assert_eq!(applied.code, 0, "{applied:?}");
        assert!(
            applied.stdout.contains("projects/3/jobs/77/artifacts"),
            "the way back names the backups: {applied:?}"
        );
    });
    assert_eq!(removed, 3);
    // Nothing is left to do, and applying that is no error.
    assert_eq!(gitlab_job(&repository, "plan-merged", &read).code, 0);
    assert_eq!(gitlab_job(&repository, "apply", &["RECARD_WEBHOOK_URL_FILE"]).code, 0);

    assert_eq!(gitlab_job(&repository, "drift", &read).code, 0);
    repository.arrange(19);
    let drifted = gitlab_job(&repository, "drift", &read);
    assert!(drifted.code == 2 && drifted.stdout.contains("personal/19/lead/simple"), "{drifted:?}");
    assert_eq!(gitlab_job(&repository, "plan-merged", &read).code, 0);
    assert_eq!(gitlab_job(&repository, "apply", &["RECARD_WEBHOOK_URL_FILE"]).code, 0);
    assert_eq!(gitlab_job(&repository, "drift", &read).code, 0);
    assert_eq!(repository.env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shell_pipeline_plans_applies_and_reports_drift() {
    let repository = Repository::new("shell").await;
    let run = |what: &str, secrets: &[&str]| {
        let secrets =
            secrets.iter().map(|name| ((*name).to_owned(), repository.secret(name))).collect();
        repository.sh(&["sh", "ci/recard.sh"], what, &secrets)
    };
    let read = ["RECARD_READ_WEBHOOK_URL"];
    assert_eq!(run("check", &[]).code, 0);
    assert_eq!(repository.env.emulator().counters().requests, 0);
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
    assert_eq!(repository.env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipeline_program_with_a_wrong_checksum_is_not_started() {
    for system in ["github", "gitlab"] {
        let mut repository = Repository::new(system).await;
        let started = repository.path("started");
        repository.served =
            repository.env.file("other", &format!("#!/bin/sh\ntouch '{}'\n", started.display()));
        fs::set_permissions(&repository.served, fs::Permissions::from_mode(0o755)).unwrap();
        for sum in [repository.sum.clone(), String::new(), "0".repeat(64)] {
            repository.sum = sum;
            let ended = match system {
                "github" => github_job(&repository, "drift"),
                _ => gitlab_job(&repository, "drift", &["RECARD_READ_WEBHOOK_URL_FILE"]),
            };
            assert_ne!(ended.code, 0, "{ended:?}");
            assert!(!started.exists(), "{system}: {ended:?}");
        }
        assert_eq!(repository.env.emulator().counters().requests, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipeline_with_an_address_starts_only_the_program_that_wrote_it() {
    let url = ["--download-url", "https://downloads.example/recard"];
    for system in ["github", "gitlab", "shell"] {
        let mut repository = Repository::with_program(system, &url).await;
        let drift = |repository: &Repository| match system {
            "github" => github_job(repository, "drift"),
            "gitlab" => gitlab_job(repository, "drift", &["RECARD_READ_WEBHOOK_URL_FILE"]),
            _ => {
                let secret = repository.secret("RECARD_READ_WEBHOOK_URL");
                let variables = [("RECARD_READ_WEBHOOK_URL".to_owned(), secret)].into();
                repository.sh(&["sh", "ci/recard.sh"], "drift", &variables)
            }
        };
        let drifted = drift(&repository);
        assert!(drifted.stdout.contains("Drift: 3 customized"), "{system}: {drifted:?}");
        repository.served = repository.env.file("other", "#!/bin/sh\ntouch started\n");
        fs::set_permissions(&repository.served, fs::Permissions::from_mode(0o755)).unwrap();
        let other = drift(&repository);
        assert!(other.code != 0 && !repository.path("started").exists(), "{system}: {other:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn github_pipeline_with_an_image_takes_the_program_out_of_it() {
    let repository = Repository::with_program("github", &["--image", IMAGE]).await;
    let drifted = github_job(&repository, "drift");
    assert!(drifted.stdout.contains("Drift: 3 customized"), "{drifted:?}");
    assert!(repository.read("hub/calls").contains("docker rm made-up-container"));
    let env = TestEnv::new();
    let refused = env.run(&["init", "--ci", "gitlab", "--image", IMAGE]);
    assert!(refused.code == 64 && refused.stderr.contains("has no shell"), "{refused:?}");
    assert!(!env.at(".gitlab-ci.yml").exists());
}

#[test]
fn github_drift_in_each_language_is_one_issue() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let repository = runtime.block_on(Repository::new("github"));
    let path = ".github/workflows/recard.yml";
    let russian = repository.read(path).replacen("env:\n", "env:\n  RECARD_LANG: ru\n", 1);
    repository.env.file(path, &russian);
    for user in [19, 24] {
        repository.arrange(user);
        assert_eq!(github_job(&repository, "drift").code, 0);
    }
    let issue = repository.read("hub/issue");
    assert!(
        issue.contains("Отпечаток") && issue.contains("personal/24/lead/simple"),
        "more drift stands in it: {issue}"
    );
}
