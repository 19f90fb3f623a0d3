//! Cards of all kinds: which row a call reaches, by key, value and release.

use serde_json::{Value, json};

use super::{FORCE, GET, RESET, SET};
use crate::support::portal::Portal;

const OLD: [&str; 2] = ["mid", "legacy-read"];
const RELEASES: [&str; 3] = ["current", "mid", "legacy-read"];

/// Rows of user 1, the caller; each card shows the name of its row as its title.
const ROWS: &[&str] = &[
    "lead_details",
    "deal_details",
    "deal_details_c_1",
    "deal_details_c_5",
    "contact_details",
    "contact_details_C_1",
    "contact_details_C_5",
    "company_details",
    "company_details_C_1",
    "company_details_C_5",
    "QUOTE_details",
    "QUOTE_details_c_1",
    "QUOTE_details_c_5",
    "SMART_INVOICE_details",
    "SMART_INVOICE_details_C1",
    "SMART_INVOICE_details_C5",
    "DYNAMIC_177_details",
    "DYNAMIC_177_details_C1",
    "DYNAMIC_177_details_C5",
    "DYNAMIC_177_details_C9",
    "DYNAMIC_177_details_C11",
    "DYNAMIC_178_details_C11",
];

/// Number and name of each kind with a row for a pipeline.
const KINDS: &[(i64, &str, &str)] = &[
    (2, "deal_details", "_c_"),
    (3, "contact_details", "_C_"),
    (4, "company_details", "_C_"),
    (7, "QUOTE_details", "_c_"),
    (31, "SMART_INVOICE_details", "_C"),
    (177, "DYNAMIC_177_details", "_C"),
];

fn row(user: i64, name: &str) -> Value {
    let common = if user == 0 { "Y" } else { "N" };
    let value = json!([{"name": "default_column", "type": "column", "elements":
        [{"name": "main", "title": name, "type": "section", "elements": []}]}]);
    json!({"user_id": user, "name": name, "common": common, "value": value})
}

async fn portal(release: &str, rows: &[Value]) -> Portal {
    let portal = Portal::start(release).await;
    portal.emulator.set_state(&json!({"variant": release, "options": rows})).unwrap();
    portal
}

async fn full(release: &str) -> Portal {
    let rows: Vec<Value> = ROWS.iter().map(|name| row(1, name)).collect();
    portal(release, &rows).await
}

fn item(method: &str) -> String {
    method.replace("crm.lead.", "crm.item.")
}

