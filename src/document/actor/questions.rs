//! What an open document may be asked, each answered in its turn.

use std::{collections::VecDeque, time::Instant};

use actix::{Context, Handler};
use bytes::Bytes;
use tokio::sync::oneshot;
use yrs::StateVector;

use super::{DocumentActor, Phase};
use crate::{
    document::{
        error::{JoinError, OpenError},
        hearers::in_messages,
        messages::{
            CatchUp, Contribute, Deliver, DeliverText, Details, Drain, Join, JoinText, JoiningText, Leave,
            ReadDetails, ReadDifference, ReadPeople, Renew, Tell,
        },
        queue::{self, MadeUp},
        replica::{Poisoned, Replica},
        requests::Verdict,
    },
    ids::{Moment, SessionId},
    protocol::{
        close::CloseReason,
        hocuspocus, json,
        message::{Message, Shown},
        ysync,
    },
};

impl Handler<Join> for DocumentActor {
    type Result = Result<(), JoinError>;
    fn handle(&mut self, Join(joining): Join, ctx: &mut Context<Self>) -> Self::Result {
        let serving = self.admit(joining.max_sessions)?;
        let mut effects =
            serving.state.join(joining.session, joining.access, joining.person, joining.dialect);
        self.hearers.join(joining.session, joining.outbox);
        self.is_in_use();
        self.carry_out(&mut effects, ctx);
        Ok(())
    }
}

impl Handler<Deliver> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Deliver { session, messages }: Deliver, ctx: &mut Context<Self>) {
        self.deliver(session, messages.into(), ctx);
    }
}

impl Handler<JoinText> for DocumentActor {
    type Result = Result<(), JoinError>;
    fn handle(&mut self, JoinText(joining): JoinText, ctx: &mut Context<Self>) -> Self::Result {
        let JoiningText { session, access, editor, person, field, outbox, max_sessions } = joining;
        let serving = self.admit(max_sessions)?;
        let mut effects = serving.state.join_text(session, access, (editor, person), field, Moment::now());
        self.hearers.join_text(session, outbox);
        self.is_in_use();
        self.carry_out(&mut effects, ctx);
        self.schedule_tick(ctx);
        Ok(())
    }
}

impl Handler<DeliverText> for DocumentActor {
    type Result = ();
    fn handle(&mut self, DeliverText { session, requests }: DeliverText, ctx: &mut Context<Self>) {
        self.deliver_text(session, requests.into(), ctx);
    }
}

impl DocumentActor {
    /// What a session of the JSON dialect says, in order.
    pub(super) fn deliver_text(
        &mut self,
        session: SessionId,
        mut requests: VecDeque<Result<json::Request, json::EditError>>,
        ctx: &mut Context<Self>,
    ) {
        while let Some(request) = requests.pop_front() {
            let Ok(serving) = self.serving() else { return };
            if !serving.is_live() {
                return;
            }
            if serving.state.takes_long_to_find_room_for_text(&request, Moment::now()) {
                requests.push_front(request);
                return self.find_room_apart(session, requests, ctx);
            }
            let is_operation = matches!(request, Ok(json::Request::Operation(_)));
            let mut effects = serving.state.receive_text(session, request, Moment::now());
            let editing = serving.state.take_editing();
            self.common.metrics.updates_received.inc_by(u64::from(is_operation));
            self.carry_out(&mut effects, ctx);
            if let Some(editing) = editing {
                return self.edit_apart(session, editing, requests, ctx);
            }
        }
    }
}

impl Handler<Leave> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Leave { session, clean }: Leave, ctx: &mut Context<Self>) {
        // What the session said before it left is applied before it is forgotten.
        self.flush(ctx);
        self.hearers.leave(session);
        self.report_editors();
        if let Ok(serving) = self.serving() {
            let mut effects = serving.state.leave(session, clean, Moment::now());
            self.carry_out(&mut effects, ctx);
        }
        if self.hearers.len() == 0 {
            self.idle_since = Some(Instant::now());
            // At once: in what order documents were left decides which of them makes room.
            self.share.set_left(self.idle_since);
        }
        self.schedule_tick(ctx);
    }
}

impl Handler<Renew> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Renew { session, access, person }: Renew, ctx: &mut Context<Self>) {
        // What it said before was said with the rights it had.
        self.flush(ctx);
        if let Ok(serving) = self.serving() {
            serving.state.renew(session, access, person);
        }
    }
}

impl Handler<Tell> for DocumentActor {
    type Result = Result<usize, OpenError>;
    fn handle(&mut self, Tell { payload }: Tell, _: &mut Context<Self>) -> Self::Result {
        let payload = hocuspocus::encode(&hocuspocus::Outgoing::Stateless(payload));
        let Phase::Serving(serving) = &self.phase else { return self.serving().map(|_| 0) };
        let to = serving.state.hearers_of_stateless();
        Ok(self.hearers.notify(to, &payload, Instant::now()))
    }
}

