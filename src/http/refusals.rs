//! The refusals of the REST interface, as its description tells them: which status stands for which codes, and which
//! statuses go together.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema, ToResponse,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder, header::HeaderBuilder},
};

/// A refusal for each line, by its name, with a header if it carries one, in the words of the description.
macro_rules! refusals {
    ($($name:ident $([$header:literal])?: $description:literal;)*) => {
        $(
            #[doc = $description]
            pub(super) struct $name;

            impl ToResponse<'static> for $name {
                fn response() -> (&'static str, RefOr<Response>) {
                    let error = Content::new(Some(Ref::from_schema_name("Error")));
                    let response = ResponseBuilder::new().description($description).content("application/json", error);
                    $(let response = response.header($header, HeaderBuilder::new().schema(Some(String::schema())).build());)?
                    (stringify!($name), response.build().into())
                }
            }
        )*

        /// All of them, for references to lead to.
        pub(super) fn all() -> impl Iterator<Item = (&'static str, RefOr<Response>)> {
            [$($name::response()),*].into_iter()
        }
    };
}

refusals! {
    BadRequest: "The request is not understood: `invalid_name`, `invalid_query`, `invalid_body`, `invalid_update`, `session_missing`, `refused_message`, `invalid_origin`, or sent to another name: `unknown_host`.";
    Unauthorized ["WWW-Authenticate"]: "Who is this? A token is missing, or it is not good: `unauthorized`.";
    Forbidden: "Whoever asks may do less with the document than that: `forbidden`. Or pages of this origin may not change documents: `origin_not_allowed`.";
    NotFound: "There is no such document, or none that whoever asks may read, or nothing of this id beside it: `not_found`, `no_such_attachment`.";
    TooSlow: "The body came too slowly: `too_slow`.";
    Conflict: "The update builds upon changes that the document does not have: `incomplete_update`.";
    Gone: "The document is in the trash or was deleted for ever: `in_trash`, `deleted`.";
    TooLarge: "The body is too large: `too_large`.";
    BeyondTheEnd ["Content-Range"]: "There is no such part: `range_not_satisfiable`.";
    Unreadable: "What the document holds contradicts itself, or stands for more than can be read: `unreadable_document`. `/state` has it as it is.";
    Inapplicable: "Well-formed, and yet it cannot be applied to this document: `refused_update`.";
    RefusedAgain: "What was last sent from here into this document was refused, again and again: `refused_again`. `Retry-After` says when to come back.";
    Internal: "`internal`, or `damaged` if what is stored of the document is.";
    Unavailable: "Not now: `store_unwritable`, `store_unreadable`, `shutting_down`, `document_full`, `too_many_connections`, `too_many_bodies`, `too_many_answers`, `busy`.";
    Full: "The document holds as many attachments as it may: `attachments_full`.";
}

/// Refusals that are possible together, by their statuses.
macro_rules! together {
    ($($(#[$doc:meta])* $name:ident: $($status:literal $refusal:ident),*;)*) => {
        $(
            $(#[$doc])*
            pub(super) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    let refusals = [$(($status, stringify!($refusal))),*];
                    let references = refusals.map(|(status, name)| (status.to_string(), Ref::from_response_name(name).into()));
                    references.into()
                }
            }
        )*
    };
}

together! {
    /// Of what is asked of the server itself.
    Asking: 400 BadRequest, 401 Unauthorized, 403 Forbidden;
    /// Of what is asked of all documents.
    Listing: 400 BadRequest, 401 Unauthorized, 500 Internal, 503 Unavailable;
    /// Of what is asked of one.
    Reading: 400 BadRequest, 401 Unauthorized, 404 NotFound, 410 Gone, 500 Internal, 503 Unavailable;
    /// Of what it says to who does not speak Yjs.
    Exporting: 400 BadRequest, 401 Unauthorized, 404 NotFound, 410 Gone, 422 Unreadable, 500 Internal, 503 Unavailable;
    /// Of what changes one.
    Changing: 400 BadRequest, 401 Unauthorized, 403 Forbidden, 404 NotFound, 410 Gone, 500 Internal, 503 Unavailable;
    /// Of what makes one, with a body.
    Creating: 400 BadRequest, 401 Unauthorized, 403 Forbidden, 404 NotFound, 408 TooSlow, 410 Gone, 413 TooLarge, 500 Internal, 503 Unavailable;
    /// Of what is sent to one, as a body.
    Sending: 400 BadRequest, 401 Unauthorized, 403 Forbidden, 404 NotFound, 408 TooSlow, 410 Gone, 413 TooLarge, 500 Internal,
        503 Unavailable;
    /// Of listening to a session.
    Listening: 400 BadRequest, 403 Forbidden, 404 NotFound, 410 Gone, 503 Unavailable;
}
