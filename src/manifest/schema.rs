//! The JSON Schema of a manifest, for editors and other programs.
//!
//! The types here mirror what `decode` reads and are never filled. A test holds the two together: every valid example
//! validates, and every file that breaks the form, as against the meaning, does not.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// A list that has at least one entry.
type Filled<T> = Vec<T>;

/// Which people's and which common lead cards of a Bitrix24 portal are to be at their defaults.
#[derive(JsonSchema)]
#[schemars(rename = "LeadCardReset", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct ManifestForm {
    /// The version of this format.
    #[schemars(extend("const" = "recard/v1"))]
    api_version: String,
    /// What is declared.
    #[schemars(extend("const" = "LeadCardReset"))]
    kind: String,
    /// What people want to know about the manifest.
    metadata: MetadataForm,
    /// What is declared.
    spec: SpecForm,
}

/// What people want to know about the manifest.
#[derive(JsonSchema)]
#[schemars(rename = "Metadata", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct MetadataForm {
    /// A short name, by which reports tell manifests apart. Each manifest of a run has its own.
    #[schemars(length(min = 1, max = 100), example = "sales-back-to-standard")]
    name: String,
    /// Why; stands in every plan, report and audit line.
    #[schemars(length(min = 1, max = 500), example = "New lead form since 1 November")]
    reason: String,
    /// Who answers for it.
    #[schemars(length(min = 1, max = 100), example = "crm-team")]
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Text>,
    /// Where it was asked for.
    #[schemars(length(min = 1, max = 100), example = "CRM-118")]
    ticket: Option<Text>,
}

/// A text that is given or left out, but never null.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct Text(String);

/// What is declared.
#[derive(JsonSchema)]
#[schemars(rename = "Spec", rename_all = "camelCase", deny_unknown_fields, extend("anyOf" = [
    {"required": ["personal"]}, {"required": ["common"]}
]))]
#[expect(dead_code, reason = "the type exists for its schema")]
struct SpecForm {
    /// The host of the portal that the manifest is for. It is refused for any other.
    #[schemars(pattern(r"^[^\s.:/?#@%\\-][^\s/?#@%\\]*$"), length(max = 260), example = "company.bitrix24.com")]
    portal: String,
    /// People's own cards.
    #[schemars(length(min = 1))]
    personal: Option<Filled<PersonalForm>>,
    /// The common cards, which everybody sees who has not chosen a card of their own.
    common: Option<CommonForm>,
    /// Limits on how much a run may remove, and permissions to go beyond them.
    guards: Option<GuardsForm>,
    /// People whose cards are never reset, whatever is acknowledged.
    protect: Option<ProtectForm>,
}

/// Some people's own cards.
#[derive(JsonSchema)]
#[schemars(rename = "Personal", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct PersonalForm {
    /// Whose cards.
    users: UsersForm,
    /// For which kinds of lead.
    #[schemars(length(min = 1))]
    lead_customer_types: Filled<LeadForm>,
    /// When a card is reset: whenever it is customised (`enforce`, the default), or once for a named generation.
    mode: Option<ModeForm>,
}

/// The common cards.
#[derive(JsonSchema)]
#[schemars(rename = "Common", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct CommonForm {
    /// For which kinds of lead.
    #[schemars(length(min = 1))]
    lead_customer_types: Filled<LeadForm>,
}

/// A kind of lead: simple (1), or repeat (2), which is one of somebody who is a customer already.
#[derive(JsonSchema)]
#[schemars(rename = "LeadCustomerType", extend("enum" = ["simple", "repeat", 1, 2]))]
#[schemars(transform = untyped)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct LeadForm(String);

/// When a card is reset.
#[derive(JsonSchema)]
#[schemars(rename = "Mode", untagged)]
#[expect(dead_code, reason = "the type exists for its schema")]
enum ModeForm {
    /// Whenever it is customised.
    Enforce(EnforceForm),
    /// Once for a generation; afterwards people may arrange the card again.
    Once(OnceForm),
}

/// Whenever it is customised.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "camelCase")]
#[expect(dead_code, reason = "the type exists for its schema")]
enum EnforceForm {
    Enforce,
}

/// Once for a generation.
#[derive(JsonSchema)]
#[schemars(rename = "Once", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct OnceForm {
    /// The name of the generation: 1 to 64 letters, digits, dots, hyphens and underscores.
    #[schemars(extend("type" = ["string", "integer"], "pattern" = "^[A-Za-z0-9._-]{1,64}$"), example = "2026-11")]
    once: String,
}

