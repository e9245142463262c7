//! Reading documents for those who do not speak Yjs, and making states smaller for their way, shared and bounded. A
//! reading takes a thread, a copy of the document and several times its size in memory: a few are under way at a time,
//! some more wait, and whoever asks for the same thing waits for the same reading. What was read of a whole document is
//! kept until the document changes; what was made of a difference, of which there are as many as who asks, is not.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl Form {
    /// The form whose rest is also the rest of this one: whatever is read for people rests together, each compression for
    /// itself, and what tells states apart never does, as it takes a moment of however large a state.
    fn rests_with(self) -> Option<Self> {
        match self {
            Self::Text | Self::Markdown | Self::Html | Self::Json => Some(Self::Text),
            Self::Compressed(_) => Some(self),
            Self::Digest => None,
        }
    }
}

/// How much of a document some bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// All of it, which many ask for.
    Whole,
    /// What somebody lacks.
    Difference,
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
    known: Mutex<Known>,
    resting: Arc<Mutex<Resting>>,
}

/// Until when there is no reading, by what rests together.
type Resting = HashMap<(DocumentName, Extent, Form), Instant>;

/// What need not be read again.
#[derive(Debug, Default)]
struct Known {
    /// Whatever somebody waits for.
    asked: Vec<Weak<Export>>,
    /// What was read of whole documents, the oldest first.
    kept: VecDeque<Arc<Export>>,
}

impl Default for Exports {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(RUNNING)),
            places: Semaphore::new(RUNNING + WAITING),
            known: Mutex::default(),
            resting: Arc::default(),
        }
    }
}

/// One state of a document, read once.
#[derive(Debug)]
struct Export {
    document: DocumentName,
    extent: Extent,
    form: Form,
    state: Bytes,
    /// When it was first asked for.
    since: Instant,
    read: OnceCell<Result<Bytes, Unreadable>>,
}

impl Export {
    /// The same bytes at the same place: documents share their encoded state until they change.
    fn has_state(&self, state: &Bytes) -> bool {
        self.state.as_ptr() == state.as_ptr() && self.state.len() == state.len()
    }

    fn is_like(&self, document: &DocumentName, extent: Extent, form: Form) -> bool {
        self.form == form && self.extent == extent && self.document == *document
    }

    /// What rests when this took long.
    fn rests(&self) -> Option<(DocumentName, Extent, Form)> {
        Some((self.document.clone(), self.extent, self.form.rests_with()?))
    }

    fn bytes(&self) -> usize {
        let read = self.read.get().and_then(|read| read.as_ref().ok()).map_or(0, Bytes::len);
        self.state.len() + read
    }
}

