//! Under which names the server answers.
//!
//! A page of any site can point its own name at the address of this server and read every document as if it
//! were its own: nothing but `Host` tells such a request from an honest one (DNS rebinding). So each request
//! must name a host that nobody else can have registered, or one that the operator has listed.

use std::{fmt, net::IpAddr, str::FromStr};

use actix_web::{
    dev::RequestHead,
    http::{Version, header},
};

use super::error::ApiError;

/// Which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Those of the setting `public_host`, under which people reach the server.
    pub public: Vec<Public>,
    /// The server listens on loopback only.
    pub loopback: bool,
}

/// A name of the setting `public_host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Public {
    /// Whatever the name.
    Any,
    /// This one; without a port, on every port.
    Named(Authority),
}

/// A host, and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// In lower case, without brackets and without a full stop at the end.
    host: String,
    port: Option<u16>,
}

impl Policy {
    /// Whether a request may be answered, by everything in it that names a host.
    pub fn check(&self, request: &RequestHead) -> Result<(), ApiError> {
        let mut named = request.headers().get_all(header::HOST);
        match (named.next(), named.next()) {
            (Some(_), Some(_)) => return Err(refusal("the request names two hosts")),
            // What speaks HTTP/1.0 and names no host is no browser.
            (None, _) if request.version <= Version::HTTP_10 => {}
            (None, _) => return Err(refusal("the request names no host")),
            (Some(host), None) => self.check_one(host.to_str().unwrap_or_default())?,
        }
        // In front of the path (`GET http://weft.example/`), where it outranks the header.
        request.uri.authority().map_or(Ok(()), |authority| self.check_one(authority.as_str()))
    }

    fn check_one(&self, host: &str) -> Result<(), ApiError> {
        let Ok(named) = host.parse::<Authority>() else { return Err(refusal("the request names no host")) };
        if named.is_loopback() || self.is_public(&named) || (!self.loopback && named.is_local()) {
            return Ok(());
        }
        tracing::debug!(%named, "host refused");
        Err(refusal(&format!(
            "this server does not answer to the name {named}; if that is its name, list it in the setting \
             public_host (--public-host {}, WEFT_PUBLIC_HOST)",
            named.host
        )))
    }

    fn is_public(&self, named: &Authority) -> bool {
        self.public.iter().any(|public| match public {
            Public::Any => true,
            Public::Named(public) => {
                public.host == named.host && public.port.is_none_or(|port| named.port == Some(port))
            }
        })
    }

    /// Whether a page is one of the server's own, by its listed name, although something in between has
    /// replaced the name in `Host`.
    pub(super) fn is_own_page(&self, page: &Authority) -> bool {
        self.public.iter().any(|public| matches!(public, Public::Named(public) if public == page))
    }
}

fn refusal(message: &str) -> ApiError {
    ApiError::bad_request("unknown_host", message)
}

impl Authority {
    /// Whether it is this machine to whoever names it.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// Whether it is an address, or a name that cannot be registered in the public DNS, so that no stranger's
    /// page has it: of one word, or under an ending that is kept for networks of one's own.
    fn is_local(&self) -> bool {
        const KEPT: [&str; 3] = [".local", ".internal", ".home.arpa"];
        !self.host.contains('.')
            || self.host.parse::<IpAddr>().is_ok()
            || KEPT.iter().any(|ending| self.host.ends_with(ending))
    }
}

impl FromStr for Authority {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(())?;
                address.parse::<std::net::Ipv6Addr>().map_err(drop)?;
                (address, port)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().map_err(drop)?),
            _ => return Err(()),
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_known = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(is_known) {
            return Err(());
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for Public {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        text.parse().map(Self::Named).map_err(|()| {
            format!("public_host must be hosts such as weft.example or weft.example:8443, not {text:?}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(public: &[&str], loopback: bool, host: &str) -> bool {
        let public = public.iter().map(|public| public.parse().unwrap()).collect();
        Policy { public, loopback }.check_one(host).is_ok()
    }

    #[test]
    fn on_loopback_it_has_the_names_of_loopback() {
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST.:8080",
            "app.localhost",
            "127.0.0.1",
            "127.8.9.10:1",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
            "localhost:",
        ] {
            assert!(answers(&[], true, host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0.0.0.0:8080",
            "192.168.1.5:8080",
            "[::2]",
            "machine",
            "",
            ":8080",
            "localhost:x",
            "localhost:99999",
            "evil.example@localhost",
            "localhost/",
            "localhost,evil.example",
            "[::1",
            "::1",
            "1::",
        ] {
            assert!(!answers(&[], true, host), "{host}");
        }
    }

    #[test]
    fn open_to_others_it_has_names_that_no_stranger_can_have() {
        for host in ["192.168.1.5:8080", "[2001:db8::1]:80", "machine:8080", "machine.local", "a.internal"] {
            assert!(answers(&[], false, host), "{host}");
        }
        for host in ["evil.example", "evil.example:8080", "machine.local.evil.example", "a.b"] {
            assert!(!answers(&[], false, host), "{host}");
        }
    }

    #[test]
    fn listed_names_are_its_own() {
        for loopback in [true, false] {
            assert!(answers(&["weft.example"], loopback, "Weft.Example:8443"));
            assert!(!answers(&["weft.example"], loopback, "not-weft.example"));
            assert!(answers(&["a.example", "weft.example:8443"], loopback, "weft.example:8443"));
            assert!(!answers(&["weft.example:8443"], loopback, "weft.example"));
            assert!(answers(&["*"], loopback, "anything.example"));
            assert!(answers(&["weft.example"], loopback, "localhost:1"), "health checks on the machine");
        }
        for wrong in ["https://weft.example", "weft.example/path", "a b", ""] {
            assert!(wrong.parse::<Public>().unwrap_err().contains("public_host"), "{wrong}");
        }
    }
}
