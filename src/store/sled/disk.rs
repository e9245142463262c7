//! Makes things survive a power cut, and reads what is stored: the one place where the store asks the disk for that, so
//! that tests can have it say no.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// Makes a file survive, its length and times included.
pub(super) fn sync(file: &File) -> io::Result<()> {
    refused()?;
    file.sync_all()
}

/// Makes what is in a file survive.
pub(super) fn sync_data(file: &File) -> io::Result<()> {
    refused()?;
    file.sync_data()
}

/// Makes names in a directory survive.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    sync(&File::open(path)?)
}

/// Reads what is at a place of a file.
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    unread()?;
    file.read_exact_at(bytes, at)
}

#[cfg(not(test))]
fn unread() -> io::Result<()> {
    Ok(())
}

#[cfg(not(test))]
fn refused() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use faults::{fail_after, fail_reads, has_failed};
#[cfg(test)]
use faults::{refused, unread};

#[cfg(test)]
mod faults {
    use std::{cell::Cell, io};

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
        static UNREAD: Cell<u32> = const { Cell::new(0) };
    }

    /// After so many more syncs of this thread one fails, as a disk does that has an error; once.
    pub(in crate::store::sled) fn fail_after(syncs: u32) {
        LEFT.set(Some(syncs));
    }

    /// Whether it has come to that; otherwise it will not any more.
    pub(in crate::store::sled) fn has_failed() -> bool {
        LEFT.replace(None).is_none()
    }

    /// So many of the next reads of this thread fail, as they do on a disk that has an error.
    pub(in crate::store::sled) fn fail_reads(reads: u32) {
        UNREAD.set(reads);
    }

    pub(super) fn unread() -> io::Result<()> {
        match UNREAD.get() {
            0 => Ok(()),
            left => {
                UNREAD.set(left - 1);
                Err(io::Error::from_raw_os_error(5))
            }
        }
    }

    pub(super) fn refused() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => {
                LEFT.set(None);
                Err(io::Error::from_raw_os_error(5))
            }
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }
}
