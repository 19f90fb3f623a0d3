//! Labels of fields for the reports of a command.

use super::clock::SystemClock;
use super::ui::Ui;
use crate::app;
use crate::i18n::Text;
use crate::model::CardLabels;
use crate::portal::HttpPortal;
use crate::ports::{Clock as _, StoreError};
use crate::store::Store;

/// Returns the labels that the portal told, and stores them; else those of an earlier command. A
/// failure is worth a warning alone: fields without a label are shown by their codes.
pub(super) async fn load(ui: &Ui, portal: &HttpPortal, store: &Store) -> CardLabels {
    let mut labels = app::known_labels(store).await.unwrap_or_else(|problem| {
        ui.warn(tr!("{problem}; fields are shown by their codes", problem));
        CardLabels::default()
    });
    if let Some(told) = portal.field_labels().cloned()
        && let Err(problem) =
            app::save_labels(store, &mut labels, told.into(), SystemClock.now()).await
    {
        ui.warn(labels_not_saved(&problem));
    }
    labels
}

/// Words the warning that labels could not be stored.
pub(super) fn labels_not_saved(problem: &StoreError) -> Text {
    tr!("the labels of fields could not be kept: {problem}", problem)
}
