//! Reading documents for those who do not speak Yjs, and making states smaller for their way, shared and bounded. A
//! reading takes a thread, a copy of the document and several times its size in memory: a few are under way at a time,
//! some more wait, and whoever asks for the same thing waits for the same reading. What was read is kept until the
//! document changes.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};

use super::{
    compress::Compression,
    digest::digest,
    export::{self, Reading, Unreadable},
    replica::speed,
};
use crate::ids::DocumentName;

/// Readings under way at the same time.
const RUNNING: usize = 2;
/// Readings that may wait for those.
const WAITING: usize = 32;
/// Bytes of states and of what was read of them that are kept.
const KEPT: usize = 64 << 20;
/// Bytes of a state that are looked at where they are asked for, which takes a fraction of a millisecond.
const DIGESTED_HERE: usize = 128 << 10;
/// A reading that took more of the processor's time than this is not begun again at once when the document has changed:
/// the document rests for as long as the reading took. There are documents of 200 KB that take seconds.
const LONG: Duration = Duration::from_millis(500);

/// As what a document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// [`export::to_text`].
    Text,
    /// [`export::to_markdown`].
    Markdown,
    /// [`export::to_html`].
    Html,
    /// [`export::to_json`].
    Json,
    /// Not read at all, and smaller.
    Compressed(Compression),
    /// Only what tells it apart from others: [`digest`], in hexadecimal digits.
    Digest,
}

/// Why there is no reading.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoExport {
    /// Too many others wait.
    #[error("too many documents are being read; ask again in a few seconds")]
    Busy,
    /// It was read a moment ago, which took long.
    #[error("the document takes long to read and was read a moment ago; ask again in a few seconds")]
    Resting,
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// The readings of one server.
#[derive(Debug)]
pub struct Exports {
    running: Arc<Semaphore>,
    /// Places for those under way and those who wait.
    places: Semaphore,
    kept: Mutex<VecDeque<Arc<Export>>>,
}

impl Default for Exports {
    fn default() -> Self {
        let running = Arc::new(Semaphore::new(RUNNING));
        Self { running, places: Semaphore::new(RUNNING + WAITING), kept: Mutex::default() }
    }
}

/// One state of a document, read once.
#[derive(Debug)]
struct Export {
    document: DocumentName,
    form: Form,
    state: Bytes,
    read: OnceCell<Result<Bytes, Unreadable>>,
    /// Until when the document rests after this reading.
    rests: OnceLock<Instant>,
    /// Until when it rests after an earlier one.
    not_before: Option<Instant>,
}

impl Export {
    /// The same bytes at the same place: documents share their encoded state until they change.
    fn is_of(&self, document: &DocumentName, form: Form, state: &Bytes) -> bool {
        let is_same = self.state.as_ptr() == state.as_ptr() && self.state.len() == state.len();
        is_same && self.form == form && self.document == *document
    }

    fn bytes(&self) -> usize {
        let read = self.read.get().and_then(|read| read.as_ref().ok()).map_or(0, Bytes::len);
        self.state.len() + read
    }
}

impl Exports {
    /// What `document` says in its present `state`.
    pub async fn get(&self, document: &DocumentName, form: Form, state: Bytes) -> Result<Bytes, NoExport> {
        let export = self.find(document, form, state);
        let read = export.read.get_or_try_init(|| self.read(&export)).await?.clone();
        self.forget_the_oldest();
        Ok(read?)
    }

    /// A state made smaller; nothing if too many others wait, or the document rests: then it goes as it is.
    pub async fn compressed(
        &self,
        document: &DocumentName,
        compression: Compression,
        state: Bytes,
    ) -> Option<Bytes> {
        self.get(document, Form::Compressed(compression), state).await.ok()
    }

    /// What tells a state apart from others; nothing if too many others wait.
    pub async fn digest(&self, document: &DocumentName, state: &Bytes) -> Option<String> {
        if state.len() <= DIGESTED_HERE {
            return Some(in_digits(state));
        }
        let digest = self.get(document, Form::Digest, state.clone()).await.ok()?;
        String::from_utf8(digest.into()).ok()
    }

    fn find(&self, document: &DocumentName, form: Form, state: Bytes) -> Arc<Export> {
        let mut kept = self.kept.lock();
        if let Some(found) = kept.iter().find(|export| export.is_of(document, form, &state)) {
            return found.clone();
        }
        let earlier = kept.iter().filter(|export| export.document == *document);
        let not_before =
            earlier.filter_map(|export| export.rests.get().copied().max(export.not_before)).max();
        // An older state of the same document is asked for by nobody any more.
        kept.retain(|export| export.document != *document || export.form != form);
        let (read, rests) = (OnceCell::new(), OnceLock::new());
        let export = Arc::new(Export { document: document.clone(), form, state, read, rests, not_before });
        kept.push_back(export.clone());
        export
    }

