//! Plans of a fleet: one process over a thousand portals in another process.

use std::process::{Command, Stdio};

use crate::process::{Place, RECARD, Running, say};

/// Number of portals, and of people on each.
const PORTALS: usize = 1_000;
const PEOPLE: u64 = 40;

/// Starts the emulator with so many portals, and a fleet of them in the folder `fleet`.
pub(crate) async fn portals(place: &Place, portals: usize) -> Running {
    let mut emulator = Command::new(RECARD);
    emulator.args(["emulate", "--portals", &portals.to_string(), "--fleet-out", "fleet"]);
    emulator.args(["--seed", &format!("users={PEOPLE}"), "--ready-file", "ready.json"]);
    emulator.current_dir(place.path()).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    let emulator = Running::start(emulator.stderr(Stdio::null()));
    while !place.path().join("ready.json").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    emulator
}

/// Measures `recard fleet plan`, and prints the figures with those that are wanted.
pub(crate) async fn fleet() {
    say("fleet: starting a thousand portals");
    let place = Place::empty();
    let emulator = portals(&place, PORTALS).await;
    // Everybody's two cards, on each portal.
    let card = format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: bench, reason: to measure }}\nspec:\n  \
         personal:\n    - users: {{ all: true, except: {{ ids: [1] }} }}\n      leadCustomerTypes: [simple, repeat]\n  \
         guards: {{ acknowledge: {{ users: {PEOPLE} }} }}\n"
    );
    place.write("fleet/standard-card.yaml", card.as_bytes());
    println!(
        "| fleet plan, {PORTALS} portals of {PEOPLE} people | time | processor | peak | emulator | text | Markdown | HTML |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for title in ["empty store", "again"] {
        let arguments = [
            "fleet",
            "plan",
            "fleet/fleet.yaml",
            "--secrets",
            "fleet/secrets",
            "-o",
            "text",
            "-o",
            "json=report.json",
            "-o",
            "markdown=report.md",
            "-o",
            "html=report.html",
        ];
        let taken = place.measure("", &arguments).await;
        assert_eq!(taken.code, 0, "{}", place.said());
        let size = |name: &str| std::fs::read(place.path().join(name)).unwrap().len();
        let report = std::fs::read(place.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["totals"]["changes"], PORTALS, "{}", report["totals"]);
        let lines = std::fs::read_to_string(place.path().join("out")).unwrap().lines().count();
        println!(
            "| {title} | {:.1} s | {:.1} s | {:.0} MiB | {:.0} MiB | {lines} lines | {} bytes | {} bytes |",
            taken.wall,
            taken.processor(),
            taken.peak_mib,
            emulator.peak_mib(),
            size("report.md"),
            size("report.html"),
        );
    }
    println!(
        "| wanted | 15 s | 5 s | 64 MiB | 400 MiB | 60 lines | 60000 bytes | 2000000 bytes |\n"
    );
}
