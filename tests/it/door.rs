//! Whom the server answers, and what every answer carries.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    Address, Answer, PATIENCE, Raw, TestServer, Weft,
    rest::{Request, get, request},
    until_answer,
};

/// One of each kind of path.
const EVERYWHERE: [&str; 12] = [
    "/",
    "/d/notes",
    "/index.html",
    "/missing.css",
    "/livez",
    "/readyz",
    "/metrics",
    "/api/v1/documents",
    "/api/v1/documents/notes/text",
    "/api/v1/documents/notes/attachments",
    "/api/v1/openapi.json",
    "/api/v1/nothing",
];

const SOCKETS: [&str; 5] = ["/ws/notes", "/hocuspocus", "/collab/notes/ann", "/chat/notes", "/metrics"];

/// Sends these bytes, and says what comes back until the server has said all.
async fn exchange(server: &impl Address, bytes: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, reading).await.expect("it answers and ends").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn status(server: &impl Address, head: &str) -> u16 {
    let answer = exchange(server, &format!("{head}\r\nconnection: close\r\n\r\n")).await;
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("{head:?} is answered {answer:?}")).parse().unwrap()
}

fn with_host(server: &impl Address, path: &str, host: &str) -> Request {
    request(server, "GET", path).header("accept", "text/html,*/*").header("host", host)
}

