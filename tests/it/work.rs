//! Dear work: it is bounded, and it holds nobody else up.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use weft::document::replica::{dear::BOUNDS, walks};
use yrs::{XmlFragment as _, XmlTextPrelim};

use crate::support::{Address, Client, Raw, Scribe, TestServer, Weft, frames, process, rest, until};

/// A letter at the beginning of a text, of somebody who saw nothing there.
const LETTER: [u8; 9] = [4, 1, 4, b't', b'e', b'x', b't', 1, b'a'];

/// An update of many who each put a letter there, made so that each is compared with all before it: the letter before
/// its own builds upon the one of the client below.
fn crowd_at_one_spot(authors: u64) -> Vec<u8> {
    let mut bytes = frames::uint(authors);
    for client in (1..=authors).rev() {
        bytes.extend(frames::uint(if client > 1 { 2 } else { 1 }));
        bytes.extend(frames::uint(client));
        bytes.extend(frames::uint(0));
        if client > 1 {
            bytes.push(0x84);
            bytes.extend(frames::uint(client - 1));
            bytes.extend(frames::uint(u64::from(client > 2)));
            bytes.extend([1, b'b']);
        }
        bytes.extend(LETTER);
    }
    bytes.push(0);
    bytes
}

/// The letters of `clients`, the highest first, as yrs takes them in: each is compared with those below it that are there.
fn letters(clients: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    let mut bytes = frames::uint(clients.end() + 1 - clients.start());
    for client in clients.rev() {
        bytes.extend([frames::uint(1), frames::uint(client), frames::uint(0), LETTER.to_vec()].concat());
    }
    bytes.push(0);
    bytes
}

#[tokio::test]
async fn dear_work_is_cut_short_and_holds_up_no_other_document() {
    let server = TestServer::setup().settings(|settings| settings.workers = Some(1)).start().await;
    let bob = Client::named("bob").acknowledged().opens(&server, "other").await;
    // Where something is already, so that nobody can undo what is taken.
    let carl = Client::named("carl").acknowledged().opens(&server, "notes").await;
    carl.types("here");
    carl.saved().await;
    let mut mallory = Raw::open(&server, "notes").await;
    mallory.send([vec![0, 2], frames::buffer(&crowd_at_one_spot(10_000))].concat()).await;
    // On the same thread, while that is under way, every keystroke is taken, stored and answered.
    let mut keys = 0;
    while server.refused("too_dear") == 0 {
        bob.types("x");
        bob.saved().await;
        keys += 1;
    }
    assert!(keys > 10, "only {keys} keystrokes while somebody else's work was done");
    assert!(mallory.closed().await.is_some(), "whoever asks for too much is told");
    // What was taken by then is whole, and the document goes on.
    let ann = server.client("ann", "notes").await;
    let before = ann.text();
    assert!(before.len() > 1000, "{} letters", before.len());
    ann.inserts(0, "and on");
    ann.hears_all_so_far().await;
    let text = rest::get(&server, "/api/v1/documents/notes/text").await.expect(200);
    assert_eq!(text.text(), format!("and on{before}"));
    assert_eq!(server.metrics().documents_poisoned.get(), 0);
}

