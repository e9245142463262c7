//! What is done with a document as a whole: it is made, moved to the trash and back, deleted.

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tracing::{info, warn};

use super::{DocumentActor, Phase};
use crate::{
    document::{
        effect::Outcome,
        error::{JoinError, OpenError},
        messages::{Details, Govern, Order},
        replica::Replica,
        turns,
    },
    ids::Moment,
    protocol::close::CloseReason,
    store::{Head, Standing, StoreError},
};

impl Handler<Govern> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Govern { order, answer }: Govern, ctx: &mut Context<Self>) {
        self.flush(ctx);
        let (store, name, at) = (self.common.store.clone(), self.name.clone(), Moment::now().wall);
        let within = self.common.config.answer_within;
        let before =
            match self.serving().map_err(JoinError::from).and_then(|serving| serving.order(order, at)) {
                Ok(before) => before,
                Err(error) => {
                    let _ = answer.send(Err(error));
                    return;
                }
            };
        // Whoever is inside goes first, so that nothing is written behind the move.
        if order.ends_it() {
            self.hearers.close_all(CloseReason::Gone);
        }
        let mut done = Box::pin(async move {
            match order {
                Order::Create => store.create(name, at).await,
                Order::Trash => {
                    store.set_standing(name, Standing::Trashed(at)).await.map(|head| (head, false))
                }
                Order::Restore => store.set_standing(name, Standing::Live).await.map(|head| (head, false)),
                Order::Delete => {
                    store.set_standing(name, Standing::Deleted(at)).await.map(|head| (head, false))
                }
            }
        });
        let done = async move {
            match tokio::time::timeout(within, &mut done).await {
                Ok(done) => Ok(done),
                Err(_) => Err(done),
            }
        };
        // The mailbox waits, so that nobody joins between the decision and its record; but not for ever.
        ctx.wait(done.into_actor(self).map(move |done, actor, ctx| {
            let late = match done {
                Ok(done) => {
                    let answered = actor.governed(order, before, done, ctx);
                    let _ = answer.send(answered);
                    return;
                }
                Err(late) => late,
            };
            warn!(document = %actor.name, ?order, "the store does not answer; whoever asked is told so");
            if let Ok(serving) = actor.serving() {
                serving.goes_on_without(order, before);
            }
            let _ = answer.send(Err(StoreError::Unanswered(within).into()));
            turns::spawn(
                ctx,
                late.into_actor(actor).map(move |done, actor, ctx| {
                    if let Ok(serving) = actor.serving() {
                        serving.was_answered();
                    }
                    // Who asked has been answered; the next one who asks is told how it is.
                    let _ = actor.governed(order, before, done, ctx);
                }),
            );
        }));
    }
}

impl DocumentActor {
    /// The store has carried out an order, or not.
    fn governed(
        &mut self,
        order: Order,
        before: Standing,
        done: Result<(Head, bool), StoreError>,
        ctx: &mut Context<Self>,
    ) -> Result<(Details, bool), JoinError> {
        let answered = done.map_err(JoinError::from).and_then(|(head, made)| {
            self.take_note(order, &head)?;
            Ok((self.details()?, made))
        });
        if answered.is_err()
            && let Ok(serving) = self.serving()
        {
            serving.stays(before);
        }
        info!(document = %self.name, ?order, ok = answered.is_ok(), "document governed");
        self.report_memory();
        self.write(ctx);
        if order == Order::Restore
            && let Ok(serving) = self.serving()
            && serving.is_live()
        {
            // What lay in the trash was not written while it was loaded.
            if serving.state.is_large() {
                let look = |replica: &mut Replica| {
                    replica.take_over_ahead();
                    Ok(())
                };
                self.read_apart(ctx, look, Self::take_over);
            } else {
                self.take_over(ctx);
            }
        }
        answered
    }

    /// Takes over a text of earlier versions, which nobody has written into just now.
    fn take_over(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let mut effects = serving.take_over(Moment::now());
        self.carry_out(&mut effects, ctx);
    }

    fn take_note(&mut self, order: Order, head: &Head) -> Result<(), OpenError> {
        if order == Order::Delete {
            for request in self.requests.sessions() {
                self.answer_request(request, Ok(Outcome::Refused));
            }
        }
        if head.standing != Standing::Live {
            self.lease.gone();
        }
        if let Some(old) = self.serving()?.carried_out(order, head) {
            self.free(old);
        }
        Ok(())
    }
}
