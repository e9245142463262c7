//! The description of the REST interface, held against the route table and against what is answered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    Talk, TestServer,
    rest::{delete, get, post, request},
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

/// Every method and path of the route table, read from the source. WebSockets take the rest of the path, are
/// upgrades, or have a guard that asks for one; they are not part of REST.
fn routed() -> BTreeSet<(String, String)> {
    let source = include_str!("../../src/http/mod.rs");
    let (_, table) = source.split_once("web::scope(\"").unwrap();
    let (scope, table) = table.split_once('"').unwrap();
    let (scoped, others) = table.split_once("    config\n").unwrap();
    let mut routes = BTreeSet::new();
    for (scope, table) in [(scope, scoped), ("", others)] {
        for route in table.split("at(\"").skip(1) {
            let (path, rest) = route.split_once('"').unwrap();
            let (handlers, _) = rest.split_once(".done()").unwrap();
            if path.contains(":.*}") || handlers.contains("upgrade::") {
                continue;
            }
            let before = routes.len();
            for method in METHODS.into_iter().chain(["read"]) {
                if handlers.contains(&format!(".{method}(")) {
                    let method = if method == "read" { "get" } else { method };
                    routes.insert((method.to_owned(), format!("{scope}{path}")));
                }
            }
            assert!(routes.len() > before, "no method is seen at {path}");
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

/// Whether a value is what a schema says, as far as our schemas say anything: types, required and known
/// properties, items, enumerations.
fn check(description: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(description, description.pointer(&reference[1..]).unwrap(), value, at);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|allowed| allowed == kind),
        allowed => allowed == kind,
    };
    assert!(allowed, "{at} is {kind}, and should be {}", schema["type"]);
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{at} is {value}");
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        check(description, &schema["items"], item, &format!("{at}/{number}"));
    }
    let Some(object) = value.as_object() else { return };
    let properties = schema["properties"].as_object().unwrap();
    for required in schema["required"].as_array().unwrap() {
        assert!(object.contains_key(required.as_str().unwrap()), "{at} has no {required}");
    }
    for (name, value) in object {
        let schema = properties.get(name).unwrap_or_else(|| panic!("{at}/{name} is not described"));
        check(description, schema, value, &format!("{at}/{name}"));
    }
}

#[tokio::test]
async fn answers_are_as_described() {
    let server = TestServer::start().await;
    let description = description(&server).await;
    let is = |schema: &str, value: &Value| {
        check(&description, &description["components"]["schemas"][schema], value, schema);
    };
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
    is("Document", &delete(&server, "/api/v1/documents/notes").await.expect(200).json());
    is("Error", &get(&server, attachments).await.expect(410).json());
}
