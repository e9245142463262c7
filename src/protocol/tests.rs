//! The protocol against what real clients wrote, what attackers write, and noise.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use serde_json::{Map as Object, Number, Value, json};
use yrs::{
    Any, Array as _, Doc, GetString as _, Map as _, Out, ReadTxn, StateVector, Transact as _, Xml as _,
    XmlFragment as _, XmlOut, types::text::YChange, updates::encoder::Encode as _,
};

use super::{
    guard::{self, Limits, Readiness, Refusal, Update},
    hocuspocus,
    hocuspocus::Outgoing,
    message::{AwarenessUpdate, ClientId, Message, SyncMessage},
    wire, ysync,
};

#[path = "../../tests/fuzz/src/corpus.rs"]
#[allow(unreachable_pub, reason = "shared with the fuzzer, a crate of its own")]
pub(crate) mod corpus;

use corpus::unhex;

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn check(bytes: impl Into<Bytes>) -> Result<Update, Refusal> {
    Update::check(bytes.into(), &Limits::default())
}

fn hex(value: &Value) -> Vec<u8> {
    unhex(value.as_str().unwrap())
}

fn hexes(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(hex).collect()
}

/// A document as the server would hold it: it only ever integrates what leaves nothing pending.
struct Replica(Doc);

impl Replica {
    fn new() -> Self {
        Self(Doc::new())
    }

    fn readiness(&self, update: &Update) -> Readiness {
        let known = self.0.transact().state_vector();
        update.readiness(|client| known.get(&client))
    }

    fn apply(&self, update: &Update) {
        let mut txn = self.0.transact_mut();
        txn.apply_update(update.decode().unwrap()).unwrap();
        assert!(!txn.has_missing_updates(), "something is left pending");
    }

    /// What a server does with an update, and whether all of it went in.
    fn receive(&self, bytes: Vec<u8>) -> bool {
        let update = check(bytes).unwrap();
        match self.readiness(&update) {
            Readiness::Ready => {
                self.apply(&update);
                true
            }
            Readiness::Mended(part) => {
                assert_eq!(self.readiness(&part), Readiness::Ready, "what was mended is not ready itself");
                self.apply(&part);
                true
            }
            Readiness::Partly(part) => {
                assert_eq!(self.readiness(&part), Readiness::Ready, "the part is not ready itself");
                self.apply(&part);
                false
            }
            Readiness::Blocked => false,
        }
    }

    fn state(&self) -> Vec<u8> {
        self.0.transact().encode_state_as_update_v1(&StateVector::default())
    }

    fn vector(&self) -> BTreeMap<ClientId, u32> {
        self.0.transact().state_vector().iter().map(|(client, clock)| (*client, *clock)).collect()
    }

    /// What the document shows under the roots and with the types of `expected`, in the notation of
    /// `record.mjs`.
    fn sees(&self, expected: &Value) -> Value {
        let mut roots = Object::new();
        for (name, root) in expected.as_object().unwrap() {
            let kind = root.as_object().unwrap().keys().next().unwrap().as_str();
            let name = name.as_str();
            let value = match kind {
                "$text" => Out::YText(self.0.get_or_insert_text(name)),
                "$map" => Out::YMap(self.0.get_or_insert_map(name)),
                "$array" => Out::YArray(self.0.get_or_insert_array(name)),
                "$fragment" => Out::YXmlFragment(self.0.get_or_insert_xml_fragment(name)),
                other => panic!("{other}"),
            };
            roots.insert(name.to_owned(), seen(&value, &self.0.transact()));
        }
        Value::Object(roots)
    }
}

fn seen(value: &Out, txn: &impl ReadTxn) -> Value {
    match value {
        Out::Any(any) => seen_any(any),
        Out::YText(text) => json!({ "$text": delta(text, txn) }),
        Out::YXmlText(text) => json!({ "$text": delta(text, txn) }),
        Out::YMap(map) => {
            let entries: Object<_, _> =
                map.iter(txn).map(|(key, value)| (key.to_owned(), seen(&value, txn))).collect();
            json!({ "$map": entries })
        }
        Out::YArray(array) => {
            json!({ "$array": array.iter(txn).map(|item| seen(&item, txn)).collect::<Vec<_>>() })
        }
        Out::YXmlFragment(fragment) => {
            json!({ "$fragment": fragment.children(txn).map(|node| seen_xml(node, txn)).collect::<Vec<_>>() })
        }
        Out::YXmlElement(element) => seen_xml(XmlOut::Element(element.clone()), txn),
        other => panic!("{other:?}"),
    }
}

