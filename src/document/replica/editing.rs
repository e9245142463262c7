//! Edits of a `Y.Text` in one walk. yrs looks for a position from the beginning of the text, so a thousand edits
//! one by one would walk a text of many blocks a thousand times.

use yrs::{
    Text, TextRef, TransactionMut,
    types::{Delta, text::YChange},
};

use crate::document::plain_text::{self, Edit};

/// Up to so many edits are made one by one: that is what a person's keys make, and it spares reading the text's
/// formatting.
const FEW: usize = 8;

/// Edits times units of text that may be walked one by one: at this bound it takes some tenths of a second, if every
/// unit is a block of its own.
const WALKED: usize = 32 << 20;

/// How edits are made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Each by itself.
    OneByOne,
    /// All together.
    OneWalk,
}

/// How these edits are to be made, which stand in the order of the text and fit it; nothing if they would cost too much. No string
/// may be embedded in the text as an object: yrs shows it like characters, and such a text is not edited. It is read piece by
/// piece only if it may be.
pub(super) fn way(
    text: &TextRef,
    txn: &TransactionMut<'_>,
    edits: &[Edit<'_>],
    reads_pieces: bool,
) -> Option<Way> {
    if edits.len() <= FEW {
        Some(Way::OneByOne)
    } else if reads_pieces && !is_formatted(text, txn) {
        Some(Way::OneWalk)
    } else {
        // In one walk yrs 0.28 would lose where a stretch of formatting ends if what stands there is deleted.
        (edits.len().saturating_mul(text.len(txn) as usize) <= WALKED).then_some(Way::OneByOne)
    }
}

impl Way {
    /// Makes the edits. What is inserted is formatted like the character to its left.
    pub(super) fn make(self, text: &TextRef, txn: &mut TransactionMut<'_>, edits: &[Edit<'_>]) {
        match self {
            Self::OneByOne => one_by_one(text, txn, edits),
            Self::OneWalk => in_one_walk(text, txn, edits),
        }
    }
}

fn is_formatted(text: &TextRef, txn: &TransactionMut<'_>) -> bool {
    text.diff(txn, YChange::identity).iter().any(|piece| piece.attributes.is_some())
}

fn in_one_walk(text: &TextRef, txn: &mut TransactionMut<'_>, edits: &[Edit<'_>]) {
    let mut delta = Vec::with_capacity(2 * edits.len());
    // Where the walk stands in the text that the edits before have made.
    let mut walked = 0;
    for edit in edits {
        let (Edit::Insert { at, .. } | Edit::Remove { at, .. }) = *edit;
        if at > walked {
            delta.push(Delta::retain(at - walked));
            walked = at;
        }
        match *edit {
            Edit::Insert { text: characters, .. } => {
                delta.push(Delta::insert(characters));
                walked += plain_text::units(characters);
            }
            Edit::Remove { length, .. } => delta.push(Delta::delete(length)),
        }
    }
    text.apply_delta(txn, delta);
}

