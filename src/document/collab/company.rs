//! What those who edit by operations are told of each other: who came, moved and went.
//!
//! Among few it is told at once, one message about each. To tell everybody about everybody is quadratic, so beyond a
//! pace ([`pace`](super::super::pace)) it is gathered, and one text for all of them says what waited. In a crowd, more
//! than a session is told of when it comes ([`Config::editors`](super::Config::editors)), those who show nothing of
//! themselves are only counted: nobody reads a list of thousands of names, and three thousand who come at once would
//! have to be told nine million of them. Whoever shows a name or a caret is told of, in any crowd.

use std::{sync::Arc, time::Instant};

use super::{Collab, Effect, Effects, Member, TextFrame};
use crate::{
    ids::SessionId,
    protocol::json::{self, Crowd, Editor, FieldName, Listed, ServerMessage, Whose},
};

/// What there is to say of somebody.
#[derive(Debug)]
pub(super) enum Seen {
    /// It is here; how it shows itself is looked up when it is told.
    Here,
    /// It has left this text, or all of them.
    Gone(Editor, Option<FieldName>),
}

impl Collab {
    /// A session has opened a text.
    pub(super) fn came(&mut self, session: SessionId, now: Instant) -> Option<Effect> {
        if !self.is_crowd() {
            return self.announce(session, now);
        }
        let field = self.fields.get_mut(&self.members.get(&session)?.field)?;
        field.count(now);
        None
    }

    /// A session has left its text.
    pub(super) fn went(&mut self, session: SessionId, member: Member, now: Instant) -> Effects {
        let mut effects = Effects::new();
        if let Some(field) = self.fields.get_mut(&member.field) {
            field.unlist(session);
            if self.members.len() >= self.config.editors {
                field.count(now);
            }
        }
        if member.known {
            let gone = Seen::Gone(member.editor, Some(member.field));
            effects.extend(self.tell(Whose::Session(session), gone, now));
        }
        if self.members.len() == self.config.editors {
            // A crowd no longer: those who were only counted are told of.
            let counted = self.members.iter().filter(|(_, member)| !member.known);
            let counted: Vec<_> = counted.map(|(session, _)| *session).collect();
            effects.extend(counted.into_iter().filter_map(|session| self.announce(session, now)));
        }
        effects
    }

    /// Tells the others that a session is here, and where.
    pub(super) fn announce(&mut self, session: SessionId, now: Instant) -> Option<Effect> {
        let member = self.members.get_mut(&session)?;
        member.known = true;
        if let Some(field) = self.fields.get_mut(&member.field) {
            field.unlist(session);
        }
        self.tell(Whose::Session(session), Seen::Here, now)
    }

    /// Tells those whom it concerns, now or as soon as there is room for it.
    pub(super) fn tell(&mut self, whose: Whose, seen: Seen, now: Instant) -> Option<Effect> {
        let seen = self.untold.admit(whose, seen, self.members.len(), now)?;
        self.say(whose, &seen)
    }

    /// Whether something about those who are here has not been told yet.
    pub fn has_untold_presence(&self) -> bool {
        self.untold.is_waiting() || self.fields.values().any(|field| field.counted.is_some())
    }

    /// Tells what there was no room for before, as much as there is room for now: to all who have a text open in one
    /// message, which is encoded once.
    pub fn tell_untold_presence(&mut self, now: Instant) -> Effects {
        let news = self.untold.some(self.members.len(), now);
        let latest = self.config.count;
        let is_late = |since: Instant| now.saturating_duration_since(since) >= latest;
        let mut told = Vec::new();
        for (name, field) in &mut self.fields {
            let (mut here, mut gone) = (Vec::new(), Vec::new());
            for (whose, seen) in &news {
                match (seen, whose) {
                    (Seen::Gone(_, of), _) if of.as_ref().is_none_or(|of| of == name) => gone.push(*whose),
                    (Seen::Here, Whose::Session(session)) if field.inside.contains(session) => {
                        here.extend(self.members.get(session).map(|member| &member.editor));
                    }
                    (Seen::Here, Whose::Client(client)) => here.extend(self.people.get(client)),
                    _ => {}
                }
            }
            if here.is_empty() && gone.is_empty() {
                if !field.counted.is_some_and(is_late) {
                    continue;
                }
                self.untold.charge(field.inside.len(), now);
            }
            field.counted = None;
            let greeted =
                |session: &&SessionId| self.members.get(session).is_some_and(|it| it.greeted.is_some());
            let to: Vec<_> = field.inside.iter().filter(greeted).copied().collect();
            if !to.is_empty() {
                let inside = field.inside.len() + self.people.len();
                let line = json::encode(&ServerMessage::Crowd(Crowd { here, gone, inside }));
                told.push(Effect::Tell { to, said: TextFrame::Change(line) });
            }
        }
        told
    }

    /// Of whom a session is told when it comes: those who came first, and then Yjs clients. What every newcomer to a
    /// crowd is told is the same, and kept.
    pub(super) fn others(&mut self, name: &FieldName, session: SessionId) -> Arc<Listed> {
        let most = self.config.editors;
        let Some(field) = self.fields.get_mut(name) else { return Listed::default().into() };
        if let Some(listed) = field.listed.as_ref().filter(|listed| !listed.reaches(session)) {
            return listed.clone();
        }
        let others: Vec<_> =
            field.inside.iter().filter(|other| **other != session).take(most).copied().collect();
        for other in &others {
            // Those who hear of it now must hear when it goes.
            if let Some(member) = self.members.get_mut(other) {
                member.known = true;
            }
        }
        let mut editors: Vec<&Editor> =
            others.iter().filter_map(|other| self.members.get(other).map(|member| &member.editor)).collect();
        let is_full = editors.len() == most;
        editors.extend(self.people.values().take(most - editors.len()));
        let listed = Arc::new(Listed::new(&editors));
        if is_full && !listed.reaches(session) {
            field.listed = Some(listed.clone());
        }
        listed
    }

    /// What there is to say of somebody, to all whom it concerns and who know the text.
    fn say(&self, whose: Whose, seen: &Seen) -> Option<Effect> {
        let (editor, field) = match (seen, whose) {
            (Seen::Gone(editor, field), _) => (editor, field.as_ref()),
            (Seen::Here, Whose::Session(session)) => {
                let member = self.members.get(&session)?;
                (&member.editor, Some(&member.field))
            }
            (Seen::Here, Whose::Client(client)) => (self.people.get(&client)?, None),
        };
        let others = self.members.iter().filter(|(session, member)| {
            whose != Whose::Session(**session)
                && member.greeted.is_some()
                && field.is_none_or(|field| member.field == *field)
        });
        let to: Vec<_> = others.map(|(session, _)| *session).collect();
        if to.is_empty() {
            return None;
        }
        let line = json::encode(&ServerMessage::Presence { editor, present: matches!(seen, Seen::Here) });
        Some(Effect::Tell { to, said: TextFrame::Change(line) })
    }

    /// Whether there are more than are told of one by one.
    fn is_crowd(&self) -> bool {
        self.members.len() > self.config.editors
    }
}

impl super::Field {
    /// Somebody came or went of whom nobody is told.
    fn count(&mut self, now: Instant) {
        self.counted.get_or_insert(now);
    }

    /// What newcomers are told of this session is not so any more.
    fn unlist(&mut self, session: SessionId) {
        self.listed.take_if(|listed| listed.reaches(session));
    }
}
