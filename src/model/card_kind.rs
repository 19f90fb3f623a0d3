//! Kind of a card: the type of entity that it is for, and what selects one card within the type.
//!
//! The portal takes a pipeline that is missing, misspelled or of another type for the default one,
//! and answers `true` (`CARDS.md`, sections 0 and 3). So each kind carries exactly its own
//! selector, and a kind of which no pipeline is known has no address.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use thiserror::Error;

use super::LeadCustomerType;
use crate::i18n::Text;

/// Kind of a card.
///
/// The order is that of the portal's numbers of types: leads, deals, contacts, companies, quotes,
/// invoices, smart processes. The text form holds only ids: `lead/simple`, `deal/0`, `contact`,
/// `contact/15`, `company`, `quote`, `smart-invoice/9`, `smart-process/177/9`. The short form of
/// earlier versions, which knew leads alone (`simple`), is read as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardKind {
    /// Leads of a type.
    Lead(LeadCustomerType),
    /// Deals of a pipeline; 0 is the default pipeline of every portal.
    Deal(u32),
    /// Contacts: the main card, or that of a category.
    Contact(Option<PipelineId>),
    /// Companies: the main card, or that of a category.
    Company(Option<PipelineId>),
    /// Quotes.
    Quote,
    /// Smart invoices of a pipeline.
    SmartInvoice(PipelineId),
    /// A smart process and one of its pipelines.
    SmartProcess(SmartProcessType, PipelineId),
    /// A type of which the portal lists no pipeline. Its card has no address: no request can name
    /// it without hitting another card, so that every plan holds it.
    NoPipeline(PipelinedType),
}

/// Id of a pipeline or category that is not the default of its type.
pub type PipelineId = NonZeroU32;

/// Type of entity whose cards all belong to a pipeline with a number above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PipelinedType {
    /// Smart invoices.
    SmartInvoice,
    /// A smart process.
    SmartProcess(SmartProcessType),
}

/// Number of a smart process: its `entityTypeId`, from 128 to 191, or even and from 1030.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SmartProcessType(NonZeroU32);

impl SmartProcessType {
    /// Checks the range. Returns `None` for the number of another type: the portal would reset the
    /// card of that type.
    pub fn new(number: u32) -> Option<Self> {
        let is_smart_process =
            (128..=191).contains(&number) || (number >= 1030 && number.is_multiple_of(2));
        NonZeroU32::new(number).filter(|_| is_smart_process).map(Self)
    }

    /// Returns the number.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for SmartProcessType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Type of entity that has cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityType {
    /// Leads.
    Lead,
    /// Deals.
    Deal,
    /// Contacts.
    Contact,
    /// Companies.
    Company,
    /// Quotes.
    Quote,
    /// Smart invoices.
    SmartInvoice,
    /// A smart process.
    SmartProcess(SmartProcessType),
}

impl EntityType {
    /// Returns the number that the portal's parameter `entityTypeId` takes.
    pub fn number(self) -> u32 {
        match self {
            Self::Lead => 1,
            Self::Deal => 2,
            Self::Contact => 3,
            Self::Company => 4,
            Self::Quote => 7,
            Self::SmartInvoice => 31,
            Self::SmartProcess(number) => number.get(),
        }
    }

    /// Returns the type with a number; `None` for types without cards.
    pub fn from_number(number: u32) -> Option<Self> {
        let fixed =
            [Self::Lead, Self::Deal, Self::Contact, Self::Company, Self::Quote, Self::SmartInvoice];
        let found = fixed.into_iter().find(|entity| entity.number() == number);
        found.or_else(|| SmartProcessType::new(number).map(Self::SmartProcess))
    }

    /// Returns the type in words.
    pub fn words(self) -> Text {
        match self {
            Self::Lead => tr!("leads"),
            Self::Deal => tr!("deals"),
            Self::Contact => tr!("contacts"),
            Self::Company => tr!("companies"),
            Self::Quote => tr!("quotes"),
            Self::SmartInvoice => tr!("invoices"),
            Self::SmartProcess(number) => tr!("smart process {number}", number),
        }
    }