// ---- the name -----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_strangers_name_reads_nothing() {
    let server = TestServer::start().await;
    for path in EVERYWHERE {
        let refused = with_host(&server, path, "evil.example").send().await;
        assert_eq!(refused.error(), (400, "unknown_host".to_owned()), "{path}");
        assert!(refused.text().contains("public_host"), "it says what to do: {}", refused.text());
        for own in ["localhost:1234", "[::1]", "127.0.0.1", "weft.localhost:80"] {
            assert_ne!(with_host(&server, path, own).send().await.status, 400, "{path} at {own}");
        }
    }
    for path in SOCKETS {
        let refusal = Raw::try_open(&server, path, &[("host", "evil.example")]).await.err().expect(path);
        assert_eq!(refusal.status, 400, "{path}");
        assert!(Raw::try_open(&server, path, &[("host", "localhost")]).await.is_ok(), "{path}");
    }
    for method in ["POST", "DELETE", "OPTIONS", "PUT"] {
        let refused = request(&server, method, "/api/v1/documents/notes").header("host", "evil.example");
        assert_eq!(refused.send().await.error(), (400, "unknown_host".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn a_name_is_looked_for_wherever_it_can_stand() {
    let server = TestServer::start().await;
    for (head, expected) in [
        ("GET /livez HTTP/1.1\r\nhost: localhost", 200),
        ("GET /livez HTTP/1.1\r\nhost: evil.example", 400),
        ("GET /livez HTTP/1.1", 400),
        ("GET /livez HTTP/1.1\r\nhost:", 400),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: localhost", 400),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: evil.example", 400),
        ("GET /livez HTTP/1.1\r\nhost: localhost, evil.example", 400),
        ("GET http://localhost/livez HTTP/1.1\r\nhost: localhost", 200),
        ("GET http://evil.example/livez HTTP/1.1\r\nhost: localhost", 400),
        ("GET http://localhost/livez HTTP/1.1\r\nhost: evil.example", 400),
        // What asks whether a server lives, in the manner of load balancers; no browser speaks so.
        ("GET /livez HTTP/1.0", 200),
        ("GET /livez HTTP/1.0\r\nhost: evil.example", 400),
    ] {
        assert_eq!(status(&server, head).await, expected, "{head:?}");
    }
}

#[tokio::test]
async fn behind_a_proxy_it_has_the_name_that_people_use() {
    let named = |hosts: &'static [&'static str]| {
        TestServer::setup().settings(move |settings| {
            settings.public_host = Some(hosts.iter().map(ToString::to_string).collect());
        })
    };
    let server = named(&["weft.example"]).start().await;
    let headers = [("host", "weft.example"), ("origin", "https://weft.example")];
    with_host(&server, "/", "weft.example").send().await.expect(200);
    assert!(Raw::try_open(&server, "/ws/notes", &headers).await.is_ok());
    // A proxy that puts the address in place of the name.
    let replaced = [("origin", "https://weft.example")];
    assert!(Raw::try_open(&server, "/ws/notes", &replaced).await.is_ok());
    let stranger = [("host", "weft.example"), ("origin", "https://evil.example")];
    assert!(Raw::try_open(&server, "/ws/notes", &stranger).await.is_err());
    with_host(&server, "/", "evil.example").send().await.expect(400);
    let any = named(&["*"]).start().await;
    with_host(&any, "/", "whatever.example").send().await.expect(200);
}

#[tokio::test]
async fn open_to_others_it_needs_no_name_for_addresses_and_needs_one_for_names() {
    let open = TestServer::setup().with(|config| config.http.origins.hosts.loopback = false);
    let server = open.start().await;
    for host in ["192.168.1.5:8080", "[2001:db8::1]", "machine:8080", "machine.local", "localhost"] {
        with_host(&server, "/livez", host).send().await.expect(200);
    }
    let refused = with_host(&server, "/livez", "evil.example:8080").send().await;
    assert!(refused.clone().expect(400).text().contains("--public-host evil.example"), "{}", refused.text());
    // Pages that it serves itself may write, others not.
    for (origin, expected) in [("http://machine:8080", 201), ("http://machine:3000", 403)] {
        let create = request(&server, "POST", "/api/v1/documents").header("host", "machine:8080");
        create.header("origin", origin).send().await.expect(expected);
    }
}

// ---- pages --------------------------------------------------------------------------------------------

#[tokio::test]
async fn nobody_comes_from_two_pages() {
    let server = TestServer::start().await;
    let twice = "host: localhost\r\norigin: http://localhost\r\norigin: http://localhost";
    for line in ["GET /livez", "POST /api/v1/documents", "GET /api/v1/documents", "OPTIONS /api/v1/documents"]
    {
        assert_eq!(status(&server, &format!("{line} HTTP/1.1\r\n{twice}")).await, 400, "{line}");
    }
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    let once = twice.rsplit_once("\r\n").unwrap().0;
    for path in SOCKETS {
        for (origin, expected) in [(once, "HTTP/1.1 101"), (twice, "HTTP/1.1 400")] {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            let head = format!("GET {path} HTTP/1.1\r\n{origin}\r\n{upgrade}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, expected.as_bytes(), "{path}");
        }
    }
}

fn allows(answer: &Answer) -> &str {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn a_page_that_may_open_a_socket_may_use_everything_else() {
    let server = TestServer::setup()
        .settings(|settings| settings.allow_origin = Some(vec!["https://notes.example".to_owned()]))
        .start()
        .await;
    let documents = "/api/v1/documents";
    request(&server, "POST", "/api/v1/documents/notes/attachments").body("x").send().await.expect(201);
    let begin = request(&server, "POST", "/api/v1/documents/notes/sessions");
    let session = begin.send().await.expect(201).json();
    let messages = format!("{documents}/notes/messages?session={}", session["session"].as_str().unwrap());
    let poll = format!("{documents}/notes/poll?session={}&wait=0", session["session"].as_str().unwrap());
    let paths = [
        ("GET", "/livez"),
        ("GET", "/api/v1/documents"),
        ("POST", "/api/v1/documents"),
        ("GET", "/api/v1/documents/notes/text"),
        ("GET", "/api/v1/documents/notes/chat"),
        ("GET", "/api/v1/documents/notes/attachments"),
        ("GET", "/api/v1/documents/none"),
        ("PUT", "/api/v1/documents"),
        ("POST", messages.as_str()),
        ("GET", poll.as_str()),
    ];
    for (origin, may) in [
        ("https://notes.example", true),
        ("http://localhost:5173", true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let opened = Raw::try_open(&server, "/ws/notes", &[("origin", origin)]).await;
        assert_eq!(opened.is_ok(), may, "{origin}");
        for (method, path) in paths {
            let answer = request(&server, method, path).header("origin", origin).send().await;
            assert_eq!(allows(&answer), if may { origin } else { "" }, "{method} {path} from {origin}");
            let shared = if may { "cross-origin" } else { "same-origin" };
            assert_eq!(answer.header("cross-origin-resource-policy"), shared);
            assert!(answer.all("vary").contains(&"origin"), "{path}");
            let preflight = request(&server, "OPTIONS", path)
                .header("origin", origin)
                .header("access-control-request-method", method)
                .header("access-control-request-headers", "content-type")
                .send()
                .await;
            assert_eq!(preflight.status, if may { 204 } else { 403 }, "{method} {path} from {origin}");
            assert_eq!(allows(&preflight), if may { origin } else { "" });
            if may {
                let methods = preflight.header("access-control-allow-methods");
                assert!(["GET", "HEAD", "POST", "DELETE"].iter().all(|method| methods.contains(method)));
                let sent = preflight.header("access-control-allow-headers");
                assert!(["content-type", "authorization", "range"].iter().all(|name| sent.contains(name)));
            }
        }
    }
    // Events, whose answer has no end.
    let head =
        "GET /api/v1/documents/notes/events HTTP/1.1\r\nhost: localhost\r\norigin: https://notes.example";
    let mut events = TcpStream::connect(server.address()).await.unwrap();
    events.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        let mut piece = [0; 512];
        let count = events.read(&mut piece).await.unwrap();
        answer.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
    assert!(answer.contains("access-control-allow-origin: https://notes.example\r\n"), "{answer}");
}

// ---- answers ------------------------------------------------------------------------------------------

#[tokio::test]
async fn no_answer_can_be_taken_for_something_else() {
    let server = TestServer::start().await;
    let ann = server.client("ann", "notes").await;
    ann.types("alert(1)");
    let text = "/api/v1/documents/notes/text";
    until_answer("it is there", async || (get(&server, text).await.text() == "alert(1)").then_some(())).await;
    for path in EVERYWHERE {
        for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
            let answer = request(&server, method, path).send().await;
            let is = |name| answer.header(name);
            assert_eq!(is("x-content-type-options"), "nosniff", "{method} {path}");
            assert_eq!(is("cross-origin-resource-policy"), "same-origin", "{method} {path}");
            assert!(is("content-security-policy").contains("default-src 'none'"), "{method} {path}");
            assert!(["no-referrer", "same-origin"].contains(&is("referrer-policy")), "{method} {path}");
            assert!(answer.body.is_empty() || !is("content-type").is_empty(), "{method} {path}");
        }
    }
    let script = get(&server, text).await.expect(200);
    assert_eq!(script.header("content-type"), "text/plain; charset=utf-8");
}

// ---- what is no request -------------------------------------------------------------------------------

#[tokio::test]
async fn garbage_is_one_line_for_who_looks_closely() {
    for (log, expected) in [("info", 0), ("weft=debug", 1), ("debug", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let server = Weft::serve(folder.path(), &["--log", log]).await;
        let answer = exchange(&server, "G\u{1}RBAGE \r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        // The server notes it when the peer has gone, which may be after it is told to stop.
        if expected > 0 {
            let noted = async || server.log().contains("connection ended").then_some(());
            until_answer("the end of the connection is noted", noted).await;
        }
        server.terminate();
        let ended = server.ends_within(PATIENCE).await;
        let lines = || ended.stderr.lines().filter(|line| !line.contains(" TRACE "));
        assert!(!ended.stderr.contains("ERROR"), "{log}: {}", ended.stderr);
        let about = lines().filter(|line| line.contains("connection ended")).collect::<Vec<_>>();
        assert_eq!(about.len(), expected, "{log}: {}", ended.stderr);
        assert!(about.iter().all(|line| line.contains("DEBUG")), "{about:?}");
    }
}

/// An image's address on any page would do, and a frame around ours.
#[tokio::test]
async fn a_page_of_another_site_makes_a_browser_ask_in_vain() {
    let server = TestServer::start().await;
    let page: &[_] = &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let frame: &[_] = &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    let image: &[_] = &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
    for (path, said, status) in [
        ("/", page, 200),
        ("/d/notes", page, 200),
        ("/d/notes", frame, 403),
        ("/api/v1/documents", image, 403),
        ("/api/v1/documents/notes/poll", image, 403),
        ("/livez", image, 403),
        ("/assets/none.js", image, 403),
    ] {
        let mut asks = request(&server, "GET", path).header("sec-fetch-site", "cross-site");
        for (name, value) in said {
            asks = asks.header(name, value);
        }
        let answer = asks.header("accept", "text/html").send().await;
        // The page itself is not always built.
        assert!(
            answer.status == status || (status == 200 && answer.status == 404),
            "{path}: {}",
            answer.status
        );
        if status == 403 {
            assert_eq!(answer.error().1, "cross_site");
        }
    }
    let own = request(&server, "GET", "/api/v1/documents").header("sec-fetch-site", "same-origin");
    own.send().await.expect(200);
}