#[tokio::test]
async fn many_small_dear_changes_are_cut_short_like_a_large_one() {
    const CROWD: u64 = 20_000;
    let server = TestServer::setup().settings(|settings| settings.workers = Some(1)).start().await;
    let bob = Client::named("bob").acknowledged().opens(&server, "other").await;
    let mut crowd = Raw::open(&server, "notes").await;
    crowd.send([vec![0, 2], frames::buffer(&letters(1..=CROWD))].concat()).await;
    crowd.send(vec![0, 0, 1, 0]).await;
    while !matches!(crowd.next().await, Ok(answer) if answer.starts_with(&[0, 1])) {}
    let mut mallory = Raw::open(&server, "notes").await;
    let (mut keys, mut next) = (0, CROWD + 1);
    while server.refused("too_dear") == 0 {
        assert!(keys < 30_000, "all were taken");
        if next < CROWD + 40_000 {
            mallory.send(frames::update(&letters(next..=next + 49))).await;
            next += 50;
        }
        bob.types("x");
        bob.saved().await;
        keys += 1;
    }
    assert!(keys > 10, "only {keys} keystrokes while somebody else's work was done");
    assert!(mallory.closed().await.is_some(), "whoever asks for too much is told");
    // Somebody else writes there as before.
    let ann = server.client("ann", "notes").await;
    let before = ann.text();
    ann.inserts(0, "and on");
    ann.hears_all_so_far().await;
    let text = rest::get(&server, "/api/v1/documents/notes/text").await.expect(200);
    assert_eq!(text.text(), format!("and on{before}"));
}

/// A key that somebody sets again and again and never sees: each time is compared with all before.
fn one_key(client: u8, times: u64) -> Vec<u8> {
    let each = [0x28, 1, 1, b'm', 1, client, 1, 125, 1].repeat(times as usize);
    [vec![1], frames::uint(times), vec![client, 0], each, vec![0]].concat()
}

/// Brings a dear change in somebody's name, and waits until it is refused. Returns whether it was for what the document costs
/// already.
async fn is_refused(server: &impl Address, document: &str, client: u8) -> bool {
    let refused = async || {
        let answer = rest::get(server, "/metrics").await.expect(200);
        let figures = answer.text();
        ["too_dear", "document_too_dear"].map(|reason| {
            let figure = format!("weft_inputs_refused_total{{reason=\"{reason}\"}} ");
            let found = figures.lines().find_map(|line| line.strip_prefix(&figure));
            found.map_or(0, |count| count.parse::<u64>().unwrap())
        })
    };
    let before = refused().await;
    let mut mallory = Raw::open(server, document).await;
    mallory.send(frames::update(&one_key(client, 50_000))).await;
    assert_eq!(mallory.closed().await, Some(4422));
    let after = refused().await;
    assert_eq!(after[0] + after[1], before[0] + before[1] + 1);
    after[1] > before[1]
}

async fn posts(server: &impl Address, document: &str, update: impl Into<Vec<u8>>) {
    let path = format!("/api/v1/documents/{document}/updates");
    rest::request(server, "POST", &path).patient().body(update).send().await.expect(200);
}

async fn state(server: &impl Address, document: &str) -> Vec<u8> {
    let path = format!("/api/v1/documents/{document}/state");
    rest::request(server, "GET", &path).patient().send().await.expect(200).body.to_vec()
}

#[tokio::test]
async fn a_document_can_be_made_dear_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let serve = async || {
        let strict = |arguments: &[&str]| {
            let mut command = process::command(arguments);
            command.env(BOUNDS, "0.1");
            command
        };
        Weft::start(folder.path(), &[], strict).await
    };
    let server = serve().await;
    let ann = Client::named("ann");
    ann.types("mine");
    posts(&server, "notes", ann.state()).await;
    assert!(!is_refused(&server, "notes", 100).await, "for what it costs itself");
    let mut client = 101;
    while !is_refused(&server, "notes", client).await {
        assert!(client < 105, "the document does not notice");
        client += 1;
    }
    // Whoever writes there goes on.
    ann.types(" and more");
    posts(&server, "notes", ann.state()).await;
    server.kill();
    let server = serve().await;
    // It was just at the bound, and what loading it costs has been measured anew: one more may go in, and no second.
    let goes_in = !is_refused(&server, "notes", 106).await;
    assert!(!goes_in || is_refused(&server, "notes", 107).await, "not even by a restart");
    ann.types(" and more");
    posts(&server, "notes", ann.state()).await;
    // What one server has taken, another takes. By how much it takes more, the tests of the bounds show.
    let whole = state(&server, "notes").await;
    let other = TestServer::start().await;
    posts(&other, "copy", whole.clone()).await;
    assert_eq!(state(&other, "copy").await, whole);
}

