//! Bodies of the fuzz targets over real files and recorded answers, and over thousands of damaged
//! copies of them.
//!
//! A fuzzer searches longer and better; CONTRIBUTING.md describes how to start one. Its seeds are
//! those of this test.

#[path = "../../../fuzz/src/lib.rs"]
mod bodies;

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::support::env::{QUICKSTART, TestEnv};

/// Function over the bytes of a target; returns `true` if they could be decoded.
type Body = fn(&[u8]) -> bool;

/// A target by the name of its file, and its body.
const TARGETS: [(&str, Body); 6] = [
    ("manifest", bodies::manifest),
    ("plan_file", bodies::plan_file),
    ("journal", bodies::journal),
    ("backup", bodies::backup),
    ("ledger", bodies::ledger),
    ("wire", bodies::wire),
];

/// Number of damaged copies for each target in a usual run: a few seconds in all.
const USUALLY: usize = 150;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, is_meant: &dyn Fn(&str) -> bool, found: &mut Vec<Vec<u8>>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, is_meant, found);
        } else if is_meant(path.file_name().unwrap().to_str().unwrap()) {
            found.push(std::fs::read(path).unwrap());
        }
    }
}

/// Returns the files that recard writes in an apply and a restore, the manifests of the tests, and
/// every recorded answer.
fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let env = TestEnv::new();
    env.file("lead.yaml", QUICKSTART);
    env.file("once.yaml", &format!("{QUICKSTART}      mode: {{ once: 2026-11 }}\n"));
    let run = |arguments: &[&str]| {
        let ended = env.run(&[arguments, &["--portal", "embedded"]].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
    };
    run(&["ledger", "new", "once.json"]);
    run(&["plan", "-f", "lead.yaml", "--out", "lead.recard-plan.json"]);
    run(&["apply", "lead.recard-plan.json"]);
    run(&["restore", "last", "--all", "--out", "back.recard-plan.json"]);
    run(&["restore", "back.recard-plan.json"]);
    run(&["export", "--out", "found"]);
    run(&["apply", "-f", "once.yaml", "--ledger", "once.json", "--auto-approve"]);

    let of_place = |is_meant: &dyn Fn(&str) -> bool| {
        let mut found = Vec::new();
        files(env.path(), is_meant, &mut found);
        found
    };
    let mut manifests = Vec::new();
    files(&root().join("tests/manifests"), &|name| name.ends_with(".yaml"), &mut manifests);
    files(&root().join("examples"), &|name| name.ends_with(".yaml"), &mut manifests);
    let mut recordings = Vec::new();
    for folder in ["tests/wire", "tests/wire-cards"] {
        files(&root().join(folder), &|name| name.ends_with(".jsonl"), &mut recordings);
    }
    let is_sealed = |name: &str| {
        let names = [
            "lead.recard-plan.json",
            "back.recard-plan.json",
            "report.json",
            "plan.json",
            "limiter.json",
            "selection.json",
            "layouts.json",
        ];
        names.contains(&name)
    };
    vec![
        ("manifest", manifests),
        ("plan_file", of_place(&is_sealed)),
        ("journal", of_place(&|name| name.ends_with(".jsonl") && name != "backups.jsonl")),
        ("backup", with_parts(of_place(&|name| name == "backups.jsonl"))),
        ("ledger", of_place(&|name| name == "once.json" || name == "ledger.json")),
        ("wire", recordings.iter().flat_map(|text| answers(text)).collect()),
    ]
}

/// Files of backups, and for each a layout out of it: what a backup holds is read without its
/// envelope, too.
fn with_parts(files: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let layout = |file: &Vec<u8>| {
        let lines = recard::records::read_lines(file).unwrap().lines;
        let backup = recard::records::decode_backup(lines[0].json.as_bytes()).unwrap();
        backup.layout.as_json().as_bytes().to_vec()
    };
    let layouts: Vec<Vec<u8>> = files.iter().map(layout).collect();
    [files, layouts].concat()
}

/// The answers of a file of recordings, each behind a byte for its status.
fn answers(text: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let case: serde_json::Value = serde_json::from_slice(line).unwrap();
        for exchange in case["exchanges"].as_array().into_iter().flatten() {
            let body = &exchange["response"]["body"];
            let text = body.as_str().map_or_else(|| body.to_string(), ToOwned::to_owned);
            found.push([b"\0", text.as_bytes()].concat());
        }
    }
    found.sort();
    found.dedup();
    found
}

/// A copy with some damage: bytes that are flipped, gone, doubled, or from another file. Half of
/// them are damaged so that they stay text: a letter or digit is another one, and it takes more
/// than a parser to find it.
fn damaged(seeds: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    let is_gentle = random.random();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        let length = random.random_range(0..16).min(bytes.len() - at);
        match random.random_range(0..6) {
            _ if is_gentle => {
                if let Some(byte) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_alphanumeric())
                {
                    *byte =
                        if byte.is_ascii_digit() { random.random_range(b'0'..=b'9') } else { b'e' };
                }
            }
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = random.random(),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again);
            }
            4 => bytes.truncate(at),
            _ => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let from = random.random_range(0..=other.len());
                let length = random.random_range(0..64).min(other.len() - from);
                bytes.splice(at..at, other[from..from + length].to_vec());
            }
        }
    }
    bytes
}

fn try_damaged(times: usize) {
    let seeds = seeds();
    for (target, body) in TARGETS {
        let seeds = &seeds.iter().find(|(name, _)| *name == target).unwrap().1;
        let sound = seeds.iter().filter(|seed| body(seed)).count();
        // Of the manifests and of the answers many are meant to be wrong.
        let is_guarded = !matches!(target, "manifest" | "wire");
        let wanted = if is_guarded { seeds.len() } else { 10 };
        assert!(sound >= wanted, "{target}: {sound} of {} seeds can be read", seeds.len());
        let mut random = StdRng::seed_from_u64(20_261_101);
        let mut came_through = 0;
        for number in 0..times {
            let bytes = damaged(seeds, &mut random);
            let outcome = std::panic::catch_unwind(|| body(&bytes));
            let read = outcome.unwrap_or_else(|_| {
                panic!("{target}, copy {number}: {:?}", bytes.escape_ascii().to_string())
            });
            came_through += usize::from(read);
        }
        // Where nothing comes through, nothing behind the seals was tried.
        assert!(
            !is_guarded || came_through > times / 50,
            "{target}: only {came_through} copies come behind the seals"
        );
    }
}

#[test]
fn damaged_input_never_panics() {
    try_damaged(USUALLY);
}

#[test]
#[ignore = "takes minutes: for a quiet hour"]
fn damaged_input_at_night_never_panics() {
    try_damaged(20_000);
}

#[test]
#[ignore = "writes the seeds for cargo fuzz into fuzz/corpus"]
fn write_the_seeds() {
    for (target, seeds) in seeds() {
        let folder = root().join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds.iter().enumerate() {
            recard::store::write_whole(&folder.join(format!("seed-{number}")), seed).unwrap();
        }
    }
}

#[test]
fn fuzz_target_has_its_body_and_its_seeds_here() {
    let mut targets: Vec<String> = std::fs::read_dir(root().join("fuzz/fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    targets.sort();
    let mut here: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    here.sort_unstable();
    assert_eq!(targets, here);
}
