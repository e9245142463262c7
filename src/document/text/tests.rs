//! Texts against the table of readings that the page is tested against too, and what is made of them.

use std::collections::HashMap;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map as JsonMap, Value, json};
use yrs::{
    Any, Doc, In, MapPrelim, OffsetKind, Options, ReadTxn, Text as _, Transact, XmlElementPrelim,
    XmlFragment as _, XmlTextPrelim,
    types::{Attrs, Delta},
    updates::decoder::Decode,
};

use super::*;

/// A document that holds these sequences: operations as the table of readings has them.
fn written(case: &Value) -> (Doc, Vec<String>) {
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let none = JsonMap::new();
    let cells = case.get("cells").and_then(Value::as_object).unwrap_or(&none);
    let roots =
        [(BODY, &case["body"])].into_iter().chain(cells.iter().map(|(name, ops)| (name.as_str(), ops)));
    let mut names = Vec::new();
    for (name, ops) in roots {
        let text = doc.get_or_insert_text(name);
        let mut txn = doc.transact_mut();
        let delta: Vec<Delta<In>> = ops.as_array().unwrap().iter().map(inserted).collect();
        text.apply_delta(&mut txn, delta);
        names.push(name.to_owned());
    }
    (doc, names)
}

fn inserted(op: &Value) -> Delta<In> {
    let attributes = op.get("attributes").map(|attributes| {
        let attributes = attributes.as_object().unwrap();
        let attributes: Attrs =
            attributes.iter().map(|(key, value)| (key.as_str().into(), any(value))).collect();
        Box::new(attributes)
    });
    let insert = match &op["insert"] {
        Value::String(text) => In::Any(text.as_str().into()),
        Value::Object(fields) => In::Map(map(fields)),
        other => In::Any(any(other)),
    };
    Delta::Inserted(insert, attributes)
}

fn map(fields: &JsonMap<String, Value>) -> MapPrelim {
    fields
        .iter()
        .map(|(field, value)| match value {
            Value::Object(entries) if ["rows", "columns", "spans"].contains(&field.as_str()) => {
                let entries: MapPrelim =
                    entries.iter().map(|(id, entry)| (id.clone(), In::Any(any(entry)))).collect();
                (field.clone(), In::Map(entries))
            }
            value => (field.clone(), In::Any(any(value))),
        })
        .collect()
}

fn any(value: &Value) -> Any {
    Any::from_json(&value.to_string()).unwrap()
}

fn room() -> Room {
    Room::of(0)
}

fn read_case(case: &Value) -> Text {
    let (doc, roots) = written(case);
    read(&doc.transact(), roots.iter().map(String::as_str), &room()).unwrap()
}

