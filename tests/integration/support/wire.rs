//! Recorded exchanges of the vendor's own code, in a compact form: one case a line, with rows and
//! people by their numbers in `rows.jsonl` and `people.jsonl`. Times, which differ from run to run,
//! were removed; the kind of `time.start` was kept.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A recorded case.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub variant: String,
    /// The body of `PUT /state`.
    pub state: Value,
    pub exchanges: Vec<Exchange>,
    /// All rows at the end.
    pub after: Vec<Value>,
}

/// A request and its answer.
#[derive(Debug)]
pub struct Exchange {
    pub verb: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub status: u16,
    pub content_type: String,
    /// `None` if the answer is not JSON.
    pub answer: Option<Value>,
    /// The text of an answer that is no JSON.
    pub text: String,
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Bytes that are no text are written as hexadecimal digits in base 64's place; the recordings use
/// base 64.
fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        buffer = (buffer << 6) | u32::from(digit(byte));
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(((buffer >> bits) & 0xff) as u8);
        }
    }
    bytes
}

/// Returns the cases of lead cards, sorted by name.
pub fn lead_cases() -> Vec<Case> {
    let people = lines(&folder("wire").join("people.jsonl"));
    cases(&folder("wire"), &people, &json!({}))
}

/// Returns the cases of the other cards, sorted by name. They start from a portal of their own.
pub fn card_cases() -> Vec<Case> {
    let portal = std::fs::read_to_string(folder("wire-cards").join("portal.json")).unwrap();
    cases(&folder("wire-cards"), &[], &serde_json::from_str(&portal).unwrap())
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn cases(folder: &Path, people: &[Value], portal: &Value) -> Vec<Case> {
    let rows = lines(&folder.join("rows.jsonl"));
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".jsonl") && name != "rows.jsonl" && name != "people.jsonl" {
            cases.extend(lines(&path).into_iter().map(|case| read(case, &rows, people, portal)));
        }
    }
    cases.sort_by(|one: &Case, other| one.name.cmp(&other.name));
    cases
}

fn read(mut case: Value, rows: &[Value], people: &[Value], base: &Value) -> Case {
    let pick = |numbers: &Value, table: &[Value]| -> Vec<Value> {
        let number =
            |number: &Value| table[usize::try_from(number.as_u64().unwrap()).unwrap()].clone();
        numbers.as_array().unwrap().iter().map(number).collect()
    };
    let before = pick(&case["before"], rows);
    let after = if case["after"].is_array() { pick(&case["after"], rows) } else { before.clone() };
    if case["portal"]["users"].is_array() {
        case["portal"]["users"] = Value::Array(pick(&case["portal"]["users"], people));
    }
    let mut portal = base.clone();
    if let Some(own) = case["portal"].as_object() {
        portal.as_object_mut().unwrap().extend(own.clone());
    }
    let exchange = |exchange: &Value| {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let header = |(name, value): (&String, &Value)| (name.clone(), text(value));
        Exchange {
            verb: text(&request["method"]),
            path: text(&request["path"]),
            headers: request["headers"].as_object().into_iter().flatten().map(header).collect(),
            body: match request["body_base64"].as_str() {
                Some(encoded) => base64(encoded),
                None => text(&request["body"]).into_bytes(),
            },
            status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
            content_type: text(&response["content_type"]),
            answer: response.get("body").cloned(),
            text: text(&response["text"]),
        }
    };
    Case {
        name: text(&case["name"]),
        variant: text(&case["variant"]),
        exchanges: case["exchanges"].as_array().unwrap().iter().map(exchange).collect(),
        state: json!({
            "variant": case["variant"],
            "environment": case["environment"],
            "portal": portal,
            "options": before,
        }),
        after,
    }
}
