//! Who is here: seen by the others, spoken for by nobody else, gone when they are gone and not before.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Client, Raw, TestServer, frames, until,
    wire::{self, Wire},
};

/// Long enough that no test meets its end by accident, short enough to wait for.
const GRACE: Duration = Duration::from_millis(1500);

async fn server() -> TestServer {
    TestServer::setup().with(|config| config.document.presence.grace = GRACE).start().await
}

#[tokio::test]
async fn people_see_each_other() {
    let server = server().await;
    let ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    let state = json!({"user": {"name": "Ann", "color": "#f00"}, "cursor": null});
    ann.shows(&state);
    bob.sees_soon(&ann, Some(&state)).await;
    let moved = json!({"user": {"name": "Ann", "color": "#f00"}, "cursor": 5});
    ann.shows(&moved);
    bob.sees_soon(&ann, Some(&moved)).await;
    // Who comes later is told.
    let carl = server.client("carl", "notes").await;
    carl.sees_soon(&ann, Some(&moved)).await;
    // In another document nobody is.
    let dora = server.client("dora", "other").await;
    dora.hears_all_so_far().await;
    assert_eq!(dora.sees(&ann), None);
}

#[tokio::test]
async fn who_asks_who_is_here_is_told() {
    let server = server().await;
    let ann = server.client("ann", "notes").await;
    ann.shows(&json!({"name": "Ann"}));
    let mut raw = Raw::open(&server, "notes").await;
    raw.hears(|frame| frame[0] == 1 && frame.len() > 3).await;
    raw.send(vec![3]).await;
    let answer = raw.hears(|frame| frame[0] == 1).await;
    assert_eq!(answer, frames::awareness(&[(ann.id(), 1, r#"{"name":"Ann"}"#)]));
}

/// A board with hundreds of shapes selected shows more than others are sent. Sent away for it, its client would come
/// back and show the same.
#[tokio::test]
async fn who_shows_too_much_is_not_shown_and_stays() {
    let server = server().await;
    let bob = server.client("bob", "notes").await;
    let mut raw = Raw::open(&server, "notes").await;
    let large = format!(r#"{{"selected":"{}"}}"#, "x".repeat(70_000));
    raw.send(frames::awareness(&[(666, 1, &large)])).await;
    raw.send(frames::awareness(&[(666, 2, r#"{"selected":"x"}"#)])).await;
    let somebody = Client::with_id("somebody", 666);
    bob.sees_soon(&somebody, Some(&json!({"selected": "x"}))).await;
    assert_eq!(server.refused("presence_size"), 1);
}

#[tokio::test]
async fn nobody_speaks_for_a_living_one() {
    let server = server().await;
    let ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    let state = json!({"name": "Ann"});
    ann.shows(&state);
    bob.sees_soon(&ann, Some(&state)).await;

    let mut mallory = Raw::open(&server, "notes").await;
    let own = r#"{"name":"Mallory"}"#;
    mallory.send(frames::awareness(&[(666, 1, own)])).await;
    mallory.send(frames::awareness(&[(ann.id(), 50, r#"{"name":"not Ann"}"#)])).await;
    mallory.send(frames::awareness(&[(ann.id(), 60, "null")])).await;
    // What Mallory says of itself afterwards arrives, so what came before has been looked at.
    mallory.send(frames::awareness(&[(666, 2, r#"{"name":"Mallory","done":true}"#)])).await;
    let somebody = Client::with_id("mallory", 666);
    bob.sees_soon(&somebody, Some(&json!({"name": "Mallory", "done": true}))).await;
    assert_eq!(bob.sees(&ann), Some(state));
    assert_eq!(bob.removals_of(&ann), 0);

    // Ann proves that she lives (she answers pings), and goes on being herself.
    ann.shows(&json!({"name": "Ann", "still": "here"}));
    bob.sees_soon(&ann, Some(&json!({"name": "Ann", "still": "here"}))).await;
}

#[tokio::test]
async fn a_short_interruption_is_not_noticed() {
    let server = server().await;
    let mut ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    let state = json!({"name": "Ann"});
    ann.shows(&state);
    bob.sees_soon(&ann, Some(&state)).await;

    for _ in 0..3 {
        // She comes back under the same id with an unchanged clock, as a browser does.
        ann.drops().await;
        ann.comes_back(&server).await;
    }
    // Dave drops after her and stays away. Once he is gone, so is the grace of each of her interruptions.
    let mut dave = server.client("dave", "notes").await;
    dave.shows(&json!({"name": "Dave"}));
    bob.sees_soon(&dave, Some(&json!({"name": "Dave"}))).await;
    dave.drops().await;
    bob.sees_soon(&dave, None).await;
    let carl = server.client("carl", "notes").await;
    carl.sees_soon(&ann, Some(&state)).await;
    bob.hears_all_so_far().await;
    assert_eq!(bob.sees(&ann), Some(state));
    assert_eq!(bob.removals_of(&ann), 0, "bob was told that she had gone");
}

#[tokio::test]
async fn who_does_not_come_back_is_gone_after_the_grace() {
    let server = server().await;
    let mut ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    ann.shows(&json!({"name": "Ann"}));
    bob.sees_soon(&ann, Some(&json!({"name": "Ann"}))).await;
    let dropped = Instant::now();
    ann.drops().await;
    bob.sees_soon(&ann, None).await;
    assert!(dropped.elapsed() >= GRACE, "after {:?} already", dropped.elapsed());
    assert_eq!(bob.removals_of(&ann), 1);
    // And after that she is new again, at a higher clock.
    ann.comes_back(&server).await;
    ann.shows(&json!({"name": "Ann again"}));
    bob.sees_soon(&ann, Some(&json!({"name": "Ann again"}))).await;
}

#[tokio::test]
async fn who_says_goodbye_is_gone_at_once() {
    // With a grace of which nobody would see the end.
    let setup = TestServer::setup().with(|config| config.document.presence.grace = Duration::from_secs(29));
    let server = setup.start().await;
    let bob = server.client("bob", "notes").await;
    for code in [1000, 1001] {
        let mut ann = server.client("ann", "notes").await;
        ann.shows(&json!({"name": "Ann"}));
        bob.sees_soon(&ann, Some(&json!({"name": "Ann"}))).await;
        ann.closes(code).await;
        bob.sees_soon(&ann, None).await;
        assert_eq!(bob.removals_of(&ann), 1);
    }
    let carl = server.client("carl", "notes").await;
    carl.shows(&json!({"name": "Carl"}));
    bob.sees_soon(&carl, Some(&json!({"name": "Carl"}))).await;
    carl.hides();
    bob.sees_soon(&carl, None).await;
}

#[tokio::test]
async fn who_is_back_on_a_new_socket_takes_over_from_the_dead_one() {
    let setup = TestServer::setup().with(|config| {
        config.document.presence.grace = Duration::from_secs(29);
        config.http.connection.heartbeat.probe_within = Duration::from_millis(300);
    });
    let server = setup.start().await;
    let bob = server.client("bob", "notes").await;
    // Her laptop sleeps: the socket stays open, and answers nothing.
    let old = Client::with_id("ann", 5).opens(&server, "notes").await;
    old.shows(&json!({"at": "the old socket"}));
    bob.sees_soon(&old, Some(&json!({"at": "the old socket"}))).await;
    old.stops_reading();

    let new = Client::with_id("ann", 5).opens(&server, "notes").await;
    new.shows(&json!({"at": "unchanged clock"}));
    new.shows(&json!({"at": "the new socket"}));
    bob.sees_soon(&new, Some(&json!({"at": "the new socket"}))).await;
    assert_eq!(bob.removals_of(&new), 0, "she was never gone");
    assert_eq!(server.registry().editors(&crate::support::server::name("notes")), 2, "the dead one is out");
    // She owns her id now.
    new.shows(&json!({"at": "home"}));
    bob.sees_soon(&new, Some(&json!({"at": "home"}))).await;
}

/// Somebody on a bare socket who is seen by `bob`.
async fn present(server: &TestServer, bob: &Client, id: u64) -> (Client, Wire) {
    let mut wire = Wire::open(server, "/ws/notes").await;
    let state = json!({"n": id});
    let frame = frames::awareness(&[(id, 1, &state.to_string())]);
    assert!(wire.sends(&wire::frame(0x82, &frame)).await);
    let somebody = Client::with_id("somebody", id);
    bob.sees_soon(&somebody, Some(&state)).await;
    (somebody, wire)
}

#[tokio::test]
async fn a_reset_is_not_a_goodbye() {
    // With a grace of which nobody will see the end.
    let setup = TestServer::setup().with(|config| config.document.presence.grace = Duration::from_secs(29));
    let server = setup.start().await;
    let bob = server.client("bob", "notes").await;
    // Often, because what is noticed first, the end of what they say or of what they can be told, is left to chance.
    for id in 1..=40 {
        let (somebody, wire) = present(&server, &bob, id).await;
        if id % 2 == 0 {
            // In the middle of being written to.
            bob.types(&"x".repeat(1000));
        }
        wire.resets();
        until("the server has noticed", || server.metrics().connections.get() == 1).await;
        bob.hears_all_so_far().await;
        assert_eq!(bob.removals_of(&somebody), 0, "somebody {id} counts as gone");
        assert!(bob.sees(&somebody).is_some());
    }
}

#[tokio::test]
async fn a_goodbye_is_not_a_reset() {
    let setup = TestServer::setup().with(|config| config.document.presence.grace = Duration::from_secs(29));
    let server = setup.start().await;
    let bob = server.client("bob", "notes").await;
    for id in 1..=40 {
        let (somebody, mut wire) = present(&server, &bob, id).await;
        // A page that closes says so and hangs up at once, whatever is on its way to it.
        bob.types(&"x".repeat(1000));
        assert!(wire.sends(&wire::close(1001, b"")).await);
        match id % 3 {
            0 => wire.resets(),
            _ => drop(wire),
        }
        bob.types(&"x".repeat(1000));
        bob.sees_soon(&somebody, None).await;
    }
}

#[tokio::test]
async fn what_was_said_right_before_a_goodbye_counts() {
    let server = server().await;
    let bob = server.client("bob", "notes").await;
    for n in 0..20 {
        let ann = Client::named("ann");
        ann.types(&format!("<{n}>"));
        let mut wire = Wire::open(&server, "/ws/notes").await;
        let update = wire::frame(0x82, &frames::update(&ann.state()));
        assert!(wire.sends(&[update, wire::close(1000, b"")].concat()).await);
        wire.resets();
        until("it arrived", || bob.text().contains(&format!("<{n}>"))).await;
    }
}