fn table_of_readings() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/text-model/reading.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_case_of_the_table_is_read_as_it_says() {
    let table = table_of_readings();
    let cases = table["cases"].as_array().unwrap();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let read = read_case(case).to_json();
            (read != case["document"]).then(|| format!("{}:\n  {read}\n  {}", case["name"], case["document"]))
        })
        .collect();
    assert!(wrong.is_empty(), "{} are read otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

/// The document that a conversion makes, and its roots.
fn made(conversion: &Conversion) -> Doc {
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let update = yrs::Update::decode_v1(&conversion.update).unwrap();
    doc.transact_mut().apply_update(update).unwrap();
    doc
}

fn read_again(conversion: &Conversion, roots: &[String]) -> Text {
    let doc = made(conversion);
    for root in roots {
        doc.get_or_insert_text(root.as_str());
    }
    read(&doc.transact(), roots.iter().map(String::as_str), &room()).unwrap()
}

fn roots_of(text: &Text, conversion: &Conversion) -> Vec<String> {
    let doc = made(conversion);
    let txn = doc.transact();
    let roots: Vec<String> = txn.root_refs().map(|(name, _)| name.to_owned()).collect();
    assert!(roots.iter().any(|root| root == CONVERTED), "{text:?}");
    roots.into_iter().filter(|root| is_part(root)).collect()
}

#[test]
fn what_is_read_is_written_so_that_it_reads_the_same() {
    for case in table_of_readings()["cases"].as_array().unwrap() {
        let text = read_case(case);
        let conversion = text.conversion();
        let again = read_again(&conversion, &roots_of(&text, &conversion));
        assert_eq!(again.to_json(), text.to_json(), "{}", case["name"]);
        // Once more, and it is the same change.
        assert_eq!(text.conversion().client, conversion.client);
        let doc = made(&conversion);
        let update = yrs::Update::decode_v1(&text.conversion().update).unwrap();
        doc.transact_mut().apply_update(update).unwrap();
        assert_eq!(doc.transact().state_vector(), made(&conversion).transact().state_vector());
    }
}

// ---- as Markdown and HTML ----------------------------------------------------------------------------------

/// The case of the table of readings of this name.
fn text_of(body: Value) -> Text {
    read_case(&json!({ "body": body }))
}

fn markdown(body: Value) -> String {
    text_of(body).to_markdown(&room()).unwrap()
}

fn words(text: &str, marks: Value) -> Value {
    json!({ "insert": text, "attributes": marks })
}

#[test]
fn blocks_are_what_markdown_has_for_them() {
    let text = markdown(json!([
        { "insert": { "type": "heading", "level": 2 } }, { "insert": "Title #" },
        { "insert": { "type": "paragraph" } }, { "insert": "one\ntwo" },
        { "insert": { "type": "bullet" } }, { "insert": "a" },
        { "insert": { "type": "ordered", "start": 9, "parents": ["item"] } }, { "insert": "nine" },
        { "insert": { "type": "ordered", "parents": ["item"] } }, { "insert": "ten" },
        { "insert": { "type": "paragraph", "parents": ["item"] } }, { "insert": "more of a" },
        { "insert": { "type": "task", "checked": true } }, { "insert": "done" },
        { "insert": { "type": "task" } }, { "insert": "open" },
        { "insert": { "type": "quote" } }, { "insert": "said" },
        { "insert": { "type": "code", "language": "rust", "parents": ["quote"] } }, { "insert": "fn a() {}\n```" },
        { "insert": { "type": "rule" } },
        { "insert": "end" },
    ]));
    let expected = "\
## Title \\#

one\\
two

- a

  9.  nine
  10. ten

  more of a

* [x] done
* [ ] open

> said
>
> ````rust
> fn a() {}
> ```
> ````

---

end
";
    assert_eq!(text, expected);
}

#[test]
fn words_are_marked_and_nothing_else_means_anything() {
    for (body, expected) in [
        (
            json!([words("bold", json!({"bold": true})), { "insert": " and " }, words("both", json!({"bold": true, "italic": true}))]),
            "**bold** and <strong><em>both</em></strong>",
        ),
        (
            json!([{ "insert": "字" }, words("「文」", json!({"bold": true})), { "insert": "字" }]),
            "字<strong>「文」</strong>字",
        ),
        (json!([words("a`b", json!({"code": true}))]), "``a`b``"),
        (
            json!([words("a", json!({"link": {"href": "https://example.org/a b", "title": "t\"t"}}))]),
            "[a](<https://example.org/a%20b> \"t\\\"t\")",
        ),
        (json!([words("a", json!({"link": "javascript:alert(1)"}))]), "a"),
        (
            json!([
                words("m", json!({"highlight": "yellow"})),
                words("c", json!({"color": "red"})),
                words("2", json!({"sub": true})),
                words("3", json!({"sup": true})),
                words("u", json!({"underline": true}))
            ]),
            "<mark data-color=\"yellow\" style=\"background-color: yellow\">m</mark><span data-color=\"red\" style=\"color: red\">c</span><sub>2</sub><sup>3</sup><u>u</u>",
        ),
        (
            json!([{ "insert": "1. *a* _b_ a_b <i> [x] &amp; a|b https://x www.x a@b !" }]),
            "1\\. \\*a\\* \\_b\\_ a_b \\<i> \\[x\\] \\&amp; a\\|b https\\://x www\\.x a\\@b !",
        ),
        (json!([{ "insert": "# no" }, { "insert": "\n- no\n> no" }]), "\\# no\\\n\\- no\\\n\\> no"),
        (json!([{ "insert": "look!" }, words("a", json!({"link": "/a"}))]), "look\\![a](/a)"),
        (
            json!([{ "insert": { "type": "image", "src": "/p q", "alt": "a]b" } }, { "insert": { "type": "mention", "label": "Ann" } }]),
            "![a\\]b](</p%20q>)@Ann",
        ),
        (
            json!([{ "insert": { "type": "paragraph", "align": "center" } }, { "insert": "a<b" }]),
            "<p style=\"text-align: center\">a&lt;b</p>",
        ),
    ] {
        assert_eq!(markdown(body), format!("{expected}\n"));
    }
}

fn table(fields: Value) -> Value {
    json!({
        "body": [{ "insert": { "type": "table", "id": "t", "rows": { "r1": { "order": "a", "header": true }, "r2": { "order": "b" } },
                   "columns": { "c1": { "order": "a" }, "c2": { "order": "b", "align": "right" } }, "spans": fields } }],
        "cells": { "cell/t/r1/c1": [{ "insert": "a|b" }], "cell/t/r2/c2": [{ "insert": "1" }, { "insert": { "type": "bullet" } }, { "insert": "2" }] },
    })
}

#[test]
fn tables_are_lines_and_merged_cells_html() {
    let plain = read_case(&table(json!({})));
    assert_eq!(plain.to_markdown(&room()).unwrap(), "| a\\|b |  |\n| --- | ---: |\n|  | 1<br>- 2 |\n");
    let merged = read_case(&table(json!({ "r1/c1": { "row": "r1", "column": "c2" } })));
    let html = "<table><tbody><tr><th colspan=\"2\"><p>a|b</p></th></tr><tr><td><p></p></td>\
                <td style=\"text-align: right\"><p>1</p><ul><li><p>2</p></li></ul></td></tr></tbody></table>";
    assert_eq!(merged.to_markdown(&room()).unwrap(), format!("{html}\n"));
    assert!(merged.to_html("").contains(html), "{}", merged.to_html(""));
}

#[test]
fn a_page_runs_nothing_and_says_everything() {
    let html = text_of(json!([
        { "insert": { "type": "task", "checked": true } }, words("<script>", json!({"link": "java\nscript:x", "bold": true})),
        { "insert": { "type": "image", "src": "javascript:x", "alt": "p" } },
        words("c", json!({"color": "red\" onclick=\"x"})), words("d", json!({"highlight": "url(//x)"})),
        { "insert": { "type": "code", "language": "a\"b" } }, { "insert": "</code>" },
    ]))
    .to_html("<t>");
    let body = html.split_once("</head>").unwrap().1;
    assert_eq!(
        body,
        "<body>\n<h1>&lt;t&gt;</h1>\n<ul data-type=\"taskList\"><li data-type=\"taskItem\" data-checked=\"true\">\
         <label><input type=\"checkbox\" disabled checked></label><div><p><a><strong>&lt;script&gt;</strong></a>p\
         <span>c</span><mark>d</mark></p></div></li></ul>\n\
         <pre><code class=\"language-a&quot;b\">&lt;/code&gt;</code></pre>\n</body></html>\n"
    );
}

#[test]
fn a_table_without_end_is_refused() {
    let tracks = |letter: &str| {
        (0..2000).map(|n| (format!("{letter}{n}"), json!({ "order": "a" }))).collect::<JsonMap<_, _>>()
    };
    let case = json!({ "body": [{ "insert": { "type": "table", "id": "t", "rows": tracks("r"), "columns": tracks("c") } }] });
    let (doc, roots) = written(&case);
    assert_eq!(read(&doc.transact(), roots.iter().map(String::as_str), &room()), Err(TooLarge));
}

// ---- merged cells ------------------------------------------------------------------------------------------

/// A table of one cell after another, some of them over several rows and columns, each with a word of its own.
fn random_table(random: &mut ChaCha8Rng) -> Table {
    let (height, width) = (random.random_range(1..6), random.random_range(1..6));
    let mut taken = vec![vec![false; width]; height];
    let mut rows = Vec::new();
    for row in 0..height {
        let mut cells = Vec::new();
        for column in 0..width {
            if taken[row][column] {
                continue;
            }
            let free = (column..width).take_while(|column| !taken[row][*column]).count();
            let most = |random: &mut ChaCha8Rng, most: usize| {
                if random.random_bool(0.3) { random.random_range(1..=most) } else { 1 }
            };
            let (columns, rows) = (most(random, free), most(random, height - row));
            taken[row..row + rows].iter_mut().for_each(|taken| taken[column..column + columns].fill(true));
            let content =
                vec![Inline { piece: Piece::Text(format!("w{row}x{column}")), marks: Marks::default() }];
            let content = vec![Block::Paragraph { align: None, content }];
            cells.push(Cell { header: row == 0, columns, rows, align: None, content });
        }
        rows.push(cells);
    }
    Table { rows, widths: Vec::new() }
}

fn taken_over(text: &Text) -> Text {
    let conversion = text.conversion();
    read_again(&conversion, &roots_of(text, &conversion))
}

#[test]
fn merged_cells_of_earlier_texts_stay_merged() {
    for seed in 0..300 {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let text = Text { blocks: vec![Block::Table(random_table(random))] };
        assert_eq!(taken_over(&text).to_json(), text.to_json(), "seed {seed}");
    }
}

/// Cells that reach beyond the table or into each other, and rows that are too short: nothing of what is in them is hidden.
#[test]
fn no_word_is_hidden_in_a_table_that_does_not_add_up() {
    for seed in 0..300 {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut table = random_table(random);
        for cell in table.rows.iter_mut().flatten() {
            if random.random_bool(0.3) {
                cell.columns = random.random_range(1..5);
                cell.rows = random.random_range(1..5);
            }
            cell.header = random.random_bool(0.2);
        }
        for row in &mut table.rows {
            if random.random_bool(0.2) {
                row.pop();
            }
        }
        let text = Text { blocks: vec![Block::Table(table)] };
        let again = taken_over(&text);
        let sorted = |text: &Text| {
            let mut lines = text.lines();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&again), sorted(&text), "seed {seed}");
        assert_eq!(taken_over(&again).to_json(), again.to_json(), "seed {seed}");
    }
}

// ---- what nobody writes ----------------------------------------------------------------------------------

#[test]
fn a_field_is_a_plain_value_or_a_map_and_other_shared_types_are_nothing() {
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let body = doc.get_or_insert_text(BODY);
    let mut txn = doc.transact_mut();
    body.insert_embed(&mut txn, 0, MapPrelim::from([("type", "quote")]));
    let second = body.insert_embed(&mut txn, 1, MapPrelim::default());
    second.insert(&mut txn, "type", yrs::TextPrelim::new("heading"));
    second.insert(&mut txn, "parents", yrs::ArrayPrelim::from(["quote"]));
    let table = body.insert_embed(&mut txn, 2, MapPrelim::from([("type", "table"), ("id", "t")]));
    let rows = table.insert(&mut txn, "rows", MapPrelim::default());
    let row = rows.insert(&mut txn, "r", MapPrelim::default());
    let deleted = row.insert(&mut txn, "deleted", MapPrelim::default());
    deleted.insert(&mut txn, "a", MapPrelim::default());
    table.insert(&mut txn, "columns", MapPrelim::from([("c", MapPrelim::default())]));
    drop(txn);
    let read = read(&doc.transact(), [BODY].into_iter(), &room()).unwrap();
    let empty = json!({ "type": "paragraph" });
    assert_eq!(
        read.to_json(),
        json!([
            { "type": "quote", "content": [empty] },
            empty,
            { "type": "table", "rows": [{ "cells": [{ "content": [empty] }] }] },
        ])
    );
}

#[test]
fn what_stands_for_more_than_can_be_read_is_told() {
    let words = |n: usize| json!({ "insert": "a", "attributes": { "bold": n.is_multiple_of(2), "link": "x".repeat(20_000) } });
    let case = json!({ "body": (0..3_000).map(words).collect::<Vec<_>>() });
    let (doc, roots) = written(&case);
    assert_eq!(read(&doc.transact(), roots.iter().map(String::as_str), &room()), Err(TooLarge));
    // As long as it is, it is read; as Markdown each line of it would be told in twenty-four lists.
    let item = |depth: usize| json!({ "insert": { "type": "ordered", "start": 999_999_998, "parents": vec!["item"; depth] } });
    let code = json!({ "insert": { "type": "code", "parents": vec!["item"; 24] } });
    let deep: Vec<Value> =
        (0..24).map(item).chain([code, json!({ "insert": "a\n".repeat(200_000) })]).collect();
    let (doc, roots) = written(&json!({ "body": deep }));
    let text = read(&doc.transact(), roots.iter().map(String::as_str), &room()).unwrap();
    assert_eq!(text.to_markdown(&room()), Err(TooLarge));
    assert_eq!(text.lines().len(), 1);
}

/// A byte of the document each, and an object with a mark of 20 KB in what is read.
#[test]
fn line_ends_in_marked_words_are_bounded() {
    let marked = |text: &str| {
        let words = words(text, json!({ "link": format!("https://{}", "x".repeat(20_000)) }));
        let (doc, roots) = written(&json!({ "body": [words] }));
        read(&doc.transact(), roots.iter().map(String::as_str), &room()).map(|text| text.blocks.len())
    };
    assert_eq!(marked(&"\n".repeat(100)), Ok(1));
    assert_eq!(marked(&"\n".repeat(10_000)), Err(TooLarge));
    let doc = Doc::new();
    let tree = doc.get_or_insert_xml_fragment(FRAGMENT);
    let mut txn = doc.transact_mut();
    let line = tree.push_back(&mut txn, XmlElementPrelim::empty("paragraph"));
    let inside = line.push_back(&mut txn, XmlTextPrelim::new("\n".repeat(10_000)));
    let link = Any::from(HashMap::from([("href".to_owned(), Any::from("x".repeat(20_000)))]));
    inside.format(&mut txn, 0, 10_000, Attrs::from([("link".into(), link)]));
    drop(txn);
    assert_eq!(read_old(&tree, &doc.transact(), &room()), Err(TooLarge));
}

#[test]
fn what_an_object_says_stays_on_its_line() {
    let picture = json!({ "insert": { "type": "image", "src": "/a", "alt": "a\n\n# b" } });
    assert_eq!(markdown(json!([picture])), "![a  # b](/a)\n");
    let mention = json!({ "insert": { "type": "mention", "label": "a\r\n- b" } });
    assert_eq!(markdown(json!([mention])), "@a  - b\n");
    let colour = words("said", json!({ "color": "x\n\n[click](javascript:alert(1))\n\n" }));
    let text = text_of(json!([colour]));
    for written in [text.to_markdown(&room()).unwrap(), text.to_html("")] {
        assert!(!written.contains("javascript"), "{written}");
    }
}

#[test]
fn what_begins_a_line_means_nothing_behind_what_says_nothing() {
    let link = json!({ "link": "javascript:alert(1)" });
    assert_eq!(markdown(json!([words("1", link), { "insert": ". x" }])), "1\\. x\n");
    let picture = json!({ "insert": { "type": "image", "src": "javascript:alert(1)" } });
    assert_eq!(markdown(json!([picture, { "insert": "- x" }])), "\\- x\n");
}

#[test]
fn a_bar_in_a_cell_ends_none_of_its_words() {
    let code = |text: &str| words(text, json!({ "code": true }));
    let case = json!({
        "body": [{ "insert": { "type": "table", "id": "t", "rows": { "r": {} }, "columns": { "c": {} } } }],
        "cells": { "cell/t/r/c": [code("a\\|b"), { "insert": " c|d \\|" }] },
    });
    let markdown = read_case(&case).to_markdown(&room()).unwrap();
    assert!(markdown.starts_with("| `a\\\\|b` c\\|d \\\\\\| |\n"), "{markdown}");
}

/// Twenty thousand words in formats of their own, all of them bold.
#[test]
fn many_runs_under_one_mark_are_told_in_one_walk() {
    let words = |n: usize| {
        let italic = if n.is_multiple_of(2) { json!(true) } else { Value::Null };
        json!({ "insert": "a", "attributes": { "bold": true, "italic": italic } })
    };
    let (doc, roots) = written(&json!({ "body": (0..20_000).map(words).collect::<Vec<_>>() }));
    let text = read(&doc.transact(), roots.iter().map(String::as_str), &room()).unwrap();
    let begun = std::time::Instant::now();
    let markdown = text.to_markdown(&room()).unwrap();
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "a walk for each: {:?}", begun.elapsed());
    assert!(markdown.starts_with("<strong><em>a</em>a<em>a</em>"), "{}", &markdown[..80]);
}

#[test]
fn a_cell_is_merged_up_to_the_last_that_stood_before_one_that_is_gone() {
    let rows = json!({ "a": { "order": "1" }, "b": { "order": "2" }, "c": { "order": "3", "deleted": true }, "d": { "order": "4" } });
    let case = |row: &str| {
        let table = json!({ "type": "table", "id": "t", "rows": rows, "columns": { "x": {} },
            "spans": { "a/x": { "row": row, "column": "nobody" } } });
        let (doc, roots) = written(&json!({ "body": [{ "insert": table }] }));
        let text = read(&doc.transact(), roots.iter().map(String::as_str), &room()).unwrap();
        let [Block::Table(table)] = text.blocks.as_slice() else { panic!("{text:?}") };
        table.rows[0][0].rows
    };
    assert_eq!(["a", "b", "c", "d", "nobody"].map(case), [1, 2, 2, 3, 1]);
}
