//! Who is here: the awareness states of a document, and which session each belongs to.
//!
//! Awareness travels as `(client id, clock, JSON)`. The protocol lets any client speak for any other; we do
//! not. A client id belongs to the session that introduced it, for as long as that session lives:
//!
//! - Entries of a session for an id that another *live* session owns are not applied. (The stock
//!   y-websocket client repeats everybody's presence to the server, so this is ordinary and no offence.)
//! - A browser that lost its network comes back under the same id while its old socket still looks alive.
//!   The latest such entry is kept as a *contender*, and the owner is asked to prove that it lives: if it
//!   is gone, the contender takes over at once.
//! - After an abnormal drop the presence stays for a grace period, because a client that reconnects repeats
//!   its state at an unchanged clock, and everybody who had seen a removal would ignore it.
//! - Without renewal an entry expires, as it does in every JavaScript client.
//!
//! Pure: the time is given, and what should be sent is returned.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use super::rate::Rate;
use crate::{
    auth::Person,
    ids::SessionId,
    protocol::message::{AwarenessEntry, AwarenessUpdate, ClientId, Shown},
};

/// Puts down whose presence it is, as apps show it: in place of what is said there under `user`.
pub fn sign(update: &mut AwarenessUpdate, person: &Person) {
    for entry in &mut update.entries {
        let Some(state) = &entry.state else { continue };
        // Clients take more for JSON than can be read here (halves of characters, numbers without end); of that nothing is left
        // but whose it is.
        let mut shown = serde_json::from_str::<serde_json::Map<_, _>>(state).unwrap_or_default();
        let mut user = match shown.remove("user") {
            Some(serde_json::Value::Object(user)) => user,
            _ => serde_json::Map::new(),
        };
        user.insert("name".to_owned(), (*person.name).into());
        if let Some(color) = &person.color {
            user.insert("color".to_owned(), (**color).into());
        }
        shown.insert("user".to_owned(), user.into());
        entry.state = Some(serde_json::Value::from(shown).to_string().into());
    }
}

/// How long presence outlives its session, and how many entries a document holds.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Between an abnormal drop and the removal. Too short and a reconnecting client is invisible for up to
    /// 15 s; too long and ghosts linger.
    pub grace: Duration,
    /// Without renewal for this long an entry is removed (30 s in every known client, which renew at 15 s).
    pub expiry: Duration,
    /// Most entries one session may own; more are refused. A browser owns one.
    pub max_per_session: usize,
    /// Bytes of all that one session shows, which everybody else is sent. What goes beyond is not shown, and expires
    /// where it was. With too few, carets in rich editors are missing; with many, a crowd sends megabytes.
    pub max_bytes: usize,
    /// How often a session may say something of itself. A pointer moves 60 times a second; a session that goes on
    /// beyond this is closed (4529).
    pub rate: Rate,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(4),
            expiry: Duration::from_secs(30),
            max_per_session: 64,
            max_bytes: 64 << 10,
            rate: Rate { burst: 1000.0, per_second: 200.0 },
        }
    }
}

/// Most removals that are remembered for those who missed them. A client that misses one shows a ghost until
/// its own 30 s are over.
const REMEMBERED: usize = 256;

/// The presence of everybody in one document.
#[derive(Debug)]
pub struct Presence {
    config: Config,
    clients: HashMap<ClientId, Client>,
    /// The ids that each live session owns.
    owned: HashMap<SessionId, SmallVec<[ClientId; 1]>>,
    /// The ids that somebody else claims, and perhaps some that nobody claims any more.
    contested: HashSet<ClientId>,
    /// The latest removals, oldest first, for as long as somebody who missed one would show a ghost.
    gone: VecDeque<(Instant, AwarenessEntry)>,
}

#[derive(Debug)]
struct Client {
    clock: u32,
    state: Arc<str>,
    owner: Owner,
    renewed: Instant,
    /// The latest entry of another session for this id, applied if the owner turns out to be gone.
    contender: Option<(SessionId, AwarenessEntry)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Live(SessionId),
    /// The owner dropped; removed at this moment unless somebody claims it.
    Dropped(Instant),
}

/// What became of an awareness message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Entries that everybody should hear.
    pub changed: AwarenessUpdate,
    /// Owners whose claim was contested: they should be asked to prove that they live.
    pub probe: Vec<SessionId>,
    /// Entries refused because the session owns too many, or shows too much.
    pub refused: usize,
}

