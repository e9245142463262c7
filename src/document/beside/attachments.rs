//! Files that people put into a document: pictures on a board, anything dropped into a text.
//!
//! They are records beside the document: in the trash with it, gone with it. An attachment's id is made of its
//! bytes, so the same file put into the same document twice is there once, under one address, which may be
//! cached for ever. What kind of file it is, is read from the bytes and never believed of the sender.
//!
//! What is stored of each is a [`Description`] as JSON behind a byte that says its format, and the bytes.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::record::{self, Records};
use crate::{
    document::{StoreError, digest::digest, error::JoinError, registry::Registry},
    ids::{DocumentName, Timestamp},
    store::{Collection, Kept, Life, Quota, Record},
};

/// How much people may attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentLimits {
    /// Bytes of one attachment. Each is held in memory once while it arrives and once while it is sent.
    pub bytes: usize,
    /// Bytes of all attachments of one document.
    pub document_bytes: u64,
    /// Attachments of one document: so many are listed in one answer.
    pub document_count: u64,
}

impl Default for AttachmentLimits {
    fn default() -> Self {
        Self { bytes: 10 << 20, document_bytes: 256 << 20, document_count: 5_000 }
    }
}

/// What is known about an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its id, made of its bytes.
    pub id: Uuid,
    /// The rest.
    pub description: Description,
}

/// What is stored about an attachment beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The name that the file had, for people who save it.
    pub name: Option<String>,
    /// What its bytes are, as a media type.
    #[serde(rename = "type")]
    pub content_type: String,
    /// How many bytes.
    pub bytes: u64,
    /// When it came.
    pub created: Timestamp,
}

/// Why a file cannot be attached.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AttachError {
    /// The document cannot take it.
    #[error("{0}")]
    Document(#[from] JoinError),
    /// The document holds as much as it may.
    #[error("the document holds as many attachments as it may: {} files, {} bytes", .0.document_count, .0.document_bytes)]
    Full(AttachmentLimits),
}

impl From<StoreError> for AttachError {
    fn from(error: StoreError) -> Self {
        Self::Document(error.into())
    }
}

/// The attachments of all documents. Clones share them.
#[derive(Clone)]
pub struct Attachments {
    registry: Registry,
    records: Records,
    limits: AttachmentLimits,
    reading: Arc<Reading>,
}

impl Attachments {
    /// Those beside the documents of `registry`.
    pub fn new(registry: Registry) -> Self {
        let records = Records::new(registry.store().clone(), registry.config());
        let limits = registry.config().attachments;
        Self { registry, records, limits, reading: Arc::default() }
    }

    /// How much people may attach.
    pub fn limits(&self) -> AttachmentLimits {
        self.limits
    }

    /// Keeps a file beside a document in this life of it, which begins with it if there is none. Resolves when it is
    /// durable: to what is there now, and whether it is new. The caller has checked its size, and that the document is
    /// not in the trash.
    pub async fn attach(
        &self,
        document: &DocumentName,
        life: Option<Life>,
        name: Option<String>,
        bytes: Bytes,
        created: Timestamp,
    ) -> Result<(Attachment, bool), AttachError> {
        let life = match life {
            Some(life) => life,
            None => self.registry.begun(document).await?,
        };
        let hashed = bytes.clone();
        let id = tokio::task::spawn_blocking(move || id_of(&hashed)).await;
        let id = id.map_err(|_| StoreError::Closed)?;
        let content_type = content_type(&bytes).to_owned();
        let description = Description { name, content_type, bytes: bytes.len() as u64, created };
        let limits = self.limits;
        let records = vec![
            Record { collection: Collection::Attachments, key: id, value: record::encode(&description) },
            Record { collection: Collection::AttachmentBytes, key: id, value: bytes },
        ];
        let quota = Quota {
            collection: Collection::AttachmentBytes,
            records: limits.document_count,
            bytes: limits.document_bytes,
        };
        match self.records.keep(document, life, created, records, quota).await? {
            Kept::New => Ok((Attachment { id, description }, true)),
            Kept::NoRoom => Err(AttachError::Full(limits)),
            Kept::Known => {
                // Gone again between the two questions: then it is as if it had come first.
                let known = self.get(document, id).await?;
                Ok((known.unwrap_or(Attachment { id, description }), false))
            }
        }
    }

