//! Static files.

use std::fs::Metadata;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rocket::http::ContentType;
use rocket::tokio::fs::{try_exists, File};
use rocket::tokio::task::spawn_blocking;
use rocket::{get, Either, State};

use crate::api::etag::WithEtag;
use crate::api::result::ApiResult;
use crate::api::routes::spec::strong_validator;
use crate::internal_error::InternalError;
use crate::regular_file::{self, Found};
use crate::store::GetError;

/// The files of `static/` in the repository, which are also in this program.
const BUILT_IN: [(&str, &[u8]); 1] = [("ship.svg", include_bytes!("../../../static/ship.svg"))];

/// The folder of static files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticDir {
    /// Where it is.
    pub path: PathBuf,
    /// Whether the built-in files are served as long as there is no such folder.
    pub or_built_in: bool,
}

impl From<PathBuf> for StaticDir {
    fn from(path: PathBuf) -> Self {
        Self { path, or_built_in: false }
    }
}

/// A file of the folder, read in pieces while it is sent, or a built-in one.
pub type StaticFile = Either<WithEtag<File>, WithEtag<Cursor<&'static [u8]>>>;

/// A static file. `..`, hidden files and files outside the folder, also through a link, are not found.
#[get("/static/<path..>")]
pub async fn file(path: PathBuf, folder: &State<StaticDir>) -> ApiResult<StaticFile, GetError> {
    match open(&folder.path, &path).await {
        Ok(file) => Ok(Either::Left(file.ok_or(GetError::NotFound)?)),
        // Not a 404, which a client or a cache could keep.
        Err(error) if is_resource_error(&error) => Err(InternalError::new("opening a file", error).into()),
        Err(_) if folder.or_built_in && !try_exists(&folder.path).await.unwrap_or(true) => {
            Ok(Either::Right(built_in(&path).ok_or(GetError::NotFound)?))
        }
        Err(_) => Err(GetError::NotFound.into()),
    }
}

/// Whether the system lacks resources: descriptors, memory, or a readable disk.
fn is_resource_error(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        // AGAIN: another program has a lease on the file and must give it up first (fcntl(2)).
        const ERRORS: [Errno; 5] = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::IO, Errno::AGAIN];
        Errno::from_io_error(error).is_some_and(|error| ERRORS.contains(&error))
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::OutOfMemory
    }
}

fn built_in(path: &Path) -> Option<WithEtag<Cursor<&'static [u8]>>> {
    let (_, content) = BUILT_IN.into_iter().find(|(name, _)| Path::new(name) == path)?;
    Some(WithEtag {
        etag: strong_validator(content),
        label: content_type(path),
        length: content.len(),
        body: Cursor::new(content),
    })
}

fn content_type(path: &Path) -> ContentType {
    let extension = path.extension().and_then(|extension| ContentType::from_extension(extension.to_str()?));
    extension.unwrap_or(ContentType::Binary)
}

async fn open(folder: &Path, path: &Path) -> io::Result<Option<WithEtag<File>>> {
    let (folder, path) = (folder.to_owned(), path.to_owned());
    let opened = spawn_blocking(move || regular_file::open_within(&folder, &path)).await?;
    let Some(Found { file, metadata, path }) = opened? else { return Ok(None) };
    let Ok(length) = usize::try_from(metadata.len()) else { return Ok(None) };
    Ok(Some(WithEtag {
        etag: validator(&metadata),
        label: content_type(&path),
        length,
        body: File::from_std(file),
    }))
}

/// A weak validator: a file can change twice within the resolution of its timestamp (RFC 9110, section 8.8.1).
fn validator(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default().as_nanos();
    format!("W/\"{:x}-{modified:x}\"", metadata.len())
}
