//! Answers that are large, on their way out: whole documents and attachments.
//!
//! Each is held in memory until its reader has taken it, and a document has to be opened and encoded for it.
//! So all of them together take no more than so much: room is made before anything is read, whoever finds
//! none waits a little, and is told to come again. Readers of the same bytes share them, and their room.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};

use super::error::ApiError;
use crate::telemetry::Metrics;

/// In such steps room is counted. An answer that is smaller than one step takes none: it is as small as what
/// the HTTP server buffers for a connection anyway, and so is served while slow readers hold all there is.
const STEP: usize = 32 << 10;

/// So many may wait for room. They hold nothing but their connections.
const WAITING: usize = 256;

/// How much, and how long for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of all large answers that are being made or sent. With too few, people who read different large
    /// things at once are told to come again; a document that is opened for its reader takes several times as much.
    pub total_bytes: usize,
    /// How long a reader waits for room.
    pub within: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { total_bytes: 128 << 20, within: Duration::from_secs(4) }
    }
}

/// All large answers. Clones share the room.
#[derive(Clone)]
pub struct Answers(Arc<Shared>);

struct Shared {
    config: Config,
    metrics: Metrics,
    room: Semaphore,
    /// Places for those who wait.
    waiting: Semaphore,
    /// Steps taken beyond what there was, because something turned out to be larger than it was known to be. What is
    /// given back fills these first.
    owed: Mutex<usize>,
    /// The latest place of what is being made or sent, by what it is called.
    places: Mutex<HashMap<String, Weak<Place>>>,
}

/// Room for an answer that is being made. Given back when nobody makes or sends it any more.
pub struct Room(Arc<Place>);

/// The room of one answer, for everybody who is sent it.
struct Place {
    answers: Answers,
    called: String,
    taken: OnceCell<()>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    steps: usize,
    /// What the room is for, once it is made.
    bytes: Option<Bytes>,
}

/// An answer, or a part of one, that keeps its room until it is sent.
pub struct HeldAnswer {
    bytes: Bytes,
    _place: Arc<Place>,
}

impl Answers {
    /// Nothing is being sent.
    pub fn new(config: Config, metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            room: Semaphore::new(steps(config.total_bytes)),
            config,
            metrics,
            waiting: Semaphore::new(WAITING),
            owed: Mutex::default(),
            places: Mutex::default(),
        }))
    }

    /// Room for what is called so and has about so many bytes, as soon as there is some. Who asks for what is being made
    /// or sent finds room for it. What is larger than all the room there is waits until it is alone.
    pub async fn room(&self, called: &str, bytes: u64) -> Result<Room, ApiError> {
        let Shared { config, waiting, .. } = &*self.0;
        let place = self.place(called);
        if !place.taken.initialized() {
            // What takes no room does not wait for any.
            let waits = (steps_of(bytes) > 0).then(|| waiting.try_acquire());
            let _waits = waits.transpose().map_err(|_| no_room())?;
            let taken = place.taken.get_or_init(|| self.take(&place, bytes));
            tokio::time::timeout(config.within, taken).await.map_err(|_| no_room())?;
        }
        Ok(Room(place))
    }

    fn place(&self, called: &str) -> Arc<Place> {
        let mut places = self.0.places.lock();
        if let Some(place) = places.get(called).and_then(Weak::upgrade) {
            return place;
        }
        let place = Arc::new(Place {
            answers: self.clone(),
            called: called.to_owned(),
            taken: OnceCell::new(),
            held: Mutex::default(),
        });
        places.insert(called.to_owned(), Arc::downgrade(&place));
        place
    }

    async fn take(&self, place: &Place, bytes: u64) {
        let Shared { config, room, metrics, .. } = &*self.0;
        let wanted = steps_of(bytes).min(steps(config.total_bytes));
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        // Never closed.
        if let Ok(permit) = room.acquire_many(wanted).await {
            permit.forget();
            metrics.answer_bytes_pending.inc_by((wanted as usize * STEP) as i64);
            place.held.lock().steps = wanted as usize;
        }
    }

    /// Counts some more as taken, whether it is there or not.
    fn owe(&self, steps: usize) {
        let Shared { room, owed, metrics, .. } = &*self.0;
        let mut owed = owed.lock();
        *owed += steps - room.forget_permits(steps);
        metrics.answer_bytes_pending.inc_by((steps * STEP) as i64);
    }

    fn give_back(&self, steps: usize) {
        let Shared { room, owed, metrics, .. } = &*self.0;
        let mut owed = owed.lock();
        let paid = steps.min(*owed);
        *owed -= paid;
        room.add_permits(steps - paid);
        metrics.answer_bytes_pending.dec_by((steps * STEP) as i64);
    }
}

