//! Secrets and foreign text in whatever leaves the process: no known secret is shown in any
//! spelling, and nothing that a terminal or a build server obeys, whoever wrote it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use recard::emulator::Emulator;
use serde_json::Value;

use super::outputs::FORMATS;
use crate::support::company::{manifest, portal_of, row, save};
use crate::support::env::{CommandOutput, TestEnv};

pub(super) const SECRET: &str = "s3cr3tS3CR3T0001";

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
pub(super) fn assert_hidden(secret: &str, text: &str, what: &str) {
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
fn secret_in_a_wrong_argument_is_masked() {
    let address = format!("https://company.bitrix24.com/rest/1/{SECRET}/");
    let env = TestEnv::new();
    env.file("lead.yaml", &manifest("company.bitrix24.com", "{ ids: [7] }", ""));
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
            let ended = env.run(arguments);
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
                    CommandOutput::of(env.command(arguments).env(variable, url).output().unwrap());
                let told = ended.stdout + &ended.stderr;
                assert_hidden(SECRET, &told, &format!("{variable} {arguments:?}"));
                shown += usize::from(told.contains("***"));
            }
        }
    }
    assert!(shown > 100, "only {shown} commands have repeated the address at all");
}

#[test]
fn secret_in_a_malformed_or_rest_3_url_is_masked() {
    let env = TestEnv::quickstart();
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
            let ended = env.run(arguments);
            let told = ended.stdout + &ended.stderr;
            assert_hidden(SECRET, &told, &arguments.join(" "));
            shown += usize::from(told.contains("***"));
        }
        for variable in
            ["RECARD_PORTAL", "RECARD_RATE", "RECARD_WEBHOOK_URL", "RECARD_WEBHOOK_URL_FILE"]
        {
            let ended = CommandOutput::of(
                env.command(&["plan", "-f", "lead.yaml"]).env(variable, address).output().unwrap(),
            );
            let told = ended.stdout + &ended.stderr;
            assert_hidden(SECRET, &told, &format!("{variable} {address}"));
            shown += usize::from(told.contains("***"));
        }
        env.file("webhook", address);
        let ended = env.run(&["plan", "-f", "lead.yaml", "--webhook-url-file", "webhook"]);
        assert_hidden(SECRET, &(ended.stdout + &ended.stderr), address);
    }
    for name in [r"https:\\h\rest\1\SECRET\", "rest%2F1%2FSECRET", "rest%2Fapi%2F1%2FSECRET"] {
        let name = name.replace("SECRET", SECRET);
        let file = env.file(&format!("named/{name}.yaml"), "apiVersion: none\n");
        let ended = env.run(&["validate", "-f", "named"]);
        assert!(ended.code == 1 && ended.stderr.contains("***"), "{ended:?}");
        assert_hidden(SECRET, &(ended.stdout + &ended.stderr), &name);
        std::fs::remove_file(file).unwrap();
    }
    assert!(shown > 60, "only {shown} commands have repeated the address at all");
    // An ordinary path is told as it is.
    let told = env.run(&["plan", "--portal", "embedded", "-f", "rest/1/notes"]).stderr;
    assert!(told.contains("rest/1/notes"), "{told}");
}

