//! What takes long is done with the replica on a thread of its own, while the mailbox waits: it must not hold up the other
//! documents of this thread, and nothing else happens in this one until the replica is back.

use std::{collections::VecDeque, time::Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use yrs::StateVector;

use super::{DocumentActor, Phase};
use crate::{
    document::{
        replica::{Poisoned, Replica, dear::AppliedDear},
        state::Editing,
        turns,
    },
    ids::{Moment, SessionId},
    protocol::{
        close::CloseReason,
        json::{self, FieldName},
        message::Message,
    },
};

impl DocumentActor {
    /// Has the state of a large replica encoded ([`Self::read_apart`]).
    pub(super) fn encode_apart(
        &mut self,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) {
        self.read_apart(ctx, |replica| replica.state().map(drop), then);
    }

    /// Has something of a large replica read on a thread of its own, which keeps it for the next who asks, while the mailbox
    /// waits; goes on with `then`. If the replica panics, the document is loaded again; does nothing if that is about to
    /// happen already.
    pub(super) fn read_apart(
        &mut self,
        ctx: &mut Context<Self>,
        read: impl FnOnce(&mut Replica) -> Result<(), Poisoned> + Send + 'static,
        then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) {
        self.try_apart(ctx, read, |actor, read, ctx| match read {
            Ok(()) => then(actor, ctx),
            Err(Poisoned(what)) => actor.reload(&what, Vec::new(), ctx),
        });
    }

    fn try_apart(
        &mut self,
        ctx: &mut Context<Self>,
        read: impl FnOnce(&mut Replica) -> Result<(), Poisoned> + Send + 'static,
        then: impl FnOnce(&mut Self, Result<(), Poisoned>, &mut Context<Self>) + 'static,
    ) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let Some(mut replica) = serving.state.lend_to_read() else { return };
        let work = self.common.work.clone();
        let encoded = async move {
            work.run(move || {
                let encoded = read(&mut replica);
                (replica, encoded)
            })
            .await
        };
        ctx.wait(encoded.into_actor(self).map(|done, actor, ctx| {
            let Phase::Serving(serving) = &mut actor.phase else { return };
            match done {
                Ok((replica, encoded)) => {
                    serving.state.take_back_read(replica);
                    then(actor, encoded, ctx);
                }
                Err(error) => then(actor, Err(Poisoned(error.to_string())), ctx),
            }
        }));
    }

    /// Applies what waits on a thread of its own, while the mailbox waits: dear work must not hold up the other documents
    /// of this thread. Then goes on with the `rest` of what a session said.
    pub(super) fn apply_apart(
        &mut self,
        rest: Option<(SessionId, VecDeque<Message>)>,
        ctx: &mut Context<Self>,
    ) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let Some((mut replica, batch)) = serving.state.lend() else {
            // Nothing waits, or the replica is being loaded again, after which it is applied like anything else.
            if let Some((session, messages)) = rest.filter(|(_, messages)| !messages.is_empty()) {
                self.deliver(session, messages, ctx);
            }
            return;
        };
        let work = self.common.work.clone();
        let metrics = self.common.metrics.clone();
        let suspects = batch.clone();
        let applied = async move {
            work.run_dear(move || {
                let started = Instant::now();
                let mut applied = Vec::with_capacity(batch.len());
                for suspect in &batch {
                    match replica.apply_dear(&suspect.update) {
                        Ok(done) => applied.push(done),
                        Err(poisoned) => return (replica, batch, applied, Some(poisoned)),
                    }
                }
                metrics.apply_seconds.observe(started.elapsed().as_secs_f64());
                if applied.iter().any(AppliedDear::has_changed) {
                    replica.take_over_ahead();
                }
                (replica, batch, applied, None)
            })
            .await
        };
        // Nothing else happens in this document until the replica is back.
        ctx.wait(applied.into_actor(self).map(move |done, actor, ctx| {
            let Phase::Serving(serving) = &mut actor.phase else { return };
            match done {
                Ok((replica, batch, applied, panicked)) => {
                    let mut effects =
                        serving.state.take_back(replica, batch, applied, panicked, Moment::now());
                    actor.carry_out(&mut effects, ctx);
                    if let Some((session, messages)) = rest {
                        actor.deliver(session, messages, ctx);
                    }
                }
                // The replica is gone, and nothing of the batch was kept.
                Err(error) => actor.reload(&error.to_string(), suspects, ctx),
            }
        }));
    }

    /// Has something read that takes long, where that holds nobody up, and goes on with what a session said: first with
    /// that for which it was read.
    pub(super) fn answer_apart(
        &mut self,
        session: SessionId,
        read: impl FnOnce(&mut Replica) -> Result<(), Poisoned> + Send + 'static,
        messages: VecDeque<Message>,
        ctx: &mut Context<Self>,
    ) {
        let Ok(serving) = self.serving() else { return };
        if serving.state.is_poisoned() {
            return self.deliver(session, messages, ctx);
        }
        self.try_apart(ctx, read, move |actor, read, ctx| match read {
            Ok(()) => actor.deliver(session, messages, ctx),
            Err(Poisoned(what)) => {
                // What it said is not answered for: it comes again with it.
                actor.send_away(session, CloseReason::Reset);
                actor.reload(&what, Vec::new(), ctx);
            }
        });
    }

    /// Has it found out, where that holds nobody up, how large the document is, and goes on with what a session of the JSON
    /// dialect said.
    pub(super) fn find_room_apart(
        &mut self,
        session: SessionId,
        requests: VecDeque<Result<json::Request, json::EditError>>,
        ctx: &mut Context<Self>,
    ) {
        // Each operation is applied after what came before it: so is this.
        self.flush(ctx);
        let read = |replica: &mut Replica| replica.state().map(drop);
        if self.serving().is_ok_and(|serving| serving.state.is_poisoned()) {
            return self.deliver_text(session, requests, ctx);
        }
        self.try_apart(ctx, read, move |actor, read, ctx| {
            if let Err(Poisoned(what)) = read {
                actor.reload(&what, Vec::new(), ctx);
            }
            actor.deliver_text(session, requests, ctx);
        });
    }

    /// Makes an operation of a session of the JSON dialect on a thread of its own, while the mailbox waits, and goes on with
    /// what it said next.
    pub(super) fn edit_apart(
        &mut self,
        session: SessionId,
        editing: Editing,
        requests: VecDeque<Result<json::Request, json::EditError>>,
        ctx: &mut Context<Self>,
    ) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let Some(mut replica) = serving.state.lend_to_read() else {
            // It broke just now. Whoever comes back is told whether the operation is known.
            return self.send_away(session, CloseReason::Reset);
        };
        let work = self.common.work.clone();
        let edited = async move {
            work.run_dear(move || {
                let made = editing.make(&mut replica);
                (replica, editing, made)
            })
            .await
        };
        // Nothing else happens in this document until the replica is back.
        ctx.wait(edited.into_actor(self).map(move |done, actor, ctx| {
            let Phase::Serving(serving) = &mut actor.phase else { return };
            match done {
                Ok((replica, editing, made)) => {
                    serving.state.take_back_read(replica);
                    let mut effects = serving.state.take_back_edited(editing, made, Moment::now());
                    actor.carry_out(&mut effects, ctx);
                    actor.deliver_text(session, requests, ctx);
                }
                Err(error) => {
                    actor.send_away(session, CloseReason::Reset);
                    actor.reload(&error.to_string(), Vec::new(), ctx);
                }
            }
        }));
    }

    /// A large replica takes as long to free as to encode.
    pub(super) fn free(&self, replica: Replica) {
        if replica.is_large() {
            self.common.work.frees(replica);
        }
    }

    /// Reads a rich text for those who have it open as text.
    pub(super) fn read_rich(&mut self, field: FieldName, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        if serving.takes_long_to_encode(&StateVector::default()) {
            // In a turn of its own: whoever called goes on with the replica.
            return turns::soon(ctx, |actor, ctx| {
                actor.encode_apart(ctx, |actor, ctx| actor.read_rich(field, ctx));
            });
        }
        let state = match serving.state.replica().state() {
            Ok(state) => state,
            Err(Poisoned(what)) => return self.reload(&what, Vec::new(), ctx),
        };
        let (exports, root) = (self.common.exports.clone(), field.as_str().to_owned());
        let reading = async move { exports.root_text(state, root).await };
        turns::spawn(
            ctx,
            reading.into_actor(self).map(move |text, actor, ctx| {
                let Phase::Serving(serving) = &mut actor.phase else { return };
                let text = text.map_err(|unreadable| unreadable.to_string());
                let mut effects = serving.state.rich_text(&field, text, Moment::now());
                actor.carry_out(&mut effects, ctx);
            }),
        );
    }
}
