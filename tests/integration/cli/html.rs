//! HTML report: as a file, and in a browser where this machine has one.
//!
//! After a change that is meant: `SNAPSHOTS=overwrite cargo test --test integration cli::html`.

#![allow(clippy::disallowed_methods, reason = "a test writes files as it likes")]

use std::path::{Path, PathBuf};

use recard::report::RenderOptions;
use serde_json::{Value, json};
use snapbox::{Data, IntoData as _};

use crate::support::browser::Browser;
use crate::support::env::TestEnv;
use crate::support::large_plan::{html, large_plan, write_html};
use crate::support::page::root;

/// Text that tries to leave every place in which it stands.
const TRAP: &str = "</script><script>globalThis.hit=1</script><!-- ]]> \"'><img src=x onerror=globalThis.hit=1> {{data}} &lt; \\u003c";

/// Starts a browser, or tells that there is none.
#[expect(
    clippy::print_stderr,
    reason = "a test that is left out must not look like one that passed"
)]
fn browser(test: &str) -> Option<Browser> {
    let browser = Browser::start();
    if browser.is_none() {
        eprintln!("{test}: left out, because there is no chromium in the path");
    }
    browser
}

/// Writes the plan of the quick start as a page.
fn quickstart() -> (TestEnv, PathBuf) {
    let env = TestEnv::quickstart();
    let plan = ["plan", "-f", "lead.yaml", "--portal", "embedded", "--output", "html=plan.html"];
    let ended = env.run(&plan);
    assert_eq!(ended.code, 0, "{ended:?}");
    let file = env.at("plan.html");
    (env, file)
}

/// Returns the data of a page.
fn data_of(page: &str) -> Value {
    let (_, behind) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(behind.split_once("</script>").unwrap().0).unwrap()
}

/// Returns the head of a page and its first card, without what differs from run to run.
fn outline(page: &str) -> String {
    let without = |page: &str, open: &str, close: &str| {
        let (before, behind) = page.split_once(open).unwrap();
        format!("{before}{open}…{}", &behind[behind.find(close).unwrap()..])
    };
    let (page, _) = page.split_once("</details>").unwrap();
    let page = without(page, "<style>", "</style>");
    let page = without(&page, "Content-Security-Policy\" content=\"", "\">");
    without(&page, "Olga Sokolova, ", "</p>")
}

#[test]
fn html_of_the_quickstart_is_the_recorded_one() {
    let (env, file) = quickstart();
    let page = outline(&std::fs::read_to_string(file).unwrap());
    let wanted = Data::read_from(&root().join("tests/integration/cli/html.snapshot.html"), None);
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(page.into_data().raw(), wanted.raw());
    drop(env);
}

#[test]
fn html_policy_allows_script_and_style_by_their_hashes_alone() {
    let (_env, file) = quickstart();
    let page = std::fs::read_to_string(file).unwrap();
    let (_, behind) = page.split_once("Content-Security-Policy\" content=\"").unwrap();
    let (policy, _) = behind.split_once('"').unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for (open, close) in [("<script>", "</script>"), ("<style>", "</style>")] {
        let (_, behind) = page.split_once(open).unwrap();
        let content = behind.split_once(close).unwrap().0;
        let digest = {
            use base64::prelude::{BASE64_STANDARD, Engine as _};
            use sha2::{Digest as _, Sha256};
            BASE64_STANDARD.encode(Sha256::digest(content))
        };
        assert!(policy.contains(&digest), "{open} has another hash: {digest}, {policy}");
    }
}

#[test]
fn html_limit_leaves_out_later_layouts_and_keeps_rows_and_sums() {
    let plan = large_plan(2_000, "");
    let whole = html(&plan, &RenderOptions::default());
    for limit in [400_000, 500_000, 700_000] {
        let page = html(&plan, &RenderOptions { html_limit: limit, ..RenderOptions::default() });
        assert!(page.len() <= limit && page.len() > limit * 9 / 10, "{limit}: {}", page.len());
        let data = data_of(&page);
        let layouts = data["layouts"].as_array().unwrap();
        let there = layouts.iter().take_while(|layout| !layout.is_null()).count();
        assert!(there > 10 && there < layouts.len(), "{limit}: {there}");
        assert!(layouts[there..].iter().all(Value::is_null), "{limit}");
        assert_eq!(data["rows"], data_of(&whole)["rows"], "{limit}");
        assert!(page.contains("<b>2000</b>"), "{limit}");
    }
    assert!(whole.len() < 2 << 20, "{}", whole.len());
    let env = TestEnv::quickstart();
    assert_eq!(env.run(&["plan", "-f", "lead.yaml", "--html-limit", "1000"]).code, 64);
}

