//! Worker on fleets of which something cannot be used: entries, revisions, files of the store.

use std::path::PathBuf;
use std::time::Duration;

use recard::model::PortalId;
use recard::store::write_whole;

use super::fleet_modes::add_to_entry;
use super::fleets::Fleet;
use super::worker_fleets::{PROBLEMS, make_keys, publish_with};
use super::workers::{Worker, wait_until};

const STORE: &str = ".recard";

/// Waves of which the second one does not open.
const WAVES: &str =
    "  waves: [{ name: canary, select: { ring: canary }, settle: 1h }, { name: rest }]\n";

/// Writes the fleet with rounds each second.
fn declare(fleet: &Fleet, more: &str) {
    fleet.declare(more);
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    fleet.env.file("fleet.yaml", &text.replace("defaults: {", "defaults: { every: 1s,"));
}

fn requests(fleet: &Fleet, number: usize) -> u64 {
    fleet.portal(number).counters().requests
}

fn wait_for_looks(fleet: &Fleet, number: usize) {
    let so_far = requests(fleet, number);
    wait_until("looks", || requests(fleet, number) > so_far + 10);
}

fn portal_file(fleet: &Fleet, number: usize, name: &str) -> PathBuf {
    let portal = PortalId::new(fleet.portal(number).host()).unwrap();
    fleet.env.at(STORE).join("portals").join(portal.folder_name()).join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_sends_nothing_to_a_portal_whose_pause_or_mode_has_a_typo() {
    let fleet = Fleet::start(2).await;
    // The second portal has a file of its own.
    let declare_with = |more: &str, pause_or_mode: &str| {
        declare(&fleet, "");
        let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
        let entry = format!("    - portal: \"{}\"", fleet.portal(2).host());
        let (before, _) = text.split_once(&entry).unwrap();
        fleet.env.file("fleet.yaml", &format!("{before}  include: [second.yaml]\n{more}"));
        let second = format!(
            "apiVersion: recard/v1\nkind: FleetPortal\nspec:\n  portal: \"{}\"\n  \
             labels: {{ ring: rest }}\n  values: {{ people: {{ ids: [8, 12] }} }}\n  {pause_or_mode}\n",
            fleet.portal(2).host()
        );
        fleet.env.file("second.yaml", &second);
        publish_with(&fleet, STORE, &[]);
    };
    declare_with("", "pause: { reason: later }");
    let worker = Worker::start_on(&fleet.env, &["--store", STORE]);
    wait_until("the pause", || fleet.removed() == [2, 0] && worker.portals("paused") == Some(1.0));
    declare_with(WAVES, "pause: { reason: later, until: 2099-13-01 }");
    wait_until("a round without a request", || worker.rounds("failed") >= 2.0);
    assert_eq!((fleet.removed(), requests(&fleet, 2)), (vec![2, 0], 0));

    declare_with(WAVES, "mode: drift");
    wait_for_looks(&fleet, 2);
    declare_with(WAVES, "mode: dirft");
    let so_far = worker.rounds("failed");
    wait_until("rounds without a request", || worker.rounds("failed") >= so_far + 2.0);
    assert_eq!(fleet.removed(), [2, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_keeps_modes_and_pauses_when_the_next_revision_is_not_signed() {
    let fleet = Fleet::start(4).await;
    make_keys(&fleet.env);
    let signed = ["--signing-key", "key.pem"];
    let arguments = ["--trusted-key", "key.pub", "--store", STORE];
    let secret = fleet.secret(fleet.portal(4));
    let right = std::fs::read_to_string(fleet.env.at(&secret)).unwrap();
    fleet.env.file(&secret, &right.replace("emulator", "reloaded"));
    let before = fleet.portal(2).rows();

    declare(&fleet, "");
    add_to_entry(&fleet, 3, "pause: { reason: later }");
    publish_with(&fleet, STORE, &signed);
    let mut worker = Worker::start_on(&fleet.env, &arguments);
    wait_until("the first revision", || {
        fleet.removed() == [2, 2, 0, 0] && worker.rounds("parked") >= 1.0
    });
    declare(&fleet, WAVES);
    add_to_entry(&fleet, 3, "pause: { reason: later }");
    add_to_entry(&fleet, 2, "mode: drift");
    publish_with(&fleet, STORE, &signed);
    // The mode is known now, or soon.
    std::thread::sleep(Duration::from_secs(11));
    before.into_iter().for_each(|row| fleet.portal(2).put_row(row));

    declare(&fleet, WAVES);
    publish_with(&fleet, STORE, &[]);
    wait_until("the problem", || worker.metric(PROBLEMS) == 1.0);
    wait_for_looks(&fleet, 2);
    assert_eq!(fleet.removed(), [2, 2, 0, 0], "it is only looked at");
    fleet.env.file(&secret, &right);
    wait_until("the end of the park", || fleet.removed() == [2, 2, 0, 2]);

    worker.stop();
    let mut worker = Worker::start_on(&fleet.env, &arguments);
    wait_for_looks(&fleet, 2);
    assert_eq!(fleet.removed(), [2, 2, 0, 2], "the revision before holds");
    worker.stop();
    // No revision is left that tells a mode.
    declare(&fleet, &format!("{WAVES}  guards: {{ maxPortals: 20 }}\n"));
    publish_with(&fleet, STORE, &[]);
    let worker = Worker::start_on(&fleet.env, &arguments);
    wait_for_looks(&fleet, 2);
    assert_eq!((fleet.removed(), requests(&fleet, 3)), (vec![2, 2, 0, 2], 0));
    assert_eq!(worker.metric(PROBLEMS), 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_on_a_folder_with_a_damaged_file_of_a_portal_reconciles_the_others() {
    let fleet = Fleet::start(3).await;
    declare(&fleet, "");
    publish_with(&fleet, STORE, &[]);
    let (row, pause) = (portal_file(&fleet, 1, "queue.json"), portal_file(&fleet, 2, "pause.json"));
    for path in [&row, &pause] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_whole(path, b"nonsense").unwrap();
    }
    let worker = Worker::start_on(&fleet.env, &["--store", STORE]);
    wait_until("the third portal", || fleet.removed() == [0, 0, 2]);
    wait_until("the pause", || worker.portals("paused") == Some(1.0));
    assert_eq!((requests(&fleet, 1), requests(&fleet, 2)), (0, 0));
    assert!(worker.told().contains("queue.json is damaged"), "{}", worker.told());
    let status = fleet.env.run(&["fleet", "status", "--fleet", "test"]);
    assert!(status.stdout.contains("pause.json is damaged"), "{status:?}");
    declare(&fleet, WAVES);
    publish_with(&fleet, STORE, &[]);
    std::fs::remove_file(&row).unwrap();
    assert_eq!(fleet.env.run(&["fleet", "unpause", fleet.portal(2).host()]).code, 0);
    wait_until("the others", || fleet.removed() == [2, 2, 2]);

    // A head that is damaged while the worker runs: all goes on but for pauses by command.
    let heads = std::fs::read_dir(fleet.env.at(STORE).join("fleets")).unwrap();
    let mut heads = heads.map(|entry| entry.unwrap().path());
    let head = heads.find(|path| path.to_string_lossy().ends_with(".head.json")).unwrap();
    write_whole(&head, b"nonsense").unwrap();
    wait_until("the damage", || worker.told().contains("the fleet test cannot be used"));
    wait_for_looks(&fleet, 2);
    let paused = fleet.env.run(&["fleet", "pause", fleet.portal(2).host(), "--reason", "x"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    wait_until("the pause of a fleet without a head", || worker.portals("paused") == Some(1.0));
    wait_for_looks(&fleet, 3);
}
