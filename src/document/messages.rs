//! What may be asked of an open document: the questions that [`handle`](super::handle) puts and the actor answers.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use yrs::StateVector;

use super::{
    error::{JoinError, OpenError},
    queue::Outbox,
    requests::Verdict,
};
use crate::{
    auth::{Access, Person},
    ids::{DocumentName, SessionId, Timestamp},
    protocol::{
        Dialect,
        close::CloseReason,
        guard::Update,
        json::{self, EditorName, FieldName},
        message::{Message, Shown},
    },
    store::Standing,
};

/// A session that wants to open a document.
#[derive(Debug)]
pub struct Joining {
    /// Its id, fresh.
    pub session: SessionId,
    /// What it may do.
    pub access: Access,
    /// Whose it is, if that is known.
    pub person: Option<Person>,
    /// How it speaks.
    pub dialect: Dialect,
    /// Where the document puts what the session should hear.
    pub outbox: Outbox,
    /// Most sessions the document may have, this one included.
    pub max_sessions: usize,
}

/// A session of the JSON dialect that wants to open a text of a document.
#[derive(Debug)]
pub struct JoiningText {
    /// Its id, fresh.
    pub session: SessionId,
    /// What it may do.
    pub access: Access,
    /// Under which name it edits.
    pub editor: EditorName,
    /// Whose it is, if that is known.
    pub person: Option<Person>,
    /// Which text.
    pub field: FieldName,
    /// Where the document puts what the session should hear.
    pub outbox: Outbox,
    /// Most sessions the document may have, this one included.
    pub max_sessions: usize,
}

/// What is known about a document without its content.
#[derive(Clone, Debug)]
pub struct Details {
    /// Its name.
    pub document: DocumentName,
    /// Whether it was ever created or written.
    pub exists: bool,
    /// Whether nothing was ever written into it.
    pub is_blank: bool,
    /// The title found in it.
    pub title: Option<String>,
    /// What it says it is.
    pub kind: Option<String>,
    /// About how large it is, in bytes of encoded state.
    pub bytes: u64,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// Live, in the trash, or deleted.
    pub standing: Standing,
    /// How many sessions have it open.
    pub editors: usize,
    /// Some of them, as they show themselves.
    pub people: Vec<Shown>,
}

/// A session opens the document.
#[derive(actix::Message)]
#[rtype(result = "Result<(), JoinError>")]
pub(super) struct Join(pub Joining);

/// A session says something.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Deliver {
    pub session: SessionId,
    pub messages: Vec<Message>,
}

/// A session of the JSON dialect opens a text of the document.
#[derive(actix::Message)]
#[rtype(result = "Result<(), JoinError>")]
pub(super) struct JoinText(pub JoiningText);

/// A session of the JSON dialect says something.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct DeliverText {
    pub session: SessionId,
    pub requests: Vec<Result<json::Request, json::EditError>>,
}

/// A session ended.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Leave {
    pub session: SessionId,
    pub clean: bool,
}

/// A session was asked again who it is: from now on it may do this, and is theirs.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Renew {
    pub session: SessionId,
    pub access: Access,
    pub person: Option<Person>,
}

/// Something for the applications around the document.
#[derive(actix::Message)]
#[rtype(result = "Result<usize, OpenError>")]
pub(super) struct Tell {
    pub payload: Arc<str>,
}

/// A slow session has been written dry.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct CatchUp {
    pub session: SessionId,
}

/// Reads what a replica with this vector lacks.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct ReadDifference {
    pub vector: StateVector,
    pub answer: oneshot::Sender<Result<Bytes, OpenError>>,
}

/// Reads what is known about the document.
#[derive(actix::Message)]
#[rtype(result = "Result<Details, OpenError>")]
pub(super) struct ReadDetails;

/// Who is here.
#[derive(actix::Message)]
#[rtype(result = "Result<Vec<Shown>, OpenError>")]
pub(super) struct ReadPeople;

/// Applies an update that came without a connection. Resolves when it is durable.
#[derive(actix::Message)]
#[rtype(result = "Result<oneshot::Receiver<Verdict>, JoinError>")]
pub(super) struct Contribute {
    pub update: Update,
}

/// Creates the document, or moves it between the shelves.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Govern {
    pub order: Order,
    pub answer: oneshot::Sender<Result<(Details, bool), JoinError>>,
}

/// Stores everything and closes, whoever is inside.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Drain {
    pub reason: CloseReason,
    /// Dropped when everything is stored, or cannot be.
    pub done: oneshot::Sender<()>,
}

/// The tests' way to a panic of the actor itself.
#[cfg(test)]
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Break;

/// What may be done with a document as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Make sure that it exists.
    Create,
    /// To the trash.
    Trash,
    /// Back from the trash.
    Restore,
    /// For ever.
    Delete,
}

impl Order {
    /// Whether nobody may be inside afterwards.
    pub(super) fn ends_it(self) -> bool {
        matches!(self, Self::Trash | Self::Delete)
    }
}
