//! The queue to one session: its bounds, what it drops and in what order, whom it wakes; and that a reader who
//! takes what he gets, however slowly, ends with what the document has.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Wake, Waker},
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smallvec::smallvec;

use super::*;
use crate::{
    document::{
        replica::Replica,
        testing::{Writer, check},
    },
    protocol::{
        guard,
        message::{AwarenessEntry, AwarenessUpdate, ClientId, Message, SyncMessage},
        ysync,
    },
};

/// Counts how often a task is woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counter {
    fn new() -> (Arc<Self>, Waker) {
        let counter = Arc::new(Self::default());
        (counter.clone(), counter.into())
    }

    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// A socket's two tasks.
struct Socket {
    queue: SendQueue,
    outbox: Outbox,
    written: Arc<Counter>,
    writer: Waker,
    read: Arc<Counter>,
    reader: Waker,
}

impl Socket {
    fn new(bytes: usize, frames: usize) -> Self {
        let queue = SendQueue::new(QueueLimits { bytes, frames, deadline: Duration::from_secs(30) });
        let outbox = queue.open(Bytes::new());
        let ((written, writer), (read, reader)) = (Counter::new(), Counter::new());
        Self { queue, outbox, written, writer, read, reader }
    }

    /// What the writing task finds: frames in words, or the close reason.
    fn drain(&self) -> Vec<String> {
        let mut taken = VecDeque::new();
        match self.queue.drain(&mut taken, &self.writer) {
            Drained::Frames => taken.iter().map(in_words).collect(),
            Drained::Close(reason) => vec![format!("close {}", reason.code())],
            Drained::Empty => Vec::new(),
        }
    }

    fn signal(&self) -> Option<Signal> {
        self.queue.signal(&self.reader)
    }

    fn push(&self, frame: Frame) -> Pushed {
        self.outbox.push(frame, Instant::now())
    }

    /// Bytes that wait.
    fn waiting(&self) -> (usize, usize) {
        self.outbox.shared.queue.lock().waiting.weight()
    }

    /// What the session is known to lack.
    fn lag(&self) -> BTreeMap<u64, u32> {
        let queue = self.outbox.shared.queue.lock();
        let lag = queue.lanes[0].lag.as_ref().expect("no lag");
        lag.lacks.iter().map(|(client, clock)| (client.get(), *clock)).collect()
    }
}

/// What the reading task is told when it is to ask for what was dropped.
const CATCH_UP: Signal = Signal::CatchUp(LaneId(1));

fn in_words(queued: &Queued) -> String {
    let address = std::str::from_utf8(&queued.address).unwrap();
    let name = match &queued.frame {
        Frame::Reply(_) => "reply",
        Frame::Update(..) => "update",
        Frame::Awareness(_) => "awareness",
        Frame::Notice(_) => "notice",
        Frame::Control(Control::Ping) => "ping",
        Frame::Control(Control::Pong(_)) => "pong",
    };
    format!("{address}{name} {}", queued.frame.payload().len())
}

fn payload(size: usize) -> Bytes {
    vec![7; size].into()
}

fn reply(size: usize) -> Frame {
    Frame::Reply(payload(size))
}

fn awareness(size: usize) -> Frame {
    Frame::Awareness(payload(size))
}

/// An update before which `client` stood at `clock`.
fn update(size: usize, client: u64, clock: u32) -> Frame {
    Frame::Update(payload(size), Arc::new(smallvec![(ClientId::new(client), clock)]))
}

// ---- bounds ------------------------------------------------------------------------------------------------

#[test]
fn frames_wait_in_order_and_are_taken_together() {
    let socket = Socket::new(100, 10);
    for frame in [update(10, 1, 0), reply(20), awareness(30), update(40, 1, 1)] {
        assert_eq!(socket.push(frame), Pushed::Queued);
    }
    assert_eq!(socket.waiting(), (4, 100));
    assert_eq!(socket.drain(), ["update 10", "reply 20", "awareness 30", "update 40"]);
    assert_eq!(socket.waiting(), (0, 100), "not written yet");
    assert!(socket.drain().is_empty());
    assert_eq!(socket.waiting(), (0, 0));
}