fn seen_xml(node: XmlOut, txn: &impl ReadTxn) -> Value {
    match node {
        XmlOut::Element(element) => {
            let attributes: Object<_, _> =
                element.attributes(txn).map(|(key, value)| (key.to_owned(), seen(&value, txn))).collect();
            let children: Vec<_> = element.children(txn).map(|node| seen_xml(node, txn)).collect();
            json!({ "$element": element.tag(), "attributes": attributes, "children": children })
        }
        XmlOut::Fragment(fragment) => seen(&Out::YXmlFragment(fragment), txn),
        XmlOut::Text(text) => seen(&Out::YXmlText(text), txn),
    }
}

fn delta(text: &impl yrs::Text, txn: &impl ReadTxn) -> Vec<Value> {
    let mut ops = Vec::new();
    for diff in text.diff(txn, YChange::identity) {
        let mut op = json!({ "insert": seen(&diff.insert, txn) });
        if let Some(attributes) = diff.attributes.filter(|attributes| !attributes.is_empty()) {
            let attributes: Object<_, _> =
                attributes.iter().map(|(key, value)| (key.to_string(), seen_any(value))).collect();
            op["attributes"] = Value::Object(attributes);
        }
        ops.push(op);
    }
    ops
}

fn seen_any(any: &Any) -> Value {
    match any {
        Any::Null => Value::Null,
        Any::Undefined => json!({ "$undefined": true }),
        Any::Bool(value) => json!(value),
        Any::Number(number) => {
            let float = number.as_f64().unwrap();
            // JavaScript writes whole numbers without a fraction.
            if float.fract() == 0.0 && float.abs() < 1e15 {
                json!(float as i64)
            } else {
                Number::from_f64(float).map_or(Value::Null, Value::Number)
            }
        }
        Any::String(text) => json!(&**text),
        Any::Buffer(bytes) => {
            json!({ "$bytes": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() })
        }
        Any::Array(values) => values.iter().map(seen_any).collect(),
        Any::Map(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), seen_any(value))).collect())
        }
    }
}

/// Numbers in the recordings, brought into the same form.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => seen_any(&Any::from(number.as_f64().unwrap())),
        Value::Array(values) => values.iter().map(normal).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), normal(value))).collect())
        }
        other => other.clone(),
    }
}

/// Every case of every recorded client library.
fn each_case(mut test: impl FnMut(&str, &Value)) {
    for recorded in corpus::recordings(fixtures()) {
        for case in recorded.json["cases"].as_array().into_iter().flatten() {
            test(&format!("{} {}", recorded.file, case["name"]), case);
        }
    }
}

fn each_pending(mut test: impl FnMut(&str, &Value)) {
    for recorded in corpus::recordings(fixtures()) {
        for case in recorded.json["pending"].as_array().into_iter().flatten() {
            test(&format!("{} {}", recorded.file, case["name"]), case);
        }
    }
}

#[test]
fn what_real_clients_write_is_accepted_and_means_the_same_here() {
    let mut cases = 0;
    each_case(|name, case| {
        let live = Replica::new();
        for update in hexes(&case["updates"]) {
            assert!(live.receive(update), "{name}: an update in order was not ready");
        }
        let loaded = Replica::new();
        assert!(loaded.receive(hex(&case["state"])), "{name}: the state was not ready");

        let sees = normal(&case["sees"]);
        assert_eq!(live.sees(&sees), sees, "{name}");
        assert_eq!(loaded.sees(&sees), sees, "{name}, loaded");

        let vector = guard::state_vector(&hex(&case["vector"]), &Limits::default()).unwrap();
        let vector: BTreeMap<_, _> = vector.iter().map(|(client, clock)| (*client, *clock)).collect();
        assert_eq!(live.vector(), vector, "{name}");
        assert_eq!(loaded.vector(), vector, "{name}, loaded");
        cases += 1;
    });
    assert!(cases >= 15, "{cases}");
}

#[test]
fn what_we_write_is_accepted_by_ourselves() {
    each_case(|name, case| {
        let live = Replica::new();
        for update in hexes(&case["updates"]) {
            let mut txn = live.0.transact_mut();
            txn.apply_update(check(update).unwrap().decode().unwrap()).unwrap();
            check(txn.encode_update_v1()).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            check(txn.encode_diff_v1(&StateVector::default())).unwrap();
            drop(txn);
            let again = Replica::new();
            assert!(again.receive(live.state()), "{name}");
            assert_eq!(again.vector(), live.vector(), "{name}");
            guard::state_vector(&live.0.transact().state_vector().encode_v1(), &Limits::default()).unwrap();
        }
    });
}

