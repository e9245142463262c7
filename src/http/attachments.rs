//! `/api/v1/documents/{name}/attachments`: files beside a document.
//!
//! Anybody who may write may upload anything, and everybody else's browser will be asked to show it, from the
//! same origin as the app. So nothing of it may ever run: the content type is decided from the bytes and not
//! guessed again (`nosniff`), only pictures made of pixels are shown in place, everything else is a download,
//! and whatever a browser makes of it has no origin and may load nothing (`sandbox`, `default-src 'none'`).

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, dev,
    http::{
        StatusCode,
        header::{
            self, Charset, ContentDisposition, DispositionParam, DispositionType, EntityTag, ExtendedValue,
        },
    },
    web,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    App,
    body::{Binary, Limit},
    conditional::{self, RangeHeaders, Wanted, beyond},
    documents::{answer, find},
    error::ApiError,
    extract::{MayChange, Named, Query, Reads, Writes, presented},
    refusals::{BeyondTheEnd, Changing, Creating, Full, NotFound, Reading},
};
use crate::{
    document::{
        Life, Standing,
        beside::attachments::{AttachError, Attachment, is_picture},
    },
    ids::{DocumentName, Timestamp},
};

/// What may stand in one segment of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Longest file name, in bytes.
const LONGEST_NAME: usize = 255;

/// An attachment, as answers show it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attachment)]
pub struct Shown {
    /// Made of the bytes: the same file has the same id.
    id: Uuid,
    /// Where its bytes are, on this server.
    url: String,
    /// The name that the file had.
    #[schema(required)]
    name: Option<String>,
    /// What the bytes are, as a media type.
    #[serde(rename = "type")]
    content_type: String,
    /// How many there are.
    #[schema(minimum = 1)]
    bytes: u64,
    /// When it came.
    created: Timestamp,
}

impl Shown {
    fn new(document: &DocumentName, Attachment { id, description }: Attachment) -> Self {
        let name = utf8_percent_encode(document.as_str(), SEGMENT);
        let url = format!("/api/v1/documents/{name}/attachments/{id}");
        let (content_type, bytes) = (description.content_type, description.bytes);
        Self { id, url, name: description.name, content_type, bytes, created: description.created }
    }
}

/// What is said of a file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// The name of the file: at most 255 bytes without the folders it was in.
    #[param(nullable = false)]
    name: Option<String>,
}

/// Keeps a file beside a document
///
/// Answers when it is durable. A document that does not exist begins with it.
#[utoipa::path(
    post,
    path = "/api/v1/documents/{name}/attachments",
    operation_id = "addAttachment",
    tag = "attachments",
    params(Named<Reads>, UploadQuery),
    request_body(
        content = inline(Binary),
        content_type = "application/octet-stream",
        description = "The bytes of the file, one at least. What they are is decided from them; the content type of the request may be any, and does not matter."
    ),
    responses(
        (status = 200, description = "The same bytes were there already, and are as they were.", body = Shown),
        (
            status = 201,
            description = "It is kept and durable.",
            body = Shown,
            headers(("Location" = String, description = "The `url` of the attachment."))
        ),
        Creating,
        (status = 404, response = NotFound),
        (status = 507, response = Full)
    )
)]
pub async fn upload(
    app: web::Data<App>,
    request: HttpRequest,
    Named { document, .. }: Named<Writes>,
    _: MayChange,
    Query(query): Query<UploadQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let name = query.name.map(|name| file_name(&name)).transpose()?.flatten();
    // Asked for before the body comes: what is uploaded for one document is not put into the next of its name.
    let life = not_gone(&app, &document).await?;

    let body = app.bodies.read(&request, payload, upload_limit(&app)).await?;
    if body.is_empty() {
        return Err(ApiError::bad_request("invalid_body", "the body is the file, and it is empty"));
    }
    let (attachment, new) =
        app.attachments.attach(&document, life, name, body.bytes.clone(), Timestamp::now()).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let shown = Shown::new(&document, attachment);
    let mut response = answer(status, &shown);
    if let Ok(location) = shown.url.parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// A file.
pub(super) fn upload_limit(app: &App) -> Limit {
    Limit { bytes: app.attachments.limits().bytes, of: "an attachment (see max_attachment_bytes)" }
}

/// All files beside a document.
#[derive(Serialize, ToSchema)]
pub struct AttachmentList {
    attachments: Vec<Shown>,
}

/// Lists the files beside a document, oldest first
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/attachments",
    operation_id = "listAttachments",
    tag = "attachments",
    params(Named<Reads>),
    responses((status = 200, description = "All of them.", body = AttachmentList), Reading)
)]
pub async fn list(
    app: web::Data<App>,
    Named { document, .. }: Named<Reads>,
) -> Result<HttpResponse, ApiError> {
    there(&app, &document).await?;
    let attachments = app.attachments.list(&document).await?.into_iter();
    let attachments = attachments.map(|attachment| Shown::new(&document, attachment)).collect();
    Ok(answer(StatusCode::OK, &AttachmentList { attachments }))
}

