//! Plain HTTP, as programs speak it.

use std::time::Duration;

use serde_json::Value;

use super::Address;

/// A request that is being put together.
pub(crate) struct Request {
    builder: ureq::http::request::Builder,
    body: Vec<u8>,
    patience: Duration,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A request of this method; `path` is sent as it is written.
pub(crate) fn request(server: &impl Address, method: &str, path: &str) -> Request {
    let uri = format!("http://{}{path}", server.address());
    let builder = ureq::http::Request::builder().method(method).uri(uri);
    Request { builder, body: Vec::new(), patience: Duration::from_secs(30) }
}

pub(crate) async fn get(server: &impl Address, path: &str) -> Answer {
    request(server, "GET", path).send().await
}

pub(crate) async fn post(server: &impl Address, path: &str, body: &Value) -> Answer {
    request(server, "POST", path)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
}

pub(crate) async fn delete(server: &impl Address, path: &str) -> Answer {
    request(server, "DELETE", path).send().await
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// For what takes seconds of a processor that has others to serve.
    pub(crate) fn patient(mut self) -> Self {
        self.patience = Duration::from_secs(300);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn send(self) -> Answer {
        tokio::task::spawn_blocking(move || self.send_blocking()).await.unwrap()
    }

    fn send_blocking(self) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .timeout_global(Some(self.patience))
            .build()
            .into();
        let request = self.builder.body(self.body).unwrap();
        let mut response = agent.run(request).unwrap();
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        Answer {
            status: response.status().as_u16(),
            headers,
            body: response.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap(),
        }
    }
}

impl Answer {
    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(found, _)| found == name);
        named.flat_map(|(_, value)| value.split(',')).map(str::trim).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} is not JSON", self.text()))
    }

    /// The code of the error that it is, after checking that it is one for programs and people.
    pub(crate) fn error(&self) -> (u16, String) {
        let error = &self.json()["error"];
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert_eq!(self.header("content-type"), "application/json");
        (self.status, error["code"].as_str().unwrap().to_owned())
    }

    /// Insists on the status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}
