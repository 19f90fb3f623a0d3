//! Kinds of cards: entry types by number, the names of their rows, and the keys of pipelines.
//!
//! Behavior notes, section 6.

use crate::error::MethodError;
use crate::php::{PhpArray, PhpValue};
use crate::state::{PortalState, Release};

/// Operation of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Set,
    Reset,
    Force,
}

/// Family of methods: the kind of entry of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `crm.lead.details.configuration.*`
    Lead,
    Deal,
    Contact,
    Company,
    /// `crm.item.details.configuration.*`
    Item,
}

/// Kind of card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CardKind {
    Lead,
    Deal,
    Contact,
    Company,
    Quote,
    Invoice,
    /// A smart document, by its number: 36 or 39.
    Document(i64),
    /// A smart process, by its number.
    Process(i64),
}

/// Keys of all kinds but deals and smart processes.
const COMMON_KEYS: &[&str] = &["CATEGORY_ID", "DEAL_CATEGORY_ID"];

const DEAL_KEYS: &[&str] = &[
    "CATEGORY_ID",
    "dealcategoryid",
    "DEALCATEGORYID",
    "dealCategoryId",
    "DealCategoryId",
    "DEAL_CATEGORY_ID",
];

const PROCESS_KEYS: &[&str] =
    &["categoryid", "CATEGORYID", "categoryId", "CategoryId", "CATEGORY_ID", "DEAL_CATEGORY_ID"];

/// Names of types that have no card, by number.
const WITHOUT_CARD: &[(i64, &str)] = &[
    (5, "INVOICE"),
    (6, "ACTIVITY"),
    (8, "REQUISITE"),
    (9, "DEAL_CATEGORY"),
    (10, "CUSTOM_ACTIVITY_TYPE"),
    (11, "WAIT"),
    (12, "CALL_LIST"),
    (13, "DEAL_RECURRING"),
    (14, "ORDER"),
    (15, "ORDER_CHECK"),
    (16, "ORDER_SHIPMENT"),
    (17, "ORDER_PAYMENT"),
    (18, "SUS_LEAD"),
    (19, "SUS_DEAL"),
    (20, "SUS_CONTACT"),
    (21, "SUS_COMPANY"),
    (22, "SUS_QUOTE"),
    (23, "SUS_INVOICE"),
    (24, "SUS_ORDER"),
    (25, "SUS_ACTIVITY"),
    (26, "SUS_REQUISITE"),
    (27, "INVOICE_RECURRING"),
    (28, "SCORING"),
    (32, "SUS_SMART_INVOICE"),
    (33, "STORE_DOCUMENT"),
    (34, "SHIPMENT_DOCUMENT"),
    (35, "BANK_DETAIL"),
    (37, "SUS_SMART_DOCUMENT"),
    (38, "AGENT_CONTRACT"),
    (40, "SUS_SMART_B2E_DOC"),
    (41, ""),
    (1024, "SYSTEM"),
];

impl CardKind {
    /// Returns the kind of a number that has a card; `None` for any other number.
    pub(super) fn from_number(state: &PortalState, number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Lead),
            2 => Some(Self::Deal),
            3 => Some(Self::Contact),
            4 => Some(Self::Company),
            7 => Some(Self::Quote),
            31 => Some(Self::Invoice),
            36 | 39 => Some(Self::Document(number)),
            _ => state.has_process(number).then_some(Self::Process(number)),
        }
    }

    /// Reads the kind of a call of `crm.item.*`.
    pub(super) fn of_call(state: &PortalState, parameters: &PhpArray) -> Result<Self, MethodError> {
        let number =
            first(parameters, &["entityTypeId", "ENTITY_TYPE_ID"]).map_or(0, PhpValue::to_int);
        if let Some(kind) = Self::from_number(state, number) {
            return Ok(kind);
        }
        let known = WITHOUT_CARD.iter().find(|(known, _)| *known == number);
        let name = match known {
            Some((41, _)) if state.release == Release::LegacyRead => None,
            Some((_, name)) => Some((*name).to_owned()),
            // The recycle bin of a smart process.
            None => {
                let of_bin = match number {
                    192..=255 => number - 64,
                    1031.. => number - 1,
                    _ => 0,
                };
                state.has_process(of_bin).then(|| format!("SUS_DYNAMIC_{number}"))
            }
        };
        Err(MethodError::crm(match name {
            Some(name) => {
                format!("The entity type '{name}' is not supported in current context.")
            }
            None => "Parameter 'entityTypeID' is not defined".to_owned(),
        }))
    }

    pub(super) fn number(self) -> i64 {
        match self {
            Self::Lead => 1,
            Self::Deal => 2,
            Self::Contact => 3,
            Self::Company => 4,
            Self::Quote => 7,
            Self::Invoice => 31,
            Self::Document(number) | Self::Process(number) => number,
        }
    }

    /// Returns the name of the kind in the portal: in rights, and in refusals.
    pub(super) fn code(self) -> String {
        match self {
            Self::Lead => "LEAD".into(),
            Self::Deal => "DEAL".into(),
            Self::Contact => "CONTACT".into(),
            Self::Company => "COMPANY".into(),
            Self::Quote => "QUOTE".into(),
            Self::Invoice => "SMART_INVOICE".into(),
            Self::Document(36) => "SMART_DOCUMENT".into(),
            Self::Document(_) => "SMART_B2E_DOC".into(),
            Self::Process(number) => format!("DYNAMIC_{number}"),
        }
    }

    /// Returns the name of the personal row without a number.
    pub(super) fn row_name(self) -> String {
        match self {
            Self::Lead | Self::Deal | Self::Contact | Self::Company => {
                format!("{}_details", self.code().to_lowercase())
            }
            _ => format!("{}_details", self.code()),
        }
    }

    /// Returns the text between the name of a row and the number of a pipeline.
    pub(super) fn infix(self) -> &'static str {
        match self {
            Self::Lead | Self::Deal | Self::Quote => "_c_",
            Self::Contact | Self::Company => "_C_",
            Self::Invoice | Self::Document(_) | Self::Process(_) => "_C",
        }
    }

    /// Returns `true` for kinds of which every card belongs to a numbered pipeline.
    pub(super) fn is_always_numbered(self) -> bool {
        matches!(self, Self::Invoice | Self::Document(_) | Self::Process(_))
    }

    /// Returns the keys in `extras` that name the pipeline; the first that is not null wins.
    pub(super) fn pipeline_keys(self) -> &'static [&'static str] {
        match self {
            Self::Deal => DEAL_KEYS,
            Self::Process(_) => PROCESS_KEYS,
            _ => COMMON_KEYS,
        }
    }
}

/// Returns the first of several names whose value is not null.
pub(super) fn first<'p>(parameters: &'p PhpArray, names: &[&str]) -> Option<&'p PhpValue> {
    names.iter().filter_map(|name| parameters.at(name)).find(|value| **value != PhpValue::Null)
}
