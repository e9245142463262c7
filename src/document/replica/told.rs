//! What somebody is told who lacks something of a document: one message, or many where it is large.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use yrs::StateVector;

use super::{Cache, Poisoned, Replica, boundless};
use crate::protocol::{
    guard::{Cut, Update},
    message::{ClientId, SyncMessage},
};

/// What is told in one message, in bytes, and the size of the messages where there are several. Over 200 KB/s that is more
/// than one in two seconds: clients take a line for dead that is silent for nine, or for thirty.
pub const PIECE: usize = 256 << 10;

/// How many state vectors are known to lack much, until the next change.
const KEPT: usize = 8;

/// A step 2 without anything in it.
const NOTHING: Bytes = Bytes::from_static(&[0, 0]);

/// What a replica lacks.
#[derive(Clone, Debug)]
pub enum Told {
    /// An update that holds it.
    Whole(Bytes),
    /// The whole document, and what of it is known: too much for one message, and shared by all who lack something.
    Part(Arc<Update>, StateVector),
    /// The whole document, for who knows nothing of it.
    All(Arc<Pieces>),
}

/// The pieces of a whole document: made as the first reads who has nothing of it, and kept for the others while one reads.
#[derive(Debug)]
pub struct Pieces(Mutex<(Cut, Vec<Bytes>)>);

/// Somebody who reads them.
struct Reading {
    pieces: Arc<Pieces>,
    at: usize,
}

impl Iterator for Reading {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let (cut, made) = &mut *self.pieces.0.lock();
        if made.len() == self.at {
            made.push(cut.next()?);
        }
        self.at += 1;
        made.get(self.at - 1).cloned()
    }
}

/// What is known about who lacks how much, until the next change.
#[derive(Default)]
pub(super) struct Large {
    state: Option<Arc<Update>>,
    pieces: Weak<Pieces>,
    vectors: Vec<StateVector>,
}

impl Told {
    /// The messages of an answer to a step 1: the last one is the step 2, by which the client knows that it has everything.
    pub fn step_2(self) -> impl Iterator<Item = SyncMessage> + Send {
        let (whole, pieces) = self.split();
        let last = SyncMessage::SyncStep2(whole.unwrap_or(NOTHING));
        pieces.map(SyncMessage::Update).chain([last])
    }

    /// The messages that make up for changes.
    pub fn updates(self) -> impl Iterator<Item = SyncMessage> + Send {
        let (whole, pieces) = self.split();
        whole.into_iter().chain(pieces).map(SyncMessage::Update)
    }

    /// Whether it takes more than one message.
    pub fn is_in_pieces(&self) -> bool {
        !matches!(self, Self::Whole(_))
    }

    /// What is one message, or else those that it takes.
    fn split(self) -> (Option<Bytes>, Box<dyn Iterator<Item = Bytes> + Send>) {
        match self {
            Self::Whole(update) => (Some(update), Box::new(std::iter::empty())),
            Self::Part(state, known) => (None, Box::new(Cut::new(state, known, PIECE))),
            Self::All(pieces) => (None, Box::new(Reading { pieces, at: 0 })),
        }
    }
}

impl Replica {
    /// What a replica with `vector` lacks, with all deletions.
    pub fn tell(&mut self, vector: &StateVector) -> Result<Told, Poisoned> {
        if !self.is_far_behind(vector) {
            let difference = self.difference(vector)?;
            if difference.len() <= PIECE {
                return Ok(Told::Whole(difference));
            }
            // One of its own for each who asks would be as much as the document, each time.
            self.cache.differences.retain(|(known, _)| known != vector);
            let vectors = &mut self.cache.large.vectors;
            if vectors.len() == KEPT {
                vectors.remove(0);
            }
            vectors.push(vector.clone());
        } else if self.state()?.len() <= PIECE {
            return Ok(Told::Whole(self.difference(vector)?));
        }
        let state = match &self.cache.large.state {
            Some(state) => state.clone(),
            None => {
                let state = Update::check(self.state()?, &boundless());
                Arc::new(state.map_err(|refusal| Poisoned(refusal.to_string()))?)
            }
        };
        let large = &mut self.cache.large;
        large.state = Some(state.clone());
        if !vector.is_empty() {
            return Ok(Told::Part(state, vector.clone()));
        }
        let pieces = large.pieces.upgrade().unwrap_or_else(|| {
            let cut = Cut::new(state, StateVector::default(), PIECE);
            Arc::new(Pieces(Mutex::new((cut, Vec::new()))))
        });
        large.pieces = Arc::downgrade(&pieces);
        Ok(Told::All(pieces))
    }

