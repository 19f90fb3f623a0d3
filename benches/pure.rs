//! CPU cost of recard without a portal: reading manifests, planning, diffs, digests, decoding
//! answers.
//!
//! ```sh
//! cargo bench --bench pure
//! ```
//!
//! Each is measured for three sizes: the cost of a single item should not grow with their number.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and cannot go on without its material"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use recard::manifest::{Source, load};
use recard::model::{
    CardKey, CardState, DesiredState, DesiredTarget, Identity, Layout, LeadCustomerType, Mode,
    Observed, Origin, PersonName, PortalId, ReadTrust, ReleaseSign, Selector, Snapshot,
    SourceLocation, TrustEvidence, UserId,
};
use recard::plan::{Policy, diff, plan};
use recard::portal::wire::{BatchResponse, decode};

fn main() {
    println!("| what | how many | seconds | a second |");
    println!("|---|---|---|---|");
    for users in [10_000, 100_000, 500_000] {
        planning(users);
    }
    for ids in [1_000, 10_000, 100_000] {
        manifests(ids);
    }
    for sections in [3, 30, 300] {
        layouts(sections);
    }
    for commands in [5, 50] {
        answers(commands);
    }
}

fn row(what: &str, number: usize, seconds: f64) {
    println!("| {what} | {number} | {seconds:.4} | {:.0} |", number as f64 / seconds);
}

/// The best of five: the others were disturbed.
fn best(mut work: impl FnMut()) -> f64 {
    let time = |work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64()
    };
    (0..5).map(|_| time(&mut work)).fold(f64::INFINITY, f64::min)
}

fn layout(sections: usize) -> Layout {
    let section = |number: usize| {
        let fields: Vec<String> = (0..8)
            .map(|field| format!(r#"{{"name":"UF_CRM_{number}_{field}","optionFlags":"1"}}"#))
            .collect();
        format!(
            r#"{{"name":"s{number}","title":"Section {number}","type":"section","elements":[{}]}}"#,
            fields.join(",")
        )
    };
    Layout::from_json(&format!("[{}]", (0..sections).map(section).collect::<Vec<_>>().join(",")))
        .unwrap()
}

fn planning(users: u64) {
    let origin = Arc::new(Origin {
        manifest: "bench".into(),
        reason: "to measure".into(),
        place: SourceLocation { file: "bench.yaml".into(), line: 1, column: 1 },
        selector: Selector::All,
    });
    let card = layout(3);
    let mut targets = Vec::new();
    let mut cards = Vec::new();
    for id in 1..=users {
        for lead in LeadCustomerType::ALL {
            let key = CardKey::personal(UserId::new(id).unwrap(), lead);
            targets.push(DesiredTarget { key, mode: Mode::Enforce, origin: Arc::clone(&origin) });
            let state =
                if id % 3 == 0 { CardState::Customized(card.clone()) } else { CardState::Default };
            cards.push((key, Observed::Known(state)));
        }
    }
    let desired = DesiredState { targets, ..DesiredState::default() };
    let snapshot = Snapshot {
        portal: PortalId::new("company.bitrix24.com").unwrap(),
        caller: Identity {
            user: UserId::new(1).unwrap(),
            name: PersonName::default(),
            portal_admin: true,
            active_users: u32::try_from(users).unwrap(),
            release_sign: ReleaseSign::Unknown,
            emulator: false,
        },
        trust: ReadTrust::Trusted(TrustEvidence::WholeSeconds),
        common_defaults: Default::default(),
        common_cards: Default::default(),
        cards,
    };
    let seconds = best(|| {
        black_box(plan(black_box(&desired), black_box(&snapshot), &Policy::default()));
    });
    row("targets planned", desired.targets.len(), seconds);
}

fn manifests(ids: usize) {
    let list: Vec<String> = (1..=ids).map(|id| id.to_string()).collect();
    let text = format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: bench, reason: to measure }}\nspec:\n  portal: \
         company.bitrix24.com\n  personal:\n    - users:\n        ids: [{}]\n      leadCustomerTypes: [simple, repeat]\n",
        list.join(", ")
    );
    let seconds = best(|| {
        let source = Source { name: "bench.yaml".into(), bytes: text.clone().into_bytes() };
        assert!(black_box(load(&[source])).declaration.is_some());
    });
    row("ids of a manifest read", ids, seconds);
}

fn layouts(sections: usize) {
    let before = layout(sections);
    let after = layout(sections - 1);
    let fields = before.fields() as usize;
    row(
        "fields compared in a diff",
        fields,
        best(|| drop(black_box(diff::diff(Some(&before), Some(&after))))),
    );
    let json = before.as_json().to_owned();
    let seconds = best(|| {
        black_box(Layout::from_json(&json).unwrap().digest());
    });
    row("fields read, made canonical and digested", fields, seconds);
}

fn answers(commands: usize) {
    let card = layout(3);
    let results: Vec<String> =
        (0..commands).map(|number| format!(r#""c{number}":{}"#, card.as_json())).collect();
    let body = format!(
        r#"{{"result":{{"result":{{{}}},"result_error":[],"result_total":[],"result_next":[],"result_time":[]}}}}"#,
        results.join(",")
    );
    let repeats = 2_000 / commands;
    let seconds = best(|| {
        for _ in 0..repeats {
            let success =
                decode(200, Some("application/json; charset=utf-8"), body.as_bytes()).unwrap();
            assert_eq!(
                black_box(BatchResponse::from_success(&success).unwrap()).results.len(),
                commands
            );
        }
    });
    row(&format!("commands of batches decoded, {commands} in each"), repeats * commands, seconds);
}
