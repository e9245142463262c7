//! The WebSocket protocol, by the cases of the Autobahn test suite that concern a server without extensions.

use crate::support::{
    TestServer,
    wire::{Wire, close, frame},
};

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// A ping behind it is answered.
    Stays,
    /// The connection is closed with this code.
    Closed(u16),
}

use Outcome::{Closed, Stays};

/// An endpoint that speaks text and answers in words what it does not understand.
const TEXT: &str = "/collab/notes/ann";
/// One that speaks binary.
const BINARY: &str = "/ws/notes";

/// A frame that an endpoint without extensions never wants to see again.
fn cases() -> Vec<(String, &'static str, Vec<Vec<u8>>, Outcome)> {
    let mut cases: Vec<(String, &str, Vec<Vec<u8>>, Outcome)> = Vec::new();
    let mut add = |name: &str, path, sent: Vec<Vec<u8>>, outcome| {
        cases.push((name.to_owned(), path, sent, outcome));
    };
    let letters = "Hello-µ@ßöäüàá-UTF-8!! κόσμε 😀";
    let bytes = letters.as_bytes();

    // 1, 5: messages whole and in pieces.
    add("a text", TEXT, vec![frame(0x81, bytes)], Stays);
    add("an empty text", TEXT, vec![frame(0x81, b"")], Stays);
    add("two pieces", TEXT, vec![frame(0x01, b"one"), frame(0x80, b"two")], Stays);
    add("empty pieces", TEXT, vec![frame(0x01, b""), frame(0x00, b""), frame(0x80, b"")], Stays);
    let between = vec![frame(0x01, b"one"), frame(0x89, b"?"), frame(0x8a, b"!"), frame(0x80, b"two")];
    add("control frames between the pieces", TEXT, between, Stays);
    add("a piece of nothing", TEXT, vec![frame(0x00, b"one")], Closed(1002));
    add("the last piece of nothing", BINARY, vec![frame(0x80, b"one")], Closed(1002));
    add("text within a message", TEXT, vec![frame(0x01, b"one"), frame(0x81, b"two")], Closed(1002));
    add("binary within a message", TEXT, vec![frame(0x01, b"one"), frame(0x02, b"two")], Closed(1002));

    // 2: pings and pongs.
    add("a ping", TEXT, vec![frame(0x89, &[0xff; 125])], Stays);
    add("a pong nobody asked for", BINARY, vec![frame(0x8a, b"here")], Stays);
    add("a ping that is too long", TEXT, vec![frame(0x89, &[0; 126])], Closed(1002));
    add("a pong that is too long", TEXT, vec![frame(0x8a, &[0; 126])], Closed(1002));
    add("a ping in pieces", TEXT, vec![frame(0x09, b"one"), frame(0x80, b"two")], Closed(1002));

    // 3, 4: reserved bits and opcodes.
    for bits in 1..8 {
        for opcode in [0x1, 0x2, 0x8, 0x9, 0xa] {
            let sent = vec![frame(0x80 | bits << 4 | opcode, b"")];
            add(&format!("reserved bits {bits} in opcode {opcode}"), TEXT, sent, Closed(1002));
        }
    }
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        add(&format!("opcode {opcode}"), TEXT, vec![frame(0x80 | opcode, b"")], Closed(1002));
        add(
            &format!("opcode {opcode} with a payload"),
            BINARY,
            vec![frame(0x80 | opcode, b"x")],
            Closed(1002),
        );
    }
    add("no mask", TEXT, vec![vec![0x81, 0x03, b'o', b'n', b'e']], Closed(1002));

    // 6: UTF-8.
    add("characters in two pieces", TEXT, vec![frame(0x01, &bytes[..7]), frame(0x80, &bytes[7..])], Stays);
    let mut single: Vec<_> = bytes.iter().map(|byte| frame(0x00, &[*byte])).collect();
    single[0] = frame(0x01, &bytes[..1]);
    single.push(frame(0x80, b""));
    add("characters in single bytes", TEXT, single, Stays);
    let valid: [&[u8]; 6] =
        [b"\x00", b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf", "\u{fffe}".as_bytes()];
    for text in valid {
        add(&format!("{text:x?} is UTF-8"), TEXT, vec![frame(0x81, text)], Stays);
    }
    let invalid: [&[u8]; 12] = [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xbf\x80",
        b"\xc0 ",
        b"\xe0\x80\xaf",
        b"\xfe",
        b"\xff\xff",
        b"\xed\xbf\xbf",
        b"\xce",
    ];
    for text in invalid {
        add(&format!("{text:x?} is not UTF-8"), TEXT, vec![frame(0x81, text)], Closed(1007));
        let pieces = vec![frame(0x01, b"so far so good "), frame(0x00, text), frame(0x80, b"")];
        add(&format!("{text:x?} in a piece"), TEXT, pieces, Closed(1007));
        add(&format!("{text:x?} where nobody wants text"), BINARY, vec![frame(0x81, text)], Closed(1007));
    }
    // Said as soon as it is sure, and not at the end of a message that may never come.
    add("not UTF-8 in what is no end", TEXT, vec![frame(0x01, b"\xff")], Closed(1007));
    add("not UTF-8 in half a frame", TEXT, vec![frame(0x81, b"\xffand more")[..9].to_vec()], Closed(1007));

    // 7: close frames.
    add("a close frame", TEXT, vec![frame(0x88, b"")], Closed(1000));
    add("text behind a close frame", TEXT, vec![close(1000, b""), frame(0x81, b"\xff")], Closed(1000));
    add("a close frame in a message", TEXT, vec![frame(0x01, b"one"), close(1000, b"")], Closed(1000));
    add("half a code", TEXT, vec![frame(0x88, b"\x03")], Closed(1002));
    add("a reason", BINARY, vec![close(1000, "κόσμε".as_bytes())], Closed(1000));
    add("the longest reason", TEXT, vec![close(1000, &[b'x'; 123])], Closed(1000));
    add("a reason that is too long", TEXT, vec![close(1000, &[b'x'; 124])], Closed(1002));
    add("a reason that is not UTF-8", TEXT, vec![close(1000, b"\xce\xba\xed\xa0\x80")], Closed(1007));
    add("a reason that is cut", BINARY, vec![close(1000, b"\xce")], Closed(1007));
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        add(&format!("code {code}"), TEXT, vec![close(code, b"")], Closed(1000));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        add(&format!("code {code}"), BINARY, vec![close(code, b"")], Closed(1002));
    }

    // 9: sizes.
    let announced = [&[0x82, 0xff][..], &(1_u64 << 63).to_be_bytes(), &[0; 4]].concat();
    add("a length with its highest bit", BINARY, vec![announced], Closed(1009));
    cases
}

