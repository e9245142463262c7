//! Prints the description of the REST interface, as the server answers it at `/api/v1/openapi.json`: `make rest-types`
//! makes the page's types of it.

fn main() {
    println!("{}", weft::http::openapi::description());
}
