//! Loading a document, and loading it again when its replica has panicked.

use std::{collections::VecDeque, sync::Arc};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use bytes::Bytes;
use tracing::{debug, error, warn};

use super::{DocumentActor, Phase};
use crate::{
    document::{
        deleted::Deleted,
        effect::{Effect, Outcome, Suspect},
        error::OpenError,
        replica::{Applied, Replica, Unloadable},
        serving::Serving,
        turns,
        work::Work,
    },
    ids::{DocumentName, Moment},
    protocol::close::CloseReason,
    store::{Standing, StoreError, Stored},
};

impl DocumentActor {
    /// Loads the document while the mailbox waits. `suspects` are then tried one by one.
    pub(super) fn load(&mut self, suspects: Vec<Suspect>, ctx: &mut Context<Self>) {
        let name = self.name.clone();
        let loading = self.common.store.load(name.clone());
        // What was applied but is not durable is in the journal alone; it outlives a reload.
        let unsaved = match &self.phase {
            Phase::Serving(serving) => serving.unsaved(),
            _ => Vec::new(),
        };
        let (deleted, work) = (self.common.config.keep_deleted.of(&self.name), self.common.work.clone());
        self.lease.set_waits(true);
        let lease = self.lease.clone();
        let loaded = async move {
            let stored = loading.await;
            lease.set_waits(false);
            let stored = stored.map_err(OpenError::Store)?;
            let replayed = replay(name, stored.as_ref(), unsaved, deleted, &work).await?;
            Ok((stored, replayed))
        };
        ctx.wait(loaded.into_actor(self).map(move |loaded, actor, ctx| match loaded {
            Ok((stored, replayed)) => actor.serve(replayed, stored, suspects, ctx),
            Err(error) => actor.refuse(error, ctx),
        }));
    }

    fn serve(
        &mut self,
        (replica, taken): (Replica, Option<Applied>),
        stored: Option<Stored>,
        suspects: Vec<Suspect>,
        ctx: &mut Context<Self>,
    ) {
        if let Phase::Serving(serving) = &mut self.phase {
            let mut effects = serving.state.replace_replica(replica, Moment::now());
            self.carry_out(&mut effects, ctx);
            // Before a suspect has it loaded once more, from what is kept: it would be taken over twice.
            self.keep_taken(taken, ctx);
            self.try_suspects(suspects.into(), ctx);
            // What came meanwhile waited for it.
            if matches!(&self.phase, Phase::Serving(serving) if serving.state.waits_long()) {
                self.apply_apart(None, ctx);
            } else {
                self.schedule_flush(ctx);
            }
            return;
        }
        let now = Moment::now();
        let serving = Serving::new(replica, stored.as_ref(), self.common.config.clone(), now);
        debug!(document = %self.name, "document opened");
        self.phase = Phase::Serving(Box::new(serving));
        self.report_memory();
        self.idle_since = Some(now.instant);
        self.schedule_tick(ctx);
        self.keep_taken(taken, ctx);
    }

    /// A text of earlier versions has become one of today's. That is no change anybody made, so lists go on to say when
    /// the last one was.
    fn keep_taken(&mut self, taken: Option<Applied>, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let Some(taken) = taken else { return };
        debug!(document = %self.name, "text of an earlier version taken over");
        let mut effects = serving.taken_over(taken, Moment::now());
        self.carry_out(&mut effects, ctx);
    }

    /// The document cannot be opened. Whoever asks is told; nothing is written.
    fn refuse(&mut self, error: OpenError, ctx: &mut Context<Self>) {
        error!(document = %self.name, %error, "document cannot be opened");
        self.hearers.close_all(CloseReason::Internal);
        self.requests.clear();
        self.phase = Phase::Refused(error);
        self.idle_since = Some(Moment::now().instant);
        self.schedule_tick(ctx);
    }

