//! Identity of files and hosts: independent of their display and spelling.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use recard::model::PortalId;
use recard::portal::WebhookUrl;

use crate::support::company::{manifest, resets_sent};
use crate::support::env::{CommandOutput, TestEnv};

fn manifest_named(env: &TestEnv, name: &str, users: &str, more: &str) -> String {
    manifest(&env.portal(), users, more).replace("name: test", &format!("name: {name}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_manifests_whose_names_are_no_text_is_kept_with_what_they_protect() {
    let env = TestEnv::start().await;
    fs::create_dir(env.at("manifests")).unwrap();
    let file = |bytes: &[u8], text: String| {
        let path = env.at("manifests").join(std::ffi::OsStr::from_bytes(bytes));
        recard::store::write_whole(&path, text.as_bytes()).unwrap();
    };
    file(
        b"a\xfe.yaml",
        manifest_named(&env, "one", "{ departments: [{ id: 41, recursive: true }] }", ""),
    );
    file(
        b"a\xff.yaml",
        manifest_named(&env, "other", "{ ids: [13] }", "  protect: { ids: [7] }\n"),
    );
    let validated = env.run(&["validate", "-f", "manifests"]);
    assert!(validated.stdout.contains("2 manifests"), "{validated:?}");
    let ended = env.run(&["apply", "-f", "manifests", "--auto-approve"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.stderr.contains("user 7 would lose a card, and is protected"), "{ended:?}");
    assert_eq!(resets_sent(env.emulator()), 0);
    // A problem is shown in the file that it is in.
    file(b"a\xff.yaml", manifest_named(&env, "other", "{ ids: [0] }", ""));
    let broken = env.run(&["validate", "-f", "manifests"]);
    assert!(
        broken.stderr.contains("a\\xff.yaml:") && broken.stderr.contains("ids: [0]"),
        "{broken:?}"
    );
    assert!(!broken.stderr.contains("a\\xfe.yaml:"), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_a_manifest_is_one_by_any_spelling_or_link() {
    let env = TestEnv::start().await;
    env.file("m/lead.yaml", &manifest_named(&env, "one", "{ ids: [13] }", ""));
    symlink("lead.yaml", env.at("m/soft.yaml")).unwrap();
    fs::hard_link(env.at("m/lead.yaml"), env.at("m/hard.yaml")).unwrap();
    symlink(".", env.at("m/here")).unwrap();
    symlink(".", env.at("m/there")).unwrap();
    symlink("m", env.at("n")).unwrap();
    for files in [
        &["-f", "m"][..],
        &["-f", "m", "-f", "n"],
        &[
            "-f",
            "m/lead.yaml",
            "-f",
            "./m/../m/lead.yaml",
            "-f",
            "m//soft.yaml",
            "-f",
            "n/hard.yaml",
        ],
    ] {
        let ended = env.run(&[&["validate"], files].concat());
        assert_eq!(ended.code, 0, "{files:?}: {ended:?}");
        assert!(ended.stdout.contains("1 manifest for the portal"), "{files:?}: {ended:?}");
    }
    let mut command = env.command(&["validate", "-f", "-", "-f", "m/lead.yaml"]);
    command.stdin(fs::File::open(env.at("m/lead.yaml")).unwrap());
    let ended = CommandOutput::of(command.output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_outputs_is_compared_with_every_input_and_with_each_other() {
    let env = TestEnv::start().await;
    let text = manifest_named(&env, "one", "{ ids: [13] }", "");
    env.file("lead.yaml", &text);
    // The store is not there yet.
    is_refused(&env, &["plan", "-f", "lead.yaml", "--out", "./.recard"], "the store");
    env.file("folder/deep/lead.yaml", &text);
    env.file("webhook", env.webhook());
    symlink("lead.yaml", env.at("soft")).unwrap();
    symlink("folder/deep", env.at("way")).unwrap();
    symlink("new.json", env.at("dangling")).unwrap();
    fs::hard_link(env.at("lead.yaml"), env.at("hard")).unwrap();
    assert_eq!(env.run(&["ledger", "new", "once.json"]).code, 0);
    assert_eq!(env.run(&["plan", "-f", "lead.yaml", "--out", "plan.json"]).code, 0);
    assert!(env.at(".recard").is_dir());
    symlink(".recard", env.at("store")).unwrap();
    let files = || -> Vec<(PathBuf, Vec<u8>)> {
        ["lead.yaml", "folder/deep/lead.yaml", "webhook", "once.json", "plan.json"]
            .into_iter()
            .map(|name| (env.at(name), fs::read(env.at(name)).unwrap()))
            .collect()
    };
    let before =
        (files(), fs::read_dir(env.path()).unwrap().count(), env.emulator().counters().requests);
    let plan = ["plan", "-f", "lead.yaml"];
    let by_file =
        ["plan", "-f", "folder", "--webhook-url-file", "webhook", "--ledger", "once.json"];
    let output = |path: &str| format!("json={path}");
    for path in ["lead.yaml", "./lead.yaml", "folder/../lead.yaml", "soft", "hard"] {
        is_refused(&env, &[&plan[..], &["--out", path]].concat(), "a manifest");
        is_refused(&env, &[&plan[..], &["--output", &output(path)]].concat(), "a manifest");
        is_refused(&env, &["validate", "-f", "lead.yaml", "-o", &output(path)], "a manifest");
        is_refused(
            &env,
            &["apply", "plan.json", "-f", "lead.yaml", "-o", &output(path)],
            "a manifest",
        );
        is_refused(&env, &["drift", "-f", "lead.yaml", "-o", &output(path)], "a manifest");
        is_refused(&env, &["reconcile", "-f", "lead.yaml", "-o", &output(path)], "a manifest");
    }
    for (path, other) in [
        ("folder/deep/lead.yaml", "a manifest"),
        ("way/lead.yaml", "a manifest"),
        ("./webhook", "the file of the webhook"),
        ("way/../../once.json", "the ledger"),
        (".recard/portals/x.json", "the store"),
        ("store/x.json", "the store"),
    ] {
        is_refused(&env, &[&by_file[..], &["--out", path]].concat(), other);
    }
    is_refused(&env, &["apply", "plan.json", "-o", &output("./plan.json")], "the plan file");
    is_refused(&env, &["show", "plan.json", "-o", &output("plan.json")], "the plan file");
    is_refused(
        &env,
        &[&plan[..], &["--out", "x", "-o", "json=./x"]].concat(),
        "the plan file of --out",
    );
    is_refused(
        &env,
        &[&plan[..], &["-o", "json=x", "-o", "junit=folder/../x"]].concat(),
        "the output json",
    );
    is_refused(
        &env,
        &[&plan[..], &["-o", "json=new.json", "-o", "junit=dangling"]].concat(),
        "the output json",
    );
    let mut command = env.command(&["plan", "-f", "-", "--out", "lead.yaml"]);
    let ended = CommandOutput::of(
        command.stdin(fs::File::open(env.at("lead.yaml")).unwrap()).output().unwrap(),
    );
    assert_eq!(ended.code, 64, "{ended:?}");
    let mut command = env.command(&[&plan[..], &["--out", "webhook"]].concat());
    let ended = CommandOutput::of(
        command
            .env_remove("RECARD_WEBHOOK_URL")
            .env("RECARD_WEBHOOK_URL_FILE", "webhook")
            .output()
            .unwrap(),
    );
    assert_eq!(ended.code, 64, "{ended:?}");
    // The embedded portal writes its state back, and so its file is an output, too.
    let embedded = |file: &str| format!("embedded:{file}");
    for (file, other) in
        [("./lead.yaml", "a manifest"), (".recard/portals/x/audit.jsonl", "the store")]
    {
        is_refused(&env, &[&plan[..], &["--portal", &embedded(file)]].concat(), other);
    }
    let ledger = ["--ledger", "once.json", "--portal", &embedded("./once.json")];
    is_refused(&env, &[&plan[..], &ledger].concat(), "the ledger");
    let after =
        (files(), fs::read_dir(env.path()).unwrap().count(), env.emulator().counters().requests);
    assert_eq!(before, after);
    // A store that shares its folder with everything else keeps what it has.
    let here = [&plan[..], &["--store", "."]].concat();
    assert_eq!(env.run(&[&here[..], &["--out", "here.json"]].concat()).code, 0);
    is_refused(&env, &[&here[..], &["--out", "portals/x.json"]].concat(), "the store");
    is_refused(&env, &[&here[..], &["--out", "./.gitignore"]].concat(), "the store");
    // What keeps nothing may be named twice.
    let ended = env.run(&[&plan[..], &["-o", "json=/dev/null", "-o", "junit=/dev/null"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
}

fn is_refused(env: &TestEnv, arguments: &[&str], other: &str) {
    let ended = env.run(arguments);
    assert_eq!(ended.code, 64, "{arguments:?}: {ended:?}");
    assert!(
        ended.stderr.contains(&format!("would be written over {other}")),
        "{arguments:?}: {ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_a_dangling_link_is_where_it_leads() {
    let env = TestEnv::start().await;
    env.file("lead.yaml", &manifest_named(&env, "one", "{ ids: [13] }", ""));
    fs::create_dir(env.at("out")).unwrap();
    symlink("out/plan.json", env.at("link")).unwrap();
    let ended = env.run(&["plan", "-f", "lead.yaml", "--out", "link"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        env.at("out/plan.json").is_file()
            && fs::symlink_metadata(env.at("link")).unwrap().is_symlink()
    );
    symlink("none/plan.json", env.at("nowhere")).unwrap();
    symlink("ring", env.at("ring")).unwrap();
    let requests = env.emulator().counters().requests;
    for path in ["nowhere", "ring"] {
        let ended = env.run(&["plan", "-f", "lead.yaml", "--out", path]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(&format!("cannot write {path}")), "{ended:?}");
        assert!(fs::symlink_metadata(env.at(path)).unwrap().is_symlink());
    }
    assert_eq!(env.emulator().counters().requests, requests);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_a_host_is_its_normal_form_on_both_sides() {
    for (pinned, host) in [
        ("Company.Bitrix24.COM", "company.bitrix24.com"),
        ("company.bitrix24.com.", "COMPANY.bitrix24.com:443"),
        ("company.bitrix24.com:443", "company.bitrix24.com."),
        ("компания.рф", "xn--80aqeigdi5k.xn--p1ai"),
        ("XN--80AQEIGDI5K.xn--p1ai.", "Компания.РФ"),
        ("bücher.example:8443", "BÜCHER.example:8443"),
        ("[::1]", "[0:0:0:0:0:0:0:1]:443"),
    ] {
        let webhook = WebhookUrl::parse(&format!("https://{host}/rest/1/abcdef/")).unwrap();
        assert_eq!(webhook.portal(), PortalId::new(pinned).unwrap(), "{pinned} {host}");
    }
    let other = WebhookUrl::parse("https://company.bitrix24.com:8443/rest/1/abcdef/").unwrap();
    assert_ne!(other.portal(), PortalId::new("company.bitrix24.com").unwrap());
    // The pin of a manifest, in another spelling of the address that the webhook has.
    let env = TestEnv::start().await;
    let text = manifest_named(&env, "one", "{ ids: [13] }", "");
    env.file("lead.yaml", &text.replace("127.0.0.1", "127.1"));
    let ended = env.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    // A manifest that spells an international name is valid, for editors too.
    env.file("lead.yaml", &text.replace(&env.portal(), "Компания.РФ."));
    let ended = env.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("for the portal xn--80aqeigdi5k.xn--p1ai,"), "{ended:?}");
}