/// Something large that somebody honest may bring. `weft-load giants` brings them at full size.
const fn large(released: usize, debugged: usize) -> usize {
    if cfg!(debug_assertions) { debugged } else { released }
}

/// A text in one piece.
fn long_text(bytes: usize) -> Vec<u8> {
    let words = "lorem ipsum ".repeat(bytes / 12 + 1);
    let head = [1, 1, 1, 0, 4, 1, 4, b't', b'e', b'x', b't'];
    [&head[..], &frames::buffer(&words.as_bytes()[..bytes]), &[0]].concat()
}

/// Somebody who has written for years: letters behind each other, every few of them somewhere else, and every tenth
/// deleted since.
fn long_history(seed: u64, letters: u32) -> Vec<u8> {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    // Behind each letter, the next in the text.
    let mut next = vec![None; letters as usize];
    let (mut structs, mut body, mut clock) = (0, Vec::new(), 0);
    while clock < letters {
        let length = random.random_range(1..=5).min(letters - clock);
        structs += 1;
        let left = (clock > 0).then(|| random.random_range(0..clock));
        match left {
            None => body.extend([4, 1, 4, b't', b'e', b'x', b't']),
            Some(left) => {
                let right: Option<u32> = next[left as usize];
                body.push(if right.is_some() { 0xc4 } else { 0x84 });
                for neighbour in [Some(left), right].into_iter().flatten() {
                    body.extend([frames::uint(1), frames::uint(u64::from(neighbour))].concat());
                }
                next[(clock + length - 1) as usize] = right;
                next[left as usize] = Some(clock);
            }
        }
        for letter in clock..clock + length - 1 {
            next[letter as usize] = Some(letter + 1);
        }
        body.extend(frames::buffer(&b"words"[..length as usize]));
        clock += length;
    }
    let deleted: Vec<u8> =
        (0..letters).step_by(10).flat_map(|at| [frames::uint(u64::from(at)), vec![1]].concat()).collect();
    let ranges = frames::uint(u64::from(letters.div_ceil(10)));
    [vec![1], frames::uint(structs), vec![1, 0], body, vec![1, 1], ranges, deleted].concat()
}

/// A document of so many letters of one client, each before the last, and the first deleted: in a text, or in a paragraph of XML.
fn many_letters(client: u8, letters: u64, is_xml: bool) -> Vec<u8> {
    let (before, first) = if is_xml {
        let paragraph = [7, 1, 3, b'x', b'm', b'l', 3, 1, b'p'];
        (2, [&paragraph[..], &[7, 0, client, 0, 6], &[4, 0, client, 1]].concat())
    } else {
        (0, vec![4, 1, 4, b't', b'e', b'x', b't'])
    };
    let mut bytes = [vec![1], frames::uint(before + letters), vec![client, 0], first, vec![1, b'a']].concat();
    for clock in before..before + letters - 1 {
        bytes.extend([vec![0x44, client], frames::uint(clock), vec![1, b'a']].concat());
    }
    [bytes, vec![1, client, 1, before as u8, 1]].concat()
}