#[tokio::test]
async fn frames_are_taken_and_refused_as_the_standard_says() {
    let server = TestServer::start().await;
    let cases = cases();
    for (name, path, sent, outcome) in &cases {
        let all = sent.concat();
        // In one piece, and in as many as there are bytes.
        for size in [all.len(), 1] {
            if size == 1 && all.len() > 200 {
                continue;
            }
            let mut wire = Wire::open(&server, path).await;
            // The server may be through with it before the last of them.
            for piece in all.chunks(size) {
                wire.sends(piece).await;
            }
            if *outcome == Stays {
                wire.sends(&frame(0x89, b"still there?")).await;
            }
            let found = loop {
                match wire.hears().await {
                    Some((0x8a, payload)) if payload == b"still there?" => break Stays,
                    Some((0x88, payload)) => {
                        break Closed(u16::from_be_bytes(payload[..2].try_into().unwrap()));
                    }
                    Some(_) => {}
                    None => panic!("{name}, {size} bytes at a time: the stream ended without a close frame"),
                }
            };
            assert_eq!(found, *outcome, "{name}, {size} bytes at a time");
        }
    }
    println!("{} cases", cases.len());
}

#[tokio::test]
async fn what_came_before_a_bad_frame_was_said() {
    let server = TestServer::start().await;
    for bad in [frame(0xc1, b""), frame(0x83, b""), frame(0x81, b"\xff"), close(1005, b""), vec![0x81, 0x00]]
    {
        let mut wire = Wire::open(&server, TEXT).await;
        // In one write, so that the good and the bad are found together.
        let sent = [frame(0x89, b"one"), frame(0x89, b"two"), bad, frame(0x89, b"three")].concat();
        assert!(wire.sends(&sent).await);
        let mut pongs = Vec::new();
        loop {
            match wire.hears().await.unwrap() {
                (0x8a, payload) => pongs.push(String::from_utf8(payload).unwrap()),
                (0x88, _) => break,
                _ => {}
            }
        }
        assert_eq!(pongs, ["one", "two"]);
    }
}
