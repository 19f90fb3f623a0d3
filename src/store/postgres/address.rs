//! Address of a database: where its servers are, who asks, and how the way to them is protected.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use url::form_urlencoded;

use crate::diagnostic::register_secret;

/// Port of a server whose address names none.
const DEFAULT_PORT: u16 = 5432;

/// Parameters of libpq that would weaken what recard holds to, or mean another thing here.
const REFUSED: &[&str] = &["hostaddr", "options", "password", "sslcert", "sslkey"];

/// Address of a database, as `--store postgres://USER@HOST/DATABASE` names it. It holds no
/// password.
#[derive(Clone, Debug)]
pub struct DatabaseAddress {
    /// Everything but hosts, ports and the password.
    pub(super) config: Config,
    pub(super) servers: Vec<Server>,
    /// File with passwords in the form of libpq (`passfile=`).
    pub(super) passwords: Option<PathBuf>,
    /// File with nothing but the password (`passwordfile=`).
    pub(super) password: Option<PathBuf>,
    /// File with the key that seals backups (`backupkeyfile=`).
    pub(super) key: Option<PathBuf>,
    /// File with the root certificates (`sslrootcert=`).
    pub(super) roots: Option<PathBuf>,
    shown: String,
}

/// Server of a database.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) host: Host,
    pub(super) port: u16,
    /// The way to the server; without TLS only if it does not leave this machine.
    pub(super) ssl: SslMode,
}

/// Error: a text is not the address of a database, or not one that recard uses.
#[derive(Debug, Error)]
pub enum AddressError {
    /// The text has another form.
    #[error("{}", tr!("it is not of the form postgres://USER@HOST/DATABASE: {problem}", problem = .0))]
    Form(String),
    /// It holds a password.
    #[error("{}", tr!("it holds a password, which every user of this machine could read in the list of processes"))]
    Password,
    /// A parameter is not supported.
    #[error("{}", tr!("the parameter {name} is not supported", name = .0))]
    Parameter(String),
    /// A remote server would be reached without a verified certificate.
    #[error("{}", tr!("sslmode={mode} leaves the way to {host} open; only verify-full is used beyond this machine", mode, host))]
    Unprotected {
        /// The value of the parameter.
        mode: String,
        /// The host.
        host: String,
    },
}

impl DatabaseAddress {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// If it has another form, holds a password, or would leave the way to a server open.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (servers, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut passwords, mut password, mut key) = (None, None, None);
        let (mut roots, mut mode) = (None, None);
        let mut kept = form_urlencoded::Serializer::new(String::new());
        // Here a plus is a plus, and not a space as in a form.
        for (name, value) in form_urlencoded::parse(query.replace('+', "%2B").as_bytes()) {
            match &*name {
                "passfile" => passwords = Some(PathBuf::from(&*value)),
                "passwordfile" => password = Some(PathBuf::from(&*value)),
                "backupkeyfile" => key = Some(PathBuf::from(&*value)),
                "sslrootcert" => roots = Some(PathBuf::from(&*value)),
                "sslmode" => mode = Some(value.into_owned()),
                "password" => {
                    register_secret(&value);
                    return Err(AddressError::Password);
                }
                refused if REFUSED.contains(&refused) => {
                    return Err(AddressError::Parameter(refused.to_owned()));
                }
                _ => drop(kept.append_pair(&name, &value)),
            }
        }
        // The driver does not read a plus as a space.
        let kept = kept.finish().replace('+', "%20");
        let parsed = Config::from_str(&format!("{servers}?{kept}"));
        let config = parsed.map_err(|problem| AddressError::Form(super::error::words(&problem)))?;
        if let Some(password) = config.get_password() {
            // The argument is repeated in the error of the command line.
            register_secret(&String::from_utf8_lossy(password));
            return Err(AddressError::Password);
        }
        if config.get_hosts().is_empty() {
            return Err(AddressError::Form("it names no host".to_owned()));
        }
        let mut address = Self {
            servers: servers_of(&config, mode.as_deref())?,
            config: without_servers(&config),
            passwords,
            password,
            key,
            roots,
            shown: String::new(),
        };
        address.shown = address.show();
        Ok(address)
    }

    /// Names the file with the key that seals backups.
    ///
    /// # Errors
    ///
    /// Returns the other one that the address names.
    pub fn seal_with(&mut self, key: &Path) -> Result<(), PathBuf> {
        match self.key.replace(key.to_owned()) {
            Some(other) if other != key => Err(other),
            _ => Ok(()),
        }
    }

    /// Returns the name of the user, if the address has one.
    pub(super) fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// Returns the name of the database.
    pub(super) fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_else(|| self.user())
    }

    fn show(&self) -> String {
        let servers: Vec<String> = self.servers.iter().map(Server::show).collect();
        let user = match self.user() {
            "" => String::new(),
            user => format!("{user}@"),
        };
        format!("postgres://{user}{}/{}", servers.join(","), self.database())
    }
}

impl std::fmt::Display for DatabaseAddress {
    /// Writes the address without its parameters.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Server {
    /// Returns the name of the host, or the folder of its socket.
    pub(super) fn name(&self) -> String {
        match &self.host {
            Host::Tcp(host) => host.clone(),
            #[cfg(unix)]
            Host::Unix(folder) => folder.display().to_string(),
        }
    }

    fn show(&self) -> String {
        let name = self.name();
        match self.port {
            DEFAULT_PORT => name,
            port => format!("{name}:{port}"),
        }
    }

