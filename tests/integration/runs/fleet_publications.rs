//! Publications of a fleet: rollbacks one after another, guards, signatures, and the files that a
//! revision may be made of.

use std::os::unix::fs::symlink;

use recard::model::Digest;
use recard::ports::{FleetState as _, FleetView, RolloutChange};
use recard::records::fleet::{FleetRevision, RevisionSignature};
use recard::store::write_whole;
use serde_json::{Value, json};

use super::fleet_revisions::{CARD, Fleet};
use super::fleets;

/// Content of a file that no fleet may show.
const FOREIGN: &str = "db.internal:5432:crm:anna:hunter2-of-anna: [\n";

fn on(view: &FleetView) -> Vec<Option<Digest>> {
    view.portals.iter().map(|portal| portal.revision).collect()
}

async fn revision(fleet: &Fleet) -> FleetRevision {
    let digest = fleet.view().await.head.revision;
    let document = fleet.state().revision(digest).await.unwrap().unwrap();
    FleetRevision::parse(&document).unwrap()
}

#[tokio::test]
async fn fleet_rollback_that_is_repeated_never_brings_the_withdrawn_revision_back() {
    let fleet = Fleet::new(&["alpha", "beta", "gamma"]);
    fleet.publish(&[]);
    fleet.change(RolloutChange::Open(1)).await;
    fleet.change(RolloutChange::Complete).await;
    let good = fleet.view().await.head.revision;
    let mut before = good;
    for ids in ["8", "9"] {
        fleet.0.file("card.yaml", &CARD.replace("8, 12", ids));
        assert_eq!(fleet.publish(&["--expect", &before.to_string()]).0.code, 0);
        let bad = fleet.view().await.head.revision;
        assert_eq!(on(&fleet.view().await), [Some(bad), Some(good), Some(good)]);
        let (back, _) = fleet.run("rollback", &[]);
        assert_eq!(back.code, 0, "{back:?}");
        assert!(back.stderr.contains(&format!("--expect {bad}")), "{}", back.stderr);
        let rolled_back = fleet.view().await;
        assert_eq!(on(&rolled_back), [Some(good); 3]);
        for wrong in [&[][..], &["--expect", &good.to_string()], &["--expect", "none"]] {
            let (again, _) = fleet.run("rollback", wrong);
            assert_eq!(again.code, 4, "{again:?}");
            assert!(again.stderr.contains(&format!("withdrew {bad}")), "{}", again.stderr);
            assert!(again.stderr.contains(&format!("publish --expect {good}")), "{again:?}");
        }
        // The command of a pipeline that runs once more names what it withdraws.
        let (repeated, report) = fleet.run("rollback", &["--expect", &bad.to_string()]);
        assert_eq!(repeated.code, 0, "{repeated:?}");
        assert_eq!(report["rollout"]["revision"], json!(good.to_string()));
        let found = fleet.view().await;
        assert_eq!((&found.head, on(&found)), (&rolled_back.head, vec![Some(good); 3]));
        before = good;
    }
}

