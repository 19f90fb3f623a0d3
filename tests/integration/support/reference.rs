//! Reference of the manifest, as Markdown, from its JSON Schema.

use serde_json::Value;

/// The tables of a schema: one for every object in it, each followed by those inside it.
pub fn reference(schema: &Value) -> String {
    let mut reference = Reference { schema, sections: Vec::new(), objects: Vec::new() };
    reference.section("the document", schema);
    reference.sections.join("\n")
}

struct Reference<'a> {
    schema: &'a Value,
    sections: Vec<String>,
    /// Objects that have a section or will have one, each with its title.
    objects: Vec<(String, &'a Value)>,
}

impl<'a> Reference<'a> {
    /// Follows references to what they mean.
    fn meant(&self, mut schema: &'a Value) -> &'a Value {
        loop {
            let all = schema.get("allOf").and_then(|all| all.get(0)).unwrap_or(schema);
            match all.get("$ref").and_then(Value::as_str) {
                Some(name) => {
                    schema = &self.schema["definitions"][name.trim_start_matches("#/definitions/")]
                }
                None => return all,
            }
        }
    }

    fn section(&mut self, title: &str, object: &'a Value) {
        let known = self.objects.len();
        let mut text = format!("### {title}\n\n{}\n", description(object));
        if let Some(choice) = at_least_one(object) {
            text.push_str(&format!("\n{choice}\n"));
        }
        let properties = object["properties"].as_object().unwrap();
        text.push_str(if properties.is_empty() {
            "\nIt has no keys: write `{}`.\n"
        } else {
            "\n| key | value | meaning |\n|---|---|---|\n"
        });
        let required: Vec<&str> =
            object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, value) in properties {
            let path = if title == "the document" { key.clone() } else { format!("{title}.{key}") };
            let kind = self.kind(&path, value);
            let must = if required.contains(&key.as_str()) { ", **required**" } else { "" };
            let examples: Vec<String> = value["examples"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|example| format!("`{}`", plain(example)))
                .collect();
            let example = if examples.is_empty() {
                String::new()
            } else {
                format!(" For example {}.", examples.join(", "))
            };
            text.push_str(&format!(
                "| `{key}` | {kind}{must} | {}{example} |\n",
                description(value)
            ));
        }
        self.sections.push(text);
        let inside: Vec<_> = self.objects[known..].to_vec();
        for (title, object) in inside {
            self.section(&title, object);
        }
    }

    /// Returns the kind of a value in words; an object gets a section of its own, once.
    fn kind(&mut self, path: &str, schema: &'a Value) -> String {
        let meant = self.meant(schema);
        if path == "spec" {
            // Each kind of manifest has a form of its own.
            let schema = self.schema;
            let form = |branch: &str| &schema[branch]["properties"]["spec"];
            let lead = self.meant(form("else"));
            let cards = self.meant(form("then"));
            return format!(
                "{} or {}",
                self.link("spec", lead),
                self.link("spec of CardReset", cards)
            );
        }
        if let Some(value) = meant.get("const") {
            return format!("`{}`", plain(value));
        }
        if let Some(values) = meant["enum"].as_array() {
            let values: Vec<String> =
                values.iter().map(|value| format!("`{}`", plain(value))).collect();
            return values.join(", ");
        }
        if let Some(ways) = meant["anyOf"].as_array().filter(|_| meant.get("properties").is_none())
        {
            return ways.iter().map(|way| self.kind(path, way)).collect::<Vec<_>>().join(" or ");
        }
        match &meant["type"] {
            Value::String(kind) => match kind.as_str() {
                "array" => {
                    let of = self.kind(&format!("{path}[]"), &meant["items"]);
                    let least = if meant["minItems"] == 1 { ", at least one" } else { "" };
                    let of = of.replace("whole number", "whole numbers");
                    format!("list of {}{least}", if of == "text" { "texts" } else { &of })
                }
                "object" => self.link(path, meant),
                "string" => match (meant["minLength"].as_u64(), meant["maxLength"].as_u64()) {
                    (Some(least), Some(most)) => format!("text, {least} to {most} characters"),
                    (None, Some(most)) => format!("text, at most {most} characters"),
                    (_, None) => "text".to_owned(),
                },
                "integer" => match (meant["minimum"].as_u64(), meant["maximum"].as_u64()) {
                    (Some(least), Some(most)) => format!("whole number from {least} to {most}"),
                    (least, _) => format!("whole number from {}", least.unwrap_or_default()),
                },
                "boolean" => "`true` or `false`".to_owned(),
                other => panic!("{path}: the reference has no word for {other}"),
            },
            Value::Array(_) => "text or whole number".to_owned(),
            other => panic!("{path}: the reference has no word for {other}"),
        }
    }

    fn link(&mut self, path: &str, object: &'a Value) -> String {
        let known = self
            .objects
            .iter()
            .find(|(_, known)| std::ptr::eq(*known, object))
            .map(|(title, _)| title.clone());
        let title = known.unwrap_or_else(|| {
            self.objects.push((path.to_owned(), object));
            path.to_owned()
        });
        let anchor: String = title
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == ' ')
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        format!("[{title}](#{anchor})")
    }
}

fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// A value without the quotation marks of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The rule of an object that needs one of several keys.
fn at_least_one(object: &Value) -> Option<String> {
    let ways = object["anyOf"].as_array()?;
    let keys: Vec<String> =
        ways.iter().filter_map(|way| Some(format!("`{}`", way["required"][0].as_str()?))).collect();
    Some(format!("At least one of {} is given.", keys.join(", ")))
}
