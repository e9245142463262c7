//! Who may know whom. The table of the design, and the doors through which foreign crates come in, held
//! against what the source says.
//!
//! Works on tokens, so that paths inside macros count and those in comments and strings do not. Tests inside
//! the source may use what they like.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::Path,
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use weft::protocol::close::CloseReason;

use crate::support::repository;

/// Which modules a module may use, and how much of them. Telemetry's handles are everybody's.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["config", "server", "telemetry", "maintenance", "auth", "ids::Timestamp"]),
    ("server", &["config", "connection", "document", "http", "ids", "protocol", "store", "auth"]),
    // Composes what each module declares.
    ("config", &["auth", "connection", "document", "http", "store", "protocol::guard"]),
    // The commands that work on a folder of a server that is stopped.
    ("maintenance", &["document", "ids", "store"]),
    ("http", &["connection", "document", "auth", "protocol", "ids"]),
    ("connection", &["document", "auth", "protocol", "ids"]),
    ("document", &["store", "cluster", "auth::Access", "auth::Person", "protocol", "ids"]),
    ("store", &["ids"]),
    ("cluster", &["ids"]),
    ("auth", &["ids"]),
    ("protocol", &["ids"]),
    ("ids", &[]),
    ("telemetry", &[]),
    // The map names everything, in words.
    ("lib", &[]),
];

/// The files, or folders, in which a foreign crate or the clock may be named.
const DOORS: &[(&str, &[&str])] = &[
    (
        "actix",
        &[
            "document/actor.rs",
            "document/actor/",
            "document/handle.rs",
            "document/messages.rs",
            "document/registry.rs",
            "document/turns.rs",
        ],
    ),
    ("actix_ws", &["connection/socket.rs"]),
    (
        "actix_http",
        &["connection/incoming.rs", "connection/socket.rs", "http/upgraded.rs", "http/listener.rs"],
    ),
    ("actix_server", &["http/listener.rs"]),
    ("actix_service", &["http/listener.rs", "http/upgraded.rs"]),
    ("actix_web", &["connection/incoming.rs", "connection/socket.rs", "http/", "server.rs", "main.rs"]),
    ("jsonwebtoken", &["auth/keys.rs", "auth/tokens.rs"]),
    ("utoipa", &["http/", "ids.rs", "protocol/chat.rs", "protocol/message.rs"]),
    ("brotli", &["document/compress.rs"]),
    ("flate2", &["document/compress.rs"]),
    ("zstd", &["document/compress.rs"]),
    ("yrs", &["protocol/", "document/"]),
    ("operational_transform", &["protocol/text_operation.rs"]),
    ("sled", &["store/sled/places.rs"]),
    ("prometheus_client", &["telemetry.rs"]),
    ("clap", &["main.rs", "config.rs"]),
];

/// Where the time is looked at; everywhere else it is given. The store times its own commits, and exports their readings.
const CLOCKS: &[&str] = &[
    "document/actor.rs",
    "document/actor/",
    "document/exports.rs",
    "connection/line.rs",
    "connection/socket.rs",
    "http/attachments.rs",
    "http/extract.rs",
    "http/upgrade.rs",
    "ids.rs",
    "main.rs",
    "server.rs",
    "store/sled.rs",
    "store/sled/",
];

#[test]
fn nobody_knows_more_than_the_design_allows() {
    let files = Source::all(&repository("src"));
    assert!(files.len() > 30, "only {} files were found", files.len());
    let offences = offences(&files);
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
    // A rule for what does not exist, or is not used, is a rule nobody would miss.
    for (module, _) in MAY_USE.iter().filter(|(module, _)| *module != "cluster") {
        assert!(
            files.iter().any(|file| file.owner() == *module),
            "the table names {module}, which is not there"
        );
    }
    for (door, places) in DOORS {
        for place in *places {
            let mut there = files.iter().filter(|file| file.is_in(&[place]));
            let named = there.any(|file| file.paths(&files).iter().any(|path| path.is_foreign(door)));
            assert!(named, "the table lets {place} name {door}, which it does not");
        }
    }
    for place in CLOCKS {
        let mut there = files.iter().filter(|file| file.is_in(&[place]));
        assert!(
            there.any(|file| file.looks_at_the_clock(&files)),
            "the table lets {place} look at the clock, which it does not"
        );
    }
}

