//! What one does with a data folder while no server uses it: `weft vacuum` and `weft check`.

use std::{error::Error, path::Path, process::ExitCode};

use crate::{
    document::{deleted::Deleted, replica::Replica},
    store::{self, Stored},
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
        "{} documents are damaged; they are refused, and nothing is written over them",
        report.damaged.len()
    );
    Ok(ExitCode::from(DAMAGED))
}

/// Goes on with what is left after the disk lost writes that had been acknowledged.
pub fn accept_loss(data: &Path) -> Result<ExitCode, Box<dyn Error>> {
    match store::sled::accept_loss(data)?.commits {
        Some(0) => println!("nothing was lost"),
        Some(commits) => {
            println!("{commits} acknowledged writes are gone; the server will go on without them");
        }
        None => println!(
            "acknowledged writes are gone, nobody knows how many; the server will go on without them"
        ),
    }
    Ok(ExitCode::SUCCESS)
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