#[tokio::test]
async fn all_of_a_large_document_is_gone_through_where_nobody_is_served() {
    const LETTERS: u64 = 60_000;
    let setup = TestServer::setup().with(|config| {
        config.document.idle = std::time::Duration::ZERO;
        config.http.connection.outbox.bytes = 16 << 10;
    });
    let server = setup.start().await;
    // Whether that was done, and on no thread that serves, so many times.
    let is_apart = |client: u64, what: &str, times: usize| {
        let walks: Vec<_> = walks::of(client).into_iter().filter(|walk| walk.what == what).collect();
        assert!(walks.iter().all(|walk| walk.is_apart), "{walks:?}");
        walks.len() >= times
    };
    let told = |client: u64| walks::of(client).iter().filter(|walk| walk.what == "told").count();

    let all = many_letters(3, LETTERS, false);
    posts(&server, "notes", all.clone()).await;
    // Somebody who lacks nothing repeats all there is.
    let mut ann = Raw::open(&server, "notes").await;
    ann.send(frames::step2(&all)).await;
    asks_for_all(&mut ann).await;
    assert!(is_apart(3, "compared", 1));
    // Programs read it after each change.
    let before = told(3);
    let bob = Client::named("bob").acknowledged().opens(&server, "notes").await;
    bob.types("x");
    bob.saved().await;
    state(&server, "notes").await;
    assert!(is_apart(3, "told", before + 1));
    // Somebody is told of more than may wait for a session.
    let before = told(3);
    while server.metrics().slow_session_catch_ups.get() == 0 {
        (0..20).for_each(|_| bob.types(&"a page".repeat(10_000)));
        bob.saved().await;
    }
    asks_for_all(&mut ann).await;
    assert!(is_apart(3, "told", before + 1));
    // All leave.
    drop((ann, bob));
    until("it is put away", || server.metrics().documents.get() == 0).await;
    assert!(is_apart(3, "freed", 1));

    // XML is read for those who have it open as text.
    posts(&server, "letter", many_letters(4, LETTERS, true)).await;
    let mut carl = Scribe::connects(&server, "/collab/letter/carl?field=xml", None).await;
    carl.hears("init").await;
    let before = told(4);
    let dora = server.client("dora", "letter").await;
    dora.edit(|roots, txn| _ = roots.xml.push_back(txn, XmlTextPrelim::new("and on")));
    carl.hears("operation").await;
    assert!(is_apart(4, "told", before + 1));
    drop((carl, dora));
    // What is deleted for ever is freed, though somebody may open it the next moment.
    let before = walks::of(4).iter().filter(|walk| walk.what == "freed").count();
    let held = server.registry().open(&crate::support::server::name("letter")).unwrap();
    rest::delete(&server, "/api/v1/documents/letter?permanent=true").await.expect(204);
    until("it is freed", || is_apart(4, "freed", before + 1)).await;
    drop(held);
}

/// Under a key of a root, a map of many entries.
fn large_map(client: u8, entries: u64) -> Vec<u8> {
    let head = [vec![1], frames::uint(entries + 1), vec![client, 0, 0x27, 1, 1, b'm', 1, b'k', 1]].concat();
    let entry = |entry: u64| {
        let key = entry.to_string();
        [&[0x28, 0, client, 0][..], &frames::buffer(key.as_bytes()), &[1, 125, 1]].concat()
    };
    [head, (0..entries).flat_map(entry).collect(), vec![0]].concat()
}

#[tokio::test]
async fn what_a_few_bytes_do_to_all_of_a_large_document_is_done_where_nobody_is_served() {
    const ENTRIES: u64 = 50_000;
    let mut server = TestServer::start().await;
    let is_apart = |client: u8, what: &str| {
        let walks: Vec<_> = walks::of(client.into()).into_iter().filter(|walk| walk.what == what).collect();
        !walks.is_empty() && walks.iter().all(|walk| walk.is_apart)
    };
    // A map is deleted, and another gives way to a value.
    for (client, name, update) in [
        (5, "deleted", vec![0, 1, 5, 1, 0, 1]),
        (6, "overwritten", vec![1, 1, 60, 0, 0xa8, 6, 0, 1, 125, 1, 0]),
    ] {
        posts(&server, name, large_map(client, ENTRIES)).await;
        let mut mallory = Raw::open(&server, name).await;
        mallory.send(frames::update(&update)).await;
        asks_for_all(&mut mallory).await;
        assert!(is_apart(client, "deleted"), "{name}: {:?}", walks::of(client.into()));
        let json = rest::get(&server, &format!("/api/v1/documents/{name}/json")).await.expect(200).json();
        assert!(json["m"]["k"].is_number() || json["m"]["k"].is_null(), "{name}");
    }
    // A type comes into a document that was loaded.
    posts(&server, "loaded", large_map(7, ENTRIES)).await;
    server.restart().await;
    let mut ann = Raw::open(&server, "loaded").await;
    ann.send(frames::update(&[1, 1, 70, 0, 0x27, 1, 1, b'm', 1, b'n', 1, 0])).await;
    asks_for_all(&mut ann).await;
    assert!(is_apart(7, "looked"), "{:?}", walks::of(7));
}