/// What nobody uses is gone: items that others may use and do not, crates that nothing names, reasons to close that are never
/// given. The compiler sees only what is private.
#[test]
fn nothing_is_there_for_nobody() {
    let files = Source::all(&repository("src"));
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    let mut items = Vec::new();
    for file in &files {
        let all = file.words();
        for word in &all {
            *words.entry(word.clone()).or_default() += 1;
        }
        for item in all.windows(3) {
            let is_for_others = ["pub", "super", "crate", "async"].contains(&item[0].as_str());
            let is_item =
                ["fn", "struct", "enum", "const", "type", "trait", "static"].contains(&item[1].as_str());
            if is_for_others && is_item && item[2] != "fn" {
                items.push((file.file.clone(), item[2].clone()));
            }
        }
    }
    // What the integration tests ask of the library counts as used: they are its other customer.
    let mut asked = BTreeSet::new();
    for folder in ["tests/it", "tests/load", "tests/bench"] {
        asked.extend(Source::everything(&repository(folder)).iter().flat_map(Source::words));
    }
    let unused = items.iter().filter(|(_, item)| words[item] < 2 && !asked.contains(item));
    let unused: Vec<_> = unused.map(|(file, item)| format!("{file}: nobody uses {item}")).collect();
    assert!(unused.is_empty(), "\n{}", unused.join("\n"));

    let manifest: toml::Table = fs::read_to_string(repository("Cargo.toml")).unwrap().parse().unwrap();
    for dependency in manifest["dependencies"].as_table().unwrap().keys() {
        assert!(words.contains_key(&dependency.replace('-', "_")), "no source names the crate {dependency}");
    }
    let outside = files.iter().filter(|file| file.file != "protocol/close.rs");
    let outside: Vec<Named> = outside.flat_map(|file| file.paths(&files)).collect();
    for reason in CloseReason::ALL {
        let debug = format!("{reason:?}");
        let variant = debug.split('(').next().unwrap();
        let given = outside.iter().any(|path| path.ends_with(&["CloseReason", variant]));
        assert!(given, "no connection is ever closed because of {variant}");
    }
}