#[test]
fn the_limit_of_bytes_is_exact() {
    let socket = Socket::new(100, 10);
    assert_eq!(socket.push(update(60, 1, 0)), Pushed::Queued);
    assert_eq!(socket.push(update(40, 1, 1)), Pushed::Queued);
    assert_eq!(socket.push(update(1, 1, 2)), Pushed::BeganToLag);
    assert_eq!(socket.waiting(), (0, 0));
}

#[test]
fn the_limit_of_frames_is_exact() {
    let socket = Socket::new(100, 3);
    for clock in 0..3 {
        assert_eq!(socket.push(update(1, 1, clock)), Pushed::Queued);
    }
    assert_eq!(socket.push(update(1, 1, 3)), Pushed::BeganToLag);
}

#[test]
fn an_empty_queue_takes_a_frame_of_any_size() {
    let socket = Socket::new(100, 3);
    assert_eq!(socket.push(update(5000, 1, 0)), Pushed::Queued);
    assert_eq!(socket.drain(), ["update 5000"]);
    assert_eq!(socket.push(awareness(5000)), Pushed::Queued);
    // The awareness gives way, and the queue is empty again.
    assert_eq!(socket.push(update(6000, 1, 0)), Pushed::Queued);
    assert_eq!(socket.drain(), ["update 6000"]);
}

#[test]
fn awareness_is_the_first_to_go() {
    let socket = Socket::new(100, 10);
    socket.push(update(40, 1, 0));
    socket.push(awareness(40));
    assert_eq!(socket.push(update(40, 1, 1)), Pushed::Queued);
    assert_eq!(socket.waiting(), (2, 80));
    // Awareness that finds no room even so is dropped itself, and no update for it.
    socket.push(awareness(21));
    assert!(!socket.outbox.is_lagging());
    assert_eq!(socket.drain(), ["update 40", "update 40"]);
    // What was dropped is asked for, once.
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), Some(CATCH_UP));
    assert_eq!(socket.signal(), None);
    socket.outbox.catch_up(|lag, presence| {
        assert!(lag.is_none());
        assert!(presence);
        MadeUp { changes: None, presence: Some(payload(9)) }
    });
    assert_eq!(socket.drain(), ["reply 9"]);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), None);
}

#[test]
fn awareness_that_finds_no_room_is_owed() {
    let socket = Socket::new(100, 10);
    socket.push(update(90, 1, 0));
    socket.push(awareness(20));
    assert_eq!(socket.drain(), ["update 90"]);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), Some(CATCH_UP));
    socket.outbox.catch_up(|lag, presence| {
        assert!(lag.is_none() && presence);
        MadeUp::default()
    });
}

#[test]
fn updates_are_dropped_together_and_replies_and_control_never() {
    let socket = Socket::new(100, 10);
    socket.queue.control(Control::Ping);
    socket.push(update(40, 1, 5));
    socket.push(reply(10));
    socket.push(update(40, 2, 0));
    socket.queue.control(Control::Pong(payload(3)));
    socket.push(awareness(5));
    assert_eq!(socket.push(update(40, 1, 9)), Pushed::BeganToLag);
    // More of all kinds while it lags.
    assert_eq!(socket.push(update(1, 3, 7)), Pushed::Lagging);
    assert_eq!(socket.push(update(1, 1, 2)), Pushed::Lagging);
    assert_eq!(socket.push(awareness(1)), Pushed::Lagging);
    assert_eq!(socket.push(reply(1000)), Pushed::Queued);
    socket.queue.control(Control::Ping);
    assert_eq!(socket.lag(), BTreeMap::from([(1, 2), (2, 0), (3, 7)]), "the lowest clock of each client");
    assert_eq!(socket.drain(), ["ping 0", "reply 10", "pong 3", "reply 1000", "ping 0"]);
}

