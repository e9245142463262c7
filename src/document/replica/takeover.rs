//! Texts of earlier versions, which were trees of XML: taken over into today's sequence once ([`text::Conversion`]), and
//! what is still written into the tree carried into the text.
//!
//! Only a document that this app made is taken over, told by what its root map `meta` says. The tree stays as it is, so
//! nothing of it is lost, and a page that was opened before the server was replaced can go on: what it writes is in the
//! text for everybody else. That a tree is taken over stands in the document itself, in the root map `converted`; if it says
//! so twice, one is made of the two ([`text::take_out`]).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use yrs::{DeepObservable, Doc, Observable, ReadTxn, Transact, XmlFragment};

use super::{Applied, Poisoned, Replica, boundless, known, processor_time};
use crate::{
    document::text::{self, Copied, Text},
    protocol::{
        guard::{Shape, Update},
        json::FieldName,
    },
};

/// Under which key yrs keeps our ear at a tree.
const WATCH: &str = "weft's old text";

/// So many copies become one at a time, the others with the next change: each takes a walk over all of the text, and nobody
/// but a program that means harm makes more.
const AT_ONCE: usize = 4;

/// What is known of the tree of a document.
#[derive(Default)]
pub(super) struct Tree {
    /// `None` before it was looked at.
    base: Option<Base>,
    /// It has changed since, or was taken over once more.
    heard: Arc<AtomicBool>,
    /// It is none, or cannot be read.
    given_up: bool,
    /// How long it took to look at it and to carry it over, since that was last asked.
    took: Duration,
    /// It is too large to be taken over where that holds others up.
    left: bool,
    /// It was looked at already, where that holds nobody up.
    ahead: Option<Result<Option<Applied>, Poisoned>>,
}

/// A tree as it is in the text.
struct Base {
    /// What it said when it was last carried over.
    said: Text,
    /// The copy that was made of it, by its names.
    copy: String,
    /// What its tables are called in the text.
    tables: String,
}

enum TreeState {
    /// There is no tree of ours.
    None,
    Due,
    /// Taken over: so often.
    Done(Vec<Copied>),
}

impl Replica {
    /// Takes over what a text of earlier versions says, if that has not been done, or what was written there since. To be
    /// asked after loading and after every change; `None` if there was nothing to do.
    ///
    /// A tree of more than `most` bytes is not taken over now. It will be with the next change, or when the document is loaded
    /// next, where that holds nobody else up ([`Self::follows_tree`]).
    pub fn take_over(&mut self, most: usize) -> Result<Option<Applied>, Poisoned> {
        if let Some(ahead) = self.tree.ahead.take() {
            return ahead;
        }
        let begun = processor_time();
        let taken = self.look_at_tree(most);
        self.tree.took += processor_time().saturating_sub(begun);
        taken
    }

    /// The same where it may take long: the answer is given to whoever asks next, before anything else has changed.
    pub fn take_over_ahead(&mut self) {
        let taken = self.take_over(usize::MAX);
        self.tree.ahead = Some(taken);
    }

    /// Whether that was done and nobody has asked for the answer.
    pub fn was_taken_over_ahead(&self) -> bool {
        self.tree.ahead.is_some()
    }

    /// Whether there is a tree into which every change may write, so that all of it has to be looked at.
    pub fn follows_tree(&self) -> bool {
        !self.tree.given_up && (self.tree.base.is_some() || self.tree.left)
    }

    /// How long that took since this was last asked.
    pub fn taking_over_took(&mut self) -> Duration {
        std::mem::take(&mut self.tree.took)
    }

    fn look_at_tree(&mut self, most: usize) -> Result<Option<Applied>, Poisoned> {
        let tree_state = self.tree_to_read(most)?;
        if matches!(tree_state, TreeState::None) {
            return Ok(None);
        }
        let Some(now) = self.read_tree()? else {
            self.tree.given_up = true;
            return Ok(None);
        };
        match tree_state {
            TreeState::None => Ok(None),
            TreeState::Due => self.convert(now),
            TreeState::Done(copies) => self.carry(&copies, now),
        }
    }

    /// Whether there is a tree that has to be read, and can be; [`TreeState::None`] if not.
    fn tree_to_read(&mut self, most: usize) -> Result<TreeState, Poisoned> {
        if self.tree.given_up {
            return Ok(TreeState::None);
        }
        let is_known = self.tree.base.is_some();
        if is_known && !self.tree.heard.swap(false, Ordering::AcqRel) {
            return Ok(TreeState::None);
        }
        let tree_state = self.contain(|doc, _| tree_state(doc))?;
        if matches!(tree_state, TreeState::None) {
            return Ok(TreeState::None);
        }
        if matches!(tree_state, TreeState::Due) && most < usize::MAX {
            // Once: it would be encoded with every change.
            self.tree.left = self.tree.left || self.state()?.len() > most;
            if self.tree.left {
                return Ok(TreeState::None);
            }
        }
        if !self.reads_pieces()? {
            self.tree.given_up = true;
            return Ok(TreeState::None);
        }
        // There are trees that yrs would read for ever.
        let Ok(root) = FieldName::parse(text::FRAGMENT) else { return Ok(TreeState::None) };
        if self.shape(&root)? != Some(Shape::Xml) {
            self.tree.given_up = true;
            return Ok(TreeState::None);
        }
        Ok(tree_state)
    }

