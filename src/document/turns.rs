//! What an actor does of itself, in its turn: nothing of it while the actor waits for something else.
//!
//! `ctx.wait` promises that nothing happens in an actor until what it waits for is there. Called by a message it does not
//! hold: actix 0.13.5 polls the first of the spawned futures once more before it looks at what is to be waited for
//! (`ContextFut::poll`, where the mailbox was polled and `merge` not called yet). A write that was answered in this
//! moment once made a checkpoint of a document whose replica was lent, which was empty. So everything that is spawned is
//! spawned here, and looks first.

use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use actix::{Actor, ActorFuture, ActorFutureExt, AsyncContext, Context};

/// Does `work` beside everything else, and what follows of it when the actor waits for nothing.
#[expect(clippy::disallowed_methods, reason = "this is where it is allowed")]
pub fn spawn<A: Actor<Context = Context<A>>>(
    context: &mut Context<A>,
    work: impl ActorFuture<A, Output = ()> + 'static,
) {
    context.spawn(InTurn(Box::pin(work)));
}

/// Does something after a while.
pub fn later<A: Actor<Context = Context<A>>>(
    context: &mut Context<A>,
    pause: Duration,
    work: impl FnOnce(&mut A, &mut Context<A>) + 'static,
) {
    let pause = actix::fut::wrap_future::<_, A>(tokio::time::sleep(pause));
    spawn(context, pause.map(move |(), actor, context| work(actor, context)));
}

/// Does something as soon as the messages that have arrived are read.
pub fn soon<A: Actor<Context = Context<A>>>(
    context: &mut Context<A>,
    work: impl FnOnce(&mut A, &mut Context<A>) + 'static,
) {
    let ready = actix::fut::wrap_future::<_, A>(std::future::ready(()));
    spawn(context, ready.map(move |(), actor, context| work(actor, context)));
}

struct InTurn<F>(Pin<Box<F>>);

impl<A: Actor<Context = Context<A>>, F: ActorFuture<A>> ActorFuture<A> for InTurn<F> {
    type Output = F::Output;

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        context: &mut Context<A>,
        task: &mut TaskContext<'_>,
    ) -> Poll<F::Output> {
        if context.waiting() {
            // It is polled again when the actor has waited: nobody has to be woken.
            return Poll::Pending;
        }
        self.0.as_mut().poll(actor, context, task)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use actix::{Handler, Message, WrapFuture};
    use tokio::sync::oneshot;

    use super::*;

    type Seen = Arc<Mutex<Vec<&'static str>>>;

    #[derive(Default)]
    struct Waiter(Seen);

    impl Waiter {
        fn sees(&self, what: &'static str) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        }
    }

    impl Actor for Waiter {
        type Context = Context<Self>;
    }

    /// Spawn something that is done when `answer` comes.
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Spawn(oneshot::Receiver<()>);

    impl Handler<Spawn> for Waiter {
        type Result = ();
        fn handle(&mut self, Spawn(answer): Spawn, context: &mut Context<Self>) {
            let answered = answer.into_actor(self);
            spawn(context, answered.map(|_, actor, _| actor.sees("answered")));
            later(context, Duration::ZERO, |actor, _| actor.sees("later"));
        }
    }

    /// Wait until `end` comes; everything else is ready when this is read.
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Wait {
        answer: oneshot::Sender<()>,
        end: oneshot::Receiver<()>,
    }

    impl Handler<Wait> for Waiter {
        type Result = ();
        fn handle(&mut self, Wait { answer, end }: Wait, context: &mut Context<Self>) {
            soon(context, |actor, _| actor.sees("soon"));
            answer.send(()).unwrap();
            self.sees("waits");
            context.wait(end.into_actor(self).map(|_, actor, _| actor.sees("waited")));
        }
    }

    #[actix_web::test]
    async fn nothing_happens_while_the_actor_waits_and_everything_afterwards() {
        let seen = Seen::default();
        let waiter = Waiter(seen.clone()).start();
        let (answer, answered) = oneshot::channel();
        waiter.send(Spawn(answered)).await.unwrap();
        let (end, ended) = oneshot::channel();
        waiter.send(Wait { answer, end: ended }).await.unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let now = || seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let at = now().iter().position(|&what| what == "waits").unwrap();
        assert_eq!(now()[at..], ["waits"]);
        end.send(()).unwrap();
        while now().len() < 5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(now()[at..at + 2], ["waits", "waited"]);
        let mut all = now();
        all.sort_unstable();
        assert_eq!(all, ["answered", "later", "soon", "waited", "waits"]);
    }
}
