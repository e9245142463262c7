//! Newcomers to a big document: what each costs, and how long the first waits after a restart.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Outcome, Stretch, Target};
use crate::dialect::{Dialect, Door};
use crate::fleet::Fleet;
use crate::peers::Server;
use crate::replica::{self, Newcomers};
use crate::traces::BigDocument;

/// Joins to an open document: one after the other, and `crowd` at once.
pub(crate) fn join_warm(target: &Target, big: &BigDocument, crowd: usize) -> Result<Outcome> {
    let expected = replica::vector_of(&big.state)?;
    let door = target.new_documents()(0);
    replica::upload(&door, &big.state)?;
    let mut outcome = Outcome::default();
    // Somebody stays, so that the document does.
    let (mut home, mut resident) = (Fleet::new()?, Newcomers::new(&door, &expected));
    resident.join(&mut home, 1)?;
    resident.wait(&mut home)?;

    let rounds = 30;
    let (mut cpu, mut wall) = (0.0, 0.0);
    for _ in 0..rounds {
        let (seconds, server) = join(target, &door, &expected, 1, big, &mut outcome)?;
        (cpu, wall) = (cpu + server.unwrap_or_default(), wall + seconds);
    }
    if target.pid.is_some() {
        outcome.set("server CPU ms/join, one by one", 1e3 * cpu / f64::from(rounds));
    }
    outcome.set("ms to the text, one by one", 1e3 * wall / f64::from(rounds));

    let rounds = 4;
    let (mut cpu, mut wall) = (0.0, 0.0);
    for _ in 0..rounds {
        let (seconds, server) = join(target, &door, &expected, crowd, big, &mut outcome)?;
        (cpu, wall) = (cpu + server.unwrap_or_default(), wall + seconds);
    }
    if target.pid.is_some() {
        outcome.set("server CPU ms/join, at once", 1e3 * cpu / f64::from(rounds) / crowd as f64);
    }
    outcome.set("ms until all have the text, at once", 1e3 * wall / f64::from(rounds));
    Ok(outcome)
}

/// Lets `count` newcomers join at once and leave again; returns seconds until the last had the document, and the
/// server's CPU seconds, their leaving included.
fn join(
    target: &Target,
    door: &Door,
    expected: &[(u64, u32)],
    count: usize,
    big: &BigDocument,
    outcome: &mut Outcome,
) -> Result<(f64, Option<f64>)> {
    let (mut fleet, mut newcomers) = (Fleet::new()?, Newcomers::new(door, expected));
    let stretch = Stretch::begin(target)?;
    let begun = fleet.now();
    newcomers.join(&mut fleet, count)?;
    let done = newcomers.wait(&mut fleet)?;
    fleet.drop_all();
    std::thread::sleep(Duration::from_millis(2)); // their leaving reaches the server
    let (_, server) = stretch.end(outcome)?;
    check(&newcomers, big, outcome)?;
    Ok(((done - begun) as f64 / 1e9, server))
}

fn check(newcomers: &Newcomers, big: &BigDocument, outcome: &mut Outcome) -> Result<()> {
    for text in newcomers.texts().take(3) {
        if text? != big.text {
            outcome.faults.diverged.push("a newcomer's text is not the document's".into());
        }
    }
    Ok(())
}

/// The first join after a restart, `rounds` times: milliseconds from connecting to having the whole document.
pub(crate) fn join_cold(
    server: &mut Server,
    dialect: Dialect,
    big: &BigDocument,
    rounds: usize,
) -> Result<Outcome> {
    let expected = replica::vector_of(&big.state)?;
    let door = Target::local(server, dialect).new_documents()(0);
    replica::upload(&door, &big.state)?;
    // Every peer stores within two seconds of the last change, or when asked to end.
    std::thread::sleep(Duration::from_millis(2500));
    let mut outcome = Outcome::default();
    let mut waits = Vec::new();
    for _ in 0..rounds {
        server.stop()?;
        server.start_again()?;
        let door = server.door(dialect, &door.document);
        // A first connection elsewhere, so that what the server does once in its life is not counted.
        replica::fetch(&server.door(dialect, "elsewhere"), &[])?;
        let (mut fleet, mut newcomers) = (Fleet::new()?, Newcomers::new(&door, &expected));
        let begun = Instant::now();
        newcomers.join(&mut fleet, 1)?;
        newcomers.wait(&mut fleet)?;
        waits.push(begun.elapsed().as_secs_f64() * 1e3);
        check(&newcomers, big, &mut outcome)?;
    }
    waits.sort_by(f64::total_cmp);
    outcome.set("ms to the text", waits[waits.len() / 2]);
    Ok(outcome)
}