#[test]
fn the_lag_knows_what_was_dropped_from_the_queue_too() {
    let socket = Socket::new(10, 10);
    socket.push(update(5, 1, 3));
    socket.push(update(5, 1, 4));
    socket.push(update(5, 1, 5));
    assert_eq!(socket.lag(), BTreeMap::from([(1, 3)]));
    // The next lag begins anew.
    socket.outbox.catch_up(|lag, _| {
        assert_eq!(lag.unwrap().len(), 1);
        MadeUp::default()
    });
    assert!(!socket.outbox.is_lagging());
    socket.push(update(11, 2, 8));
    socket.push(update(11, 2, 9));
    assert_eq!(socket.lag(), BTreeMap::from([(2, 8)]));
}

// ---- catching up ---------------------------------------------------------------------------------------------

#[test]
fn a_catch_up_is_asked_for_once_and_only_when_the_socket_has_taken_everything() {
    let socket = Socket::new(10, 10);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), None);
    socket.push(reply(1));
    socket.push(update(10, 1, 0));
    assert_eq!(socket.signal(), None, "a reply waits");
    assert_eq!(socket.drain(), ["reply 1"]);
    // It is on its way to the socket, which may take long.
    assert_eq!(socket.signal(), None, "not written yet");
    socket.read.take();
    assert!(socket.drain().is_empty());
    assert_eq!(socket.read.take(), 1, "the reading task is woken to ask");
    assert_eq!(socket.signal(), Some(CATCH_UP));
    assert_eq!(socket.signal(), None);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.read.take(), 0);
    assert_eq!(socket.signal(), None, "once is enough");
}

#[test]
fn a_queue_dropped_to_nothing_is_not_caught_up_before_the_socket_moves() {
    let socket = Socket::new(10, 10);
    socket.push(update(10, 1, 0));
    socket.push(update(10, 1, 1));
    assert_eq!(socket.waiting(), (0, 0));
    assert_eq!(socket.signal(), None, "the socket still holds what was before");
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), Some(CATCH_UP));
}

#[test]
fn what_makes_up_goes_out_whatever_its_size_and_updates_follow_it() {
    let socket = Socket::new(10, 10);
    socket.push(update(10, 1, 0));
    socket.push(update(10, 1, 1));
    socket.outbox.catch_up(|lag, presence| {
        assert_eq!(lag.unwrap()[&ClientId::new(1)], 0);
        assert!(!presence);
        MadeUp { changes: Some(Answer::Whole(payload(5000))), presence: Some(payload(30)) }
    });
    assert_eq!(socket.waiting(), (2, 5030));
    assert_eq!(socket.push(update(1, 1, 2)), Pushed::BeganToLag, "it is as slow as before");
    assert_eq!(socket.drain(), ["reply 5000", "reply 30"]);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), Some(CATCH_UP));
}

#[test]
fn past_the_deadline_a_lag_is_overdue() {
    let socket = Socket::new(10, 10);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    assert!(!socket.outbox.is_overdue(at(1000)));
    socket.outbox.push(update(10, 1, 0), at(0));
    socket.outbox.push(update(10, 1, 1), at(5));
    socket.outbox.push(update(10, 1, 2), at(20));
    assert!(!socket.outbox.is_overdue(at(34)));
    assert!(socket.outbox.is_overdue(at(35)), "counted from the first frame that was lost");
    socket.outbox.catch_up(|_, _| MadeUp::default());
    assert!(!socket.outbox.is_overdue(at(1000)));
}

// ---- answers in pieces -----------------------------------------------------------------------------------------

/// An answer of so many messages of ten bytes, which counts those that were made.
fn in_pieces(count: usize) -> (Answer, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let pieces = (0..count).map(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        payload(10)
    });
    (Answer::InPieces(InPieces::new(pieces)), made)
}

#[test]
fn a_large_answer_is_made_as_it_is_written_and_keeps_its_place() {
    let socket = Socket::new(100, 10);
    let (answer, made) = in_pieces(3);
    socket.push(reply(1));
    socket.outbox.answer(answer);
    socket.push(update(2, 1, 0));
    assert_eq!(socket.waiting(), (3, 3), "nothing of the answer is there yet");
    assert_eq!(socket.drain(), ["reply 1"]);
    for count in 1..=3 {
        assert_eq!(made.load(Ordering::Relaxed), count - 1, "no more is made than is written");
        assert_eq!(socket.drain(), ["reply 10"]);
    }
    socket.push(update(3, 1, 1));
    assert_eq!(socket.drain(), ["update 2", "update 3"]);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.waiting(), (0, 0));
}

