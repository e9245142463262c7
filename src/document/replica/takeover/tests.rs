//! Trees that earlier versions wrote, and what becomes of them.

use bytes::Bytes;
use serde_json::{Value, json};
use yrs::{
    Any, Map as _, Text as _, TransactionMut, WriteTxn, Xml as _, XmlElementPrelim, XmlElementRef,
    XmlFragment as _, XmlFragmentRef, XmlOut, XmlTextPrelim, XmlTextRef, types::Attrs,
};

use super::*;
use crate::document::{deleted::Deleted, export, testing::Writer};

fn tree(txn: &mut TransactionMut<'_>) -> XmlFragmentRef {
    txn.get_or_insert_xml_fragment(text::FRAGMENT)
}

fn element(parent: &XmlElementRef, txn: &mut TransactionMut<'_>, name: &str) -> XmlElementRef {
    parent.push_back(txn, XmlElementPrelim::empty(name))
}

fn paragraph(parent: &XmlElementRef, txn: &mut TransactionMut<'_>, words: &str) -> XmlTextRef {
    element(parent, txn, "paragraph").push_back(txn, XmlTextPrelim::new(words))
}

fn block(txn: &mut TransactionMut<'_>, name: &str, words: &str) -> XmlTextRef {
    let fragment = tree(txn);
    fragment.push_back(txn, XmlElementPrelim::empty(name)).push_back(txn, XmlTextPrelim::new(words))
}

fn marked(name: &str) -> Attrs {
    Attrs::from([(name.into(), Any::from_json("{}").unwrap())])
}

