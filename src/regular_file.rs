//! Regular files, opened without waiting: the way in which this program opens every file that it only reads.
//!
//! Opening a pipe waits until another program writes to it, and opening a device may do anything. What a path names
//! can change between a look at it and the opening. So the file is opened first, without blocking, and then the
//! descriptor is judged, which cannot change any more.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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
fn regular(file: File) -> io::Result<(File, Metadata)> {
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

/// A regular file in a folder, opened.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub file: File,
    /// What the system says about the file that was opened.
    pub metadata: Metadata,
    /// Its path, with every link followed.
    pub path: PathBuf,
}

/// Opens a regular file in a folder for reading. Links are followed as long as they lead to a file in the folder.
/// `None` where there is anything but a regular file, or one outside the folder.
///
/// # Errors
/// The system's.
#[cfg(unix)]
pub fn open_within(folder: &Path, path: &Path) -> io::Result<Option<Found>> {
    use rustix::io::Errno;

    /// How often a path that has changed since its links were followed is looked at again.
    const TRIES: usize = 16;
    let has_changed = |error: &io::Error| {
        matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::MLINK | Errno::NOTDIR | Errno::NOENT))
    };
    let mut last = Ok(None);
    for _ in 0..TRIES {
        let folder = folder.canonicalize()?;
        let path = folder.join(path).canonicalize()?;
        let Ok(inside) = path.strip_prefix(&folder) else { return Ok(None) };
        last = match open_without_links(&folder, inside).and_then(regular) {
            Err(error) if has_changed(&error) => Err(error),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
            other => return other.map(|(file, metadata)| Some(Found { file, metadata, path })),
        };
    }
    last
}

/// Opens a path in a folder one step at a time and follows no link on the way: so nothing can lead out of the folder,
/// whatever becomes of its parts meanwhile.
#[cfg(unix)]
fn open_without_links(folder: &Path, inside: &Path) -> io::Result<File> {
    use rustix::fs::{open, openat, Mode, OFlags};

    // On the way a folder need not be readable.
    #[cfg(target_os = "linux")]
    const STEP: OFlags = OFlags::DIRECTORY.union(OFlags::PATH);
    #[cfg(not(target_os = "linux"))]
    const STEP: OFlags = OFlags::DIRECTORY;
    const EACH: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);
    let mut parts = inside.iter().peekable();
    let mut here = open(folder, STEP | OFlags::CLOEXEC, Mode::empty())?;
    while let Some(part) = parts.next() {
        let flags = if parts.peek().is_some() { STEP } else { OFlags::NONBLOCK | OFlags::NOCTTY };
        here = openat(&here, part, flags | EACH, Mode::empty())?;
    }
    Ok(File::from(here))
}

/// Opens a regular file in a folder for reading. Links are followed as long as they lead to a file in the folder.
/// `None` where there is anything but a regular file, or one outside the folder.
///
/// # Errors
/// The system's.
#[cfg(not(unix))]
pub fn open_within(folder: &Path, path: &Path) -> io::Result<Option<Found>> {
    let folder = folder.canonicalize()?;
    let path = folder.join(path).canonicalize()?;
    if !path.starts_with(&folder) {
        return Ok(None);
    }
    match open(&path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
        opened => opened.map(|(file, metadata)| Some(Found { file, metadata, path })),
    }
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The path was checked before a link took the place of the file, or of a folder on the way to it.
    #[test]
    fn follows_no_link_after_the_check() {
        let folder = std::env::temp_dir().join(format!("shipyard-links-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).expect("a folder");
        std::fs::write(folder.join("inner/file"), "text").expect("a file");
        symlink("inner/file", folder.join("link")).expect("a link");
        symlink("inner", folder.join("outer")).expect("a link");
        let opens = ["inner/file", "link", "outer/file"]
            .map(|path| open_without_links(&folder, Path::new(path)).is_ok());
        std::fs::remove_dir_all(&folder).expect("the folder");
        assert_eq!(opens, [true, false, false]);
    }
}
