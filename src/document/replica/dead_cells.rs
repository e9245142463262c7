//! The words of tables that are gone for good. A cell's words are a root of the document, and a root is never deleted: when
//! a table's boundary goes, with the stretch of text that it stood in, its words stay where nobody finds them.
//!
//! They are cleared while nobody has the document open. A table that is only marked as deleted stays as it is, and so does
//! one that stands in the text twice: whoever deleted it may take that back.

use yrs::{Text as _, Transact};

use super::{Applied, Poisoned, Replica, takeover};
use crate::document::text;

impl Replica {
    /// Takes away what is written in cells of tables that nothing in the text names any more; `None` if there is none.
    pub fn clear_dead_cells(&mut self) -> Result<Option<Applied>, Poisoned> {
        if !self.reads_pieces()? {
            return Ok(None);
        }
        let dead = self.contain(|doc, _| {
            let txn = doc.transact();
            #[cfg(feature = "test-hooks")]
            super::panic_if_it_has(&txn, super::PANIC_TIDY_ROOT);
            if takeover::is_ours(&txn) { text::dead_cells(&txn) } else { Vec::new() }
        })?;
        self.write(|txn| {
            for cell in &dead {
                let length = cell.len(txn);
                cell.remove_range(txn, 0, length);
            }
            !dead.is_empty()
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use yrs::{Map as _, MapPrelim, WriteTxn};

    use super::*;
    use crate::document::{deleted::Deleted, testing::Writer};

    fn table(writer: &Writer, id: &str) {
        writer.edit(|_, txn| {
            let body = txn.get_or_insert_text(text::BODY);
            let at = body.len(txn);
            body.insert_embed(txn, at, MapPrelim::from([("type", "table"), ("id", id)]));
        });
    }

    fn words(writer: &Writer, root: &str, words: &str) -> Bytes {
        writer.edit(|_, txn| txn.get_or_insert_text(root).push(txn, words))
    }

    fn text_at(replica: &mut Replica, root: &str) -> String {
        let root = crate::protocol::json::FieldName::parse(root).unwrap();
        replica.root_text(&root).unwrap().text.characters
    }

    #[test]
    fn words_of_a_table_that_is_gone_are_cleared_and_others_stay() {
        let ann = Writer::new(3);
        ann.edit(|_, txn| {
            txn.get_or_insert_map("meta").insert(txn, "kind", "text");
        });
        for (id, words_in) in [("gone", "x"), ("stays", "y"), ("deleted", "z")] {
            table(&ann, id);
            words(&ann, &format!("cell/{id}/r/c"), words_in);
        }
        ann.edit(|_, txn| {
            let body = txn.get_or_insert_text(text::BODY);
            body.remove_range(txn, 0, 1);
            let last =
                match body.diff(txn, yrs::types::text::YChange::identity).pop().map(|piece| piece.insert) {
                    Some(yrs::Out::YMap(map)) => map,
                    other => panic!("{other:?}"),
                };
            last.insert(txn, "deleted", true);
        });
        let mut replica = Replica::load([&ann.state()], Deleted::default()).unwrap();
        let cleared = replica.clear_dead_cells().unwrap().unwrap();
        assert_eq!(text_at(&mut replica, "cell/gone/r/c"), "");
        assert_eq!(text_at(&mut replica, "cell/stays/r/c"), "y");
        assert_eq!(text_at(&mut replica, "cell/deleted/r/c"), "z");
        assert!(replica.clear_dead_cells().unwrap().is_none(), "once");
        // What somebody wrote there meanwhile is not taken away with it.
        let late = words(&ann, "cell/gone/r/c", "late");
        let update = crate::document::testing::check(late);
        replica.apply(&[&update]).unwrap();
        ann.receive(&cleared.update.unwrap());
        assert_eq!(text_at(&mut replica, "cell/gone/r/c"), "late");
    }

    /// What is no text cannot be taken away as text.
    #[test]
    fn lists_and_maps_of_that_name_stay() {
        let ann = Writer::new(3);
        ann.edit(|_, txn| {
            txn.get_or_insert_map("meta").insert(txn, "kind", "text");
            let list = txn.get_or_insert_array("cell/a/b/c");
            yrs::Array::insert_range(&list, txn, 0, [1, 2, 3]);
            txn.get_or_insert_map("cell/a/b/d").insert(txn, "x", 1);
        });
        table(&ann, "b");
        words(&ann, "cell/a/b/e", "words");
        let mut replica = Replica::load([&ann.state()], Deleted::default()).unwrap();
        assert!(replica.clear_dead_cells().unwrap().is_some());
        assert_eq!(text_at(&mut replica, "cell/a/b/e"), "");
        assert!(replica.clear_dead_cells().unwrap().is_none());
    }

    #[test]
    fn roots_of_other_programs_are_theirs() {
        let other = Writer::new(3);
        words(&other, "cell/a/b/c", "x");
        let mut replica = Replica::load([&other.state()], Deleted::default()).unwrap();
        assert!(replica.clear_dead_cells().unwrap().is_none());
        other.edit(|_, txn| {
            txn.get_or_insert_map("meta").insert(txn, "kind", "board");
        });
        let mut replica = Replica::load([&other.state()], Deleted::default()).unwrap();
        assert!(replica.clear_dead_cells().unwrap().is_none());
    }
}