#[test]
fn frames_of_the_transport_do_not_wait_for_a_long_answer() {
    let socket = Socket::new(100, 10);
    let (answer, _) = in_pieces(9);
    socket.push(reply(1));
    socket.outbox.answer(answer);
    socket.queue.control(Control::Pong(payload(3)));
    socket.queue.control(Control::Ping);
    assert_eq!(socket.drain(), ["reply 1", "pong 3", "ping 0"]);
    assert_eq!(socket.drain(), ["reply 10"]);
    socket.queue.control(Control::Ping);
    assert_eq!(socket.drain(), ["ping 0"]);
    assert_eq!(socket.queue.pieces(), 1);
    assert_eq!(socket.drain(), ["reply 10"]);
    assert_eq!(socket.queue.pieces(), 2, "the peer takes what it is sent");
}

#[test]
fn long_answers_that_wait_keep_nobody_from_being_heard() {
    let socket = Socket::new(20, 10);
    for _ in 0..6 {
        let other = socket.queue.open(Bytes::from_static(b"o: "));
        other.answer(in_pieces(3).0);
    }
    assert!(socket.queue.has_room());
    assert_eq!(socket.push(update(1, 1, 0)), Pushed::Queued);
}

#[test]
fn who_asks_anew_is_answered_anew_in_the_same_place() {
    let socket = Socket::new(100, 10);
    let (first, made) = in_pieces(9);
    socket.outbox.answer(first);
    socket.push(update(2, 1, 0));
    assert_eq!(socket.drain(), ["reply 10"]);
    socket.outbox.answer(Answer::Whole(payload(7)));
    socket.outbox.answer(Answer::Whole(payload(8)));
    assert_eq!(socket.waiting(), (2, 20), "of what waits, and of what is being written");
    assert_eq!(socket.drain(), ["reply 8", "update 2"]);
    assert!(socket.drain().is_empty());
    assert_eq!(made.load(Ordering::Relaxed), 1);
    // Of another session nothing is known.
    let other = socket.queue.open(Bytes::from_static(b"b: "));
    let (answer, _) = in_pieces(2);
    socket.outbox.answer(answer);
    other.answer(Answer::Whole(payload(5)));
    assert_eq!(socket.drain(), ["reply 10"]);
    assert_eq!(socket.drain(), ["reply 10"]);
    assert_eq!(socket.drain(), ["b: reply 5"]);
}

#[test]
fn who_asks_anew_while_a_piece_is_made_gets_no_more_of_the_old_ones() {
    let socket = Arc::new(Socket::new(100, 10));
    let asker = Arc::downgrade(&socket);
    let pieces = (0..3).map(move |_| {
        // As if it came from another thread, meanwhile.
        if let Some(socket) = asker.upgrade() {
            socket.outbox.answer(Answer::Whole(payload(7)));
        }
        payload(10)
    });
    socket.outbox.answer(Answer::InPieces(InPieces::new(pieces)));
    socket.push(update(2, 1, 0));
    assert_eq!(socket.drain(), ["reply 10"]);
    assert_eq!(socket.drain(), ["reply 7", "update 2"]);
}

#[test]
fn who_goes_is_told_nothing_more_of_what_it_asked() {
    for end in [
        (|socket| socket.queue.remove(socket.outbox.lane())) as Act,
        |socket| socket.outbox.close(CloseReason::Gone),
        |socket| socket.queue.close(CloseReason::GoingAway),
    ] {
        let socket = Socket::new(100, 10);
        let (answer, made) = in_pieces(3);
        socket.outbox.answer(answer);
        assert_eq!(socket.drain(), ["reply 10"]);
        end(&socket);
        // Whether the lane is closed is looked at when the next piece has been made.
        let rest = socket.drain();
        assert!(rest.len() <= 1, "{rest:?}");
        socket.drain();
        assert!(made.load(Ordering::Relaxed) <= 2);
    }
}

