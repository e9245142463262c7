//! After a failure: nothing is written until the files have been opened again.
//!
//! No memory of what was being done outlives a failure. The files are taken as a restart would take them: what
//! was not finished is cut off, the database is opened anew, the log is replayed, and what is known about
//! documents is learnt from the beginning. So whatever had happened up to the failure, memory and disk agree
//! afterwards. It is tried with growing pauses, for as long as it takes; as long as the directory cannot be written at
//! all, what is open stays open, and reading goes on.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{Engine, Failure, Opened, open_files};
use crate::store::{StoreError, StoreResult};

/// How often the storage thread looks around when nobody asks it anything.
const IDLE: Duration = Duration::from_secs(1);
/// The pause before the first new attempt; doubled for each further one.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause between two attempts: how long a store stays away, at most, once the cause is gone.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why nothing is written, for whoever asks.
#[derive(Clone, Debug)]
pub(super) struct Stopped {
    reason: String,
    since: SystemTime,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let for_seconds = self.since.elapsed().unwrap_or_default().as_secs();
        let since = self.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let Self { reason, .. } = self;
        write!(f, "{reason}; since {} ({for_seconds} s ago), tried again by itself", utc(since))
    }
}

/// What is being done about it.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) reason: String,
    /// How long to wait before the next attempt, and when that is.
    pause: Duration,
    next: Instant,
}

impl Engine {
    /// Nothing is written from here on until it has been tried again. What cannot be known is not promised.
    pub(in crate::store::sled) fn fail(&mut self, reason: &str) {
        let pause = self.broken.as_ref().map_or(PAUSE_MIN, |broken| (2 * broken.pause).min(PAUSE_MAX));
        self.broken = Some(Broken { reason: reason.to_owned(), pause, next: Instant::now() + pause });
        let mut stopped = self.shared.stopped.write();
        match &mut *stopped {
            None => {
                self.observer.failed(reason);
                *stopped = Some(Stopped { reason: reason.to_owned(), since: SystemTime::now() });
            }
            Some(stopped) => reason.clone_into(&mut stopped.reason),
        }
        drop(stopped);
        (self.settling, self.drain) = (None, None);
        self.give_up_large(reason);
    }

    /// How long the storage thread may rest when nobody asks it anything.
    pub(in crate::store::sled) fn patience(&self) -> Duration {
        match &self.broken {
            None => IDLE,
            Some(broken) => broken.next.saturating_duration_since(Instant::now()).min(IDLE),
        }
    }

    /// Opens everything again, if it is time.
    pub(super) fn try_again(&mut self) {
        if self.broken.as_ref().is_some_and(|broken| Instant::now() < broken.next) {
            return;
        }
        let Some(before) = self.broken.take() else { return };
        match self.open_again() {
            Ok(()) => {
                *self.shared.stopped.write() = None;
                self.observer.recovered();
            }
            Err(error) => {
                let reason = match error {
                    StoreError::Unopenable(reason) => reason,
                    error => error.to_string(),
                };
                tracing::debug!(reason, "the store still cannot write");
                self.broken = Some(before); // for the pause
                self.fail(&reason);
            }
        }
    }

    fn open_again(&mut self) -> StoreResult<()> {
        let cannot = |Failure(what): Failure| StoreError::Unopenable(what);
        self.directory
            .try_out()
            .map_err(|error| cannot(Failure(format!("the disk cannot be written: {error}"))))?;
        let open: Vec<_> = self.epochs().cloned().collect();
        for epoch in &open {
            epoch.recover().map_err(cannot)?;
        }
        let Opened { young, old, wal, frames } = open_files(&self.directory, &self.config, &open)?;
        (self.young, self.old, self.wal) = (young, old, wal);
        // An epoch that CURRENT no longer names was emptied before the failure.
        let counts = |epoch: &Arc<_>| self.epochs().any(|known| Arc::ptr_eq(known, epoch));
        let emptied: Vec<_> = open.into_iter().filter(|epoch| !counts(epoch)).collect();
        self.retired.extend(emptied);
        self.unsettled.clear();
        self.take_in(frames)
    }
}

/// Seconds since 1970 as people write them.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since the first of March of the year 0, in periods of 400 years (Howard Hinnant's civil_from_days).
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let (year, hour, minute) = (year + era * 400, second / 3_600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_written_as_people_do() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_795_843_147), "2026-11-28T05:19:07Z");
    }
}