/// Which people.
#[derive(JsonSchema)]
#[schemars(rename = "Users", rename_all = "camelCase", deny_unknown_fields, extend("anyOf" = [
    {"required": ["ids"]}, {"required": ["emails"]}, {"required": ["departments"]},
    {"required": ["all"], "properties": {"all": {"const": true}}}
]))]
#[expect(dead_code, reason = "the type exists for its schema")]
struct UsersForm {
    /// By id, dismissed people included.
    #[schemars(length(min = 1))]
    ids: Option<Filled<IdForm>>,
    /// By e-mail address.
    #[schemars(length(min = 1))]
    emails: Option<Filled<EmailForm>>,
    /// By department.
    #[schemars(length(min = 1))]
    departments: Option<Filled<DepartmentForm>>,
    /// Every active employee.
    all: Option<bool>,
    /// Who is left out, whatever selects them.
    except: Option<ExceptForm>,
}

/// Who is left out.
#[derive(JsonSchema)]
#[schemars(rename = "Except", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct ExceptForm {
    /// By id.
    ids: Option<Vec<IdForm>>,
    /// By e-mail address.
    emails: Option<Vec<EmailForm>>,
    /// By department.
    departments: Option<Vec<DepartmentForm>>,
}

/// An id.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct IdForm(
    #[schemars(range(min = 1, max = 2_147_483_646), extend("format" = null), transform = without_format)] u32,
);

/// An e-mail address.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct EmailForm(#[schemars(pattern(r#"^[^@\s,;<>"]+@[^@\s,;<>"]+$"#), example = "anna@example.com")] String);

/// A department: its id, or its id and whether those below it count too.
#[derive(JsonSchema)]
#[schemars(rename = "Department", untagged)]
#[expect(dead_code, reason = "the type exists for its schema")]
enum DepartmentForm {
    /// The department alone.
    Plain(IdForm),
    /// With or without those below it.
    Tree(DepartmentTreeForm),
}

/// A department with or without those below it.
#[derive(JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct DepartmentTreeForm {
    /// The id.
    id: IdForm,
    /// Whether the departments below count too; false unless said.
    recursive: Option<bool>,
}

/// Limits on how much a run may remove.
#[derive(JsonSchema)]
#[schemars(rename = "Guards", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct GuardsForm {
    /// At most this many people may lose a card; 25 unless said.
    max_users: Option<Number>,
    /// At most this share of the employees, once more than 10 people lose a card; 10 unless said.
    #[schemars(range(max = 100))]
    max_percent_of_users: Option<Number>,
    /// Explicit permissions, each repeating what it permits.
    acknowledge: Option<AcknowledgeForm>,
}

/// Explicit permissions.
#[derive(JsonSchema)]
#[schemars(rename = "Acknowledge", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct AcknowledgeForm {
    /// Up to this many people may lose a card.
    users: Option<Number>,
    /// A selection that shrank since the last run is right if it has at least this many people.
    selection: Option<Number>,
    /// These common cards may be reset.
    #[schemars(length(min = 1))]
    common: Option<Filled<LeadForm>>,
    /// User 1 and the owner of the webhook, if their own cards may be reset.
    #[schemars(length(min = 1))]
    people: Option<Filled<IdForm>>,
}

/// People whose cards are never reset.
#[derive(JsonSchema)]
#[schemars(rename = "Protect", deny_unknown_fields)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct ProtectForm {
    /// By id.
    #[schemars(length(min = 1))]
    ids: Filled<IdForm>,
}

/// A whole number that is not negative.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "the type exists for its schema")]
struct Number(#[schemars(transform = without_format)] u32);

fn untyped(schema: &mut Schema) {
    schema.remove("type");
}

fn without_format(schema: &mut Schema) {
    schema.remove("format");
}

/// The schema as JSON text, in the version of JSON Schema that editors read (draft-07).
pub fn schema() -> String {
    let mut settings = SchemaSettings::draft07();
    // A key that is given has a value: null is an error in a manifest.
    settings.transforms.push(Box::new(schemars::transform::RecursiveTransform(never_null)));
    let mut schema = settings.into_generator().into_root_schema_for::<ManifestForm>();
    schema.insert("title".to_owned(), "recard manifest".into());
    // The schema holds plain values only, which JSON can always write.
    serde_json::to_string_pretty(&schema).map(|text| text + "\n").unwrap_or_default()
}

/// Takes `null` out of what optional fields may hold.
fn never_null(schema: &mut Schema) {
    if let Some(serde_json::Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(serde_json::Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [only] = choices.as_slice()
            && let Some(serde_json::Value::String(reference)) = only.get("$ref").cloned().as_ref()
        {
            let reference = reference.clone();
            schema.remove("anyOf");
            schema.insert("allOf".to_owned(), serde_json::json!([{ "$ref": reference }]));
        }
    }
}