#[tokio::test]
async fn fleet_publish_of_more_portals_than_meant_is_refused_until_the_number_is_acknowledged() {
    let names: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fleet = Fleet::new(&names);
    let (refused, report) = fleet.publish(&[]);
    assert_eq!(refused.code, 4, "{refused:?}");
    let violation = json!({ "guard": "maxPortals", "number": 12, "limit": 10, "acknowledge": 12 });
    assert_eq!(report["violations"], json!([violation]));
    assert!(refused.stdout.contains("acknowledge: { portals: 12 }"), "{}", refused.stdout);
    assert!(fleet.state().view("customers").await.unwrap().is_none(), "nothing was published");
    // Workers write to none of them.
    let mended = "  guards: { acknowledge: { portals: 12 } }\n";
    for (more, code) in [
        ("  guards: { acknowledge: { portals: 11 } }\n", 4),
        ("  guards: { maxPortals: 11 }\n", 4),
        (mended, 0),
    ] {
        fleet.declare(&names, more);
        let (ended, _) = fleet.publish(&["--expect", "none"]);
        assert_eq!(ended.code, code, "{more}: {ended:?}");
    }
    // Only what changes counts, against the revision that each portal is on: eleven of them are
    // new, and have none.
    fleet.declare(&names, "  guards: { maxPortals: 11 }\n");
    let current = fleet.current();
    assert_eq!(fleet.publish(&["--expect", &current]).0.code, 0);
    fleet.change(RolloutChange::Open(1)).await;
    fleet.declare(&names, "  stop: { failed: 1 }\n");
    let current = fleet.current();
    assert_eq!(fleet.publish(&["--expect", &current]).0.code, 0, "nothing is reset otherwise");
    fleet.0.file("card.yaml", &CARD.replace("8, 12", "8"));
    let current = fleet.current();
    let (refused, report) = fleet.publish(&["--expect", &current]);
    assert_eq!((refused.code, &report["violations"][0]["number"]), (4, &json!(12)), "{refused:?}");
    let text = std::fs::read_to_string(fleet.0.at("fleet.yaml")).unwrap();
    fleet.0.file("fleet.yaml", &text.replace("defaults: {", "defaults: { mode: drift,"));
    let (looking, _) = fleet.publish(&["--expect", &current]);
    assert_eq!(looking.code, 0, "workers only look: {looking:?}");
    fleet.0.file("fleet.yaml", &text);
    let current = fleet.current();
    assert_eq!(fleet.publish(&["--expect", &current]).0.code, 4, "and now they would write");
}

#[tokio::test]
async fn fleet_publish_signs_the_current_revision_later_and_never_takes_a_signature_away() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    let openssl = |arguments: &[&str]| {
        let mut command = std::process::Command::new("openssl");
        let ended = command.args(arguments).current_dir(fleet.0.path()).output();
        assert!(ended.unwrap().status.success(), "{arguments:?}");
    };
    for name in ["one.pem", "two.pem"] {
        openssl(&["genpkey", "-algorithm", "ed25519", "-out", name]);
    }
    fleet.git(&["init", "-q"]);
    fleet.commit();
    assert_eq!(fleet.publish(&[]).0.code, 0);
    let head = fleet.view().await.head;
    let mut keys: Vec<RevisionSignature> = Vec::new();
    for key in ["one.pem", "two.pem"] {
        let (signed, _) = fleet.publish(&["--signing-key", key]);
        assert_eq!(signed.code, 0, "{signed:?}");
        assert!(signed.stderr.contains("it is signed now"), "{}", signed.stderr);
        keys.extend(revision(&fleet).await.signature);
        assert_eq!(fleet.view().await.head, head, "its rollout goes on as it is");
    }
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
    let (again, _) = fleet.publish(&["--signing-key", "two.pem"]);
    assert!(again.stderr.contains("is the current one already\n"), "{}", again.stderr);
    // A pipeline without the key, of the same commit and of a later one.
    assert_eq!(fleet.publish(&[]).0.code, 0);
    fleet.commit();
    assert_eq!(fleet.publish(&[]).0.code, 0);
    assert_ne!(fleet.view().await.head.publisher, head.publisher);
    assert_eq!(revision(&fleet).await.signature.as_ref(), keys.last());
}

#[tokio::test]
async fn fleet_publish_of_changed_files_is_no_publication_of_their_commit() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.git(&["init", "-q"]);
    fleet.git(&["add", "fleet.yaml"]);
    fleet.git(&["commit", "-q", "-m", "without the card"]);
    // The first revision needs no order; its commit is marked all the same.
    let (untracked, report) = fleet.publish(&[]);
    assert_eq!(untracked.code, 0, "{untracked:?}");
    let commit = |report: &Value| report["rollout"]["commit"].as_str().unwrap().to_owned();
    assert!(commit(&report).ends_with("-dirty"), "{report}");
    fleet.0.file("card.yaml", &CARD.replace("8, 12", "8"));
    fleet.commit();
    let (unordered, _) = fleet.publish(&[]);
    assert_eq!(unordered.code, 4, "nobody knows what was published: {unordered:?}");
    let (clean, report) = fleet.publish(&["--expect", &fleet.current()]);
    assert_eq!((clean.code, commit(&report).len()), (0, 40), "{clean:?}");
    let current = fleet.current();
    fleet.commit();
    fleet.0.file("card.yaml", &CARD.replace("8, 12", "9"));
    let (refused, _) = fleet.publish(&[]);
    assert_eq!((refused.code, fleet.current()), (4, current.clone()), "{refused:?}");
    assert!(refused.stderr.contains("are not those of a commit"), "{}", refused.stderr);
    let (meant, report) = fleet.publish(&["--expect", &current]);
    assert_eq!(meant.code, 0, "{meant:?}");
    assert!(commit(&report).ends_with("-dirty"), "{report}");
    // A commit that the pipeline names is held against the files as well; line ends and a byte
    // order mark are none of them.
    let windows = format!("\u{feff}{}", CARD.replace("8, 12", "9").replace('\n', "\r\n"));
    fleet.0.file("card.yaml", &windows);
    fleet.git(&["config", "core.autocrlf", "true"]);
    fleet.commit();
    let (clean, report) = fleet.publish(&["--expect", &fleet.current()]);
    assert_eq!((clean.code, commit(&report).len()), (0, 40), "{clean:?}");
}

