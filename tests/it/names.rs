//! Names that no address can hold: not to be had, and what is stored under them since long is not out of reach.

use bytes::Bytes;
use weft::{
    ids::{DocumentName, Timestamp},
    store::{self, Append, Durability, LoggedUpdate, Unobserved},
};
use yrs::{Doc, Text as _, Transact as _};

use crate::support::{Client, PATIENCE, TestServer, Weft, process, rest, until};

#[tokio::test]
async fn dots_are_no_name_in_any_dialect_and_any_spelling() {
    let server = TestServer::start().await;
    for dots in [".", ".."] {
        let mut person = Client::named("ann").over_hocuspocus();
        person.wants(dots);
        person.connects(&server).await.unwrap();
        until("it is denied", || person.denied().is_some()).await;
        let said = person.denied().unwrap();
        assert!(said.contains("must not be . or .."), "{said}");
    }
    for spelling in [".", "..", "%2E", "%2e%2E", ".%2e"] {
        for path in [
            format!("/ws/{spelling}"),
            format!("/collab/{spelling}/ann"),
            format!("/chat/{spelling}?name=Ann"),
        ] {
            let answer = rest::get(&server, &path).await;
            assert_eq!(answer.status, 400, "{path}");
        }
        for path in ["", "/state", "/events", "/poll", "/chat", "/attachments"] {
            let path = format!("/api/v1/documents/{spelling}{path}");
            let answer = rest::get(&server, &path).await;
            assert_eq!(answer.status, 400, "{path}");
        }
    }
    let made = rest::post(&server, "/api/v1/documents", &serde_json::json!({"name": ".."})).await;
    assert_eq!(made.status, 400);
    assert!(server.registry().is_empty(), "nothing was opened");
}

/// A folder in which an earlier version let somebody write in `.` and `..`.
async fn inherited(folder: &std::path::Path) {
    let config =
        store::Config { data: folder.join("data"), durability: Durability::Kill, ..store::Config::default() };
    let store = store::open(config, std::sync::Arc::new(Unobserved)).unwrap();
    for dots in [".", ".."] {
        let doc = Doc::new();
        let text = doc.get_or_insert_text("text");
        let mut txn = doc.transact_mut();
        text.insert(&mut txn, 0, "somebody's words");
        let bytes: Bytes = txn.encode_update_v1().into();
        drop(txn);
        let update = LoggedUpdate { bytes, origin: None, at: Timestamp(1) };
        let document = DocumentName::parse_stored(dots).unwrap();
        store.append(vec![Append { document, updates: vec![update], summary: None }]).await.unwrap();
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_is_stored_under_dots_is_listed_read_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    inherited(folder.path()).await;
    let checked = process::run(folder.path(), &["check", "--data", "data"]).await;
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("the name .:") && said.contains("/api/v1/documents/%7F../text"), "{said}");

    let server = Weft::serve(folder.path(), &[]).await;
    let listed = rest::get(&server, "/api/v1/documents?limit=1").await.expect(200).json();
    let next = listed["next"].as_str().unwrap().to_owned();
    let rest_of_it = rest::get(&server, &format!("/api/v1/documents?after={next}")).await.expect(200).json();
    let mut names =
        [&listed, &rest_of_it].map(|page| page["documents"][0]["name"].as_str().unwrap().to_owned());
    names.sort();
    assert_eq!(names, [".", ".."]);
    for dots in names {
        let path = format!("/api/v1/documents/%7F{dots}");
        let text = rest::get(&server, &format!("{path}/text")).await.expect(200);
        assert_eq!(text.text(), "somebody's words");
        // Nothing can be written there.
        let updated = rest::request(&server, "POST", &format!("{path}/updates")).body([0, 0]).send().await;
        assert_eq!(updated.status, 400);
        rest::delete(&server, &path).await.expect(200);
        rest::post(&server, &format!("{path}/restore"), &serde_json::json!({})).await.expect(200);
        rest::delete(&server, &format!("{path}?permanent=true")).await.expect(204);
        rest::get(&server, &path).await.expect(410);
    }
    server.terminate();
    assert_eq!(server.ends_within(PATIENCE).await.status.code(), Some(0));
    let checked = process::run(folder.path(), &["check", "--data", "data"]).await;
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(!said.contains("the name"), "{said}");
}
