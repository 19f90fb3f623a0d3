//! Identity of files and hosts: independent of their display and spelling.

#![cfg(all(unix, feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use recard::emulator::Emulator;
use recard::model::PortalId;
use recard::portal::WebhookUrl;

use support::company::{manifest, portal_of, resets_sent};
use support::recard::{Ended, Place};

struct World {
    emulator: Emulator,
    place: Place,
}

impl World {
    async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
        Self { emulator, place }
    }

    fn text(&self, name: &str, users: &str, more: &str) -> String {
        manifest(&portal_of(&self.emulator), users, more)
            .replace("name: test", &format!("name: {name}"))
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.place.path().join(path)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_manifests_whose_names_are_no_text_is_kept_with_what_they_protect() {
    let world = World::new().await;
    fs::create_dir(world.at("manifests")).unwrap();
    let file = |bytes: &[u8], text: String| {
        let path = world.at("manifests").join(std::ffi::OsStr::from_bytes(bytes));
        recard::store::write_whole(&path, text.as_bytes()).unwrap();
    };
    file(b"a\xfe.yaml", world.text("one", "{ departments: [{ id: 41, recursive: true }] }", ""));
    file(b"a\xff.yaml", world.text("other", "{ ids: [13] }", "  protect: { ids: [7] }\n"));
    let validated = world.place.run(&["validate", "-f", "manifests"]);
    assert!(validated.stdout.contains("2 manifests"), "{validated:?}");
    let ended = world.place.run(&["apply", "-f", "manifests", "--auto-approve"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.stderr.contains("user 7 would lose a card, and is protected"), "{ended:?}");
    assert_eq!(resets_sent(&world.emulator), 0);
    // A problem is shown in the file that it is in.
    file(b"a\xff.yaml", world.text("other", "{ ids: [0] }", ""));
    let broken = world.place.run(&["validate", "-f", "manifests"]);
    assert!(
        broken.stderr.contains("a\\xff.yaml:") && broken.stderr.contains("ids: [0]"),
        "{broken:?}"
    );
    assert!(!broken.stderr.contains("a\\xfe.yaml:"), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_a_manifest_is_one_by_any_spelling_or_link() {
    let world = World::new().await;
    world.place.file("m/lead.yaml", &world.text("one", "{ ids: [13] }", ""));
    symlink("lead.yaml", world.at("m/soft.yaml")).unwrap();
    fs::hard_link(world.at("m/lead.yaml"), world.at("m/hard.yaml")).unwrap();
    symlink(".", world.at("m/here")).unwrap();
    symlink(".", world.at("m/there")).unwrap();
    symlink("m", world.at("n")).unwrap();
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
        let ended = world.place.run(&[&["validate"], files].concat());
        assert_eq!(ended.code, 0, "{files:?}: {ended:?}");
        assert!(ended.stdout.contains("1 manifest for the portal"), "{files:?}: {ended:?}");
    }
    let mut command = world.place.command(&["validate", "-f", "-", "-f", "m/lead.yaml"]);
    command.stdin(fs::File::open(world.at("m/lead.yaml")).unwrap());
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_outputs_is_compared_with_every_input_and_with_each_other() {
    let world = World::new().await;
    let text = world.text("one", "{ ids: [13] }", "");
    world.place.file("lead.yaml", &text);
    // The store is not there yet.
    is_refused(&world, &["plan", "-f", "lead.yaml", "--out", "./.recard"], "the store");
    world.place.file("folder/deep/lead.yaml", &text);
    world.place.file("webhook", &world.emulator.webhook_url(1).unwrap());
    symlink("lead.yaml", world.at("soft")).unwrap();
    symlink("folder/deep", world.at("way")).unwrap();
    symlink("new.json", world.at("dangling")).unwrap();
    fs::hard_link(world.at("lead.yaml"), world.at("hard")).unwrap();
    assert_eq!(world.place.run(&["ledger", "new", "once.json"]).code, 0);
    assert_eq!(world.place.run(&["plan", "-f", "lead.yaml", "--out", "plan.json"]).code, 0);
    assert!(world.at(".recard").is_dir());
    symlink(".recard", world.at("store")).unwrap();
    let files = || -> Vec<(PathBuf, Vec<u8>)> {
        ["lead.yaml", "folder/deep/lead.yaml", "webhook", "once.json", "plan.json"]
            .into_iter()
            .map(|name| (world.at(name), fs::read(world.at(name)).unwrap()))
            .collect()
    };
    let before = (
        files(),
        fs::read_dir(world.place.path()).unwrap().count(),
        world.emulator.counters().requests,
    );
    let plan = ["plan", "-f", "lead.yaml"];
    let by_file =
        ["plan", "-f", "folder", "--webhook-url-file", "webhook", "--ledger", "once.json"];
    let output = |path: &str| format!("json={path}");
    for path in ["lead.yaml", "./lead.yaml", "folder/../lead.yaml", "soft", "hard"] {
        is_refused(&world, &[&plan[..], &["--out", path]].concat(), "a manifest");
        is_refused(&world, &[&plan[..], &["--output", &output(path)]].concat(), "a manifest");
        is_refused(&world, &["validate", "-f", "lead.yaml", "-o", &output(path)], "a manifest");
        is_refused(
            &world,
            &["apply", "plan.json", "-f", "lead.yaml", "-o", &output(path)],
            "a manifest",
        );
        is_refused(&world, &["drift", "-f", "lead.yaml", "-o", &output(path)], "a manifest");
        is_refused(&world, &["reconcile", "-f", "lead.yaml", "-o", &output(path)], "a manifest");
    }
    for (path, other) in [
        ("folder/deep/lead.yaml", "a manifest"),
        ("way/lead.yaml", "a manifest"),
        ("./webhook", "the file of the webhook"),
        ("way/../../once.json", "the ledger"),
        (".recard/portals/x.json", "the store"),
        ("store/x.json", "the store"),
    ] {
        is_refused(&world, &[&by_file[..], &["--out", path]].concat(), other);
    }
    is_refused(&world, &["apply", "plan.json", "-o", &output("./plan.json")], "the plan file");
    is_refused(&world, &["show", "plan.json", "-o", &output("plan.json")], "the plan file");
    is_refused(
        &world,
        &[&plan[..], &["--out", "x", "-o", "json=./x"]].concat(),
        "the plan file of --out",
    );
    is_refused(
        &world,
        &[&plan[..], &["-o", "json=x", "-o", "junit=folder/../x"]].concat(),
        "the output json",
    );
    is_refused(
        &world,
        &[&plan[..], &["-o", "json=new.json", "-o", "junit=dangling"]].concat(),
        "the output json",
    );
    let mut command = world.place.command(&["plan", "-f", "-", "--out", "lead.yaml"]);
    let ended =
        Ended::of(command.stdin(fs::File::open(world.at("lead.yaml")).unwrap()).output().unwrap());
    assert_eq!(ended.code, 64, "{ended:?}");
    let mut command = world.place.command(&[&plan[..], &["--out", "webhook"]].concat());
    let ended = Ended::of(
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
        is_refused(&world, &[&plan[..], &["--portal", &embedded(file)]].concat(), other);
    }
    let ledger = ["--ledger", "once.json", "--portal", &embedded("./once.json")];
    is_refused(&world, &[&plan[..], &ledger].concat(), "the ledger");
    let after = (
        files(),
        fs::read_dir(world.place.path()).unwrap().count(),
        world.emulator.counters().requests,
    );
    assert_eq!(before, after);
    // A store that shares its folder with everything else keeps what it has.
    let here = [&plan[..], &["--store", "."]].concat();
    assert_eq!(world.place.run(&[&here[..], &["--out", "here.json"]].concat()).code, 0);
    is_refused(&world, &[&here[..], &["--out", "portals/x.json"]].concat(), "the store");
    is_refused(&world, &[&here[..], &["--out", "./.gitignore"]].concat(), "the store");
    // What keeps nothing may be named twice.
    let ended =
        world.place.run(&[&plan[..], &["-o", "json=/dev/null", "-o", "junit=/dev/null"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
}

fn is_refused(world: &World, arguments: &[&str], other: &str) {
    let ended = world.place.run(arguments);
    assert_eq!(ended.code, 64, "{arguments:?}: {ended:?}");
    assert!(
        ended.stderr.contains(&format!("would be written over {other}")),
        "{arguments:?}: {ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_of_a_dangling_link_is_where_it_leads() {
    let world = World::new().await;
    world.place.file("lead.yaml", &world.text("one", "{ ids: [13] }", ""));
    fs::create_dir(world.at("out")).unwrap();
    symlink("out/plan.json", world.at("link")).unwrap();
    let ended = world.place.run(&["plan", "-f", "lead.yaml", "--out", "link"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        world.at("out/plan.json").is_file()
            && fs::symlink_metadata(world.at("link")).unwrap().is_symlink()
    );
    symlink("none/plan.json", world.at("nowhere")).unwrap();
    symlink("ring", world.at("ring")).unwrap();
    let requests = world.emulator.counters().requests;
    for path in ["nowhere", "ring"] {
        let ended = world.place.run(&["plan", "-f", "lead.yaml", "--out", path]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(&format!("cannot write {path}")), "{ended:?}");
        assert!(fs::symlink_metadata(world.at(path)).unwrap().is_symlink());
    }
    assert_eq!(world.emulator.counters().requests, requests);
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
    let world = World::new().await;
    let text = world.text("one", "{ ids: [13] }", "");
    world.place.file("lead.yaml", &text.replace("127.0.0.1", "127.1"));
    let ended = world.place.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    // A manifest that spells an international name is valid, for editors too.
    world.place.file("lead.yaml", &text.replace(&portal_of(&world.emulator), "Компания.РФ."));
    let ended = world.place.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("for the portal xn--80aqeigdi5k.xn--p1ai,"), "{ended:?}");
}
