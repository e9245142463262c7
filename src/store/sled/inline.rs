//! Epochs of schema 3 and before, whose rows stood in sled itself: read once, written anew.

use std::{fs, io, path::Path};

use super::{
    directory::{newer, unopenable},
    disk::sync_directory,
    mark::{Mark, lost},
    places::{Failure, read_inline},
    rows::{Change, Rows},
};
use crate::store::{
    StoreResult,
    layout::{self, Kind, Tally},
};

/// What is written in one frame.
const BATCH_BYTES: usize = 1 << 20;
/// What sled put into the directory of an epoch.
const LEFT_OVER: [&str; 3] = ["db", "conf", "blobs"];

/// Writes the rows of an epoch of an earlier schema to a file of their own. Complete or not at all: the last step
/// gives the file its name.
pub(super) fn convert(path: &Path, number: u64, cache_bytes: u64) -> StoreResult<()> {
    let advice = "`weft check --repair` saves what can be read, or restore the directory from a backup";
    let damaged = |what: String| unopenable(path, &format!("{what}; {advice}"));
    // sled would make a missing file, and call it empty.
    if !path.join("db").is_file() {
        return Err(damaged("its file rows is missing".into()));
    }
    let cannot = |error: io::Error| unopenable(path, &format!("it cannot be converted: {error}"));
    let begun = std::time::Instant::now();
    let fresh = path.join("rows.new");
    let rows = Rows::create(&fresh).map_err(cannot)?;
    let (mut schema, mut tally) = (None, None);
    let mut batch = Vec::new();
    let mut batch_bytes = 0;
    let read = read_inline(path, cache_bytes, |key, value| {
        match key {
            layout::SCHEMA_KEY => schema = Some(value.to_vec()),
            layout::COMMIT_KEY => tally = Some(value.to_vec()),
            _ => {}
        }
        batch_bytes += key.len() + value.len();
        batch.push(Change { key: key.to_vec(), value: Some(value.to_vec()) });
        if batch_bytes >= BATCH_BYTES {
            let written = rows.append(&batch, false);
            written.map_err(|error| Failure(format!("it cannot be converted: {error}")))?;
            batch.clear();
            batch_bytes = 0;
        }
        Ok(())
    });
    read.map_err(|Failure(what)| damaged(what))?;
    let first_row = |key: &[u8], value: Option<Vec<u8>>| {
        let value = value.ok_or_else(|| damaged("it was cut short: its first rows are missing".into()))?;
        let payload = layout::unseal(Kind::Store, key, &value).map(<[u8]>::to_vec);
        payload.map_err(|damage| damaged(format!("its first rows are damaged: {damage}")))
    };
    let schema = layout::decode_schema(&first_row(layout::SCHEMA_KEY, schema)?);
    let (schema, named) = schema.map_err(|damage| damaged(damage.0))?;
    if schema > layout::SCHEMA {
        return Err(newer(path, schema));
    }
    if named != number {
        return Err(damaged(format!("it is epoch {named} under the name of epoch {number}")));
    }
    let tally = Tally::decode(&first_row(layout::COMMIT_KEY, tally)?).map_err(|damage| damaged(damage.0))?;
    let promise = Mark::open(&path.join("mark")).map_err(cannot)?.read();
    lost(path, promise, tally.commit)?;
    if !batch.is_empty() {
        rows.append(&batch, false).map_err(cannot)?;
    }
    rows.sync().map_err(cannot)?;
    fs::rename(fresh, path.join("rows")).map_err(cannot)?;
    sync_directory(path).map_err(cannot)?;
    tracing::info!(epoch = number, took = ?begun.elapsed(), "an epoch of an earlier weft was taken over");
    Ok(())
}

/// Removes what sled had put beside the rows before they were converted, and what a conversion left.
pub(super) fn remove_left_over(path: &Path) {
    let snapshots = |name: &str| name.starts_with("snap.");
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if !LEFT_OVER.contains(&name) && !snapshots(name) && name != "rows.new" {
            continue;
        }
        let gone = if entry.path().is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
        if let Err(error) = gone {
            tracing::warn!(path = %entry.path().display(), %error, "left-over file cannot be removed");
        }
    }
    let _ = sync_directory(path); // they may come back; it does no harm
}