/// Rooms of one floor do not know each other in a circle: of modules beside each other, each with all that is in it, one can be
/// read after the other. A module and what it is made of are one room.
#[test]
fn no_room_is_in_a_circle() {
    let files = Source::all(&repository("src"));
    let circles = circles(&files);
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn circles_are_found() {
    let source = |one: &str, two: &str| {
        let sources =
            [("a/mod.rs", "mod one; mod two; pub use two::Two;"), ("a/one.rs", one), ("a/two.rs", two)];
        circles(&sources.map(|(file, source)| Source::of(file, source)))
    };
    assert_eq!(source("use super::two::Two;", "pub struct Two;"), Vec::<String>::new());
    let circle = ["a: one → two → one (a/one.rs names a::two::Two; a/two.rs names a::one::One)"];
    assert_eq!(source("use super::two::Two;", "use super::one::One;"), circle);
    assert_eq!(
        source("use super::Two;", "use crate::a::one::One;"),
        circle,
        "by way of what the parent hands on"
    );
}

#[test]
fn forbidden_source_is_found() {
    for (file, source, offence) in [
        ("store/memory.rs", "use crate::document::effect::Effect;", "store uses document::effect::Effect"),
        ("store/memory.rs", "use super::super::http;", "store uses http"),
        (
            "document/state.rs",
            "use crate::{ids, connection::{socket, Config as C}};",
            "uses connection::Config",
        ),
        ("document/state.rs", "fn f() { crate::http::routes(); }", "document uses http::routes"),
        ("document/state.rs", "fn f() { select! { _ = crate::http::x() => {} } }", "document uses http::x"),
        ("document/state.rs", "use crate::auth::Identity;", "document uses auth::Identity"),
        ("protocol/wire.rs", "pub use crate::store::*;", "protocol uses store::*"),
        (
            "connection/session.rs",
            "mod inner { use super::super::super::store::Store; }",
            "uses store::Store",
        ),
        ("ids.rs", "use crate::telemetry::Metrics; use crate::config::Config;", "ids uses config::Config"),
        ("main.rs", "use weft::document::actor::DocumentActor;", "main uses document::actor::DocumentActor"),
        ("http/documents.rs", "use yrs::Doc;", "names yrs"),
        ("http/health.rs", "fn f(store: sled::Db) {}", "names sled"),
        ("document/state.rs", "use actix::{Actor, Addr};", "names actix"),
        ("http/error.rs", "type S = actix_ws::Session;", "names actix_ws"),
        ("document/journal.rs", "fn f() { let now = Instant::now(); }", "looks at the clock"),
        ("document/journal.rs", "fn f() { std::time::SystemTime::now() }", "looks at the clock"),
        ("new/mod.rs", "use crate::ids;", "new is not in the table"),
    ] {
        let found = offences(&[Source::of(file, source)]);
        assert!(found.iter().any(|found| found.contains(offence)), "{file}: {source} gave {found:?}");
    }
}

#[test]
fn allowed_source_is_left_alone() {
    for (file, source) in [
        ("store/memory.rs", "use crate::{ids::DocumentName, telemetry::Metrics}; use super::Store;"),
        ("document/state.rs", "use crate::auth::Access; use yrs::Doc; use super::journal::Journal;"),
        ("document/state.rs", "// use crate::http;\n/// [`crate::http`]\nconst S: &str = \"crate::http\";"),
        (
            "document/state.rs",
            "#[cfg(test)] mod tests { use crate::http; fn f() { Instant::now(); } } use yrs::Doc;",
        ),
        ("document/actor.rs", "use actix::Actor; fn f() { Instant::now() }"),
        ("http/mod.rs", "pub mod yrs; use yrs::nothing;"),
    ] {
        assert_eq!(offences(&[Source::of(file, source)]), Vec::<String>::new(), "{file}: {source}");
    }
}

/// A source file.
struct Source {
    /// Relative to `src/`.
    file: String,
    tokens: TokenStream,
}

/// A path that the source names, resolved as far as it can be without compiling.
enum Named {
    /// In this package.
    Ours(Vec<String>),
    /// Something else: a crate, or a name that was brought in before.
    Foreign(Vec<String>),
}

impl Source {
    /// Every file that is not only there for tests.
    fn all(root: &Path) -> Vec<Self> {
        let mut files = Self::everything(root);
        let tests: BTreeSet<_> = files.iter().flat_map(Self::test_modules).collect();
        files.retain(|file| !tests.iter().any(|tests| file.module().starts_with(tests)));
        files
    }

    /// Every file.
    fn everything(root: &Path) -> Vec<Self> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let file = path.strip_prefix(root).unwrap().to_str().unwrap();
                    files.push(Self::of(file, &fs::read_to_string(&path).unwrap()));
                }
            }
        }
        files
    }

    fn of(file: &str, source: &str) -> Self {
        let tokens = source.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        Self { file: file.to_owned(), tokens }
    }

    /// The module that the file is.
    fn module(&self) -> Vec<String> {
        let path = self.file.trim_end_matches(".rs").trim_end_matches("/mod");
        let path = if path == "lib" || path == "main" { "" } else { path };
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// The row of the table to which it belongs.
    fn owner(&self) -> String {
        let name = self.file.trim_end_matches(".rs");
        name.split('/').next().unwrap_or_default().to_owned()
    }

    /// Every path that it names outside tests.
    fn paths(&self, files: &[Self]) -> Vec<Named> {
        self.named(files).into_iter().map(|(path, _)| path).collect()
    }

    /// The same, and whether it is an import.
    fn named(&self, files: &[Self]) -> Vec<(Named, bool)> {
        let mut paths = Vec::new();
        let mut modules: BTreeSet<Vec<String>> = files.iter().map(Self::module).collect();
        modules.extend(declared_modules(&self.module(), &self.tokens));
        let mut tests = Vec::new();
        walk(&self.tokens, &self.module(), &mut tests, &mut |module, path, is_import| {
            paths.push((resolve(module, path, &modules), is_import));
        });
        paths
    }

    /// The modules that it declares for tests alone.
    fn test_modules(&self) -> Vec<Vec<String>> {
        let mut tests = Vec::new();
        walk(&self.tokens, &self.module(), &mut tests, &mut |_, _, _| {});
        tests
    }

    fn looks_at_the_clock(&self, files: &[Self]) -> bool {
        const CLOCKS: [&str; 4] = ["Instant", "SystemTime", "Timestamp", "Moment"];
        let paths = self.paths(files);
        paths.iter().any(|path| CLOCKS.iter().any(|clock| path.ends_with(&[clock, "now"])))
    }

    /// Every word of it, in order, without those of tests.
    fn words(&self) -> Vec<String> {
        fn gather(tokens: &TokenStream, words: &mut Vec<String>) {
            let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
            let mut at = 0;
            while at < tokens.len() {
                match &tokens[at] {
                    TokenTree::Punct(punct) if punct.as_char() == '#' && is_for_tests(tokens.get(at + 1)) => {
                        at = skip_item(&tokens, at + 2, &[], &mut Vec::new());
                        continue;
                    }
                    TokenTree::Ident(word) => words.push(word.to_string()),
                    TokenTree::Group(group) => gather(&group.stream(), words),
                    _ => {}
                }
                at += 1;
            }
        }
        let mut words = Vec::new();
        gather(&self.tokens, &mut words);
        words
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            if place.ends_with('/') { self.file.starts_with(place) } else { self.file == *place }
        })
    }
}