    /// The replica panicked: load the document again, then try the suspects one at a time.
    pub(super) fn reload(&mut self, what: &str, suspects: Vec<Suspect>, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        self.common.metrics.documents_poisoned.inc();
        error!(document = %self.name, what, suspects = suspects.len(), "document panicked, loading it again");
        match serving.panicked(what, !suspects.is_empty()) {
            Some(hopeless) => self.refuse(hopeless, ctx),
            None => self.load(suspects, ctx),
        }
    }

    /// Applies each suspect alone. The one that panics alone is the culprit: it is quarantined and its
    /// session closed, and the rest go on from a fresh replica.
    fn try_suspects(&mut self, mut suspects: VecDeque<Suspect>, ctx: &mut Context<Self>) {
        while let Some(suspect) = suspects.pop_front() {
            let Phase::Serving(serving) = &mut self.phase else { return };
            let mut effects = serving.state.retry(suspect.clone(), Moment::now());
            if let [Effect::Poisoned { what, .. }] = effects.as_slice() {
                let what = what.clone();
                warn!(document = %self.name, session = %suspect.session, what, "update quarantined");
                self.quarantine(&suspect, what.clone(), ctx);
                self.acknowledge(suspect.session, suspect.update.bytes().clone(), Outcome::Rejected("panic"));
                return self.reload(&what, suspects.into(), ctx);
            }
            if let Some(Effect::Poisoned { suspects: more, .. }) = effects.last_mut() {
                // It broke behind the update, which is applied. The others are not to blame for that.
                more.splice(0..0, suspects.drain(..));
            }
            self.carry_out(&mut effects, ctx);
        }
    }

    fn quarantine(&self, suspect: &Suspect, what: String, ctx: &mut Context<Self>) {
        let bytes = suspect.update.bytes().clone();
        let Phase::Serving(serving) = &self.phase else { return };
        let kept =
            self.common.store.quarantine(self.name.clone(), serving.life(), what, bytes, Moment::now().wall);
        let report = |kept: Result<(), StoreError>, actor: &mut Self, _: &mut Context<Self>| {
            if let Err(error) = kept {
                error!(document = %actor.name, %error, "failed to quarantine an update");
            }
        };
        turns::spawn(ctx, kept.into_actor(self).map(report));
    }
}

/// Builds the replica of what was stored and what is not stored yet. A text of earlier versions is taken over, and what
/// that took is to be kept.
async fn replay(
    name: DocumentName,
    stored: Option<&Stored>,
    unsaved: Vec<Bytes>,
    deleted: Deleted,
    work: &Work,
) -> Result<(Replica, Option<Applied>), OpenError> {
    /// Up to here decoding takes well under a millisecond and is done in place; above, it would hold up
    /// every connection of this thread.
    const IN_PLACE: usize = 32 * 1024;
    let checkpoint = stored.iter().filter_map(|stored| stored.checkpoint.clone());
    let tail = stored.iter().flat_map(|stored| stored.tail.iter().map(|update| update.bytes.clone()));
    let updates: Vec<Bytes> = checkpoint.chain(tail).chain(unsaved).collect();
    let is_live = stored.is_some_and(|stored| stored.head.standing == Standing::Live);
    let bytes = updates.iter().map(Bytes::len).sum::<usize>();
    let build = move || {
        let mut replica = Replica::load(&updates, deleted)?;
        // What lies in the trash is not written.
        match if is_live { replica.take_over(usize::MAX) } else { Ok(None) } {
            Ok(taken) => Ok((replica, taken)),
            Err(poisoned) => {
                error!(document = %name, %poisoned, "text of an earlier version stays what it is");
                let mut replica = Replica::load(&updates, deleted)?;
                replica.leave_tree();
                Ok((replica, None))
            }
        }
    };
    let built =
        if bytes <= IN_PLACE { build() } else { work.run(build).await.map_err(|_| OpenError::Closed)? };
    built.map_err(|unloadable: Unloadable| OpenError::Unloadable(Arc::new(unloadable)))
}