impl Handler<CatchUp> for DocumentActor {
    type Result = ();
    fn handle(&mut self, CatchUp { session }: CatchUp, ctx: &mut Context<Self>) {
        let Some(outbox) = self.hearers.outbox(session).cloned() else { return };
        if self.hearers.is_json(session) {
            self.flush(ctx);
            let Phase::Serving(serving) = &mut self.phase else { return };
            let everything = serving.state.make_up_text(session).map(queue::Answer::Whole);
            return outbox.catch_up(|_, _| MadeUp { changes: everything, presence: None });
        }
        let Phase::Serving(serving) = &mut self.phase else { return };
        if let Some(lag) = outbox.lag() {
            let vector = serving.state.replica().vector_before(&lag);
            if serving.takes_long_to_tell(&vector) {
                return self.read_apart(
                    ctx,
                    move |replica| replica.tell(&vector).map(drop),
                    move |actor, ctx| actor.catch_up(session, ctx),
                );
            }
        }
        self.catch_up(session, ctx);
    }
}

impl DocumentActor {
    /// A slow session gets what it lacks.
    fn catch_up(&mut self, session: SessionId, ctx: &mut Context<Self>) {
        let Some(outbox) = self.hearers.outbox(session).cloned() else { return };
        let Phase::Serving(serving) = &mut self.phase else { return };
        let mut failure = None;
        outbox.catch_up(|lag, presence| match serving.state.make_up(lag, presence) {
            Ok((changes, presence)) => MadeUp {
                changes: changes.map(|told| in_messages(told.is_in_pieces(), told.updates())),
                presence: presence.as_ref().map(ysync::encode),
            },
            Err(Poisoned(what)) => {
                failure = Some(what);
                MadeUp::default()
            }
        });
        if let Some(what) = failure {
            outbox.close(CloseReason::Reset);
            self.reload(&what, Vec::new(), ctx);
        }
    }

    fn tell_difference(&mut self, vector: &StateVector, ctx: &mut Context<Self>) -> Result<Bytes, OpenError> {
        self.serving()?.state.replica().difference(vector).map_err(|Poisoned(what)| {
            self.reload(&what, Vec::new(), ctx);
            OpenError::Closed
        })
    }
}

impl Handler<ReadDifference> for DocumentActor {
    type Result = ();
    fn handle(&mut self, ReadDifference { vector, answer }: ReadDifference, ctx: &mut Context<Self>) {
        self.flush(ctx);
        if self.serving().is_ok_and(|serving| serving.takes_long_to_encode(&vector)) {
            let lacking = vector.clone();
            let read = move |replica: &mut Replica| replica.difference(&lacking).map(drop);
            // Whoever asks hears nothing, and asks anew, if it cannot be told.
            self.read_apart(ctx, read, move |actor, ctx| {
                drop(answer.send(actor.tell_difference(&vector, ctx)));
            });
        } else {
            drop(answer.send(self.tell_difference(&vector, ctx)));
        }
    }
}

impl Handler<ReadDetails> for DocumentActor {
    type Result = Result<Details, OpenError>;
    fn handle(&mut self, _: ReadDetails, ctx: &mut Context<Self>) -> Self::Result {
        self.flush(ctx);
        self.details()
    }
}

impl Handler<ReadPeople> for DocumentActor {
    type Result = Result<Vec<Shown>, OpenError>;
    fn handle(&mut self, _: ReadPeople, _: &mut Context<Self>) -> Self::Result {
        Ok(self.serving()?.state.people())
    }
}

impl Handler<Contribute> for DocumentActor {
    type Result = Result<oneshot::Receiver<Verdict>, JoinError>;
    fn handle(&mut self, Contribute { update }: Contribute, ctx: &mut Context<Self>) -> Self::Result {
        self.serving()?.admits_change()?;
        // Who has no connection cannot be told later: nothing is taken that cannot be stored now.
        self.common.store.health().map_err(OpenError::Store)?;
        let session = SessionId::new();
        // A session until the answer; what it would be told besides goes nowhere.
        self.serving()?.state.join_request(session);
        let receiver = self.requests.add(session);
        self.schedule_tick(ctx);
        self.deliver(session, [Message::SyncStep2(update)].into(), ctx);
        Ok(receiver)
    }
}

impl Handler<Drain> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Drain { reason, done }: Drain, ctx: &mut Context<Self>) {
        self.flush(ctx);
        self.hearers.close_all(reason);
        self.drained(done, ctx);
    }
}

/// The tests' way to a panic of the actor itself.
#[cfg(test)]
impl Handler<crate::document::messages::Break> for DocumentActor {
    type Result = ();
    fn handle(&mut self, _: crate::document::messages::Break, _: &mut Context<Self>) -> Self::Result {
        panic!("a test asked for it");
    }
}
