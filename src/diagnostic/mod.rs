//! A problem in the text that people write: what is wrong, where, and how to mend it.
//!
//! A [`Diagnostic`] is a value: a stable code for machines and searches, a message, one or more
//! places, a help. Those who find a problem (`manifest` in the text, `engine::resolve` on the
//! portal) know places only; [`render()`] draws them into the text. Every text that enters a
//! diagnostic has its webhook secrets masked on the way in, and so has every line that is drawn: no
//! output made of diagnostics can hold one, whatever the output.
//!
//! Two functions for every text that leaves the process stand here as well, below all that write:
//! [`mask()`] covers the secrets that are known, and [`visible`] makes foreign text safe for
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
pub use mask::{mask, register_secret, register_secrets};
pub use render::{MAX_SHOWN_PER_FILE, RenderStyle, render};
pub(crate) use secret::secrets;
pub(crate) use untrusted_text::{CommandMarkers, is_unsafe, strip_controls};
pub use untrusted_text::{terminal_safe, visible, visible_lines};

/// A text that was read: a file of a manifest, or the standard input.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The file as it was named on the command line, or found in a folder named there. Stands in
    /// every [`SourceLocation`].
    pub name: Arc<str>,
    /// Its content, unchecked.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Source {
    /// Leaves the content out: it may hold a secret that nobody has looked for yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.bytes.len())
    }
}

/// Whether a problem stops the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is sent to the portal.
    Error,
    /// Worth knowing; the run goes on.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
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

/// A place that a problem is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// File, line and column.
    pub place: SourceLocation,
    /// The bytes of the file to underline; without it, the word that starts at the place.
    pub span: Option<Range<usize>>,
    /// What to say about the place; may be empty.
    pub text: Text,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: DiagnosticCode,
    /// Whether it stops the run.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment without a full stop.
    pub message: Text,
    /// Where. The first is the primary place; the others explain. Empty only where there is no text
    /// at all.
    pub labels: Vec<Label>,
    /// How to mend it, where that is known.
    pub help: Option<Text>,
}

impl Diagnostic {
    /// A problem that stops the run.
    pub fn error(code: DiagnosticCode, place: SourceLocation, message: impl Into<Text>) -> Self {
        Self::new(Severity::Error, code, message).label(place, "")
    }

    /// Something worth knowing.
    pub fn warning(code: DiagnosticCode, place: SourceLocation, message: impl Into<Text>) -> Self {
        Self::new(Severity::Warning, code, message).label(place, "")
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<Text>) -> Self {
        self.help = Some(text.into().map(secret::mask_secrets));
        self
    }

    /// Adds a place.
    #[must_use]
    pub fn label(mut self, place: SourceLocation, text: impl Into<Text>) -> Self {
        self.labels.push(Label { place, span: None, text: text.into().map(secret::mask_secrets) });
        self
    }

    /// Sets the bytes to underline at the place that was added last.
    #[must_use]
    pub fn span(mut self, span: Range<usize>) -> Self {
        if let Some(label) = self.labels.last_mut() {
            label.span = Some(span);
        }
        self
    }

    /// Sets what to say about the place that was added last.
    #[must_use]
    pub fn note(mut self, text: impl Into<Text>) -> Self {
        if let Some(label) = self.labels.last_mut() {
            label.text = text.into().map(secret::mask_secrets);
        }
        self
    }

    /// The primary place.
    pub fn place(&self) -> Option<&SourceLocation> {
        self.labels.first().map(|label| &label.place)
    }

    /// Whether it stops the run.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn new(severity: Severity, code: DiagnosticCode, message: impl Into<Text>) -> Self {
        Self {
            code,
            severity,
            message: message.into().map(secret::mask_secrets),
            labels: Vec::new(),
            help: None,
        }
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `lead.yaml:3:5: error[RC0201]: unknown key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)
    }
}