    /// Whether [`Self::tell`] has its answer at hand.
    pub fn can_tell(&self, vector: &StateVector) -> bool {
        let Cache { state, large, .. } = &self.cache;
        let is_small = state.as_ref().is_none_or(|state| state.len() <= PIECE);
        let is_whole = self.has_difference(vector) && (!vector.is_empty() || is_small);
        is_whole || large.state.is_some() && self.is_far_behind(vector)
    }

    /// Whether who knows so much lacks so much, counted as clocks count it, that it is not worth encoding apart from the rest; or
    /// is known to.
    fn is_far_behind(&self, vector: &StateVector) -> bool {
        let lacked =
            |(client, &clock): (&ClientId, &u32)| u64::from(clock.saturating_sub(vector.get(client)));
        vector.is_empty()
            || self.cache.large.vectors.contains(vector)
            || self.clocks.iter().map(lacked).sum::<u64>() > PIECE as u64
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use yrs::StateVector;

    use super::*;
    use crate::document::testing::{Writer, check, in_words};

    /// What three people wrote, at once and on top of each other, in all of Unicode.
    fn written(random: &mut ChaCha8Rng) -> Replica {
        let mut replica = Replica::default();
        let writers: Vec<_> = (1..=3).map(Writer::new).collect();
        for _ in 0..random.random_range(1..60) {
            let writer = &writers[random.random_range(0..writers.len())];
            if random.random_bool(0.6) {
                writer.receive(&replica.state().unwrap());
            }
            let lengths: Vec<u32> = writer.text().chars().map(|each| each.len_utf16() as u32).collect();
            let at = random.random_range(0..=lengths.len());
            let before: u32 = lengths[..at].iter().sum();
            let update = if at < lengths.len() && random.random_bool(0.3) {
                let until = random.random_range(at + 1..=lengths.len().min(at + 30));
                writer.remove(before, lengths[at..until].iter().sum())
            } else {
                let character = ["a", "ä", "文", "𝄞"][random.random_range(0..4)];
                writer.insert(before, &character.repeat(random.random_range(1..80)))
            };
            replica.apply(&[&check(update)]).unwrap();
        }
        replica
    }

    #[test]
    fn every_piece_is_small_and_builds_upon_those_before_and_all_are_the_whole() {
        let seeds = match std::env::var("WEFT_SEED") {
            Ok(seed) => vec![seed.parse().unwrap()],
            Err(_) => (0..200).collect::<Vec<u64>>(),
        };
        for seed in seeds {
            println!("WEFT_SEED={seed}");
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut replica = written(&mut random);
            let whole = Writer::new(8);
            whole.receive(&replica.state().unwrap());
            let state = Arc::new(check(replica.state().unwrap()));
            let most = random.random_range(1..300);
            let reader = Writer::new(9);
            let (mut count, mut stops) = (0, random.random_range(0..20));
            let mut cut = Cut::new(state.clone(), StateVector::default(), most);
            while let Some(piece) = cut.next() {
                // The line breaks, and the reader asks for what it does not have.
                if stops == 0 {
                    cut = Cut::new(state.clone(), reader.vector(), most);
                }
                stops -= 1;
                // A section says whose it is, a struct where it belongs.
                assert!(piece.len() <= most + 200, "{} of {most}", piece.len());
                reader.receive(&piece);
                assert!(!reader.is_waiting(), "a piece builds upon what did not come");
                count += 1;
                assert!(count < 20_000, "there is no end");
            }
            assert_eq!((reader.text(), reader.vector()), (whole.text(), whole.vector()));
            let name = |client: ClientId| client.to_string();
            assert_eq!(in_words(&reader.state(), &name), in_words(&whole.state(), &name));
        }
    }

    #[test]
    fn what_is_large_is_told_in_pieces_that_share_the_state_and_the_last_is_the_step_2() {
        let mut replica = Replica::default();
        let writer = Writer::new(1);
        let short = writer.insert(0, "short");
        replica.apply(&[&check(short.clone())]).unwrap();
        let nobody = StateVector::default();
        assert!(replica.can_tell(&nobody) || !replica.tell(&nobody).unwrap().is_in_pieces());
        replica.apply(&[&check(writer.insert(0, &"x".repeat(3 * PIECE)))]).unwrap();
        for vector in [nobody, StateVector::new([(ClientId::new(1), 5)].into_iter().collect())] {
            // Whoever comes second finds the state at hand.
            assert_eq!(replica.can_tell(&vector), !vector.is_empty());
            let is_shared = match (replica.tell(&vector).unwrap(), replica.tell(&vector).unwrap()) {
                (Told::Part(one, _), Told::Part(other, _)) => Arc::ptr_eq(&one, &other),
                (Told::All(one), Told::All(other)) => Arc::ptr_eq(&one, &other),
                other => panic!("{other:?}"),
            };
            assert!(is_shared && replica.can_tell(&vector));
            let messages: Vec<_> = replica.tell(&vector).unwrap().step_2().collect();
            let reader = Writer::new(2);
            if !vector.is_empty() {
                reader.receive(&short);
            }
            for message in &messages[..messages.len() - 1] {
                let SyncMessage::Update(update) = message else { panic!("{message:?}") };
                assert!(update.len() <= PIECE + 100);
                reader.receive(update);
            }
            assert_eq!(messages.last(), Some(&SyncMessage::SyncStep2(NOTHING)));
            let count = if vector.is_empty() { 5 } else { 4 };
            assert_eq!((messages.len(), reader.length()), (count, 5 + 3 * PIECE as u32));
            let made_up: Vec<_> = replica.tell(&vector).unwrap().updates().collect();
            assert_eq!(made_up, messages[..messages.len() - 1]);
        }
        let almost = StateVector::new([(ClientId::new(1), 3 * PIECE as u32)].into_iter().collect());
        let Told::Whole(rest) = replica.tell(&almost).unwrap() else { panic!("five letters are no pieces") };
        assert!(rest.len() < 100 && replica.can_tell(&almost));
    }

    #[test]
    fn all_who_have_nothing_read_the_same_pieces_each_at_its_own_pace() {
        let mut replica = Replica::default();
        let writer = Writer::new(1);
        replica.apply(&[&check(writer.insert(0, &"x".repeat(4 * PIECE)))]).unwrap();
        let mut ask = || {
            replica.tell(&StateVector::default()).unwrap().step_2().map(|message| match message {
                SyncMessage::Update(update) | SyncMessage::SyncStep2(update) => update,
                message => panic!("{message:?}"),
            })
        };
        let (mut ann, bob) = (ask(), ask());
        let first: Vec<Bytes> = ann.by_ref().take(2).collect();
        let all: Vec<Bytes> = bob.collect();
        let rest: Vec<Bytes> = ann.collect();
        let anns: Vec<Bytes> = first.into_iter().chain(rest).collect();
        assert!(anns == all && all.len() > 4);
        assert_eq!(anns[0].as_ptr(), all[0].as_ptr(), "they are shared");
        let cat: Vec<Bytes> = ask().collect();
        assert!(cat == all, "made anew once nobody reads");
    }
}
