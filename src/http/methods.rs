//! What can be done at a path, with its description, and the answer to everything else: 405, which says what can.

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError,
    guard::{self, GuardContext},
    http::{Method, StatusCode, header},
    web,
};
use utoipa::{
    __dev::{SchemaReferences, Tags},
    openapi::{HttpMethod, RefOr, Schema, path::Operation},
};

use super::error::ApiError;

/// A handler of the REST interface, with the description that `#[utoipa::path]` made of it.
macro_rules! described {
    ($module:ident::$handler:ident) => {
        pastey::paste! { ($module::$handler, $module::[<__path_ $handler>]) }
    };
}
pub(super) use described;

/// A path that is being given its methods.
pub(super) struct At {
    path: &'static str,
    resource: Resource,
    allowed: Vec<&'static str>,
    described: Vec<Description>,
}

/// What `#[utoipa::path]` makes.
pub(super) trait Described: utoipa::Path + SchemaReferences + Tags<'static> {}

impl<T: utoipa::Path + SchemaReferences + Tags<'static>> Described for T {}

/// How one method of a path is described.
pub(super) struct Description {
    /// By which method it is served.
    pub(super) method: HttpMethod,
    /// All about it.
    pub(super) operation: fn() -> Operation,
    /// What it belongs to.
    pub(super) tags: fn() -> Vec<&'static str>,
    /// The schemas that it speaks of, by their names.
    pub(super) schemas: fn(&mut Vec<(String, RefOr<Schema>)>),
    /// Of which methods and at which path the handler says that it is.
    #[cfg(test)]
    pub(super) said: fn() -> (Vec<HttpMethod>, String),
}

impl Description {
    fn of<D: Described>(method: HttpMethod, _: &D) -> Self {
        Self {
            method,
            operation: D::operation,
            tags: D::tags,
            schemas: D::schemas,
            #[cfg(test)]
            said: || (D::methods(), D::path()),
        }
    }
}

/// A path.
pub(super) fn at(path: &'static str) -> At {
    At { path, resource: web::resource(path), allowed: Vec::new(), described: Vec::new() }
}

impl At {
    /// GET, and HEAD, which is the same without the body.
    pub(super) fn read<F, Args, D>(mut self, (handler, description): (F, D)) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        D: Described,
    {
        self.allowed.extend(["GET", "HEAD"]);
        self.described.push(Description::of(HttpMethod::Get, &description));
        let either = guard::Any(guard::Get()).or(guard::Head());
        self.resource = self.resource.route(web::route().guard(either).to(handler));
        self
    }

    /// GET alone, of what cannot be asked for without getting it.
    pub(super) fn get<F, Args, D>(mut self, (handler, description): (F, D)) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        D: Described,
    {
        self.described.push(Description::of(HttpMethod::Get, &description));
        self.method(Method::GET, "GET", handler)
    }

    /// GET that becomes a WebSocket, which is no part of the REST interface.
    pub(super) fn socket<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::GET, "GET", handler)
    }

    /// The same, of requests that ask for it at a path that has something else for the others.
    pub(super) fn socket_if<F, Args>(mut self, is: fn(&GuardContext<'_>) -> bool, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::get().guard(guard::fn_guard(is)).to(handler));
        self
    }

    pub(super) fn post<F, Args, D>(mut self, (handler, description): (F, D)) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        D: Described,
    {
        self.described.push(Description::of(HttpMethod::Post, &description));
        self.method(Method::POST, "POST", handler)
    }

    pub(super) fn delete<F, Args, D>(mut self, (handler, description): (F, D)) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        D: Described,
    {
        self.described.push(Description::of(HttpMethod::Delete, &description));
        self.method(Method::DELETE, "DELETE", handler)
    }

    fn method<F, Args>(mut self, method: Method, name: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.allowed.push(name);
        self.resource = self.resource.route(web::method(method).to(handler));
        self
    }

    /// Where it is, and what can be done there that has a description.
    pub(super) fn described(&self) -> (&'static str, &[Description]) {
        (self.path, &self.described)
    }

    /// Everything else is answered with what there is.
    pub(super) fn done(self) -> Resource {
        let allowed = self.allowed.join(", ");
        self.resource.default_service(web::to(move |request: HttpRequest| {
            std::future::ready(not_allowed(&request, &allowed))
        }))
    }
}

/// The answer to a method that a path does not have: 405, or what it has, if that is what was asked.
pub(super) fn not_allowed(request: &HttpRequest, allowed: &str) -> HttpResponse {
    let mut response = if request.method() == Method::OPTIONS {
        HttpResponse::NoContent().finish()
    } else {
        let message = format!("{} is not possible here; possible is {allowed}", request.method());
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).error_response()
    };
    if let Ok(allowed) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