#[tokio::test]
async fn fleet_names_no_file_outside_of_its_repository() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    let place = "fleets/fleet.yaml";
    let foreign = tempfile::tempdir().unwrap();
    let outside = foreign.path().join("pgpass");
    write_whole(&outside, FOREIGN.as_bytes()).unwrap();
    for folder in ["fleets", "shared"] {
        std::fs::create_dir(fleet.0.at(folder)).unwrap();
    }
    fleet.0.file("pgpass", FOREIGN);
    let shared = CARD.replace("name: card", "name: shared").replace("8, 12", "9");
    fleet.0.file("shared/card.yaml", &shared);
    fleet.0.file("fleets/card.yaml", CARD);
    symlink(&outside, fleet.0.at("fleets/link.yaml")).unwrap();
    symlink(foreign.path(), fleet.0.at("fleets/folder")).unwrap();
    let text = std::fs::read_to_string(fleet.0.at("fleet.yaml")).unwrap();
    let with = |line: &str| fleet.0.file(place, &format!("{text}{line}"));
    let of_beta = |file: &str| {
        let entry = "- portal: beta.example\n";
        let named = format!("{entry}      manifests: [\"{file}\"]\n");
        fleet.0.file(place, &text.replace(entry, &named));
    };
    let run = |command: &str, more: &[&str]| {
        let mut command = fleet.0.command(&[&["fleet", command, place], more].concat());
        crate::support::env::CommandOutput::of(command.output().unwrap())
    };
    let refused = |what: &str| {
        let (checked, planned) = (run("validate", &[]), run("plan", &["--secrets", "none"]));
        for ended in [&checked, &planned] {
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(!said.contains("hunter2") && !said.contains("db.internal"), "{what}: {said}");
        }
        assert_eq!((checked.code, planned.code), (1, 3), "{what}: {checked:?} {planned:?}");
        assert!(checked.stderr.contains("it was not read"), "{what}: {}", checked.stderr);
        assert!(planned.stdout.contains("alpha.example"), "the others go on: {planned:?}");
    };
    let absolute = outside.to_str().unwrap();
    for file in ["../pgpass", "../shared/card.yaml", absolute, "link.yaml", "folder/pgpass"] {
        of_beta(file);
        refused(file);
    }
    with("  include: [../pgpass]\n");
    refused("include");
    with("  include: [\"folder/*\"]\n");
    let pattern = run("validate", &[]);
    assert_eq!(pattern.code, 1, "{pattern:?}");
    assert!(pattern.stderr.contains("it was not read"), "{}", pattern.stderr);
    // Not even the folder is listed.
    assert!(!pattern.stderr.contains("pgpass"), "{}", pattern.stderr);
    // In a git repository its other folders may be named, and the data of git may not.
    fleet.git(&["init", "-q"]);
    fleet.0.file(".git/token", FOREIGN);
    of_beta("../.git/token");
    refused("the data of git");
    of_beta("../shared/card.yaml");
    // What the plans above found is no measure of lost portals.
    std::fs::rename(fleet.0.at(".recard"), fleet.0.at("before")).unwrap();
    let (checked, published) = (run("validate", &[]), run("publish", &[]));
    assert_eq!((checked.code, published.code), (0, 0), "{checked:?} {published:?}");
    assert!(revision(&fleet).await.content.files.contains_key("../shared/card.yaml"));
    of_beta(absolute);
    let current = fleet.view().await.head.revision.to_string();
    let published = run("publish", &["--expect", &current]);
    assert_eq!(published.code, 0, "one portal is broken, and no other: {published:?}");
    let files = revision(&fleet).await.content.files;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["card.yaml", "fleet.yaml"]);
}

