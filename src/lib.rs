//! Weft, a collaborative document server in one binary.
//!
//! People open a document in the browser, write and draw together, lose the network, come back, and nothing
//! is lost. Developers point any Yjs client at it. This page is the map: where things are, what must hold,
//! what words mean, and the way one keystroke takes. What Weft is to those who use it is told in the README and the
//! pages it names: docs/protocols.md, docs/rest.md, docs/text.md and docs/access.md for programs, docs/operating.md for whoever runs it.
//! docs/design.md says why it is built so.
//!
//! # Code map
//!
//! | module | what | may import |
//! |---|---|---|
//! | [`ids`] | names and ids, parsed once and valid for ever after; [`ids::Moment`], the time | |
//! | [`telemetry`] | logs, and every metric by name, [`telemetry::live`] what happened in the last second; its handles are everybody's | |
//! | [`protocol`] | bytes to messages and back, pure: [`protocol::wire`] the primitives under limits, [`protocol::guard`] the check of update bytes before yrs sees them, [`protocol::ysync`] the y-websocket dialect, [`protocol::hocuspocus`] the Hocuspocus dialect, [`protocol::json`] the JSON dialect with [`protocol::text_operation`], [`protocol::envelope`] the shape of JSON messages, [`protocol::chat`] those of a chat, [`protocol::close`] every close code | ids |
//! | [`auth`] | who, and what they may do: the [`auth::Policy`] that is asked, the [`auth::Principal`] that it makes of what somebody presents, the [`auth::Access`] that it grants them in a document; [`auth::tokens`] the policy of those for whom another program answers, by [`auth::keys`] | ids |
//! | [`store`] | opaque bytes per document, durable: the [`store::Store`] contract, [`store::Durability`] what survives a crash, [`store::memory`], [`store::sled`], where `sled/engine/rotation.rs` makes space again | ids |
//! | [`document`] | the heart, one open document. *What becomes of it:* [`document::state`] decides about its content and says in [`document::effect`]s what is to be done; `document::serving` says what is written, when a checkpoint is due, whether anything keeps the document in memory, and what an order about it as a whole does; [`document::replica`] holds the CRDT, and finds the title and the kind in it (what lists call the document is chosen in `document::serving`), [`document::journal`] what is not yet durable, [`document::acknowledgements`] who waits to hear that it is, [`document::costs`] what is too dear, [`document::size`] when it is full. *Who is in it:* `document::hearers` the queues to its sessions, and which is too slow; [`document::queue`] such a queue, and what is dropped where it is full; [`document::replica::told`] what somebody is told who lacks much; [`document::presence`] who is here, [`document::pace`] how often that is told; [`document::collab`] who edits by operations, [`document::text_history`] what they missed, and which operation was sent before. *What carries it:* [`document::actor`] brings events in and effects out, and has the timers: once a second it looks how long nobody has had the document open, and whether it has to make room; [`document::messages`] are what it may be asked, [`document::handle`] is its door; [`document::registry`] knows which documents are open, `document::lease` is what an open one holds of it, [`document::memory`] says which leaves first, [`document::work`] has the threads for what takes long. *Beside it:* [`document::text`] what a text of the app says and how texts of earlier versions become one, [`document::exports`] its readings for who does not speak Yjs, and its state compressed ([`document::compress`]) for who does, [`document::beside`] files and the chat | store, auth, protocol, ids |
//! | [`connection`] | one line to a client: `connection::line` the loop, carried by a WebSocket in [`connection::socket`] over a [`connection::transport`] that ends it, or by plain HTTP in [`connection::feed`], `connection::talk` what it asks of each conversation, [`connection::single`] the one about one document, [`connection::session`] what a frame means there, [`connection::many`] the one about many, [`connection::multiplex`] which document a frame is about there, [`connection::collab`], [`connection::chat`] and [`connection::figures`] the conversations of those who edit by operations, who chat and who watch, `connection::incoming` what comes out of a WebSocket, [`connection::frame_guard`] how large a WebSocket message may be, [`connection::heartbeat`] whether the peer lives, [`connection::penalty`] who has to wait because what they bring is refused | document, auth, protocol, ids |
//! | [`http`] | [`http::listener`] accepts connections, [`http::places`] how many there may be, `http::upgraded` carries those that become conversations, [`http::door`] what every request and every answer passes ([`http::host`]: under which names the server answers, by `Host`; [`http::origin`]: which web pages may use it, by `Origin`), [`http::body`] and [`http::answers`] how much may be on its way in and out, the route table with a description beside every handler, which [`http::openapi`] gathers, `http::extract` what handlers are given of a request, who sends it among that: the door, [`http::state`] states known, in parts and compressed, upgrades, REST, health, metrics, the embedded app | connection, document, auth, protocol, ids |
//! | [`config`] | every setting as flag, variable and file key | all `Config`s |
//! | [`maintenance`] | `weft vacuum` and `weft check` | document, store |
//! | [`server`] | the composition root: start and ordered shutdown; [`server::descriptors`] for how many there are files | everything |
//!
//! There are no circles: the modules of one folder can be put in an order in which each uses only earlier ones, and a document
//! reaches a session only through the queue that the connection hands in, an [`document::queue::Outbox`]. Foreign crates are used in few places: `actix` in
//! `document/{actor,messages,handle,registry,turns}.rs` and `document/actor/`, `actix_ws` in `connection/socket.rs`,
//! `actix_server` in `http/listener.rs`, `jsonwebtoken` in `auth/{keys,tokens}.rs`, `utoipa` in `http/` and where a type says what it is in JSON, `yrs` in `protocol/` and `document/`, `operational_transform` in
//! `protocol/text_operation.rs`, `sled` in `store/sled/places.rs`. Functions are given the time. The test
//! `tests/it/layering.rs` lists the files that read the clock, and fails on any import that this page forbids.
//!
//! # Invariants
//!
//! 1. What becomes of a document's content is decided only in [`document::state`], one thing at a time: nothing awaits between
//!    reading it and changing it. While its replica is lent to another thread ([`document::work`]), nothing else happens in
//!    the document ([`document::turns`]).
//! 2. Who somebody is, is settled at the door by what they present, and by nothing that they say of themselves. The policy is
//!    asked about each request, when a connection opens a document or its chat, and when a client renews its token; a
//!    handler that is given a document says what its caller needs. What a session may do is checked where the document
//!    changes, so no dialect can forget it.
//! 3. Nothing is unbounded: a session waits for a document (`send().await`, never `do_send`), a document fills
//!    an [`Outbox`](document::queue::Outbox) with byte and count limits, and a
//!    [`Journal`](document::journal::Journal) waits for the store.
//! 4. A session that cannot keep up is never skipped: its queued updates are dropped *together* and replaced
//!    by one difference from the last state it is known to have. It is closed (1013) past a deadline, and at
//!    once if it has no room for what cannot be made up for. Awareness may be replaced by newer awareness.
//! 5. An update is broadcast by this server at once, and acknowledged when durable.
//! 6. A document that cannot be loaded is refused. It is never replaced by an empty one, and nothing is
//!    written over it.
//! 7. Bytes from outside are decoded under limits, completely, and pass the guard before yrs sees them. A bad
//!    frame costs its sender the connection, a refused update its session, a bad JSON message an answer, and nobody else
//!    anything. A panic poisons that document alone: it is loaded again from store and journal, and the updates in doubt
//!    are tried one by one (`document/actor/loading.rs`).
//! 8. An incoming update that changes nothing (deletions included) costs no write and no broadcast.
//! 9. A stored value begins with its format version and carries a checksum.
//! 10. Work is bounded like bytes: a large update that is not plainly linear is applied piece by piece and only as long as
//!     it costs what its size is worth ([`document::replica::dear`]), on a thread that stands back behind those that serve;
//!     a session that asks for more again and again is refused ([`document::costs`]), and so is whoever would make a document
//!     dearer to load than one such update. What a few bytes or an operation delete is deleted there too, if it is much:
//!     what lies beneath a heavy type is deleted in order before the type goes or gives way to another value
//!     ([`document::replica::heavy`]). What a few bytes of a text stand for is bounded too ([`document::text::Room`],
//!     [`protocol::guard::Formats`]).
//!
//! # Vocabulary
//!
//! | word | meaning |
//! |---|---|
//! | document | a named CRDT with everybody's edits; addressed by its [`ids::DocumentName`] |
//! | connection, line | one socket, from upgrade to close; or what stands for one over plain HTTP |
//! | session | one document opened over one connection |
//! | dialect | how a client speaks; what it means is the same in all of them |
//! | address | in the Hocuspocus dialect, the head of a frame that says which session it belongs to |
//! | principal | who is at the other end of a request or session, as the door settled it |
//! | access | how much a principal may do in a document: nothing, read, comment, write, own |
//! | open, closed | of a server: everybody owns everything; nobody comes in without a token |
//! | client id | the id under which a replica writes; it names a replica, not a person |
//! | replica | one copy of a document's CRDT: ours, or a browser's |
//! | update | a change in Yjs's v1 encoding; idempotent and commutative |
//! | state vector | for each client id, how much of it a replica has |
//! | difference | the update that brings a replica with a given state vector up to date |
//! | awareness, presence | what a person shows the others right now: name, colour, caret. Never stored |
//! | guard | the structural check that update bytes pass before yrs sees them |
//! | journal | what is applied and shown, but not yet durable |
//! | watermark | everything in the journal up to here is durable |
//! | acknowledge | to say what became of an update, once everything applied up to then is durable; only what is durable is called applied |
//! | log, checkpoint | what is stored: updates in order, and a full state that replaces the log before it |
//! | record | a value beside a document, written once and found by its key: an attachment, a chat message |
//! | sequence | an update's place in its document's log |
//! | life | counts the documents that had a name: deleting for ever ends one life, making it again begins the next |
//! | outbox, lane | what a document has said to a session and the socket has not yet taken; one session's part of its connection's queue |
//! | piece | of an answer that is too large for one message: an update that integrates by the pieces before it |
//! | room, seat | in a chat: the chat of a document while somebody is in it, and somebody's place in it. Two other things have the name: [`document::text::Room`], the bytes that one reading of a text may still take, and [`http::answers::Room`], those that are kept for one large answer |
//! | place | one of the connections that there may be ([`http::places`]) |
//! | operation | a change of a text, told from its first character to its last, in Unicode scalar values |
//! | revision | the number of operations that a followed text has seen |
//! | epoch | of a text: which history of it the revisions are counted in. Of the store: one file of rows and its index, replaced as a whole when too much in it is dead |
//! | follow | to make an operation of every change of a text, because somebody has it open without a replica |
//! | field | a root of a document that is opened as text |
//! | text, boundary, cell | the root `body` of a document, read by the rules of docs/text.md; the map in it where a block begins; the root that holds the words of one place in a table |
//! | tree | a text of earlier versions |
//! | taking over | making one of today's texts of a tree |
//! | carrying | putting into that text what is still written into the tree |
//! | lag, catch-up | what a session lacks whose queue was dropped, and the one difference that makes up for it |
//! | dear | what costs more of the processor's time than its size is worth |
//! | heavy | of a type in a document: so much lies beneath it that it takes long to delete |
//! | effect | what a part that decides wants done; the actor does it |
//! | lent | in use on a thread for long work, while the document waits |
//! | poisoned | a replica that panicked; thrown away and loaded again |
//! | quarantine | where bytes go that must not be applied, for a person to look at |
//! | standing | whether a document is live, in the trash, or deleted for ever |
//! | shelf | the documents of one standing, as lists show them: the live ones, the trash |
//! | quota | how much may be kept of one kind of record beside a document |
//!
//! # The path of a keystroke
//!
//! Browser: editor → Y.Doc → provider → bytes. Server: [`connection::socket`] (a frame within limits) →
//! [`protocol::ysync`] or [`protocol::hocuspocus`] ([`Message`](protocol::message::Message), its update through the guard) →
//! [`connection::session`] or [`connection::multiplex`] (what it means, and for which document) →
//! [`document::handle`] (waits for room) → [`document::actor`] →
//! [`document::state`] (access, apply; [`Effect`](document::effect::Effect)s: broadcast, store, acknowledge) →
//! [`document::queue`] (encoded once) → every other session's [`connection::socket`]; and
//! [`document::journal`] → [`store`] (append, flush) → watermark → the author's acknowledgement. One
//! direction; every arrow is a named type.
//!
//! One typed by a client without a replica: [`connection::socket`] → [`connection::collab`]
//! ([`Request`](protocol::json::Request)) → [`document::handle`] → [`document::state`] (access;
//! [`document::collab`] transforms it past what its author had not seen) →
//! [`Replica::edit`](document::replica::Replica::edit), and from there on it is an update like any other.

pub mod auth;
pub mod config;
pub mod connection;
pub mod document;
pub mod http;
pub mod ids;
pub mod maintenance;
pub mod protocol;
pub mod server;
pub mod store;
#[cfg(test)]
mod stories;
pub mod telemetry;
