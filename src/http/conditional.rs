//! Requests for what the client may have already, or for a part of it.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, ByteRangeSpec, EntityTag, Header, HeaderValue, IfNoneMatch, Range},
    },
};
use utoipa::IntoParams;

use super::error::ApiError;

/// The headers that are understood, for the description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "read by functions of this module, which know lists and entity tags")]
pub(super) struct RangeHeaders {
    /// One range of bytes, such as `bytes=0-99`; what is no such range is as good as absent.
    #[param(rename = "Range", nullable = false)]
    range: Option<String>,
    /// The `ETag` of which this is a part; a part of anything else is not wanted, but all of it.
    #[param(rename = "If-Range", nullable = false)]
    if_range: Option<String>,
    /// Entity tags that the client has.
    #[param(rename = "If-None-Match", nullable = false)]
    if_none_match: Option<String>,
}

/// Whether the client has the entity with this tag already, or any, which it says with `*`.
pub(super) fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => request.headers().contains_key(header::IF_NONE_MATCH),
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        // Not understood is not known.
        Err(_) => false,
    }
}

/// What of an entity is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it; also who wants several parts gets that.
    All,
    /// From this byte to that one, which both are there.
    Part(u64, u64),
    /// Something that it does not have.
    Beyond,
}

/// What a GET wants of an entity of so many bytes.
pub(super) fn wanted(request: &HttpRequest, tag: &EntityTag, length: u64) -> Wanted {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    // A part goes to who has a part of this very entity.
    if text(header::IF_RANGE).is_some_and(|known| known.trim() != tag.to_string()) {
        return Wanted::All;
    }
    let Some(Ok(Range::Bytes(ranges))) = text(header::RANGE).map(str::parse) else { return Wanted::All };
    let [range] = ranges.as_slice() else { return Wanted::All };
    // Backwards is no range, and what is no range is as good as not said.
    if matches!(range, ByteRangeSpec::FromTo(from, to) if from > to) {
        return Wanted::All;
    }
    range.to_satisfiable_range(length).map_or(Wanted::Beyond, |(from, to)| Wanted::Part(from, to))
}

/// The answer to who wants a part that is not there.
pub(super) fn beyond(length: u64) -> HttpResponse {
    let message = format!("there are {length} bytes, none of them in this range");
    let refusal = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", message);
    let mut response = refusal.error_response();
    if let Ok(range) = HeaderValue::from_str(&format!("bytes */{length}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn tag() -> EntityTag {
        EntityTag::new_strong("a".to_owned())
    }

    #[test]
    fn what_is_known() {
        for (known, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let request = TestRequest::default().insert_header((header::IF_NONE_MATCH, known));
            assert_eq!(is_known(&request.to_http_request(), &tag()), expected, "{known}");
        }
        assert!(!is_known(&TestRequest::default().to_http_request(), &tag()));
        let two = TestRequest::default()
            .append_header((header::IF_NONE_MATCH, "\"b\""))
            .append_header((header::IF_NONE_MATCH, "\"a\""));
        assert!(is_known(&two.to_http_request(), &tag()));
    }

    #[test]
    fn what_is_wanted() {
        for (range, expected) in [
            ("bytes=0-", Wanted::Part(0, 9)),
            ("bytes=2-3", Wanted::Part(2, 3)),
            ("bytes=2-30", Wanted::Part(2, 9)),
            ("bytes=-3", Wanted::Part(7, 9)),
            ("bytes=-30", Wanted::Part(0, 9)),
            ("bytes=10-", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=3-2", Wanted::All),
            ("bytes=0-1,4-5", Wanted::All),
            ("bytes=x", Wanted::All),
            ("lines=1-2", Wanted::All),
        ] {
            let request = TestRequest::default().insert_header((header::RANGE, range));
            assert_eq!(wanted(&request.to_http_request(), &tag(), 10), expected, "{range}");
        }
        for (known, expected) in
            [("\"a\"", Wanted::Part(1, 9)), ("\"b\"", Wanted::All), ("W/\"a\"", Wanted::All)]
        {
            let request = TestRequest::default()
                .insert_header((header::RANGE, "bytes=1-"))
                .insert_header((header::IF_RANGE, known));
            assert_eq!(wanted(&request.to_http_request(), &tag(), 10), expected, "{known}");
        }
        assert_eq!(wanted(&TestRequest::default().to_http_request(), &tag(), 10), Wanted::All);
    }
}
