//! The chat beside a document: who is in it, and what was said.
//!
//! A message is a record beside the document. It is durable before anybody hears it, its author included; and
//! it is there once, whatever reconnects do: with it a second record is kept that says which message was made
//! of what the author's client called it, so that a message sent again is recognised, however much later, and
//! answered with the one that is stored.
//!
//! Messages of one chat are stored one after the other, so that their order is the same for everybody and in
//! every answer. A [`Room`] exists while somebody is in it and holds the last messages for those who join; the
//! older ones are read from the store a page at a time.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::record::{self, Records};
use crate::{
    document::{
        Head, Standing, StoreError,
        digest::digest,
        error::{JoinError, OpenError},
        queue::Outbox,
        registry::{Beside, Registry},
    },
    ids::{DocumentName, Timestamp},
    protocol::{
        chat::{self, ClientMessageId, Message, Person},
        close::CloseReason,
        envelope::Fault,
    },
    store::{Collection, Kept, Life, Quota, Record},
};

/// How many messages one hears on joining.
pub const RECENT: usize = 50;
/// How many people one is told of on joining; the number of all is told besides.
const PEOPLE: usize = 200;
/// How many writes of unknown outcome are remembered per room.
const DOUBTS: usize = 1000;

/// How much may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatLimits {
    /// Bytes of one text.
    pub text_bytes: usize,
    /// Messages kept beside one document; beyond, nothing more can be said.
    pub messages: u64,
    /// Bytes of messages kept beside one document.
    pub bytes: u64,
}

impl Default for ChatLimits {
    fn default() -> Self {
        Self { text_bytes: 4096, messages: 1_000_000, bytes: 256 << 20 }
    }
}

/// The chats beside all documents. Clones share them.
#[derive(Clone)]
pub struct Chats(Arc<Shared>);

struct Shared {
    registry: Registry,
    records: Records,
    limits: ChatLimits,
    /// Those somebody is in.
    rooms: Rooms,
}

#[derive(Default)]
struct Rooms(Mutex<HashMap<DocumentName, Arc<Room>>>);

/// One chat.
struct Room {
    document: DocumentName,
    /// Set once the last messages have been read.
    opened: OnceCell<()>,
    /// The life of the document whose chat this is; 0 if it is not known to exist.
    life: AtomicU32,
    inside: Mutex<Inside>,
    /// Held from giving a message its id until it is stored and told.
    speaking: tokio::sync::Mutex<Speaking>,
}

/// Changed only for as long as it takes to tell everybody.
#[derive(Default)]
struct Inside {
    people: HashMap<Person, Outbox>,
    recent: VecDeque<Message>,
    /// Whether there are older messages than `recent`.
    more: bool,
    /// Seats given out, those included that have not been taken yet.
    seats: usize,
    closed: Option<CloseReason>,
}

/// What whoever speaks must know.
#[derive(Default)]
struct Speaking {
    /// The greatest id given out, and the latest time.
    last: Uuid,
    at: Timestamp,
    /// Messages that may have been stored although the store said otherwise: should one of them turn out to
    /// be there, nobody has heard it yet.
    doubtful: HashSet<Uuid>,
}

/// A place in a chat; given up when dropped.
pub struct Seat {
    chats: Chats,
    room: Arc<Room>,
    person: Person,
    outbox: Outbox,
}

impl Chats {
    /// Those beside the documents of `registry`, which end with them.
    pub fn new(registry: Registry) -> Self {
        let records = Records::new(registry.store().clone(), registry.config());
        let limits = registry.config().chat;
        let shared = Arc::new(Shared { registry, records, limits, rooms: Rooms::default() });
        let beside: Arc<dyn Beside> = shared.clone();
        shared.registry.keep_beside(&beside);
        Self(shared)
    }

    /// How much may be said.
    pub fn limits(&self) -> ChatLimits {
        self.0.limits
    }

