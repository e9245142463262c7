//! What a document does in cases that no story tells.

use std::collections::BTreeMap;

use uuid::Uuid;
use yrs::{
    Map as _, ReadTxn as _, Text, WriteTxn, XmlElementPrelim, XmlFragment as _, XmlOut, XmlTextPrelim,
};

use super::*;
use crate::{
    document::{
        deleted::Deleted,
        replica::Replica,
        testing::{Writer, check},
    },
    ids::Timestamp,
    protocol::message::ClientId,
};

#[test]
fn whoever_comes_back_with_nothing_new_costs_nothing_however_much_was_deleted() {
    let ann = Writer::new(1);
    ann.insert(0, &"words ".repeat(1000));
    for at in 0..3000 {
        ann.remove(at, 1);
    }
    let all = ann.state();
    let replica = Replica::load([&all], Deleted::Collected).unwrap();
    let mut state = DocumentState::new(replica, presence::Config::default());
    let now = Moment { instant: Instant::now(), wall: Timestamp(0) };
    let bob = SessionId::new();
    state.join(bob, Access::Write, None, Dialect::Hocuspocus);
    let mut effects = Effects::new();
    state.receive(bob, Message::SyncStep2(check(all.clone())), now, &mut effects);
    assert!(!state.has_waiting());
    assert!(matches!(&effects[..], [Effect::Acknowledge { outcome: Outcome::Applied, .. }]), "{effects:?}");
    // Behind something of theirs that waits, it waits too, and what is new is applied.
    let ann_goes_on = ann.insert(0, "and on");
    state.receive(bob, Message::Update(check(ann_goes_on)), now, &mut effects);
    state.receive(bob, Message::SyncStep2(check(all)), now, &mut effects);
    assert_eq!((state.waiting().0, effects.len(), state.waits_long()), (2, 1, true));
}

/// A page of an earlier version, with a tree that says `words`.
fn old_page(words: &str) -> Writer {
    let page = Writer::new(7);
    page.edit(|_, txn| {
        txn.get_or_insert_map("meta").insert(txn, "titleTaken", "Minutes");
        let tree = txn.get_or_insert_xml_fragment("default");
        tree.push_back(txn, XmlElementPrelim::empty("paragraph")).push_back(txn, XmlTextPrelim::new(words));
    });
    page
}

fn types_into_tree(page: &Writer, words: &str) -> Update {
    check(page.edit(|_, txn| {
        let tree = txn.get_or_insert_xml_fragment("default");
        let Some(XmlOut::Element(block)) = tree.get(txn, 0) else { panic!("no block") };
        let Some(XmlOut::Text(text)) = block.get(txn, 0) else { panic!("no words") };
        text.push(txn, words);
    }))
}

fn taken_over(page: &Writer) -> DocumentState {
    let mut replica = Replica::load([&page.state()], Deleted::Collected).unwrap();
    replica.take_over(usize::MAX).unwrap();
    DocumentState::new(replica, presence::Config::default())
}

fn body_of(state: &mut DocumentState) -> String {
    let body = crate::protocol::json::FieldName::parse("body").unwrap();
    state.replica().root_text(&body).unwrap().text.characters
}

const MOMENT: fn() -> Moment = || Moment { instant: Instant::now(), wall: Timestamp(0) };

/// What a look at the tree found holds until something changes.
#[test]
fn a_look_that_found_nothing_swallows_no_change() {
    let page = old_page("one");
    let mut state = taken_over(&page);
    let ann = SessionId::new();
    state.join(ann, Access::Write, None, Dialect::Hocuspocus);
    let mut effects = Effects::new();
    state.receive(ann, Message::Update(check(page.state())), MOMENT(), &mut effects);
    let (mut replica, batch) = state.lend().unwrap();
    let applied = replica.apply_dear(&batch[0].update).unwrap();
    assert!(!applied.has_changed());
    replica.take_over_ahead();
    state.take_back(replica, batch, vec![applied], None, MOMENT());
    state.receive(ann, Message::Update(types_into_tree(&page, " two")), MOMENT(), &mut effects);
    state.flush(MOMENT());
    assert_eq!(body_of(&mut state).trim(), "one two");
}

