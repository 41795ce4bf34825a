//! Files.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rocket::http::ContentType;
use rocket::tokio::fs::{canonicalize, metadata, File};
use rocket::{get, State};

use crate::conditional::Validated;
use crate::error::answer::Answer;
use crate::store::GetError;

/// The folder whose files are served.
#[derive(Clone, Debug)]
pub struct StaticDir(pub PathBuf);

/// A file of the folder, read piece by piece as it is sent. `..`, hidden files and whatever lies outside, by way
/// of a link or otherwise, are not found.
#[get("/static/<path..>")]
pub async fn file(path: PathBuf, folder: &State<StaticDir>) -> Answer<Validated<File>, GetError> {
    Ok(open(&folder.0, &path).await.ok_or(GetError::NotFound)?)
}

async fn open(folder: &Path, path: &Path) -> Option<Validated<File>> {
    let folder = canonicalize(folder).await.ok()?;
    let path = canonicalize(folder.join(path)).await.ok()?;
    // To open something else than a file may take forever.
    if !path.starts_with(&folder) || !metadata(&path).await.ok()?.is_file() {
        return None;
    }
    let file = File::open(&path).await.ok()?;
    let metadata = file.metadata().await.ok()?;
    let extension = path.extension().and_then(|extension| ContentType::from_extension(extension.to_str()?));
    Some(Validated {
        etag: validator(&metadata),
        label: extension.unwrap_or(ContentType::Binary),
        length: usize::try_from(metadata.len()).ok()?,
        body: file,
    })
}

/// Weak, since a file can change twice in the time that its system tells apart (RFC 9110, section 8.8.1).
fn validator(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default().as_nanos();
    format!("W/\"{:x}-{modified:x}\"", metadata.len())
}