    /// Takes a place in the chat of a document: the queue is told what was said last, and then everything. At
    /// most `most` may be inside.
    pub async fn join(
        &self,
        document: &DocumentName,
        person: Person,
        outbox: Outbox,
        most: usize,
    ) -> Result<Seat, JoinError> {
        let registry = &self.0.registry;
        if registry.is_draining() {
            return Err(JoinError::Open(OpenError::Draining));
        }
        let room = self.0.rooms.enter(document, most)?;
        // From here on the seat gives itself back, whatever happens.
        let seat = Seat { chats: self.clone(), room, person, outbox };
        seat.room.opened.get_or_try_init(|| seat.room.open(self)).await?;
        seat.look_at_document().await?;
        seat.sit_down()?;
        // Once more, so that a move to the trash and a shutdown either find us inside or are seen here.
        seat.look_at_document().await?;
        if registry.is_draining() {
            return Err(JoinError::Open(OpenError::Draining));
        }
        Ok(seat)
    }

    /// What was said in a chat before the message `before`, oldest first, at most `limit` messages; and
    /// whether there is more before that.
    pub async fn page(
        &self,
        document: &DocumentName,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<(Vec<Message>, bool), StoreError> {
        let mut records = self.0.records.page(document, Collection::Messages, before, limit + 1).await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let decoded = records.iter().rev().map(|record| decode(document, &record.value));
        Ok((decoded.collect::<Result<_, _>>()?, more))
    }
}

impl Beside for Shared {
    fn gone(&self, document: &DocumentName) {
        let room = self.rooms.0.lock().remove(document);
        if let Some(room) = room {
            room.close(CloseReason::Gone);
        }
    }

    fn close_all(&self, reason: CloseReason) {
        let rooms = std::mem::take(&mut *self.rooms.0.lock());
        rooms.values().for_each(|room| room.close(reason));
    }
}

impl Rooms {
    fn enter(&self, document: &DocumentName, most: usize) -> Result<Arc<Room>, JoinError> {
        let mut rooms = self.0.lock();
        let room = rooms.entry(document.clone()).or_insert_with(|| Arc::new(Room::new(document.clone())));
        let mut inside = room.inside.lock();
        if inside.seats >= most {
            return Err(JoinError::Full(most));
        }
        inside.seats += 1;
        drop(inside);
        Ok(room.clone())
    }

    fn leave(&self, room: &Arc<Room>) {
        let mut rooms = self.0.lock();
        let mut inside = room.inside.lock();
        inside.seats -= 1;
        // A room that was closed has left the map already, and another one may have taken its place.
        if inside.seats == 0 && rooms.get(&room.document).is_some_and(|known| Arc::ptr_eq(known, room)) {
            rooms.remove(&room.document);
        }
    }
}

impl Room {
    fn new(document: DocumentName) -> Self {
        Self {
            document,
            opened: OnceCell::new(),
            life: AtomicU32::new(0),
            inside: Mutex::default(),
            speaking: tokio::sync::Mutex::default(),
        }
    }

    /// Reads what was said last. Nobody is inside yet, so nothing is said meanwhile.
    async fn open(&self, chats: &Chats) -> Result<(), JoinError> {
        let (messages, more) = chats.page(&self.document, None, RECENT).await?;
        if let Some(last) = messages.last() {
            self.speaking.lock().await.last = last.id;
        }
        let mut inside = self.inside.lock();
        inside.recent = messages.into();
        inside.more = more;
        Ok(())
    }

    fn close(&self, reason: CloseReason) {
        let mut inside = self.inside.lock();
        inside.closed = Some(reason);
        inside.people.values().for_each(|outbox| outbox.close(reason));
    }
}

impl Inside {
    fn tell(&self, text: &Bytes) {
        for outbox in self.people.values() {
            outbox.tell(text.clone());
        }
    }

    fn tell_others(&self, person: &Person, tell: impl Fn(&Outbox)) {
        self.people.iter().filter(|(other, _)| *other != person).for_each(|(_, outbox)| tell(outbox));
    }

    fn remember(&mut self, message: Message) {
        self.recent.push_back(message);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
            self.more = true;
        }
    }
}