#[test]
fn who_takes_its_answer_slowly_is_not_too_slow() {
    let socket = Socket::new(20, 10);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let (answer, _) = in_pieces(3);
    socket.outbox.answer(answer);
    assert_eq!(socket.drain(), ["reply 10"]);
    assert_eq!(socket.outbox.push(update(20, 1, 0), at(0)), Pushed::BeganToLag);
    assert!(!socket.outbox.is_overdue(at(29)));
    assert_eq!(socket.drain(), ["reply 10"]);
    assert!(!socket.outbox.is_overdue(at(31)), "it has taken something since");
    assert!(!socket.outbox.is_overdue(at(60)));
    assert!(socket.outbox.is_overdue(at(61)), "it takes nothing any more");
}

// ---- questions, probes, the end --------------------------------------------------------------------------------

#[test]
fn while_answers_fill_the_queue_no_more_may_be_asked() {
    let socket = Socket::new(100, 3);
    assert!(socket.queue.has_room());
    socket.push(reply(100));
    assert!(socket.queue.has_room(), "full is not too full");
    socket.push(reply(1));
    assert!(!socket.queue.has_room());
    assert_eq!(socket.signal(), None);
    assert_eq!(socket.read.take(), 0);
    assert_eq!(socket.drain(), ["reply 100", "reply 1"]);
    socket.read.take();
    assert_eq!(socket.signal(), None, "not written yet");
    assert!(socket.drain().is_empty());
    assert_eq!(socket.read.take(), 1, "the reading task is woken");
    assert_eq!(socket.signal(), Some(Signal::Room));
    assert_eq!(socket.signal(), None);
    assert!(socket.queue.has_room());
    for _ in 0..4 {
        socket.push(reply(1));
    }
    assert!(!socket.queue.has_room(), "many small ones fill it too");
}

#[test]
fn closing_lets_out_what_waits_and_nothing_more() {
    let socket = Socket::new(100, 10);
    socket.push(reply(1));
    socket.push(update(2, 1, 0));
    socket.outbox.close(CloseReason::TryAgainLater);
    socket.outbox.close(CloseReason::Normal);
    assert_eq!(socket.push(reply(3)), Pushed::Closed);
    assert_eq!(socket.push(update(3, 1, 0)), Pushed::Closed);
    socket.queue.control(Control::Ping);
    assert_eq!(socket.outbox.closing(), Some(CloseReason::TryAgainLater), "the first reason stands");
    let ended = Signal::Ended(LaneId(1), CloseReason::TryAgainLater);
    assert_eq!(socket.signal(), Some(ended), "what it means for the connection is decided there");
    assert_eq!(socket.signal(), None, "once");
    socket.queue.close(CloseReason::TryAgainLater);
    socket.queue.close(CloseReason::Normal);
    assert_eq!(socket.signal(), Some(Signal::Closed));
    assert_eq!(socket.drain(), ["reply 1", "update 2", "ping 0"]);
    assert_eq!(socket.drain(), ["close 1013"]);
}

#[test]
fn a_probe_is_heeded_once() {
    let socket = Socket::new(100, 10);
    assert_eq!(socket.signal(), None);
    socket.outbox.probe();
    assert_eq!(socket.read.take(), 1);
    assert_eq!(socket.signal(), Some(Signal::Probe));
    assert_eq!(socket.signal(), None);
}

#[test]
fn what_the_application_sees_is_activity_and_the_transport_is_not() {
    let socket = Socket::new(10, 10);
    assert!(!socket.queue.take_activity());
    socket.queue.control(Control::Ping);
    assert!(!socket.queue.take_activity(), "browsers do not see pings");
    socket.push(awareness(3));
    assert!(socket.queue.take_activity());
    assert!(!socket.queue.take_activity());
    socket.outbox.catch_up(|_, _| MadeUp { changes: Some(Answer::Whole(payload(1))), presence: None });
    assert!(socket.queue.take_activity());
}

type Act = fn(&Socket);