/// A text of ours: a letter, a block of which the boundary has many fields, and another letter.
fn large_boundary(client: u8, fields: u64) -> Vec<u8> {
    let words = [&[4, 1, 4][..], b"body", &[1, b'a', 0x87, client, 0, 1, 0x84, client, 1, 1, b'b']].concat();
    let kind = [&[0x28, 0, client, 1, 4][..], b"type", &[1, 119, 9], b"paragraph"].concat();
    let field = |field: u64| {
        let key = field.to_string();
        [&[0x28, 0, client, 1][..], &frames::buffer(key.as_bytes()), &[1, 125, 1]].concat()
    };
    let head = [vec![1], frames::uint(fields + 4), vec![client, 0]].concat();
    [head, words, kind, (0..fields).flat_map(field).collect(), vec![0]].concat()
}

#[tokio::test]
async fn an_operation_deletes_much_where_nobody_is_served() {
    const MANY: u64 = 50_000;
    let server = TestServer::start().await;
    for (client, field, all, operation, left) in [
        (10, "body", large_boundary(10, MANY), json!([1, -1, 1]), "ab"),
        (11, "text", many_letters(11, MANY, false), json!([2, -(MANY as i64 - 3)]), "aa"),
    ] {
        posts(&server, field, all).await;
        let path = format!("/collab/{field}/ann?field={field}");
        let mut ann = Scribe::connects(&server, &path, None).await;
        let revision = ann.hears("init").await["revision"].as_u64().unwrap();
        ann.proposes("1", revision, operation).await;
        // It is answered in its turn.
        ann.proposes("2", revision + 1, json!([2, "!"])).await;
        assert_eq!(ann.hears("ack").await["id"], "1");
        assert_eq!(ann.hears("ack").await["id"], "2");
        let walks: Vec<_> = walks::of(client).into_iter().filter(|walk| walk.what == "edited").collect();
        assert!(!walks.is_empty() && walks.iter().all(|walk| walk.is_apart), "{field}: {walks:?}");
        let mut bob = Scribe::connects(&server, &path.replace("ann", "bob"), None).await;
        assert_eq!(bob.hears("init").await["content"], format!("{left}!"));
    }
}

#[tokio::test]
async fn it_is_looked_for_room_in_a_full_document_where_nobody_is_served() {
    const LETTERS: u64 = 200_000;
    let all = [many_letters(8, LETTERS, false), many_letters(9, LETTERS, false)];
    let full = all[0].len() + 1000;
    let server = TestServer::setup().with(move |config| config.document.max_bytes = full).start().await;
    let told = |client: u64| {
        let mut walks = walks::of(client);
        walks.retain(|walk| walk.what == "told");
        walks
    };
    let [live, text] = all;
    posts(&server, "live", live).await;
    let mut ann = Raw::open(&server, "live").await;
    // What it was told before does not hold any more.
    posts(&server, "live", on_top_of_a_list(60, 1)).await;
    let before = told(8).len();
    ann.send(frames::update(&on_top_of_a_list(61, 30_000))).await;
    assert!(ann.closed().await.is_some());
    let walks = told(8);
    assert!(walks.len() > before && walks.iter().all(|walk| walk.is_apart), "{walks:?}");

    posts(&server, "text", text).await;
    let (mut bob, init) = Scribe::opens(&server, "text", "bob").await;
    let (revision, length) = (init["revision"].as_u64().unwrap(), LETTERS - 1);
    bob.proposes("1", revision, json!([length, "a"])).await;
    bob.hears("ack").await;
    let before = told(9).len();
    bob.proposes("2", revision + 1, json!([length + 1, "a page ".repeat(1000)])).await;
    assert_eq!(bob.hears("error").await["code"], "document_full");
    let walks = told(9);
    assert!(walks.len() > before && walks.iter().all(|walk| walk.is_apart), "{walks:?}");
    assert_eq!(server.refused("document-too-large"), 2);
}