#[test]
fn what_real_clients_cannot_place_stays_out_until_it_can_be() {
    let mut cases = 0;
    each_pending(|name, case| {
        for bytes in [hex(&case["state"]), hex(&case["merged"])] {
            let replica = Replica::new();
            assert!(!replica.receive(bytes.clone()), "{name}: ready although something is missing");
            let integrates = json!({ "text": normal(&case["integrates"]) });
            assert_eq!(replica.sees(&integrates), integrates, "{name}");
            for missing in hexes(&case["missing"]) {
                replica.receive(missing);
            }
            // What the server asks for after a part: the client's step 2 once more.
            replica.receive(bytes);
            for missing in hexes(&case["missing"]) {
                assert!(replica.receive(missing), "{name}: still missing something");
            }
            let complete = json!({ "text": normal(&case["complete"]) });
            assert_eq!(replica.sees(&complete), complete, "{name}");
        }
        cases += 1;
    });
    assert!(cases >= 5, "{cases}");
}

/// What a server would answer somebody who has nothing.
fn answered(replica: &Replica) -> Bytes {
    guard::as_yjs_writes(replica.state().into()).unwrap()
}

#[test]
fn what_yrs_cannot_hold_comes_back_as_it_was_sent() {
    let recorded = corpus::recordings(fixtures());
    let recorded = recorded.iter().flat_map(|recorded| recorded.json["carried"].as_array()).flatten();
    let recorded: Vec<_> = recorded.map(|case| hex(&case["update"])).collect();
    assert!(!recorded.is_empty());
    // The subdocument of a bug report, and the same in a text.
    let reported = ["0101de90baa30100290104646f63730170026731760000", "01010500090104746578740267317600 00"];
    let made = harness::CARRIED.into_iter().chain(reported).map(unhex);
    for bytes in recorded.into_iter().chain(made) {
        let update = check(bytes.clone()).unwrap();
        assert!(update.needs_stand_ins());
        let replica = Replica::new();
        replica.apply(&update);
        let held = check(replica.state()).unwrap();
        assert_eq!(held.sections(), update.sections());
        if held.needs_stand_ins() {
            assert_ne!(held.bytes(), &bytes, "yrs was given it as it is");
        }
        let back = answered(&replica);
        let is_json = bytes[4] == 2;
        let is_deleted = update.has_deletions();
        // JSON becomes ordinary values; of what is deleted, the place is left.
        assert_eq!(back == bytes, !is_json && !is_deleted, "{bytes:02x?} came back as {back:02x?}");
        // Over and over: nothing grows, and nothing is taken for something else.
        let again = Replica::new();
        again.apply(&check(back.clone()).unwrap());
        assert_eq!(answered(&again), back);
    }
}

#[test]
fn json_of_old_releases_is_read_as_yjs_reads_it() {
    let mut bytes = vec![1, 1, 5, 0, 2, 1, 1, b't', 9];
    let values = [
        "undefined",
        "null",
        "true",
        "\"a\\u00e9\"",
        "1",
        "-0.5",
        "9007199254740993",
        "123456789012345678901234567890",
        "{\"k\":[1,{}]}",
    ];
    values.iter().for_each(|value| wire::put_string(&mut bytes, value));
    // The second value is deleted: what is split must stay at its place.
    bytes.extend([1, 5, 1, 1, 1]);
    let replica = Replica::new();
    assert!(replica.receive(bytes));
    let expected = json!({ "t": { "$array": [
        { "$undefined": true }, true, "aé", 1, -0.5, 9_007_199_254_740_992.0, 1.234_567_890_123_456_8e29,
        { "k": [1, {}] }
    ] } });
    assert_eq!(replica.sees(&expected), expected);
    // Numbers are numbers: no bigint for JavaScript, which has the kind 122.
    assert!(!answered(&replica).contains(&122), "a bigint");
    let loaded = Replica::new();
    assert!(loaded.receive(answered(&replica).to_vec()));
    assert_eq!(loaded.sees(&expected), expected);
    for broken in ["", "nothing", "[1", "1e999", "\"\\ud800\""] {
        let mut bytes = vec![1, 1, 5, 0, 2, 1, 1, b't', 1];
        wire::put_string(&mut bytes, broken);
        bytes.push(0);
        assert_eq!(check(bytes).unwrap_err(), Refusal::Json, "{broken}");
    }
}