    async fn read(&self, export: &Arc<Export>) -> Result<Result<Bytes, Unreadable>, NoExport> {
        let is_resting = export.not_before.is_some_and(|rested| Instant::now() < rested);
        // What takes a moment of however large a state need not wait for what took long.
        if is_resting && export.form != Form::Digest {
            return Err(NoExport::Resting);
        }
        let place = self.places.try_acquire().map_err(|_| NoExport::Busy)?;
        // Never closed.
        let running = self.running.clone().acquire_owned().await.map_err(|_| NoExport::Busy)?;
        let export = export.clone();
        // A task of its own: whoever asked may go, the thread reads on, and keeps its place until it is done.
        let reading = tokio::spawn(async move {
            let state = export.state.clone();
            let (read, took) = match export.form {
                Form::Text => in_bytes(export::to_text(state).await),
                Form::Markdown => in_bytes(export::to_markdown(state).await),
                Form::Html => in_bytes(export::to_html(state).await),
                Form::Json => in_bytes(export::to_json(state).await),
                Form::Compressed(compression) => {
                    export::of_bytes(state, move |state| compression.of(state)).await
                }
                Form::Digest => export::of_bytes(state, |state| Ok(in_digits(state).into_bytes())).await,
            };
            if took > LONG.mul_f64(speed::slowness()) {
                let _ = export.rests.set(Instant::now() + took);
            }
            drop(running);
            read.map(Bytes::from)
        });
        // An error here means that the server is going.
        let read = reading.await.map_err(|_| NoExport::Busy)?;
        drop(place);
        match read {
            // Not kept: the next who asks may be answered.
            Err(Unreadable::Server(_)) => Err(NoExport::Busy),
            read => Ok(read),
        }
    }

    /// The text of one root, as [`export::root_to_text`] gives it, when there is room to read it.
    pub(super) async fn root_text(&self, state: Bytes, root: String) -> Result<String, Unreadable> {
        let _running = self.running.acquire().await;
        export::root_to_text(state, root).await
    }

    fn forget_the_oldest(&self) {
        let mut kept = self.kept.lock();
        let mut bytes: usize = kept.iter().map(|export| export.bytes()).sum();
        while bytes > KEPT {
            let Some(oldest) = kept.pop_front() else { break };
            bytes -= oldest.bytes();
        }
    }
}

