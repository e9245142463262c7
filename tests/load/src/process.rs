//! What the operating system knows of a server: its CPU time, its memory, and which core it may run on.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The two cores of a measurement. Without a second core nothing is pinned, and figures carry the generator's noise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    server: usize,
    generator: usize,
}

impl Cores {
    /// Takes the first two cores this process may use; `None` if there is only one.
    pub(crate) fn available() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Self { server: cores.next()?, generator: cores.next()? })
    }

    /// Runs `spawn` on the server's core, so that every thread the child will ever have inherits it, and returns to
    /// the generator's.
    pub(crate) fn spawn_on_server_core<T>(self, spawn: impl FnOnce() -> T) -> Result<T> {
        pin_to(self.server)?;
        let spawned = spawn();
        self.pin_generator()?;
        Ok(spawned)
    }

    /// Keeps the calling thread on the generator's core.
    pub(crate) fn pin_generator(self) -> Result<()> {
        pin_to(self.generator)
    }
}

fn pin_to(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).context("pin to a core")
}

/// Why something cannot be measured on this machine, in words. No fault of the server.
#[derive(Debug)]
pub(crate) struct LeftOut(pub(crate) String);

impl std::fmt::Display for LeftOut {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "left out: {}", self.0)
    }
}

impl std::error::Error for LeftOut {}

/// Makes room for so many sockets and some files beside them: in this process, and in servers that it starts from now on.
pub(crate) fn allow_files(sockets: usize) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let Some(raised) = raised(limit, sockets as u64 + 200)? else { return Ok(()) };
    setrlimit(Resource::Nofile, raised).context("raise the limit on open files")
}

/// The limit on open files that is needed, if it is not there already.
fn raised(limit: Rlimit, needed: u64) -> Result<Option<Rlimit>, LeftOut> {
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        return Err(LeftOut(format!(
            "the system allows {} open files, and {needed} are needed (`ulimit -Hn`)",
            limit.maximum.unwrap_or_default()
        )));
    }
    let is_enough = limit.current.is_none_or(|current| current >= needed);
    Ok((!is_enough).then_some(Rlimit { current: Some(needed), maximum: limit.maximum }))
}

/// CPU time that the process and its living children have used, summed over their threads.
///
/// The scheduler's own count in nanoseconds where the kernel keeps it, because the classic utime and stime move in
/// steps of 10 ms, which is several joins; those count what finished threads used, too, so the larger one wins.
pub(crate) fn cpu_time(pid: Pid) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for process in family(pid) {
        total += scheduled(process).unwrap_or_default().max(ticks(process)?);
    }
    Ok(total)
}

/// CPU time of this process alone.
pub(crate) fn own_cpu_time() -> Duration {
    let me = rustix::process::getpid().as_raw_nonzero().get();
    scheduled(me).unwrap_or_default()
}

/// CPU time of the whole machine but for waiting, in steps of 10 ms: what is not ours of it disturbs a measurement.
pub(crate) fn machine_cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = parse_machine_ticks(&stat).unwrap_or_default();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// user, nice, system, then idle and iowait, which are left out, then irq, softirq and steal.
fn parse_machine_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    Some(fields.get(..3)?.iter().chain(fields.get(5..8)?).sum())
}

/// Resident memory of the process and its children, in bytes.
pub(crate) fn resident(pid: Pid) -> Result<u64> {
    let mut total = 0;
    for process in family(pid) {
        let status = fs::read_to_string(format!("/proc/{process}/status")).context("server is gone")?;
        total += parse_rss(&status).context("no VmRSS in status")?;
    }
    Ok(total)
}

fn parse_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The process and whatever it has started, depth first.
fn family(pid: Pid) -> Vec<i32> {
    let mut found = vec![pid.as_raw_nonzero().get()];
    let mut at = 0;
    while at < found.len() {
        for thread in threads(found[at]) {
            let children =
                fs::read_to_string(format!("/proc/{}/task/{thread}/children", found[at])).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
        at += 1;
    }
    found
}

fn threads(process: i32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn scheduled(process: i32) -> Option<Duration> {
    let mut nanoseconds = 0;
    for thread in threads(process) {
        let Ok(line) = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")) else {
            continue;
        };
        nanoseconds += line.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

fn ticks(process: i32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("server is gone")?;
    let ticks = parse_ticks(&stat).context("unreadable stat")?;
    Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
}

/// utime + stime: the 14th and 15th field, counted behind the command's name, which may contain anything.
fn parse_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_move_the_fields() {
        let stat = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(parse_ticks(stat), Some(300));
    }

    #[test]
    fn the_machine_is_busy_with_everything_but_waiting() {
        assert_eq!(parse_machine_ticks("cpu  1 2 4 1000 1000 8 16 32 64 0\ncpu0 1"), Some(63));
    }

    #[test]
    fn open_files_are_allowed_as_far_as_the_system_does() {
        let limit = |current, maximum| Rlimit { current, maximum };
        let soft = |limit, needed| raised(limit, needed).map(|raised| raised.map(|limit| limit.current));
        assert_eq!(soft(limit(Some(1024), Some(20_000)), 10_200).unwrap(), Some(Some(10_200)));
        assert_eq!(soft(limit(Some(1024), None), 10_200).unwrap(), Some(Some(10_200)));
        assert_eq!(soft(limit(Some(20_000), Some(20_000)), 10_200).unwrap(), None, "it is never lowered");
        assert_eq!(soft(limit(None, None), 10_200).unwrap(), None);
        let words = soft(limit(Some(1024), Some(4096)), 10_200).unwrap_err().to_string();
        assert!(words.contains("4096") && words.contains("10200"), "{words}");
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(parse_rss("VmHWM:\t 9 kB\nVmRSS:\t    2048 kB\n"), Some(2048 * 1024));
    }

    #[test]
    fn our_own_time_grows_with_work() {
        let me = rustix::process::getpid();
        let before = cpu_time(me).unwrap();
        let mut sum = 0_u64;
        while cpu_time(me).unwrap() < before + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        assert!(resident(me).unwrap() > 100_000);
    }
}
