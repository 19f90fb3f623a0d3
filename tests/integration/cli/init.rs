//! Files that `recard init` writes: valid, complete, and safe before any job runs them.

use std::fs;
use std::path::PathBuf;

use crate::support::env::TestEnv;
use serde_json::{Value, json};

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
            // A mounted folder is no name either, and `localhost` is this machine.
            !word.starts_with(['-', '.', '$'])
                && !word.contains(":/")
                && !word.starts_with("localhost/")
        };
        command
            .split_whitespace()
            .filter(is_option)
            .any(|word| word.trim_matches(['"', '\'']).contains("recard"))
    })
}

#[test]
fn install_commands_of_pipelines_and_documents_name_no_registry_package() {
    for line in [
        "run: cargo install --locked recard",
        "docker run ghcr.io/x/recard:1 plan",
        "podman run -v store:/var/lib/recard recard plan",
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
}

const SUM: &str = "2222222222222222222222222222222222222222222222222222222222222222";

/// Every pipeline, with each source of the program: options, files and texts.
fn every_pipeline() -> Vec<(Vec<&'static str>, &'static str, String)> {
    let url = ["--download-url", "https://downloads.example/recard-1"];
    let image = concat!("registry.example/recard@sha256:", "22222222222222222222222222222222")
        .to_owned()
        + &SUM[32..];
    let image: &'static str = image.leak();
    let systems = [
        ("github", ".github/workflows/recard.yml"),
        ("gitlab", ".gitlab-ci.yml"),
        ("shell", "ci/recard.sh"),
    ];
    let mut all = Vec::new();
    for (system, file) in systems {
        let mut sources = vec![vec![], url.to_vec(), [&url[..], &["--sha256", SUM]].concat()];
        if system == "github" {
            sources.push(vec!["--image", image]);
        }
        for source in sources {
            let env = TestEnv::new();
            let options = [&["init", "--ci", system], &source[..]].concat();
            let ended = env.run(&options);
            assert_eq!(ended.code, 0, "{ended:?}");
            all.push((options, file, fs::read_to_string(env.at(file)).unwrap()));
        }
    }
    all
}

#[test]
fn pipeline_of_each_source_checks_what_it_starts() {
    let program = fs::read(env!("CARGO_BIN_EXE_recard")).unwrap();
    let own = recard::model::Digest::hash(&program).to_string();
    let own = own.strip_prefix("sha256:").unwrap();
    for (options, file, text) in every_pipeline() {
        assert!(!text.contains("@@"), "{options:?}\n{text}");
        if file != "ci/recard.sh" {
            let _: Value = serde_yaml::from_str(&text).unwrap();
        }
        let count = |word: &str| text.matches(word).count();
        let downloads = count("curl --fail --silent --show-error --location --proto '=https'");
        assert_eq!(downloads, count("sha256sum --check --strict"), "{options:?}");
        let from_image = count("docker create \"$RECARD_IMAGE\"");
        assert_eq!(from_image, if options.contains(&"--image") { 5 } else { 0 });
        let starts_by_path = file == "ci/recard.sh" && !options.contains(&"--download-url");
        assert_eq!(downloads + from_image == 0, starts_by_path, "{options:?}");
        assert!(text.lines().all(|line| !installs_by_name(line)), "{options:?}");
        // The sum is the one that was stated, or that of this very program, and no other.
        let is_hex = |word: &&str| word.len() >= 40 && word.chars().all(|c| c.is_ascii_hexdigit());
        let sums: Vec<&str> =
            text.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_hex).collect();
        let expected = match (options.contains(&SUM), options.contains(&"--download-url")) {
            (true, _) => vec![SUM],
            (false, true) => vec![own],
            (false, false) if options.contains(&"--image") => vec![SUM],
            (false, false) => vec![],
        };
        assert_eq!(sums, expected, "{options:?}");
        // No action but GitHub's own that keeps files.
        let uses = text.lines().filter_map(|line| line.split_once("uses: "));
        for (_, action) in uses {
            assert_eq!(action, "actions/upload-artifact@v4", "{options:?}");
        }
    }
}

