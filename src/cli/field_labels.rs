//! Labels of fields for the reports of a command.

use super::clock::SystemClock;
use super::ui::Ui;
use crate::app;
use crate::model::FieldLabels;
use crate::portal::HttpPortal;
use crate::ports::Clock as _;
use crate::store::Store;

/// Returns the labels that the portal told, and stores them; else those of an earlier command. A
/// failure is worth a warning alone: fields without a label are shown by their codes.
pub(super) fn load(ui: &Ui, portal: &HttpPortal, store: &Store) -> FieldLabels {
    let Some(told) = portal.field_labels() else {
        return app::known_labels(store).unwrap_or_else(|problem| {
            ui.warn(tr!("{problem}; fields are shown by their codes", problem));
            FieldLabels::default()
        });
    };
    if let Err(problem) = app::save_labels(store, told, SystemClock.now()) {
        ui.warn(tr!("the labels of fields could not be kept: {problem}", problem));
    }
    told.clone()
}
