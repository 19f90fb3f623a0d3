//! Secrets and foreign text in all output: no known secret is shown in any spelling, and no command
//! reaches a terminal or a build server. Also git, which reads foreign repositories.

#![cfg(all(unix, feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use recard::emulator::Emulator;
use serde_json::Value;

use support::company::{manifest, portal_of, row, save};
use support::recard::{Ended, Place};

const FORMATS: [&str; 7] = ["text", "json", "markdown", "junit", "sarif", "github", "csv"];

const SECRET: &str = "s3cr3tS3CR3T0001";

/// Commands for a terminal or a build server, at the beginning and in the middle of a text.
const TRAP: &str = "::error::a ##[error]b ##vso[task.complete]c x##teamcity[d] \u{1b}[31m\u{1b}[2J\u{202e}\u{9b}e::f";

fn each(text: &str, spell: impl Fn(u32) -> String) -> String {
    text.chars().map(|c| spell(u32::from(c))).collect()
}

/// A text in the spellings that portals, gateways and shells give it.
fn spellings(text: &str) -> Vec<String> {
    let percent = |text: &str| each(text, |c| format!("%{c:02X}"));
    vec![
        text.to_owned(),
        text.to_uppercase(),
        text.to_lowercase(),
        text.replace('/', "\\/"),
        percent(text),
        percent(text).to_lowercase(),
        percent(&percent(text)),
        each(text, |c| format!("\\u{c:04x}")),
        each(text, |c| format!("&#{c};")),
        each(text, |c| format!("&#x{c:X};")),
    ]
}

/// Fails if a text shows the secret.
fn assert_hidden(secret: &str, text: &str, what: &str) {
    let lower = text.to_lowercase();
    for spelling in spellings(secret) {
        assert!(!lower.contains(&spelling.to_lowercase()), "{what}: {spelling} in {text}");
    }
}

/// Fails if a text holds anything that a terminal or a build server obeys. Commands that recard
/// itself gives to GitHub are left out.
fn assert_safe(text: &str, what: &str) {
    for line in text.lines() {
        let foreign = match line.strip_prefix("::") {
            Some(command)
                if ["error ", "warning ", "notice "]
                    .iter()
                    .any(|name| command.starts_with(name)) =>
            {
                command
                    .split_once("::")
                    .map(|(properties, message)| format!("{properties} {message}"))
                    .unwrap()
            }
            _ => line.to_owned(),
        };
        for sign in ["::", "##[", "##vso[", "##teamcity["] {
            assert!(!foreign.contains(sign), "{what}: {sign} in {line:?}");
        }
        let is_unsafe =
            |c: char| (c.is_control() && c != '\r') || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(
            !line.trim_end_matches('\r').contains(|c| is_unsafe(c) || c == '\r'),
            "{what}: {line:?}"
        );
    }
}

/// A server that answers every request in the same way.
fn gateway(status: &'static str, body: impl Fn(&str) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let body = body(&format!("http://{host}/rest/1/{SECRET}/"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let mut request = [0; 64 << 10];
            let _ = stream.read(&mut request);
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
            );
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    host
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

