//! Regular files, opened without waiting: the way in which this program opens every file that it only reads.
//!
//! Opening a pipe waits until another program writes to it, and opening a device may do anything. What a path names
//! can change between a look at it and the opening. So the file is opened first, without blocking, and then the
//! descriptor is judged, which cannot change any more.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Opens a regular file for reading.
///
/// # Errors
/// The system's; and one of the kind `InvalidInput` where the path names anything but a regular file.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;
        // Nor does a terminal become the one that this process belongs to.
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    // Elsewhere opening a folder fails with a reason that misleads.
    #[cfg(not(unix))]
    if path.is_dir() {
        return Err(not_regular());
    }
    regular(options.open(path)?)
}

/// The file, if it is a regular one.
pub(crate) fn regular(file: File) -> io::Result<(File, Metadata)> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(not_regular())
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file (a folder, pipe or device, for example)")
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// As [`open`]; and one of the kind `FileTooLarge` where there are more bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = open(path)?;
    bounded(file, metadata.len(), most)
}

/// Reads a regular file of at most `most` bytes, as text.
///
/// # Errors
/// As [`read`]; and one of the kind `InvalidData` where the bytes are not UTF-8.
pub fn read_to_string(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// Reads to the end, unless there are more than `most` bytes. `expected` is how many there seem to be: the file may
/// grow meanwhile.
fn bounded(source: impl Read, expected: u64, most: u64) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {most} bytes"));
    if expected > most {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // One more than expected: the last read finds the end without more room.
    bytes.try_reserve_exact(usize::try_from(expected).unwrap_or(usize::MAX).saturating_add(1))?;
    source.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large());
    }
    Ok(bytes)
}
