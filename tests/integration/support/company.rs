//! Company of the emulator: manifests for it, and the rows of its people.

use recard::emulator::Emulator;
use serde_json::{Value, json};

/// A manifest for these users; `more` is put behind its only personal block.
pub fn manifest(portal: &str, users: &str, more: &str) -> String {
    format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
         \"{portal}\"\n  personal:\n    - users: {users}\n      leadCustomerTypes: [simple, repeat]\n{more}"
    )
}

/// A selection of these users.
pub fn ids(list: &[i64]) -> String {
    let list: Vec<String> = list.iter().map(ToString::to_string).collect();
    format!("{{ ids: [{}] }}", list.join(", "))
}

/// The emulator's name as a portal.
pub fn portal_of(emulator: &Emulator) -> String {
    emulator.rest_url().trim_start_matches("http://").trim_end_matches("/rest").to_owned()
}

/// Returns the number of reset commands that arrived.
pub fn resets_sent(emulator: &Emulator) -> u64 {
    emulator.counters().by_method.get("crm.lead.details.configuration.reset").copied().unwrap_or(0)
}

/// Returns the number of set commands that arrived.
pub fn sets_sent(emulator: &Emulator) -> u64 {
    emulator.counters().by_method.get("crm.lead.details.configuration.set").copied().unwrap_or(0)
}

/// A row of somebody's card with one section.
pub fn row(user: i64, name: &str, title: &str) -> Value {
    let elements = json!([{"name": "TITLE", "optionFlags": "1"}]);
    let section = json!({"name": "main", "title": title, "type": "section", "elements": elements});
    let value = json!([{"name": "default_column", "type": "column", "elements": [section]}]);
    json!({"user_id": user, "category": "crm.entity.editor", "name": name, "common": "N", "value": value})
}

/// Lets somebody save a row, as the portal's own interface does.
pub fn save(emulator: &Emulator, row: Value) {
    let mut state = emulator.state();
    let options = state["options"].as_array_mut().unwrap();
    options.retain(|one| one["user_id"] != row["user_id"] || one["name"] != row["name"]);
    options.push(row);
    emulator.set_state(&state).unwrap();
}

/// The ids of all people of a state.
pub fn people(state: &Value) -> Vec<i64> {
    state["portal"]["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["ID"].as_i64().unwrap())
        .collect()
}
