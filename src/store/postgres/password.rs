//! Passwords of a database: read from files, anew for each connection.

use std::path::Path;

use super::super::read_whole;
use super::address::{DatabaseAddress, Server};

/// Maximum size of a file with passwords.
const MAX_BYTES: u64 = 1 << 20;

/// Returns the password for a server, if a file has one.
///
/// # Errors
///
/// The problem in words, if a file that the address names cannot be read.
pub(super) fn password(
    address: &DatabaseAddress,
    server: &Server,
    default_file: Option<&Path>,
) -> Result<Option<String>, String> {
    let read = |path: &Path| {
        let bytes = read_whole(path, MAX_BYTES).map_err(|problem| {
            format!("cannot read the password from {}: {problem}", path.display())
        })?;
        String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))
    };
    Ok(match (&address.password, address.passwords.as_deref().or(default_file)) {
        (Some(path), _) => Some(read(path)?.trim_end_matches(['\r', '\n']).to_owned()),
        (None, Some(path)) => {
            let wanted =
                [&server.name(), &server.port.to_string(), address.database(), address.user()];
            find(&read(path)?, wanted)
        }
        (None, None) => None,
    })
}

/// Returns the password of the first line that fits host, port, database and user.
fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, names) = fields.get(4).zip(fields.get(..4))?;
        let fits = names.iter().zip(wanted).all(|(name, wanted)| name == "*" || name == wanted);
        fits.then(|| password.clone())
    })
}

/// Splits a line at its colons. A backslash takes the meaning of the next character away.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field) = (Vec::new(), String::new());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ':' if fields.len() < 4 => fields.push(std::mem::take(&mut field)),
            '\\' => field.push(rest.next().unwrap_or(c)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_that_fits_has_the_password() {
        let text = "# a comment\ndb:5432:fleet:worker:one\n*:*:fleet:*:two:with\\:colons\n";
        let found = |host, user| find(text, [host, "5432", "fleet", user]);
        assert_eq!(found("db", "worker").as_deref(), Some("one"));
        assert_eq!(found("other", "worker").as_deref(), Some("two:with:colons"));
        assert_eq!(find(text, ["db", "5432", "another", "worker"]), None);
    }

    #[test]
    fn password_file_is_read_without_its_last_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        crate::store::write_whole(&path, b"geheimes wort\n").unwrap();
        let text = format!("postgres://u@localhost/d?passwordfile={}", path.display());
        let address = DatabaseAddress::parse(&text).unwrap();
        let server = address.servers.first().unwrap();
        let read = password(&address, server, None).unwrap();
        assert_eq!(read.as_deref(), Some("geheimes wort"));
    }
}
