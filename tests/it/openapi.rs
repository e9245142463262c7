//! The description of the REST interface, held against the route table and against what is answered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    http::route_table,
    support::{
        Talk, TestServer,
        rest::{delete, get, post, request},
    },
};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn description(server: &TestServer) -> Value {
    let answer = get(server, "/api/v1/openapi.json").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

/// Every described method and path.
fn described(description: &Value) -> BTreeSet<(String, String)> {
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = METHODS.iter().filter(|method| item.get(**method).is_some());
        methods.map(move |method| ((*method).to_owned(), path.clone()))
    });
    operations.collect()
}

/// Every method and path of the route table, read from the source. WebSockets are not part of REST.
fn routed() -> BTreeSet<(String, String)> {
    const SOCKETS: [&str; 6] = [
        "/ws/{document:.*}",
        "/hocuspocus",
        "/hocuspocus/{anything:.*}",
        "/collab/{document:.*}/{editor}",
        "/chat/{document:.*}",
        "/metrics",
    ];
    let mut routes = BTreeSet::new();
    for (path, handlers) in route_table() {
        assert_eq!(
            handlers.contains(".socket"),
            SOCKETS.contains(&path),
            "{path} is a socket, and which are is known"
        );
        for method in METHODS.into_iter().chain(["read"]) {
            if handlers.contains(&format!(".{method}(")) {
                let method = if method == "read" { "get" } else { method };
                routes.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    routes
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let server = TestServer::start().await;
    let description = description(&server).await;
    assert_eq!(description["openapi"], "3.1.0");
    let (described, routed) = (described(&description), routed());
    assert!(routed.len() > 15, "{routed:?}");
    let missing: Vec<_> = routed.difference(&described).collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
    let invented: Vec<_> = described.difference(&routed).collect();
    assert!(invented.is_empty(), "described, and not in the route table: {invented:?}");
    for (method, path) in described {
        let path =
            path.replace("{name}", "no%20such").replace("{id}", "00000000-0000-0000-0000-000000000000");
        // Streams have no end, and polls a late one; neither begins with a query that is not understood.
        let endless = path.ends_with("/events") || path.ends_with("/poll");
        let path = if endless { format!("{path}?colour=red") } else { path };
        let answer = request(&server, &method.to_uppercase(), &path).send().await;
        let error = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        assert_ne!(error["error"]["code"], "no_such_endpoint", "{method} {path}");
    }
}

#[tokio::test]
async fn the_description_is_whole() {
    let server = TestServer::start().await;
    let description = description(&server).await;
    let mut references = Vec::new();
    collect(&description, "$ref", &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    let tags: Vec<_> = description["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (method, path) in described(&description) {
        let item = &description["paths"][&path];
        let operation = &item[&method];
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path} has another's id");
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path}");
        assert!(operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('2')));
        let named: Vec<String> = [item, operation]
            .iter()
            .filter_map(|place| place["parameters"].as_array())
            .flatten()
            .map(|parameter| match parameter["$ref"].as_str() {
                Some(reference) => description.pointer(&reference[1..]).unwrap(),
                None => parameter,
            })
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
            .collect();
        let wanted: Vec<&str> = path.split('/').filter(|segment| segment.starts_with('{')).collect();
        assert_eq!(named, wanted, "{method} {path}");
    }
}

fn collect<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(key));
            object.values().for_each(|value| collect(value, key, found));
        }
        Value::Array(array) => array.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}

/// Whether a value is what a schema of the description says, and says nothing beside it.
fn check(description: &Value, schema: &str, value: &Value) {
    let mut schemas = description["components"]["schemas"].clone();
    for schema in schemas.as_object_mut().unwrap().values_mut().filter(|schema| schema["type"] == "object") {
        schema["additionalProperties"] = false.into();
    }
    let root = json!({"$ref": format!("#/components/schemas/{schema}"), "components": {"schemas": schemas}});
    let validator = jsonschema::draft202012::new(&root).unwrap();
    let wrong: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{value} is no {schema}: {wrong:#?}");
}

#[tokio::test]
async fn a_schema_is_held_against_what_it_says() {
    let server = TestServer::start().await;
    let description = description(&server).await;
    let document = post(&server, "/api/v1/documents", &json!({"name": "notes"})).await.expect(201).json();
    check(&description, "Document", &document);
    let changes: [(&str, Value); 5] = [
        ("name", json!("..")),
        ("bytes", json!(-1)),
        ("state", json!("lost")),
        ("title", json!(1)),
        ("colour", json!("red")),
    ];
    for (key, value) in changes {
        let mut wrong = document.clone();
        wrong[key] = value;
        let checked = std::panic::catch_unwind(|| check(&description, "Document", &wrong));
        assert!(checked.is_err(), "{key} passes: {wrong}");
    }
}

#[tokio::test]
async fn answers_are_as_described() {
    let server = TestServer::start().await;
    let description = description(&server).await;
    let is = |schema: &str, value: &Value| check(&description, schema, value);
    is(
        "Document",
        &post(&server, "/api/v1/documents", &json!({"name": "notes", "title": "T"})).await.expect(201).json(),
    );
    is("Document", &post(&server, "/api/v1/documents", &json!({})).await.expect(201).json());
    is("DocumentPage", &get(&server, "/api/v1/documents?limit=1").await.expect(200).json());
    is("DocumentPage", &get(&server, "/api/v1/documents").await.expect(200).json());
    let attachments = "/api/v1/documents/notes/attachments";
    for name in ["", "?name=x"] {
        let made = request(&server, "POST", &format!("{attachments}{name}")).body(format!("x{name}"));
        is("Attachment", &made.send().await.expect(201).json());
    }
    is("Attachment", &get(&server, attachments).await.expect(200).json()["attachments"][0]);
    let mut ann = Talk::open(&server, "/chat/notes?name=Ann").await;
    ann.hears("history").await;
    for number in 0..2 {
        ann.says("message", json!({"id": format!("message-{number}"), "text": "hi"})).await;
        is("ChatMessage", &ann.hears("message").await);
    }
    is("ChatPage", &get(&server, "/api/v1/documents/notes/chat").await.expect(200).json());
    is("ChatPage", &get(&server, "/api/v1/documents/notes/chat?limit=1").await.expect(200).json());
    is("Error", &get(&server, "/api/v1/documents/none").await.expect(404).json());
    let poll = post(&server, "/api/v1/documents/notes/sessions", &json!({})).await.expect(201).json();
    let session = poll["session"].as_str().unwrap();
    let poll = get(&server, &format!("/api/v1/documents/notes/poll?session={session}&wait=0")).await;
    is("PollAnswer", &poll.expect(200).json());
    is("Document", &delete(&server, "/api/v1/documents/notes").await.expect(200).json());
    is("Error", &get(&server, attachments).await.expect(410).json());
}
