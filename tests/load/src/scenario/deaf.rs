//! Readers who ask and never read: what the answers that wait for them cost the server in memory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Pid;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::client::generate_request;

use super::{Outcome, Target};
use crate::dialect::Door;
use crate::fleet::Fleet;
use crate::frame::{self, Opcode};
use crate::process;
use crate::replica::{self, Newcomers};
use crate::wire::{self, EMPTY_VECTOR, Sync};

/// How many, and of what.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Deaf {
    /// Sockets that do not read, beside a first one that is not counted
    #[arg(long, default_value_t = 10)]
    pub(crate) sockets: usize,
    /// Bytes of text in the document that they ask for
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) bytes: usize,
}

/// Resident memory per socket: the most in five seconds after all have asked, over what it was after the first. The
/// first one's share is what a server makes once for all who ask.
pub(crate) fn deaf(target: &Target, plan: &Deaf) -> Result<Outcome> {
    const WATCHED: Duration = Duration::from_secs(5);
    let pid = target.pid.context("memory can only be sampled with the process id of the server (--pid)")?;
    let door = target.new_documents()(0);
    let state = replica::text_state(plan.bytes);
    replica::upload(&door, &state)?;
    // Somebody who reads stays, so that the document does.
    let (mut home, mut resident) = (Fleet::new()?, Newcomers::new(&door, &replica::vector_of(&state)?));
    resident.join(&mut home, 1)?;
    resident.wait(&mut home)?;

    let first = ask(&door)?;
    most_over(pid, WATCHED)?;
    let before = process::resident(pid)?;
    let others = (0..plan.sockets).map(|_| ask(&door)).collect::<Result<Vec<TcpStream>>>()?;
    let after = most_over(pid, WATCHED)?;
    drop((first, others));

    let mut outcome = Outcome::default();
    outcome.set("RSS KiB/deaf socket", after.saturating_sub(before) as f64 / 1024.0 / plan.sockets as f64);
    outcome.set("RSS MiB", after as f64 / f64::from(1 << 20));
    Ok(outcome)
}

/// The most memory that the server has at any moment of a while.
fn most_over(pid: Pid, length: Duration) -> Result<u64> {
    let (end, mut most) = (Instant::now() + length, 0);
    while Instant::now() < end {
        most = most.max(process::resident(pid)?);
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(most)
}

/// Sixteen times "send me everything", in one message of 64 bytes.
fn question() -> Vec<u8> {
    let mut question = Vec::new();
    (0..16).for_each(|_| wire::write_sync(&mut question, Sync::Step1, EMPTY_VECTOR));
    question
}

/// Connects and asks. What comes behind the answer to the upgrade stays unread.
fn ask(door: &Door) -> Result<TcpStream> {
    let request = door.url.as_str().into_client_request()?;
    let authority = request.uri().authority().context("an address without a host")?;
    let mut stream = TcpStream::connect(authority.as_str()).context("connect")?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(&generate_request(request)?.0)?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).context("read the answer to an upgrade")?;
        answer.push(byte[0]);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 101"), "no upgrade: {}", String::from_utf8_lossy(&answer));
    let mut bytes = Vec::new();
    frame::write_masked(&mut bytes, Opcode::Binary, &question());
    stream.write_all(&bytes)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_sixteen_in_sixty_four_bytes() {
        let mut asked = 0;
        wire::each_message(&question(), |message| {
            assert_eq!(message, wire::Message::Step1(EMPTY_VECTOR));
            asked += 1;
        })
        .unwrap();
        assert_eq!((question().len(), asked), (64, 16));
    }
}