#[test]
fn every_change_wakes_the_task_that_waits_for_it() {
    let writer_wakes: [(&str, Act); 5] = [
        ("an update", |socket| assert_eq!(socket.push(update(1, 1, 0)), Pushed::Queued)),
        ("a reply", |socket| assert_eq!(socket.push(reply(1)), Pushed::Queued)),
        ("a ping", |socket| socket.queue.control(Control::Ping)),
        ("a catch-up", |socket| {
            socket
                .outbox
                .catch_up(|_, _| MadeUp { changes: Some(Answer::Whole(payload(1))), presence: None });
        }),
        ("the end", |socket| socket.queue.close(CloseReason::Normal)),
    ];
    for (what, act) in writer_wakes {
        let socket = Socket::new(10, 10);
        assert!(socket.drain().is_empty());
        act(&socket);
        assert_eq!(socket.written.take(), 1, "{what} wakes the writing task");
        assert!(!socket.drain().is_empty(), "{what} is found");
    }
    let socket = Socket::new(10, 10);
    assert_eq!(socket.signal(), None);
    socket.push(update(1, 1, 0));
    assert_eq!(socket.read.take(), 0, "an update is nothing to the reading task");
    socket.outbox.close(CloseReason::Normal);
    assert_eq!(socket.read.take(), 1, "the end is");
}

#[test]
fn a_dropped_queue_wakes_the_writer_who_then_wakes_the_reader() {
    let socket = Socket::new(10, 10);
    assert!(socket.drain().is_empty());
    socket.push(update(10, 1, 0));
    assert_eq!(socket.written.take(), 1);
    assert_eq!(socket.drain(), ["update 10"]);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), None);
    // Both tasks sleep. The queue fills, and goes.
    socket.push(reply(1));
    socket.push(update(10, 1, 1));
    assert_eq!(socket.written.take(), 1);
    assert_eq!(socket.read.take(), 1, "there may be room again");
    assert_eq!(socket.signal(), None);
    assert_eq!(socket.drain(), ["reply 1"]);
    assert_eq!(socket.read.take(), 0, "not written yet");
    assert!(socket.drain().is_empty());
    assert_eq!(socket.read.take(), 1);
    assert_eq!(socket.signal(), Some(CATCH_UP));
}

// ---- several sessions ------------------------------------------------------------------------------------------

#[test]
fn sessions_of_one_connection_share_its_room_and_keep_their_addresses() {
    let socket = Socket::new(100, 10);
    let other = socket.queue.open(Bytes::from_static(b"b: "));
    let now = Instant::now();
    socket.push(update(40, 1, 0));
    assert_eq!(other.push(update(37, 1, 0), now), Pushed::Queued);
    // The session that finds no room lags, and no other.
    assert_eq!(other.push(update(40, 1, 1), now), Pushed::BeganToLag);
    assert!(other.is_lagging() && !socket.outbox.is_lagging());
    assert_eq!(socket.waiting(), (1, 40));
    assert_eq!(other.push(reply(1), now), Pushed::Queued);
    assert_eq!(socket.drain(), ["update 40", "b: reply 1"]);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), Some(Signal::CatchUp(other.lane())));
    assert_eq!(socket.signal(), None);
    other.catch_up(|lag, _| {
        assert_eq!(lag.unwrap()[&ClientId::new(1)], 0);
        MadeUp { changes: Some(Answer::Whole(payload(7))), presence: None }
    });
    assert_eq!(socket.drain(), ["b: reply 7"]);
}

#[test]
fn the_end_of_one_session_is_not_the_end_of_another() {
    let socket = Socket::new(100, 10);
    let other = socket.queue.open(Bytes::from_static(b"b: "));
    let now = Instant::now();
    other.push(reply(1), now);
    other.push(update(2, 1, 0), now);
    other.close(CloseReason::Gone);
    assert_eq!(other.push(reply(3), now), Pushed::Closed);
    assert_eq!(socket.signal(), Some(Signal::Ended(other.lane(), CloseReason::Gone)));
    assert_eq!(socket.push(update(4, 1, 0)), Pushed::Queued);
    // Once it is taken away, only its answers still go out; and who still holds it speaks to nobody.
    socket.queue.remove(other.lane());
    let third = socket.queue.open(Bytes::from_static(b"c: "));
    assert_eq!(other.push(reply(5), now), Pushed::Closed);
    assert_eq!(third.push(reply(6), now), Pushed::Queued);
    assert_eq!(socket.drain(), ["b: reply 1", "update 4", "c: reply 6"]);
}

