//! That the bytes never change, and that whatever is damaged is found.

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::{beside::*, log::*, *};
use crate::{
    ids::{DocumentName, SessionId, Timestamp},
    store::{Collection, LoggedUpdate, Standing, Summary},
};

fn name(name: &str) -> DocumentName {
    DocumentName::parse(name).unwrap()
}

fn session(byte: u8) -> Option<SessionId> {
    Some(SessionId(Uuid::from_bytes([byte; 16])))
}

fn update(at: u64, origin: Option<SessionId>, bytes: &'static [u8]) -> LoggedUpdate {
    LoggedUpdate { bytes: Bytes::from_static(bytes), origin, at: Timestamp(at) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn example_meta() -> Meta {
    Meta {
        life: 1,
        created: Timestamp(0x0102),
        standing: Standing::Trashed(Timestamp(0x0304)),
        checkpoint: 5,
        generation: 6,
        state_len: 7,
        state_crc: 0x0809_0a0b,
        summary: Summary { title: Some("é".into()), kind: None, bytes: 12 },
    }
}

/// What is on somebody's disk must be readable for ever. If this test fails, the code is wrong, unless
/// `VERSION` or `SCHEMA` was raised and the old bytes are still read.
#[test]
fn the_format_never_changes() {
    let a = name("a/b");
    assert_eq!(hex(&log_key(&a, 1, 2, 3)), "0102612f6200000001000000000000000200000003");
    assert_eq!(hex(&state_key(&a, 1, 2, 3)), "0202612f6200000001000000000000000200000003");
    assert_eq!(hex(&meta_key(&a)), "0302612f62");
    assert_eq!(hex(&end_key(&a)), "0402612f62");
    assert_eq!(hex(&quarantine_key(&a, 2, 3)), "7f02612f62000000000000000200000003");
    assert_eq!(meta_key(&name(&"x".repeat(256)))[1], 255);

    assert_eq!(
        hex(&example_meta().encode()),
        "0000000100000000000001020100000000000003040000000000000005000000000000000600000000\
         0000000708090a0b000000000000000c010002c3a9"
    );
    let summary = Summary { kind: Some("board".into()), ..example_meta().summary };
    assert_eq!(
        hex(&Meta { summary, ..example_meta() }.encode()),
        "0000000100000000000001020100000000000003040000000000000005000000000000000600000000\
         0000000708090a0b000000000000000c030002c3a905626f617264"
    );
    let end = End { life: 1, last: 2, modified: Timestamp(3), log_bytes: 4 };
    assert_eq!(hex(&end.encode()), "00000001000000000000000200000000000000030000000000000004");
    let log = encode_log(&[
        update(1000, session(0xaa), b"one"),
        update(1001, session(0xaa), b""),
        update(999, None, b"3"),
        update(999, session(0xaa), b"4"),
    ]);
    assert_eq!(
        hex(&log),
        "0400000000000003e8\
         0002aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa036f6e65\
         020100\
         03000133\
         00010134"
    );
    let mut frame = Vec::new();
    put_logged(&mut frame, &a, 1, 300, b"xy", Some(&Summary { bytes: 5, ..Summary::default() }));
    put_logged(&mut frame, &a, 1, 301, b"", None);
    let (first, second) = ("02612f6201ac0202787901000000000000000500", "02612f6201ad020000");
    assert_eq!(hex(&frame), format!("000000142043e06c{first}00000009947f5a34{second}"));
    assert_eq!(hex(&encode_schema(2)), "000000040000000000000002");
    assert_eq!(decode_schema(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]), Ok((1, 2)));
    let key = Uuid::from_bytes([0xbb; 16]);
    assert_eq!(
        hex(&record_key(&a, 1, Collection::Messages, key, 3)),
        "0502612f620000000103bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb00000003"
    );
    assert_eq!(hex(&beside_key(&a)), "0602612f62");
    let mut beside = Beside::nothing(1);
    beside.add(&a, Collection::Messages, key, b"xyz");
    assert_eq!(
        hex(&beside.encode()),
        "0000000100000000da0fddf2000000000000002b04\
         00000000000000000000000000000000\
         00000000000000000000000000000000\
         00000000000000010000000000000003\
         00000000000000000000000000000000"
    );
    let mut tally = Tally { commit: 1, documents: 2, ..Tally::EMPTY };
    tally.heads[Tally::bucket(&a)] = fingerprint(Some(&[1, 3, 0, 0, 0, 7]), Some(&[1, 4, 0, 0, 0, 8]));
    assert_eq!(Tally::bucket(&a), 35);
    assert_eq!(hex(&tally.encode()[..16]), "00000000000000010000000000000002");
    assert_eq!(hex(&tally.encode()[16 + 35 * 8..][..8]), "0000000700000008");
    assert_eq!(Tally::decode(&tally.encode()), Ok(tally));
    assert_eq!(hex(&encode_quarantine(Timestamp(1), "bad", b"xy")), "0000000000000001000000036261647879");
    assert_eq!(hex(&part(b"xyz", 0)), "0000000178797a");
    assert_eq!(hex(&seal(Kind::End, &end_key(&a), &end.encode())[..6]), "0104819663c3");
}

#[test]
fn everything_written_is_read_back() {
    let meta = example_meta();
    assert_eq!(Meta::decode(&meta.encode()), Ok(meta.clone()));
    let plain = Meta { standing: Standing::Live, summary: Summary::default(), ..meta };
    assert_eq!(Meta::decode(&plain.encode()), Ok(plain));

    let updates = vec![
        update(u64::MAX, None, b"far"),
        update(0, session(1), b"back"),
        update(7, session(2), b""),
        update(7, None, b"x"),
        update(7, session(2), b"y"),
        update(8, session(1), b"z"),
    ];
    let entry = Bytes::from(encode_log(&updates));
    assert_eq!(decode_log(&entry), Ok(updates));

    let mut frame = Vec::new();
    let summary = Summary { title: Some("T".into()), kind: Some("plain".into()), bytes: 3 };
    put_logged(&mut frame, &name("a"), 1, 2, &entry, None);
    put_logged(&mut frame, &name(&"b".repeat(256)), u32::MAX, u64::MAX, b"", Some(&summary));
    let frame = Bytes::from(frame);
    let all = decode_frame(&frame).unwrap();
    assert_eq!((all.len(), &all[0].entry, &all[0].summary), (2, &entry, &None));
    assert_eq!((all[1].life, all[1].first, &all[1].summary), (u32::MAX, u64::MAX, &Some(summary)));
    assert!(decode_frame(&frame.slice(..frame.len() - 1)).is_err());

    let mut beside = Beside::nothing(3);
    let key = Uuid::from_bytes([1; 16]);
    beside.add(&name("a"), Collection::Attachments, key, b"value");
    beside.add(&name("a"), Collection::AttachmentBytes, key, &[0; 2 * ROW_BYTES]);
    assert_eq!(Beside::decode(&beside.encode()), Ok(beside.clone()));
    assert_eq!((beside.records(), beside.total(Collection::Attachments)), (2, (1, 5)));
    beside.remove(&name("a"), Collection::Attachments, key, b"value");
    beside.remove(&name("a"), Collection::AttachmentBytes, key, &[0; 2 * ROW_BYTES]);
    assert_eq!(beside, Beside::nothing(3));

    let kept = Bytes::from(encode_quarantine(Timestamp(9), "warum", b"bytes"));
    assert_eq!(decode_quarantine(&kept), Ok((Timestamp(9), "warum".into(), Bytes::from_static(b"bytes"))));

    let names = name("ü".repeat(128).as_str());
    for key in [
        Key::Log { name: names.clone(), life: 1, first: u64::MAX, part: 3 },
        Key::State { name: names.clone(), life: u32::MAX, generation: 2, part: 0 },
        Key::Meta(names.clone()),
        Key::End(names.clone()),
        Key::Record {
            name: names.clone(),
            life: 7,
            collection: Collection::MessageOrigins,
            key: Uuid::max(),
            part: 8,
        },
        Key::Beside(names.clone()),
        Key::Quarantine { name: names.clone(), number: 4, part: 5 },
    ] {
        let bytes = match key.clone() {
            Key::Log { name, life, first, part } => log_key(&name, life, first, part),
            Key::State { name, life, generation, part } => state_key(&name, life, generation, part),
            Key::Meta(name) => meta_key(&name),
            Key::End(name) => end_key(&name),
            Key::Record { name, life, collection, key, part } => {
                record_key(&name, life, collection, key, part)
            }
            Key::Beside(name) => beside_key(&name),
            Key::Quarantine { name, number, part } => quarantine_key(&name, number, part),
            Key::Schema | Key::Commit => unreachable!("not in the list"),
        };
        assert_eq!(parse_key(&bytes), Ok(key));
        assert!(parse_key(&[bytes.as_slice(), b"!"].concat()).is_err());
    }
}

#[test]
fn any_flipped_bit_and_any_other_place_is_noticed() {
    let key = end_key(&name("a"));
    let value = seal(Kind::End, &key, b"payload");
    assert_eq!(unseal(Kind::End, &key, &value), Ok(b"payload".as_slice()));
    assert!(unseal(Kind::End, &end_key(&name("b")), &value).is_err());
    assert!(unseal(Kind::Meta, &key, &value).is_err());
    for bit in 0..value.len() * 8 {
        let mut broken = value.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        assert!(unseal(Kind::End, &key, &broken).is_err(), "bit {bit}");
    }
    for length in 0..value.len() {
        assert!(unseal(Kind::End, &key, &value[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn no_bytes_make_a_decoder_panic_or_reserve_much() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..20_000 {
        let mut bytes = vec![0; random.random_range(0..64)];
        random.fill(bytes.as_mut_slice());
        let entry = Bytes::from(bytes.clone());
        let _ = (Meta::decode(&bytes), End::decode(&bytes), Beside::decode(&bytes), parse_key(&bytes));
        let _ = (
            (decode_frame(&entry), decode_frame_1(&entry), salvage_frame(&entry)),
            decode_log(&entry),
            decode_quarantine(&entry),
            Parts::default().add(0, &bytes),
        );
        bytes.splice(0..0, [1]);
        let _ = parse_key(&bytes);
    }
    assert!(decode_log(&Bytes::from_static(b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f12345678")).is_err());
}

#[test]
fn a_long_value_is_cut_and_put_together() {
    for length in [0, 1, ROW_BYTES - 1, ROW_BYTES, ROW_BYTES + 1, 3 * ROW_BYTES + 7] {
        let whole: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut parts_seen = Parts::default();
        let count = parts(length);
        for number in 0..count {
            let got = parts_seen.add(number, &part(&whole, number)).unwrap();
            assert_eq!(got.is_some(), number + 1 == count);
            if let Some(got) = got {
                assert_eq!(got, whole);
            }
        }
        assert!(parts_seen.is_empty());
    }
    assert!(Parts::default().add(1, &part(&vec![0; 2 * ROW_BYTES], 1)).is_err(), "starts in the middle");
}

#[test]
fn a_log_in_pieces_is_the_log() {
    for length in [0, 1, ROW_BYTES - 1, ROW_BYTES, 3 * ROW_BYTES + 7] {
        let large: Bytes = (0..length).map(|at| (at % 251) as u8).collect();
        let updates = [
            update(5, session(1), b"small"),
            LoggedUpdate { bytes: large.clone(), origin: session(1), at: Timestamp(3) },
            LoggedUpdate { bytes: large, origin: None, at: Timestamp(9) },
            update(9, session(2), b""),
        ];
        for updates in [&updates[..], &updates[1..2], &[]] {
            let (whole, pieces) = (encode_log(updates), LogPieces::new(updates));
            assert_eq!(pieces.parts(), parts(whole.len()));
            for number in 0..pieces.parts() {
                assert_eq!(pieces.part(number), part(&whole, number), "part {number} of {length}");
            }
        }
    }
}

#[test]
fn names_that_begin_alike_do_not_share_rows() {
    let (short, long) = (name("a"), name("ab"));
    assert!(!log_key(&long, 0, 0, 0).starts_with(&prefix(Kind::Log, &short)));
    let mut keys: Vec<_> = (0..300).map(|first| log_key(&short, 0, first, 0)).collect();
    assert!(keys.is_sorted());
    keys.push(log_key(&short, 1, 0, 0));
    assert!(keys.is_sorted());
}

#[test]
fn a_title_is_cut_at_a_character() {
    let long = "é".repeat(TITLE_BYTES);
    assert_eq!(clip(&long).len(), TITLE_BYTES);
    assert_eq!(clip("short"), "short");
    let kind = Some("x".repeat(KIND_BYTES));
    let meta = Meta { summary: Summary { title: Some(long), kind, bytes: 0 }, ..example_meta() };
    assert!(meta.encode().len() < ROW_BYTES);
}

/// Rows of schema 2, as they are on people's disks.
#[test]
fn summaries_from_before_there_were_kinds_are_read() {
    let plain = example_meta().encode();
    assert_eq!(Meta::decode(&plain), Ok(example_meta()), "its bytes are fixed by the test above");
    let frame = b"\x02a/b\x01\xac\x02\x02xy\x01\0\0\0\0\0\0\0\x05\x01\0\x01T\x00a\x01\x01\x00\x00";
    let all = decode_frame_1(&Bytes::from_static(frame)).unwrap();
    let summary = Summary { title: Some("T".into()), kind: None, bytes: 5 };
    assert_eq!((all[0].summary.as_ref(), all[1].summary.as_ref()), (Some(&summary), None));
}

#[test]
fn a_kind_too_long_to_keep_is_none() {
    let summary = Summary { kind: Some("x".repeat(KIND_BYTES + 1)), ..Summary::default() };
    let meta = Meta { summary, ..example_meta() };
    assert_eq!(Meta::decode(&meta.encode()).unwrap().summary, Summary::default());
}