impl Presence {
    /// Nobody is here.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            clients: HashMap::new(),
            owned: HashMap::new(),
            contested: HashSet::new(),
            gone: VecDeque::new(),
        }
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Takes in what `session` says. `first` is set for the first presence message of a session: clients
    /// open with their own state and nobody else's, so that message claims an id even where it brings
    /// nothing new, while a later repetition (of what we sent them) claims nothing.
    pub fn apply(
        &mut self,
        session: SessionId,
        update: AwarenessUpdate,
        first: bool,
        now: Instant,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        for entry in update.entries {
            self.apply_entry(session, entry, first, now, &mut outcome);
        }
        self.remember(&outcome.changed, now);
        outcome
    }

    fn apply_entry(
        &mut self,
        session: SessionId,
        entry: AwarenessEntry,
        first: bool,
        now: Instant,
        outcome: &mut Outcome,
    ) {
        if self.is_too_much(session, &entry) {
            outcome.refused += 1;
            return;
        }
        let Some(client) = self.clients.get_mut(&entry.client) else {
            let Some(state) = entry.state.clone() else { return };
            if self.owned_by(session) >= self.config.max_per_session {
                outcome.refused += 1;
                return;
            }
            let owner = Owner::Live(session);
            let client = Client { clock: entry.clock, state, owner, renewed: now, contender: None };
            self.clients.insert(entry.client, client);
            self.owned.entry(session).or_default().push(entry.client);
            outcome.changed.entries.push(entry);
            return;
        };
        match client.owner {
            Owner::Live(owner) if owner != session => {
                let news = entry.clock > client.clock || (first && entry.clock == client.clock);
                if news && entry.state.is_some() {
                    self.contested.insert(entry.client);
                    client.contender = Some((session, entry));
                    outcome.probe.push(owner);
                }
            }
            Owner::Dropped(_) if entry.clock == client.clock && first && entry.state.is_some() => {
                // The client is back before the grace was over; nobody noticed, so nobody is told.
                client.owner = Owner::Live(session);
                client.renewed = now;
                self.owned.entry(session).or_default().push(entry.client);
            }
            owner @ (Owner::Live(_) | Owner::Dropped(_)) => match entry.state.clone() {
                Some(state) if entry.clock > client.clock => {
                    if owner != Owner::Live(session) {
                        self.owned.entry(session).or_default().push(entry.client);
                    }
                    client.owner = Owner::Live(session);
                    client.renewed = now;
                    client.contender = None;
                    client.clock = entry.clock;
                    client.state = state;
                    outcome.changed.entries.push(entry);
                }
                None if entry.clock >= client.clock => {
                    self.clients.remove(&entry.client);
                    disown(&mut self.owned, session, entry.client);
                    outcome.changed.entries.push(entry);
                }
                _ => {}
            },
        }
    }

    /// A session ended. After a clean end its presence goes at once; otherwise it stays for the grace.
    /// Either way a contender takes over. Returns what everybody should hear.
    pub fn leave(&mut self, session: SessionId, clean: bool, now: Instant) -> AwarenessUpdate {
        let mut changed = AwarenessUpdate::default();
        self.contested.retain(|id| {
            let Some(client) = self.clients.get_mut(id) else { return false };
            client.contender.take_if(|(contender, _)| *contender == session);
            client.contender.is_some()
        });
        for id in self.owned.remove(&session).unwrap_or_default() {
            let Some(client) = self.clients.get_mut(&id) else { continue };
            if let Some(heir) = client.hand_over(now, &mut changed) {
                self.owned.entry(heir).or_default().push(id);
            } else if clean {
                changed.entries.push(removal(id, client.clock));
                self.clients.remove(&id);
            } else {
                client.owner = Owner::Dropped(now + self.config.grace);
            }
        }
        self.remember(&changed, now);
        changed
    }

    /// Removes what has expired or outlived its grace, and returns what everybody should hear.
    pub fn tick(&mut self, now: Instant) -> AwarenessUpdate {
        let mut changed = AwarenessUpdate::default();
        let expiry = self.config.expiry;
        self.clients.retain(|&id, client| {
            let over = match client.owner {
                Owner::Dropped(until) => now >= until,
                Owner::Live(_) => now.saturating_duration_since(client.renewed) >= expiry,
            };
            // An owner that says nothing for so long is gone, even if the probe has not found out yet.
            if !over {
                return true;
            }
            if let Owner::Live(owner) = client.owner {
                disown(&mut self.owned, owner, id);
            }
            if let Some(heir) = client.hand_over(now, &mut changed) {
                self.owned.entry(heir).or_default().push(id);
                return true;
            }
            changed.entries.push(removal(id, client.clock));
            false
        });
        self.remember(&changed, now);
        while self.gone.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= expiry) {
            self.gone.pop_front();
        }
        changed
    }

    /// Everybody who is here, for somebody who asks or joins.
    pub fn all(&self) -> AwarenessUpdate {
        let entries: Vec<_> = self
            .clients
            .iter()
            .map(|(&client, known)| AwarenessEntry {
                client,
                clock: known.clock,
                state: Some(known.state.clone()),
            })
            .collect();
        entries.into()
    }

    /// What people show of themselves: the first `most` who show a name, each once, however many windows they have
    /// open. Only a few are looked at in a crowd.
    pub fn shown(&self, most: usize) -> Vec<Shown> {
        const LOOKED_AT: usize = 64;
        const LONGEST_NAME: usize = 128;
        let mut clients: Vec<_> = self.clients.iter().collect();
        clients.sort_unstable_by_key(|(client, _)| **client);
        let mut shown = Vec::new();
        for (_, client) in clients.into_iter().take(LOOKED_AT) {
            let person = Shown::of(&client.state, LONGEST_NAME);
            if shown.len() < most && !person.name.trim().is_empty() && !shown.contains(&person) {
                shown.push(person);
            }
        }
        shown
    }

    /// Everybody who is here, and who has just gone: for somebody who may have missed either.
    pub fn all_and_gone(&self) -> AwarenessUpdate {
        let mut all = self.all();
        let gone = self.gone.iter().map(|(_, entry)| entry);
        all.entries.extend(gone.filter(|entry| !self.clients.contains_key(&entry.client)).cloned());
        all
    }

    fn remember(&mut self, changed: &AwarenessUpdate, now: Instant) {
        for entry in changed.entries.iter().filter(|entry| entry.state.is_none()) {
            if self.gone.len() == REMEMBERED {
                self.gone.pop_front();
            }
            self.gone.push_back((now, entry.clone()));
        }
    }

    /// Whether the session would show more than one may, if this were taken.
    fn is_too_much(&self, session: SessionId, entry: &AwarenessEntry) -> bool {
        let Some(state) = &entry.state else { return false };
        // A repetition of what others show is not its own.
        let is_own = |client: &Client| matches!(client.owner, Owner::Live(owner) if owner == session);
        if self
            .clients
            .get(&entry.client)
            .is_some_and(|client| matches!(client.owner, Owner::Live(_)) && !is_own(client))
        {
            return false;
        }
        let others = self.owned.get(&session).into_iter().flatten().filter(|id| **id != entry.client);
        let shown = others.filter_map(|id| self.clients.get(id)).map(|client| client.state.len());
        shown.sum::<usize>() + state.len() > self.config.max_bytes
    }

    fn owned_by(&self, session: SessionId) -> usize {
        self.owned.get(&session).map_or(0, SmallVec::len)
    }
}

