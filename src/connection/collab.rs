//! The conversation of the JSON dialect: one text of one document, for a client without a CRDT.
//!
//! Every frame becomes a [`Request`](json::Request) or the [`EditError`] that says what is wrong with it, and
//! both go to the document, in order: it alone answers, and it alone counts how often it has had to refuse.

use std::{convert::Infallible, time::Instant};

use tracing::debug;

use super::{
    error::close_reason,
    session::Inbound,
    talk::{self, Heard, JsonFrame, PACE, Talk},
};
use crate::{
    auth::{Access, Person},
    document::{
        handle::DocumentHandle,
        messages::JoiningText,
        queue::{LaneId, Outbox},
        rate::Rate,
        registry::Registry,
    },
    ids::{DocumentName, Moment, SessionId},
    protocol::{
        close::CloseReason,
        json::{self, EditError, EditLimits, EditorName, FieldName},
    },
    telemetry::Metrics,
};

/// Somebody who was let into a text.
pub struct Editor {
    /// Which document.
    pub document: DocumentName,
    /// Which text of it.
    pub field: FieldName,
    /// Under which name.
    pub name: EditorName,
    /// What it may do there.
    pub access: Access,
    /// Whose it is, if that is known.
    pub person: Option<Person>,
    /// When the time of whoever it is is over.
    pub ends: Option<Instant>,
    /// Most sessions the document may have.
    pub max_sessions: usize,
    /// What a message may hold.
    pub limits: EditLimits,
    /// Open documents.
    pub registry: Registry,
    /// Figures.
    pub metrics: Metrics,
}

/// The conversation. There is no keepalive: pages do not speak this dialect, and everybody else sees pings.
pub(super) struct CollabTalk {
    editor: Editor,
    session: SessionId,
    outbox: Outbox,
    /// Once the text is open.
    handle: Option<DocumentHandle>,
    heard: Vec<Result<json::Request, EditError>>,
}

impl Editor {
    pub(super) fn converse(self, outbox: Outbox) -> CollabTalk {
        CollabTalk { editor: self, session: SessionId::new(), outbox, handle: None, heard: Vec::new() }
    }
}

impl CollabTalk {
    fn handle(&self) -> Result<&DocumentHandle, CloseReason> {
        self.handle.as_ref().ok_or(CloseReason::Reset)
    }
}

impl Talk for CollabTalk {
    type News = Infallible;

    async fn begin(&mut self) -> Result<(), CloseReason> {
        let Editor { document, field, name, access, person, max_sessions, registry, metrics, .. } =
            &self.editor;
        let session = self.session;
        let joined = registry.ask(document, async |handle: DocumentHandle| {
            let joining = JoiningText {
                session,
                access: *access,
                editor: name.clone(),
                person: person.clone(),
                field: field.clone(),
                outbox: self.outbox.clone(),
                max_sessions: *max_sessions,
            };
            handle.join_text(joining).await.map(|()| handle)
        });
        let joined = joined.await.map_err(|error| {
            debug!(%session, %error, "session refused");
            metrics.refused("join");
            close_reason(&error)
        });
        self.handle = Some(joined?);
        debug!(%session, %document, %field, "text opened");
        Ok(())
    }

    fn pace(&self) -> Option<Rate> {
        Some(PACE)
    }

    fn hear(&mut self, inbound: Inbound, _: Moment) -> Heard {
        let request = match talk::read_text(inbound) {
            Ok(JsonFrame::Text(text)) => read(&text, &self.editor.limits),
            Ok(JsonFrame::Binary) => Err(EditError::new("not_text", "messages are JSON in text frames")),
            Err(heard) => return heard,
        };
        // The answer is the whole text.
        let asks = matches!(request, Ok(json::Request::Init));
        self.heard.push(request);
        if asks { Heard::Asked } else { Heard::More }
    }

    async fn act(&mut self) -> Result<(), CloseReason> {
        let heard = std::mem::take(&mut self.heard);
        if heard.is_empty() {
            return Ok(());
        }
        self.handle()?.deliver_text(self.session, heard).await.map_err(|_| CloseReason::Reset)
    }

    async fn catch_up(&mut self, _: LaneId) -> Result<(), CloseReason> {
        self.handle()?.catch_up(self.session).await.map_err(|_| CloseReason::Reset)
    }

    fn tick(&mut self, now: Instant) -> Result<(), CloseReason> {
        talk::until(self.editor.ends, now)
    }

    async fn leave(&mut self, clean: bool) {
        if let Some(handle) = &self.handle {
            handle.leave(self.session, clean).await;
        }
    }
}

fn read(text: &[u8], limits: &EditLimits) -> Result<json::Request, EditError> {
    let text = std::str::from_utf8(text).map_err(|_| EditError::new("invalid_json", "this is not UTF-8"))?;
    json::decode(text, limits)
}
