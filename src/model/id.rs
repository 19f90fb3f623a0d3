//! Identifiers with a checked range.
//!
//! The portal never refuses an id: an id that it cannot read becomes the caller or user 1, and the
//! answer is `true` all the same. The range is therefore checked once, here, and a request can only
//! be built from a checked id.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use thiserror::Error;
use url::Host;

/// Largest id that a user of a portal can have: 2^31 - 2.
///
/// The portal's column is a signed 32-bit number. 2147483647 itself is left out: a `set` for any
/// larger id is clamped to it, and a row there may belong to any user.
const MAX_ID: u32 = 2_147_483_646;

/// Longest name that the domain name system allows, in characters.
const LONGEST_HOST: usize = 253;

/// Port of https, which the normal form leaves out.
const HTTPS_PORT: u16 = 443;

/// Error: a number or a text is not a valid id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// The number is outside of 1..=2147483646.
    #[error("{}", tr!("an id is a whole number from 1 to 2147483646"))]
    OutOfRange,
    /// The text is empty, or has a character that a host cannot have.
    #[error("{}", tr!("an address is a host name, with a port where it is not the usual one"))]
    NotAnAddress,
    /// The text is not a run id.
    #[error("{}", tr!("a run id looks like 20261101T090000Z-1a2b3c"))]
    NotARun,
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// Checks the range: 1..=2147483646.
            ///
            /// # Errors
            ///
            /// If the number is outside of it.
            pub fn new(number: u64) -> Result<Self, IdError> {
                u32::try_from(number)
                    .ok()
                    .filter(|number| *number <= MAX_ID)
                    .and_then(NonZeroU32::new)
                    .map(Self)
                    .ok_or(IdError::OutOfRange)
            }

            /// Returns the number, from 1 to 2147483646.
            pub fn get(self) -> u32 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Reads decimal digits and nothing else: no sign, no blank, no leading zero.
            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(IdError::OutOfRange);
                }
                text.parse().map_err(|_| IdError::OutOfRange).and_then(Self::new)
            }
        }
    };
}

number_id! {
    /// A user of the portal.
    UserId
}

number_id! {
    /// A department of the portal's company structure.
    DepartmentId
}

impl UserId {
    /// User 1: usually the portal's first administrator, and the user that the portal takes for an
    /// id of a wrong type.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// Id that no user has: the last of the range. A read of its personal card returns the common
    /// default.
    pub const IMPOSSIBLE: Self = match NonZeroU32::new(MAX_ID) {
        Some(number) => Self(number),
        None => Self(NonZeroU32::MIN),
    };
}

/// Identity of a portal: the normal form of its host, and the port unless it is that of https.
///
/// The normal form is that of URLs: lower case, international names in ASCII (punycode), no final
/// dot. A portal has one name, however a manifest or a webhook URL spells it. The id stands in
/// manifests (`portal: company.bitrix24.com`), plan files and the store, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortalId(Box<str>);

impl PortalId {
    /// Brings a host, or a host and port, into its normal form.
    ///
    /// # Errors
    ///
    /// If it is empty, too long, or not a valid host.
    pub fn new(text: &str) -> Result<Self, IdError> {
        let (host, port) = host_and_port(text).ok_or(IdError::NotAnAddress)?;
        // `%` begins an encoded byte in a URL.
        if host.contains('%') {
            return Err(IdError::NotAnAddress);
        }
        let host = Host::parse(host).map_err(|_| IdError::NotAnAddress)?.to_string();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let is_of_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if host.is_empty()
            || host.len() > LONGEST_HOST
            // The folder of a host that begins with `_` could be that of an IPv6 address.
            || host.starts_with(['.', '-', '_'])
            || host.ends_with('.')
            || host.contains("..")
            || !(host.starts_with('[') || host.bytes().all(is_of_name))
        {
            return Err(IdError::NotAnAddress);
        }
        match port {
            None | Some(HTTPS_PORT) => Ok(Self(host.into())),
            Some(port) => Ok(Self(format!("{host}:{port}").into())),
        }
    }