/// What somebody put on top of a list, entry by entry, without having seen what others did.
fn on_top_of_a_list(client: u8, entries: u64) -> Vec<u8> {
    let mut bytes =
        [vec![1], frames::uint(entries), vec![client, 0, 8, 1, 1, b'l', 1, 119, 1, b'x']].concat();
    for clock in 1..entries {
        bytes.extend([vec![0x48, client], frames::uint(clock - 1), vec![1, 119, 1, b'x']].concat());
    }
    bytes.push(0);
    bytes
}

/// Answered only when all that was sent before has been applied.
async fn asks_for_all(socket: &mut Raw) {
    socket.send(frames::empty_step1()).await;
    socket.hears(|frame| frame.starts_with(&[0, 1])).await;
}

#[tokio::test]
async fn what_is_large_and_honest_is_taken_live_and_over_http() {
    let server = TestServer::start().await;
    let seed = 20_261_128;
    eprintln!("seed {seed}");
    let giants = [
        ("text", long_text(large(50 << 20, 4 << 20))),
        ("history", long_history(seed, large(2_000_000, 60_000) as u32)),
    ];
    for (name, update) in giants {
        let mut author = Raw::open(&server, &format!("{name}-live")).await;
        author.send(frames::step2(&update)).await;
        asks_for_all(&mut author).await;
        let path = format!("/api/v1/documents/{name}-posted");
        let posted = rest::request(&server, "POST", &format!("{path}/updates")).body(update).send().await;
        posted.expect(200);
        let live = rest::get(&server, &format!("/api/v1/documents/{name}-live/text")).await.expect(200);
        let posted = rest::get(&server, &format!("{path}/text")).await.expect(200);
        assert!(live.text() == posted.text() && live.text().len() > 50_000, "{name}");
    }
    // Each entry of one is compared with each of the other, here and in every browser.
    let entries = large(4000, 2500) as u64;
    for client in [1, 2] {
        let mut author = Raw::open(&server, "list").await;
        author.send(frames::step2(&on_top_of_a_list(client, entries))).await;
        asks_for_all(&mut author).await;
        // They go on from there.
        author
            .send(frames::update(
                &[vec![1, 1, client], frames::uint(entries), vec![8, 1, 1, b'm', 1, 125, 1, 0]].concat(),
            ))
            .await;
        asks_for_all(&mut author).await;
    }
    assert_eq!(server.refused("too_dear") + server.refused("document_busy"), 0);
}

#[tokio::test]
async fn a_crowd_that_comes_back_after_a_restart_and_a_program_that_posts_on_and_on_are_taken() {
    let mut server = TestServer::start().await;
    let all = long_history(1, 30_000);
    rest::request(&server, "POST", "/api/v1/documents/notes/updates")
        .body(all.clone())
        .send()
        .await
        .expect(200);
    server.restart().await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        let mut socket = Raw::open(&server, "notes").await;
        // What a client repeats that has written nothing: every deletion there was.
        socket.send(frames::step2(&all)).await;
        socket.send(frames::empty_step1()).await;
        crowd.push(socket);
    }
    for socket in &mut crowd {
        socket.hears(|frame| frame.starts_with(&[0, 1])).await;
    }
    let program = Client::named("program");
    for _ in 0..large(1000, 200) {
        program.types("x");
        let posted = rest::request(&server, "POST", "/api/v1/documents/notes/updates").body(program.state());
        posted.send().await.expect(200);
    }
    assert_eq!(server.refused("too_dear") + server.refused("document_busy"), 0);
}
