//! Cards are read while people are still being listed, and nobody can tell from the result.

#![cfg(feature = "emulator")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use recard::diagnostic::Diagnostic;
use recard::emulator::{Emulator, EmulatorOptions, Seed};
use recard::engine::{self, Event, Look};
use recard::manifest::{Declaration, Source, load};
use recard::model::{
    CardKey, Department, DepartmentId, Identity, Layout, LeadCustomerType, Person, PersonName, PortalId, ReadTrust,
    ReleaseSign, Snapshot, TrustEvidence, UserId,
};
use recard::port::{CardRead, CardSink, PeopleHeard, PeopleQuery, PortalError, ReadPortal};
use recard::portal::{HttpPortal, PortalReader, PortalSettings, Rate, RetryBudget, WebhookUrl};
use serde_json::json;

const GET: &str = "crm.lead.details.configuration.get";

/// Two blocks that select everybody, with all kinds of exceptions, and one that selects somebody by id.
const EVERYBODY: &str = "  personal:
    - users: { all: true, except: { ids: [1, 7], emails: [user9@company.example], departments: [{ id: 101 }] } }
      leadCustomerTypes: [simple]
    - users: { all: true, except: { departments: [{ id: 102 }] } }
      leadCustomerTypes: [repeat]
    - users: { ids: [7, 55] }
      leadCustomerTypes: [simple]
  common:
    leadCustomerTypes: [simple]
";

fn declaration(blocks: &str) -> Declaration {
    let text = format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
         company.bitrix24.com\n{blocks}  guards: {{ acknowledge: {{ users: 1000, common: [simple] }} }}\n"
    );
    let loaded = load(&[Source { name: "test.yaml".into(), bytes: text.into() }]);
    loaded.declaration.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

async fn emulator(people: u32) -> Emulator {
    let options = EmulatorOptions {
        seed: Seed::Users(people),
        // Long enough for reads to leave before the last page is there.
        command_time: Duration::from_millis(1),
        ..EmulatorOptions::default()
    };
    Emulator::start_with(options).await.unwrap()
}

fn connect(emulator: &Emulator) -> PortalReader {
    let settings = PortalSettings {
        rate: Rate::Unlimited,
        retry_budget: RetryBudget {
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(20),
            ..RetryBudget::default()
        },
        deadline: Some(Duration::from_secs(60)),
        ..PortalSettings::default()
    };
    HttpPortal::connect(WebhookUrl::parse(&emulator.webhook_url(1).unwrap()).unwrap(), settings).unwrap().reader()
}

fn silent(_: Event) {}

fn always(_: &[Diagnostic]) -> bool {
    true
}

/// How a snapshot reads, card by card.
fn shown(snapshot: &Snapshot) -> (String, BTreeMap<CardKey, String>) {
    let cards = snapshot.cards.iter().map(|(key, observed)| (*key, format!("{observed:?}"))).collect();
    (format!("{:?} {:?}", snapshot.trust, snapshot.common_defaults), cards)
}

/// What one step after the other sees.
async fn one_after_the_other(reader: &impl ReadPortal, declaration: &Declaration) -> Snapshot {
    let caller = reader.identify().await.unwrap();
    let desired = engine::resolve(reader, declaration).await.unwrap().desired;
    let keys: Vec<CardKey> = desired.targets.iter().map(|target| target.key).collect();
    engine::observe(reader, &caller, &keys, &silent).await.unwrap()
}

async fn at_once(reader: &impl ReadPortal, declaration: &Declaration) -> Look {
    let caller = reader.identify().await.unwrap();
    engine::look(reader, &caller, declaration, always, &silent).await.unwrap()
}