fn in_digits(state: &[u8]) -> String {
    digest(state).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_bytes((read, took): Reading<String>) -> Reading<Vec<u8>> {
    (read.map(String::into_bytes), took)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::testing::Writer;

    fn name(text: &str) -> DocumentName {
        DocumentName::parse(text).unwrap()
    }

    fn state(text: &str) -> Bytes {
        let writer = Writer::new(1);
        writer.insert(0, text);
        writer.state()
    }

    const FORMS: [Form; 4] = [Form::Text, Form::Markdown, Form::Html, Form::Json];

    #[tokio::test]
    async fn whoever_asks_for_the_same_waits_for_the_same_until_it_changes() {
        let exports = Exports::default();
        let (notes, before) = (name("notes"), state("before"));
        for form in FORMS {
            let asked = (0..40).map(|_| exports.get(&notes, form, before.clone()));
            let read = futures_util::future::try_join_all(asked).await.unwrap();
            let said = String::from_utf8(read[0].to_vec()).unwrap();
            match form {
                Form::Text | Form::Markdown => assert_eq!(said.trim_end(), "before"),
                Form::Html => assert!(said.contains("<pre><code>before</code></pre>"), "{said}"),
                Form::Json => assert_eq!(said, r#"{"text":"before"}"#),
                Form::Compressed(_) | Form::Digest => unreachable!("not among these"),
            }
            let is_one = read.windows(2).all(|pair| pair[0].as_ptr() == pair[1].as_ptr());
            assert!(is_one, "as {form:?} it was read more than once");
        }
        assert_eq!(exports.kept.lock().len(), FORMS.len());
        let after = state("after");
        for form in FORMS {
            let said = exports.get(&notes, form, after.clone()).await.unwrap();
            assert!(String::from_utf8(said.to_vec()).unwrap().contains("after"), "{form:?}");
        }
        assert_eq!(exports.kept.lock().len(), FORMS.len(), "what is older is not kept");
    }

    #[tokio::test]
    async fn a_state_is_made_smaller_once_for_all_who_ask() {
        let exports = Exports::default();
        let (notes, long) = (name("notes"), state(&"words ".repeat(100_000)));
        for compression in Compression::ALL {
            let asked = (0..40).map(|_| exports.compressed(&notes, compression, long.clone()));
            let smaller = futures_util::future::join_all(asked).await;
            let smaller: Vec<_> = smaller.into_iter().map(Option::unwrap).collect();
            assert!(smaller.windows(2).all(|pair| pair[0].as_ptr() == pair[1].as_ptr()), "{compression:?}");
            assert!(smaller[0].len() < long.len() / 10, "{compression:?}");
        }
        let apart = exports.digest(&notes, &long).await;
        assert_eq!(apart, Some(in_digits(&long)), "wherever it is made");
        assert_eq!(exports.kept.lock().len(), Compression::ALL.len() + 1);
    }

    #[tokio::test]
    async fn a_state_goes_as_it_is_when_there_is_no_place_to_make_it_smaller() {
        let exports = Exports::default();
        let notes = name("notes");
        let all = exports.places.try_acquire_many((RUNNING + WAITING) as u32).unwrap();
        assert_eq!(exports.compressed(&notes, Compression::Gzip, state("words")).await, None);
        drop(all);
        assert!(exports.compressed(&notes, Compression::Gzip, state("words")).await.is_some());
        // While it rests after what took long, it is told apart all the same.
        exports.kept.lock()[0].rests.set(Instant::now() + Duration::from_secs(600)).unwrap();
        let long = state(&"words ".repeat(100_000));
        assert_eq!(exports.compressed(&notes, Compression::Zstd, long.clone()).await, None);
        assert!(exports.digest(&notes, &long).await.is_some());
    }

    #[tokio::test]
    async fn too_many_are_turned_away_and_leave_no_place_taken() {
        let exports = Exports::default();
        let names: Vec<_> = (0..60).map(|n| name(&n.to_string())).collect();
        let forms = FORMS.into_iter().cycle();
        let asked = names.iter().zip(forms).map(|(name, form)| exports.get(name, form, state("x")));
        let read = futures_util::future::join_all(asked).await;
        let busy = read.iter().filter(|read| matches!(read, Err(NoExport::Busy))).count();
        // Some may have been done with before the last one asked.
        assert!((1..=60 - RUNNING - WAITING).contains(&busy), "{busy} of 60 were turned away");
        assert_eq!(exports.places.available_permits(), RUNNING + WAITING);
        for name in &names {
            assert!(exports.get(name, Form::Text, state("x")).await.is_ok(), "afterwards there is room");
        }
    }

    #[tokio::test]
    async fn who_asks_and_goes_makes_no_room_for_one_reading_more() {
        let exports = Exports::default();
        let (notes, said) = (name("notes"), state("said"));
        let mut asking = Box::pin(exports.get(&notes, Form::Text, said.clone()));
        // Once: the reading has begun.
        assert!(futures_util::poll!(&mut asking).is_pending());
        drop(asking);
        assert_eq!(exports.running.available_permits(), RUNNING - 1);
        assert!(exports.get(&notes, Form::Text, said).await.unwrap().starts_with(b"said"));
        let _all = exports.running.acquire_many(RUNNING as u32).await.unwrap();
    }

    #[tokio::test]
    async fn a_document_that_takes_long_to_read_rests_as_long_before_it_is_read_again() {
        let exports = Exports::default();
        let (notes, other) = (name("notes"), name("other"));
        let until = Instant::now() + Duration::from_secs(600);
        exports.get(&notes, Form::Text, state("dear")).await.unwrap();
        exports.kept.lock()[0].rests.set(until).unwrap();
        let same = exports.kept.lock()[0].state.clone();
        let kept = exports.get(&notes, Form::Text, same).await;
        assert!(kept.unwrap().starts_with(b"dear"), "what was read can be had");
        for (form, said) in [(Form::Text, "dear and more"), (Form::Json, "dear"), (Form::Text, "and more")] {
            let read = exports.get(&notes, form, state(said)).await;
            assert!(matches!(read, Err(NoExport::Resting)), "{read:?}");
        }
        assert!(exports.get(&other, Form::Text, state("dear")).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let exports = Exports::default();
        let large = "x".repeat(12 << 20);
        for n in 0..4 {
            exports.get(&name(&n.to_string()), Form::Text, state(&large)).await.unwrap();
        }
        let kept: usize = exports.kept.lock().iter().map(|export| export.bytes()).sum();
        assert!(kept <= KEPT && kept > 0, "{kept}");
    }
}