/// The bytes of a file
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/attachments/{id}",
    operation_id = "getAttachment",
    tag = "attachments",
    params(
        Named<Reads>,
        AttachmentId,
        RangeHeaders
    ),
    responses(
        (
            status = 200,
            description = "The bytes. Pictures made of pixels are shown in place, everything else is a download; nothing in it may run.",
            content_type = "*/*",
            headers(("ETag" = String), ("Content-Disposition" = String))
        ),
        (
            status = 206,
            description = "The part that `Range` asks for.",
            content_type = "*/*",
            headers(("ETag" = String), ("Content-Range" = String))
        ),
        (status = 304, description = "The client has them."),
        Reading,
        (status = 416, response = BeyondTheEnd)
    )
)]
pub async fn serve(
    app: web::Data<App>,
    request: HttpRequest,
    Named { document, .. }: Named<Reads>,
    AttachmentId { id }: AttachmentId,
) -> Result<HttpResponse, ApiError> {
    there(&app, &document).await?;
    let Some(attachment) = app.attachments.get(&document, id).await? else { return Err(missing()) };
    let description = attachment.description;
    let tag = EntityTag::new_strong(id.to_string());
    // What an id stands for never changes; who may see it does.
    let caching = match presented(&request) {
        None => "private, max-age=31536000, immutable",
        Some(_) => "private, no-cache",
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::ETAG, tag.to_string()))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::CACHE_CONTROL, caching))
        // Stricter than what every answer carries.
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"));
    if conditional::is_known(&request, &tag) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    let length = description.bytes;
    let wanted = match conditional::wanted(&request, &tag, length) {
        Wanted::Beyond => return Ok(beyond(length)),
        wanted => wanted,
    };
    let room = app.answers.room(request.path(), length).await?;
    let bytes = app.attachments.bytes(&document, id).await?.ok_or_else(missing)?;
    let mut answer = room.answer(bytes)?;
    if let Wanted::Part(from, to) = wanted {
        answer = answer.part(from as usize..=to as usize);
        response.status(StatusCode::PARTIAL_CONTENT);
        response.insert_header((header::CONTENT_RANGE, format!("bytes {from}-{to}/{length}")));
    }
    response.insert_header(disposition(&description.content_type, description.name.as_deref()));
    Ok(response.content_type(description.content_type).body(answer))
}

/// Forgets a file for ever
#[utoipa::path(
    delete,
    path = "/api/v1/documents/{name}/attachments/{id}",
    operation_id = "deleteAttachment",
    tag = "attachments",
    params(Named<Reads>, AttachmentId),
    responses((status = 204, description = "It is gone."), Changing)
)]
pub async fn delete(
    app: web::Data<App>,
    Named { document, .. }: Named<Writes>,
    _: MayChange,
    AttachmentId { id }: AttachmentId,
) -> Result<HttpResponse, ApiError> {
    let life = there(&app, &document).await?.ok_or_else(missing)?;
    if app.attachments.detach(&document, life, id).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(missing())
    }
}

/// The attachment named in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AttachmentId {
    /// The attachment's id.
    pub id: Uuid,
}

impl FromRequest for AttachmentId {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|id| Uuid::try_parse(id).ok());
        ready(id.map(|id| Self { id }).ok_or_else(missing))
    }
}

fn missing() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_such_attachment", "the document has no such attachment")
}

/// That the document is there, and not in the trash; its life, if the store knows it.
pub(super) async fn there(app: &App, document: &DocumentName) -> Result<Option<Life>, ApiError> {
    let life = not_gone(app, document).await?;
    if life.is_none() && find(app, document).await?.is_trashed() {
        return Err(ApiError::in_trash());
    }
    Ok(life)
}

/// That the document is neither in the trash nor deleted; its life, if the store knows it.
pub(super) async fn not_gone(app: &App, document: &DocumentName) -> Result<Option<Life>, ApiError> {
    let Some(head) = app.registry.head(document).await? else { return Ok(None) };
    match head.standing {
        Standing::Deleted(_) => Err(ApiError::deleted()),
        Standing::Trashed(_) => Err(ApiError::in_trash()),
        Standing::Live => Ok(Some(head.life)),
    }
}

/// The name of a file, without the folders it was in. Nothing, if nothing is left of it.
fn file_name(name: &str) -> Result<Option<String>, ApiError> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = name.trim();
    if name.len() > LONGEST_NAME {
        let message =
            format!("a file name has at most {LONGEST_NAME} bytes of UTF-8, this one has {}", name.len());
        return Err(ApiError::bad_request("invalid_query", message));
    }
    Ok((!name.is_empty() && name != "." && name != "..").then(|| name.to_owned()))
}

fn disposition(content_type: &str, name: Option<&str>) -> ContentDisposition {
    let disposition =
        if is_picture(content_type) { DispositionType::Inline } else { DispositionType::Attachment };
    let name = name.map(|name| {
        DispositionParam::FilenameExt(ExtendedValue {
            charset: Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: name.as_bytes().to_vec(),
        })
    });
    ContentDisposition { disposition, parameters: name.into_iter().collect() }
}

impl From<AttachError> for ApiError {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Document(error) => error.into(),
            AttachError::Full(_) => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "attachments_full", error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_lose_their_folders() {
        let name = |name| file_name(name).unwrap();
        assert_eq!(name("a.png").as_deref(), Some("a.png"));
        assert_eq!(name("C:\\Users\\ann\\Bild 1.png").as_deref(), Some("Bild 1.png"));
        assert_eq!(name("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(name(" a\r\nb\0 ").as_deref(), Some("ab"));
        for nothing in ["", " ", "..", "a/", "\u{7}"] {
            assert_eq!(name(nothing), None, "{nothing:?}");
        }
        assert!(file_name(&"é".repeat(128)).is_err());
    }
}