    /// Returns `true` if the way to the server does not leave this machine.
    fn is_local(host: &Host) -> bool {
        match host {
            Host::Tcp(host) => {
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        }
    }
}

fn servers_of(config: &Config, mode: Option<&str>) -> Result<Vec<Server>, AddressError> {
    let (hosts, ports) = (config.get_hosts(), config.get_ports());
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err(AddressError::Form("it names more ports than hosts".to_owned()));
    }
    let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
    let server = |(index, host): (usize, &Host)| {
        let server = Server { host: host.clone(), port: port(index), ssl: SslMode::Require };
        let ssl = match (mode, Server::is_local(host)) {
            (Some("verify-full" | "verify-ca" | "require"), _) | (None, false) => SslMode::Require,
            (None | Some("disable" | "allow" | "prefer"), true) => SslMode::Disable,
            (Some(mode), _) => {
                return Err(AddressError::Unprotected {
                    mode: mode.to_owned(),
                    host: server.name(),
                });
            }
        };
        Ok(Server { ssl, ..server })
    };
    hosts.iter().enumerate().map(server).collect()
}

/// Returns the settings without servers, each of which is asked by itself: it may have another
/// password.
fn without_servers(config: &Config) -> Config {
    let mut kept = Config::new();
    if let Some(user) = config.get_user() {
        kept.user(user);
    }
    if let Some(database) = config.get_dbname() {
        kept.dbname(database);
    }
    kept.application_name(config.get_application_name().unwrap_or("recard"));
    kept.connect_timeout(*config.get_connect_timeout().unwrap_or(&super::CONNECT_TIMEOUT));
    kept.tcp_user_timeout(*config.get_tcp_user_timeout().unwrap_or(&super::STATEMENT_TIMEOUT));
    kept.channel_binding(config.get_channel_binding());
    kept.ssl_negotiation(config.get_ssl_negotiation());
    // A standby would refuse each write. With `any` it is asked all the same.
    let is_any = config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly;
    if !is_any {
        kept.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        DatabaseAddress::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn address_names_user_servers_and_database() {
        let text = "postgres://worker@db1.example.com,db2.example.com:6432/fleet?connect_timeout=3";
        let address = DatabaseAddress::parse(text).unwrap();
        let shown = "postgres://worker@db1.example.com,db2.example.com:6432/fleet";
        assert_eq!(address.to_string(), shown);
        let ports: Vec<u16> = address.servers.iter().map(|server| server.port).collect();
        assert_eq!(ports, [5432, 6432]);
        assert!(address.servers.iter().all(|server| server.ssl == SslMode::Require));
    }

    #[test]
    fn way_that_leaves_the_machine_is_verified() {
        let ssl = |text: &str| DatabaseAddress::parse(text).unwrap().servers.remove(0).ssl;
        for local in ["localhost", "127.0.0.1", "[::1]", "%2Fvar%2Frun%2Fpostgresql"] {
            assert_eq!(ssl(&format!("postgres://u@{local}/d")), SslMode::Disable, "{local}");
            let asked = format!("postgres://u@{local}/d?sslmode=verify-full");
            assert_eq!(ssl(&asked), SslMode::Require, "{local}");
        }
        assert_eq!(ssl("postgres://u@db.example.com/d?sslmode=require"), SslMode::Require);
        for open in ["disable", "allow", "prefer", "maybe"] {
            let text = problem(&format!("postgres://u@db.example.com/d?sslmode={open}"));
            assert!(text.contains(&format!("sslmode={open} leaves")), "{text}");
        }
    }

    #[test]
    fn password_in_the_address_is_refused_and_not_repeated() {
        for text in ["postgres://u:geheim@localhost/d", "postgres://u@localhost/d?password=geheim"]
        {
            let problem = DatabaseAddress::parse(text).unwrap_err();
            assert!(matches!(problem, AddressError::Password), "{problem}");
            assert!(!format!("{problem} {problem:?}").contains("geheim"));
        }
    }

    #[test]
    fn files_of_passwords_and_certificates_are_parameters() {
        let text = "postgres://u@h/d?passfile=%2Frun%2Fpg+pass&passwordfile=/run/p&sslrootcert=/ca";
        let address = DatabaseAddress::parse(text).unwrap();
        assert_eq!(address.passwords, Some(PathBuf::from("/run/pg+pass")));
        assert_eq!(address.password, Some(PathBuf::from("/run/p")));
        assert_eq!(address.roots, Some(PathBuf::from("/ca")));
    }

    #[test]
    fn key_of_backups_is_named_by_the_address_or_beside_it_but_not_two() {
        let key = Path::new("/run/key");
        for text in ["postgres://u@h/d", "postgres://u@h/d?backupkeyfile=/run/key"] {
            let mut address = DatabaseAddress::parse(text).unwrap();
            address.seal_with(key).unwrap();
            assert_eq!(address.key.as_deref(), Some(key), "{text}");
            let two = address.seal_with(Path::new("/run/other")).unwrap_err();
            assert_eq!(two, key);
        }
    }

    #[test]
    fn parameter_that_recard_does_not_know_is_refused() {
        assert!(problem("postgres://u@h/d?options=-c%20fsync%3Doff").contains("options"));
        assert!(problem("postgres://u@h/d?foo=1").contains("foo"));
        assert!(problem("postgres:///d").contains("names no host"));
    }
}