#[test]
fn source_of_the_program_that_is_unsafe_is_a_usage_error() {
    let env = TestEnv::new();
    for options in [
        &["--download-url", "http://downloads.example/recard"][..],
        &["--download-url", "https://downloads.example/recard.tar.xz"],
        &["--download-url", "https://downloads.example/recard", "--sha256", "12"],
        &["--sha256", SUM],
        &["--image", "registry.example/recard:latest"],
    ] {
        let ended = env.run(&[&["init", "--ci", "github"], options].concat());
        assert_eq!(ended.code, 64, "{ended:?}");
    }
    assert_eq!(fs::read_dir(env.path()).unwrap().count(), 0);
}

/// Returns the pipelines that `init` writes for GitHub and for GitLab.
fn pipelines() -> (Value, Value) {
    let env = TestEnv::new();
    assert_eq!(env.run(&["init", "--ci", "github", "--ci", "gitlab"]).code, 0);
    let read = |name| serde_yaml::from_str(&fs::read_to_string(env.at(name)).unwrap()).unwrap();
    (read(".github/workflows/recard.yml"), read(".gitlab-ci.yml"))
}

#[test]
fn pipelines_fetch_the_whole_history() {
    let (workflow, pipeline) = pipelines();
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        let first = job["steps"][0]["run"].as_str().unwrap();
        assert!(first.contains("git fetch") && !first.contains("--depth"), "{name}");
    }
    assert_eq!(pipeline["variables"]["GIT_DEPTH"], "0");
}

/// Which jobs may see which secret, and that no apply is cut short: read off the files.
#[test]
fn pipeline_jobs_other_than_the_protected_one_have_no_write_permission() {
    let (workflow, pipeline) = pipelines();
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
    let apply = &pipeline["apply"];
    assert_eq!((&apply["environment"], &apply["interruptible"]), (&json!("recard"), &json!(false)));
    assert_eq!(
        (&apply["resource_group"], &apply["rules"][0]["when"]),
        (&json!("recard-apply-company.bitrix24.com"), &json!("manual"))
    );
}

#[test]
fn init_over_an_existing_file_writes_no_file() {
    let env = TestEnv::new();
    env.file("ci/recard.sh", "mine\n");
    let ended = env.run(&["init", "--ci", "shell"]);
    assert!(ended.code == 1 && ended.stderr.contains("ci/recard.sh: there already"), "{ended:?}");
    assert!(!env.at("manifests").exists());
    assert_eq!(fs::read_to_string(env.at("ci/recard.sh")).unwrap(), "mine\n");
}

#[test]
fn init_ci_beside_existing_manifests_writes_a_pipeline_for_them() {
    let env = TestEnv::new();
    env.file(
        "manifests/mine.yaml",
        &crate::support::company::manifest("crm.example.org", "{ ids: [7] }", ""),
    );
    let ended = env.run(&["init", "--ci", "github"]);
    assert_eq!(
        (ended.code, &*ended.stdout),
        (0, "wrote .github/workflows/recard.yml\n"),
        "{ended:?}"
    );
    assert_eq!(fs::read_dir(env.at("manifests")).unwrap().count(), 1);
    let workflow = fs::read_to_string(env.at(".github/workflows/recard.yml")).unwrap();
    assert!(workflow.contains("group: recard-apply-crm.example.org\n"), "{workflow}");
    // The other system later, and no manifest is needed for it either.
    assert_eq!(env.run(&["init", "--ci", "gitlab"]).code, 0);
    // Without a pipeline there would be nothing left to do, and a second manifest is not written
    // unasked.
    env.file(
        "manifests/lead-cards.yaml",
        &crate::support::company::manifest("crm.example.org", "{ ids: [8] }", ""),
    );
    assert_eq!(env.run(&["init"]).code, 1);
}

#[test]
fn init_output_is_valid_and_plans_on_the_embedded_portal() {
    let env = TestEnv::new();
    let embedded = ["--portal", "embedded"];
    assert_eq!(env.run(&[&["init"], &embedded[..]].concat()).code, 0);
    let planned =
        env.run(&[&["plan", "-f", "manifests", "--detailed-exitcode"], &embedded[..]].concat());
    assert_eq!(planned.code, 2, "{planned:?}");
    // For a real portal the manifest selects nobody until somebody has put in an address.
    assert_eq!(env.run(&["init", "real"]).code, 0);
    let valid = env.run(&["validate", "-f", "real/manifests"]);
    assert_eq!(
        valid.stdout, "1 manifest for the portal company.bitrix24.com: valid, 0 warnings\n",
        "{valid:?}"
    );
}
