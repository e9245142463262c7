//! What a document has stored, and who hears that it is.

use std::time::Instant;

use actix::{ActorFutureExt, Context, WrapFuture};
use bytes::Bytes;
use tracing::{error, info};

use super::{DocumentActor, Phase};
use crate::{
    document::{
        effect::{Outcome, TextFrame},
        memory::Share,
        replica::Replica,
        requests::Verdict,
        serving::{Checkpoint, Checkpointing, Write, WriteFailed, Written},
        turns,
    },
    ids::{Moment, SessionId},
    protocol::{Dialect, close::CloseReason, hocuspocus::Outgoing, message::SyncMessage},
    store::{Append, Appended, StoreError},
};

impl DocumentActor {
    pub(super) fn owe(&mut self, to: SessionId, update: Bytes, outcome: Outcome) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        self.requests.applied(to, Instant::now());
        serving.owe(to, update, outcome);
        self.pay();
        self.hurry();
    }

    /// Has what is being written made durable soon, if somebody waits for it.
    fn hurry(&self) {
        if matches!(&self.phase, Phase::Serving(serving) if serving.is_awaited()) {
            self.common.store.hurry();
        }
    }

    /// Gives the acknowledgements that are due.
    fn pay(&mut self) {
        while let Phase::Serving(serving) = &mut self.phase
            && let Some((to, update, outcome)) = serving.due()
        {
            self.acknowledge(to, update, outcome);
        }
    }

    pub(super) fn acknowledge(&mut self, to: SessionId, update: Bytes, outcome: Outcome) {
        if self.answer_request(to, Ok(outcome)) {
            return;
        }
        if self.hearers.is_json(to) {
            if outcome == Outcome::Applied {
                self.hearers.tell(&[to], &TextFrame::Answer(update), Instant::now());
            }
            return;
        }
        let Phase::Serving(serving) = &self.phase else { return };
        let dialect = serving.state.dialect(to);
        match (dialect, outcome) {
            (Some(Dialect::Hocuspocus), outcome) => {
                let status = Outgoing::SyncStatus { applied: outcome == Outcome::Applied };
                self.hearers.send_hocuspocus(to, &status);
            }
            (Some(Dialect::YWebSocket { echo: true }), Outcome::Applied) => {
                self.hearers.send(to, &SyncMessage::Update(update));
            }
            _ => {}
        }
        if let Outcome::Rejected(why) = outcome {
            self.hearers.close(to, CloseReason::Refused(why));
        }
    }

    /// Answers a request and ends its session; false if there is no such request.
    pub(super) fn answer_request(&mut self, session: SessionId, answer: Verdict) -> bool {
        let was_there = self.requests.answer(session, answer);
        if was_there && let Phase::Serving(serving) = &mut self.phase {
            drop(serving.state.leave(session, true, Moment::now()));
        }
        was_there
    }

    /// Hands what waits to the store, unless a write is under way.
    pub(super) fn write(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        if let Some(Write { updates, summary, journal }) = serving.next_write(Instant::now()) {
            let append = Append { document: self.name.clone(), updates, summary: Some(summary) };
            let written = self.common.store.append(vec![append]);
            self.hurry();
            turns::spawn(
                ctx,
                written.into_actor(self).map(move |written, actor, ctx| {
                    if matches!(&actor.phase, Phase::Serving(serving) if serving.is_about(journal)) {
                        actor.written(written, ctx);
                    }
                }),
            );
        }
        self.report_backlog();
    }

    fn written(&mut self, written: Result<Vec<Appended>, StoreError>, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        match written.as_deref() {
            Ok([appended]) => {
                let Written { took, recovered } = serving.written(*appended, Instant::now());
                if recovered {
                    info!(document = %self.name, "the store takes writes again");
                }
                if let Some(took) = took {
                    self.common.metrics.commit_seconds.observe(took.as_secs_f64());
                }
                self.pay();
                if matches!(&self.phase, Phase::Serving(serving) if serving.is_checkpoint_due()) {
                    self.checkpoint(ctx);
                }
                self.report_memory();
            }
            Ok(_) => self.write_failed(&StoreError::Unwritable("it answered for another write".into()), ctx),
            Err(error) => self.write_failed(&error.clone(), ctx),
        }
        self.write(ctx);
    }

    fn write_failed(&mut self, error: &StoreError, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let WriteFailed { is_first, pause } = serving.write_failed(Instant::now());
        if is_first {
            error!(document = %self.name, %error, "failed to store changes; they are kept in memory");
        }
        self.common.metrics.store_failures.inc();
        turns::later(ctx, pause, Self::write);
    }

    fn report_backlog(&mut self) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let backlog = serving.backlog();
        let change = backlog as i64 - self.backlog_reported as i64;
        if change != 0 {
            self.common.metrics.journal_backlog_bytes.inc_by(change);
            self.backlog_reported = backlog;
            self.lease.set_unsaved(backlog);
        }
    }

    /// Says what the document takes. Asked where its stored size changes, and not with every message: all documents
    /// count in one place.
    pub(super) fn report_memory(&mut self) {
        if let Phase::Serving(serving) = &self.phase {
            self.share.set_bytes(Share::estimate(serving.stored_bytes()));
        }
    }

    /// Writes the full state, if it may be now.
    pub(super) fn checkpoint(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        match serving.checkpoint(Instant::now()) {
            Checkpointing::Not => {}
            // In a turn of its own: whoever called goes on with the replica.
            Checkpointing::EncodeApart => turns::soon(ctx, Self::checkpoint_apart),
            Checkpointing::Write(checkpoint) => self.write_checkpoint(checkpoint, ctx),
            Checkpointing::Poisoned(what) => self.reload(&what, Vec::new(), ctx),
        }
    }

    /// Encodes the state of a large document, and writes it.
    fn checkpoint_apart(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        serving.tries_again();
        self.encode_apart(ctx, Self::checkpoint);
    }

    /// The store is only given bytes that have been decoded again.
    fn write_checkpoint(&mut self, checkpoint: Checkpoint, ctx: &mut Context<Self>) {
        let Checkpoint { state, life, upto, summary, covers } = checkpoint;
        let (store, name) = (self.common.store.clone(), self.name.clone());
        let (deleted, work) = (self.common.config.keep_deleted.of(&self.name), self.common.work.clone());
        let written = async move {
            let checked = state.clone();
            match work.run(move || Replica::load([&checked], deleted).map(drop)).await {
                Ok(Ok(())) => {
                    store.checkpoint(name, life, upto, state, summary).await.map_err(|e| e.to_string())
                }
                Ok(Err(unloadable)) => Err(unloadable.to_string()),
                Err(stopped) => Err(stopped.to_string()),
            }
        };
        turns::spawn(
            ctx,
            written.into_actor(self).map(move |written, actor, _| {
                let Phase::Serving(serving) = &mut actor.phase else { return };
                if !serving.checkpointed(covers, written.is_ok(), Instant::now()) {
                    return;
                }
                match written {
                    Ok(()) => actor.report_memory(),
                    Err(error) => error!(document = %actor.name, error, "failed to write a checkpoint"),
                }
            }),
        );
    }
}
