//! Manifests at random over portals at random: no request leaves anything to the portal, and no
//! card goes that the manifest does not name.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use recard::app::Error;
use recard::plan::BlindReset;
use serde_json::{Value, json};

use super::{Rows, World, decisions, difference, row, spelled};

/// Names of pipelines; some are words of the manifest.
const NAMES: [&str; 6] = ["General", "Partners", "Urgent", "all", "default", "A: #1 \"x\"\\ é"];

/// Smart processes with their titles, two of them alike.
const PROCESSES: [(u32, &str); 5] =
    [(177, "Requests"), (178, "Alike"), (1038, "Alike"), (1040, "Fresh"), (1042, "Café #2")];

const RELEASES: [&str; 3] = ["current", "mid", "legacy-read"];

/// Number of the pipelines besides the main ones.
const PIPELINES: usize = 12;

/// Types whose categories share one range of numbers.
const TYPES: [u32; 8] = [3, 4, 31, 177, 178, 1038, 1040, 1042];

#[derive(Clone, Debug)]
struct RandomPortal {
    release: &'static str,
    caller: i64,
    /// Deal pipelines, by number, with their names.
    deals: Vec<(u32, &'static str)>,
    has_main_deals_row: bool,
    /// Categories with their number: type, name, and whether it is the default one.
    items: Vec<(u32, &'static str)>,
    /// Rights that the roles of the caller lack.
    hidden: Vec<Index>,
}

#[derive(Clone, Debug)]
enum Pipelines {
    All,
    Default,
    Id(u32),
    Name(&'static str),
}

#[derive(Clone, Debug)]
enum Entry {
    Lead(u32),
    Deal(Pipelines),
    Contact(Pipelines),
    Company(Pipelines),
    Quote,
    Invoice,
    Process(u32, Pipelines),
    Titled(&'static str, Pipelines),
}

fn portal() -> impl Strategy<Value = RandomPortal> {
    let name = || prop::sample::select(&NAMES[..]);
    let deals =
        (subsequence((1..=9).collect::<Vec<u32>>(), 0..4), prop::collection::vec(name(), 9));
    let deals = deals.prop_map(|(ids, names)| ids.into_iter().zip(names).collect());
    let items = prop::collection::vec((prop::sample::select(&TYPES[..]), name()), PIPELINES);
    let caller = prop_oneof![3 => Just(1), 2 => Just(9), 1 => Just(7)];
    let release = prop::sample::select(&RELEASES[..]);
    let hidden = prop::collection::vec(any::<Index>(), 0..12);
    (release, caller, deals, any::<bool>(), items, hidden).prop_map(
        |(release, caller, deals, has_main_deals_row, items, hidden)| RandomPortal {
            release,
            caller,
            deals,
            has_main_deals_row,
            items,
            hidden,
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    let pipelines = || {
        prop_oneof![
            3 => Just(Pipelines::All),
            3 => Just(Pipelines::Default),
            2 => (0..=13_u32).prop_map(Pipelines::Id),
            1 => prop::sample::select(&NAMES[..3]).prop_map(Pipelines::Name),
            1 => Just(Pipelines::Name(NAMES[5])),
        ]
    };
    let process = prop::sample::select(&[177, 178, 1038, 1040, 1042, 1044][..]);
    let title = prop::sample::select(&["Requests", "Alike", "Fresh", "Café #2"][..]);
    prop_oneof![
        1 => (1..=2_u32).prop_map(Entry::Lead),
        3 => pipelines().prop_map(Entry::Deal),
        2 => pipelines().prop_map(Entry::Contact),
        2 => pipelines().prop_map(Entry::Company),
        1 => Just(Entry::Quote),
        2 => Just(Entry::Invoice),
        4 => (process, pipelines()).prop_map(|(of, pipelines)| Entry::Process(of, pipelines)),
        1 => (title, pipelines()).prop_map(|(title, pipelines)| Entry::Titled(title, pipelines)),
    ]
}

impl RandomPortal {
    fn state(&self) -> Value {
        let mut deals: Vec<Value> = self
            .deals
            .iter()
            .map(|(id, name)| json!({"id": id, "name": name, "sort": 100 - id}))
            .collect();
        if self.has_main_deals_row {
            deals.push(json!({"id": 0, "name": "General", "sort": 300, "isDefault": "Y"}));
        }
        let (mut invoices, mut with_default) = (0, BTreeSet::new());
        let items: Vec<Value> = (1_u32..)
            .zip(&self.items)
            // Invoices have one pipeline.
            .filter(|(_, (of, _))| {
                invoices += u32::from(*of == 31);
                *of != 31 || invoices == 1
            })
            .map(|(id, (of, name))| {
                let is_default = *of > 4 && with_default.insert(*of);
                json!({"id": id, "entityTypeId": of, "name": name, "sort": 500 - id,
                    "isDefault": if is_default { "Y" } else { "N" }})
            })
            .collect();
        let mut types: Vec<Value> = (2..)
            .zip(PROCESSES)
            .map(|(id, (of, title))| json!({"id": id, "entityTypeId": of, "title": title}))
            .collect();
        types.push(json!({"id": 1, "entityTypeId": 31, "title": "Smart invoice"}));
        let mut rights: Vec<String> = ["LEAD", "DEAL", "CONTACT", "COMPANY", "QUOTE"]
            .map(str::to_owned)
            .into_iter()
            .chain(self.deals.iter().map(|(id, _)| format!("DEAL_C{id}")))
            .chain(items.iter().map(|item| {
                let kind = match item["entityTypeId"].as_u64().unwrap() {
                    3 => "CONTACT".to_owned(),
                    4 => "COMPANY".to_owned(),
                    31 => "SMART_INVOICE".to_owned(),
                    of => format!("DYNAMIC_{of}"),
                };
                format!("{kind}_C{}", item["id"])
            }))
            .map(|entity| format!("{entity} read"))
            .collect();
        for hidden in &self.hidden {
            if !rights.is_empty() {
                rights.remove(hidden.index(rights.len()));
            }
        }
        let with_settings: Vec<String> =
            rights.iter().cloned().chain(["CONFIG write".to_owned()]).collect();
        json!({
            "crm_types": types, "crm_deal_categories": deals, "crm_item_categories": items,
            "crm_role_rights": {"CRM admin": with_settings, "Manager": rights},
            "next_crm_item_category_id": 40,
        })
    }

    /// Rows of every card that a request could reach, of three people and common ones.
    fn rows(&self) -> Vec<Value> {
        let mut names: Vec<String> = vec!["lead_details".into(), "returning_lead_details".into()];
        let kinds: Vec<u32> = [2, 7].into_iter().chain(TYPES).collect();
        for of in kinds {
            names.extend((0..=13).map(|number| row_name(of, Some(number))));
        }
        let rows = names.iter().flat_map(|name| {
            let name = spelled(self.release, name);
            let common = row(0, &format!("{name}_common"), &name);
            let personal = [1, 7, 9].map(|user| row(user, &name, &format!("{name} of {user}")));
            personal.into_iter().chain([common])
        });
        rows.collect()
    }
}

/// Returns the name of the row of a type and a pipeline.
fn row_name(of: u32, pipeline: Option<u32>) -> String {
    let (name, infix) = match of {
        2 => ("deal_details".to_owned(), "_c_"),
        3 => ("contact_details".to_owned(), "_C_"),
        4 => ("company_details".to_owned(), "_C_"),
        7 => ("QUOTE_details".to_owned(), "_c_"),
        31 => ("SMART_INVOICE_details".to_owned(), "_C"),
        _ => (format!("DYNAMIC_{of}_details"), "_C"),
    };
    match pipeline {
        None | Some(0) => name,
        Some(number) => format!("{name}{infix}{number}"),
    }
}

impl Pipelines {
    fn yaml(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Default => "[default]".to_owned(),
            Self::Id(id) => format!("[{id}]"),
            Self::Name(name) => format!("[{}]", json!(name)),
        }
    }

    /// Returns the numbers within a list; `None` if there is not exactly one, or none at all.
    fn pick(&self, list: &[Value]) -> Option<Vec<u32>> {
        let is_meant = |one: &&Value| match self {
            Self::All => true,
            Self::Default => one["isDefault"] == "Y",
            Self::Id(id) => one["id"] == *id,
            Self::Name(name) => one["name"] == *name,
        };
        let found: Vec<u32> = list
            .iter()
            .filter(is_meant)
            .map(|one| u32::try_from(one["id"].as_u64().unwrap()).unwrap())
            .collect();
        let is_clear = found.len() == 1 || matches!(self, Self::All) && !found.is_empty();
        is_clear.then_some(found)
    }
}

/// What an entry means: the rows with their text forms, and the types without a listed pipeline.
#[derive(Debug, Default)]
struct Meaning {
    cards: BTreeSet<(String, String)>,
    without_pipeline: BTreeSet<String>,
}

impl Entry {
    fn yaml(&self) -> String {
        match self {
            Self::Lead(1) => "lead: { types: [simple] }".to_owned(),
            Self::Lead(_) => "lead: { types: [repeat] }".to_owned(),
            Self::Deal(pipelines) => format!("deal: {{ pipelines: {} }}", pipelines.yaml()),
            Self::Contact(Pipelines::Default) => "contact: {}".to_owned(),
            Self::Company(Pipelines::Default) => "company: {}".to_owned(),
            Self::Contact(pipelines) => format!("contact: {{ categories: {} }}", pipelines.yaml()),
            Self::Company(pipelines) => format!("company: {{ categories: {} }}", pipelines.yaml()),
            Self::Quote => "quote: {}".to_owned(),
            Self::Invoice => "smartInvoice: {}".to_owned(),
            Self::Process(of, pipelines) => {
                format!("smartProcess: {{ type: {of}, pipelines: {} }}", pipelines.yaml())
            }
            Self::Titled(title, pipelines) => {
                format!(
                    "smartProcess: {{ type: {}, pipelines: {} }}",
                    json!(title),
                    pipelines.yaml()
                )
            }
        }
    }

    /// Adds the meaning on a portal. Returns `None` if the portal has no such card, or several.
    fn mean(&self, world: &World, may_list_types: bool, meaning: &mut Meaning) -> Option<()> {
        let (of, pipelines, word) = match self {
            Self::Lead(number) => {
                let row = ["lead_details", "returning_lead_details"][*number as usize - 1];
                let kind = ["lead/simple", "lead/repeat"][*number as usize - 1];
                meaning.cards.insert((kind.to_owned(), row.to_owned()));
                return Some(());
            }
            Self::Quote => {
                meaning.cards.insert(("quote".to_owned(), row_name(7, None)));
                return Some(());
            }
            Self::Contact(Pipelines::Default) => {
                meaning.cards.insert(("contact".to_owned(), row_name(3, None)));
                return Some(());
            }
            Self::Company(Pipelines::Default) => {
                meaning.cards.insert(("company".to_owned(), row_name(4, None)));
                return Some(());
            }
            Self::Deal(pipelines) => (2, pipelines.clone(), "deal".to_owned()),
            Self::Contact(pipelines) => (3, pipelines.clone(), "contact".to_owned()),
            Self::Company(pipelines) => (4, pipelines.clone(), "company".to_owned()),
            Self::Invoice => (31, Pipelines::Default, "smart-invoice".to_owned()),
            Self::Process(of, pipelines) => (*of, pipelines.clone(), format!("smart-process/{of}")),
            Self::Titled(title, pipelines) => {
                let named: Vec<u32> = PROCESSES
                    .iter()
                    .filter(|(_, known)| may_list_types && known == title)
                    .map(|(of, _)| *of)
                    .collect();
                let [of] = named.as_slice() else { return None };
                (*of, pipelines.clone(), format!("smart-process/{of}"))
            }
        };
        let list = world.listed(of)?;
        if list.is_empty() && of > 7 {
            meaning.without_pipeline.insert(format!("{word}/?"));
            return Some(());
        }
        for id in pipelines.pick(&list)? {
            let kind = if id == 0 && of != 2 { word.clone() } else { format!("{word}/{id}") };
            meaning.cards.insert((kind, row_name(of, Some(id))));
        }
        Some(())
    }
}

/// Returns the rows that have gone; no row may have changed or come.
fn gone(before: &Rows, after: &Rows) -> BTreeSet<(i64, String)> {
    let changed = difference(before, after);
    assert!(changed.iter().all(|key| !after.contains_key(*key)), "{changed:?}");
    changed.into_iter().cloned().collect()
}

async fn live(
    random: RandomPortal,
    personal: Vec<Entry>,
    common: Vec<Entry>,
    users: Vec<i64>,
    blind: BlindReset,
) {
    let (release, caller) = (random.release, random.caller);
    let mut world = World::with(release, random.state(), caller).await;
    world.change(|state| state["options"] = json!(random.rows()));
    let types_before = world.emulator.state()["portal"]["crm_item_categories"].clone();

    let (mut people, mut all) = (Meaning::default(), Meaning::default());
    let may_list_types = caller != 7;
    let is_clear =
        personal.iter().all(|one| one.mean(&world, may_list_types, &mut people).is_some())
            & common.iter().all(|one| one.mean(&world, may_list_types, &mut all).is_some());
    let list = |entries: &[Entry], indent: &str| -> String {
        entries.iter().map(|entry| format!("{indent}- {}\n", entry.yaml())).collect()
    };
    let mut spec = format!(
        "  personal:\n    - users: {{ ids: {users:?} }}\n      cards:\n{}",
        list(&personal, "        ")
    );
    let mut guards = "maxPercentOfUsers: 100, acknowledge: { people: [1, 7, 9]".to_owned();
    if !common.is_empty() {
        spec += &format!("  common:\n    cards:\n{}", list(&common, "      "));
        let kinds: Vec<&str> = all.cards.iter().map(|(kind, _)| kind.as_str()).collect();
        if !kinds.is_empty() {
            guards += &format!(", common: {kinds:?}");
        }
    }
    spec += &format!("  guards: {{ {guards} }} }}\n");
    let declaration = world.declaration(&spec);
    let before = world.rows();
    let mut wanted: BTreeSet<(i64, String)> = BTreeSet::new();
    for (_, row) in &people.cards {
        wanted.extend(users.iter().map(|user| (*user, spelled(release, row))));
    }
    wanted.extend(all.cards.iter().map(|(_, row)| (0, spelled(release, row) + "_common")));

    let planned = world.plan(&declaration).await;
    if is_clear {
        let decided = decisions(&planned.unwrap());
        let held = |key: &str| decided.contains(&(key.to_owned(), "no-pipeline".to_owned()));
        for kind in &people.without_pipeline {
            assert!(users.iter().all(|user| held(&format!("personal/{user}/{kind}"))), "{kind}");
        }
        assert!(all.without_pipeline.iter().all(|kind| held(&format!("common/{kind}"))));
        let cards = (people.cards.len() + people.without_pipeline.len()) * users.len();
        assert_eq!(decided.len(), cards + all.cards.len() + all.without_pipeline.len());
    } else {
        assert!(matches!(planned, Err(Error::Manifests(_))), "{planned:?}");
        let sent = world.log.commands();
        let card = sent.iter().find(|sent| sent.method.contains("configuration"));
        assert!(card.is_none(), "{card:?}");
    }
    assert_eq!(difference(&world.rows(), &before), [] as [&(i64, String); 0]);

    world.reopen().await;
    let applied = world.apply(&declaration, blind).await;
    let after = world.rows();
    let removed = gone(&before, &after);
    let more: Vec<_> = removed.difference(&wanted).collect();
    assert!(more.is_empty(), "the manifest does not name {more:?}");
    assert!(is_clear || removed.is_empty());
    let is_sure = caller == 1 && release != "legacy-read" && is_clear;
    if is_sure {
        assert_eq!(removed, wanted);
    }
    if let Ok(applied) = &applied
        && applied.run.is_some()
    {
        world.reopen().await;
        let restored = world.restore().await;
        gone(&before, &world.rows());
        if is_sure {
            assert!(restored.is_ok(), "{:?}", restored.err());
            assert!(gone(&before, &world.rows()).is_empty());
        }
    }
    world.check_requests().unwrap();
    assert_eq!(world.emulator.state()["portal"]["crm_item_categories"], types_before);
    let unlisted =
        TYPES.iter().filter(|of| **of > 4 && world.listed(**of).is_none_or(|list| list.is_empty()));
    let asked: Vec<String> = world
        .log
        .commands()
        .into_iter()
        .filter(|sent| sent.method.contains("configuration"))
        .filter_map(|sent| sent.parameters.get("entityTypeId").cloned())
        .collect();
    for of in unlisted {
        assert!(!asked.contains(&of.to_string()), "cards of {of}, which lists no pipeline");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 40, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn manifest_over_any_portal_sends_no_request_that_relies_on_a_fall_back(
        random in portal(),
        personal in prop::collection::vec(entry(), 1..5),
        common in prop::collection::vec(entry(), 0..3),
        users in subsequence(vec![1_i64, 7, 9], 1..=3),
        blind in prop_oneof![Just(BlindReset::Never), Just(BlindReset::Allowed)],
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live(random, personal, common, users, blind));
    }
}