impl Seat {
    /// That the document is not in the trash.
    async fn look_at_document(&self) -> Result<(), JoinError> {
        match self.chats.0.registry.head(&self.room.document).await? {
            Some(Head { standing: Standing::Live, life, .. }) => {
                // The first one counts: this is the chat of that document, whatever comes after it.
                let _ = self.room.life.compare_exchange(0, life.0, Ordering::Relaxed, Ordering::Relaxed);
            }
            Some(_) => return Err(JoinError::Gone),
            None => {}
        }
        Ok(())
    }

    /// Begins to listen: in one step with reading what was said before, so that nothing is missed or doubled.
    fn sit_down(&self) -> Result<(), JoinError> {
        let mut inside = self.room.inside.lock();
        match inside.closed {
            None => {}
            Some(CloseReason::Gone) => return Err(JoinError::Gone),
            Some(_) => return Err(JoinError::Open(OpenError::Draining)),
        }
        inside.people.insert(self.person.clone(), self.outbox.clone());
        let people: Vec<Person> = inside.people.keys().take(PEOPLE).cloned().collect();
        let messages: Vec<Message> = inside.recent.iter().cloned().collect();
        let history = chat::history(&self.person, &people, inside.people.len(), &messages, inside.more);
        self.outbox.tell(history);
        let joined = chat::join(&self.person);
        inside.tell_others(&self.person, |outbox| outbox.tell(joined.clone()));
        Ok(())
    }

    /// Says something. When it is durable, everybody hears it; if it had been said before, only this line does.
    pub async fn say(&self, client_id: ClientMessageId, text: String, now: Timestamp) -> Result<(), Fault> {
        let mut speaking = self.room.speaking.lock().await;
        if self.room.inside.lock().closed.is_some() {
            // Who was waiting when the document was deleted must not speak in another one of its name.
            return Err(Fault::new("closed", "the chat was closed"));
        }
        let life = self.exist().await.map_err(|error| fault_of_join(&error))?;
        let origin = origin_key(&client_id);
        // Who waited for others to speak speaks after them.
        let now = now.max(speaking.at);
        speaking.at = now;
        // Ordered by time and, should the clock go back, by the order in which things were said.
        let id = id_at(now).max(Uuid::from_u128(speaking.last.as_u128().wrapping_add(1)));
        speaking.last = id;
        let message = Message { id, client_id, author: self.person.clone(), text, at: now };
        let id_bytes = Bytes::copy_from_slice(id.as_bytes());
        let records = vec![
            Record { collection: Collection::MessageOrigins, key: origin, value: id_bytes },
            Record { collection: Collection::Messages, key: id, value: record::encode(&message) },
        ];
        let limits = self.chats.limits();
        let quota = Quota { collection: Collection::Messages, records: limits.messages, bytes: limits.bytes };
        match self.chats.0.records.keep(&self.room.document, life, now, records, quota).await {
            Ok(Kept::New) => {
                self.told(message);
                Ok(())
            }
            Ok(Kept::NoRoom) => Err(Fault::new("chat_full", "this chat holds as many messages as it may")),
            Ok(Kept::Known) => {
                // Everybody has heard it, unless it was doubtful: only then do others wait while it is read.
                let unheard = speaking.doubtful.contains(&origin).then_some(speaking);
                let found = self.known(origin).await.map_err(|error| fault_of(&error))?;
                if found.text != message.text {
                    return Err(Fault::new(
                        "repeated_id",
                        "nothing was said: this id is that of an earlier message with another text; give every \
                         message an id of its own, such as a UUID",
                    ));
                }
                match unheard {
                    Some(mut speaking) => {
                        speaking.doubtful.remove(&origin);
                        self.told(found);
                    }
                    None => self.outbox.reply(chat::message(&found)),
                }
                Ok(())
            }
            Err(error) => {
                if speaking.doubtful.len() < DOUBTS {
                    speaking.doubtful.insert(origin);
                }
                Err(fault_of(&error))
            }
        }
    }

