//! The typed door to an open document. Callers see questions and answers; the mailbox stays inside.
//!
//! Every method waits while the document's mailbox is full: that is how a document holds back those who
//! write faster than it applies.

use std::sync::Arc;

use actix::{Addr, MailboxError};
use bytes::Bytes;
use tokio::sync::oneshot;
use yrs::StateVector;

use super::{
    actor::DocumentActor,
    effect::Outcome,
    error::{JoinError, OpenError},
    messages::{
        CatchUp, Contribute, Deliver, DeliverText, Details, Drain, Govern, Join, JoinText, Joining,
        JoiningText, Leave, Order, ReadDetails, ReadDifference, ReadPeople, Renew, Tell,
    },
};
use crate::{
    auth::{Access, Person},
    ids::SessionId,
    protocol::{
        close::CloseReason,
        guard::Update,
        json::{EditError, Request},
        message::{Message, Shown},
    },
};

impl From<MailboxError> for OpenError {
    fn from(_: MailboxError) -> Self {
        Self::Closed
    }
}

impl From<MailboxError> for JoinError {
    fn from(_: MailboxError) -> Self {
        Self::Open(OpenError::Closed)
    }
}

/// An open document. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DocumentHandle {
    addr: Addr<DocumentActor>,
}

impl DocumentHandle {
    pub(super) fn new(addr: Addr<DocumentActor>) -> Self {
        Self { addr }
    }

    /// Panics where nothing is expected to, so that the actor ends without being told.
    #[cfg(test)]
    pub(super) async fn breaks(&self) {
        let _ = self.addr.send(super::messages::Break).await;
    }

    /// Opens the document for a session.
    pub async fn join(&self, joining: Joining) -> Result<(), JoinError> {
        self.addr.send(Join(joining)).await?
    }

    /// Hands over what a session said, in order. Waits while the document is busy.
    pub async fn deliver(&self, session: SessionId, messages: Vec<Message>) -> Result<(), OpenError> {
        Ok(self.addr.send(Deliver { session, messages }).await?)
    }

    /// From now on a session may do this, and is theirs.
    pub async fn renew(
        &self,
        session: SessionId,
        access: Access,
        person: Option<Person>,
    ) -> Result<(), OpenError> {
        Ok(self.addr.send(Renew { session, access, person }).await?)
    }

    /// Tells every session that understands stateless messages something that is no part of the document.
    /// Returns how many were told.
    pub async fn tell(&self, payload: Arc<str>) -> Result<usize, OpenError> {
        self.addr.send(Tell { payload }).await?
    }

    /// Opens a text of the document for a session of the JSON dialect.
    pub async fn join_text(&self, joining: JoiningText) -> Result<(), JoinError> {
        self.addr.send(JoinText(joining)).await?
    }

    /// Hands over what such a session said, in order, or what was not understood of it. Waits while the
    /// document is busy.
    pub async fn deliver_text(
        &self,
        session: SessionId,
        requests: Vec<Result<Request, EditError>>,
    ) -> Result<(), OpenError> {
        Ok(self.addr.send(DeliverText { session, requests }).await?)
    }

    /// Ends a session. After a `clean` end its presence goes at once, otherwise after a grace.
    pub async fn leave(&self, session: SessionId, clean: bool) {
        // A document that is gone has no presence left to remove.
        let _ = self.addr.send(Leave { session, clean }).await;
    }

    /// Sends a slow session what was dropped from its queue.
    pub async fn catch_up(&self, session: SessionId) -> Result<(), OpenError> {
        Ok(self.addr.send(CatchUp { session }).await?)
    }

    /// The full state as one update.
    pub async fn state(&self) -> Result<Bytes, OpenError> {
        self.difference(StateVector::default()).await
    }

    /// What a replica with this vector lacks, with all deletions, as one update; everything, if it is empty.
    pub async fn difference(&self, vector: StateVector) -> Result<Bytes, OpenError> {
        let (answer, answered) = oneshot::channel();
        self.addr.send(ReadDifference { vector, answer }).await?;
        answered.await.map_err(|_| OpenError::Closed)?
    }

    /// What is known about it.
    pub async fn details(&self) -> Result<Details, OpenError> {
        self.addr.send(ReadDetails).await?
    }

    /// Some of those who have it open, as they show themselves.
    pub async fn people(&self) -> Result<Vec<Shown>, OpenError> {
        self.addr.send(ReadPeople).await?
    }

    /// Applies an update that came without a connection. Resolves when it is durable, or could not be stored in time.
    pub async fn contribute(&self, update: Update) -> Result<Outcome, JoinError> {
        let outcome = self.addr.send(Contribute { update }).await??;
        outcome.await.map_err(|_| JoinError::Open(OpenError::Closed))?
    }

    /// Makes sure that it exists; true if it was made now.
    pub async fn create(&self) -> Result<(Details, bool), JoinError> {
        self.govern(Order::Create).await
    }

    /// Moves it to the trash. Whoever is inside is closed with 4404.
    pub async fn trash(&self) -> Result<Details, JoinError> {
        Ok(self.govern(Order::Trash).await?.0)
    }

    /// Takes it back from the trash.
    pub async fn restore(&self) -> Result<Details, JoinError> {
        Ok(self.govern(Order::Restore).await?.0)
    }

    /// Deletes its content for ever.
    pub async fn delete(&self) -> Result<(), JoinError> {
        self.govern(Order::Delete).await.map(drop)
    }

    async fn govern(&self, order: Order) -> Result<(Details, bool), JoinError> {
        let (answer, answered) = oneshot::channel();
        self.addr.send(Govern { order, answer }).await?;
        answered.await.map_err(|_| JoinError::Open(OpenError::Closed))?
    }

    /// Closes everybody with `reason` and stores everything. Give up by dropping the future.
    pub async fn drain(&self, reason: CloseReason) {
        let (done, drained) = oneshot::channel();
        if self.addr.send(Drain { reason, done }).await.is_ok() {
            // An error here means "done": the actor drops its end when everything is stored.
            let _ = drained.await;
        }
    }
}
