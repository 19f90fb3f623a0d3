//! Diagnostics: a problem in a manifest, its position and its remedy.
//!
//! A [`Diagnostic`] is a value: a stable code, a message, one or more positions, a help. The
//! modules that report problems (`manifest` for the text, `engine::resolve` for the portal) know
//! positions only; [`render()`] draws them into the text. Webhook secrets are masked in every text
//! that enters a diagnostic and in every line that is drawn, so no output made of diagnostics can
//! hold one.
//!
//! Two functions for every text that leaves the process live here as well, below all modules that
//! write: [`mask()`] covers the known secrets, and [`visible`] makes foreign text safe for
//! terminals and build servers.

mod code;
mod malformed_urls;
mod mask;
mod render;
mod secret;
mod unescape;
mod untrusted_text;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::i18n::Text;
use crate::model::SourceLocation;

pub use code::DiagnosticCode;
pub(crate) use mask::secrets;
pub use mask::{mask, register_secret, register_secrets};
pub use render::{MAX_SHOWN_PER_FILE, RenderStyle, render};
pub(crate) use untrusted_text::{CommandMarkers, is_unsafe, strip_controls};
pub use untrusted_text::{terminal_safe, visible, visible_lines};

/// Text that was read: a file of a manifest, or standard input.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The file as it was named on the command line, or found in a folder named there. Every
    /// [`SourceLocation`] repeats it.
    pub name: Arc<str>,
    /// Its content, unchecked.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Source {
    /// Writes the name only: the content may hold a secret that is not known yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.bytes.len())
    }
}

/// Severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The run stops before any request to the portal.
    Error,
    /// The run goes on.
    Warning,
}

impl Severity {
    /// Returns `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Position that a problem is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// File, line and column.
    pub place: SourceLocation,
    /// The bytes of the file to underline; without it, the word that starts at the place.
    pub span: Option<Range<usize>>,
    /// The text at the position; may be empty.
    pub text: Text,
}

/// Problem in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of problem.
    pub code: DiagnosticCode,
    /// The severity.
    pub severity: Severity,
    /// The problem: a lower-case fragment without a full stop.
    pub message: Text,
    /// The positions. The first is the primary one; the others explain. Empty only if there is no
    /// text at all.
    pub labels: Vec<Label>,
    /// The remedy, if it is known.
    pub help: Option<Text>,
}

impl Diagnostic {
    /// Creates an error.
    pub fn error(code: DiagnosticCode, place: SourceLocation, message: impl Into<Text>) -> Self {
        Self::new(Severity::Error, code, message).label(place, "")
    }

    /// Creates a warning.
    pub fn warning(code: DiagnosticCode, place: SourceLocation, message: impl Into<Text>) -> Self {
        Self::new(Severity::Warning, code, message).label(place, "")
    }

    /// Sets the remedy.
    #[must_use]
    pub fn help(mut self, text: impl Into<Text>) -> Self {
        self.help = Some(text.into().map(mask::mask_secrets));
        self
    }

    /// Adds a position.
    #[must_use]
    pub fn label(mut self, place: SourceLocation, text: impl Into<Text>) -> Self {
        self.labels.push(Label { place, span: None, text: text.into().map(mask::mask_secrets) });
        self
    }

    /// Sets the bytes to underline at the position that was added last.
    #[must_use]
    pub fn span(mut self, span: Range<usize>) -> Self {
        if let Some(label) = self.labels.last_mut() {
            label.span = Some(span);
        }
        self
    }

    /// Returns the primary position.
    pub fn place(&self) -> Option<&SourceLocation> {
        self.labels.first().map(|label| &label.place)
    }

    /// Returns `true` for an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn new(severity: Severity, code: DiagnosticCode, message: impl Into<Text>) -> Self {
        Self {
            code,
            severity,
            message: message.into().map(mask::mask_secrets),
            labels: Vec::new(),
            help: None,
        }
    }
}

impl fmt::Display for Diagnostic {
    /// Writes one line: `lead.yaml:3:5: error[RC0201]: unknown key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)
    }
}