/// To look at a large tree takes long, and every change may have written there.
#[test]
fn what_a_large_text_of_an_earlier_version_hears_is_applied_apart() {
    let page = old_page("one");
    for (bytes, is_large) in [(1 << 10, false), (1 << 21, true)] {
        let mut state = taken_over(&page);
        state.set_size(usize::MAX, bytes);
        let ann = SessionId::new();
        state.join(ann, Access::Write, None, Dialect::Hocuspocus);
        assert!(!state.waits_long());
        let update = types_into_tree(&page, "!");
        state.receive(ann, Message::Update(update), MOMENT(), &mut Effects::new());
        assert_eq!(state.waits_long(), is_large);
        // What it takes to say something is more than what is said.
        state.found_size(1 << 10);
        assert!(!state.waits_long());
    }
    // Others have no tree.
    let mut state = DocumentState::new(Replica::default(), presence::Config::default());
    state.set_size(usize::MAX, 1 << 21);
    let ann = SessionId::new();
    state.join(ann, Access::Write, None, Dialect::Hocuspocus);
    let update = check(Writer::new(9).insert(0, "x"));
    state.receive(ann, Message::Update(update), MOMENT(), &mut Effects::new());
    assert!(state.has_waiting() && !state.waits_long());
}

/// What an old page writes that cannot be carried is not tried again with every key.
#[cfg(feature = "test-hooks")]
#[test]
fn a_tree_that_takes_the_reader_down_does_so_once() {
    use crate::document::replica::PANIC_TREE_ROOT;
    let page = old_page("one");
    let mut state = taken_over(&page);
    let ann = SessionId::new();
    state.join(ann, Access::Write, None, Dialect::Hocuspocus);
    let root = page.edit(|_, txn| txn.get_or_insert_text(PANIC_TREE_ROOT).push(txn, "x"));
    let mut effects = Effects::new();
    for update in [check(root), types_into_tree(&page, "!")] {
        state.receive(ann, Message::Update(update), MOMENT(), &mut effects);
    }
    assert!(matches!(state.flush(MOMENT()).last(), Some(Effect::Poisoned { .. })));
    state.replace_replica(Replica::load([&page.state()], Deleted::Collected).unwrap(), MOMENT());
    state.receive(ann, Message::Update(types_into_tree(&page, "?")), MOMENT(), &mut effects);
    state.flush(MOMENT());
    assert!(!state.is_poisoned());
}

#[cfg(feature = "test-hooks")]
#[test]
fn what_panics_when_it_is_tidied_is_tidied_once() {
    use crate::document::replica::PANIC_TIDY_ROOT;
    let page = Writer::new(7);
    page.edit(|_, txn| txn.get_or_insert_text(PANIC_TIDY_ROOT).push(txn, "x"));
    let load = || Replica::load([&page.state()], Deleted::Collected).unwrap();
    let mut state = DocumentState::new(load(), presence::Config::default());
    assert!(matches!(&state.tidy(MOMENT())[..], [Effect::Poisoned { .. }]));
    state.replace_replica(load(), MOMENT());
    assert!(state.tidy(MOMENT()).is_empty() && !state.is_poisoned());
}

