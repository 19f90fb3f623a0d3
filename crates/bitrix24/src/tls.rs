//! TLS settings of connections: the certificates that are trusted, read once.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::error::ConnectError;

/// Root certificates that are trusted. Clones share the settings that are made of them: reading
/// some 140 certificates of a system takes 30 ms of a processor, as much as ten requests.
#[derive(Clone, Default)]
pub struct TrustedRoots {
    texts: Option<Arc<Vec<Vec<u8>>>>,
    config: Arc<OnceLock<ClientConfig>>,
}

impl TrustedRoots {
    /// Returns the certificates of texts in PEM, in place of those of the system, which the default
    /// value trusts.
    pub fn new(texts: Vec<Vec<u8>>) -> Self {
        Self { texts: Some(Arc::new(texts)), config: Arc::default() }
    }

    /// Returns the settings of a connection that verifies the server. The certificates are read
    /// when this is first called.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NoRoots`] if the system has none, [`ConnectError::BadRoots`] if the texts
    /// hold none that can be read.
    pub fn config(&self) -> Result<ClientConfig, ConnectError> {
        once(&self.config, || match &self.texts {
            Some(texts) => config_of(Some(roots(texts)?)),
            None => config_of(None),
        })
    }
}

/// Returns settings that trust no server, which all connections without TLS share.
pub(crate) fn trusting_none() -> Result<ClientConfig, ConnectError> {
    static NONE: OnceLock<ClientConfig> = OnceLock::new();
    once(&NONE, || config_of(Some(RootCertStore::empty())))
}

fn once(
    made: &OnceLock<ClientConfig>,
    make: impl FnOnce() -> Result<ClientConfig, ConnectError>,
) -> Result<ClientConfig, ConnectError> {
    if let Some(config) = made.get() {
        return Ok(config.clone());
    }
    let config = make()?;
    Ok(made.get_or_init(|| config).clone())
}

/// Returns settings that trust these roots, or those of the system.
fn config_of(roots: Option<RootCertStore>) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ConnectError::NoRoots)?;
    let verified = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder.with_platform_verifier().map_err(|_| ConnectError::NoRoots)?,
    };
    Ok(verified.with_no_client_auth())
}

impl fmt::Debug for TrustedRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.texts.as_ref().map(|texts| texts.len());
        f.debug_struct("TrustedRoots").field("texts", &texts).finish()
    }
}

fn roots(texts: &[Vec<u8>]) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    for text in texts {
        // A folder of certificates holds other files, too, and old forms; one certificate is
        // enough.
        roots
            .add_parsable_certificates(CertificateDer::pem_slice_iter(text).filter_map(Result::ok));
    }
    match roots.is_empty() {
        true => Err(ConnectError::BadRoots),
        false => Ok(roots),
    }
}