/// A text as the app wrote it, with one of everything.
fn minutes(txn: &mut TransactionMut<'_>) {
    let fragment = tree(txn);
    let heading = fragment.push_back(txn, XmlElementPrelim::empty("heading"));
    heading.insert_attribute(txn, "level", Any::from(2));
    heading.push_back(txn, XmlTextPrelim::new("Minutes 😀"));
    let words = block(txn, "paragraph", "plain bold link");
    words.format(txn, 6, 4, marked("bold"));
    let link = Any::from_json(r#"{"href":"https://example.org/","target":"_blank","class":null}"#).unwrap();
    words.format(
        txn,
        11,
        4,
        Attrs::from([("link".into(), link), ("italic".into(), Any::from_json("{}").unwrap())]),
    );

    let quote = fragment.push_back(txn, XmlElementPrelim::empty("blockquote"));
    paragraph(&quote, txn, "quoted");
    let list = fragment.push_back(txn, XmlElementPrelim::empty("orderedList"));
    list.insert_attribute(txn, "start", Any::from(3));
    let item = element(&list, txn, "listItem");
    paragraph(&item, txn, "three");
    let inner = element(&item, txn, "taskList");
    for (checked, words) in [(true, "done"), (false, "open")] {
        let task = element(&inner, txn, "taskItem");
        task.insert_attribute(txn, "checked", Any::from(checked));
        paragraph(&task, txn, words);
    }
    let item = element(&list, txn, "listItem");
    paragraph(&item, txn, "four");

    let code = fragment.push_back(txn, XmlElementPrelim::empty("codeBlock"));
    code.insert_attribute(txn, "language", "rust");
    code.push_back(txn, XmlTextPrelim::new("fn a() {\n}"));
    fragment.push_back(txn, XmlElementPrelim::empty("horizontalRule"));

    let table = fragment.push_back(txn, XmlElementPrelim::empty("table"));
    let row = element(&table, txn, "tableRow");
    for words in ["a", "b"] {
        let cell = element(&row, txn, "tableHeader");
        paragraph(&cell, txn, words);
    }
    let row = element(&table, txn, "tableRow");
    let cell = element(&row, txn, "tableCell");
    cell.insert_attribute(txn, "colspan", Any::from(2));
    paragraph(&cell, txn, "both");

    let last = fragment.push_back(txn, XmlElementPrelim::empty("paragraph"));
    let image = element(&last, txn, "image");
    image.insert_attribute(txn, "src", "/picture");
    last.push_back(txn, XmlTextPrelim::new(" seen by "));
    let mention = element(&last, txn, "mention");
    mention.insert_attribute(txn, "label", "Ann");
    element(&last, txn, "hardBreak");
    last.push_back(txn, XmlTextPrelim::new("the end"));
}

fn minutes_read() -> Value {
    let p = |words: &str| json!({ "type": "paragraph", "content": [{ "text": words }] });
    json!([
        { "type": "heading", "level": 2, "content": [{ "text": "Minutes 😀" }] },
        { "type": "paragraph", "content": [
            { "text": "plain " },
            { "text": "bold", "marks": { "bold": true } },
            { "text": " " },
            { "text": "link", "marks": { "italic": true, "link": "https://example.org/" } },
        ] },
        { "type": "quote", "content": [p("quoted")] },
        { "type": "list", "kind": "ordered", "start": 3, "items": [
            { "content": [p("three"), { "type": "list", "kind": "task", "items": [
                { "checked": true, "content": [p("done")] },
                { "content": [p("open")] },
            ] }] },
            { "content": [p("four")] },
        ] },
        { "type": "code", "language": "rust", "content": [{ "text": "fn a() {\n}" }] },
        { "type": "rule" },
        { "type": "table", "rows": [
            { "cells": [{ "header": true, "content": [p("a")] }, { "header": true, "content": [p("b")] }] },
            { "cells": [{ "columns": 2, "content": [p("both")] }] },
        ] },
        { "type": "paragraph", "content": [
            { "type": "image", "src": "/picture" },
            { "text": " seen by " },
            { "type": "mention", "label": "Ann" },
            { "type": "break" },
            { "text": "the end" },
        ] },
    ])
}

fn entitled(txn: &mut TransactionMut<'_>) {
    txn.get_or_insert_map("meta").insert(txn, "titleTaken", "Minutes");
}

/// The page of somebody who has an earlier version, with what `write` wrote there.
fn page(write: impl FnOnce(&mut TransactionMut<'_>)) -> Writer {
    let page = Writer::new(7);
    page.edit(|_, txn| {
        entitled(txn);
        write(txn);
    });
    page
}

fn loaded(state: &Bytes) -> Replica {
    Replica::load([state], Deleted::default()).unwrap()
}

fn body(replica: &mut Replica) -> Value {
    let state = replica.state().unwrap();
    let json =
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(export::to_json(state));
    serde_json::from_str::<Value>(&json.0.unwrap()).unwrap()["body"].take()
}

fn lines(replica: &mut Replica) -> String {
    let state = replica.state().unwrap();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(export::to_text(state)).0.unwrap()
}

fn receive(replica: &mut Replica, update: Bytes) {
    let update = Update::check(update, &boundless()).unwrap();
    replica.apply(&[&update]).unwrap();
}

/// What the page wrote, and what the document says after it.
fn hears(replica: &mut Replica, page: &Writer, write: impl FnOnce(&mut TransactionMut<'_>)) {
    receive(replica, page.edit(|_, txn| write(txn)));
    replica.take_over(usize::MAX).unwrap();
}

fn words_at(txn: &mut TransactionMut<'_>, at: u32) -> XmlTextRef {
    match tree(txn).get(txn, at) {
        Some(XmlOut::Element(element)) => match element.get(txn, 0) {
            Some(XmlOut::Text(text)) => text,
            _ => panic!("no words in block {at}"),
        },
        _ => panic!("no block {at}"),
    }
}

#[test]
fn a_tree_becomes_a_text_with_everything_in_it() {
    let mut replica = loaded(&page(minutes).state());
    let taken = replica.take_over(usize::MAX).unwrap().unwrap();
    assert!(taken.update.is_some());
    assert_eq!(body(&mut replica), minutes_read());
    assert!(replica.take_over(usize::MAX).unwrap().is_none(), "once");
    // Loaded again, it is one.
    let mut again = loaded(&replica.state().unwrap());
    assert!(again.take_over(usize::MAX).unwrap().is_none());
    assert_eq!(body(&mut again), minutes_read());
}

/// Two who have the same words, however those came about, make the same change of them.
#[test]
fn taken_over_twice_it_is_there_once() {
    let typed = Writer::new(8);
    typed.edit(|_, txn| {
        entitled(txn);
        minutes(txn);
        words_at(txn, 1).insert(txn, 0, "x");
    });
    typed.edit(|_, txn| words_at(txn, 1).remove_range(txn, 0, 1));
    let (mut one, mut other) = (loaded(&page(minutes).state()), loaded(&page(minutes).state()));
    let first = one.take_over(usize::MAX).unwrap().unwrap().update.unwrap();
    let second = other.take_over(usize::MAX).unwrap().unwrap().update.unwrap();
    receive(&mut one, second);
    receive(&mut other, first);
    assert_eq!(body(&mut one), minutes_read());
    assert_eq!(body(&mut other), minutes_read());
    // A server that died before it had stored it, and a page that had seen it already.
    let mut third = loaded(&page(minutes).state());
    third.take_over(usize::MAX).unwrap();
    receive(&mut third, one.state().unwrap());
    assert!(third.take_over(usize::MAX).unwrap().is_none());
    assert_eq!(body(&mut third), minutes_read());
    let conversion = |writer: &Writer| {
        let mut replica = loaded(&writer.state());
        replica.take_over(usize::MAX).unwrap();
        replica.vector()
    };
    assert!(conversion(&typed).len() > 2);
}

#[test]
fn documents_of_other_programs_stay_what_they_are() {
    let other = Writer::new(9);
    other.edit(|_, txn| minutes(txn));
    let mut replica = loaded(&other.state());
    assert!(replica.take_over(usize::MAX).unwrap().is_none());
    let board = Writer::new(9);
    board.edit(|_, txn| {
        minutes(txn);
        txn.get_or_insert_map("meta").insert(txn, "kind", "board");
    });
    assert!(loaded(&board.state()).take_over(usize::MAX).unwrap().is_none());
    // A map of that name is no tree.
    let map = Writer::new(9);
    map.edit(|_, txn| {
        entitled(txn);
        txn.get_or_insert_map(text::FRAGMENT).insert(txn, "a", 1);
    });
    assert!(loaded(&map.state()).take_over(usize::MAX).unwrap().is_none());
}

#[test]
fn a_tree_that_comes_later_is_taken_over_then() {
    let mut replica = Replica::default();
    assert!(replica.take_over(usize::MAX).unwrap().is_none());
    receive(&mut replica, page(minutes).state());
    assert!(replica.take_over(usize::MAX).unwrap().is_some());
    assert_eq!(body(&mut replica), minutes_read());
}

#[test]
fn what_an_old_page_goes_on_to_write_is_in_the_text() {
    let page = page(|txn| {
        block(txn, "paragraph", "one two");
        block(txn, "paragraph", "three");
    });
    let mut replica = loaded(&page.state());
    replica.take_over(usize::MAX).unwrap();
    hears(&mut replica, &page, |txn| words_at(txn, 0).insert(txn, 3, " and"));
    assert_eq!(lines(&mut replica), "one and two\nthree");
    hears(&mut replica, &page, |txn| words_at(txn, 1).insert(txn, 5, " four"));
    hears(&mut replica, &page, |txn| words_at(txn, 0).remove_range(txn, 0, 4));
    assert_eq!(lines(&mut replica), "and two\nthree four");
    // A heading made of a paragraph, as the old binding does it: by a copy.
    hears(&mut replica, &page, |txn| {
        let fragment = tree(txn);
        fragment.remove_range(txn, 0, 1);
        let heading = fragment.insert(txn, 0, XmlElementPrelim::empty("heading"));
        heading.insert_attribute(txn, "level", Any::from(1));
        heading.push_back(txn, XmlTextPrelim::new("and two"));
    });
    assert_eq!(
        body(&mut replica)[0],
        json!({ "type": "heading", "level": 1, "content": [{ "text": "and two" }] })
    );
    hears(&mut replica, &page, |txn| {
        block(txn, "paragraph", "five");
    });
    assert_eq!(lines(&mut replica), "and two\nthree four\nfive");
    // Formatting too.
    hears(&mut replica, &page, |txn| words_at(txn, 2).format(txn, 0, 2, marked("bold")));
    assert_eq!(body(&mut replica)[2]["content"][0], json!({ "text": "fi", "marks": { "bold": true } }));
    // And after the document has been closed and opened.
    let mut replica = loaded(&replica.state().unwrap());
    replica.take_over(usize::MAX).unwrap();
    hears(&mut replica, &page, |txn| words_at(txn, 2).insert(txn, 4, "!"));
    assert_eq!(lines(&mut replica), "and two\nthree four\nfive!");
}

#[test]
fn what_both_wrote_is_there() {
    let page = page(|txn| {
        block(txn, "paragraph", "one two");
        block(txn, "paragraph", "three");
    });
    let mut replica = loaded(&page.state());
    replica.take_over(usize::MAX).unwrap();
    // Somebody with today's page writes, deletes a word and makes a heading, while the old page is away.
    let today = Writer::new(11);
    today.receive(&replica.state().unwrap());
    let update = today.edit(|_, txn| {
        let body = txn.get_or_insert_text("body");
        // Behind the boundary that begins the first block.
        body.insert(txn, 1, "zero ");
        body.remove_range(txn, 10, 3);
        let length = body.len(txn);
        body.insert(txn, length, " four");
    });
    receive(&mut replica, update);
    replica.take_over(usize::MAX).unwrap();
    assert_eq!(lines(&mut replica), "zero one \nthree four");
    hears(&mut replica, &page, |txn| {
        words_at(txn, 0).insert(txn, 7, "!");
        words_at(txn, 0).insert(txn, 3, "?");
        words_at(txn, 1).insert(txn, 5, ",");
        block(txn, "paragraph", "last");
    });
    assert_eq!(lines(&mut replica), "zero one? !\nthree, four\nlast");
}

#[test]
fn words_in_cells_go_into_the_cells_and_other_tables_come_beside() {
    let page = page(minutes);
    let mut replica = loaded(&page.state());
    replica.take_over(usize::MAX).unwrap();
    let cell = |txn: &mut TransactionMut<'_>, row: u32, column: u32| {
        let step = |element: XmlOut, at: u32, txn: &TransactionMut<'_>| match element {
            XmlOut::Element(element) => element.get(txn, at).unwrap(),
            _ => panic!("no element"),
        };
        let table = tree(txn).get(txn, 6).unwrap();
        let row = step(table, row, txn);
        let cell = step(row, column, txn);
        match step(step(cell, 0, txn), 0, txn) {
            XmlOut::Text(text) => text,
            _ => panic!("no words"),
        }
    };
    hears(&mut replica, &page, |txn| cell(txn, 0, 1).insert(txn, 1, "eta"));
    let mut expected = minutes_read();
    expected[6]["rows"][0]["cells"][1]["content"][0]["content"][0]["text"] = json!("beta");
    assert_eq!(body(&mut replica), expected);
    // A row more: nothing of the table that is there goes, and the other has all that the old page shows.
    hears(&mut replica, &page, |txn| {
        let Some(XmlOut::Element(table)) = tree(txn).get(txn, 6) else { panic!("no table") };
        let row = element(&table, txn, "tableRow");
        let cell = element(&row, txn, "tableCell");
        paragraph(&cell, txn, "new");
    });
    let text = lines(&mut replica);
    assert!(text.contains("beta\nboth\nnew") && text.contains("the end"), "{text}");
    assert_eq!(text.matches("beta").count(), 2, "{text}");
}

/// An embedded string is one place in the text, and looks like as many as it has characters.
#[test]
fn embedded_strings_do_not_move_where_words_are_carried_to() {
    let page = page(|txn| {
        block(txn, "paragraph", "ab");
    });
    let older = page.state();
    page.edit(|_, txn| words_at(txn, 0).insert(txn, 2, "c"));
    let (mut replica, mut newer) = (loaded(&older), loaded(&page.state()));
    replica.take_over(usize::MAX).unwrap();
    newer.take_over(usize::MAX).unwrap();
    writes(&mut replica, 11, |txn| {
        let body = txn.get_or_insert_text("body");
        body.insert_embed(txn, 1, Any::from("0123456789"));
        body.push(txn, " zero");
    });
    page.edit(|_, txn| words_at(txn, 0).remove_range(txn, 2, 1));
    hears(&mut replica, &page, |txn| words_at(txn, 0).remove_range(txn, 1, 1));
    let characters = |replica: &mut Replica| {
        let state = replica.state().unwrap();
        let today = Writer::new(20);
        today.receive(&state);
        let mut told = String::new();
        today.edit(|_, txn| told = yrs::GetString::get_string(&txn.get_or_insert_text("body"), txn));
        told
    };
    assert_eq!(characters(&mut replica), "a zero");
    // Nor where a copy is taken out.
    writes(&mut newer, 12, |txn| type_behind(txn, "abc", "d"));
    receive(&mut replica, newer.state().unwrap());
    replica.take_over(usize::MAX).unwrap();
    let told = characters(&mut replica);
    assert!(told.contains("zero") && told.contains('d') && copies(&mut replica) == 1, "{told:?}");
}

fn table_at(txn: &mut TransactionMut<'_>, at: u32) -> XmlElementRef {
    match tree(txn).get(txn, at) {
        Some(XmlOut::Element(table)) => table,
        _ => panic!("no table"),
    }
}

fn row(table: &XmlElementRef, txn: &mut TransactionMut<'_>, words: &[&str]) {
    let row = element(table, txn, "tableRow");
    for words in words {
        let cell = element(&row, txn, "tableCell");
        paragraph(&cell, txn, words);
    }
}

fn words_in_cell(txn: &mut TransactionMut<'_>, table: u32, row: u32, column: u32) -> XmlTextRef {
    let mut at = XmlOut::Element(table_at(txn, table));
    for step in [row, column, 0, 0] {
        let XmlOut::Element(element) = at else { panic!("no element") };
        at = element.get(txn, step).unwrap();
    }
    let XmlOut::Text(words) = at else { panic!("no words") };
    words
}

/// What a page of an earlier version types into a table that it made after the tree was taken over.
#[test]
fn words_go_into_the_table_that_stands_for_the_tree_now() {
    let page = page(|txn| {
        block(txn, "paragraph", "words");
    });
    let mut replica = loaded(&page.state());
    replica.take_over(usize::MAX).unwrap();
    hears(&mut replica, &page, |txn| {
        let table = tree(txn).push_back(txn, XmlElementPrelim::empty("table"));
        row(&table, txn, &["a", "b"]);
    });
    hears(&mut replica, &page, |txn| words_in_cell(txn, 1, 0, 1).insert(txn, 1, "eta"));
    assert_eq!(lines(&mut replica), "words\na\nbeta");
    // After the document has been closed and opened too.
    let mut replica = loaded(&replica.state().unwrap());
    replica.take_over(usize::MAX).unwrap();
    hears(&mut replica, &page, |txn| words_in_cell(txn, 1, 0, 0).insert(txn, 1, "lpha"));
    assert_eq!(lines(&mut replica), "words\nalpha\nbeta");
    assert!(replica.clear_dead_cells().unwrap().is_none(), "nothing was written where nobody finds it");
    // Another row makes another table of it, and to take that back one more: none of them is called like one before.
    let table = |replica: &mut Replica| lines(replica).lines().skip(1).collect::<Vec<_>>().join("|");
    hears(&mut replica, &page, |txn| row(&table_at(txn, 1), txn, &["c", "d"]));
    assert_eq!(table(&mut replica).matches("alpha|beta").count(), 2);
    hears(&mut replica, &page, |txn| table_at(txn, 1).remove_range(txn, 1, 1));
    hears(&mut replica, &page, |txn| words_in_cell(txn, 1, 0, 0).insert(txn, 5, "!"));
    let told = table(&mut replica);
    assert_eq!((told.matches("alpha|beta").count(), told.matches("alpha!|beta").count()), (2, 1), "{told}");
    assert_eq!(copies(&mut replica), 1);
}

/// A document that becomes one of ours while it is open, and is too large to be taken over where that holds others up.
#[test]
fn what_is_too_large_is_found_so_once_and_taken_over_apart() {
    let page = Writer::new(7);
    page.edit(|_, txn| {
        block(txn, "paragraph", "words");
    });
    let mut replica = loaded(&page.state());
    assert!(replica.take_over(1).unwrap().is_none() && !replica.follows_tree());
    receive(&mut replica, page.edit(|_, txn| entitled(txn)));
    assert!(replica.take_over(1).unwrap().is_none() && replica.follows_tree());
    receive(&mut replica, page.insert(0, "x"));
    assert!(replica.take_over(1).unwrap().is_none());
    assert!(replica.cache.state.is_none(), "it was encoded again");
    replica.take_over_ahead();
    assert!(replica.take_over(1).unwrap().is_some());
    assert_eq!(body(&mut replica)[0]["content"][0]["text"], "words");
}

#[test]
fn nesting_without_end_takes_no_stack() {
    let page = page(|txn| {
        let fragment = tree(txn);
        let mut quote = fragment.push_back(txn, XmlElementPrelim::empty("blockquote"));
        for _ in 0..400 {
            quote = element(&quote, txn, "blockquote");
        }
        paragraph(&quote, txn, "deep");
    });
    let mut replica = loaded(&page.state());
    replica.take_over(usize::MAX).unwrap();
    assert_eq!(lines(&mut replica), "deep");
}

// ---- taken over twice --------------------------------------------------------------------------------------

/// Somebody with today's page who has what the server has, and writes.
fn writes(replica: &mut Replica, client: u64, write: impl FnOnce(&mut TransactionMut<'_>)) {
    let today = Writer::new(client);
    today.receive(&replica.state().unwrap());
    receive(replica, today.edit(|_, txn| write(txn)));
    replica.take_over(usize::MAX).unwrap();
}

/// Behind these words, in the units of the body.
fn behind(txn: &mut TransactionMut<'_>, words: &str) -> u32 {
    let body = txn.get_or_insert_text("body");
    let mut at = 0;
    for piece in body.diff(txn, yrs::types::text::YChange::identity) {
        let yrs::Out::Any(Any::String(text)) = piece.insert else {
            at += 1;
            continue;
        };
        if let Some(found) = text.find(words) {
            return at + crate::document::plain_text::units(&text[..found + words.len()]);
        }
        at += crate::document::plain_text::units(&text);
    }
    panic!("no {words:?}")
}

fn type_behind(txn: &mut TransactionMut<'_>, before: &str, words: &str) {
    let at = behind(txn, before);
    txn.get_or_insert_text("body").insert(txn, at, words);
}

fn begin_behind(txn: &mut TransactionMut<'_>, before: &str, kind: &str, words: &str) {
    let at = behind(txn, before);
    let body = txn.get_or_insert_text("body");
    body.insert_embed(txn, at, yrs::MapPrelim::from([("type", kind)]));
    body.insert(txn, at + 1, words);
}

fn delete(txn: &mut TransactionMut<'_>, words: &str) {
    let length = crate::document::plain_text::units(words);
    let at = behind(txn, words) - length;
    txn.get_or_insert_text("body").remove_range(txn, at, length);
}

fn copies(replica: &mut Replica) -> usize {
    replica.contain(|doc, _| text::copies(&doc.transact()).len()).unwrap()
}

/// A server whose store is an older one, from a backup, and a page that has what had become of the newer one. Both have
/// taken over the tree, each as it was there.
#[test]
fn what_was_taken_over_from_an_older_tree_too_is_there_once() {
    let page = page(|txn| {
        block(txn, "paragraph", "one two three");
        block(txn, "paragraph", "four five");
    });
    let older = page.state();
    page.edit(|_, txn| {
        words_at(txn, 0).insert(txn, 3, " and");
        block(txn, "paragraph", "six");
    });
    let mut newer = loaded(&page.state());
    newer.take_over(usize::MAX).unwrap();
    writes(&mut newer, 11, |txn| {
        type_behind(txn, "one and", " a half,");
        delete(txn, " five");
        begin_behind(txn, "six", "heading", "seven");
    });
    // What a page of an earlier version still writes is in the text already.
    hears(&mut newer, &page, |txn| words_at(txn, 2).insert(txn, 0, "then "));
    assert_eq!(lines(&mut newer), "one and a half, two three\nfour\nthen six\nseven");

    let mut server = loaded(&older);
    server.take_over(usize::MAX).unwrap();
    assert_eq!(lines(&mut server), "one two three\nfour five");
    receive(&mut server, newer.state().unwrap());
    assert_eq!(copies(&mut server), 2);
    assert!(server.take_over(usize::MAX).unwrap().is_some());
    assert_eq!(lines(&mut server), "one and a half, two three\nfour\nthen six\nseven");
    assert_eq!(body(&mut server)[3]["type"], "heading");
    assert_eq!(copies(&mut server), 1);
    assert!(server.take_over(usize::MAX).unwrap().is_none(), "once");
    // The page has it too, and what is written into the tree from then on.
    receive(&mut newer, server.state().unwrap());
    newer.take_over(usize::MAX).unwrap();
    assert_eq!(lines(&mut newer), lines(&mut server));
    page.receive(&server.state().unwrap());
    hears(&mut server, &page, |txn| words_at(txn, 1).insert(txn, 0, "now "));
    assert_eq!(lines(&mut server), "one and a half, two three\nnow four\nthen six\nseven");
}

#[test]
fn what_was_written_into_either_copy_is_there() {
    let page = page(|txn| {
        block(txn, "paragraph", "one two three");
        block(txn, "paragraph", "four five");
    });
    let older = page.state();
    page.edit(|_, txn| {
        words_at(txn, 1).insert(txn, 4, " point");
    });
    let (mut first, mut second) = (loaded(&older), loaded(&page.state()));
    first.take_over(usize::MAX).unwrap();
    second.take_over(usize::MAX).unwrap();
    writes(&mut first, 11, |txn| {
        type_behind(txn, "one", " first");
        delete(txn, " three");
        type_behind(txn, "five", " end");
    });
    writes(&mut second, 12, |txn| {
        type_behind(txn, "one two", " second");
        begin_behind(txn, "five", "bullet", "last");
    });
    let (of_first, of_second) = (first.state().unwrap(), second.state().unwrap());
    for (server, others) in [(&mut first, &of_second), (&mut second, &of_first)] {
        receive(server, others.clone());
        server.take_over(usize::MAX).unwrap();
        let text = lines(server);
        for word in ["one", "two", "four", "point", "five", "first", "second", "end", "last"] {
            assert_eq!(text.matches(word).count(), 1, "{word} in {text:?}");
        }
        assert_eq!(text.lines().count(), 3, "{text:?}");
        assert_eq!(copies(server), 1);
    }
    // Where nobody knows what was carried, nothing that is in either is left out.
    let both = Writer::new(20);
    both.receive(&of_first);
    both.receive(&of_second);
    let mut server = loaded(&both.state());
    server.take_over(usize::MAX).unwrap();
    let text = lines(&mut server);
    for word in ["one", "two", "three", "four", "point", "five", "first", "second", "end", "last"] {
        assert_eq!(text.matches(word).count(), 1, "{word} in {text:?}");
    }
    assert_eq!(copies(&mut server), 1);
}

/// A note of a copy that is not there, or of which nothing is left, takes nothing with it.
#[test]
fn notes_of_copies_that_are_not_there_do_no_harm() {
    let page = page(|txn| {
        block(txn, "paragraph", "one two");
    });
    let mut replica = loaded(&page.state());
    replica.take_over(usize::MAX).unwrap();
    writes(&mut replica, 11, |txn| {
        let converted = txn.get_or_insert_map(text::CONVERTED);
        for n in 0..9 {
            let note = format!(r#"{{"client":{},"length":8}}"#, 1000 + n);
            converted.insert(txn, format!("{n}"), Any::from_json(&note).unwrap());
        }
        converted.insert(txn, "odd", true);
        type_behind(txn, "one", " and");
    });
    for n in 0..3 {
        writes(&mut replica, 12, |txn| type_behind(txn, "two", &format!(" {n}")));
    }
    assert_eq!(lines(&mut replica), "one and two 2 1 0");
    assert_eq!(copies(&mut replica), 1);
}

#[test]
fn tables_that_were_taken_over_twice_are_there_once() {
    let page = page(minutes);
    let older = page.state();
    page.edit(|_, txn| words_at(txn, 1).insert(txn, 0, "not so "));
    let mut newer = loaded(&page.state());
    newer.take_over(usize::MAX).unwrap();
    writes(&mut newer, 11, |txn| {
        let body = txn.get_or_insert_text("body");
        let table = body.diff(txn, yrs::types::text::YChange::identity).into_iter().find_map(|piece| {
            let yrs::Out::YMap(map) = piece.insert else { return None };
            let id = map.get(txn, "id")?.cast::<String>().ok()?;
            Some((map, id))
        });
        let (table, id) = table.unwrap();
        let Some(yrs::Out::YMap(rows)) = table.get(txn, "rows") else { panic!("no rows") };
        rows.insert(txn, "new", Any::from_json(r#"{"order":"z"}"#).unwrap());
        txn.get_or_insert_text(format!("cell/{id}/new/c0")).insert(txn, 0, "late");
        txn.get_or_insert_text(format!("cell/{id}/r0/c1")).insert(txn, 1, "eta");
    });
    let mut server = loaded(&older);
    server.take_over(usize::MAX).unwrap();
    receive(&mut server, newer.state().unwrap());
    server.take_over(usize::MAX).unwrap();
    let mut expected = minutes_read();
    expected[1]["content"][0]["text"] = json!("not so plain ");
    expected[6]["rows"][0]["cells"][1]["content"][0]["content"][0]["text"] = json!("beta");
    let p = json!({ "type": "paragraph", "content": [{ "text": "late" }] });
    let row = json!({ "cells": [{ "content": [p] }, { "content": [{ "type": "paragraph" }] }] });
    expected[6]["rows"].as_array_mut().unwrap().push(row);
    assert_eq!(body(&mut server), expected);
}

fn tree_lines(page: &Writer) -> String {
    let mut told = String::new();
    page.edit(|_, txn| {
        let blocks = tree(txn).len(txn);
        told = (0..blocks)
            .map(|at| yrs::GetString::get_string(&words_at(txn, at), txn))
            .collect::<Vec<_>>()
            .join("|");
    });
    told
}

/// What a text says, whoever wrote it and when, is there exactly once.
#[test]
fn random_copies_become_one_without_a_word_twice() {
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn word(random: &mut ChaCha8Rng, who: char, written: &mut Vec<String>) -> String {
        let word = format!("{who}{}{} ", written.len(), ["", "é", "😀"][random.random_range(0..3)]);
        written.push(word.trim_end().to_owned());
        word
    }
    fn edit_tree(random: &mut ChaCha8Rng, page: &Writer, who: char, written: &mut Vec<String>) -> Bytes {
        page.edit(|_, txn| {
            for _ in 0..random.random_range(1..4) {
                let blocks = tree(txn).len(txn);
                if blocks == 0 || random.random_bool(0.4) {
                    let words: String = (0..3).map(|_| word(random, who, written)).collect();
                    block(txn, ["paragraph", "heading"][random.random_range(0..2)], &words);
                } else {
                    let at = random.random_range(0..blocks);
                    let (words, word) = (words_at(txn, at), word(random, who, written));
                    let end = if random.random_bool(0.5) { words.len(txn) } else { 0 };
                    words.insert(txn, end, &word);
                }
            }
        })
    }
    fn edit_body(
        random: &mut ChaCha8Rng,
        replica: &mut Replica,
        who: char,
        written: &mut Vec<String>,
    ) -> Vec<String> {
        let mut gone = Vec::new();
        writes(replica, 100 + u64::from(u32::from(who)), |txn| {
            let body = txn.get_or_insert_text("body");
            for _ in 0..random.random_range(0..5) {
                let mut places = vec![];
                let mut words = vec![];
                let mut at = 0;
                for piece in body.diff(txn, yrs::types::text::YChange::identity) {
                    let yrs::Out::Any(Any::String(text)) = piece.insert else {
                        at += 1;
                        places.push(at);
                        continue;
                    };
                    for one in text.split_inclusive(' ') {
                        words.push((at, one.to_owned()));
                        at += crate::document::plain_text::units(one);
                        places.push(at);
                    }
                }
                match random.random_range(0..4) {
                    0 if !words.is_empty() => {
                        let (at, word) = words[random.random_range(0..words.len())].clone();
                        body.remove_range(txn, at, crate::document::plain_text::units(&word));
                        gone.push(word.trim_end().to_owned());
                    }
                    1 => {
                        let at = places[random.random_range(0..places.len())];
                        body.insert_embed(txn, at, yrs::MapPrelim::from([("type", "bullet")]));
                    }
                    _ => {
                        let at = places[random.random_range(0..places.len())];
                        body.insert(txn, at, &word(random, who, written));
                    }
                }
            }
        });
        gone
    }

    for seed in 0..150 {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut written = Vec::new();
        let page = page(|_| {});
        edit_tree(random, &page, 'b', &mut written);
        let older = page.state();
        edit_tree(random, &page, 'a', &mut written);
        let (mut first, mut second) = (loaded(&older), loaded(&page.state()));
        first.take_over(usize::MAX).unwrap();
        second.take_over(usize::MAX).unwrap();
        let mut gone = edit_body(random, &mut first, 'f', &mut written);
        gone.extend(edit_body(random, &mut second, 's', &mut written));
        if random.random_bool(0.5) {
            let late = edit_tree(random, &page, 'l', &mut written);
            receive(&mut second, late);
            second.take_over(usize::MAX).unwrap();
        }
        let (of_first, of_second) = (first.state().unwrap(), second.state().unwrap());
        let told = format!(
            "seed {seed}, {:?} to {:?}: {:?} and {:?}",
            lines(&mut loaded(&older)),
            tree_lines(&page),
            lines(&mut first),
            lines(&mut second)
        );
        for (server, others) in [(&mut first, &of_second), (&mut second, &of_first)] {
            receive(server, others.clone());
            server.take_over(usize::MAX).unwrap();
            let text = lines(server);
            let words: Vec<&str> = text.split_whitespace().collect();
            assert_eq!(copies(server), 1, "{told}: {text:?}");
            for word in &written {
                let count = words.iter().filter(|one| *one == word).count();
                let expected = if gone.contains(word) { count <= 1 } else { count == 1 };
                assert!(expected, "{word} is there {count} times: {told}: {text:?}");
            }
        }
    }
}
