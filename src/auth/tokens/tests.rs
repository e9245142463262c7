use std::{fs, path::Path};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, jwk::Jwk};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "a-secret-of-thirty-two-bytes,-more";
const NOW: u64 = 1_800_000_000;

fn key(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys").join(name)).unwrap()
}

/// A server that knows tokens by a file of this content.
fn knows(content: &[u8]) -> Tokens {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, content).unwrap();
    Tokens { keys: Keys::read([file]).unwrap(), issuer: None, audience: None }
}

fn claims() -> Claims {
    let documents = vec!["team/*".to_owned()];
    Claims {
        sub: "ann".into(),
        documents,
        access: Some(Access::Write),
        exp: (NOW + 600) as f64,
        ..Claims::default()
    }
}

/// Who the server takes somebody for, at a second.
fn at(server: &Tokens, token: &str, second: u64) -> Result<Principal, String> {
    let asked = server.principal(Some(token.to_owned()), Timestamp(second * 1000));
    asked.now_or_never().unwrap().map_err(|Unauthorized(why)| why)
}

fn read(server: &Tokens, token: &str) -> Result<Principal, String> {
    at(server, token, NOW)
}

/// A token of any content, signed with a secret.
fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::default(), claims, &key).unwrap()
}

/// A token with any header, signed by nobody.
fn unsigned(header: &Value, claims: &Claims) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(&serde_json::to_value(claims).unwrap()))
}

#[test]
fn a_token_says_who_somebody_is_and_what_they_may_do() {
    let server = knows(SECRET.as_bytes());
    let said = Claims {
        name: Some(" Ann\n ".into()),
        color: Some("#ff8800".into()),
        iss: Some("notes".into()),
        ..claims()
    };
    let ann = read(&server, &mint(SECRET.as_bytes(), &said).unwrap()).unwrap();
    let who = Identity::Program { issuer: Some("notes".into()), subject: "ann".into() };
    assert_eq!(
        (&ann.identity, ann.name.as_deref(), ann.color.as_deref()),
        (&who, Some("Ann"), Some("#ff8800"))
    );
    let access =
        |name: &str| server.access(&ann, &DocumentName::parse(name).unwrap()).now_or_never().unwrap();
    assert_eq!((access("team/plan"), access("plan")), (Access::Write, Access::None));
    assert!(!server.may_operate(&ann));
    let unsaid =
        Claims { documents: vec!["*".into()], access: None, color: Some("red;}".into()), ..claims() };
    let bob = read(&server, &mint(SECRET.as_bytes(), &unsaid).unwrap()).unwrap();
    assert_eq!((bob.via.access(&DocumentName::parse("plan").unwrap()), bob.color), (Access::Read, None));
}

#[test]
fn every_kind_of_key_knows_its_own_tokens_and_no_others() {
    let kinds = [("rsa", Algorithm::RS256), ("ec", Algorithm::ES256), ("ed", Algorithm::EdDSA)];
    let mut servers: Vec<(&str, Tokens)> = vec![("secret", knows(SECRET.as_bytes()))];
    let mut tokens = vec![("secret", mint(SECRET.as_bytes(), &claims()).unwrap())];
    for (name, algorithm) in kinds {
        servers.push((name, knows(&key(&format!("{name}.pub.pem")))));
        let private = key(&format!("{name}.pem"));
        tokens.push((name, mint(&private, &claims()).unwrap()));
        let encoding = match name {
            "rsa" => EncodingKey::from_rsa_pem(&private),
            "ec" => EncodingKey::from_ec_pem(&private),
            _ => EncodingKey::from_ed_pem(&private),
        };
        let mut jwk = Jwk::from_encoding_key(&encoding.unwrap(), algorithm).unwrap();
        jwk.common.key_id = Some(name.to_owned());
        servers.push((name, knows(json!({ "keys": [{ "kty": "new" }, jwk] }).to_string().as_bytes())));
    }
    for (server, knows) in &servers {
        for (name, token) in &tokens {
            let outcome = read(knows, token);
            assert_eq!(outcome.is_ok(), server == name, "{server} reads a token of {name}: {outcome:?}");
        }
    }
}

