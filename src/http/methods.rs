//! What can be done at a path, and the answer to everything else: 405, which says what can.

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError,
    guard::{self, GuardContext},
    http::{Method, StatusCode, header},
    web,
};

use super::error::ApiError;

/// A path that is being given its methods.
pub(super) struct At {
    resource: Resource,
    allowed: Vec<&'static str>,
}

/// A path.
pub(super) fn at(path: &str) -> At {
    At { resource: web::resource(path), allowed: Vec::new() }
}

impl At {
    /// GET, and HEAD, which is the same without the body.
    pub(super) fn read<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.allowed.extend(["GET", "HEAD"]);
        let either = guard::Any(guard::Get()).or(guard::Head());
        self.resource = self.resource.route(web::route().guard(either).to(handler));
        self
    }

    /// GET alone, of what cannot be asked for without getting it.
    pub(super) fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::GET, "GET", handler)
    }

    /// GET of requests that are of some kind.
    pub(super) fn get_if<F, Args>(mut self, is: fn(&GuardContext<'_>) -> bool, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::get().guard(guard::fn_guard(is)).to(handler));
        self
    }

    pub(super) fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::POST, "POST", handler)
    }

    pub(super) fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
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