/// Returns the row that a `get` of a type with these extras shows; the status if it is refused.
fn reached(portal: &Portal, number: impl Into<Value>, extras: Value) -> String {
    let parameters = json!({
        "entityTypeId": number.into(), "scope": "P", "userId": 1, "extras": extras,
    });
    let (status, answer) = portal.ask(&item(GET), parameters);
    match answer["result"][0]["title"].as_str() {
        Some(title) => title.to_owned(),
        None if status == 200 => "nothing".to_owned(),
        None => status.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_pipelines_are_read_by_kind() {
    let read = |number: i64, key: &str| match key {
        "CATEGORY_ID" | "DEAL_CATEGORY_ID" => true,
        "dealCategoryId" | "dealcategoryid" | "DEALCATEGORYID" | "DealCategoryId" => number == 2,
        "categoryId" | "categoryid" | "CATEGORYID" | "CategoryId" => number == 177,
        _ => false,
    };
    for release in RELEASES {
        let portal = full(release).await;
        for (number, name, infix) in KINDS {
            for key in [
                "CATEGORY_ID",
                "DEAL_CATEGORY_ID",
                "dealCategoryId",
                "dealcategoryid",
                "DEALCATEGORYID",
                "DealCategoryId",
                "categoryId",
                "categoryid",
                "CATEGORYID",
                "CategoryId",
                "category_id",
                "deal_category_id",
                "deal.category.id",
                "categoryID",
                "dealCategoryID",
                "pipelineId",
            ] {
                let wanted = match (*number, release, read(*number, key)) {
                    // Old releases know the pipelines: invoices have 1 alone, and 5 is the default
                    // one of type 177.
                    (31, "mid" | "legacy-read", false) => format!("{name}_C1"),
                    (31, "mid" | "legacy-read", true) => (*name).to_owned(),
                    (177, "mid" | "legacy-read", _) => format!("{name}_C5"),
                    (_, _, true) => format!("{name}{infix}5"),
                    (_, _, false) => (*name).to_owned(),
                };
                let got = reached(&portal, *number, json!({ key: 5 }));
                assert_eq!(got, wanted, "{release} {number} {key}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_pipelines_are_read_by_release() {
    let beyond = json!(18_446_744_073_709_551_615_u64);
    let (default, broken) = ("default", "500");
    let values = [
        (json!(5), "5", "5"),
        (json!("5"), "5", "5"),
        (json!(" 5"), "5", "5"),
        (json!(5.7), "5", "5"),
        (json!("5.7"), "5", "5"),
        (Value::Null, default, default),
        (json!(0), default, default),
        (json!("0"), default, default),
        (json!(false), default, default),
        (json!(-5), default, default),
        (json!(true), "1", "1"),
        (json!(""), broken, default),
        (json!("abc"), broken, broken),
        (json!("5abc"), broken, broken),
        (json!([5]), broken, broken),
        (json!({"id": 5}), broken, broken),
        (json!({}), broken, broken),
        (beyond, broken, broken),
    ];
    for release in RELEASES {
        let portal = full(release).await;
        for (number, name, infix) in KINDS {
            let resolves = release != "current" && matches!(number, 31 | 177);
            // The pipelines that exist, and the default one.
            let own: &[&str] = if *number == 31 { &["1"] } else { &["5", "9"] };
            for (value, plain, resolved) in &values {
                let meant = if resolves { resolved } else { plain };
                let wanted = match *meant {
                    "500" => "500".to_owned(),
                    "default" if resolves => format!("{name}_C{}", own[0]),
                    "default" => (*name).to_owned(),
                    pipeline if resolves && !own.contains(&pipeline) => (*name).to_owned(),
                    pipeline => format!("{name}{infix}{pipeline}"),
                };
                let got = reached(&portal, *number, json!({"CATEGORY_ID": value}));
                assert_eq!(got, wanted, "{release} {number} {value}");
            }
        }
        // A pipeline of another type.
        let wanted =
            if release == "current" { "DYNAMIC_177_details_C11" } else { "DYNAMIC_177_details" };
        assert_eq!(reached(&portal, 177, json!({"categoryId": 11})), wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_key_that_is_not_null_wins() {
    let portal = full("current").await;
    for (number, extras, wanted) in [
        (2, json!({"dealCategoryId": 5, "CATEGORY_ID": 1}), "deal_details_c_1"),
        (2, json!({"DEAL_CATEGORY_ID": 1, "dealCategoryId": 5}), "deal_details_c_5"),
        (2, json!({"dealCategoryId": 5, "dealcategoryid": 1}), "deal_details_c_1"),
        (2, json!({"CATEGORY_ID": null, "dealCategoryId": 5}), "deal_details_c_5"),
        (177, json!({"categoryId": 9, "CATEGORY_ID": 5}), "DYNAMIC_177_details_C9"),
        (177, json!({"categoryId": null, "DEAL_CATEGORY_ID": 9}), "DYNAMIC_177_details_C9"),
        (177, json!({"categoryId": 9, "categoryid": 5}), "DYNAMIC_177_details_C5"),
        (177, json!({"DEAL_CATEGORY_ID": 9, "CATEGORY_ID": 5}), "DYNAMIC_177_details_C5"),
        (31, json!({"DEAL_CATEGORY_ID": 5, "CATEGORY_ID": 1}), "SMART_INVOICE_details_C1"),
    ] {
        assert_eq!(reached(&portal, number, extras.clone()), wanted, "{extras}");
    }
    for (container, is_read) in [
        ("EXTRAS", true),
        ("Extras", true),
        ("arExtras", true),
        ("extra", false),
        ("params", false),
    ] {
        let parameters =
            json!({"entityTypeId": 2, "scope": "P", "userId": 1, container: {"dealCategoryId": 5}});
        let wanted = if is_read { "deal_details_c_5" } else { "deal_details" };
        assert_eq!(portal.result(&item(GET), parameters)[0]["title"], wanted, "{container}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_types_are_converted_or_refused() {
    for release in RELEASES {
        let portal = full(release).await;
        for (number, wanted) in [
            (json!("2"), "deal_details"),
            (json!("2abc"), "deal_details"),
            (json!(2.9), "deal_details"),
            (json!(true), "lead_details"),
            (json!([2]), "lead_details"),
            (json!({"id": 2}), "lead_details"),
            (json!([]), "400"),
            (json!("deal"), "400"),
            (json!(0), "400"),
            (json!(-2), "400"),
            (Value::Null, "400"),
            (json!(36), "nothing"),
            (json!(39), "nothing"),
        ] {
            assert_eq!(reached(&portal, number.clone(), json!({})), wanted, "{release} {number}");
        }
        assert_eq!(reached(&portal, "178x", json!({"categoryId": 11})), "DYNAMIC_178_details_C11");
        let refusal = |number: i64| {
            let (_, answer) = portal.ask(&item(GET), json!({"entityTypeId": number}));
            assert_eq!(answer["error"], "");
            answer["error_description"].as_str().unwrap().to_owned()
        };
        let unsupported =
            |name: &str| format!("The entity type '{name}' is not supported in current context.");
        let undefined = "Parameter 'entityTypeID' is not defined";
        for (number, name) in [
            (5, "INVOICE"),
            (14, "ORDER"),
            (26, "SUS_REQUISITE"),
            (241, "SUS_DYNAMIC_241"),
            (1039, "SUS_DYNAMIC_1039"),
            (1024, "SYSTEM"),
        ] {
            assert_eq!(refusal(number), unsupported(name), "{release}");
        }
        for number in [42, 128, 191, 192, 255, 1029, 1030, 1031, 2001] {
            assert_eq!(refusal(number), undefined, "{release} {number}");
        }
        let empty = if release == "legacy-read" { undefined.into() } else { unsupported("") };
        assert_eq!(refusal(41), empty, "{release}");
        for name in ["entityTypeID", "entitytypeid", "EntityTypeId"] {
            assert_eq!(portal.ask(&item(GET), json!({ name: 2 })).0, 400, "{name}");
        }
        let upper = json!({"ENTITY_TYPE_ID": 2, "scope": "P"});
        assert_eq!(portal.result(&item(GET), upper)[0]["title"], "deal_details");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn families_have_one_kind_and_ignore_the_number_of_a_type() {
    let portal = full("current").await;
    for (family, wanted) in [
        ("deal", "deal_details_c_5"),
        ("contact", "contact_details_C_5"),
        ("company", "company_details_C_5"),
    ] {
        let method = GET.replace("lead", family);
        let parameters =
            json!({"scope": "P", "userId": 1, "entityTypeId": 177, "extras": {"CATEGORY_ID": 5}});
        assert_eq!(portal.result(&method, parameters)[0]["title"], wanted);
        let reset = RESET.replace("lead", family).to_uppercase();
        let gone = portal.removed(|portal| {
            portal.result(&reset, json!({}));
        });
        assert_eq!(gone, [format!("1 {family}_details")], "without parameters, the caller");
    }
    for family in ["quote", "invoice", "smartinvoice"] {
        assert_eq!(portal.ask(&RESET.replace("lead", family), json!({})).0, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn force_removes_one_pipeline_of_everybody() {
    for release in RELEASES {
        let name = "DYNAMIC_177_details_C9";
        let kept = [
            row(0, &format!("{name}_common")),
            row(7, &format!("{name}_opts")),
            row(7, &format!("{name}_scope_on_add")),
            row(7, "DYNAMIC_177_details_C5"),
            row(7, "DYNAMIC_177_details"),
            row(7, "deal_details_c_9"),
        ];
        let gone = [row(0, name), row(7, &name.to_lowercase()), row(8, &format!("{name}_scope"))];
        let portal = portal(release, &[kept.as_slice(), &gone].concat()).await;
        let parameters =
            json!({"entityTypeId": 177, "scope": "P", "userId": 7, "extras": {"categoryId": 9}});
        portal.result(&item(FORCE), parameters);
        let mut wanted: Vec<String> = kept
            .iter()
            .map(|row| format!("{} {}", row["user_id"], row["name"].as_str().unwrap()))
            .collect();
        let mut left = portal.rows();
        wanted.sort();
        left.sort();
        assert_eq!(left, wanted, "{release}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spelling_of_rows_counts_for_get_in_old_releases_only() {
    let parameters = json!({"entityTypeId": 3, "scope": "P", "userId": 7, "extras": {"CATEGORY_ID": 15},
        "data": [{"name": "main", "title": "new"}]});
    for release in RELEASES {
        let portal = portal(release, &[row(7, "contact_details_c_15")]).await;
        let user_seven = |method: &str, parameters: &Value| match release {
            // Its `get` and `set` work on the caller.
            "legacy-read" => portal.ask_as("7/ivansecret000007", method, parameters.clone()).1,
            _ => portal.ask(method, parameters.clone()).1,
        };
        let title = |answer: Value| answer["result"][0]["title"].as_str().map(str::to_owned);
        let seen = title(user_seven(&item(GET), &parameters));
        assert_eq!(seen.is_some(), release == "current", "{release}");
        user_seven(&item(SET), &parameters);
        assert_eq!(portal.rows(), ["7 contact_details_c_15"], "{release}: the name stays");
        let seen = title(user_seven(&item(GET), &parameters));
        assert_eq!(seen.as_deref() == Some("new"), release == "current", "{release}");
        portal.result(&item(RESET), parameters.clone());
        assert_eq!(portal.rows(), [] as [&str; 0], "{release}");
        user_seven(&item(SET), &parameters);
        let made = match release {
            "current" => "7 contact_details_c_15",
            _ => "7 contact_details_C_15",
        };
        assert_eq!(portal.rows(), [made], "{release}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_of_a_type_never_opened_creates_its_pipeline_in_old_releases() {
    for release in RELEASES {
        let portal = portal(release, &[]).await;
        let listed = |webhook: &str| {
            let (_, answer) =
                portal.ask_as(webhook, "crm.category.list", json!({"entityTypeId": 1040}));
            answer["result"]["categories"].clone()
        };
        assert_eq!(listed("1/adminsecret00001"), json!([]));
        // A call that is refused creates nothing.
        let others = json!({"entityTypeId": 1040, "scope": "P", "userId": 9});
        assert_eq!(portal.ask_as("7/ivansecret000007", &item(GET), others).0, 400);
        assert_eq!(listed("1/adminsecret00001"), json!([]));
        let own = json!({"entityTypeId": 1040, "scope": "P", "userId": 1});
        assert_eq!(portal.result(&item(GET), own), Value::Null);
        let made = json!([{"id": 40, "name": "General", "sort": 500, "entityTypeId": 1040, "isDefault": "Y"}]);
        let is_old = OLD.contains(&release);
        assert_eq!(listed("1/adminsecret00001"), if is_old { made.clone() } else { json!([]) });
        let of_seven = if release == "legacy-read" { made } else { json!([]) };
        assert_eq!(listed("7/ivansecret000007"), of_seven, "{release}");
        let data = json!([{"name": "main", "title": "new"}]);
        let own = json!({"entityTypeId": 1040, "scope": "P", "userId": 1, "data": data});
        portal.result(&item(SET), own);
        let row = if is_old { "1 DYNAMIC_1040_details_C40" } else { "1 dynamic_1040_details" };
        assert_eq!(portal.rows(), [row]);
        let state = portal.emulator.state();
        assert_eq!(state["portal"]["next_crm_item_category_id"], if is_old { 41 } else { 40 });
    }
}
