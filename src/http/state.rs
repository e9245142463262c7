//! `/api/v1/documents/{name}/state`: everything in a document, or what somebody lacks of it, for programs that fetch it, apply
//! it, and connect afterwards with all of it in hand.
//!
//! The state is encoded once for all who ask until it changes, compressed once for each way to do so, and told apart from
//! other states by what it is made of: so a client that has it hears so, also after the server was started anew, and one
//! whose line broke goes on where it broke. Parts are parts of what is not compressed.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, AcceptEncoding, EntityTag, Header, Preference, Quality},
    },
    mime, web,
};
use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use futures_util::FutureExt;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    App,
    answers::Room,
    body::Binary,
    conditional::{self, RangeHeaders, Wanted, beyond},
    documents::{lacking, read},
    error::ApiError,
    extract::{Named, Query, Reads, Stored},
    refusals::{BeyondTheEnd, Reading},
};
use crate::{
    document::{compress::Compression, exports::Extent},
    ids::DocumentName,
    protocol::guard::{self, Limits, StateVector},
};

/// What is smaller is sent as it is: it fits into a packet.
const WORTH_COMPRESSING: usize = 1024;

/// With the signs `-` and `_`, and with or without `=` at the end.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What of the state is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StateQuery {
    /// The state vector of who asks, as `Y.encodeStateVector` gives it, in base64url: the answer is only what that lacks, and
    /// all deletions. Without it, or with an empty one, everything.
    #[param(nullable = false, pattern = "^[A-Za-z0-9_-]*={0,2}$")]
    vector: Option<String>,
}

impl StateQuery {
    fn vector(&self, limits: &Limits) -> Result<StateVector, ApiError> {
        let Some(vector) = self.vector.as_deref().filter(|vector| !vector.is_empty()) else {
            return Ok(StateVector::default());
        };
        let refused = |why: String| {
            let message = format!("vector must be a Yjs state vector (v1) in base64url: {why}");
            ApiError::bad_request("invalid_query", message)
        };
        let vector = BASE64URL.decode(vector).map_err(|error| refused(error.to_string()))?;
        guard::state_vector(&vector, limits).map_err(|refusal| refused(refusal.to_string()))
    }
}

/// What the client takes, for the description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "read by actix-web, which knows lists and their weights")]
struct EncodingHeaders {
    /// `zstd`, `br` and `gzip` are spoken, with weights. A part is always sent as it is.
    #[param(rename = "Accept-Encoding", nullable = false)]
    accept_encoding: Option<String>,
}

/// Everything, or what a client lacks, as one Yjs update (v1)
///
/// The entity tag says what it is made of: it changes when the document does, and a weak one stands for a compressed form.
/// An answer that comes while the server has much to do may be without one, and uncompressed.
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/state",
    operation_id = "getState",
    tag = "content",
    params(Named<Reads>, StateQuery, RangeHeaders, EncodingHeaders),
    responses(
        (
            status = 200,
            description = "The update.",
            body = inline(Binary),
            content_type = "application/octet-stream",
            headers(("ETag" = String), ("Vary" = String), ("Content-Encoding" = String, description = "How it is compressed, if it is."))
        ),
        (
            status = 206,
            description = "The part that `Range` asks for.",
            body = inline(Binary),
            content_type = "application/octet-stream",
            headers(("ETag" = String), ("Vary" = String), ("Content-Range" = String))
        ),
        (status = 304, description = "The client has it."),
        Reading,
        (status = 416, response = BeyondTheEnd)
    )
)]
pub async fn state(
    app: web::Data<App>,
    request: HttpRequest,
    Stored { document: name, .. }: Stored<Reads>,
    Query(query): Query<StateQuery>,
) -> Result<HttpResponse, ApiError> {
    let vector = query.vector(&app.connection.guard)?;
    let offered = offered(&request);
    let coding = offered.map_or("identity", Compression::name);
    let exports = app.registry.exports();
    let (extent, (room, state)) = if vector.is_empty() {
        (Extent::Whole, read(&app, &format!("whole in {coding}: {name}"), &name).await?)
    } else {
        (Extent::Difference, difference(&app, coding, &name, &vector).await?)
    };

    let digest = exports.digest(&name, extent, &state).await;
    let length = state.len() as u64;
    let whole = digest.as_ref().map(|digest| tag(digest, None));
    let wanted = whole.as_ref().map_or(Wanted::All, |tag| conditional::wanted(&request, tag, length));

    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::VARY, "accept-encoding"))
        // Kept by who asked, who asks again whether it is still so.
        .insert_header((header::CACHE_CONTROL, "private, no-cache"));
    let compression = offered.filter(|_| wanted == Wanted::All && state.len() >= WORTH_COMPRESSING);
    // Who has it in any form has it: the one that would be sent, or else another.
    let forms = [compression, None].into_iter().chain(Compression::ALL.map(Some));
    let known = digest.as_ref().and_then(|digest| {
        forms.map(|form| tag(digest, form)).find(|tag| conditional::is_known(&request, tag))
    });
    if let Some(known) = known {
        response.insert_header((header::ETAG, known.to_string()));
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    if let Some((compression, digest)) = compression.zip(digest)
        && let Some(compressed) = exports.compressed(&name, extent, compression, state.clone()).await
    {
        response
            .insert_header((header::ETAG, tag(&digest, Some(compression)).to_string()))
            .insert_header((header::CONTENT_ENCODING, compression.name()));
        let answer = room.answer(compressed)?;
        return Ok(response.content_type(mime::APPLICATION_OCTET_STREAM).body(answer));
    }
    if let Some(tag) = whole {
        response
            .insert_header((header::ETAG, tag.to_string()))
            .insert_header((header::ACCEPT_RANGES, "bytes"));
    }
    let answer = match wanted {
        Wanted::Beyond => return Ok(beyond(length)),
        Wanted::All => room.answer(state)?,
        Wanted::Part(from, to) => {
            response.status(StatusCode::PARTIAL_CONTENT);
            response.insert_header((header::CONTENT_RANGE, format!("bytes {from}-{to}/{length}")));
            room.answer(state)?.part(from as usize..=to as usize)
        }
    };
    Ok(response.content_type(mime::APPLICATION_OCTET_STREAM).body(answer))
}

