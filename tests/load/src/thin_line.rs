//! A thin line: a forwarder inside this process that lets only so many bytes a second through to the client.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

/// What is forwarded at once: a few packets.
const PORTION: usize = 8 * 1024;

/// What the kernel may hold on either side of the line. Loopback would take megabytes, which is minutes of a thin line.
const BUFFER: usize = 64 * 1024;

/// Forwards what comes to its address until it is dropped.
pub(crate) struct ThinLine {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl ThinLine {
    /// A line to a server. From the server to the client it carries `bytes_per_second`; the other way is free.
    pub(crate) fn start(server: SocketAddr, bytes_per_second: f64) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen for the thin line")?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if ends.load(Ordering::Acquire) {
                    return;
                }
                // A connection that cannot be made looks to its client as a broken line does.
                if let Ok(client) = client {
                    let _broken = carry(client, server, bytes_per_second);
                }
            }
        });
        Ok(Self { address, is_over })
    }

    /// Where a client connects in place of the server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ThinLine {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let _wakes_the_listener = TcpStream::connect(self.address);
    }
}

/// Begins to carry one connection both ways, each on a thread of its own that ends with it.
fn carry(client: TcpStream, server: SocketAddr, bytes_per_second: f64) -> Result<()> {
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        set_socket_recv_buffer_size(stream, BUFFER)?;
        set_socket_send_buffer_size(stream, BUFFER)?;
    }
    let (up, down) = ((client.try_clone()?, server.try_clone()?), (server, client));
    std::thread::spawn(move || forward(up, None));
    std::thread::spawn(move || forward(down, Some(Throttle::new(bytes_per_second))));
    Ok(())
}

fn forward((mut from, mut to): (TcpStream, TcpStream), mut throttle: Option<Throttle>) {
    let (begun, mut portion) = (Instant::now(), [0; PORTION]);
    while let Ok(count @ 1..) = from.read(&mut portion) {
        if let Some(throttle) = &mut throttle {
            std::thread::sleep(throttle.delay(count, begun.elapsed()));
        }
        if to.write_all(&portion[..count]).is_err() {
            break;
        }
    }
    // Whichever way ended, the other has nobody left to talk to; a socket that is gone already is as good.
    for stream in [&from, &to] {
        let _gone = stream.shutdown(Shutdown::Both);
    }
}

/// How long each portion waits. A line that was quiet has saved nothing up.
struct Throttle {
    bytes_per_second: f64,
    /// When the line has carried all it was given.
    free_at: Duration,
}

impl Throttle {
    fn new(bytes_per_second: f64) -> Self {
        Self { bytes_per_second, free_at: Duration::ZERO }
    }

    /// Gives the line so many bytes at `now`, and says how long until it has carried them.
    fn delay(&mut self, bytes: usize, now: Duration) -> Duration {
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        self.free_at = self.free_at.max(now) + takes;
        self.free_at - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_line_carries_what_it_can_and_saves_nothing_up() {
        let mut throttle = Throttle::new(1000.0);
        assert_eq!(throttle.delay(1000, Duration::ZERO), SECOND);
        assert_eq!(
            throttle.delay(500, SECOND / 2),
            SECOND,
            "half a second for each that is before it, and for itself"
        );
        assert_eq!(throttle.delay(1000, 60 * SECOND), SECOND, "after a quiet minute no faster than ever");
    }

    #[test]
    fn what_goes_in_comes_out_and_an_end_is_an_end() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let line = ThinLine::start(listener.local_addr().unwrap(), 1e9).unwrap();
        let mut client = TcpStream::connect(line.address()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let said: Vec<u8> = (0..100_000_u32).map(|byte| byte as u8).collect();
        let mut heard = vec![0; said.len()];
        client.write_all(&said[..10]).unwrap();
        server.read_exact(&mut heard[..10]).unwrap();
        assert_eq!(heard[..10], said[..10]);
        let speaks = std::thread::spawn({
            let said = said.clone();
            move || server.write_all(&said)
        });
        client.read_exact(&mut heard).unwrap();
        speaks.join().unwrap().unwrap();
        assert!(heard == said);
        assert_eq!(client.read(&mut heard).unwrap(), 0, "the server has gone");
    }
}