#[test]
fn what_is_forged_or_mangled_is_refused_in_words() {
    let server = knows(SECRET.as_bytes());
    let public = key("rsa.pub.pem");
    let asymmetric = knows(&public);
    let good = mint(SECRET.as_bytes(), &claims()).unwrap();
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let mut mangled = signature.to_owned();
    mangled.replace_range(..1, if mangled.starts_with('A') { "B" } else { "A" });
    // The public key, which everybody has, taken for a secret.
    let confused = mint(public.trim_ascii(), &claims());
    assert!(confused.is_err(), "a public key signs nothing here");
    let as_secret =
        jsonwebtoken::encode(&Header::default(), &claims(), &EncodingKey::from_secret(&public).unwrap());
    let other = Claims { documents: vec!["*".into()], ..claims() };
    let longer = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_string(&other).unwrap());
    for (server, token, why) in [
        (&server, unsigned(&json!({ "alg": "none" }), &claims()), "no token that is signed"),
        (&server, unsigned(&json!({ "alg": "HS256" }), &claims()), "no key"),
        (&asymmetric, as_secret.unwrap(), "no key"),
        (&asymmetric, good.clone(), "no key"),
        (&server, format!("{header}.{body}.{mangled}"), "no key"),
        (&server, format!("{header}.{longer}.{signature}"), "no key"),
        (&server, format!("{header}.{body}"), "no token that is signed"),
        (&server, String::new(), "no token that is signed"),
        (&server, "a.b.c".to_owned(), "no token that is signed"),
        (&server, "x".repeat(LONGEST + 1), "more than"),
    ] {
        let refused = read(server, &token).unwrap_err();
        assert!(refused.contains(why), "{token}: {refused}");
    }
}

#[test]
fn claims_of_the_wrong_shape_are_refused_and_named() {
    let server = knows(SECRET.as_bytes());
    let good = serde_json::to_value(claims()).unwrap();
    for (claim, value, why) in [
        ("exp", Value::Null, "exp"),
        ("exp", json!("tomorrow"), "exp"),
        ("sub", Value::Null, "string"),
        ("sub", json!(7), "string"),
        ("sub", json!(""), "sub"),
        ("documents", json!("plan"), "sequence"),
        ("documents", json!([7]), "string"),
        ("documents", json!({}), "sequence"),
        ("access", json!("admin"), "admin"),
        ("access", json!(true), "boolean"),
        ("name", json!(["Ann"]), "string"),
    ] {
        let mut claims = good.clone();
        claims[claim] = value.clone();
        let refused = read(&server, &signed(&claims)).unwrap_err();
        assert!(refused.contains(why), "{claim}: {value}: {refused}");
    }
    let mut more = good;
    more["role"] = json!("admin");
    assert!(read(&server, &signed(&more)).is_ok(), "what is not ours to read");
}

#[test]
fn a_token_is_good_from_its_beginning_to_its_end_and_a_minute_more() {
    let server = knows(SECRET.as_bytes());
    let said = Claims { nbf: Some((NOW + 100) as f64), exp: (NOW + 200) as f64, ..claims() };
    let token = mint(SECRET.as_bytes(), &said).unwrap();
    for (second, expected) in
        [(39, "not valid yet"), (40, ""), (259, ""), (260, "expired"), (10_000, "expired")]
    {
        let why = at(&server, &token, NOW + second).err().unwrap_or_default();
        assert_eq!(why.is_empty(), expected.is_empty(), "after {second} s: {why}");
        assert!(why.contains(expected), "after {second} s: {why}");
    }
    assert_eq!(
        read(&server, &mint(SECRET.as_bytes(), &Claims { nbf: None, ..said }).unwrap()).unwrap().until,
        Some(Timestamp((NOW + 260) * 1000))
    );
    let endless = Claims { exp: 9e15, ..claims() };
    assert!(read(&server, &mint(SECRET.as_bytes(), &endless).unwrap()).is_ok());
    let never = Claims { exp: -1.0, ..claims() };
    assert!(read(&server, &mint(SECRET.as_bytes(), &never).unwrap()).is_err());
}

