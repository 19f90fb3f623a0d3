//! Batches: the forms of their answers, the parsing of their commands, references, limits; and the
//! filter of texts.

use recard::emulator::Limits;
use serde_json::{Value, json};

use super::{GET, RESET, SET, resets, resets_by};
use crate::support::portal::Portal;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_result_has_the_forms_of_php_and_halt_stops_it() {
    let portal = Portal::start("current").await;
    let batch = |parameters: Value| portal.result("batch", parameters);
    let empty = json!({"result": [], "result_error": [], "result_total": [], "result_next": [], "result_time": []});
    for nothing in [
        json!({}),
        json!({"cmd": "profile"}),
        json!({"cmd": {}}),
        json!({"cmd": [{"a": 1}, null, 5]}),
    ] {
        assert_eq!(batch(nothing), empty);
    }
    let shape = |cmd: Value| {
        let answer = batch(json!({"CMD": cmd}));
        (answer["result"].clone(), answer["result_error"].clone())
    };
    let error =
        json!({"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"});
    let (yes, no) = ("user.admin", "no.such");
    assert_eq!(shape(json!([yes, no, yes])), (json!({"0": true, "2": true}), json!({"1": error})));
    assert_eq!(shape(json!([no, yes])), (json!({"1": true}), json!([error])));
    assert_eq!(shape(json!({"1": yes, "0": yes})), (json!({"1": true, "0": true}), json!([])));
    assert_eq!(shape(json!({"0": yes, "1": yes})), (json!([true, true]), json!([])));
    for (halt, stops) in [
        (json!(0), false),
        (json!(""), false),
        (json!("0"), false),
        (json!([]), false),
        (json!(0.0), false),
        (json!("0.0"), true),
        (json!("false"), true),
        (json!([0]), true),
        (json!(-1), true),
    ] {
        let answer = batch(
            json!({"cmd": {"a": RESET.to_owned() + "?userId=8&data", "b": SET, "c": yes}, "Halt": halt}),
        );
        assert_eq!(answer["result"].get("c").is_none(), stops, "{halt}");
        assert_eq!(answer["result_error"]["b"]["error"], "");
    }
    let many: Vec<Value> =
        (0..51).map(|number| if number == 3 { json!({}) } else { json!(yes) }).collect();
    let answer = batch(json!({"cmd": many}));
    assert_eq!(answer["result"].as_object().unwrap().len(), 49, "what is no text counts");
    assert_eq!(answer["result_error"]["50"]["error"], "ERROR_BATCH_LENGTH_EXCEEDED");
    let answer = batch(
        json!({"cmd": {"a": "batch?cmd[x]=user.admin", "b": "Batch?cmd[x]=BATCH%3Fcmd[y]%3Duser.admin"}}),
    );
    assert_eq!(answer["result_error"]["a"]["error"], "ERROR_BATCH_METHOD_NOT_ALLOWED");
    assert_eq!(answer["result"]["b"]["result"]["x"]["result"]["y"], true);
    for name in ["user.admin.json", "user.admin/", "no", "user.get.xml", "user.admin?token=x"] {
        assert_eq!(batch(json!({"cmd": {"a": name}}))["result_error"]["a"], error, "{name}");
    }
    let (status, answer) =
        portal.ask_as("1/adminnocrm000001", "batch", json!({"cmd": {"a": GET, "b": yes}}));
    assert_eq!((status, &answer["result"]["result"]["b"]), (200, &json!(true)));
    let missing = json!({"error": "insufficient_scope", "error_description": ""});
    assert_eq!(answer["result"]["result_error"]["a"], missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_command_text_is_decoded_once() {
    let portal = Portal::start("current").await;
    let title = |text: &str| {
        let set = format!(
            "{SET}?scope=P&userId=7&data[0][name]=m&data[0][title]={text}&data[0][elements][0][name]=A"
        );
        let get = format!("{GET}?scope=P&userId=7");
        let answer = portal.result("batch", json!({"cmd": {"s": set, "g": get}}));
        let section = &answer["result"]["g"][0];
        (
            section["title"].as_str().unwrap().to_owned(),
            section["elements"].as_array().unwrap().len(),
        )
    };
    for (raw, kept, elements) in [
        ("a%26b", "a&b", 1),
        ("a%2526", "a%26", 1),
        ("a+b", "a b", 1),
        ("a%", "a%", 1),
        ("a%4", "a%4", 1),
        ("a=b:80/?c", "a=b:80/?c", 1),
        ("a#b", "a", 0),
        ("a%23b", "a#b", 1),
        ("a%0Ab%00c", "a\nb\0c", 1),
        ("a\nb\tc", "a_b_c", 1),
        ("Ё😀", "Ё😀", 1),
        ("$result[x] $RESULT[x] $", "$result[x] $RESULT[x] $", 1),
    ] {
        assert_eq!(title(raw), (kept.to_owned(), elements), "{raw}");
    }
    // In a form the text is decoded once more before that.
    let form =
        "cmd[s]=crm.lead.details.configuration.reset?scope=P%26userId=7&cmd[t]=user.admin&userId=8";
    assert_eq!(
        portal.removed(|portal| assert_eq!(portal.form("batch", form).0, 200)),
        ["7 lead_details"]
    );
    let cut = "cmd[s]=crm.lead.details.configuration.reset?scope=P&userId=7";
    assert_eq!(
        portal.removed(|portal| assert_eq!(portal.form("batch", cut).0, 200)),
        ["1 lead_details"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_reference_without_a_target_yields_the_last_value_on_its_path() {
    let portal = Portal::start("current").await;
    for (reference, who) in [
        ("$result[u][0][ID]", Some("7 lead_details")),
        ("$result[u][0]", Some("1 lead_details")),
        ("$result[u][9][ID]", Some("1 lead_details")),
        ("$result[nobody]", Some("1 lead_details")),
        ("$result[e]", Some("9 lead_details")),
        ("$result[a]", Some("1 lead_details")),
        ("$result[a][0][ID]", Some("1 lead_details")),
        ("$total[u]", Some("1 lead_details")),
        ("$error[b][error]", Some("9 lead_details")),
        ("$next[u]", Some("9 lead_details")),
        ("$RESULT[u][0][ID]", Some("9 lead_details")),
        ("$result", Some("9 lead_details")),
        ("$result[o][0][ID]", Some("8 lead_details")),
        ("$time[u][start]", None),
    ] {
        let cmd = json!({"u": "user.get?ID=7", "o": "USER.GET?FILTER[ID]=8", "e": "user.get?ID=4711", "a": format!("{RESET}?userId=4711"),
            "b": "no.such", "r": format!("{RESET}?scope=P&userId={reference}")});
        let removed = portal.removed(|portal| {
            let (_, answer) = portal.ask_as("9/crmadminsecret09", "batch", json!({"cmd": cmd}));
            assert_eq!(answer["result"]["result"]["r"], true, "{reference} {answer}");
        });
        assert_eq!(removed, Vec::from_iter(who), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_commands_beyond_the_limit_are_dropped_silently() {
    let small = json!({"php_max_input_vars": 4});
    let portal = Portal::with("current", json!({}), small, Limits::default()).await;
    let late = format!("{RESET}?a=1&b=2&c=3&d=4&userId=7");
    let batch = |command: &str| {
        let command = command.to_owned();
        portal.removed(|portal| {
            assert_eq!(portal.ask("batch", json!({"cmd": {"a": command}})).0, 200)
        })
    };
    assert_eq!(batch(&late), ["1 lead_details"]);
    assert_eq!(batch(&late.replace("a=1&", "")), ["7 lead_details"]);
    let json = json!({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "userId": 7});
    assert_eq!(resets(&portal, json), ["7 lead_details"]);
    assert_eq!(resets_by(&portal, "GET", &late, "x", b""), ["1 lead_details"]);
    // A form has room for one more.
    let form =
        |body: &[u8]| resets_by(&portal, "POST", RESET, "application/x-www-form-urlencoded", body);
    assert_eq!(form(b"a=1&b=2&c=3&d=4&userId=7"), ["7 lead_details"]);
    assert_eq!(form(b"a=1&b=2&c=3&d=4&e=5&userId=7"), ["1 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xss_filter_depends_on_encoding_and_release() {
    for release in ["current", "mid", "legacy-read"] {
        let portal =
            Portal::with(release, json!({"security_filter": true}), json!({}), Limits::default())
                .await;
        let title = |portal: &Portal| portal.result(GET, json!({"scope": "P"}))[0]["title"].clone();
        let (sent, changed) = ("<script>../../x", "<sc ript>../. ./x");
        portal.result(SET, json!({"scope": "P", "data": [{"name": "m", "title": sent}]}));
        assert_eq!(title(&portal), if release == "current" { changed } else { sent }, "{release}");
        let query = format!("{SET}?data[0][name]=m&data[0][title]=%3Cscript%3E../../x");
        portal.result("batch", json!({"cmd": {"a": query}}));
        assert_eq!(title(&portal), changed, "{release}");
        let path = format!("/1/adminsecret00001/{query}");
        portal.result(RESET, json!({"scope": "P"}));
        assert_eq!(portal.send("GET", &path, &[], b"").unwrap().status, 200);
        assert_eq!(title(&portal), changed, "{release}");
    }
}
