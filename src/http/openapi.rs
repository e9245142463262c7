//! `/api/v1/openapi.json`: the REST interface, described for programs that make clients of descriptions.
//!
//! The description is gathered from the route table: every handler there carries its own, and the types that it reads and
//! answers theirs.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use bytes::Bytes;
use utoipa::{
    OpenApi, ToSchema,
    openapi::{Components, RefOr, Schema},
};

use super::{
    documents, error,
    refusals::{self, Asking},
    table,
};
use crate::ids::DocumentName;

/// What is said of the interface as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Weft",
        version = "1",
        description = include_str!("openapi.md"),
        license(name = "MIT", identifier = "MIT")
    ),
    servers((url = "/")),
    tags(
        (name = "documents", description = "Documents as a whole."),
        (name = "content", description = "What is in a document."),
        (name = "attachments", description = "Files beside a document."),
        (name = "chat", description = "What people say beside a document."),
        (name = "server", description = "The server itself."),
        (name = "live", description = "Sessions without a WebSocket.")
    )
)]
struct Interface;

/// The description, in JSON.
pub fn description() -> String {
    gathered().to_json().unwrap_or_default()
}

/// The interface, as the route table has it.
fn gathered() -> utoipa::openapi::OpenApi {
    let mut interface = Interface::openapi();
    let mut schemas = Vec::new();
    for at in table() {
        let (path, described) = at.described();
        for description in described {
            let methods = vec![description.method.clone()];
            let mut operation = (description.operation)();
            operation.tags = Some((description.tags)().into_iter().map(str::to_owned).collect());
            interface.paths.add_path_operation(path, methods, operation);
            (description.schemas)(&mut schemas);
        }
    }
    // Named by what does not bring them along: paths, queries, refusals, and bodies that need not be.
    schemas.extend([named::<DocumentName>(), named::<documents::ShelfName>(), named::<error::Body<'_>>()]);
    schemas.extend([named::<documents::Creation>(), named::<documents::Stateless>()]);
    let mut components = Components::new();
    components.schemas.extend(schemas);
    components.responses.extend(refusals::all().map(|(name, response)| (name.to_owned(), response)));
    interface.components = Some(components);
    interface
}

fn named<T: ToSchema>() -> (String, RefOr<Schema>) {
    (T::name().into(), T::schema())
}

/// This description
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "getDescription",
    tag = "server",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Map<String, serde_json::Value>), Asking)
)]
pub async fn describe() -> HttpResponse {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| description().into());
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("cache-control", "no-cache"))
        .body(TEXT.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands above a handler is not what it is found by: the table is. So the two must not differ.
    #[test]
    fn handlers_say_of_themselves_where_the_table_has_them() {
        for at in table() {
            let (path, described) = at.described();
            for description in described {
                let (methods, said) = (description.said)();
                assert_eq!(said, path);
                assert!(methods == [description.method.clone()], "{path}");
            }
        }
    }
}
