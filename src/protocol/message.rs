//! The one vocabulary into which all dialects decode, and from which all encode.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use utoipa::ToSchema;

use super::{
    guard::{self, Limits},
    wire::{self, Reader},
};

pub use super::ClientId;

/// What a client says about one document, checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// "This is what I have; send me what I lack."
    SyncStep1(yrs::StateVector),
    /// The answer to our step 1: what we lacked.
    SyncStep2(guard::Update),
    /// A change, just made.
    Update(guard::Update),
    /// Presence of one or several clients.
    Awareness(AwarenessUpdate),
    /// "Who is here?"
    QueryAwareness,
    /// Opaque bytes to be sent back as they came (y-sweet's message 102).
    Echo(Bytes),
    /// A step 2 or an update that cannot be taken, from a client that hears what became of each: the word for why.
    Unreadable(&'static str),
}

/// What we say to a client with a replica about one document, the same in every dialect. Update bytes are ours, so they need
/// no guard.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncMessage {
    /// Our state vector, encoded: "send us what we lack".
    SyncStep1(Bytes),
    /// What the client lacked.
    SyncStep2(Bytes),
    /// A change.
    Update(Bytes),
    /// Presence, in the encoding of [`AwarenessUpdate::encode`]. With no clients it is a keepalive.
    Awareness(Bytes),
    /// The answer to [`Message::Echo`].
    Echo(Bytes),
}

/// The presence of one client: what it shows to the others right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwarenessEntry {
    /// Whose presence.
    pub client: ClientId,
    /// Grows with every change; the greater one wins.
    pub clock: u32,
    /// A JSON value as text, or `None` for "gone".
    pub state: Option<Arc<str>>,
}

/// Presence of one or several clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwarenessUpdate {
    /// In the order of the wire.
    pub entries: Vec<AwarenessEntry>,
    /// Entries that were left out because they show more than [`Limits::awareness_bytes`]. Their author cannot help
    /// it: a client that is sent away for what it shows comes back and shows it again.
    pub left_out: usize,
}

impl From<Vec<AwarenessEntry>> for AwarenessUpdate {
    fn from(entries: Vec<AwarenessEntry>) -> Self {
        Self { entries, left_out: 0 }
    }
}

/// Why presence was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAwareness {
    /// The primitives do not add up.
    #[error("malformed: {0}")]
    Wire(#[from] wire::Error),
    /// More clients than [`Limits::awareness_clients`].
    #[error("more than {0} clients")]
    TooMany(usize),
    /// A clock of 2^31 or more: only an attack counts that far.
    #[error("a clock is beyond 2^31")]
    Clock,
    /// A state that is neither a JSON object nor `null`.
    #[error("a state is not a JSON object")]
    NotAnObject,
    /// A state nested deeper than [`Limits::awareness_depth`].
    #[error("a state is nested too deep")]
    Depth,
}

impl Message {
    /// Whether it brings a change.
    pub fn is_update(&self) -> bool {
        matches!(self, Self::SyncStep2(_) | Self::Update(_))
    }
}

impl InvalidAwareness {
    /// A label for a metric: short, and the same for every occurrence.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Wire(error) => error.reason(),
            Self::TooMany(_) => "too-many",
            Self::Clock => "clock",
            Self::NotAnObject => "json",
            Self::Depth => "value-depth",
        }
    }
}

impl AwarenessUpdate {
    /// Reads the body of an awareness message: `uint count`, then for each client `uint client, uint clock,
    /// string json`, where the JSON is an object, or `null` for "gone".
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, InvalidAwareness> {
        let mut reader = Reader::new(bytes);
        let count = reader.uint()?;
        // An entry takes five bytes at least (client, clock, length, `{}`): nothing is reserved for a lie.
        if count > (reader.remaining() / 5) as u64 {
            return Err(wire::Error::Incomplete.into());
        }
        let count = count as usize;
        if count > limits.awareness_clients {
            return Err(InvalidAwareness::TooMany(limits.awareness_clients));
        }
        let mut update = Self { entries: Vec::with_capacity(count), left_out: 0 };
        for _ in 0..count {
            let client = ClientId::new(reader.uint()?);
            let clock = match u32::try_from(reader.uint()?) {
                Ok(clock) if clock <= i32::MAX as u32 => clock,
                _ => return Err(InvalidAwareness::Clock),
            };
            let state = match reader.string(usize::MAX)? {
                "null" => None,
                state if state.len() > limits.awareness_bytes => {
                    update.left_out += 1;
                    continue;
                }
                state => Some(Arc::from(check_state(state, limits.awareness_depth)?)),
            };
            update.entries.push(AwarenessEntry { client, clock, state });
        }
        reader.finish()?;
        Ok(update)
    }