impl Room {
    /// The answer that the room was for: these bytes, or the same ones that others are sent already. Refused if others are
    /// still sent what it was before, and there is no room for both.
    pub fn answer(self, bytes: Bytes) -> Result<HeldAnswer, ApiError> {
        let Self(place) = self;
        match place.hold(&bytes) {
            Some(bytes) => Ok(HeldAnswer { bytes, _place: place }),
            None => place.answers.next(&place.called, bytes),
        }
    }
}

impl Place {
    /// These bytes, or the same that are held already, if they are what the room is for, which may be decided by that. They
    /// have the room that they need after all: what is there already is not refused any more.
    fn hold(&self, bytes: &Bytes) -> Option<Bytes> {
        let mut held = self.held.lock();
        if let Some(known) = &held.bytes {
            // Held as long as this, so that nothing else can be at the same place.
            let is_same = known.as_ptr() == bytes.as_ptr() && known.len() == bytes.len();
            return (is_same || known == bytes).then(|| known.clone());
        }
        let needed = steps(bytes.len());
        if needed > held.steps {
            self.answers.owe(needed - held.steps);
        } else {
            self.answers.give_back(held.steps - needed);
        }
        *held = Held { steps: needed, bytes: Some(bytes.clone()) };
        Some(bytes.clone())
    }
}

impl Answers {
    /// A place of its own for what has changed while the older one is still being sent.
    fn next(&self, called: &str, bytes: Bytes) -> Result<HeldAnswer, ApiError> {
        let Shared { room, metrics, places, .. } = &*self.0;
        // Put away after the lock, which the last who holds it takes.
        let newer: Option<Arc<Place>>;
        let mut places = places.lock();
        newer = places.get(called).and_then(Weak::upgrade);
        let ready = newer.as_ref().filter(|newer| newer.taken.initialized());
        if let Some((place, bytes)) = ready.and_then(|newer| Some((newer.clone(), newer.hold(&bytes)?))) {
            return Ok(HeldAnswer { bytes, _place: place });
        }
        let needed = steps(bytes.len());
        room.try_acquire_many(u32::try_from(needed).unwrap_or(u32::MAX)).map_err(|_| no_room())?.forget();
        metrics.answer_bytes_pending.inc_by((needed * STEP) as i64);
        let place = Arc::new(Place {
            answers: self.clone(),
            called: called.to_owned(),
            taken: OnceCell::new_with(Some(())),
            held: Mutex::new(Held { steps: needed, bytes: Some(bytes.clone()) }),
        });
        places.insert(called.to_owned(), Arc::downgrade(&place));
        Ok(HeldAnswer { bytes, _place: place })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.answers.give_back(self.held.get_mut().steps);
        let mut places = self.answers.0.places.lock();
        // Somebody else may have come for it since the last one went.
        if places.get(&self.called).is_some_and(|place| place.strong_count() == 0) {
            places.remove(&self.called);
        }
    }
}

impl HeldAnswer {
    /// Only these of its bytes.
    pub fn part(self, range: impl std::ops::RangeBounds<usize>) -> Self {
        Self { bytes: self.bytes.slice(range), ..self }
    }
}

impl MessageBody for HeldAnswer {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    /// All at once: [`pieces`](super::pieces) cuts it, and holds this until the last one is taken.
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
    }
}

fn steps(bytes: usize) -> usize {
    bytes / STEP
}