    /// What the tree says; `None` if it says more than there is room for.
    fn read_tree(&mut self) -> Result<Option<Text>, Poisoned> {
        let room = text::Room::of(self.state()?.len());
        self.contain(|doc, _| {
            let fragment = doc.get_or_insert_xml_fragment(text::FRAGMENT);
            #[cfg(feature = "test-hooks")]
            {
                let txn = doc.transact();
                super::panic_if_it_has(&txn, super::PANIC_TREE_ROOT);
                if std::thread::current().name() != Some(crate::document::work::NAME) {
                    super::panic_if_it_has(&txn, super::PANIC_TREE_HERE_ROOT);
                }
            }
            text::read_old(&fragment, &doc.transact(), &room).ok()
        })
    }

    /// Writes into the text what was written into its tree since that was last carried over, and makes one of all `copies`.
    fn carry(&mut self, copies: &[Copied], now: Text) -> Result<Option<Applied>, Poisoned> {
        let base = self.tree.base.take();
        let is_loaded = base.is_none();
        let first = || copies.first().map(|copy| copy.names.clone()).unwrap_or_default();
        let copy = base.as_ref().map_or_else(first, |base| base.copy.clone());
        let (kept, others): (Vec<_>, Vec<_>) = copies.iter().partition(|other| other.names == copy);
        let kept = kept.first().copied();
        let noted = || kept.map_or_else(|| copy.clone(), |copy| copy.tables.clone());
        let tables = base.as_ref().map_or_else(noted, |base| base.tables.clone());
        let carrying = base.as_ref().filter(|base| base.said != now);
        let carrying = carrying.map(|base| text::Carrying::between(&base.said, &now, &tables));
        let renamed = carrying.as_ref().and_then(|carrying| carrying.renamed());
        let tables = renamed.map_or(tables, str::to_owned);
        // What has just been loaded may say more than either of two copies, or less: nobody knows.
        let tree = (!is_loaded).then_some(&now);
        let written = if carrying.is_some() || (kept.is_some() && !others.is_empty()) {
            self.write(|txn| {
                // Before anything is compared with what is in the text.
                let others = others.iter().filter(|_| kept.is_some()).take(AT_ONCE);
                let taken = others.filter_map(|other| text::take_out(txn, other));
                let taken: Vec<_> = taken.collect();
                carrying.iter().for_each(|carrying| carrying.carry(txn, kept));
                taken.iter().for_each(|taken| taken.put_into(txn, &tables, tree));
                true
            })?
        } else {
            None
        };
        let base = Base { said: now, copy, tables };
        if is_loaded {
            self.listen(base)?;
        } else {
            self.tree.base = Some(base);
        }
        Ok(written)
    }

    /// A tree stays what it is.
    pub fn leave_tree(&mut self) {
        self.tree.given_up = true;
    }

    fn convert(&mut self, text: Text) -> Result<Option<Applied>, Poisoned> {
        let conversion = text.conversion();
        let update = Update::check(conversion.update.into(), &boundless());
        // Under this id something has been written and the note of it is gone.
        let (Ok(update), 0) = (update, known(&self.clocks, conversion.client)) else {
            self.tree.given_up = true;
            return Ok(None);
        };
        let applied = self.apply(&[&update])?;
        self.listen(Base { said: text, copy: conversion.names.clone(), tables: conversion.names })?;
        Ok(Some(applied))
    }

    fn listen(&mut self, base: Base) -> Result<(), Poisoned> {
        self.tree.base = Some(base);
        self.tree.left = false;
        let heard = [self.tree.heard.clone(), self.tree.heard.clone()];
        self.contain(|doc, _| {
            let fragment = doc.get_or_insert_xml_fragment(text::FRAGMENT);
            let converted = doc.get_or_insert_map(text::CONVERTED);
            let [tree, copies] = heard;
            fragment.observe_deep(WATCH, move |_, _| tree.store(true, Ordering::Release));
            converted.observe(WATCH, move |_, _| copies.store(true, Ordering::Release));
        })
    }
}

fn tree_state(doc: &Doc) -> TreeState {
    let txn = doc.transact();
    let has_tree = txn.get_xml_fragment(text::FRAGMENT).is_some_and(|tree| tree.len(&txn) > 0);
    if !has_tree {
        return TreeState::None;
    }
    let copies = text::copies(&txn);
    if !copies.is_empty() {
        return TreeState::Done(copies);
    }
    if is_ours(&txn) { TreeState::Due } else { TreeState::None }
}

/// Whether a document says that it is a text of this app.
pub(super) fn is_ours(txn: &impl ReadTxn) -> bool {
    txn.get_map("meta").and_then(|meta| text::says_it_is_one(&meta, txn)) == Some(true)
}

#[cfg(test)]
mod tests;
