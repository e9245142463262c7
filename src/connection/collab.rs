//! The conversation of the JSON dialect: one text of one document, for a client without a CRDT.
//!
//! Every frame becomes a [`Request`](json::Request) or the [`Refusal`] that says what is wrong with it, and
//! both go to the document, in order: it alone answers, and it alone counts how often it has had to refuse.

use tracing::debug;

use super::{
    error::close_reason,
    text_socket::{Peer, What},
};
use crate::{
    auth::Access,
    document::{handle::DocumentHandle, messages::JoiningText, registry::Registry, text_queue::TextQueue},
    ids::{DocumentName, SessionId},
    protocol::{
        close::CloseReason,
        json::{self, EditorName, FieldName, Limits, Refusal},
    },
    telemetry::Metrics,
};

/// Who comes, and where to.
pub struct Visit {
    /// Which document.
    pub document: DocumentName,
    /// Which text of it.
    pub field: FieldName,
    /// Under which name.
    pub editor: EditorName,
    /// What it may do there.
    pub access: Access,
    /// Most sessions the document may have.
    pub max_sessions: usize,
    /// What a message may hold.
    pub limits: Limits,
    /// Open documents.
    pub registry: Registry,
    /// Figures.
    pub metrics: Metrics,
}

/// Opens the text and carries what is said, until the connection ends.
pub async fn talk(visit: &Visit, peer: &mut Peer, queue: &TextQueue) {
    let session = SessionId::new();
    let joined = visit.registry.ask(&visit.document, async |handle: DocumentHandle| {
        let joining = JoiningText {
            session,
            access: visit.access,
            editor: visit.editor.clone(),
            field: visit.field.clone(),
            queue: queue.clone(),
            max_sessions: visit.max_sessions,
        };
        handle.join_text(joining).await.map(|()| handle)
    });
    let handle = match joined.await {
        Ok(handle) => handle,
        Err(error) => {
            debug!(%session, %error, "session refused");
            visit.metrics.refused("join");
            return queue.close(close_reason(&error));
        }
    };
    debug!(%session, document = %visit.document, field = %visit.field, "text opened");
    while let Some(said) = peer.hears().await {
        let carried = match said.what {
            What::Text(text) => handle.deliver_text(session, vec![read(&text, &visit.limits)]).await,
            What::Binary => {
                let refusal = Refusal::new("not_text", "messages are JSON in text frames");
                handle.deliver_text(session, vec![Err(refusal)]).await
            }
            What::Behind => handle.catch_up(session).await,
        };
        if carried.is_err() {
            queue.close(CloseReason::Reset);
            break;
        }
    }
    handle.leave(session, peer.left_cleanly()).await;
}

fn read(text: &[u8], limits: &Limits) -> Result<json::Request, Refusal> {
    let text = std::str::from_utf8(text).map_err(|_| Refusal::new("invalid_json", "this is not UTF-8"))?;
    json::decode(text, limits)
}
