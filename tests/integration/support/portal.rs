//! Emulator with a client that sends anything, careful or not.

use recard::emulator::{Emulator, EmulatorOptions, Limits, Seed};
use serde_json::{Value, json};

use super::raw::{self, host_of};

/// A small portal: user 1 administers it, 7 and 8 sell, 9 administers the CRM.
#[derive(Debug)]
pub struct Portal {
    pub emulator: Emulator,
}

/// The cards of the small portal, each with its owner's number in its title.
fn rows() -> Value {
    let card = |title: &str| {
        json!([{"name": "default_column", "type": "column", "elements":
            [{"name": "main", "title": title, "type": "section", "elements": [{"name": "TITLE", "optionFlags": "1"}]}]}])
    };
    let row = |user: i64, name: &str, common: &str, title: &str| json!({"user_id": user, "category": "crm.entity.editor", "name": name, "common": common, "value": card(title)});
    json!([
        row(1, "lead_details", "N", "one"),
        row(1, "returning_lead_details", "N", "one again"),
        row(7, "lead_details", "N", "seven"),
        row(7, "returning_lead_details", "N", "seven again"),
        row(8, "lead_details", "N", "eight"),
        row(9, "lead_details", "N", "nine"),
        row(0, "lead_details_common", "Y", "all"),
    ])
}

impl Portal {
    pub async fn start(release: &str) -> Self {
        Self::with(release, json!({}), json!({}), Limits::default()).await
    }

    /// A portal with parts and an environment of its own.
    pub async fn with(release: &str, portal: Value, environment: Value, limits: Limits) -> Self {
        let state = json!({"variant": release, "environment": environment, "portal": portal, "options": rows()});
        let options =
            EmulatorOptions { seed: Seed::State(state), limits, ..EmulatorOptions::default() };
        Self { emulator: Emulator::start_with(options).await.unwrap() }
    }

    /// Sends a request to an address behind `/rest`; nothing if the connection ends without an
    /// answer.
    pub fn send(
        &self,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<raw::Answer> {
        raw::send(host_of(&self.emulator.rest_url()), verb, &format!("/rest{path}"), headers, body)
    }

    /// Calls a method as user 1, with JSON.
    pub fn ask(&self, method: &str, parameters: Value) -> (u16, Value) {
        self.ask_as("1/adminsecret00001", method, parameters)
    }

    pub fn ask_as(&self, webhook: &str, method: &str, parameters: Value) -> (u16, Value) {
        let headers = [("Content-Type", "application/json")];
        let path = format!("/{webhook}/{method}");
        let answer = self.send("POST", &path, &headers, parameters.to_string().as_bytes()).unwrap();
        (answer.status, if answer.body.is_empty() { Value::Null } else { answer.json() })
    }

    /// The result of a call that must succeed.
    pub fn result(&self, method: &str, parameters: Value) -> Value {
        let (status, answer) = self.ask(method, parameters);
        assert_eq!(status, 200, "{answer}");
        answer["result"].clone()
    }

    /// Sends a form as user 1.
    pub fn form(&self, method: &str, body: &str) -> (u16, Value) {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = self
            .send("POST", &format!("/1/adminsecret00001/{method}"), &headers, body.as_bytes())
            .unwrap();
        (answer.status, answer.json())
    }

    /// Returns the remaining personal and common rows, as `user name`.
    pub fn rows(&self) -> Vec<String> {
        let state = self.emulator.state();
        let name = |row: &Value| format!("{} {}", row["user_id"], row["name"].as_str().unwrap());
        state["options"].as_array().unwrap().iter().map(name).collect()
    }

    /// Whose simple and repeat cards a call has removed; the rows are put back.
    pub fn removed(&self, call: impl FnOnce(&Self)) -> Vec<String> {
        let before = self.emulator.state();
        let rows = self.rows();
        call(self);
        let left = self.rows();
        self.emulator.set_state(&before).unwrap();
        rows.into_iter().filter(|row| !left.contains(row)).collect()
    }

    /// The kinds of complaints so far, in order and each once; they are forgotten.
    pub fn complaints(&self) -> Vec<&'static str> {
        let mut kinds: Vec<&str> =
            self.emulator.complaints().into_iter().map(|complaint| complaint.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let control = self.emulator.control_url();
        raw::send(host_of(&control), "DELETE", "/complaints", &[], b"").unwrap();
        kinds
    }
}