#[test]
fn html_layouts_and_texts_stand_in_the_page_once() {
    let page = html(&large_plan(500, "x"), &RenderOptions::default());
    let data = data_of(&page);
    let texts: Vec<&str> =
        data["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let distinct: std::collections::BTreeSet<&&str> = texts.iter().collect();
    assert_eq!(texts.len(), distinct.len());
    assert_eq!(data["rows"].as_array().unwrap().len(), 500);
    assert!(data["rows"][0].as_array().unwrap().iter().all(Value::is_number));
    let (env, file) = quickstart();
    let data = data_of(&std::fs::read_to_string(file).unwrap());
    // Nine cards have fewer layouts, and the built-in cards of both types of lead are there.
    assert!(data["layouts"].as_array().unwrap().len() < 9, "{}", data["layouts"]);
    drop(env);
}

#[test]
fn html_with_sanitize_holds_no_name_and_no_title() {
    let (env, file) = quickstart();
    let plain = std::fs::read_to_string(&file).unwrap();
    let plan = ["plan", "-f", "lead.yaml", "--portal", "embedded", "--output", "html=plan.html"];
    assert_eq!(env.run(&[&plan[..], &["--sanitize"]].concat()).code, 0);
    let page = std::fs::read_to_string(&file).unwrap();
    for text in ["Petrov", "Sofia", "Olga", "Sales", "All on one page", "Money", "New lead form"] {
        assert!(plain.contains(text) || text == "All on one page", "{text}");
        assert!(!page.contains(text), "{text}");
    }
    assert!(page.contains("person-") && page.contains("title-") && page.contains("department-"));
    assert!(page.contains("PHONE"), "codes of the vendor are no secret");
    let sums = |page: &str| page.matches("<li class=").count();
    assert_eq!(sums(&page), sums(&plain));
}

#[test]
fn html_with_sanitize_holds_no_name_of_a_pipeline_or_smart_process() {
    let env = TestEnv::new();
    let cards = "- deal: { pipelines: all }\n        - contact: { categories: all }\n        - smartProcess: { type: Purchases, pipelines: all }";
    env.file(
        "kinds.yaml",
        &format!(
            "apiVersion: recard/v1\nkind: CardReset\nmetadata: {{ name: kinds, reason: to try }}\nspec:\n  portal: \
             embedded\n  personal:\n    - users: {{ ids: [7, 8, 11, 14] }}\n      cards:\n        {cards}\n"
        ),
    );
    let page = |more: &[&str]| {
        let plan =
            ["plan", "-f", "kinds.yaml", "--portal", "embedded", "--output", "html=plan.html"];
        let ended = env.run(&[&plan[..], more].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        std::fs::read_to_string(env.at("plan.html")).unwrap()
    };
    let (plain, hidden, russian) =
        (page(&[]), page(&["--sanitize"]), page(&["--sanitize", "--lang", "ru"]));
    for name in ["Partners", "Key accounts", "Suppliers", "Purchases", "Warehouse"] {
        assert!(plain.contains(name), "{name}");
        assert!(!hidden.contains(name) && !russian.contains(name), "{name}");
    }
    assert!(plain.contains("deals of pipeline Partners (3)"));
    assert!(russian.contains("сделки воронки"));
}

#[test]
fn html_of_every_command_has_its_head_and_its_banner() {
    let env = TestEnv::quickstart();
    env.file("wrong.yaml", "apiVersion: recard/v1\n");
    for (line, code, tone, told) in [
        ("plan -f lead.yaml", 0, "green", "cards to reset"),
        ("plan -f lead.yaml --max-users 1", 0, "red", "Apply will refuse this plan."),
        ("drift -f lead.yaml", 2, "amber", "Fingerprint"),
        ("apply -f lead.yaml --auto-approve", 0, "green", "Undo: recard restore 20"),
        ("show last", 0, "green", "9 of 9 cards done"),
        ("restore last --all --plan", 0, "", "<b>9</b> put back"),
        ("restore last --all --auto-approve", 0, "green", "9 of 9 cards done"),
        ("validate -f lead.yaml", 0, "green", "the manifests are valid"),
        ("validate -f wrong.yaml", 1, "red", "RC0203"),
        ("plan -f wrong.yaml", 1, "red", "RC0203"),
        ("plan -f lead.yaml --portal elsewhere", 1, "red", "recard plan failed"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let mut all = words.clone();
        if !line.starts_with("validate") && !line.contains("--portal") {
            all.extend(["--portal", "embedded:portal.json"]);
        }
        all.extend(["--output", "html=page.html"]);
        let ended = env.run(&all);
        assert_eq!(ended.code, code, "{line}: {ended:?}");
        let page = std::fs::read_to_string(env.at("page.html")).unwrap();
        assert!(page.contains(&format!("<div class=\"banner {tone}\"")), "{line}: {page}");
        assert!(page.contains(told), "{line}: {told}: {page}");
        assert!(page.ends_with("</html>\n"), "{line}");
    }
}

#[test]
fn html_in_a_browser_loads_nothing_and_logs_nothing() {
    let Some(mut browser) = browser("html_in_a_browser_loads_nothing_and_logs_nothing") else {
        return;
    };
    let (env, _) = quickstart();
    env.file("wrong.yaml", "apiVersion: recard/v1\n");
    for line in [
        "plan -f lead.yaml",
        "drift -f lead.yaml",
        "apply -f lead.yaml --auto-approve",
        "restore last --all --plan",
        "restore last --all --auto-approve",
        "show last",
        "validate -f wrong.yaml",
        "plan -f lead.yaml --portal elsewhere",
        "plan -f lead.yaml --lang ru",
    ] {
        let mut words: Vec<&str> = line.split(' ').collect();
        if !line.starts_with("validate") && !line.contains("--portal") {
            words.extend(["--portal", "embedded:portal.json"]);
        }
        env.run(&[&words[..], &["--output", "html=page.html"]].concat());
        let page = env.at("page.html");
        browser.open(&page);
        for key in ["j", "k", "d", "o", "c", "ArrowDown", "End", "Escape"] {
            browser.press(key);
        }
        assert_eq!(browser.requests(), [format!("file://{}", page.display())], "{line}");
        assert_eq!(browser.messages(), [""; 0], "{line}");
        let has_rows = browser.eval("document.querySelectorAll('[role=option]').length > 0");
        let is_about_cards = !line.contains("wrong") && !line.contains("elsewhere");
        assert_eq!(has_rows, is_about_cards, "{line}");
    }
}

#[test]
fn html_in_a_browser_has_search_filters_and_keys() {
    let Some(mut browser) = browser("html_in_a_browser_has_search_filters_and_keys") else {
        return;
    };
    let (_env, page) = quickstart();
    browser.open(&page);
    let shown = "document.querySelectorAll('[role=option]').length";
    let who = "document.querySelector('#card h2').textContent";
    assert_eq!(browser.eval(shown), 9);
    assert_eq!(browser.text(who), "Ivan Petrov");
    // Keys.
    browser.press("ArrowDown");
    browser.press("j");
    assert_eq!(browser.text(who), "Anna Petrova");
    browser.press("k");
    browser.press("k");
    browser.press("k");
    assert_eq!(browser.text(who), "Ivan Petrov");
    browser.press("End");
    assert_eq!(browser.text(who), "Giulia Bianchi");
    let active = "document.getElementById(document.getElementById('list').getAttribute('aria-activedescendant')).getAttribute('aria-selected')";
    assert_eq!(browser.text(active), "true");
    // Search by name, by id, by title and by field; Esc clears it.
    browser.press("/");
    assert_eq!(browser.text("document.activeElement.id"), "search");
    browser.type_text("sofia");
    assert_eq!(browser.eval(shown), 1);
    assert_eq!(browser.text(who), "Sofia Rossi");
    browser.press("Escape");
    assert_eq!(browser.eval(shown), 9);
    for (text, count) in [("/8/", 2), ("all on one page", 4), ("product_row", 6), ("zzz", 0)] {
        browser.press("/");
        browser.type_text(text);
        let found = browser.eval(shown).as_u64().unwrap();
        assert_eq!(found > 0, count > 0, "{text}: {found}");
        assert!(found < 9, "{text}: {found}");
        browser.press("Escape");
    }
    // Filters: what stays is hidden at first.
    let press = |label: &str| {
        format!(
            "[...document.querySelectorAll('.chip')].find(chip => chip.textContent.startsWith('{label}')).click()"
        )
    };
    browser.eval(&press("keep"));
    assert_eq!(browser.eval("state.shown.length"), 26);
    browser.eval(&press("reset"));
    assert_eq!(browser.eval("state.shown.length"), 17);
    browser.eval(&press("reset"));
    browser.eval(&press("keep"));
    browser.eval(&press("repeat leads"));
    assert_eq!(browser.eval(shown), 6);
    browser.eval(&press("repeat leads"));
    let choose = "const s = document.getElementById('departments'); s.selectedIndex = 2; s.dispatchEvent(new Event('change')); s.options[2].textContent";
    let department = browser
        .text(&format!("(() => {{ {} }})()", choose.replace("s.options", "return s.options")));
    assert!(department.starts_with("Sales East"), "{department}");
    assert_eq!(browser.eval(shown), 3);
    browser.eval("document.getElementById('departments').value = ''; refresh()");
    // Each layout once.
    browser.eval(&press("each layout once"));
    let once = browser.eval(shown).as_u64().unwrap();
    let layouts = browser.eval("new Set(rows.map(row => row[NOW]).filter(now => now >= 0)).size");
    assert_eq!(once, layouts.as_u64().unwrap());
    assert!(once < 9);
}

#[test]
fn html_in_a_browser_shows_the_card_now_and_afterwards() {
    let Some(mut browser) = browser("html_in_a_browser_shows_the_card_now_and_afterwards") else {
        return;
    };
    let (_env, page) = quickstart();
    browser.open(&page);
    let side = |number: u8| format!("document.querySelectorAll('.side')[{number}].innerText");
    let (now, then) = (browser.text(&side(0)), browser.text(&side(1)));
    assert!(now.contains("Start here") && now.contains("always shown"), "{now}");
    assert!(then.contains("Bitrix24's built-in card") && then.contains("May 2026"), "{then}");
    assert!(then.contains("appears") && then.contains("CLIENT"), "{then}");
    let dashed = "getComputedStyle(document.querySelectorAll('.drawing')[1]).borderTopStyle";
    assert_eq!(browser.text(dashed), "dashed");
    let more = browser.text("document.querySelector('.more').textContent");
    assert_eq!(more, "2 more cards have exactly this layout.");
    browser.press("c");
    let common = browser.text(&side(0));
    assert!(!common.contains("Start here"), "{common}");
    browser.press("o");
    assert!(browser.text(&side(0)).contains("Start here"));
    let vanishing = "[...document.querySelectorAll('.side:first-child .vanishes code')].map(c => c.textContent).join()";
    browser.press("j");
    browser.press("j");
    let vanishing = browser.text(vanishing);
    let after = browser.text(&side(1));
    assert!(vanishing.split(',').all(|code| !after.contains(code)), "{vanishing}: {after}");
}

#[test]
fn html_in_a_browser_has_dark_colors_and_prints_the_first_cards() {
    let Some(mut browser) = browser("html_in_a_browser_has_dark_colors_and_prints_the_first_cards")
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    write_html(&large_plan(300, ""), &page);
    let ground = "getComputedStyle(document.documentElement).backgroundColor";
    browser.prefer("light");
    browser.open(&page);
    let light = browser.text(ground);
    browser.prefer("dark");
    let dark = browser.text(ground);
    assert_ne!(light, dark);
    browser.press("d");
    assert_eq!(browser.text(ground), light);
    browser.press("d");
    assert_eq!(browser.text(ground), dark);
    // Text can be read in both: the contrast of WCAG AA is 4.5 to 1.
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.open(&page);
        let contrasts = browser.eval(CONTRASTS);
        for (place, contrast) in contrasts.as_object().unwrap() {
            assert!(contrast.as_f64().unwrap() >= 4.5, "{scheme}: {place}: {contrast}");
        }
    }
    let listen = "addEventListener('beforeprint', () => { globalThis.printed = document.querySelectorAll('#print article').length; })";
    browser.eval(listen);
    // As a stream, because the pipe takes no message of any size.
    let printed = browser
        .call("Page.printToPDF", json!({"transferMode": "ReturnAsStream", "pageRanges": "1-2"}));
    assert!(printed["stream"].is_string(), "{printed}");
    assert_eq!(browser.eval("globalThis.printed"), 200);
    assert_eq!(browser.eval("document.querySelectorAll('#print article').length"), 0);
    assert_eq!(browser.messages(), [""; 0]);
}

/// Contrast of the texts in sight with their ground.
const CONTRASTS: &str = r"(() => {
    const part = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const numbers = (color) => color.match(/[\d.]+/g).map(Number);
    const light = ([red, green, blue]) => 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = numbers(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] > 0) return color;
        }
    };
    const found = {};
    for (const element of document.querySelectorAll('header *, #left *, #card *, footer *')) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || element.tagName === 'OPTION') continue;
        const [one, other] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        const place = `${element.tagName} ${element.className} in ${element.parentElement.className}`;
        found[place] = Math.min(found[place] ?? 99, contrast);
    }
    return found;
})()";