    /// The body of an awareness message.
    pub fn encode(&self) -> Bytes {
        let mut body = BytesMut::with_capacity(
            self.entries.iter().map(|entry| 18 + entry.state.as_deref().map_or(4, str::len)).sum::<usize>()
                + 9,
        );
        wire::put_uint(&mut body, self.entries.len() as u64);
        for entry in &self.entries {
            wire::put_uint(&mut body, entry.client.get());
            wire::put_uint(&mut body, u64::from(entry.clock));
            wire::put_string(&mut body, entry.state.as_deref().unwrap_or("null"));
        }
        body.freeze()
    }
}

/// What somebody shows of themselves in their awareness state, in the way that nearly all editors do: `user.name`
/// and `user.color`, or `name` and `color`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, ToSchema)]
pub struct Shown {
    /// Empty if it shows something else, or nothing.
    pub name: Box<str>,
    /// As they wrote it for the style sheets of browsers; not checked, so look at it before putting it into a page.
    #[schema(required)]
    pub color: Option<Box<str>>,
}

impl Shown {
    /// Longest colour that is passed on, in bytes.
    const LONGEST_COLOR: usize = 64;

    /// What a state shows; a name as far as its first `longest` bytes.
    pub fn of(state: &str, longest: usize) -> Self {
        #[derive(Deserialize)]
        struct State {
            #[serde(default)]
            user: Option<Person>,
            #[serde(flatten)]
            itself: Person,
        }
        #[derive(Default, Deserialize)]
        struct Person {
            #[serde(default)]
            name: Option<String>,
            #[serde(default)]
            color: Option<String>,
        }
        let Ok(State { user, itself }) = serde_json::from_str(state) else { return Self::default() };
        let user = user.unwrap_or_default();
        let name = user.name.or(itself.name).unwrap_or_default();
        let color = user.color.or(itself.color).filter(|color| color.len() <= Self::LONGEST_COLOR);
        Self { name: name[..name.floor_char_boundary(longest)].into(), color: color.map(Into::into) }
    }
}

/// Whether `state` is a JSON object as browsers read it. It is passed on as text and never becomes a value
/// here, so half surrogates and numbers beyond a float, which `JSON.parse` takes, are none of our business.
fn check_state(state: &str, depth: usize) -> Result<&str, InvalidAwareness> {
    if !state.trim_start().starts_with('{') || serde_json::from_str::<IgnoredAny>(state).is_err() {
        return Err(InvalidAwareness::NotAnObject);
    }
    if nesting(state) > depth { Err(InvalidAwareness::Depth) } else { Ok(state) }
}

/// How deep valid JSON is nested.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_shows_is_read_as_editors_write_it() {
        let long = format!(r#"{{"user":{{"name":"A","color":"{}"}}}}"#, "x".repeat(65));
        for (state, name, color) in [
            (r##"{"user":{"name":"Ann","color":"#ff0000"}}"##, "Ann", Some("#ff0000")),
            (r#"{"user":{"name":"Annie 漢"}}"#, "Annie", None),
            (r#"{"user":{"name":"😀😀"}}"#, "😀", None),
            (r#"{"user":null,"name":"Bob","color":"red","cursor":{"x":1}}"#, "Bob", Some("red")),
            (&long, "A", None),
            (r#"{"user":{"name":7}}"#, "", None),
            (r#"{"user":"Ann"}"#, "", None),
            ("{}", "", None),
        ] {
            let shown = Shown::of(state, 5);
            assert_eq!((&*shown.name, shown.color.as_deref()), (name, color), "{state}");
        }
    }
}