    /// Returns the host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the host as the name of a folder: every character but letters, digits, dots and
    /// hyphens becomes `_`. A host that would get the name of one with a port, such as
    /// `portal_8080`, gets its own port behind it: `portal_8080_443`.
    pub fn folder_name(&self) -> String {
        let keep =
            |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
        let name: String = self.0.chars().map(keep).collect();
        let other = if *name == *self.0 { Self::with_port(&name) } else { None };
        match other.is_some_and(|other| other.folder_name() == name) {
            true => format!("{name}_{HTTPS_PORT}"),
            false => name,
        }
    }

    /// Returns the portal of the name of a folder; `None` if no portal with a host name has it.
    pub fn of_folder(name: &str) -> Option<Self> {
        let portals = Self::with_port(name).into_iter().chain(Self::new(name));
        portals.into_iter().find(|portal| portal.folder_name() == name)
    }

    /// Returns the portal with a port that the name of a folder may mean.
    fn with_port(name: &str) -> Option<Self> {
        let (host, port) = name.rsplit_once('_')?;
        Self::new(&format!("{host}:{port}")).ok()
    }
}

/// Splits a host from its port; returns `None` if the port is invalid.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.find(']') {
        // An IPv6 address has colons of its own.
        Some(end) if text.starts_with('[') => text.split_at(end.saturating_add(1)),
        _ => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let Some(digits) = port.strip_prefix(':') else {
        return port.is_empty().then_some((host, None));
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| digits.parse::<u16>().ok()).flatten().filter(|port| *port > 0)?;
    Some((host, Some(port)))
}

impl fmt::Display for PortalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PortalId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

/// Id of one run of `apply` or `restore`: its start in UTC and six random hexadecimal digits.
///
/// Run ids sort by time, are unique enough for one store, and are short enough to type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Box<str>);

impl RunId {
    /// Builds an id from the start of the run (`20261101T090000Z`) and a random number, of which 24
    /// bits are used.
    ///
    /// # Errors
    ///
    /// If the start has another form.
    pub fn new(started: &str, random: u32) -> Result<Self, IdError> {
        Self::from_str(&format!("{started}-{:06x}", random & 0x00ff_ffff))
    }