#[test]
fn html_in_a_browser_has_only_the_rows_in_sight_of_ten_thousand() {
    let Some(mut browser) = browser("html_in_a_browser_has_only_the_rows_in_sight_of_ten_thousand")
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    write_html(&large_plan(10_000, ""), &page);
    browser.open(&page);
    let rows = "document.querySelectorAll('[role=option]').length";
    assert!(browser.eval(rows).as_u64().unwrap() < 50);
    assert_eq!(
        browser.text("document.getElementById('count').textContent"),
        "Cards: 10000 of 10000. People: 10000."
    );
    let scroll = "new Promise((done) => { document.getElementById('list').scrollTop = 230000; requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(document.querySelector('[role=option] b').textContent)))); })";
    let first = browser.text(scroll);
    assert!(first.starts_with("Person"), "{first}");
    assert!(browser.eval(rows).as_u64().unwrap() < 50);
    let position =
        browser.text("document.querySelector('[role=option]').getAttribute('aria-posinset')");
    let position: u64 = position.parse().unwrap();
    assert!((4_900..5_100).contains(&position), "{position}");
    browser.press("End");
    assert!(browser.eval(rows).as_u64().unwrap() < 50);
    assert_eq!(browser.text("document.querySelector('#card h2').textContent"), "Person 10001");
    browser.press("/");
    browser.type_text("Section of 4711");
    assert_eq!(browser.eval(rows), 1);
    assert_eq!(browser.messages(), [""; 0]);
}