/// What tells these bytes apart, as they are or compressed: what compresses may do it otherwise in another version.
fn tag(digest: &str, compression: Option<Compression>) -> EntityTag {
    match compression {
        Some(compression) => EntityTag::new_weak(format!("{digest}-{}", compression.name())),
        None => EntityTag::new_strong(digest.to_owned()),
    }
}

/// What somebody lacks, with room for as much as that is. Whoever is sent the same shares it, whatever they said they have:
/// of clients that nobody has heard of one can say anything. So it is called by its length, and compared when it is sent.
async fn difference(
    app: &App,
    coding: &str,
    name: &DocumentName,
    vector: &StateVector,
) -> Result<(Room, Bytes), ApiError> {
    let difference = lacking(app, name, vector).await?;
    let bytes = difference.len() as u64;
    let called = format!("{bytes} bytes lacking in {coding}: {name}");
    if let Some(room) = app.answers.room(&called, bytes).now_or_never() {
        return Ok((room?, difference));
    }
    // Who waits for room holds nothing, and asks again for what may have changed meanwhile.
    drop(difference);
    let room = app.answers.room(&called, bytes).await?;
    Ok((room, lacking(app, name, vector).await?))
}

/// How an answer may be compressed: as the client likes best, and if it does not care, as we do.
fn offered(request: &HttpRequest) -> Option<Compression> {
    let accepted = AcceptEncoding::parse(request).ok()?;
    let quality = |name: &str| {
        let of = |wanted: &dyn Fn(&Preference<header::Encoding>) -> bool| {
            accepted.iter().find(|item| wanted(&item.item)).map(|item| item.quality)
        };
        let named = of(&|item| matches!(item, Preference::Specific(coding) if coding.to_string() == name));
        named.or_else(|| of(&|item| matches!(item, Preference::Any)))
    };
    let liked = Compression::ALL.map(|compression| (compression, quality(compression.name())));
    // The first of those that are liked equally.
    let (best, liked) = liked.into_iter().rev().max_by_key(|(_, liked)| *liked)?;
    let liked = liked.filter(|liked| *liked > Quality::ZERO)?;
    // As it is, it is liked least unless something is said of it.
    let as_it_is =
        accepted.iter().find(|item| item.item == Preference::Specific(header::Encoding::identity()));
    as_it_is.is_none_or(|as_it_is| as_it_is.quality <= liked).then_some(best)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn what_the_client_likes_best_and_else_what_we_do() {
        use Compression::{Brotli, Gzip, Zstd};
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip, deflate, br", Some(Brotli)),
            ("gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("zstd;q=0.5, gzip;q=0.8", Some(Gzip)),
            ("*", Some(Zstd)),
            ("zstd;q=0, *;q=0.5", Some(Brotli)),
            ("gzip;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("identity;q=0.5, gzip", Some(Gzip)),
            ("identity", None),
            ("deflate", None),
            ("*;q=0", None),
            ("", None),
            (";;", None),
        ] {
            let request = TestRequest::default().insert_header((header::ACCEPT_ENCODING, accepted));
            assert_eq!(offered(&request.to_http_request()), expected, "{accepted}");
        }
        assert_eq!(offered(&TestRequest::default().to_http_request()), None);
    }
}
