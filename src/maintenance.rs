//! What one does with a data folder while no server uses it: `weft vacuum` and `weft check`.

use std::{error::Error, path::Path, process::ExitCode};

use bytes::Bytes;

use crate::{
    document::{deleted::Deleted, replica::Replica},
    store::{self, LoggedUpdate, Stored},
};

/// Exit code of a check that found damage: told apart from a check that could not be made.
const DAMAGED: u8 = 3;

/// Rewrites the folder with what is still needed.
pub fn vacuum(data: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let vacuumed = store::sled::vacuum(data)?;
    println!("{} -> {}", bytes(vacuumed.before), bytes(vacuumed.after));
    Ok(ExitCode::SUCCESS)
}

/// Reads everything, rebuilds every document, and says what is damaged.
pub fn check(data: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let mut rebuild = |stored: &Stored| {
        let checkpoint = stored.checkpoint.iter();
        let tail = stored.tail.iter().map(|update| &update.bytes);
        Replica::load(checkpoint.chain(tail), Deleted::Collected).map(drop).map_err(|error| error.to_string())
    };
    let report = store::sled::check(data, Some(&mut rebuild))?;
    println!(
        "{} documents, {} updates since their checkpoints, {} records beside them, {} needed, {} on disk, {} \
         quarantined",
        report.documents,
        report.updates,
        report.records,
        bytes(report.live_bytes),
        bytes(report.disk_bytes),
        report.quarantined
    );
    for (document, what) in &report.damaged {
        println!("damaged: {document}: {what}");
    }
    for document in &report.unaddressable {
        println!(
            "no address can hold the name {document}: read the document at /api/v1/documents/%7F{document}/text, and \
             delete it with DELETE /api/v1/documents/%7F{document}"
        );
    }
    if report.dead_damage > 0 {
        println!("{} damaged rows are needed by nobody; `weft vacuum` removes them", report.dead_damage);
    }
    if report.is_clean() {
        println!("everything is whole");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{} documents are damaged; they are refused, and nothing is written over them; `weft check --repair` saves \
         what can be read of them",
        report.damaged.len()
    );
    Ok(ExitCode::from(DAMAGED))
}

/// Saves every document that can be read into a fresh store, and says what could not be.
pub fn repair(data: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let mut loads = |checkpoint: Option<&Bytes>, updates: &[LoggedUpdate]| {
        let updates = updates.iter().map(|update| &update.bytes);
        Replica::load(checkpoint.into_iter().chain(updates), Deleted::Collected).is_ok()
    };
    let repaired = store::sled::repair(data, &mut loads)?;
    let Some(aside) = &repaired.aside else {
        println!("everything is whole; nothing was done");
        return Ok(ExitCode::SUCCESS);
    };
    println!("{} documents are as they were", repaired.whole);
    for (document, what) in &repaired.in_part {
        println!("saved in part: {document}: {what}");
    }
    for (document, what) in &repaired.lost {
        println!("not saved: {document}: {what}");
    }
    if repaired.nameless > 0 {
        println!("not saved: {} documents whose names cannot be read either", repaired.nameless);
    }
    match repaired.commits {
        Some(0) => {}
        Some(commits) => println!("{commits} acknowledged writes could not be read, or only in part"),
        None => println!("nobody knows whether the last acknowledged writes are there"),
    }
    println!("what stood in the folder is in {}; nothing of it was deleted", aside.display());
    let lossless = repaired.in_part.is_empty()
        && repaired.lost.is_empty()
        && repaired.nameless == 0
        && repaired.commits == Some(0);
    Ok(if lossless { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 40), "5.0 TiB");
    }
}
