//! Styles of recard's text. Meaning never depends on color alone: every colored word says the same.

use anstyle::{AnsiColor, Style};

pub(super) const HEADING: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const REMOVED: Style = AnsiColor::Red.on_default();
pub(super) const ADDED: Style = AnsiColor::Green.on_default();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const PLACE: Style = AnsiColor::Cyan.on_default();
