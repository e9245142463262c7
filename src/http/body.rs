//! The bodies of requests, on their way in.
//!
//! A handler asks for the body when everything else about the request has been found in order, and nothing
//! of it is gathered before. While it comes in it takes memory that its sender does not pay for: so it has to
//! come, not too slowly and not for ever, and all of them together take no more than so much.

use std::{ops::Deref, time::Duration};

use actix_web::{
    HttpRequest,
    error::PayloadError,
    http::{StatusCode, header, header::HeaderMap},
    web::Payload,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::SchemaType},
};

use super::error::ApiError;
use crate::{connection::transport::Hangup, telemetry::Metrics};

/// Bytes that are no text, in requests or in answers, for the description.
pub(super) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        any.content_media_type("application/octet-stream").build().into()
    }
}

impl ToSchema for Binary {}

/// How long and how slowly, and how much in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of all bodies that are on their way or being worked on. With too few, people who send large
    /// things at once are told to come again.
    pub total_bytes: usize,
    /// Bytes a second that each must bring on average over every [`Config::window`], the end excepted. At 1,024
    /// a phone in a bad place is still served; a sender who gives the least holds 16 MB for four hours, and that
    /// is what `longest` is for.
    pub least_rate: usize,
    /// Over how long the rate is looked at: whoever sends nothing for so long is given up.
    pub window: Duration,
    /// How long one may take in all.
    pub longest: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            total_bytes: 256 << 20,
            least_rate: 1024,
            window: Duration::from_secs(30),
            longest: Duration::from_secs(3600),
        }
    }
}

/// All bodies. Clones share the count.
#[derive(Clone)]
pub struct Bodies {
    config: Config,
    metrics: Metrics,
}

/// A body that has arrived. Its bytes count for as long as it lives.
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    _held: Held,
}

impl Deref for Body {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

/// What one body takes of the whole.
struct Held {
    bytes: usize,
    metrics: Metrics,
}

impl Held {
    /// Takes some more; what all of them take now. The figure that is shown is the one that counts.
    fn grow(&mut self, bytes: usize) -> usize {
        self.bytes += bytes;
        self.metrics.body_bytes_pending.inc_by(bytes as i64) as usize + bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.metrics.body_bytes_pending.dec_by(self.bytes as i64);
    }
}

impl Bodies {
    /// There are none yet.
    pub fn new(config: Config, metrics: Metrics) -> Self {
        Self { config, metrics }
    }

    /// Gathers a body within its limit.
    pub async fn read(
        &self,
        request: &HttpRequest,
        mut payload: Payload,
        limit: Limit,
    ) -> Result<Body, ApiError> {
        let Config { total_bytes, least_rate, window, longest } = self.config;
        limit.admits(request.headers())?;
        let mut held = Held { bytes: 0, metrics: self.metrics.clone() };
        let mut bytes = BytesMut::new();
        let mut ends = std::pin::pin!(tokio::time::sleep(longest));
        let mut windows = tokio::time::interval(window);
        windows.tick().await; // the first is at once
        let least = (least_rate as f64 * window.as_secs_f64()).ceil() as usize;
        let mut since = 0;
        loop {
            let chunk = tokio::select! {
                chunk = payload.next() => chunk,
                _ = windows.tick() => {
                    if bytes.len() - since < least {
                        return Err(too_slow(request));
                    }
                    since = bytes.len();
                    continue;
                }
                () = &mut ends => return Err(too_slow(request)),
            };
            let Some(chunk) = chunk else { break };
            let chunk = chunk.map_err(|error| unread(&error))?;
            if bytes.len() + chunk.len() > limit.bytes {
                return Err(limit.exceeded());
            }
            if held.grow(chunk.len()) > total_bytes {
                let message = "as many request bodies are on their way as max_pending_body_bytes allows; try again shortly";
                return Err(ApiError::unavailable("too_many_bodies", message));
            }
            // Copied: what arrives in small pieces holds large buffers.
            bytes.extend_from_slice(&chunk);
        }
        Ok(Body { bytes: bytes.freeze(), _held: held })
    }
}

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// In bytes.
    pub bytes: usize,
    /// What it is that has a limit, as the answer names it, with the setting if there is one.
    pub of: &'static str,
}

impl Limit {
    /// By what the request announces.
    pub(super) fn admits(self, headers: &HeaderMap) -> Result<(), ApiError> {
        let announced = headers.get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.bytes as u64) {
            return Err(self.exceeded());
        }
        Ok(())
    }

    fn exceeded(self) -> ApiError {
        let message = format!("{} may have {} bytes at most", self.of, self.bytes);
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }
}

fn unread(error: &PayloadError) -> ApiError {
    ApiError::bad_request("invalid_body", format!("the body was not read: {error}"))
}

/// The sender is told, and its connection ended: it has shown that it sends no faster, so it would be kept for
/// the rest of the body.
fn too_slow(request: &HttpRequest) -> ApiError {
    /// Enough for the answer to arrive.
    const LAST_WORDS: Duration = Duration::from_secs(2);

    if let Some(hangup) = request.conn_data::<Hangup>().cloned() {
        actix_web::rt::spawn(async move {
            tokio::time::sleep(LAST_WORDS).await;
            hangup.cut();
        });
    }
    let message = "the body of the request came too slowly; see the settings min_body_rate, \
                   body_window_seconds and max_body_seconds";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
}
