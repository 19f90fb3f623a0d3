//! TLS in front of the portal: a certificate made at the start, or one from outside.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// TLS of the portal's address. The admin API stays without.
#[derive(Clone, Debug)]
pub enum Tls {
    /// A certificate for this machine, of an authority of its own; both are made at the start.
    SelfSigned,
    /// A certificate from outside.
    Pem {
        /// The certificate, and those between it and its authority, as PEM.
        chain: Vec<u8>,
        /// The private key, as PEM.
        key: Vec<u8>,
    },
}

/// Certificate in use.
pub(super) struct ServerTls {
    pub(super) acceptor: TlsAcceptor,
    /// The authority that a client has to trust, as PEM; `None` for a certificate from outside.
    pub(super) authority: Option<String>,
}

impl Tls {
    /// Prepares the certificate for an address, and for the host names of several portals.
    pub(super) fn server(&self, address: IpAddr, hosts: &[String]) -> io::Result<ServerTls> {
        let (chain, key, authority) = match self {
            Self::SelfSigned => {
                self_signed(address, hosts).map_err(|problem| wrong("TLS", &problem))?
            }
            Self::Pem { chain, key } => {
                let chain = CertificateDer::pem_slice_iter(chain)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|problem| wrong("the certificate", &problem))?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|problem| wrong("the private key", &problem))?;
                (chain, key, None)
            }
        };
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|problem| wrong("the certificate with its key", &problem))?;
        Ok(ServerTls { acceptor: TlsAcceptor::from(Arc::new(config)), authority })
    }
}

fn wrong(what: &str, problem: &dyn Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{what} cannot be used: {problem}"))
}

type Certificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, Option<String>);

/// Makes an authority, and a certificate of it for this machine.
fn self_signed(address: IpAddr, hosts: &[String]) -> Result<Certificate, rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "bitrix24-emulator authority");
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST), address];
    let mut names = vec!["localhost".to_owned()];
    names.extend(loopback.iter().filter(|ip| !ip.is_unspecified()).map(ToString::to_string));
    names.extend_from_slice(hosts);
    names.dedup();
    let mut server = CertificateParams::new(names)?;
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((vec![certificate.der().clone()], key, Some(issuer.pem())))
}