#[test]
fn a_secret_that_was_put_into_the_wrong_place_is_shown_nowhere() {
    let address = format!("https://company.bitrix24.com/rest/1/{SECRET}/");
    let place = Place::new();
    place.file("lead.yaml", &manifest("company.bitrix24.com", "{ ids: [7] }", ""));
    let mut shown = 0;
    for url in spellings(&address) {
        let url = url.as_str();
        let output = format!("json={url}");
        for arguments in [
            &["plan", "-f", url][..],
            &["validate", "-f", "lead.yaml", "--output", &output],
            &["plan", "-f", "lead.yaml", "--portal", url],
            &["plan", "-f", "lead.yaml", "--webhook-url-file", url],
            &["plan", "-f", "lead.yaml", "--webhook-url-file", "lead.yaml", "--out", url],
            &["history", "--portal", "embedded", "--store", url, "--output", &output],
            &["show", url, "--portal", "embedded"],
            &["apply", url, "--portal", "embedded"],
            &["plan", "-f", "lead.yaml", "--rate", url],
            &["init", "--host", url, "made"],
            &["ledger", "new", url, "--portal", "embedded"],
            &["plan", "--fly", url],
            &[url],
        ] {
            let ended = place.run(arguments);
            let told = ended.stdout + &ended.stderr;
            assert_hidden(SECRET, &told, &arguments.join(" "));
            shown += usize::from(told.contains("***"));
        }
        for variable in [
            "RECARD_PORTAL",
            "RECARD_STORE",
            "RECARD_RATE",
            "RECARD_LOG",
            "RECARD_LANG",
            "RECARD_WEBHOOK_URL_FILE",
        ] {
            for arguments in [&["plan", "-f", "lead.yaml"][..], &["plan", "--help"], &["doctor"]] {
                let ended =
                    Ended::of(place.command(arguments).env(variable, url).output().unwrap());
                let told = ended.stdout + &ended.stderr;
                assert_hidden(SECRET, &told, &format!("{variable} {arguments:?}"));
                shown += usize::from(told.contains("***"));
            }
        }
    }
    assert!(shown > 100, "only {shown} commands have repeated the address at all");
}

#[test]
fn a_secret_in_a_damaged_address_or_one_of_rest_3_is_shown_nowhere() {
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    let mut shown = 0;
    for form in [
        "https://h/rest/api/1/SECRET/",
        "https://h/rest/api/1/SECRET/user.get",
        "h/rest/api/1/SECRET",
        r"https:\\h\rest\1\SECRET\",
        r"https:\\h\rest\api\1\SECRET\",
        "https:%5C%5Ch%5Crest%5C1%5CSECRET%5C",
        "https://h/rest/1 /SECRET/",
        "https://h/rest/1%20/SECRET/",
        "https%3A%2F%2Fh%2Frest%2F1%2FSECRET",
        "rest/1/SECRET",
        "REST/1/SECRET/",
        "rest%2F1%2FSECRET",
    ] {
        let address = form.replace("SECRET", SECRET);
        let address = address.as_str();
        for arguments in [
            &["plan", "--portal", "embedded", "-f", address][..],
            &["plan", "--portal", "embedded", &format!("-f{address}")],
            &["plan", "-f", "lead.yaml", "--portal", address],
            &["plan", "-f", "lead.yaml", "--webhook-url-file", address],
            &["show", address, "--portal", "embedded"],
            &[address],
        ] {
            let ended = place.run(arguments);
            let told = ended.stdout + &ended.stderr;
            assert_hidden(SECRET, &told, &arguments.join(" "));
            shown += usize::from(told.contains("***"));
        }
        for variable in
            ["RECARD_PORTAL", "RECARD_RATE", "RECARD_WEBHOOK_URL", "RECARD_WEBHOOK_URL_FILE"]
        {
            let ended = Ended::of(
                place
                    .command(&["plan", "-f", "lead.yaml"])
                    .env(variable, address)
                    .output()
                    .unwrap(),
            );
            let told = ended.stdout + &ended.stderr;
            assert_hidden(SECRET, &told, &format!("{variable} {address}"));
            shown += usize::from(told.contains("***"));
        }
        place.file("webhook", address);
        let ended = place.run(&["plan", "-f", "lead.yaml", "--webhook-url-file", "webhook"]);
        assert_hidden(SECRET, &(ended.stdout + &ended.stderr), address);
    }
    for name in [r"https:\\h\rest\1\SECRET\", "rest%2F1%2FSECRET", "rest%2Fapi%2F1%2FSECRET"] {
        let name = name.replace("SECRET", SECRET);
        let file = place.file(&format!("named/{name}.yaml"), "apiVersion: none\n");
        let ended = place.run(&["validate", "-f", "named"]);
        assert!(ended.code == 1 && ended.stderr.contains("***"), "{ended:?}");
        assert_hidden(SECRET, &(ended.stdout + &ended.stderr), &name);
        std::fs::remove_file(file).unwrap();
    }
    assert!(shown > 60, "only {shown} commands have repeated the address at all");
    // An ordinary path is told as it is.
    let told = place.run(&["plan", "--portal", "embedded", "-f", "rest/1/notes"]).stderr;
    assert!(told.contains("rest/1/notes"), "{told}");
}

