//! Files.

use std::path::{Path, PathBuf};

use rocket::fs::NamedFile;
use rocket::tokio::fs::{canonicalize, metadata};
use rocket::{get, State};

use crate::error::answer::Answer;
use crate::store::GetError;

/// The folder whose files are served.
#[derive(Clone, Debug)]
pub struct StaticDir(pub PathBuf);

/// A file of the folder. `..`, hidden files and whatever lies outside, by way of a link or otherwise, are not
/// found.
#[get("/static/<path..>")]
pub async fn file(path: PathBuf, folder: &State<StaticDir>) -> Answer<NamedFile, GetError> {
    Ok(open(&folder.0, &path).await.ok_or(GetError::NotFound)?)
}

async fn open(folder: &Path, path: &Path) -> Option<NamedFile> {
    let folder = canonicalize(folder).await.ok()?;
    let file = canonicalize(folder.join(path)).await.ok()?;
    if !file.starts_with(&folder) || !metadata(&file).await.ok()?.is_file() {
        return None;
    }
    NamedFile::open(file).await.ok()
}