fn by_method(emulator: &Emulator, method: &str) -> u64 {
    emulator.counters().by_method.get(method).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_is_seen_with_the_same_reads() {
    let (declaration, emulator) = (declaration(EVERYBODY), emulator(260).await);
    let expected = one_after_the_other(&connect(&emulator), &declaration).await;
    assert!(expected.cards.len() > 400, "{}", expected.cards.len());
    let reads = by_method(&emulator, GET);
    let look = at_once(&connect(&emulator), &declaration).await;
    assert_eq!(shown(&look.snapshot.unwrap()), shown(&expected));
    assert_eq!(by_method(&emulator, GET), 2 * reads, "every card is read once");
    assert_eq!(emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_are_read_before_the_last_page_is_there() {
    let emulator = emulator(260).await;
    // The first request with pages behind the first one is answered late.
    emulator.set_faults(&json!([{"inside": "user.get", "nth": 2, "do": "slow", "ms": 1500}])).unwrap();
    let (reader, declaration) = (connect(&emulator), declaration(EVERYBODY));
    let look = tokio::spawn(async move { at_once(&reader, &declaration).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let reads = by_method(&emulator, GET);
    assert!(!look.is_finished() && (50..200).contains(&reads), "{reads} reads");
    assert!(look.await.unwrap().snapshot.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_is_seen_whatever_happens_to_the_pages() {
    let (declaration, emulator) = (declaration(EVERYBODY), emulator(260).await);
    let expected = one_after_the_other(&connect(&emulator), &declaration).await;
    for what in
        ["rate-limit", "operating-time", "html-before", "html-after", "html-ok", "cut-before", "cut-after", "truncate"]
    {
        for nth in [2, 3, 5] {
            emulator.set_faults(&json!([{"method": "batch", "nth": nth, "do": what}])).unwrap();
            let before = emulator.counters().faults;
            let look = at_once(&connect(&emulator), &declaration).await;
            assert_eq!(shown(&look.snapshot.unwrap()), shown(&expected), "{what} {nth}");
            assert_eq!(emulator.counters().faults, before + 1, "{what} {nth}");
        }
    }
    for what in ["fail-command", "limit-command", "rate-limit-command", "skip-command", "fatal"] {
        for nth in [2, 4, 6] {
            emulator.set_faults(&json!([{"method": "user.get", "nth": nth, "do": what}])).unwrap();
            let before = emulator.counters().faults;
            let look = at_once(&connect(&emulator), &declaration).await;
            assert_eq!(shown(&look.snapshot.unwrap()), shown(&expected), "{what} {nth}");
            assert_eq!(emulator.counters().faults, before + 1, "{what} {nth}");
        }
    }
    assert_eq!(emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_more_is_read_for_manifests_that_are_wrong() {
    let wrong = "  personal:
    - users: { all: true, except: { emails: [nobody@company.example] } }
      leadCustomerTypes: [simple, repeat]
";
    let emulator = emulator(2000).await;
    let reader = connect(&emulator);
    let caller = reader.identify().await.unwrap();
    let worth = |found: &[Diagnostic]| !found.iter().any(Diagnostic::is_error);
    let look = engine::look(&reader, &caller, &declaration(wrong), worth, &silent).await.unwrap();
    assert!(look.snapshot.is_none() && look.resolution.warnings.iter().any(Diagnostic::is_error));
    assert!(by_method(&emulator, GET) < 2500, "{} of 4000 were read", by_method(&emulator, GET));
}

/// A portal whose list of people changes while it is read: what is heard of it is not what it is in the end.
struct Changing {
    id: PortalId,
    heard: Vec<Vec<Person>>,
    people: Vec<Person>,
    read: Mutex<BTreeMap<CardKey, u32>>,
}

fn identity(release_sign: ReleaseSign) -> Identity {
    Identity {
        user: UserId::new(1).unwrap(),
        name: PersonName::default(),
        portal_admin: true,
        active_users: 3,
        release_sign,
        emulator: true,
    }
}

fn person(id: u64) -> Person {
    Person {
        id: UserId::new(id).unwrap(),
        name: PersonName::default(),
        email: None,
        active: true,
        departments: vec![DepartmentId::new(1).unwrap()],
    }
}

impl ReadPortal for Changing {
    fn portal(&self) -> &PortalId {
        &self.id
    }

    async fn identify(&self) -> Result<Identity, PortalError> {
        Ok(identity(ReleaseSign::Trusted(TrustEvidence::WholeSeconds)))
    }

    async fn departments(&self) -> Result<Vec<Department>, PortalError> {
        Ok(Vec::new())
    }

    async fn people(&self, _: &PeopleQuery) -> Result<Vec<Person>, PortalError> {
        Ok(self.people.clone())
    }

    async fn everybody(&self, heard: &PeopleHeard<'_>) -> Result<Vec<Person>, PortalError> {
        for page in &self.heard {
            heard(page, 100);
            tokio::task::yield_now().await;
        }
        Ok(self.people.clone())
    }

    async fn read_cards(&self, keys: &[CardKey], sink: &mut dyn CardSink) -> Result<(), PortalError> {
        for key in keys {
            *self.read.lock().unwrap().entry(*key).or_default() += 1;
            sink.take(*key, CardRead::Read(None));
        }
        Ok(())
    }
}

/// A release that answers every read with the caller's card, who saves it after the first cards of others were read.
struct Saving {
    id: PortalId,
    asked: Mutex<u32>,
}

impl ReadPortal for Saving {
    fn portal(&self) -> &PortalId {
        &self.id
    }

    async fn identify(&self) -> Result<Identity, PortalError> {
        Ok(identity(ReleaseSign::Unknown))
    }

    async fn departments(&self) -> Result<Vec<Department>, PortalError> {
        Ok(Vec::new())
    }

    async fn people(&self, _: &PeopleQuery) -> Result<Vec<Person>, PortalError> {
        Ok(vec![person(1), person(2)])
    }

    async fn read_cards(&self, keys: &[CardKey], sink: &mut dyn CardSink) -> Result<(), PortalError> {
        let asked = {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            *asked
        };
        for key in keys {
            let old = asked == 1 && key.user() == UserId::new(2).ok();
            let json =
                format!(r#"[{{"name":"{}","title":"","type":"section","elements":[]}}]"#, if old { "a" } else { "b" });
            sink.take(*key, CardRead::Read(Some(Layout::from_json(&json).unwrap())));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_caller_who_saves_while_cards_are_read_proves_nothing() {
    let all = "  personal:\n    - users: { all: true }\n      leadCustomerTypes: [simple]\n";
    let portal = Saving { id: PortalId::new("company.bitrix24.com").unwrap(), asked: Mutex::default() };
    let snapshot = at_once(&portal, &declaration(all)).await.snapshot.unwrap();
    assert_eq!(snapshot.trust, ReadTrust::Unproven);
}

#[tokio::test]
async fn the_finished_list_alone_says_who_is_meant() {
    let all = "  personal:\n    - users: { all: true }\n      leadCustomerTypes: [simple, repeat]\n";
    let portal = Changing {
        id: PortalId::new("company.bitrix24.com").unwrap(),
        heard: vec![vec![person(2), person(3)], vec![person(9)]],
        people: vec![person(1), person(2), person(4)],
        read: Mutex::default(),
    };
    let snapshot = at_once(&portal, &declaration(all)).await.snapshot.unwrap();
    let keys: Vec<CardKey> = snapshot.cards.iter().map(|(key, _)| *key).collect();
    let both = |id| LeadCustomerType::ALL.map(|lead| CardKey::personal(UserId::new(id).unwrap(), lead));
    let mut expected: Vec<CardKey> = [1, 2, 4].into_iter().flat_map(both).collect();
    expected.sort_unstable();
    assert_eq!(keys, expected, "nobody who has gone, and everybody who has come");
    assert!(portal.read.lock().unwrap().values().all(|times| *times == 1), "{:?}", portal.read);
}