#[test]
fn frames_of_y_websocket_become_messages() {
    let limits = Limits::default();
    let recording =
        corpus::recordings(fixtures()).into_iter().find(|r| r.file == "y-websocket.json").unwrap();
    let mut kinds = BTreeMap::<&str, u32>::new();
    let mut all = Vec::new();
    for frame in recording.json["frames"].as_array().unwrap() {
        let bytes = hex(&frame["frame"]);
        all.extend_from_slice(&bytes);
        let messages = ysync::decode(bytes.clone().into(), &limits).unwrap();
        let [message] = messages.as_slice() else { panic!("{messages:?}") };
        let (kind, again) = said_again(message);
        assert_eq!(kind, frame["kind"]);
        assert_eq!(ysync::encode(&again), bytes, "{kind}");
        *kinds.entry(kind).or_default() += 1;
    }
    assert_eq!(kinds, BTreeMap::from([("step 1", 1), ("step 2", 1), ("update", 2), ("awareness", 5)]));

    let messages = ysync::decode(all.into(), &limits).unwrap();
    assert_eq!(messages.len(), 9, "several messages in one frame");
    let Message::Awareness(first) = &messages[1] else { panic!("{:?}", messages[1]) };
    let state: Value = serde_json::from_str(first.entries[0].state.as_deref().unwrap()).unwrap();
    assert_eq!((first.entries[0].client, &state["user"]["name"]), (ClientId::new(401), &json!("Ada Ærø")));
    let Message::Awareness(last) = &messages[8] else { panic!("{:?}", messages[8]) };
    assert_eq!(last.entries[0].state, None, "the last message says goodbye");
}