#[tokio::test]
async fn fleet_with_a_broken_file_of_its_only_canary_tells_that_and_skips_no_wave() {
    // A file that does not tell its portal has no labels either, as this selector wants it.
    for (canary, ways) in [("{ ring: first }", 2), ("\"ring!=canary\"", 1)] {
        skips_no_wave(canary, ways);
    }
}

fn skips_no_wave(canary: &str, ways: usize) {
    let fleet = Fleet::new(&["alpha"]);
    let waves = format!(
        "  include: [canary.portal.yaml]\n  waves: [{{ name: canary, select: {canary} }}, {{ name: rest }}]\n"
    );
    fleet.declare(&["alpha"], &waves);
    let entry = "apiVersion: recard/v1\nkind: FleetPortal\nspec:\n  portal: first.example\n  labels: { ring: first }\n";
    fleet.0.file("canary.portal.yaml", entry);
    assert_eq!(fleet.publish(&[]).0.code, 0);
    let before = fleet.current();
    for (broken, why) in [
        (entry.replace("\nkind", "\n kind"), "canary.portal.yaml:2:"),
        (entry.replace("{ ring: first }", "first"), "canary.portal.yaml:5:"),
    ]
    .into_iter()
    .take(ways)
    {
        fleet.0.file("canary.portal.yaml", &broken);
        let runs: [(&str, &[&str], i32); 5] = [
            ("validate", &[], 1),
            ("plan", &["--secrets", "none", "--out", "plans.json"], 1),
            ("apply", &["--secrets", "none", "--auto-approve"], 1),
            ("publish", &["--expect", &before], 1),
            ("apply", &["--secrets", "none", "--auto-approve", "-l", "ring=canary"], 1),
        ];
        for (command, more, code) in runs {
            let ended = fleet.0.run(&[&["fleet", command], more].concat());
            assert_eq!(ended.code, code, "{command}: {ended:?}");
            let places = [why, "the wave `canary` takes no portal"].map(|part| {
                ended.stderr.find(part).unwrap_or_else(|| panic!("{command} {part}: {ended:?}"))
            });
            assert!(places[0] < places[1], "{command}: {ended:?}");
            assert!(!ended.stderr.contains("remove it"), "{command}: {ended:?}");
        }
        assert!(!fleet.0.at("plans.json").exists());
        assert_eq!(fleet.current(), before);
        // The others are planned all the same.
        let (planned, report) = fleet.run("plan", &["--secrets", "none"]);
        assert_eq!(planned.code, 3, "{planned:?}");
        let cause = |index: usize| report["portals"][index]["detail"].as_str().unwrap().to_owned();
        assert!(cause(0).contains("alpha.example") && cause(1).contains(why), "{report}");
    }
}