    /// What is attached to a document, oldest first.
    pub async fn list(&self, document: &DocumentName) -> Result<Vec<Attachment>, StoreError> {
        /// Others want to read as well, and must not wait for thousands.
        const AT_ONCE: usize = 200;
        let (mut attachments, mut before) = (Vec::new(), None);
        loop {
            let page = self.records.page(document, Collection::Attachments, before, AT_ONCE).await?;
            for record in &page {
                attachments.push(decode(document, record.key, &record.value)?);
            }
            before = page.last().map(|record| record.key);
            if page.len() < AT_ONCE {
                break;
            }
        }
        attachments.sort_by_key(|attachment| (attachment.description.created, attachment.id));
        Ok(attachments)
    }

    /// What is known about one attachment.
    pub async fn get(&self, document: &DocumentName, id: Uuid) -> Result<Option<Attachment>, StoreError> {
        let found = self.records.get(document, Collection::Attachments, id).await?;
        found.map(|value| decode(document, id, &value)).transpose()
    }

    /// The bytes of one attachment. Whoever reads the same attachment at the same time shares them.
    pub async fn bytes(&self, document: &DocumentName, id: Uuid) -> Result<Option<Bytes>, StoreError> {
        let read = async {
            let found = self.records.get(document, Collection::AttachmentBytes, id).await;
            found.map_err(Some)?.ok_or(None)
        };
        match self.reading.share(document, id, read).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error),
        }
    }

    /// Forgets an attachment for ever; whether it was there.
    pub async fn detach(&self, document: &DocumentName, life: Life, id: Uuid) -> Result<bool, StoreError> {
        let both = vec![(Collection::Attachments, id), (Collection::AttachmentBytes, id)];
        self.records.forget(document, life, both).await
    }
}

/// The attachments that are being sent, so that a thousand slow readers of one hold it in memory once. An
/// attachment never changes, so nothing here can be out of date; whether it may be read at all is asked
/// before.
#[derive(Default)]
struct Reading(Mutex<Readers>);

#[derive(Default)]
struct Readers {
    held: HashMap<(DocumentName, Uuid), Weak<Shared>>,
    /// From so many entries on, those that nobody reads any more are swept out.
    sweep_at: usize,
}

/// The bytes, once they have been read. Who comes before that waits for whoever reads them: a crowd that comes
/// at once would read, and hold, as many copies.
type Shared = OnceCell<Bytes>;

/// Bytes that are counted by those who hold them.
struct Counted(Arc<Shared>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.0.get().map_or(&[], AsRef::as_ref)
    }
}

impl Reading {
    /// The bytes, which `read` reads if nobody has them or reads them already.
    async fn share<E>(
        &self,
        document: &DocumentName,
        id: Uuid,
        read: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        let shared = self.place(document, id);
        shared.get_or_try_init(|| read).await?;
        Ok(Bytes::from_owner(Counted(shared)))
    }

    fn place(&self, document: &DocumentName, id: Uuid) -> Arc<Shared> {
        /// Fewer are not worth a look.
        const FEW: usize = 64;
        let Readers { held, sweep_at } = &mut *self.0.lock();
        let key = (document.clone(), id);
        if let Some(shared) = held.get(&key).and_then(Weak::upgrade) {
            return shared;
        }
        if held.len() >= *sweep_at {
            held.retain(|_, held| held.strong_count() > 0);
            // As many have to come again before the next look, so that it costs each of them one step.
            *sweep_at = FEW.max(2 * held.len());
        }
        let shared = Arc::default();
        held.insert(key, Arc::downgrade(&shared));
        shared
    }
}