#[test]
fn a_session_without_room_for_what_cannot_be_made_up_for_is_closed() {
    let socket = Socket::new(100, 10);
    assert_eq!(socket.push(Frame::Notice(payload(60))), Pushed::Queued);
    assert_eq!(socket.push(Frame::Notice(payload(60))), Pushed::Closed);
    assert_eq!(socket.signal(), Some(Signal::Ended(LaneId(1), CloseReason::TryAgainLater)));
    assert!(socket.drain().is_empty(), "what waited is let go, so that the close frame finds its way");
}

#[test]
fn presence_that_gives_way_is_owed_to_its_own_session() {
    let socket = Socket::new(100, 10);
    let other = socket.queue.open(Bytes::from_static(b"b: "));
    assert_eq!(other.push(awareness(57), Instant::now()), Pushed::Queued);
    assert_eq!(socket.push(update(60, 1, 0)), Pushed::Queued);
    assert_eq!(socket.drain(), ["update 60"]);
    assert!(socket.drain().is_empty());
    assert_eq!(socket.signal(), Some(Signal::CatchUp(other.lane())));
    other.catch_up(|lag, presence| {
        assert!(lag.is_none() && presence);
        MadeUp::default()
    });
    assert_eq!(socket.signal(), None);
}

// ---- the property ------------------------------------------------------------------------------------------------

/// Whatever is pushed, dropped, drained and made up for, in whatever order: the reader can take every frame as
/// it comes, and ends with the document, and with who is here. What waits stays within the limits.
#[test]
fn a_reader_however_slow_ends_with_the_document() {
    let seeds = match std::env::var("WEFT_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..60).collect::<Vec<u64>>(),
    };
    let mut lags = 0;
    for seed in seeds {
        println!("WEFT_SEED={seed}");
        lags += Play::new(seed).run();
    }
    assert!(lags > 60, "the queue hardly ever overflowed: {lags}");
}