/// Everybody is heard by everybody, and yet a crowd that moves does not cause as many deliveries as it has pairs.
#[test]
fn presence_of_a_crowd_is_gathered_and_everybody_is_told_the_latest() {
    const CROWD: u64 = 400;
    let start = Instant::now();
    let at = |ms: u64| Moment { instant: start + Duration::from_millis(ms), wall: Timestamp(ms) };
    let mut state = DocumentState::new(Replica::default(), presence::Config::default());
    for n in 0..CROWD {
        state.join(
            SessionId(Uuid::from_u128(n.into())),
            Access::Write,
            None,
            Dialect::YWebSocket { echo: false },
        );
    }
    let mut told: BTreeMap<ClientId, String> = BTreeMap::new();
    let mut messages = 0;
    let mut hear = |effects: Effects| {
        for effect in effects {
            let Effect::BroadcastAwareness { awareness, .. } = effect else { continue };
            messages += 1;
            let limits = crate::protocol::guard::Limits::default();
            for entry in AwarenessUpdate::decode(&awareness, &limits).unwrap().entries {
                told.insert(entry.client, entry.state.as_deref().unwrap_or("gone").to_owned());
            }
        }
    };
    for round in 1..=3 {
        for n in 0..CROWD {
            let state_of = format!(r#"{{"round":{round}}}"#);
            let entry =
                AwarenessEntry { client: ClientId::new(n + 1), clock: round, state: Some(state_of.into()) };
            let mut effects = Effects::new();
            let session = SessionId(Uuid::from_u128(n.into()));
            state.receive(session, Message::Awareness(vec![entry].into()), at(0), &mut effects);
            hear(effects);
        }
    }
    assert!(state.has_untold_presence());
    assert_eq!(state.tell_untold_presence(at(0)).len(), 0, "there is no room for it yet");
    hear(state.tell_untold_presence(at(1000)));
    assert!(!state.has_untold_presence());
    assert!(messages < 200, "{messages} messages to {CROWD} each");
    assert_eq!(told.len() as u64, CROWD);
    assert!(told.values().all(|state| state == r#"{"round":3}"#), "{told:?}");
}

/// Who comes to a crowd, or asks who is in it, is told with all others who do: it is encoded once, and every queue
/// holds the same bytes.
#[test]
fn who_is_in_a_crowd_is_encoded_once_for_all_who_come_within_a_moment() {
    const CROWD: u64 = 300;
    let start = Instant::now();
    let at = |ms: u64| Moment { instant: start + Duration::from_millis(ms), wall: Timestamp(ms) };
    let session = |n: u64| SessionId(Uuid::from_u128(n.into()));
    let dialect = Dialect::YWebSocket { echo: false };
    let mut state = DocumentState::new(Replica::default(), presence::Config::default());
    for n in 0..CROWD {
        state.join(session(n), Access::Write, None, dialect);
        let entry = AwarenessEntry { client: ClientId::new(n + 1), clock: 1, state: Some("{}".into()) };
        state.receive(session(n), Message::Awareness(vec![entry].into()), at(0), &mut Effects::new());
    }
    while state.has_untold_presence() {
        state.tell_untold_presence(at(10_000));
    }
    let mut effects = Effects::new();
    for n in CROWD..2 * CROWD {
        effects.extend(state.join(session(n), Access::Write, None, dialect));
        state.receive(session(n), Message::QueryAwareness, at(10_000), &mut effects);
    }
    state.receive(session(0), Message::QueryAwareness, at(10_000), &mut effects);
    drop(state.leave(session(CROWD), false, at(10_000)));
    let is_presence = |effect: &&Effect| {
        matches!(
            effect,
            Effect::Send { message: SyncMessage::Awareness(_), .. } | Effect::ShowPresence { .. }
        )
    };
    assert_eq!(effects.iter().filter(is_presence).count(), 0, "each is told by itself");
    assert!(state.has_untold_presence());
    let told = state.tell_untold_presence(at(10_050));
    let [Effect::ShowPresence { to, awareness }] = told.as_slice() else { panic!("{told:?}") };
    let hearers: Vec<_> = std::iter::once(0).chain(CROWD + 1..2 * CROWD).map(session).collect();
    assert_eq!(*to, hearers);
    let limits = crate::protocol::guard::Limits { awareness_clients: 1000, ..Default::default() };
    assert_eq!(AwarenessUpdate::decode(awareness, &limits).unwrap().entries.len() as u64, CROWD);
    assert!(!state.has_untold_presence());
}

/// One who edits by operations answers for what they cost like everybody: here each walks a text of many blocks.
#[test]
fn operations_are_paid_for_and_refused_in_words_where_nothing_is_left() {
    let yan = Writer::new(1);
    let update = yan.edit(|_, txn| {
        let text = txn.get_text("text").unwrap();
        (0..50_000).for_each(|_| text.insert(txn, 0, "x"));
    });
    let replica = Replica::load([&update], Deleted::Collected).unwrap();
    let mut state = DocumentState::new(replica, presence::Config::default());
    let start = Instant::now();
    let at = |s: u64| Moment { instant: start + Duration::from_secs(s), wall: Timestamp(0) };
    let ann = SessionId::new();
    let editor = EditorName::parse("ann").unwrap();
    state.join_text(ann, Access::Write, (editor, None), FieldName::parse("text").unwrap(), at(0));
    let propose = |state: &mut DocumentState, revision: usize, now: Moment| {
        let (id, length) = (format!("a{revision}"), 50_000 + revision);
        let text = format!(
            r#"{{"type":"operation","payload":{{"id":"{id}","revision":{revision},"operation":[{length},"y"]}}}}"#
        );
        let effects = state.receive_text(ann, json::decode(&text, &json::EditLimits::default()), now);
        let said = effects.iter().filter_map(|effect| match effect {
            Effect::Tell { said: TextFrame::Answer(text), .. } => {
                Some(String::from_utf8_lossy(text).into_owned())
            }
            _ => None,
        });
        let stored = effects.iter().any(|effect| matches!(effect, Effect::Store(_)));
        (stored, said.collect::<String>())
    };
    assert_eq!(propose(&mut state, 0, at(0)), (true, String::new()));
    assert!(state.members[&ann].purse.has_paid(), "a walk over 50,000 blocks is worth more than a letter");
    state.charge(ann, Duration::from_secs(10).mul_f64(crate::document::replica::speed::slowness()), at(0));
    let (stored, said) = propose(&mut state, 1, at(1));
    assert!(!stored && said.contains(r#""code":"rate_limited""#) && said.contains(r#""id":"a1""#), "{said}");
    assert_eq!(propose(&mut state, 1, at(300)), (true, String::new()), "sent again a little later");
}
