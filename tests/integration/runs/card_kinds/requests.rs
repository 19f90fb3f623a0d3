//! Requests as they leave, and the rule that each request about a card must keep: it says
//! everything that the portal would make up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bitrix24::{HttpResponse, HttpTransport, Transport, TransportError};
use futures_util::future::BoxFuture;
use serde_json::Value;

/// Command of a request, alone or in a batch.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) parameters: BTreeMap<String, String>,
}

/// Commands that were sent, by request.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Vec<Sent>>>>);

impl Log {
    pub(super) fn requests(&self) -> Vec<Vec<Sent>> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn commands(&self) -> Vec<Sent> {
        self.requests().into_iter().flatten().collect()
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// Transport that notes what it sends.
pub(super) struct Recorder {
    pub(super) http: HttpTransport,
    pub(super) log: Log,
}

impl Transport for Recorder {
    fn send<'a>(
        &'a self,
        method: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        self.log.0.lock().unwrap().push(commands(method, &body));
        self.http.send(method, body)
    }
}

fn commands(method: &str, body: &[u8]) -> Vec<Sent> {
    let body: Value = serde_json::from_slice(body).unwrap();
    if method != "batch" {
        return vec![Sent { method: method.to_owned(), parameters: flat(&body) }];
    }
    let commands = body["cmd"].as_object().unwrap().values();
    let command = |text: &Value| {
        let (method, query) =
            text.as_str().unwrap().split_once('?').unwrap_or((text.as_str().unwrap(), ""));
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let parameters: BTreeMap<String, String> = pairs.iter().cloned().collect();
        assert_eq!(parameters.len(), pairs.len(), "a parameter twice: {text}");
        Sent { method: method.to_owned(), parameters }
    };
    commands.map(command).collect()
}

/// Returns the parameters of a JSON body. A number must be one there, too.
fn flat(body: &Value) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (name, value) in body.as_object().unwrap() {
        match (name.as_str(), value) {
            ("data", _) => {}
            ("extras", Value::Object(extras)) => {
                for (key, value) in extras {
                    assert!(value.is_u64(), "{key} is {value}");
                    flat.insert(format!("extras[{key}]"), value.to_string());
                }
            }
            ("userId" | "entityTypeId", value) => {
                assert!(value.is_u64(), "{name} is {value}");
                flat.insert(name.clone(), value.to_string());
            }
            (_, value) => {
                flat.insert(name.clone(), value.as_str().unwrap().to_owned());
            }
        }
    }
    flat
}

/// Checks that no command about a card leaves anything to the portal. `listed` is what the portal
/// lists to the caller for a type; a pipeline must have been asked for before it is used.
pub(super) fn check(commands: &[Sent], listed: impl Fn(u32) -> Vec<u32>) -> Result<(), String> {
    let mut asked: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for sent in commands {
        if sent.method == "crm.category.list" {
            let of = whole(sent, "entityTypeId")?;
            asked.entry(of).or_insert_with(|| listed(of));
        }
        if sent.method.contains(".details.configuration.") {
            check_card(sent, &asked).map_err(|problem| format!("{problem}: {sent:?}"))?;
        }
    }
    Ok(())
}

fn check_card(sent: &Sent, asked: &BTreeMap<u32, Vec<u32>>) -> Result<(), String> {
    let (family, operation) = sent.method.split_once(".details.configuration.").unwrap();
    if !["get", "set", "reset"].contains(&operation) {
        return Err("another operation".to_owned());
    }
    let mut known: BTreeSet<&str> = ["scope", "data"].into();
    match sent.parameters.get("scope").map(String::as_str) {
        Some("C") => {}
        Some("P") => {
            if whole(sent, "userId")? == 0 {
                return Err("nobody".to_owned());
            }
            known.insert("userId");
        }
        _ => return Err("no scope".to_owned()),
    }
    let of = match family {
        "crm.lead" => 1,
        "crm.item" => {
            known.insert("entityTypeId");
            whole(sent, "entityTypeId")?
        }
        _ => return Err("another family".to_owned()),
    };
    // The least number of a pipeline, where one is needed.
    let (key, least) = match of {
        1 => ("leadCustomerType", Some(1)),
        2 => ("dealCategoryId", Some(0)),
        3 | 4 => ("CATEGORY_ID", None),
        7 => ("", None),
        31 => ("CATEGORY_ID", Some(1)),
        128..=191 => ("categoryId", Some(1)),
        1030.. if of % 2 == 0 => ("categoryId", Some(1)),
        _ => return Err("another type".to_owned()),
    };
    let key = format!("extras[{key}]");
    if sent.parameters.contains_key(&key) || least.is_some() {
        let number = whole(sent, &key)?;
        if number < least.unwrap_or(1) {
            return Err("a pipeline that is none".to_owned());
        }
        let lead_types = vec![1, 2];
        let listed = if of == 1 { Some(&lead_types) } else { asked.get(&of) };
        if !listed.ok_or("the portal was not asked for the list")?.contains(&number) {
            return Err("not in the list of this type".to_owned());
        }
        known.insert(&key);
    }
    let data = |name: &str| operation == "set" && name.starts_with("data[");
    match sent.parameters.keys().find(|name| !known.contains(name.as_str()) && !data(name)) {
        Some(name) => Err(format!("a parameter too many, {name}")),
        None => Ok(()),
    }
}

/// Returns a number in the one spelling that every release reads as it is meant.
fn whole(sent: &Sent, name: &str) -> Result<u32, String> {
    let text = sent.parameters.get(name).ok_or_else(|| format!("{name} is missing"))?;
    let number = text.parse::<u32>().ok().filter(|number| number.to_string() == *text);
    number.ok_or_else(|| format!("{name} is {text:?}"))
}