struct Play {
    random: ChaCha8Rng,
    socket: Socket,
    replica: Replica,
    writers: Vec<Writer>,
    /// The newest clock of each client's presence, as the document has it and as the reader has it.
    here: BTreeMap<u64, u32>,
    seen: BTreeMap<u64, u32>,
    reader: Writer,
    lags: usize,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let socket = Socket::new(random.random_range(30..300), random.random_range(2..12));
        let writers = (1..=3).map(Writer::new).collect();
        let (here, seen) = (BTreeMap::new(), BTreeMap::new());
        Self {
            random,
            socket,
            replica: Replica::default(),
            writers,
            here,
            seen,
            reader: Writer::new(99),
            lags: 0,
        }
    }

    fn run(mut self) -> usize {
        for _ in 0..300 {
            match self.random.random_range(0..10) {
                0..=4 => self.edit(),
                5 => self.presence(),
                6 => self.ask(),
                7 => {
                    self.catch_up();
                }
                _ => {
                    self.drain();
                }
            }
            self.check_bounds();
        }
        // Quiet: the socket takes everything, and what is owed is asked for and paid.
        while self.drain() || self.catch_up() {}
        assert!(!self.socket.outbox.is_lagging());
        assert_eq!(self.reader.vector(), self.writers_together().vector());
        assert_eq!(self.reader.text(), self.writers_together().text());
        assert_eq!(self.seen, self.here);
        self.lags
    }

    fn edit(&mut self) {
        let batch: Vec<_> = (0..self.random.random_range(1..4)).map(|_| self.one_edit()).map(check).collect();
        let applied = self.replica.apply(&batch.iter().collect::<Vec<_>>()).unwrap();
        let Some(update) = applied.update else { return };
        let payload = ysync::encode(&SyncMessage::Update(update));
        let pushed = self.socket.push(Frame::Update(payload, Arc::new(applied.before)));
        self.lags += usize::from(pushed == Pushed::BeganToLag);
    }

    fn one_edit(&mut self) -> Bytes {
        let state = self.replica.state().unwrap();
        let who = self.random.random_range(0..self.writers.len());
        let writer = &self.writers[who];
        if self.random.random_bool(0.5) {
            writer.receive(&state);
        }
        let length = writer.length();
        if length > 0 && self.random.random_bool(0.3) {
            let at = self.random.random_range(0..length);
            return writer.remove(at, self.random.random_range(1..=(length - at).min(8)));
        }
        let text = "x".repeat(self.random.random_range(1..40));
        writer.insert(self.random.random_range(0..=length), &text)
    }

    fn presence(&mut self) {
        let client = self.random.random_range(1..5);
        *self.here.entry(client).or_default() += 1;
        let body = presence_of(std::iter::once((&client, &self.here[&client])));
        self.socket.push(Frame::Awareness(ysync::encode(&SyncMessage::Awareness(body))));
    }

    /// The reader asks for what it lacks, as after a reconnect.
    fn ask(&mut self) {
        let difference = self.replica.difference(&self.reader.vector()).unwrap();
        if self.random.random_bool(0.5) {
            let answer = Answer::Whole(ysync::encode(&SyncMessage::SyncStep2(difference)));
            return self.socket.outbox.answer(answer);
        }
        let state = Arc::new(check(self.replica.state().unwrap()));
        let (known, most) = (self.reader.vector(), self.random.random_range(1..60));
        let cut = guard::Cut::new(state, known, most);
        let pieces = cut.map(|piece| ysync::encode(&SyncMessage::Update(piece)));
        self.socket.outbox.answer(Answer::InPieces(InPieces::new(pieces)));
    }

    /// Does what the reading task does on a notice. Returns whether there was one.
    fn catch_up(&mut self) -> bool {
        match self.socket.signal() {
            Some(CATCH_UP) => {}
            Some(_) => return true,
            None => return false,
        }
        let (replica, here) = (&mut self.replica, &self.here);
        self.socket.outbox.catch_up(|lag, presence| {
            let changes = lag.map(|lag| {
                let vector = replica.vector_before(lag);
                Answer::Whole(ysync::encode(&SyncMessage::Update(replica.difference(&vector).unwrap())))
            });
            let presence = (presence || lag.is_some()).then(|| SyncMessage::Awareness(presence_of(here)));
            MadeUp { changes, presence: presence.as_ref().map(ysync::encode) }
        });
        true
    }

    /// The socket takes what waits, and the reader reads it.
    fn drain(&mut self) -> bool {
        let mut taken = VecDeque::new();
        if self.socket.queue.drain(&mut taken, &self.socket.writer) != Drained::Frames {
            return false;
        }
        for queued in taken {
            let payload = queued.frame.payload().clone();
            for message in ysync::decode(payload, &guard::Limits::default()).unwrap() {
                match message {
                    Message::Update(update) | Message::SyncStep2(update) => {
                        self.reader.receive(update.bytes());
                        assert!(!self.reader.is_waiting(), "a frame came that builds upon one that was lost");
                    }
                    Message::Awareness(update) => {
                        for entry in update.entries {
                            let seen = self.seen.entry(entry.client.get()).or_default();
                            *seen = entry.clock.max(*seen);
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        true
    }

    fn check_bounds(&self) {
        let queue = self.socket.outbox.shared.queue.lock();
        let limits = &self.socket.outbox.shared.limits;
        let droppable = || queue.waiting.iter().filter(|waiting| !waiting.is_kept());
        let bytes: usize = droppable().map(Waiting::size).sum();
        assert!(bytes <= limits.bytes || droppable().count() == 1);
        assert!(droppable().count() <= limits.frames);
        assert!(queue.lanes[0].lag.is_none() || droppable().count() == 0);
    }

    fn writers_together(&mut self) -> Writer {
        let all = Writer::new(98);
        all.receive(&self.replica.state().unwrap());
        all
    }
}

fn presence_of<'a>(here: impl IntoIterator<Item = (&'a u64, &'a u32)>) -> Bytes {
    let entries = here.into_iter().map(|(&client, &clock)| AwarenessEntry {
        client: ClientId::new(client),
        clock,
        state: Some("{}".into()),
    });
    AwarenessUpdate::from(entries.collect::<Vec<_>>()).encode()
}