    /// Returns this id, or the one right behind `last` if this one would sort before it. Two runs
    /// may begin in one second, and a clock may be set back, but the last run must be the last in
    /// the list.
    #[must_use]
    pub fn behind(self, last: &Self) -> Self {
        if self > *last {
            return self;
        }
        let Some((started, number)) = last.0.split_once('-') else { return self };
        let next = u32::from_str_radix(number, 16).ok().and_then(|number| number.checked_add(1));
        next.filter(|next| *next <= 0x00ff_ffff)
            .and_then(|next| Self::new(started, next).ok())
            .unwrap_or(self)
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let shape = "00000000T000000Z-xxxxxx";
        let fits = |(c, wanted): (char, char)| match wanted {
            '0' => c.is_ascii_digit(),
            'x' => matches!(c, '0'..='9' | 'a'..='f'),
            other => c == other,
        };
        if text.len() != shape.len() || !text.chars().zip(shape.chars()).all(fits) {
            return Err(IdError::NotARun);
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_sorts_behind_the_one_before_it_even_within_a_second_and_when_the_clock_is_set_back() {
        let run = |text: &str| text.parse::<RunId>().unwrap();
        let last = run("20261101T090000Z-a3fb02");
        assert_eq!(run("20261101T090001Z-000000").behind(&last), run("20261101T090001Z-000000"));
        assert_eq!(run("20261101T090000Z-e97e73").behind(&last), run("20261101T090000Z-e97e73"));
        assert_eq!(run("20261101T090000Z-000001").behind(&last), run("20261101T090000Z-a3fb03"));
        assert_eq!(run("20261101T090000Z-a3fb02").behind(&last), run("20261101T090000Z-a3fb03"));
        assert_eq!(run("20251101T090000Z-ffffff").behind(&last), run("20261101T090000Z-a3fb03"));
    }

    #[test]
    fn id_is_a_number_that_the_portal_reads_as_that_user_and_no_other() {
        assert_eq!(UserId::new(7).unwrap().get(), 7);
        assert_eq!(UserId::new(2_147_483_646).unwrap(), UserId::IMPOSSIBLE);
        for number in [0, 2_147_483_647, u64::MAX] {
            assert_eq!(UserId::new(number), Err(IdError::OutOfRange));
        }
        for text in ["", "0", "07", "+7", " 7", "7abc", "1e3", "-1", "99999999999999999999"] {
            assert_eq!(text.parse::<UserId>(), Err(IdError::OutOfRange), "{text:?}");
        }
    }

    #[test]
    fn portal_has_a_folder_that_no_other_portal_has() {
        let portals = [
            "portal",
            "portal:8080",
            "portal_8080",
            "portal_8080:9000",
            "portal_8080_9000",
            "portal_8080_443",
            "portal_443",
            "portal_080",
            "portal_a",
            "portal:1",
            "portal_1",
            "portal__1",
            "portal_:1",
            "portal__1:1",
            "portal__1_1",
        ];
        let portals = portals.map(|text| PortalId::new(text).unwrap());
        let names: std::collections::BTreeSet<String> =
            portals.iter().map(PortalId::folder_name).collect();
        assert_eq!(names.len(), portals.len(), "{names:?}");
        for portal in &portals {
            assert_eq!(PortalId::of_folder(&portal.folder_name()).as_ref(), Some(portal));
        }
        // Names of folders that exist stay.
        for (portal, name) in [("portal:8080", "portal_8080"), ("portal_a", "portal_a")] {
            assert_eq!(PortalId::new(portal).unwrap().folder_name(), name);
        }
        assert_eq!(PortalId::new("portal_8080").unwrap().folder_name(), "portal_8080_443");
    }

    #[test]
    fn portal_is_its_host_whatever_the_case() {
        assert_eq!(PortalId::new("Company.Bitrix24.COM").unwrap().as_str(), "company.bitrix24.com");
        assert_eq!(PortalId::new("127.0.0.1:8080").unwrap().folder_name(), "127.0.0.1_8080");
        for text in [
            "",
            ".",
            "..",
            "-a.example",
            "_a.example",
            "a!b.example",
            "company.bitrix24.com..",
            "company..bitrix24.com",
            "0a.0..",
            "https://company.bitrix24.com",
            "a b",
            "../x",
            "company/rest",
            "company.bitrix24.com:",
            "company.bitrix24.com:x",
            "company.bitrix24.com:+80",
            "company.bitrix24.com:0",
            "company.bitrix24.com:65536",
            "company%2Ebitrix24.com",
            "[::1",
            "[::1]8080",
            "::1",
            "user@company.bitrix24.com",
            "xn--\u{0}",
        ] {
            assert_eq!(PortalId::new(text), Err(IdError::NotAnAddress), "{text:?}");
        }
    }

    #[test]
    fn portal_has_one_normal_form_however_it_is_spelled() {
        for (spellings, normal) in [
            (
                &[
                    "company.bitrix24.com",
                    "COMPANY.bitrix24.com.",
                    "company.bitrix24.com:443",
                    "Company.Bitrix24.com.:0443",
                ][..],
                "company.bitrix24.com",
            ),
            (
                &["company.bitrix24.com:8443", "company.bitrix24.com.:08443"],
                "company.bitrix24.com:8443",
            ),
            (
                &[
                    "компания.рф",
                    "КОМПАНИЯ.РФ",
                    "компания。рф.",
                    "xn--80aqeigdi5k.xn--p1ai",
                    "XN--80AQEIGDI5K.xn--P1AI:443",
                ],
                "xn--80aqeigdi5k.xn--p1ai",
            ),
            (
                &["bücher.example", "BÜCHER.example", "bu\u{308}cher.example"],
                "xn--bcher-kva.example",
            ),
            (&["[::1]:8080", "[0:0:0:0:0:0:0:1]:8080"], "[::1]:8080"),
            (&["127.0.0.1", "127.1"], "127.0.0.1"),
        ] {
            for spelling in spellings {
                let portal = PortalId::new(spelling).unwrap();
                assert_eq!(portal.as_str(), normal, "{spelling:?}");
                assert_eq!(PortalId::new(portal.as_str()), Ok(portal), "{spelling:?}");
            }
        }
    }

    #[test]
    fn run_id_is_a_time_and_six_digits() {
        let run = RunId::new("20261101T090000Z", 0xff1a_2b3c).unwrap();
        assert_eq!(run.as_str(), "20261101T090000Z-1a2b3c");
        assert_eq!(run.as_str().parse::<RunId>().unwrap(), run);
        assert_eq!("../../etc/passwd".parse::<RunId>(), Err(IdError::NotARun));
    }
}