/// What a message is called in the recordings, and the same as we would say it.
fn said_again(message: &Message) -> (&'static str, SyncMessage) {
    match message {
        Message::SyncStep1(vector) => ("step 1", SyncMessage::SyncStep1(vector.encode_v1().into())),
        Message::SyncStep2(update) => ("step 2", SyncMessage::SyncStep2(update.bytes().clone())),
        Message::Update(update) => ("update", SyncMessage::Update(update.bytes().clone())),
        Message::Awareness(update) => ("awareness", SyncMessage::Awareness(update.encode())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn recorded_sessions_of_hocuspocus_are_understood_and_spoken() {
    let limits = Limits::default();
    let recording = corpus::recordings(fixtures()).into_iter().find(|r| r.file == "hocuspocus.json").unwrap();
    let mut versions = Vec::new();
    for exchange in recording.json["exchanges"].as_array().unwrap() {
        let version = exchange["provider"].as_str().unwrap();
        versions.push(version.split('.').next().unwrap());
        for frame in exchange["frames"].as_array().unwrap() {
            let bytes = Bytes::from(hex(&frame["frame"]));
            let hocuspocus::Frame::Document { address, body } = hocuspocus::frame(bytes.clone()).unwrap()
            else {
                panic!("{frame} is about no document");
            };
            assert_eq!(exchange["document"], *String::from_utf8_lossy(&address));
            let kind = frame["kind"].as_str().unwrap();
            if frame["from"] == "client" {
                let found = match body.decode(&limits).unwrap() {
                    hocuspocus::ClientMessage::Auth { token, version: told } => {
                        assert_eq!(token, "a token");
                        assert_eq!(told.as_deref(), version.starts_with('4').then_some(version));
                        "token"
                    }
                    hocuspocus::ClientMessage::Message(message) => said_again(&message).0,
                    hocuspocus::ClientMessage::Close => "close",
                    other => panic!("{other:?}"),
                };
                assert_eq!(found, kind, "{version}");
            } else {
                let own = |message: Outgoing| hocuspocus::encode(&message);
                let ours = match kind {
                    "authenticated" => own(Outgoing::Authenticated { may_write: true }),
                    "status" => own(Outgoing::SyncStatus { applied: true }),
                    "close" => own(Outgoing::Close("provider_initiated")),
                    _ => match body.decode(&limits).unwrap() {
                        hocuspocus::ClientMessage::Message(message) => ysync::encode(&said_again(&message).1),
                        other => panic!("{other:?}"),
                    },
                };
                let spoken = [hocuspocus::prefix(&address), ours].concat();
                assert_eq!(spoken, bytes, "{version}: {kind}");
            }
        }
    }
    assert_eq!(versions, ["2", "3", "4"]);
}

#[test]
fn the_other_messages_round_trip() {
    let limits = Limits::default();
    let decoded = |frame: &[u8]| ysync::decode(Bytes::copy_from_slice(frame), &limits).unwrap().to_vec();
    assert_eq!(decoded(&[3]), [Message::QueryAwareness]);
    assert_eq!(decoded(&ysync::KEEPALIVE), [Message::Awareness(AwarenessUpdate::default())]);
    assert_eq!(ysync::encode(&SyncMessage::Awareness(AwarenessUpdate::default().encode())), ysync::KEEPALIVE);
    let echo = ysync::encode(&SyncMessage::Echo(Bytes::from_static(b"abc")));
    assert_eq!(echo[..], *b"\x66\x03abc");
    assert_eq!(decoded(&echo), [Message::Echo(Bytes::from_static(b"abc"))]);
    assert_eq!(ysync::encode(&SyncMessage::SyncStep1(Bytes::from_static(&[0])))[..], [0, 0, 1, 0]);
    let Message::Update(empty) = &decoded(&[0, 2, 2, 0, 0])[0] else { panic!() };
    assert!(empty.is_empty());
}

#[test]
fn killers_are_refused_for_their_reason() {
    let limits = Limits::default();
    let mut wrong = Vec::new();
    for killer in corpus::killers(fixtures()) {
        let bytes = Bytes::from(killer.bytes);
        let reason = match killer.kind.as_str() {
            "update" => match check(bytes.clone()) {
                Err(refusal) => refusal.reason(),
                Ok(update) => match update.readiness(|_| 0) {
                    Readiness::Blocked => "blocked",
                    other => panic!("{} passes: {other:?}", killer.name),
                },
            },
            "state-vector" => guard::state_vector(&bytes, &limits).unwrap_err().reason(),
            "awareness" => AwarenessUpdate::decode(&bytes, &limits).unwrap_err().reason(),
            "frame" => ysync::decode(bytes.clone(), &limits).unwrap_err().reason(),
            other => panic!("{}: unknown kind {other:?}", killer.name),
        };
        if reason != killer.reason {
            wrong.push(format!("{}: {reason} instead of {}", killer.name, killer.reason));
        }

        // And behind the address of a dialect it is refused for the same reason.
        let frame = match killer.kind.as_str() {
            "update" if killer.reason != "blocked" => ysync::encode(&SyncMessage::SyncStep2(bytes)),
            "state-vector" => ysync::encode(&SyncMessage::SyncStep1(bytes)),
            "awareness" => ysync::encode(&SyncMessage::Awareness(bytes)),
            _ => continue,
        };
        let framed = ysync::decode(frame, &limits).unwrap_err().reason();
        if framed != reason {
            wrong.push(format!("{}: {framed} in a frame instead of {reason}", killer.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// An update of `count` arrays, each inside the one before, all of one client.
fn nested_types(count: u32) -> Vec<u8> {
    let mut bytes = vec![1];
    wire::put_uint(&mut bytes, u64::from(count));
    bytes.extend([5, 0, 0x07, 1, 1, b't', 0]);
    for clock in 1..count {
        bytes.extend([0x07, 0, 5]);
        wire::put_uint(&mut bytes, u64::from(clock - 1));
        bytes.push(0);
    }
    bytes.push(0);
    bytes
}

#[test]
fn shared_types_nested_too_deep_are_refused_and_many_beside_each_other_are_not() {
    assert!(check(nested_types(2_049)).is_ok());
    assert_eq!(check(nested_types(2_050)), Err(Refusal::TypeDepth));
    assert_eq!(check(nested_types(20_000)), Err(Refusal::TypeDepth));

    let mut wide = vec![1];
    wire::put_uint(&mut wide, 20_000);
    wide.extend([5, 0]);
    wide.extend([0x07, 1, 1, b't', 0].repeat(20_000));
    wide.push(0);
    assert!(check(wide).is_ok());
}

#[test]
fn an_outline_says_what_can_be_read() {
    let outline = |bytes: &str| check(unhex(bytes)).unwrap().outline(&Limits::default()).unwrap();
    let all = |case: &Value| check(hex(&case["state"])).unwrap().outline(&Limits::default()).unwrap();
    each_case(|name, case| {
        for (root, sees) in case["sees"].as_object().unwrap() {
            let shape = all(case).roots.get(root).copied();
            let expected = match sees.as_object().unwrap().keys().next().unwrap().as_str() {
                "$text" => guard::Shape::Text,
                "$map" => guard::Shape::Map,
                "$array" => guard::Shape::Array,
                _ => guard::Shape::Xml,
            };
            assert!(shape.is_none_or(|shape| shape == expected), "{name} {root}: {shape:?}");
        }
        assert!(case["sees"] == json!({}) || all(case).is_readable, "{name}");
    });
    // A smiley at the root "t", and one inside an array inside "t", of which yrs would never finish reading.
    let root = outline("01 01 05 00 04 01 01 74 04 f0 9f 98 80 00");
    assert_eq!((root.roots["t"], root.is_readable), (guard::Shape::Text, true));
    let nested = outline("01 02 05 00 07 01 01 74 00 04 00 05 00 04 f0 9f 98 80 00");
    assert_eq!((nested.roots["t"], nested.is_readable), (guard::Shape::Array, false));
    let in_text = outline("01 02 05 00 07 01 01 74 02 04 00 05 00 04 f0 9f 98 80 00");
    assert!(in_text.is_readable);
}

#[test]
fn limits_are_kept() {
    let limits =
        Limits { update_bytes: 40, clients: 2, structs: 3, delete_ranges: 2, values: 2, ..Limits::default() };
    let refused = |bytes: &[u8]| match Update::check(Bytes::copy_from_slice(bytes), &limits) {
        Err(Refusal::TooMany { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[0; 41]), "bytes");
    assert_eq!(refused(&[3, 1, 9, 0, 0, 1, 1, 8, 0, 0, 1, 1, 7, 0, 0, 1, 0]), "clients");
    assert_eq!(refused(&[1, 4, 9, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0]), "structs");
    assert_eq!(refused(&[0, 1, 9, 3, 0, 1, 2, 1, 4, 1]), "delete ranges");
    assert_eq!(refused(&[1, 1, 9, 0, 8, 1, 1, b't', 3, 126, 126, 126, 0]), "values");
    assert_eq!(refused(&[1, 1, 9, 0, 8, 1, 1, b't', 1, 117, 2, 126, 126, 0]), "values");
    assert_eq!(refused(b"\x01\x01\x09\0\x05\x01\x01t\x07[1,1,1]\0"), "values");
    assert_eq!(refused(b"\x01\x01\x09\0\x06\x01\x01t\x01b\x07[1,1,1]\0"), "values");
    assert_eq!(refused(b"\x01\x01\x09\0\x02\x01\x01t\x01\x05[1,1]\0"), "values");
    assert_eq!(refused(b"\x01\x01\x09\0\x02\x01\x01t\x03\x011\x011\x011\0"), "values");
    // What stands in strings is none.
    let commas = b"\x01\x01\x09\0\x05\x01\x01t\x0b[\",[{\\\",,\"]\0";
    assert!(Update::check(Bytes::from_static(commas), &limits).is_ok());
    assert!(matches!(
        guard::state_vector(&[3, 1, 1, 2, 1, 3, 1], &limits),
        Err(Refusal::TooMany { what: "clients", .. })
    ));
    let limits = Limits { awareness_clients: 1, ..Limits::default() };
    let two = [2, 1, 1, 2, b'{', b'}', 2, 1, 2, b'{', b'}'];
    assert_eq!(AwarenessUpdate::decode(&two, &limits).unwrap_err().reason(), "too-many");
    assert_eq!(AwarenessUpdate::decode(&two, &Limits::default()).unwrap().entries.len(), 2);
    // Who shows too much is not shown; the others in the message are, and nobody is sent away.
    let limits = Limits { awareness_bytes: 2, ..Limits::default() };
    let two = [2, 1, 1, 3, b'{', b' ', b'}', 2, 1, 2, b'{', b'}'];
    let update = AwarenessUpdate::decode(&two, &limits).unwrap();
    assert_eq!((update.entries.len(), update.entries[0].client.get(), update.left_out), (1, 2, 1));
}

/// Every update of the recordings.
fn recorded_updates() -> Vec<Vec<u8>> {
    let mut updates = Vec::new();
    each_case(|_, case| {
        updates.extend(hexes(&case["updates"]));
        updates.push(hex(&case["state"]));
    });
    each_pending(|_, case| updates.extend([hex(&case["state"]), hex(&case["merged"])]));
    updates
}

#[test]
fn an_update_cut_anywhere_is_refused() {
    for update in recorded_updates() {
        for cut in 0..update.len() {
            assert!(check(update[..cut].to_vec()).is_err(), "{update:02x?} cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_decoded() {
    for update in recorded_updates() {
        for at in 0..update.len() {
            for bit in 0..8 {
                let mut flipped = update.clone();
                flipped[at] ^= 1 << bit;
                if let Ok(update) = check(flipped) {
                    update.decode().unwrap_or_else(|refusal| panic!("{update:?}: {refusal}"));
                    update.readiness(|_| 0);
                    update.readiness(|_| 5);
                    let _ = update.steps_as_a_whole(100_000, |_| true);
                }
            }
        }
    }
}

#[test]
fn frames_cut_or_flipped_never_panic() {
    let limits = Limits::default();
    let recording =
        corpus::recordings(fixtures()).into_iter().find(|r| r.file == "y-websocket.json").unwrap();
    for frame in recording.json["frames"].as_array().unwrap() {
        let frame = hex(&frame["frame"]);
        for at in 0..frame.len() {
            assert!(ysync::decode(frame[..at].to_vec().into(), &limits).is_err());
            for bit in 0..8 {
                let mut flipped = frame.clone();
                flipped[at] ^= 1 << bit;
                let _ = ysync::decode(flipped.into(), &limits);
            }
        }
    }
}

#[test]
fn a_keystroke_says_what_it_needs() {
    // "a" by client 9 at clock 4, between client 7's clock 2 and client 8's clock 3; deletes 7:0 and 7:1.
    let update = check(unhex("01 01 09 04 c4 07 02 08 03 01 61 01 07 01 00 02")).unwrap();
    let section = update.sections()[0];
    assert_eq!((section.client.get(), section.start, section.end), (9, 4, 5));
    assert!(update.has_deletions() && !update.is_empty());
    let with = |seven: u32, eight: u32, nine: u32| {
        update.readiness(|client| match client.get() {
            7 => seven,
            8 => eight,
            9 => nine,
            _ => 0,
        })
    };
    assert_eq!(with(3, 4, 4), Readiness::Ready);
    assert_eq!(with(3, 4, 5), Readiness::Ready, "known already");
    let deletion = check(unhex("00 01 07 01 00 02")).unwrap();
    assert_eq!(with(2, 4, 4), Readiness::Partly(deletion.clone()), "left origin missing");
    assert_eq!(with(3, 3, 4), Readiness::Partly(deletion.clone()), "right origin missing");
    assert_eq!(with(3, 4, 3), Readiness::Partly(deletion), "an earlier struct missing");
    assert_eq!(
        with(1, 0, 0),
        Readiness::Partly(check(unhex("00 01 07 01 00 01")).unwrap()),
        "half the deletion"
    );
    assert_eq!(with(0, 0, 0), Readiness::Blocked);
}

#[test]
fn clients_that_wait_for_each_other_integrate_as_far_as_they_can() {
    // Client 9 writes behind 8:0, then behind 8:1; client 8 writes at the root, then behind 9:0.
    let update = check(unhex(
        "02 02 09 00 84 08 00 01 61 84 08 01 01 62 02 08 00 04 01 01 74 01 63 84 09 00 01 64 00",
    ))
    .unwrap();
    assert_eq!(update.readiness(|_| 0), Readiness::Ready);
    Replica::new().apply(&update);
    // Without client 8's second, client 9's second has nothing to stand on.
    let update =
        check(unhex("02 02 09 00 84 08 00 01 61 84 08 01 01 62 01 08 00 04 01 01 74 01 63 00")).unwrap();
    let part = check(unhex("02 01 09 00 84 08 00 01 61 01 08 00 04 01 01 74 01 63 00")).unwrap();
    assert_eq!(update.readiness(|_| 0), Readiness::Partly(part));
}

#[test]
fn holes_that_the_document_has_filled_are_cut_away() {
    // Client 5: "ab" at the root, a hole of 3, then "c" behind 5:4.
    let update = check(unhex("01 03 05 00 04 01 01 74 02 61 62 0a 03 84 05 04 01 63 00")).unwrap();
    let first = check(unhex("01 01 05 00 04 01 01 74 02 61 62 00")).unwrap();
    let behind = check(unhex("01 01 05 05 84 05 04 01 63 00")).unwrap();
    let nothing = check(unhex("00 00")).unwrap();
    assert_eq!(update.readiness(|_| 0), Readiness::Partly(first));
    assert_eq!(update.readiness(|_| 3), Readiness::Blocked, "half the hole is not filled");
    assert_eq!(update.readiness(|_| 5), Readiness::Mended(behind));
    assert_eq!(update.readiness(|_| 6), Readiness::Mended(nothing), "all of it is known");
}

#[test]
fn clients_without_deletions_are_cut_away() {
    let update = check(unhex("00 02 05 00 04 01 00 01")).unwrap();
    assert_eq!(update.readiness(|_| 1), Readiness::Mended(check(unhex("00 01 04 01 00 01")).unwrap()));
}

#[test]
fn readiness_of_a_long_chain_between_clients_is_not_quadratic() {
    // 20,000 clients, each of which waits for the next smaller one; only the last stands on its own.
    let clients = 20_000_u64;
    let mut bytes = Vec::new();
    wire::put_uint(&mut bytes, clients);
    for client in (1..=clients).rev() {
        bytes.push(1);
        wire::put_uint(&mut bytes, client);
        bytes.push(0);
        if client == 1 {
            bytes.extend([0x04, 1, 1, b't']);
        } else {
            bytes.push(0x84);
            wire::put_uint(&mut bytes, client - 1);
            bytes.push(0);
        }
        bytes.extend([1, b'x']);
    }
    bytes.push(0);
    let update = check(bytes).unwrap();
    let start = std::time::Instant::now();
    assert_eq!(update.readiness(|_| 0), Readiness::Ready);
    assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
}

/// The folder of the editing traces, if there is one.
fn traces() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("WEFT_TRACES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/traces"),
        std::path::PathBuf::from,
    );
    let found = folder.join(TRACE).is_file();
    if !found {
        println!("skipped: no {TRACE} in {} (set WEFT_TRACES)", folder.display());
    }
    found.then_some(folder)
}

/// The automerge paper as updates of a hundred edits each: records of a `uint` and a buffer.
const TRACE: &str = "automerge-paper.json.gz.text.b100.upd";

fn trace_updates(folder: &Path) -> Vec<Bytes> {
    let bytes = std::fs::read(folder.join(TRACE)).unwrap();
    let mut reader = wire::Reader::new(&bytes);
    let mut updates = Vec::new();
    while !reader.is_at_end() {
        reader.uint().unwrap();
        updates.push(Bytes::copy_from_slice(reader.buffer(usize::MAX).unwrap()));
    }
    updates
}

#[test]
fn a_whole_paper_is_accepted() {
    let Some(folder) = traces() else { return };
    let replica = Replica::new();
    for update in trace_updates(&folder) {
        let update = check(update).unwrap();
        assert_eq!(replica.readiness(&update), Readiness::Ready);
        replica.apply(&update);
    }
    let loaded = Replica::new();
    assert!(loaded.receive(replica.state()));
    let text = |replica: &Replica| {
        let text = replica.0.get_or_insert_text("text");
        text.get_string(&replica.0.transact())
    };
    assert_eq!(text(&loaded).chars().count(), 104_852);
    assert_eq!(text(&loaded), text(&replica));
}

/// `cargo test --release -- --ignored --nocapture how_fast` prints what the guard costs.
#[test]
#[ignore = "a measurement, not a test"]
fn how_fast() {
    let Some(folder) = traces() else { return };
    let batches = trace_updates(&folder);
    let replica = Replica::new();
    // One update per struct, as single keystrokes would have been sent.
    let mut keystrokes = Vec::new();
    for batch in &batches {
        keystrokes.extend(guard::one_update_per_struct(batch));
        replica.apply(&check(batch.clone()).unwrap());
    }
    let state = Bytes::from(replica.state());
    let limits = Limits::default();
    let measure = |what: &str, updates: &[Bytes]| {
        let bytes: usize = updates.iter().map(Bytes::len).sum();
        let rounds = (200_000_000 / bytes).clamp(1, 50);
        let time = |work: &mut dyn FnMut(&Bytes)| {
            let start = std::time::Instant::now();
            (0..rounds).for_each(|_| updates.iter().for_each(&mut *work));
            start.elapsed().as_secs_f64() * 1e6 / (rounds * updates.len()) as f64
        };
        let guard =
            time(&mut |update| drop(std::hint::black_box(Update::check(update.clone(), &limits).unwrap())));
        let checked: Vec<_> = updates.iter().map(|update| check(update.clone()).unwrap()).collect();
        let mut next = checked.iter().cycle();
        let ready = time(&mut |_| drop(std::hint::black_box(next.next().unwrap().readiness(|_| u32::MAX))));
        let mut next = checked.iter().cycle();
        let slow = time(&mut |_| drop(std::hint::black_box(next.next().unwrap().readiness(|_| 0))));
        let decode = time(&mut |update| drop(std::hint::black_box(yrs::Update::decode_v1(update))));
        println!(
            "{what}: {} updates of {:.1} bytes; µs each: guard {guard:.3}, ready {ready:.3}, readiness from \
             nothing {slow:.3}, decode by yrs {decode:.3}",
            updates.len(),
            bytes as f64 / updates.len() as f64
        );
    };
    use yrs::updates::decoder::Decode as _;
    measure("keystrokes", &keystrokes);
    measure("batches", &batches);
    measure("state", &[state]);
}

#[path = "../../tests/fuzz/src/harness.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared with the fuzzer, a crate of its own")]
mod harness;

/// The fuzzer of `tests/fuzz`, for as long as a test may take. `WEFT_FUZZ_SEED` and `WEFT_FUZZ_INPUTS` run
/// others.
#[test]
fn mutated_updates_do_no_harm() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number("WEFT_FUZZ_SEED").unwrap_or(2026);
    let inputs = number("WEFT_FUZZ_INPUTS").unwrap_or(200_000);
    let harness = harness::Harness::new(fixtures(), seed);
    let mut findings = Vec::new();
    let mut counts = harness::Counts::default();
    harness.run_seeds(&mut counts, |finding| findings.push(finding.to_string()));
    println!("seeds as they are: {counts:?}");
    let harm =
        counts.given_up + counts.diverged + counts.unreadable + counts.uneditable + counts.wrong_parent;
    assert!(harm == 0 && findings.is_empty(), "seed {seed}: {counts:?} {findings:?}");
    harness.run(seed, 0..inputs, &mut counts, |finding| findings.push(finding.to_string()));
    println!("seed {seed}: {counts:?}");
    assert!(findings.is_empty(), "seed {seed}: {} findings, the first:\n{}", findings.len(), findings[0]);
    assert!(counts.ready + counts.partly > inputs / 50, "too few inputs reach yrs: {counts:?}");
}
