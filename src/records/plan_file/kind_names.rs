//! Names of kinds of cards in a plan file, for display.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{KindNames, SmartProcessType};
use crate::records::FormatError;
use crate::records::stored::Stored;

/// Names by the text form of what they name, in the order of the texts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::records) struct KindNamesV1 {
    pipelines: BTreeMap<String, String>,
    processes: BTreeMap<String, String>,
}

impl Stored for KindNames {
    type Form = KindNamesV1;
}

impl From<&KindNames> for KindNamesV1 {
    fn from(names: &KindNames) -> Self {
        let KindNames { pipelines, processes } = names;
        Self {
            pipelines: pipelines
                .iter()
                .map(|(kind, name)| (kind.to_string(), name.to_string()))
                .collect(),
            processes: processes
                .iter()
                .map(|(of, title)| (of.to_string(), title.to_string()))
                .collect(),
        }
    }
}

impl TryFrom<KindNamesV1> for KindNames {
    type Error = FormatError;

    fn try_from(form: KindNamesV1) -> Result<Self, FormatError> {
        let unknown = || FormatError::invalid("it names a kind of card that does not exist");
        let process = |text: &str| text.parse().ok().and_then(SmartProcessType::new);
        let pipelines = form
            .pipelines
            .into_iter()
            .map(|(kind, name)| Ok((kind.parse().map_err(|_| unknown())?, name.into())));
        let processes = form
            .processes
            .into_iter()
            .map(|(of, title)| Ok((process(&of).ok_or_else(unknown)?, title.into())));
        Ok(Self {
            pipelines: pipelines.collect::<Result<_, FormatError>>()?,
            processes: processes.collect::<Result<_, FormatError>>()?,
        })
    }
}
