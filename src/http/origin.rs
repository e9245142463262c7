//! Which web pages may use the server.
//!
//! A browser lets any page open a WebSocket to any address, this server's included, and tells us only the
//! page's origin. An open server on loopback would hand every document to every site that its user visits.
//! So a request that names an origin must come from this server's own pages, from a page on this machine
//! while the server itself is only reachable from this machine, or from a listed origin. Requests without
//! an origin are not made by scripts; but an image's address or a form is enough to make a browser send one,
//! from any page. That it comes from another site's page a browser says too (`Sec-Fetch-Site`).

use actix_web::{
    dev::RequestHead,
    http::{Method, Uri, header, header::HeaderMap},
};

use super::host::{self, Authority};

/// Who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Origins that may always, such as `https://notes.example.org`; `*` lets every page in.
    pub allowed: Vec<String>,
    /// The names of this server.
    pub hosts: host::Policy,
}

impl Policy {
    /// Whether the request may be served.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN);
        let Some(origin) = origins.next() else { return true };
        // Two are what no browser sends: whoever reads the other one must not be told a different story.
        let (Ok(origin), None) = (origin.to_str(), origins.next()) else { return false };
        if self.allowed.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Some(page) = authority(origin) else { return false };
        if self.hosts.is_own_page(&page) {
            return true;
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let Some(host) = host else { return false };
        if self.hosts.loopback {
            // Also the host that the browser believes to talk to: a name that a stranger's DNS points at
            // 127.0.0.1 makes page and host agree, and is neither.
            return page.is_loopback() && host.is_loopback();
        }
        page == host
    }

    /// Whether the request may be served although a page of another site made the browser send it: because
    /// somebody follows a link, or because that page may use the server, for which it must name its origin.
    pub fn admits_site(&self, request: &RequestHead) -> bool {
        let headers = request.headers();
        let says =
            |name, value: &str| headers.get(name).is_some_and(|said| said.as_bytes() == value.as_bytes());
        if !says("sec-fetch-site", "cross-site") || self.allowed.iter().any(|allowed| allowed == "*") {
            return true;
        }
        let follows_link = request.method == Method::GET
            && says("sec-fetch-mode", "navigate")
            && says("sec-fetch-dest", "document");
        follows_link || (headers.contains_key(header::ORIGIN) && self.admits(headers))
    }
}

fn authority(origin: &str) -> Option<Authority> {
    origin.parse::<Uri>().ok()?.authority()?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn policy(allowed: &[&str], public: &[&str], loopback: bool) -> Policy {
        let public = public.iter().map(|public| public.parse().unwrap()).collect();
        let allowed = allowed.iter().map(ToString::to_string).collect();
        Policy { allowed, hosts: host::Policy { public, loopback } }
    }

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
        let policy = policy(&[], &[], true);
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
        let own = policy(&["https://notes.example.org"], &[], false);
        for (origin, expected) in [
            (Some("https://weft.example.org"), true),
            (Some("https://notes.example.org"), true),
            (Some("http://localhost:5173"), false),
            (Some("https://evil.example"), false),
        ] {
            assert_eq!(admits(&own, origin, "weft.example.org"), expected, "{origin:?}");
        }
        let everybody = policy(&["*"], &[], false);
        assert!(admits(&everybody, Some("https://evil.example"), "weft.example.org"));
    }

    /// A proxy on the same machine may hand on the name that people use, or put an address in its place.
    #[test]
    fn its_own_pages_may_behind_a_proxy() {
        let policy = policy(&[], &["weft.example"], true);
        for host in ["weft.example", "127.0.0.1:8080"] {
            assert!(admits(&policy, Some("https://weft.example"), host), "{host}");
            assert!(!admits(&policy, Some("https://evil.example"), host), "{host}");
            assert!(!admits(&policy, Some("https://weft.example:8443"), host), "another page: {host}");
        }
    }

    #[test]
    fn from_another_site_come_links_and_pages_that_may() {
        let policy = policy(&["https://notes.example.org"], &[], true);
        let admits = |method: Method, said: &[(&'static str, &'static str)]| {
            let mut request = RequestHead::default();
            request.method = method;
            for (name, value) in [("host", "127.0.0.1:8080")].iter().chain(said) {
                request.headers.insert(name.parse().unwrap(), HeaderValue::from_static(value));
            }
            policy.admits_site(&request)
        };
        let (cross, navigates) = (("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"));
        let image = [cross, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
        assert!(!admits(Method::GET, &image));
        let link = [cross, navigates, ("sec-fetch-dest", "document")];
        assert!(admits(Method::GET, &link));
        let form = [cross, navigates, ("sec-fetch-dest", "document"), ("origin", "https://evil.example")];
        assert!(!admits(Method::POST, &form));
        let frame = [cross, navigates, ("sec-fetch-dest", "iframe")];
        assert!(!admits(Method::GET, &frame));
        let listed = [cross, ("sec-fetch-mode", "cors"), ("origin", "https://notes.example.org")];
        assert!(admits(Method::GET, &listed) && admits(Method::POST, &listed));
        // Another name of this machine is another site.
        let local = [cross, ("sec-fetch-mode", "websocket"), ("origin", "http://localhost:5173")];
        assert!(admits(Method::GET, &local));
        for site in ["same-origin", "same-site", "none"] {
            assert!(admits(Method::GET, &[("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")]));
        }
        assert!(admits(Method::GET, &[]));
    }

    #[test]
    fn two_origins_are_none() {
        let everybody = policy(&["*"], &[], true);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://localhost"));
        assert!(everybody.admits(&headers));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://localhost"));
        assert!(!everybody.admits(&headers));
    }
}