#[test]
fn html_in_a_browser_takes_text_of_other_people_for_text() {
    let Some(mut browser) = browser("html_in_a_browser_takes_text_of_other_people_for_text") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    write_html(&large_plan(3, TRAP), &page);
    assert_trapped(&mut browser, &page, "document.querySelector('.row b').textContent");
    let bare = folder.path().join("bare.html");
    std::fs::write(&bare, without_script(&std::fs::read_to_string(&page).unwrap())).unwrap();
    browser.open(&bare);
    let shown = browser.text("document.querySelector('summary').textContent");
    assert!(shown.contains(TRAP), "{shown}");
    assert_eq!(browser.eval("typeof globalThis.hit"), "undefined");
    assert_eq!(browser.eval("document.images.length"), 0);
}

fn assert_trapped(browser: &mut Browser, page: &Path, name: &str) {
    browser.open(page);
    let shown = browser.text(name);
    assert!(shown.contains(TRAP), "{shown}");
    assert_eq!(browser.eval("typeof globalThis.hit"), "undefined");
    assert_eq!(browser.eval("document.images.length"), 0);
    assert_eq!(browser.eval("document.scripts.length"), 2);
    assert_eq!(browser.requests(), [format!("file://{}", page.display())]);
    assert_eq!(browser.messages(), [""; 0]);
}