#[test]
fn secret_repeated_by_a_portal_or_gateway_is_masked() {
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
            let env = TestEnv::with_webhook(&format!("http://{host}/rest/1/{SECRET}/"));
            env.file("lead.yaml", &manifest(&host, "{ ids: [7] }", ""));
            let mut command = env.command(&["plan", "-f", "lead.yaml", "--deadline", "1s"]);
            for format in FORMATS {
                command.args(["--output", &format!("{format}=out/{format}")]);
            }
            std::fs::create_dir(env.at("out")).unwrap();
            let ended = CommandOutput::of(command.env("RECARD_LOG", "trace").output().unwrap());
            assert_eq!(ended.code, 1, "{ended:?}");
            assert_hidden(SECRET, &(ended.stdout + &ended.stderr), &format!("{status} {index}"));
            for path in files(env.path()) {
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
    for (list, name) in
        [("crm_deal_categories", "name"), ("crm_item_categories", "name"), ("crm_types", "title")]
    {
        for one in state["portal"][list].as_array_mut().unwrap() {
            one[name] = format!("{text}\n::error::next").into();
        }
    }
    emulator.set_state(&state).unwrap();
    for user in [7, 8] {
        save(emulator, row(user, "lead_details", text));
        save(emulator, row(user, "deal_details_c_3", text));
        save(emulator, row(user, "DYNAMIC_177_details_C7", text));
    }
}

/// A manifest for leads, and one for the cards of other kinds behind it.
fn manifests(portal: &str) -> String {
    let kinds = "- deal: { pipelines: all }\n        - contact: { categories: all }\n        - smartProcess: { type: 177, pipelines: all }";
    format!(
        "{}---\napiVersion: recard/v1\nkind: CardReset\nmetadata: {{ name: kinds, reason: to try }}\nspec:\n  portal: \
         \"{portal}\"\n  personal:\n    - users: {{ ids: [7, 8] }}\n      cards:\n        {kinds}\n",
        manifest(portal, "{ ids: [7, 8] }", "")
    )
}

/// Runs everything that shows what others wrote, and gives what was told and the files that were
/// written beside the store.
fn everything_shown(env: &TestEnv, manifest: &str, who: &str) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    let mut run = |arguments: &[&str], code: i32| {
        let mut command = env.command(&[arguments, &["--rate", "unlimited"]].concat());
        command
            .env("RECARD_ACTOR", who)
            .env("RECARD_COMMIT", who)
            .env("RECARD_LOG", "recard=trace");
        let ended = CommandOutput::of(command.output().unwrap());
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
    for path in files(&env.at("out")) {
        shown.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_in_names_and_titles_is_masked_and_the_store_stays_valid() {
    let emulator = Emulator::start().await.unwrap();
    let webhook = emulator.webhook_url(1).unwrap();
    let secret = "emulator00000001";
    write_on(&emulator, &format!("see {}", webhook.to_uppercase()));
    let env = TestEnv::with_webhook(&webhook);
    let folder = format!("at {}", webhook.replace('/', "%2F"));
    std::fs::create_dir_all(env.at("out")).unwrap();
    let name = format!("{folder}.yaml");
    env.file(&name, &manifests(&portal_of(&emulator)));
    // The trail was verified and the run restored by then: what was masked is sealed as it was
    // written.
    for (what, text) in
        everything_shown(&env, &name, &format!("anna {}", webhook.replace('e', "%65")))
    {
        assert_hidden(secret, &text, &what);
    }
    let kept = files(&env.at(".recard"));
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
        &std::fs::read_to_string(env.at("reviewed.json")).unwrap(),
        "the plan file",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_in_a_manifest_is_refused_in_each_spelling() {
    let env = TestEnv::start().await;
    for spelling in spellings("emulator00000001") {
        let text =
            manifest(&env.portal(), "{ ids: [7] }", "").replace("to try", &format!("'{spelling}'"));
        env.file("lead.yaml", &text);
        let ended = env.run(&["validate", "-f", "lead.yaml"]);
        assert_eq!(ended.code, 1, "{spelling}: {ended:?}");
        assert!(
            ended.stderr.contains("the manifest contains the secret of a webhook"),
            "{ended:?}"
        );
        assert_hidden("emulator00000001", &ended.stderr, &spelling);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn untrusted_text_of_the_portal_is_escaped_in_each_format() {
    let emulator = Emulator::start().await.unwrap();
    write_on(&emulator, TRAP);
    let env = TestEnv::with_webhook(&emulator.webhook_url(1).unwrap());
    let name = format!("{TRAP}.yaml");
    std::fs::create_dir_all(env.at("out")).unwrap();
    // A reason with control characters is refused.
    let reason = serde_json::to_string(&TRAP.replace(['\u{1b}', '\u{9b}'], "")).unwrap();
    let text = manifests(&portal_of(&emulator)).replace("to try", &reason);
    env.file(&name, &text);
    // Errors list what the portal lists.
    let wrong = text.replace("pipelines: all", "pipelines: [99]");
    env.file("wrong.yaml", &wrong);
    for format in FORMATS {
        let ended = env.run(&["plan", "-f", "wrong.yaml", "--output", format]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(format != "text" || ended.stderr.contains("it lists 3 ("), "{ended:?}");
        for text in [ended.stdout, ended.stderr] {
            assert_safe(&text, format);
        }
    }
    let mut exact = 0;
    for (what, text) in everything_shown(&env, &name, TRAP) {
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
fn untrusted_text_in_arguments_and_manifests_is_escaped() {
    let env = TestEnv::new();
    let name = format!("{TRAP}.yaml");
    env.file(
        &name,
        &format!("apiVersion: recard/v1\n{}: x\n? {{}}\n", serde_json::to_string(TRAP).unwrap()),
    );
    env.file(
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
            let ended = env.run(&[arguments, &output].concat());
            assert_safe(&ended.stdout, &format!("{arguments:?} {format:?}"));
            assert_safe(&ended.stderr, &format!("{arguments:?} {format:?}"));
        }
    }
    let ended = CommandOutput::of(
        env.command(&["plan", "--help"]).env("RECARD_PORTAL", TRAP).output().unwrap(),
    );
    assert_safe(&ended.stdout, "help");
}