fn one_by_one(text: &TextRef, txn: &mut TransactionMut<'_>, edits: &[Edit<'_>]) {
    for edit in edits {
        match *edit {
            Edit::Insert { at, text: characters } => text.insert(txn, at, characters),
            Edit::Remove { at, length } => text.remove_range(txn, at, length),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use yrs::{Any, Doc, OffsetKind, Options, Transact, types::Attrs};

    use super::*;

    fn edit(text: &TextRef, txn: &mut TransactionMut<'_>, edits: &[Edit<'_>], reads_pieces: bool) -> bool {
        let way = way(text, txn, edits, reads_pieces);
        way.inspect(|way| way.make(text, txn, edits)).is_some()
    }

    /// What a text shows, with its formatting.
    type Shown = Vec<(String, Vec<(String, String)>)>;

    #[test]
    fn one_walk_makes_what_single_edits_make() {
        for seed in 0..400 {
            let random = &mut ChaCha8Rng::seed_from_u64(seed);
            let (one, other) = (document(seed, false), document(seed, false));
            let length = one.get_or_insert_text("t").len(&one.transact());
            let words: Vec<String> =
                (0..12).map(|n| "é漢😀x".chars().cycle().skip(n).take(1 + n % 3).collect()).collect();
            let edits = edits(random, length, &words);
            for (doc, make) in [
                (&one, one_by_one as fn(&TextRef, &mut TransactionMut<'_>, &[Edit<'_>])),
                (&other, in_one_walk),
            ] {
                let text = doc.get_or_insert_text("t");
                make(&text, &mut doc.transact_mut(), &edits);
            }
            assert_eq!(shown(&one), shown(&other), "seed {seed}: {edits:?}");
        }
    }

    #[test]
    fn formatting_is_kept_and_what_would_cost_too_much_is_not_done() {
        let many = |length: u32| -> Vec<Edit<'static>> {
            (0..20).map(|n| Edit::Insert { at: n * (length / 20), text: "x" }).collect()
        };
        let doc = document(1, true);
        let text = doc.get_or_insert_text("t");
        let length = text.len(&doc.transact());
        let formats = |doc: &Doc| {
            let formats: Vec<_> = shown(doc).into_iter().map(|(_, format)| format).collect();
            formats
        };
        let before = formats(&doc);
        assert!(before.iter().any(|format| !format.is_empty()), "nothing is formatted");
        assert!(edit(&text, &mut doc.transact_mut(), &many(length), true));
        assert_eq!((formats(&doc), text.len(&doc.transact())), (before, length + 20));

        let long = "x".repeat(2 << 20);
        text.insert(&mut doc.transact_mut(), 0, &long);
        let length = text.len(&doc.transact());
        assert!(!edit(&text, &mut doc.transact_mut(), &many(length), true));
        assert_eq!(text.len(&doc.transact()), length);
        let plain = document(1, false);
        let text = plain.get_or_insert_text("t");
        text.insert(&mut plain.transact_mut(), 0, &long);
        let length = text.len(&plain.transact());
        assert!(edit(&text, &mut plain.transact_mut(), &many(length), true), "one walk is enough");
    }

    /// A text of many blocks: letters, pictures, deleted stretches, and if asked for bold and coloured ones.
    fn document(seed: u64, formatted: bool) -> Doc {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let doc = Doc::with_options(Options {
            offset_kind: OffsetKind::Utf16,
            client_id: yrs::block::ClientID::new(1),
            ..Options::default()
        });
        let text = doc.get_or_insert_text("t");
        for _ in 0..40 {
            let txn = &mut doc.transact_mut();
            let length = text.len(txn);
            // Positions in front of pairs only, where nothing is cut through.
            let at = if random.random_bool(0.5) { 0 } else { length };
            match random.random_range(0..10) {
                0..=5 => text.insert(txn, at, ["ab", "漢字", "xyz"][random.random_range(0..3)]),
                6 => drop(text.insert_embed(txn, at, Any::from(7.0))),
                7 if length > 4 => text.remove_range(txn, random.random_range(0..length - 2), 2),
                _ if length > 6 && formatted => {
                    let key: &str = ["bold", "colour"][random.random_range(0..2)];
                    let from = random.random_range(0..length - 4);
                    text.format(
                        txn,
                        from,
                        random.random_range(1..4),
                        Attrs::from([(key.into(), Any::from(true))]),
                    );
                }
                _ => {}
            }
        }
        doc
    }

    fn edits<'a>(random: &mut ChaCha8Rng, length: u32, words: &'a [String]) -> Vec<Edit<'a>> {
        let (mut edits, mut at, mut left) = (Vec::new(), 0, length);
        for word in words {
            let step = random.random_range(0..=left.min(4));
            (at, left) = (at + step, left - step);
            if random.random_bool(0.6) {
                edits.push(Edit::Insert { at, text: word });
                at += plain_text::units(word);
            }
            let length = random.random_range(0..=left.min(3));
            if random.random_bool(0.5) && length > 0 {
                edits.push(Edit::Remove { at, length });
                left -= length;
            }
        }
        edits
    }

    fn shown(doc: &Doc) -> Shown {
        let text = doc.get_or_insert_text("t");
        let pieces = text.diff(&doc.transact(), YChange::identity);
        let mut shown = Shown::new();
        for piece in pieces {
            let mut marks: Vec<_> = piece.attributes.iter().flat_map(|marks| marks.iter()).collect();
            marks.sort_by_key(|(key, _)| (*key).clone());
            let marks: Vec<_> =
                marks.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            let characters = piece.insert.to_string(&doc.transact());
            // Two stretches of one format are one to whoever reads them.
            match shown.last_mut() {
                Some((before, known)) if *known == marks => before.push_str(&characters),
                _ => shown.push((characters, marks)),
            }
        }
        shown
    }
}