impl Client {
    /// The contender, if there is one, becomes the owner, and is returned. What it said meanwhile is added to `changed`.
    fn hand_over(&mut self, now: Instant, changed: &mut AwarenessUpdate) -> Option<SessionId> {
        let (contender, entry) = self.contender.take()?;
        self.owner = Owner::Live(contender);
        self.renewed = now;
        if entry.clock > self.clock {
            self.clock = entry.clock;
            if let Some(state) = entry.state.clone() {
                self.state = state;
            }
            changed.entries.push(entry);
        }
        Some(contender)
    }
}

fn disown(owned: &mut HashMap<SessionId, SmallVec<[ClientId; 1]>>, session: SessionId, id: ClientId) {
    if let Some(ids) = owned.get_mut(&session) {
        ids.retain(|own| *own != id);
        if ids.is_empty() {
            owned.remove(&session);
        }
    }
}

/// "Gone", at the last known clock, which every client accepts for a state that it holds.
fn removal(client: ClientId, clock: u32) -> AwarenessEntry {
    AwarenessEntry { client, clock, state: None }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use uuid::Uuid;

    use super::*;

    /// What is kept about who owns what is what the entries say, whatever happens.
    #[test]
    fn the_index_says_what_the_entries_say() {
        let seed = rand::random();
        eprintln!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut now = Instant::now();
        let config = Config { max_per_session: 3, ..Config::default() };
        let mut presence = Presence::new(config);
        for _ in 0..20_000 {
            let session = SessionId(Uuid::from_u128(random.random_range(0..8)));
            match random.random_range(0..10) {
                0 => drop(presence.leave(session, random.random(), now)),
                1 => {
                    now += Duration::from_secs(random.random_range(0..10));
                    presence.tick(now);
                }
                _ => {
                    let entry = AwarenessEntry {
                        client: ClientId::new(random.random_range(0..12)),
                        clock: random.random_range(0..6),
                        state: random.random_bool(0.8).then(|| "{}".into()),
                    };
                    presence.apply(session, vec![entry].into(), random.random(), now);
                }
            }
            let mut owned: HashMap<SessionId, Vec<ClientId>> = HashMap::new();
            for (id, client) in &presence.clients {
                if let Owner::Live(owner) = client.owner {
                    owned.entry(owner).or_default().push(*id);
                }
                assert!(client.contender.is_none() || presence.contested.contains(id));
            }
            owned.values_mut().for_each(|ids| ids.sort_unstable());
            let index = presence.owned.iter().map(|(session, ids)| {
                let mut ids = ids.to_vec();
                ids.sort_unstable();
                (*session, ids)
            });
            assert_eq!(index.collect::<HashMap<_, _>>(), owned);
        }
    }
}