    /// Returns the word of the text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Deal => "deal",
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Quote => "quote",
            Self::SmartInvoice => "smart-invoice",
            Self::SmartProcess(_) => "smart-process",
        }
    }
}

impl CardKind {
    /// Both kinds of cards of leads.
    pub const LEADS: [Self; 2] =
        [Self::Lead(LeadCustomerType::Simple), Self::Lead(LeadCustomerType::Repeat)];

    /// Returns the kind of a type in the pipeline with this number; `None` if the cards of the type
    /// have no pipelines, or none with this number.
    pub fn in_pipeline(of: EntityType, pipeline: u32) -> Option<Self> {
        let numbered = NonZeroU32::new(pipeline);
        match of {
            EntityType::Lead | EntityType::Quote => None,
            EntityType::Deal => Some(Self::Deal(pipeline)),
            EntityType::Contact => numbered.map(|id| Self::Contact(Some(id))),
            EntityType::Company => numbered.map(|id| Self::Company(Some(id))),
            EntityType::SmartInvoice => numbered.map(Self::SmartInvoice),
            EntityType::SmartProcess(of) => numbered.map(|id| Self::SmartProcess(of, id)),
        }
    }

    /// Returns the type of entity.
    pub fn entity_type(self) -> EntityType {
        match self {
            Self::Lead(_) => EntityType::Lead,
            Self::Deal(_) => EntityType::Deal,
            Self::Contact(_) => EntityType::Contact,
            Self::Company(_) => EntityType::Company,
            Self::Quote => EntityType::Quote,
            Self::SmartInvoice(_) | Self::NoPipeline(PipelinedType::SmartInvoice) => {
                EntityType::SmartInvoice
            }
            Self::SmartProcess(of, _) | Self::NoPipeline(PipelinedType::SmartProcess(of)) => {
                EntityType::SmartProcess(of)
            }
        }
    }

    /// Returns the pipeline or category; `None` for the main card of a type, for leads and quotes.
    pub fn pipeline(self) -> Option<u32> {
        match self {
            Self::Deal(pipeline) => Some(pipeline),
            Self::Contact(category) | Self::Company(category) => category.map(NonZeroU32::get),
            Self::SmartInvoice(pipeline) | Self::SmartProcess(_, pipeline) => Some(pipeline.get()),
            Self::Lead(_) | Self::Quote | Self::NoPipeline(_) => None,
        }
    }

    /// Returns the type of lead; `None` for all other kinds.
    pub fn lead(self) -> Option<LeadCustomerType> {
        match self {
            Self::Lead(lead) => Some(lead),
            _ => None,
        }
    }

    /// Returns the shortest text form: the word of a type of lead alone.
    pub fn short(self) -> String {
        self.lead().map_or_else(|| self.to_string(), |lead| lead.to_string())
    }

    /// Returns the kind in words, with ids in place of names.
    pub fn words(self) -> Text {
        match self {
            Self::Lead(LeadCustomerType::Simple) => tr!("simple leads"),
            Self::Lead(LeadCustomerType::Repeat) => tr!("repeat leads"),
            Self::Deal(0) => tr!("deals of the default pipeline"),
            Self::Deal(pipeline) => tr!("deals of pipeline {pipeline}", pipeline),
            Self::Contact(None) => tr!("contacts"),
            Self::Contact(Some(category)) => tr!("contacts of category {category}", category),
            Self::Company(None) => tr!("companies"),
            Self::Company(Some(category)) => tr!("companies of category {category}", category),
            Self::Quote => tr!("quotes"),
            Self::SmartInvoice(_) => tr!("invoices"),
            Self::SmartProcess(of, pipeline) => {
                tr!("smart process {of}, pipeline {pipeline}", of, pipeline)
            }
            Self::NoPipeline(PipelinedType::SmartInvoice) => {
                tr!("invoices without a listed pipeline")
            }
            Self::NoPipeline(PipelinedType::SmartProcess(of)) => {
                tr!("smart process {of} without a listed pipeline", of)
            }
        }
    }
}

impl From<LeadCustomerType> for CardKind {
    fn from(lead: LeadCustomerType) -> Self {
        Self::Lead(lead)
    }
}