impl Exports {
    /// Until it is dropped, nothing is read, and who asks waits.
    #[cfg(feature = "test-hooks")]
    pub async fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(RUNNING).expect("a few");
        self.running.clone().acquire_many_owned(all).await.expect("never closed")
    }

    /// What `document` says in its present `state`.
    pub async fn get(&self, document: &DocumentName, form: Form, state: Bytes) -> Result<Bytes, NoExport> {
        self.of(document, Extent::Whole, form, state).await
    }

    /// A state, or a difference, made smaller; nothing if too many others wait, or it rests: then it goes as it is.
    pub async fn compressed(
        &self,
        document: &DocumentName,
        extent: Extent,
        compression: Compression,
        state: Bytes,
    ) -> Option<Bytes> {
        self.of(document, extent, Form::Compressed(compression), state).await.ok()
    }

    /// What tells a state, or a difference, apart from others; nothing if too many others wait.
    pub async fn digest(&self, document: &DocumentName, extent: Extent, state: &Bytes) -> Option<String> {
        if state.len() <= DIGESTED_HERE {
            return Some(in_digits(state));
        }
        let digest = self.of(document, extent, Form::Digest, state.clone()).await.ok()?;
        String::from_utf8(digest.into()).ok()
    }

    async fn of(
        &self,
        document: &DocumentName,
        extent: Extent,
        form: Form,
        state: Bytes,
    ) -> Result<Bytes, NoExport> {
        let export = self.find(document, extent, form, state);
        let read = export.read.get_or_try_init(|| self.read(&export)).await?.clone();
        self.keep(&export);
        Ok(read?)
    }

    fn find(&self, document: &DocumentName, extent: Extent, form: Form, state: Bytes) -> Arc<Export> {
        let Known { asked, kept } = &mut *self.known.lock();
        asked.retain(|export| export.strong_count() > 0);
        let found = kept.iter().cloned().chain(asked.iter().filter_map(Weak::upgrade));
        let mut found = found.filter(|export| export.is_like(document, extent, form));
        if let Some(found) = found.find(|export| export.has_state(&state)) {
            return found;
        }
        drop(found);
        // An older state of the same document is asked for by nobody any more.
        kept.retain(|export| !export.is_like(document, extent, form));
        let (document, since, read) = (document.clone(), Instant::now(), OnceCell::new());
        let export = Arc::new(Export { document, extent, form, state, since, read });
        asked.push(Arc::downgrade(&export));
        export
    }

    /// Keeps what was read of a whole document, instead of what was read of it before.
    fn keep(&self, export: &Arc<Export>) {
        if export.extent != Extent::Whole {
            return;
        }
        let kept = &mut self.known.lock().kept;
        let is_like = |other: &Arc<Export>| other.is_like(&export.document, export.extent, export.form);
        if kept.iter().any(|other| is_like(other) && other.since >= export.since) {
            return;
        }
        kept.retain(|other| !is_like(other));
        kept.push_back(export.clone());
        let mut bytes: usize = kept.iter().map(|export| export.bytes()).sum();
        while bytes > KEPT {
            let Some(oldest) = kept.pop_front() else { break };
            bytes -= oldest.bytes();
        }
    }

    async fn read(&self, export: &Arc<Export>) -> Result<Result<Bytes, Unreadable>, NoExport> {
        let rested = export.rests().and_then(|rests| self.resting.lock().get(&rests).copied());
        if rested.is_some_and(|rested| Instant::now() < rested) {
            return Err(NoExport::Resting);
        }
        let place = self.places.try_acquire().map_err(|_| NoExport::Busy)?;
        // Never closed.
        let running = self.running.clone().acquire_owned().await.map_err(|_| NoExport::Busy)?;
        let (export, resting) = (export.clone(), self.resting.clone());
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
            if let Some(rests) = export.rests().filter(|_| took > LONG.mul_f64(speed::slowness())) {
                let (now, mut resting) = (Instant::now(), resting.lock());
                resting.retain(|_, rested| now < *rested);
                let rested = resting.entry(rests).or_insert(now);
                *rested = (*rested).max(now + took);
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

    /// As if it had been read so, and that had taken long.
    fn rest(exports: &Exports, document: &DocumentName, form: Form) {
        let rests = (document.clone(), Extent::Whole, form.rests_with().unwrap());
        exports.resting.lock().insert(rests, Instant::now() + Duration::from_secs(600));
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
        assert_eq!(exports.known.lock().kept.len(), FORMS.len());
        let after = state("after");
        for form in FORMS {
            let said = exports.get(&notes, form, after.clone()).await.unwrap();
            assert!(String::from_utf8(said.to_vec()).unwrap().contains("after"), "{form:?}");
        }
        assert_eq!(exports.known.lock().kept.len(), FORMS.len(), "what is older is not kept");
    }

    #[tokio::test]
    async fn a_state_is_made_smaller_once_for_all_who_ask() {
        let exports = Exports::default();
        let (notes, long) = (name("notes"), state(&"words ".repeat(100_000)));
        for compression in Compression::ALL {
            let asked = (0..40).map(|_| exports.compressed(&notes, Extent::Whole, compression, long.clone()));
            let smaller = futures_util::future::join_all(asked).await;
            let smaller: Vec<_> = smaller.into_iter().map(Option::unwrap).collect();
            assert!(smaller.windows(2).all(|pair| pair[0].as_ptr() == pair[1].as_ptr()), "{compression:?}");
            assert!(smaller[0].len() < long.len() / 10, "{compression:?}");
        }
        let apart = exports.digest(&notes, Extent::Whole, &long).await;
        assert_eq!(apart, Some(in_digits(&long)), "wherever it is made");
        assert_eq!(exports.known.lock().kept.len(), Compression::ALL.len() + 1);
    }

    #[tokio::test]
    async fn a_state_goes_as_it_is_when_there_is_no_place_to_make_it_smaller() {
        let exports = Exports::default();
        let notes = name("notes");
        let all = exports.places.try_acquire_many((RUNNING + WAITING) as u32).unwrap();
        assert_eq!(exports.compressed(&notes, Extent::Whole, Compression::Gzip, state("words")).await, None);
        drop(all);
        assert!(exports.compressed(&notes, Extent::Whole, Compression::Gzip, state("words")).await.is_some());
        // While that rests after it took long, all else goes on.
        rest(&exports, &notes, Form::Compressed(Compression::Gzip));
        let long = state(&"words ".repeat(100_000));
        let compressed = |extent, compression| exports.compressed(&notes, extent, compression, long.clone());
        assert_eq!(compressed(Extent::Whole, Compression::Gzip).await, None);
        assert!(compressed(Extent::Whole, Compression::Zstd).await.is_some());
        assert!(compressed(Extent::Difference, Compression::Gzip).await.is_some());
        assert!(exports.digest(&notes, Extent::Whole, &long).await.is_some());
        for form in FORMS {
            assert!(exports.get(&notes, form, long.clone()).await.is_ok(), "{form:?}");
        }
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
        exports.get(&notes, Form::Text, state("dear")).await.unwrap();
        rest(&exports, &notes, Form::Text);
        let same = exports.known.lock().kept[0].state.clone();
        let kept = exports.get(&notes, Form::Text, same).await;
        assert!(kept.unwrap().starts_with(b"dear"), "what was read can be had");
        for (form, said) in [(Form::Text, "dear and more"), (Form::Json, "dear"), (Form::Text, "and more")] {
            let read = exports.get(&notes, form, state(said)).await;
            assert!(matches!(read, Err(NoExport::Resting)), "{read:?}");
        }
        assert!(exports.get(&other, Form::Text, state("dear")).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_made_of_differences_is_shared_and_takes_the_place_of_nothing() {
        let exports = Exports::default();
        let notes = name("notes");
        let long = |word: &str| state(&word.repeat(100_000));
        let whole = long("words ");
        let made = async |extent, state: &Bytes| {
            let tag = exports.digest(&notes, extent, state).await.unwrap();
            (tag, exports.compressed(&notes, extent, Compression::Zstd, state.clone()).await.unwrap())
        };
        let of_whole = made(Extent::Whole, &whole).await.1;
        let known = |exports: &Exports| exports.known.lock().kept.iter().map(Arc::as_ptr).collect::<Vec<_>>();
        let before = known(&exports);
        for word in ["lacks ", "wants "] {
            let difference = long(word);
            let asked = (0..40).map(|_| made(Extent::Difference, &difference));
            let asked = futures_util::future::join_all(asked).await;
            assert!(asked.windows(2).all(|pair| pair[0].1.as_ptr() == pair[1].1.as_ptr()), "shared");
        }
        assert_eq!(known(&exports), before);
        assert_eq!(made(Extent::Whole, &whole).await.1.as_ptr(), of_whole.as_ptr(), "it was made again");
    }

    #[tokio::test]
    async fn of_what_is_refused_nothing_is_kept() {
        let exports = Exports::default();
        let (notes, other) = (name("notes"), name("other"));
        rest(&exports, &notes, Form::Text);
        let refused = exports.get(&notes, Form::Text, state("words")).await;
        assert!(matches!(refused, Err(NoExport::Resting)), "{refused:?}");
        let all = exports.places.try_acquire_many((RUNNING + WAITING) as u32).unwrap();
        let refused = exports.get(&other, Form::Text, state("words")).await;
        assert!(matches!(refused, Err(NoExport::Busy)), "{refused:?}");
        drop(all);
        let Known { asked, kept } = &*exports.known.lock();
        assert_eq!((asked.iter().filter(|export| export.strong_count() > 0).count(), kept.len()), (0, 0));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let exports = Exports::default();
        let large = "x".repeat(12 << 20);
        for n in 0..4 {
            exports.get(&name(&n.to_string()), Form::Text, state(&large)).await.unwrap();
        }
        let kept: usize = exports.known.lock().kept.iter().map(|export| export.bytes()).sum();
        assert!(kept <= KEPT && kept > 0, "{kept}");
    }
}
