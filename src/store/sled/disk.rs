//! Makes things survive a power cut: the one place where the store asks the disk for that, so that tests can have it
//! say no.

use std::{fs::File, io, path::Path};

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

#[cfg(not(test))]
fn refused() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use faults::refused;
#[cfg(test)]
pub(super) use faults::{fail_after, has_failed};

#[cfg(test)]
mod faults {
    use std::{cell::Cell, io};

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// After so many more syncs of this thread one fails, as a disk does that has an error; once.
    pub(in crate::store::sled) fn fail_after(syncs: u32) {
        LEFT.set(Some(syncs));
    }

    /// Whether it has come to that; otherwise it will not any more.
    pub(in crate::store::sled) fn has_failed() -> bool {
        LEFT.replace(None).is_none()
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