/// Id in place of a pipeline that the portal does not list.
const NOT_LISTED: &str = "?";

impl fmt::Display for CardKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.entity_type().as_str();
        match self {
            Self::Lead(lead) => write!(f, "{word}/{}", lead.as_str()),
            Self::Deal(pipeline) => write!(f, "{word}/{pipeline}"),
            Self::Contact(None) | Self::Company(None) | Self::Quote => f.write_str(word),
            Self::Contact(Some(category)) | Self::Company(Some(category)) => {
                write!(f, "{word}/{category}")
            }
            Self::SmartInvoice(pipeline) => write!(f, "{word}/{pipeline}"),
            Self::SmartProcess(of, pipeline) => write!(f, "{word}/{of}/{pipeline}"),
            Self::NoPipeline(PipelinedType::SmartInvoice) => write!(f, "{word}/{NOT_LISTED}"),
            Self::NoPipeline(PipelinedType::SmartProcess(of)) => {
                write!(f, "{word}/{of}/{NOT_LISTED}")
            }
        }
    }
}

/// Error: the text is not the text form of a [`CardKind`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", tr!("a kind of card looks like lead/simple, deal/0, contact, company, quote, smart-invoice/9 or smart-process/177/9, not {what}", what = format_args!("{:?}", .0)))]
pub struct ParseCardKindError(String);

impl FromStr for CardKind {
    type Err = ParseCardKindError;

    fn from_str(text: &str) -> Result<Self, ParseCardKindError> {
        let parts: Vec<&str> = text.split('/').collect();
        // Only one way to write a number: another one would be another key for the same card.
        let number =
            |text: &str| text.parse::<u32>().ok().filter(|number| number.to_string() == text);
        let above_zero = |text: &str| number(text).and_then(NonZeroU32::new);
        let process = |text: &str| number(text).and_then(SmartProcessType::new);
        let kind = match parts.as_slice() {
            ["lead", lead] | [lead @ ("simple" | "repeat")] => lead.parse().ok().map(Self::Lead),
            ["deal", pipeline] => number(pipeline).map(Self::Deal),
            ["contact"] => Some(Self::Contact(None)),
            ["contact", category] => above_zero(category).map(|id| Self::Contact(Some(id))),
            ["company"] => Some(Self::Company(None)),
            ["company", category] => above_zero(category).map(|id| Self::Company(Some(id))),
            ["quote"] => Some(Self::Quote),
            ["smart-invoice", NOT_LISTED] => Some(Self::NoPipeline(PipelinedType::SmartInvoice)),
            ["smart-invoice", pipeline] => above_zero(pipeline).map(Self::SmartInvoice),
            ["smart-process", of, NOT_LISTED] => {
                process(of).map(PipelinedType::SmartProcess).map(Self::NoPipeline)
            }
            ["smart-process", of, pipeline] => process(of)
                .zip(above_zero(pipeline))
                .map(|(of, pipeline)| Self::SmartProcess(of, pipeline)),
            _ => None,
        };
        kind.ok_or_else(|| ParseCardKindError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_in_its_text_form_is_read_back_and_no_other_spelling_is() {
        for text in [
            "lead/simple",
            "lead/repeat",
            "deal/0",
            "deal/5",
            "contact",
            "contact/15",
            "company",
            "company/15",
            "quote",
            "smart-invoice/9",
            "smart-invoice/?",
            "smart-process/177/9",
            "smart-process/1030/1",
            "smart-process/177/?",
        ] {
            assert_eq!(text.parse::<CardKind>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "lead",
            "lead/1",
            "lead/lead/simple",
            "deal",
            "deal/",
            "deal/-1",
            "deal/+5",
            "deal/05",
            "deal/5/5",
            "deal/default",
            "deal/4294967296",
            "contact/0",
            "company/0",
            "quote/1",
            "smart-invoice",
            "smart-invoice/0",
            "smart-process/177",
            "smart-process/177/0",
            "smart-process/2/5",
            "smart-process/31/5",
            "smart-process/192/5",
            "smart-process/1031/5",
            "Deal/0",
        ] {
            assert!(text.parse::<CardKind>().is_err(), "{text:?}");
        }
    }
}