impl Named {
    fn is_foreign(&self, name: &str) -> bool {
        matches!(self, Self::Foreign(path) if path[0] == name)
    }

    fn ends_with(&self, end: &[&str]) -> bool {
        let (Self::Ours(path) | Self::Foreign(path)) = self;
        path.len() >= end.len()
            && path[path.len() - end.len()..].iter().zip(end).all(|(one, other)| one == other)
    }
}

fn offences(files: &[Source]) -> Vec<String> {
    let mut offences = BTreeSet::new();
    for file in files {
        let owner = file.owner();
        let Some((_, allowed)) = MAY_USE.iter().find(|(module, _)| *module == owner) else {
            offences.insert(format!("{}: {owner} is not in the table", file.file));
            continue;
        };
        for path in file.paths(files) {
            match &path {
                Named::Ours(used) if !used.is_empty() && used[0] != owner && used[0] != "telemetry" => {
                    let used = used.join("::");
                    let may = allowed
                        .iter()
                        .any(|allowed| used == *allowed || used.starts_with(&format!("{allowed}::")));
                    if !may {
                        offences.insert(format!("{}: {owner} uses {used}", file.file));
                    }
                }
                _ => {}
            }
            for (door, places) in DOORS {
                if path.is_foreign(door) && !file.is_in(places) {
                    offences.insert(format!("{}: names {door}, whose doors are {places:?}", file.file));
                }
            }
        }
        if file.looks_at_the_clock(files) && !file.is_in(CLOCKS) {
            offences.insert(format!("{}: looks at the clock; let the time be given", file.file));
        }
    }
    offences.into_iter().collect()
}

/// The circles among the modules of each folder, with a name for every step.
fn circles(files: &[Source]) -> Vec<String> {
    let modules: BTreeSet<Vec<String>> = files.iter().map(Source::module).collect();
    // What each module has brought in, by its last name: others find it there as if it were the module's own.
    let mut handed_on: BTreeMap<(Vec<String>, String), Vec<String>> = BTreeMap::new();
    let mut named: Vec<(&Source, Vec<String>)> = Vec::new();
    for file in files {
        for (path, is_import) in file.named(files) {
            let Named::Ours(path) = path else { continue };
            if let Some(name) = path.last().filter(|_| is_import) {
                handed_on.insert((file.module(), name.clone()), path.clone());
            }
            named.push((file, path));
        }
    }
    // For each folder: who names whom, and how.
    let mut floors: BTreeMap<Vec<String>, BTreeMap<String, BTreeMap<String, String>>> = BTreeMap::new();
    for (file, path) in named {
        let from = file.module();
        let path = followed(path, &from, &modules, &handed_on);
        let to = &path[..within(&path, &modules)];
        let common = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        if let (Some(from), Some(to)) = (from.get(common), to.get(common)) {
            let how = format!("{} names {}", file.file, path.join("::"));
            let floor = floors.entry(path[..common].to_vec()).or_default();
            floor.entry(from.clone()).or_default().entry(to.clone()).or_insert(how);
        }
    }
    let mut circles = Vec::new();
    for (floor, known) in &floors {
        let mut done = BTreeSet::new();
        for start in known.keys() {
            let way = (!done.contains(start)).then(|| way_back(start, known)).flatten();
            if let Some(way) = way {
                let steps = way.windows(2).map(|step| known[&step[0]][&step[1]].as_str());
                let steps = steps.collect::<Vec<_>>().join("; ");
                circles.push(format!("{}: {} ({steps})", floor.join("::"), way.join(" → ")));
                done.extend(way);
            }
        }
    }
    circles
}

/// How much of a path is a module.
fn within(path: &[String], modules: &BTreeSet<Vec<String>>) -> usize {
    (0..=path.len()).rev().find(|&length| modules.contains(&path[..length])).unwrap_or(0)
}

/// Where a name is at home that the module it is taken from has brought in itself.
fn followed(
    mut path: Vec<String>,
    by: &[String],
    modules: &BTreeSet<Vec<String>>,
    handed_on: &BTreeMap<(Vec<String>, String), Vec<String>>,
) -> Vec<String> {
    for _ in 0..8 {
        let length = within(&path, modules);
        let Some(name) = path.get(length) else { break };
        let key = (path[..length].to_vec(), name.clone());
        match handed_on.get(&key).filter(|home| **home != path && key.0 != by) {
            Some(home) => path = [home.clone(), path[length + 1..].to_vec()].concat(),
            None => break,
        }
    }
    path
}