/// The same bytes have the same id.
fn id_of(bytes: &[u8]) -> Uuid {
    uuid::Builder::from_custom_bytes(digest(bytes)).into_uuid()
}

fn decode(document: &DocumentName, id: Uuid, value: &[u8]) -> Result<Attachment, StoreError> {
    let description = record::decode(document, &format!("attachment {id}"), value)?;
    Ok(Attachment { id, description })
}

/// What the bytes are. What nobody knows is text if it can be read as such, else just bytes.
pub fn content_type(bytes: &[u8]) -> &'static str {
    if let Some(markup) = markup(bytes) {
        return markup;
    }
    if let Some(known) = infer::get(bytes) {
        return known.mime_type();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace() && c != '\u{1b}') => {
            "text/plain; charset=utf-8"
        }
        _ => "application/octet-stream",
    }
}

/// Whether a browser would show the content in place without a program in it ever running: the pictures
/// that are nothing but pixels.
pub fn is_picture(content_type: &str) -> bool {
    const PICTURES: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];
    PICTURES.contains(&content_type)
}

/// SVG, which is a picture and a program at once, and other XML and HTML: by the first element.
fn markup(bytes: &[u8]) -> Option<&'static str> {
    const LOOKED_AT: usize = 4096;
    let beginning = &bytes[..bytes.len().min(LOOKED_AT)];
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        // A character may have been cut at the end of what is looked at.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    let declared = rest.starts_with("<?xml");
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            // A document type may hold declarations of its own, in brackets.
            _ if rest.starts_with("<!") && rest.find('[') < rest.find('>') && rest.contains('[') => "]>",
            _ if rest.starts_with("<!") => ">",
            _ => break,
        };
        let html = rest.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype html"));
        if html {
            return Some("text/html");
        }
        rest = rest.split_once(end)?.1.trim_start();
    }
    let name: String =
        rest.strip_prefix('<')?.chars().take_while(|c| c.is_alphanumeric() || *c == ':').collect();
    match name.to_ascii_lowercase().as_str() {
        "svg" | "svg:svg" => Some("image/svg+xml"),
        "html" | "head" | "body" | "script" | "iframe" => Some("text/html"),
        _ => declared.then_some("text/xml"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The app writes the address of a picture into a document before it has a server to ask, so other ids
    /// would leave such pictures without a place. The same bytes are in frontend/src/documents/pictures.test.ts.
    #[test]
    fn ids_never_change() {
        assert_eq!(id_of(b"abc").to_string(), "ba7816bf-8f01-8fea-8141-40de5dae2223");
        assert_eq!(id_of(b"").to_string(), "e3b0c442-98fc-8c14-9afb-f4c8996fb924");
    }

    #[test]
    fn the_bytes_say_what_they_are() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"\xff\xd8\xff\xe0 JFIF", "image/jpeg"),
            (b"GIF89a....", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"%PDF-1.7 ", "application/pdf"),
            (b"PK\x03\x04...", "application/zip"),
            (b"<svg xmlns='x'><script>alert(1)</script></svg>", "image/svg+xml"),
            (
                b"\xef\xbb\xbf<?xml version='1.0'?><!-- <html> --><!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg/>",
                "image/svg+xml",
            ),
            (b"  <!doctype HTML><p>hello", "text/html"),
            (b"<script>alert(1)</script>", "text/html"),
            (b"<?xml version='1.0'?><feed/>", "text/xml"),
            (b"# A heading\n\nwith text", "text/plain; charset=utf-8"),
            (b"a < b and b > c", "text/plain; charset=utf-8"),
            ("文字".as_bytes(), "text/plain; charset=utf-8"),
            (b"", "text/plain; charset=utf-8"),
            (b"\0\x01\x02", "application/octet-stream"),
            (b"caf\xe9", "application/octet-stream"),
        ] {
            assert_eq!(content_type(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn only_pixels_are_shown_in_place() {
        for shown in ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"] {
            assert!(is_picture(shown));
        }
        for kept_apart in
            ["image/svg+xml", "text/html", "application/pdf", "text/plain; charset=utf-8", "image/x-icon"]
        {
            assert!(!is_picture(kept_apart), "{kept_apart}");
        }
    }

    #[test]
    fn no_bytes_make_the_recogniser_panic() {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut random: rand_chacha::ChaCha8Rng = rand::SeedableRng::seed_from_u64(seed);
        let pieces = [
            "<",
            ">",
            "!",
            "?",
            "[",
            "]",
            "-->",
            "<!--",
            "<?xml",
            "svg",
            "<!DOCTYPE",
            " ",
            "é",
            "\u{feff}",
            "'",
        ];
        for _ in 0..5_000 {
            let count = rand::Rng::random_range(&mut random, 0..12);
            let text: String =
                (0..count).map(|_| pieces[rand::Rng::random_range(&mut random, 0..pieces.len())]).collect();
            content_type(text.as_bytes());
        }
        content_type("é".repeat(4096).as_bytes());
    }

    #[test]
    fn what_is_stored_is_read_back_and_what_is_unknown_refused() {
        let document = DocumentName::parse("a").unwrap();
        let description = Description {
            name: Some("Bild \"1\".png".to_owned()),
            content_type: "image/png".to_owned(),
            bytes: 5,
            created: Timestamp(7),
        };
        let value = record::encode(&description);
        let expected = br#"{"name":"Bild \"1\".png","type":"image/png","bytes":5,"created":7}"#;
        assert_eq!((value[0], &value[1..]), (1, &expected[..]), "the stored format");
        let id = id_of(b"x");
        assert_eq!(decode(&document, id, &value).unwrap(), Attachment { id, description });
        assert!(matches!(decode(&document, id, b"\x02{}"), Err(StoreError::Damaged { .. })));
        assert!(matches!(decode(&document, id, b"\x01{"), Err(StoreError::Damaged { .. })));
    }

    #[tokio::test]
    async fn readers_share_and_nothing_is_held_for_nobody() {
        let document = DocumentName::parse("a").unwrap();
        let reading = Reading::default();
        let number = |number| Uuid::from_u128(number);
        let reads = std::cell::Cell::new(0);
        let read = async || {
            reads.set(reads.get() + 1);
            tokio::task::yield_now().await;
            Ok::<_, ()>(Bytes::from(vec![1; 100]))
        };
        // A crowd that comes at once, before anything has been read.
        let crowd = (0..60).map(|_| reading.share(&document, number(1), read()));
        let crowd: Vec<Bytes> = futures_util::future::try_join_all(crowd).await.unwrap();
        assert_eq!(reads.get(), 1);
        assert!(crowd.iter().all(|one| one.as_ptr() == crowd[0].as_ptr() && one.len() == 100));
        let late = reading.share(&document, number(1), read()).await.unwrap();
        assert_eq!((late.as_ptr(), reads.get()), (crowd[0].as_ptr(), 1));
        let failed = reading.share(&document, number(2), async { Err("unreadable") }).await;
        assert_eq!(failed, Err("unreadable"));
        reading.share(&document, number(2), read()).await.unwrap();
        assert_eq!(reads.get(), 2, "who failed leaves nothing behind");
        drop((crowd, late));
        drop(reading.share(&document, number(1), read()).await);
        assert_eq!(reads.get(), 3, "let go with the last reader");
        for id in 0..10_000 {
            drop(reading.share(&document, number(id), read()).await);
        }
        assert!(reading.0.lock().held.len() <= 64, "what nobody reads is swept out");
    }

    #[test]
    fn ids_are_made_of_the_bytes() {
        assert_eq!(id_of(b"hello").to_string(), "2cf24dba-5fb0-830e-a6e8-3b2ac5b9e29e");
        assert_ne!(id_of(b"hello"), id_of(b"hello "));
    }
}