/// Adds the policy of a server that allows neither scripts nor styles.
fn without_script(page: &str) -> String {
    page.replacen(
        "<meta charset=\"utf-8\">",
        "<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"script-src 'none'; style-src 'none'\">",
        1,
    )
}

#[test]
fn html_in_a_browser_without_script_and_style_is_readable() {
    let Some(mut browser) = browser("html_in_a_browser_without_script_and_style_is_readable")
    else {
        return;
    };
    let (env, page) = quickstart();
    let bare = env.at("bare.html");
    std::fs::write(&bare, without_script(&std::fs::read_to_string(page).unwrap())).unwrap();
    browser.open(&bare);
    assert_eq!(browser.eval("typeof state"), "undefined");
    let text = browser.text("document.body.innerText");
    for told in [
        "9 cards to reset",
        "7 people lose a card",
        "All guards hold",
        "Only card layouts change. No lead, contact or deal data is touched.",
        "sales-back-to-standard",
        "Ivan Petrov",
        "Cards here: 9 of 26.",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("All departments"), "{text}");
    assert_eq!(browser.eval("document.querySelectorAll('details').length"), 9);
    browser.eval("document.querySelector('details').open = true");
    let card = browser.text("document.querySelector('details').innerText");
    for told in
        ["[Start here]", "Phone (PHONE), always shown", "Afterwards: Bitrix24's built-in card"]
    {
        assert!(card.contains(told), "{told}: {card}");
    }
    write_html(&large_plan(300, ""), &bare);
    let many = without_script(&std::fs::read_to_string(&bare).unwrap());
    std::fs::write(&bare, many).unwrap();
    browser.open(&bare);
    assert_eq!(browser.eval("document.querySelectorAll('details').length"), 200);
}