    /// Begins or stops writing.
    pub fn types(&self, typing: bool) {
        let text = chat::typing(&self.person, typing);
        let inside = self.room.inside.lock();
        inside.tell_others(&self.person, |outbox| outbox.mention(text.clone()));
    }

    fn told(&self, message: Message) {
        let text = chat::message(&message);
        let mut inside = self.room.inside.lock();
        inside.tell(&text);
        inside.remember(message);
    }

    /// The message that was made of what a client called so.
    async fn known(&self, origin: Uuid) -> Result<Message, StoreError> {
        let (records, document) = (&self.chats.0.records, &self.room.document);
        let damaged = |what: &str| StoreError::Damaged { document: document.clone(), what: what.to_owned() };
        let id = records.get(document, Collection::MessageOrigins, origin).await?;
        let id = id
            .and_then(|id| Uuid::from_slice(&id).ok())
            .ok_or_else(|| damaged("a message's origin is gone"))?;
        let value = records.get(document, Collection::Messages, id).await?;
        decode(document, &value.ok_or_else(|| damaged("a message is gone"))?)
    }

    /// Makes sure that the document exists, so that it is in lists and can be deleted.
    async fn exist(&self) -> Result<Life, JoinError> {
        match self.room.life.load(Ordering::Relaxed) {
            0 => {}
            life => return Ok(Life(life)),
        }
        let life = self.chats.0.registry.begun(&self.room.document).await?;
        self.room.life.store(life.0, Ordering::Relaxed);
        Ok(life)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inside = self.room.inside.lock();
        // Not there if it never sat down.
        if inside.people.remove(&self.person).is_some() && inside.closed.is_none() {
            inside.tell(&chat::leave(&self.person));
        }
        drop(inside);
        self.chats.0.rooms.leave(&self.room);
    }
}

fn fault_of(error: &StoreError) -> Fault {
    match error {
        StoreError::Missing(_) => Fault::new("deleted", "the document was deleted"),
        StoreError::Damaged { .. } => {
            Fault::new("damaged", "the stored chat is damaged; the server's log says more")
        }
        _ => Fault::new("store_unwritable", "messages cannot be stored at present; send it again later"),
    }
}

fn fault_of_join(error: &JoinError) -> Fault {
    match error {
        JoinError::Open(OpenError::Store(error)) => fault_of(error),
        JoinError::Gone => Fault::new("deleted", "the document was deleted"),
        _ => Fault::new("unavailable", error.to_string()),
    }
}

/// An id whose order is that of the times at which ids are made.
fn id_at(now: Timestamp) -> Uuid {
    let (seconds, millis) = (now.0 / 1000, now.0 % 1000);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, millis as u32 * 1_000_000))
}

/// The key of what a client calls a message.
fn origin_key(id: &ClientMessageId) -> Uuid {
    Uuid::from_bytes(digest(id.as_str().as_bytes()))
}

fn decode(document: &DocumentName, value: &[u8]) -> Result<Message, StoreError> {
    record::decode(document, "a chat message", value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{SessionId, Timestamp};

    #[test]
    fn what_is_stored_is_read_back_and_what_is_unknown_refused() {
        let document = DocumentName::parse("a").unwrap();
        let message = Message {
            id: Uuid::max(),
            client_id: ClientMessageId::parse("12345678").unwrap(),
            author: Person { session: SessionId(Uuid::nil()), name: "Ann".to_owned() },
            text: "\"hi\"\n文".to_owned(),
            at: Timestamp(7),
        };
        let value = record::encode(&message);
        let expected = r#"{"id":"ffffffff-ffff-ffff-ffff-ffffffffffff","client_id":"12345678","author":{"session":"00000000-0000-0000-0000-000000000000","name":"Ann"},"text":"\"hi\"\n文","at":7}"#;
        assert_eq!((value[0], &value[1..]), (1, expected.as_bytes()), "the stored format");
        assert_eq!(decode(&document, &value).unwrap(), message);
        for damaged in [&b""[..], b"\x02{}", b"\x01{}"] {
            assert!(matches!(decode(&document, damaged), Err(StoreError::Damaged { .. })));
        }
    }
}