#[tokio::test]
async fn fleet_file_that_is_no_text_or_unreadable_breaks_its_portals_alone() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    std::fs::create_dir(fleet.0.at("portals")).unwrap();
    fleet.declare(&["alpha", "beta"], "  include: [portals/*.portal.yaml, missing.yaml]\n");
    write_whole(&fleet.0.at("portals/c.portal.yaml"), b"kind: FleetPortal\n# caf\xe9\n").unwrap();
    write_whole(&fleet.0.at("latin.yaml"), b"# caf\xe9\n").unwrap();
    let text = std::fs::read_to_string(fleet.0.at("fleet.yaml")).unwrap();
    let entry = "- portal: beta.example\n";
    let named = format!("{entry}      manifests: [latin.yaml]\n");
    fleet.0.file("fleet.yaml", &text.replace(entry, &named));
    assert_eq!(fleet.0.run(&["fleet", "validate"]).code, 1);
    assert_eq!(fleet.publish(&["--strict"]).0.code, 1);
    let (planned, report) = fleet.run("plan", &["--secrets", "none"]);
    assert_eq!(planned.code, 3, "{planned:?}");
    let names = |row: &Value| row["portal"].as_str().unwrap().to_owned();
    let names: Vec<String> = report["portals"].as_array().unwrap().iter().map(names).collect();
    let expected = ["alpha.example", "beta.example", "portals/c.portal.yaml", "missing.yaml"];
    assert_eq!(names, expected);
    let (published, _) = fleet.publish(&[]);
    assert_eq!(published.code, 0, "{published:?}");
    let revision = revision(&fleet).await;
    assert_eq!(
        revision.content.unreadable.iter().collect::<Vec<_>>(),
        ["latin.yaml", "missing.yaml", "portals/c.portal.yaml"]
    );
    let read = revision.load().fleet.unwrap();
    let is_bound = |portal: &recard::manifest::FleetPortal| portal.declaration.is_some();
    assert_eq!(read.portals.iter().map(is_bound).collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!(on(&fleet.view().await).len(), 2);
}

#[tokio::test]
async fn fleet_file_that_was_broken_is_no_lost_portal_once_it_is_mended() {
    let fleet = Fleet::new(&["alpha"]);
    fleet.declare(&["alpha"], "  include: [portals/*.portal.yaml]\n");
    let entry = "apiVersion: recard/v1\nkind: FleetPortal\nspec: { portal: beta.example }\n";
    fleet.0.file("portals/beta.portal.yaml", &entry.replace("\nkind", "\n kind"));
    let plan = || fleet.run("plan", &["--secrets", "none", "--detailed-exitcode"]);
    let (broken, report) = plan();
    assert_eq!(
        (broken.code, &report["portals"][1]["outcome"]),
        (3, &json!("failed")),
        "{broken:?}"
    );
    fleet.0.file("portals/beta.portal.yaml", entry);
    let (mended, report) = plan();
    assert_eq!(report["violations"], json!([]), "{mended:?}");
    assert_eq!((mended.code, &report["portals"][1]["portal"]), (3, &json!("beta.example")));
}

#[tokio::test]
async fn fleet_pause_of_a_portal_that_nothing_knows_warns_of_its_spelling() {
    let fleet = Fleet::new(&["alpha"]);
    let pause = |portal: &str| fleet.run("pause", &[portal, "--reason", "x"]).0;
    let first = pause("alpa.example");
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stderr.contains("knows nothing of alpa.example"), "{}", first.stderr);
    let again = pause("alpa.example");
    assert_eq!((again.code, again.stderr.as_str()), (0, ""), "{again:?}");
    fleet.publish(&[]);
    assert_eq!(pause("beta.example").code, 1, "what is published is known");
    let known = pause("alpha.example");
    assert_eq!((known.code, known.stderr.as_str()), (0, ""), "{known:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_plan_uses_the_read_webhook_of_all_for_a_portal_with_a_webhook_of_its_own() {
    let fleet = fleets::Fleet::start(1).await;
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    let text = text.replace("defaults: {", "defaults: { readWebhook: { file: \"{portal}.read\" },");
    let own = "      webhook: { file: own }\n      labels:";
    fleet.env.file("fleet.yaml", &text.replace("      labels:", own));
    let secret = fleet.env.at(fleet.secret(fleet.portal(1)));
    let plan = || fleet.env.run(&["fleet", "plan", "--secrets", "secrets", "--rate", "unlimited"]);
    // The right to write is there, and a look does not take it.
    std::fs::copy(&secret, fleet.env.at("secrets/own")).unwrap();
    assert_eq!(plan().code, 3, "{:?}", plan());
    std::fs::rename(&secret, secret.with_extension("read")).unwrap();
    let read = format!("{}.read", fleet.secret(fleet.portal(1)));
    fleet.env.file(&read, &fleet.portal(1).webhook_url(1).unwrap());
    std::fs::remove_file(fleet.env.at("secrets/own")).unwrap();
    let planned = plan();
    assert_eq!(planned.code, 0, "{planned:?}");
    assert!(planned.stdout.contains("1 with changes"), "{}", planned.stdout);
}