#[test]
fn a_token_for_others_or_of_others_is_refused_where_that_is_asked() {
    let asks =
        Tokens { issuer: Some("notes".into()), audience: Some("weft".into()), ..knows(SECRET.as_bytes()) };
    let token = |iss: Option<&str>, aud: Option<Value>| {
        mint(SECRET.as_bytes(), &Claims { iss: iss.map(str::to_owned), aud, ..claims() }).unwrap()
    };
    let notes = Some("notes");
    for (iss, aud, why) in [
        (notes, Some(json!("weft")), ""),
        (notes, Some(json!(["other", "weft"])), ""),
        (notes, Some(json!("other")), "audience"),
        (notes, Some(json!([])), "audience"),
        (notes, None, "aud"),
        (notes, Some(json!(7)), "aud"),
        (Some("other"), Some(json!("weft")), "issuer"),
        (None, Some(json!("weft")), "iss"),
    ] {
        let refused = read(&asks, &token(iss, aud.clone())).err().unwrap_or_default();
        assert!(refused.contains(why) && refused.is_empty() == why.is_empty(), "{iss:?} {aud:?}: {refused}");
    }
    assert!(read(&knows(SECRET.as_bytes()), &token(notes, Some(json!("other")))).is_ok(), "nobody asks");
}

#[test]
fn key_files_are_read_again_when_they_change_and_what_is_no_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let put = |content: &[u8], age: u64| {
        fs::write(&file, content).unwrap();
        // Whatever the granularity of the file system's clock.
        let modified = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age);
        fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    };
    put(SECRET.as_bytes(), 1);
    let server = Tokens { keys: Keys::read([file.clone()]).unwrap(), issuer: None, audience: None };
    let first = mint(SECRET.as_bytes(), &claims()).unwrap();
    let next = "another-secret-of-more-than-thirty-two-bytes";
    let second = mint(next.as_bytes(), &claims()).unwrap();
    let good = || [&first, &second].map(|token| read(&server, token).is_ok());
    assert_eq!(good(), [true, false]);
    put(format!("{next}\n").as_bytes(), 2);
    assert_eq!(good(), [false, true]);
    put(json!({ "keys": [Jwk::from_encoding_key(&EncodingKey::from_secret(SECRET.as_bytes()).unwrap(), Algorithm::HS256).unwrap()] }).to_string().as_bytes(), 6);
    assert_eq!(good(), [false, true], "a secret does not become a set");
    put(b"short", 3);
    assert_eq!(good(), [false, true], "what cannot be used changes nothing");
    fs::remove_file(&file).unwrap();
    assert_eq!(good(), [false, true]);
    // Nor what everybody may have: another kind of file is never read as a secret.
    put(SECRET.as_bytes(), 5);
    let public = key("rsa.pub.pem");
    let server = knows(&public);
    assert!(read(&server, &mint(&key("rsa.pem"), &claims()).unwrap()).is_ok());
    let named = [b"# our key\n", &public[..]].concat();
    for (content, why) in [
        (&b"short"[..], "32 bytes"),
        (&named, "neither"),
        (b"<!doctype html><html><head><title>503</title></head></html>", "neither"),
        (b"[{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]", "neither"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHa ann@machine", "neither"),
        (b"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}", "none of its keys"),
        (b"{\"keys\": []}", "none of its keys"),
        (b"{\"keys\": 7}", "no set of keys"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key"),
        (&key("ec.pem"), "private key"),
    ] {
        put(content, 4);
        let refused = Keys::read([file.clone()]).unwrap_err().to_string();
        assert!(refused.contains(why) && refused.contains(file.to_str().unwrap()), "{refused}");
    }
    assert!(Keys::read([folder.path().join("nowhere")]).is_err());
}
