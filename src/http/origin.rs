//! Which web pages may use the server.
//!
//! A browser lets any page open a WebSocket to any address, this server's included, and tells us only the
//! page's origin. An open server on loopback would hand every document to every site that its user visits.
//! So a request that names an origin must come from this server's own pages, from a page on this machine
//! while the server itself is only reachable from this machine, or from a listed origin. Requests without
//! an origin are not made by pages.

use actix_web::http::{Uri, header, header::HeaderMap};

/// Who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Origins that may always, such as `https://notes.example.org`; `*` lets every page in.
    pub allowed: Vec<String>,
    /// The server listens on loopback only.
    pub loopback: bool,
}

impl Policy {
    /// Whether the request may be served.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        if self.allowed.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Some(page) = authority(origin) else { return false };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.loopback {
            // Also the host that the browser believes to talk to: a name that a stranger's DNS points at
            // 127.0.0.1 makes page and host agree, and is neither.
            return is_loopback(&page) && is_loopback(host);
        }
        page.eq_ignore_ascii_case(host)
    }
}

fn authority(origin: &str) -> Option<String> {
    Some(origin.parse::<Uri>().ok()?.authority()?.to_string())
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.to_ascii_lowercase().ends_with(".localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn admits(policy: &Policy, origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        policy.admits(&headers)
    }

    #[test]
    fn on_loopback_every_local_page_may_and_no_other() {
        let policy = Policy { allowed: Vec::new(), loopback: true };
        for (origin, host, expected) in [
            (None, "127.0.0.1:8080", true),
            (Some("http://127.0.0.1:8080"), "127.0.0.1:8080", true),
            (Some("http://localhost:5173"), "127.0.0.1:8080", true),
            (Some("http://[::1]:3000"), "localhost:8080", true),
            (Some("http://app.localhost"), "localhost:8080", true),
            (Some("https://evil.example"), "127.0.0.1:8080", false),
            (Some("http://localhost.evil.example"), "127.0.0.1:8080", false),
            (Some("http://evil.example:8080"), "evil.example:8080", false),
            (Some("null"), "127.0.0.1:8080", false),
        ] {
            assert_eq!(admits(&policy, origin, host), expected, "{origin:?} at {host}");
        }
    }

    #[test]
    fn elsewhere_its_own_pages_may_and_listed_ones() {
        let policy = Policy { allowed: vec!["https://notes.example.org".to_owned()], loopback: false };
        for (origin, expected) in [
            (Some("https://weft.example.org"), true),
            (Some("https://notes.example.org"), true),
            (Some("http://localhost:5173"), false),
            (Some("https://evil.example"), false),
        ] {
            assert_eq!(admits(&policy, origin, "weft.example.org"), expected, "{origin:?}");
        }
        let everybody = Policy { allowed: vec!["*".to_owned()], loopback: false };
        assert!(admits(&everybody, Some("https://evil.example"), "weft.example.org"));
    }
}