/// The shortest way from a module back to it.
fn way_back(start: &str, known: &BTreeMap<String, BTreeMap<String, String>>) -> Option<Vec<String>> {
    let mut ways = VecDeque::from([vec![start.to_owned()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in known.get(way.last()?).into_iter().flat_map(BTreeMap::keys) {
            let longer = [way.clone(), vec![next.clone()]].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

fn resolve(module: &[String], mut path: Vec<String>, modules: &BTreeSet<Vec<String>>) -> Named {
    let child = |name: &str| modules.contains(&[module, &[name.to_owned()]].concat());
    let mut base = match path[0].as_str() {
        "crate" | "weft" => Vec::new(),
        "self" | "super" => module.to_vec(),
        first if path.len() > 1 && child(first) => {
            return Named::Ours([module.to_vec(), path].concat());
        }
        _ => return Named::Foreign(path),
    };
    while let Some("super" | "self" | "crate" | "weft") = path.first().map(String::as_str) {
        if path.remove(0) == "super" {
            base.pop();
        }
    }
    base.extend(path);
    Named::Ours(base)
}

/// Modules that the tokens declare, `mod name;` and `mod name { … }` alike.
fn declared_modules(module: &[String], tokens: &TokenStream) -> Vec<Vec<String>> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let pairs = tokens.windows(2);
    pairs
        .filter(|pair| matches!(&pair[0], TokenTree::Ident(word) if word == "mod"))
        .map(|pair| [module, &[pair[1].to_string()]].concat())
        .collect()
}

/// Is told of a path, the module it is in, and whether it is an import.
type Found<'a> = dyn FnMut(&[String], Vec<String>, bool) + 'a;

/// Calls `found` for every path of two or more segments, and for every import, with the module it is in and whether it is an
/// import.
fn walk(tokens: &TokenStream, module: &[String], tests: &mut Vec<Vec<String>>, found: &mut Found<'_>) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Punct(punct) if punct.as_char() == '#' && is_for_tests(tokens.get(at + 1)) => {
                at = skip_item(&tokens, at + 2, module, tests);
            }
            TokenTree::Ident(word) if word == "mod" && inline(&tokens, at).is_some() => {
                let (name, body) = inline(&tokens, at).expect("just seen");
                walk(&body, &[module, &[name]].concat(), tests, found);
                at += 3;
            }
            TokenTree::Ident(_) => {
                let is_import = at > 0 && matches!(&tokens[at - 1], TokenTree::Ident(word) if word == "use");
                let mut paths = Vec::new();
                at = path(&tokens, at, &[], &mut paths);
                for path in paths.into_iter().filter(|path| is_import || path.len() > 1) {
                    found(module, path, is_import);
                }
            }
            TokenTree::Group(group) => {
                walk(&group.stream(), module, tests, found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Reads a path or a tree of imports that begins at `at`, and says what comes after it.
fn path(tokens: &[TokenTree], mut at: usize, before: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => path.push("*".to_owned()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
                for part in inside.split(is_comma).filter(|part| !part.is_empty()) {
                    self::path(part, 0, &path, paths);
                }
                return at + 1;
            }
            // A turbofish, or the end of the tokens: the path ends here.
            _ => break,
        }
        at += 1;
        let colon = |at| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
        if !(colon(at) && colon(at + 1)) {
            break;
        }
        at += 2;
    }
    paths.push(path);
    at
}

fn is_for_tests(attribute: Option<&TokenTree>) -> bool {
    attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]")
}

/// The name and the body of a module that is written in place.
fn inline(tokens: &[TokenTree], at: usize) -> Option<(String, TokenStream)> {
    match (tokens.get(at + 1)?, tokens.get(at + 2)?) {
        (TokenTree::Ident(name), TokenTree::Group(body)) => Some((name.to_string(), body.stream())),
        _ => None,
    }
}

/// Skips the item behind an attribute, and notes it if it is a module in a file of its own.
fn skip_item(tokens: &[TokenTree], mut at: usize, module: &[String], tests: &mut Vec<Vec<String>>) -> usize {
    let mut name = None;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Ident(word) if word == "mod" => name = tokens.get(at).map(ToString::to_string),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
            TokenTree::Punct(end) if end.as_char() == ';' => {
                tests.extend(name.map(|name| [module, &[name]].concat()));
                break;
            }
            _ => {}
        }
    }
    at
}