#[test]
fn an_address_of_rest_3_in_a_manifest_is_refused_and_one_of_another_service_is_not() {
    let place = Place::new();
    let quickstart = include_str!("../examples/quickstart.yaml");
    place.file("lead.yaml", &format!("{quickstart}# https://h/rest/api/1/{SECRET}/\n"));
    let ended = place.run(&["validate", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("the secret of a webhook stands in the manifest"), "{ended:?}");
    assert_hidden(SECRET, &(ended.stdout + &ended.stderr), "the manifest");
    place.file(
        "lead.yaml",
        &format!("{quickstart}# https://h/rest/api/2/issue/ABC-1, rest/1/notes\n"),
    );
    let ended = place.run(&["validate", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn a_secret_that_a_portal_or_a_gateway_repeats_is_shown_nowhere() {
    for index in 0..spellings("x").len() {
        for (status, is_html) in
            [("403 Forbidden", false), ("400 Bad Request", false), ("502 Bad Gateway", true)]
        {
            let host = gateway(status, |url| match (&spellings(url)[index], is_html) {
                (url, true) => format!("<html><title>{url}</title>\n{url}"),
                // In JSON an escape is part of the text, or the text itself.
                (url, false) if url.contains("\\u") || url.contains("\\/") => {
                    format!("{{\"error\":\"{url}\",\"error_description\":\"see {url}\"}}")
                }
                (url, false) => {
                    serde_json::json!({"error": url, "error_description": format!("see {url}")})
                        .to_string()
                }
            });
            let place = Place::with_webhook(&format!("http://{host}/rest/1/{SECRET}/"));
            place.file("lead.yaml", &manifest(&host, "{ ids: [7] }", ""));
            let mut command = place.command(&["plan", "-f", "lead.yaml", "--deadline", "1s"]);
            for format in FORMATS {
                command.args(["--output", &format!("{format}=out/{format}")]);
            }
            std::fs::create_dir(place.path().join("out")).unwrap();
            let ended = Ended::of(command.env("RECARD_LOG", "trace").output().unwrap());
            assert_eq!(ended.code, 1, "{ended:?}");
            assert_hidden(SECRET, &(ended.stdout + &ended.stderr), &format!("{status} {index}"));
            for path in files(place.path()) {
                assert_hidden(
                    SECRET,
                    &String::from_utf8_lossy(&std::fs::read(&path).unwrap()),
                    &path.display().to_string(),
                );
            }
        }
    }
}

/// Puts a text into every place of a portal that people write.
fn write_on(emulator: &Emulator, text: &str) {
    let mut state = emulator.state();
    for user in state["portal"]["users"].as_array_mut().unwrap() {
        user["LAST_NAME"] = text.into();
    }
    for department in state["portal"]["departments"].as_array_mut().unwrap() {
        department["NAME"] = text.into();
    }
    emulator.set_state(&state).unwrap();
    for user in [7, 8] {
        save(emulator, row(user, "lead_details", text));
    }
}

/// Runs everything that shows what others wrote, and gives what was told and the files that were
/// written beside the store.
fn everything_shown(place: &Place, manifest: &str, who: &str) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    let mut run = |arguments: &[&str], code: i32| {
        let mut command = place.command(&[arguments, &["--rate", "unlimited"]].concat());
        command
            .env("RECARD_ACTOR", who)
            .env("RECARD_COMMIT", who)
            .env("RECARD_LOG", "recard=trace");
        let ended = Ended::of(command.output().unwrap());
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        shown.push((format!("stdout of {arguments:?}"), ended.stdout));
        shown.push((format!("stderr of {arguments:?}"), ended.stderr));
    };
    for format in FORMATS {
        let output = format!("{format}=out/plan.{format}");
        run(&["plan", "-f", manifest, "--detail", "--output", format], 0);
        run(&["plan", "-f", manifest, "--detail", "--output", &output], 0);
        run(&["drift", "-f", manifest, "--output", format], 2);
    }
    run(&["plan", "-f", manifest, "--out", "reviewed.json", "--log-format", "json"], 0);
    run(&["show", "reviewed.json"], 0);
    run(&["show", "reviewed.json", "--output", "json"], 0);
    run(&["apply", "reviewed.json", "-f", manifest], 0);
    for format in FORMATS {
        run(&["show", "last", "--output", format], 0);
    }
    for format in ["text", "json", "markdown", "csv"] {
        run(&["history", "--output", format], 0);
    }
    run(&["audit", "show"], 0);
    run(&["audit", "verify"], 0);
    run(&["inventory"], 0);
    run(&["inventory", "--output", "csv"], 0);
    run(&["restore", "last", "--all", "--detail", "--auto-approve"], 0);
    run(&["export"], 0);
    run(&["doctor"], 0);
    for path in files(&place.path().join("out")) {
        shown.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_names_and_titles_is_shown_nowhere_and_the_store_stays_whole() {
    let emulator = Emulator::start().await.unwrap();
    let webhook = emulator.webhook_url(1).unwrap();
    let secret = "emulator00000001";
    write_on(&emulator, &format!("see {}", webhook.to_uppercase()));
    let place = Place::with_webhook(&webhook);
    let folder = format!("at {}", webhook.replace('/', "%2F"));
    std::fs::create_dir_all(place.path().join("out")).unwrap();
    let name = format!("{folder}.yaml");
    place.file(&name, &manifest(&portal_of(&emulator), "{ ids: [7, 8] }", ""));
    // The trail was verified and the run restored by then: what was masked is sealed as it was
    // written.
    for (what, text) in
        everything_shown(&place, &name, &format!("anna {}", webhook.replace('e', "%65")))
    {
        assert_hidden(secret, &text, &what);
    }
    let kept = files(&place.path().join(".recard"));
    assert!(kept.len() > 8, "{kept:?}");
    // A backup is the layout as the portal sent it: there the secret that a person has saved stays.
    for path in kept.into_iter().filter(|path| !path.ends_with("backups.jsonl")) {
        assert_hidden(
            secret,
            &std::fs::read_to_string(&path).unwrap(),
            &path.display().to_string(),
        );
    }
    assert_hidden(
        secret,
        &std::fs::read_to_string(place.path().join("reviewed.json")).unwrap(),
        "the plan file",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_secret_in_a_manifest_is_refused_in_every_spelling() {
    let emulator = Emulator::start().await.unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    for spelling in spellings("emulator00000001") {
        let text = manifest(&portal_of(&emulator), "{ ids: [7] }", "")
            .replace("to try", &format!("'{spelling}'"));
        place.file("lead.yaml", &text);
        let ended = place.run(&["validate", "-f", "lead.yaml"]);
        assert_eq!(ended.code, 1, "{spelling}: {ended:?}");
        assert!(
            ended.stderr.contains("the secret of a webhook stands in the manifest"),
            "{ended:?}"
        );
        assert_hidden("emulator00000001", &ended.stderr, &spelling);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_others_wrote_commands_a_terminal_or_a_build_server() {
    let emulator = Emulator::start().await.unwrap();
    write_on(&emulator, TRAP);
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    let name = format!("{TRAP}.yaml");
    std::fs::create_dir_all(place.path().join("out")).unwrap();
    // A reason with control characters is refused.
    let reason = serde_json::to_string(&TRAP.replace(['\u{1b}', '\u{9b}'], "")).unwrap();
    let text = manifest(&portal_of(&emulator), "{ ids: [7, 8] }", "").replace("to try", &reason);
    place.file(&name, &text);
    let mut exact = 0;
    for (what, text) in everything_shown(&place, &name, TRAP) {
        // The names of recard's own modules stand in front of a line of text.
        let text = if what.starts_with("stderr") && !what.contains("log-format") {
            text.lines()
                .map(|line| line.replacen("recard::", "recard.", 1).replacen("::", ".", 1) + "\n")
                .collect()
        } else {
            text
        };
        assert_safe(&text, &what);
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            exact += usize::from(value.to_string().contains(reason.trim_matches('"')));
        }
        if what.ends_with("plan.junit") {
            let document = roxmltree::Document::parse(&text).unwrap();
            assert!(document.descendants().count() > 5, "{text}");
        }
    }
    assert!(exact > 4, "only {exact} documents decode to the exact text");
}

#[test]
fn what_stands_in_arguments_and_manifests_commands_nothing() {
    let place = Place::new();
    let name = format!("{TRAP}.yaml");
    place.file(
        &name,
        &format!("apiVersion: recard/v1\n{}: x\n? {{}}\n", serde_json::to_string(TRAP).unwrap()),
    );
    place.file(
        "wrong.yaml",
        &format!("kind: x # {TRAP}\n\"{}\": y\n", TRAP.replace(['\u{1b}', '\u{9b}'], "")),
    );
    for arguments in [
        &["validate", "-f", &name][..],
        &["validate", "-f", "wrong.yaml"],
        &["validate", "-f", &format!("none {TRAP}\n::error::x")],
        &["plan", "-f", "wrong.yaml", "--portal", TRAP],
        &["plan", TRAP],
        &[TRAP],
        &["show", TRAP, "--portal", "embedded"],
        &["history", "--portal", "embedded", "--store", &name],
        &["restore", TRAP, "--all", "--portal", "embedded"],
        &["plan", "-f", "wrong.yaml", "--rate", TRAP],
        &["init", "--host", TRAP],
        &["init", TRAP],
    ] {
        for format in [
            None,
            Some("json"),
            Some("junit"),
            Some("sarif"),
            Some("github"),
            Some("csv"),
            Some("markdown"),
        ] {
            let output: Vec<&str> = format.iter().flat_map(|format| ["--output", format]).collect();
            let ended = place.run(&[arguments, &output].concat());
            assert_safe(&ended.stdout, &format!("{arguments:?} {format:?}"));
            assert_safe(&ended.stderr, &format!("{arguments:?} {format:?}"));
        }
    }
    let ended =
        Ended::of(place.command(&["plan", "--help"]).env("RECARD_PORTAL", TRAP).output().unwrap());
    assert_safe(&ended.stdout, "help");
}

#[test]
fn a_step_summary_is_never_larger_than_what_github_shows() {
    const LIMIT: usize = 1 << 20;
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    let plan =
        ["plan", "--portal", "embedded", "-f", "lead.yaml", "--detail", "--output", "github"];
    let run = |taken: usize, arguments: &[&str]| {
        place.file("summary.md", &".".repeat(taken));
        let mut command = place.command(&[&plan[..], arguments].concat());
        let ended = Ended::of(command.env("GITHUB_STEP_SUMMARY", "summary.md").output().unwrap());
        assert_eq!(ended.code, 0, "{ended:?}");
        (
            std::fs::metadata(place.path().join("summary.md")).unwrap().len() as usize - taken,
            ended.stderr,
        )
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

/// The path to programs of the system that the test was started with.
#[expect(clippy::disallowed_methods, reason = "git is found where the test itself finds it")]
fn system_path() -> String {
    std::env::var("PATH").unwrap()
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "user.name=Anna",
        "-c",
        "user.email=anna@example.com",
        "-c",
        "commit.gpgsign=false",
    ]);
    command
        .args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"])
        .args(arguments);
    let output =
        command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Plans with a manifest of a folder, and gives who changed it last.
fn author(place: &Place, manifest: &str) -> Value {
    let plan = ["plan", "--portal", "embedded", "-f", manifest, "--output", "json", "--detail"];
    let ended = Ended::of(place.command(&plan).env("PATH", system_path()).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str::<Value>(&ended.stdout).unwrap()["targets"][0]["origin"]["commit"].clone()
}

#[test]
fn git_names_nobody_from_the_boundary_of_a_shallow_clone() {
    let place = Place::new();
    let quickstart = include_str!("../examples/quickstart.yaml");
    let whole = place.path().join("whole");
    place.file("whole/lead.yaml", quickstart);
    git(&whole, &["init", "-q"]);
    git(&whole, &["add", "."]);
    git(&whole, &["commit", "-q", "-m", "first"]);
    for name in ["other.txt", "third.txt"] {
        place.file(&format!("whole/{name}"), "");
        git(&whole, &["add", "."]);
        git(&whole, &["commit", "-q", "-m", name]);
    }
    let from = format!("file://{}", whole.display());
    git(place.path(), &["clone", "-q", "--depth", "2", &from, "shallow"]);
    assert_eq!(author(&place, "whole/lead.yaml")["author"], "Anna");
    assert_eq!(
        author(&place, "shallow/lead.yaml"),
        Value::Null,
        "the boundary did not make the file"
    );
    // Behind the boundary the history is known.
    place.file("shallow/lead.yaml", &(quickstart.to_owned() + "# changed\n"));
    git(&place.path().join("shallow"), &["commit", "-q", "-a", "-m", "changed"]);
    assert_eq!(author(&place, "shallow/lead.yaml")["author"], "Anna");
}

/// A program in a folder of its own.
fn program(place: &Place, name: &str, script: &str) -> PathBuf {
    let path = place.file(name, script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn git_starts_no_program_that_a_repository_names() {
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    place.file(".gitattributes", "* diff=evil filter=evil\n");
    let started = place.path().join("started");
    let evil = program(
        &place,
        "evil",
        &format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", started.display()),
    );
    git(place.path(), &["init", "-q"]);
    git(place.path(), &["add", "."]);
    git(place.path(), &["commit", "-q", "-m", "first"]);
    let evil = evil.display().to_string();
    for key in [
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "core.sshCommand",
        "core.askPass",
        "core.gitProxy",
        "credential.helper",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "filter.evil.clean",
        "filter.evil.smudge",
        "gpg.program",
        "gpg.ssh.program",
        "core.alternateRefsCommand",
    ] {
        git(place.path(), &["config", key, &evil]);
    }
    for (key, value) in [
        ("alias.log", format!("!{evil}")),
        ("log.showSignature", "true".to_owned()),
        ("core.hooksPath", ".".to_owned()),
    ] {
        git(place.path(), &["config", key, &value]);
    }
    let commit = author(&place, "lead.yaml");
    assert_eq!(commit["author"], "Anna", "{commit}");
    // A clone that left out what the question needs would ask the program that it names as its
    // origin.
    git(place.path(), &["config", "uploadpack.allowFilter", "true"]);
    let from = format!("file://{}", place.path().display());
    let filter = ["clone", "-q", "--filter=tree:0", "--no-checkout", &from, "partial"];
    git(place.path(), &filter);
    place.file("partial/lead.yaml", include_str!("../examples/quickstart.yaml"));
    for (key, value) in [
        ("remote.origin.url", format!("ext::{evil}")),
        ("protocol.ext.allow", "always".to_owned()),
        ("remote.origin.uploadpack", evil.clone()),
    ] {
        git(&place.path().join("partial"), &["config", key, &value]);
    }
    assert_eq!(author(&place, "partial/lead.yaml"), Value::Null);
    assert!(!started.exists(), "{}", std::fs::read_to_string(&started).unwrap());
}

#[test]
fn git_gets_the_path_and_the_home_and_nothing_else_of_the_environment() {
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    let seen = place.path().join("seen");
    program(&place, "bin/git", &format!("#!/bin/sh\nenv > '{}'\n", seen.display()));
    let mut command = place.command(&["plan", "--portal", "embedded", "-f", "lead.yaml"]);
    let variables = [
        ("PATH", format!("{}:{}", place.path().join("bin").display(), system_path())),
        ("HOME", "/nowhere".to_owned()),
        ("RECARD_WEBHOOK_URL", format!("https://company.bitrix24.com/rest/1/{SECRET}/")),
        ("GIT_DIR", "/nowhere".to_owned()),
        ("GIT_EXTERNAL_DIFF", "/nowhere".to_owned()),
        ("LD_LIBRARY_PATH", "/nowhere".to_owned()),
    ];
    let ended = Ended::of(command.envs(variables).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    let seen = std::fs::read_to_string(seen).unwrap();
    // A shell adds some of its own.
    let mut names: Vec<&str> = seen.lines().filter_map(|line| line.split('=').next()).collect();
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["GIT_NO_LAZY_FETCH", "GIT_TERMINAL_PROMPT", "HOME", "PATH"], "{seen}");
    assert!(
        seen.contains("GIT_TERMINAL_PROMPT=0\n") && seen.contains("GIT_NO_LAZY_FETCH=1\n"),
        "{seen}"
    );
}

#[test]
fn git_is_never_the_program_that_lies_beside_a_manifest() {
    let place = Place::new();
    place.file("manifests/lead.yaml", include_str!("../examples/quickstart.yaml"));
    let started = place.path().join("started");
    for folder in ["manifests", "manifests/bin", "."] {
        program(
            &place,
            &format!("{folder}/git"),
            &format!("#!/bin/sh\necho x >> '{}'\n", started.display()),
        );
    }
    for path in [".", "", "bin", "./bin", ".:/usr/bin", ":/usr/bin", "/nowhere:"] {
        let mut command =
            place.command(&["plan", "--portal", "embedded", "-f", "manifests/lead.yaml"]);
        let ended = Ended::of(command.env("PATH", path).output().unwrap());
        assert_eq!(ended.code, 0, "{path:?}: {ended:?}");
        assert!(!started.exists(), "{path:?}");
    }
}

#[test]
fn git_that_does_not_answer_is_killed_with_all_that_it_has_started() {
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    let ids = place.path().join("ids");
    program(
        &place,
        "bin/git",
        &format!("#!/bin/sh\nsleep 600 &\necho $$ $! >> '{}'\nwait\n", ids.display()),
    );
    let mut command = place.command(&["plan", "--portal", "embedded", "-f", "lead.yaml"]);
    let begun = Instant::now();
    let path = format!("{}:{}", place.path().join("bin").display(), system_path());
    let ended = Ended::of(command.env("PATH", path).output().unwrap());
    assert!(ended.code == 0 && ended.stdout.contains("9 to reset"), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(60), "the plan waited for git");
    let ids = std::fs::read_to_string(ids).unwrap();
    for id in ids.split_whitespace() {
        let is_alive = || {
            Command::new("kill")
                .args(["-0", id])
                .stderr(std::process::Stdio::null())
                .status()
                .unwrap()
                .success()
        };
        // The system may take a moment until it has cleared away what was killed.
        while is_alive() && begun.elapsed() < Duration::from_secs(120) {
            let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            if state.contains(") Z") {
                break;
            }
            std::thread::yield_now();
        }
        let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        assert!(!is_alive() || state.contains(") Z"), "{id} lives: {state}");
    }
}