fn steps_of(bytes: u64) -> usize {
    steps(usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn no_room() -> ApiError {
    let message =
        "as many large answers are on their way as max_pending_answer_bytes allows; try again shortly";
    ApiError::unavailable("too_many_answers", message)
}

#[cfg(test)]
mod tests {
    use futures_util::{future::join_all, poll};

    use super::*;

    fn answers(steps: usize) -> Answers {
        let config = Config { total_bytes: steps * STEP, within: Duration::from_millis(500) };
        Answers::new(config, Metrics::new())
    }

    fn pending(answers: &Answers) -> usize {
        answers.0.metrics.answer_bytes_pending.get() as usize / STEP
    }

    fn bytes(steps: usize) -> Bytes {
        vec![7; steps * STEP].into()
    }

    #[tokio::test]
    async fn who_finds_no_room_waits_and_is_told_to_come_again() {
        let answers = answers(4);
        let first = answers.room("first", 3 * STEP as u64).await.unwrap().answer(bytes(3)).unwrap();
        assert!(answers.room("second", 2 * STEP as u64).await.is_err());
        let small = answers.room("small", STEP as u64 - 1).await.unwrap();
        assert!(answers.room("third", STEP as u64).await.is_ok(), "there is room for one more");
        let (waited, ()) = tokio::join!(answers.room("second", 2 * STEP as u64), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert_eq!(pending(&answers), 2);
        drop((waited.unwrap(), small));
        assert_eq!(pending(&answers), 0);
        assert!(answers.room("huge", u64::MAX).await.is_ok(), "what is larger than everything goes alone");
        assert_eq!(answers.0.room.available_permits(), 4);
        assert!(answers.0.places.lock().is_empty());
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let answers = answers(1);
        let held = answers.room("held", STEP as u64).await.unwrap();
        let paths: Vec<String> = (0..WAITING + 3).map(|number| number.to_string()).collect();
        let mut asking: Vec<_> = paths.iter().map(|path| Box::pin(answers.room(path, STEP as u64))).collect();
        let at_once = join_all(asking.iter_mut().map(async |asking| poll!(asking).is_ready())).await;
        assert_eq!(at_once.iter().position(|refused| *refused), Some(WAITING));
        assert_eq!(at_once.iter().filter(|refused| **refused).count(), 3);
        assert!(answers.room("small", STEP as u64 - 1).await.is_ok(), "what takes no room waits for none");
        assert!(join_all(asking.drain(..WAITING)).await.iter().all(Result::is_err));
        drop((asking, held));
        assert_eq!(answers.0.waiting.available_permits(), WAITING);
        assert!(answers.room("next", STEP as u64).await.is_ok());
    }

    #[tokio::test]
    async fn readers_of_the_same_share_its_room_until_the_last_has_gone() {
        let answers = answers(4);
        let state = bytes(3);
        // All at once, before any of it is there; and whoever goes leaves the others what was taken.
        let rooms = join_all((0..5).map(|_| answers.room("state", 3 * STEP as u64))).await;
        let mut readers: Vec<_> =
            rooms.into_iter().skip(1).map(|room| room.unwrap().answer(state.clone()).unwrap()).collect();
        readers.push(answers.room("state", 3 * STEP as u64).await.unwrap().answer(state.clone()).unwrap());
        let part = readers.pop().unwrap().part(5..);
        drop(readers);
        assert_eq!(pending(&answers), 3);
        assert!(answers.room("other", 3 * STEP as u64).await.is_err());
        // It has changed: the older one counts for as long as it is sent.
        assert!(answers.room("state", 0).await.unwrap().answer(bytes(2)).is_err());
        let newer = bytes(1);
        let two = [0, 1].map(|_| newer.clone());
        let mut newest = Vec::new();
        for newer in two {
            newest.push(answers.room("state", 0).await.unwrap().answer(newer).unwrap());
        }
        assert_eq!(pending(&answers), 4);
        drop(part);
        assert_eq!(pending(&answers), 1);
        drop(newest);
        assert_eq!((pending(&answers), answers.0.places.lock().len()), (0, 0));
    }

    #[tokio::test]
    async fn what_is_the_same_and_was_made_twice_is_held_once() {
        let answers = answers(4);
        let room = async || answers.room("difference", 3 * STEP as u64).await.unwrap();
        let first = room().await.answer(bytes(3)).unwrap();
        let second = room().await.answer(bytes(3)).unwrap();
        assert_eq!(first.bytes.as_ptr(), second.bytes.as_ptr());
        assert_eq!(pending(&answers), 3);
    }

    #[tokio::test]
    async fn who_waits_for_the_same_waits_no_longer_than_alone() {
        let answers = answers(2);
        let held = answers.room("held", STEP as u64).await.unwrap();
        let began = std::time::Instant::now();
        let refused = join_all((0..20).map(|_| answers.room("state", 2 * STEP as u64))).await;
        assert!(refused.iter().all(Result::is_err));
        assert!(began.elapsed() < 10 * answers.0.config.within, "they waited one after the other");
        drop(held);
        assert!(answers.room("state", 2 * STEP as u64).await.is_ok());
    }

    #[tokio::test]
    async fn what_turns_out_to_be_larger_is_made_up_for() {
        let answers = answers(4);
        let large = answers.room("large", 0).await.unwrap().answer(bytes(10)).unwrap();
        let small = answers.room("small", 0).await.unwrap().answer(bytes(1)).unwrap();
        assert_eq!((pending(&answers), answers.0.room.available_permits()), (11, 0));
        drop(small);
        assert!(answers.room("next", STEP as u64).await.is_err());
        drop(large);
        assert_eq!((pending(&answers), answers.0.room.available_permits()), (0, 4));
        let less = answers.room("less", 4 * STEP as u64).await.unwrap().answer(bytes(1)).unwrap();
        assert_eq!((pending(&answers), answers.0.room.available_permits()), (1, 3));
        drop(less);
    }
}