#[test]
#[ignore = "writes the pictures of the documents"]
fn html_pictures_of_the_documents() {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let mut browser = Browser::start().unwrap();
    let (env, page) = quickstart();
    env.file("everybody.yaml", include_str!("../../../examples/everybody.yaml"));
    let plan = ["plan", "-f", "everybody.yaml", "--portal", "embedded", "--output"];
    env.run(&[&plan[..], &["html=everybody.html"]].concat());
    for (file, scheme, name) in [
        (page, "light", "html-report.png"),
        (env.at("everybody.html"), "dark", "html-report-dark.png"),
    ] {
        browser.prefer(scheme);
        browser.resize(1280, 800);
        browser.open(&file);
        let picture = BASE64_STANDARD.decode(browser.picture()).unwrap();
        std::fs::write(root().join("docs").join(name), picture).unwrap();
    }
}

#[test]
fn html_of_a_fleet_in_a_browser_is_sorted_and_filtered() {
    let env = TestEnv::new();
    for file in [
        "fleet.yaml",
        "standard-card.yaml",
        "portals/beta.portal.yaml",
        "portals/beta-managers.yaml",
    ] {
        std::fs::create_dir_all(env.at("portals")).unwrap();
        let text = std::fs::read_to_string(root().join("examples/fleet").join(file)).unwrap();
        // A pause that never ends, so that the test does not either.
        env.file(file, &text.replace("until: 2026-12-01, ", ""));
    }
    let ended = env.run(&["fleet", "status", "fleet.yaml", "--output", "html=fleet.html"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let Some(mut browser) = browser("html_of_a_fleet_in_a_browser_is_sorted_and_filtered") else {
        return;
    };
    browser.open(&env.at("fleet.html"));
    let count = "document.getElementById('count').textContent";
    let first = "body.rows[0].cells[0].textContent.trim()";
    assert_eq!(browser.text(count), "3 / 3");
    assert_eq!(browser.text(first), "alpha.bitrix24.com");
    let heading = "document.querySelector('#portals th button').click()";
    browser.eval(heading);
    assert_eq!(browser.text(first), "alpha.bitrix24.com");
    browser.eval(heading);
    assert_eq!(browser.text(first), "gamma.bitrix24.com");
    let enter = |id: &str, value: &str, event: &str| {
        format!(
            "{{ const e = document.getElementById('{id}'); e.value = '{value}'; e.dispatchEvent(new Event('{event}')); }}"
        )
    };
    for (text, shown) in
        [("country=de", "2 / 3"), ("BETA moved", "1 / 3"), ("nobody", "0 / 3"), ("", "3 / 3")]
    {
        browser.eval(&enter("search", text, "input"));
        assert_eq!(browser.text(count), shown, "{text}");
    }
    for (outcome, shown) in [("paused", "1 / 3"), ("never-seen", "2 / 3"), ("", "3 / 3")] {
        browser.eval(&enter("outcomes", outcome, "change"));
        assert_eq!(browser.text(count), shown, "{outcome}");
    }
}
