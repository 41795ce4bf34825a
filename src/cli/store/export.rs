//! `shipyard store export`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Args;
use shipyard::store::sql::database::session::Session;
use shipyard::store::sql::export::{self, Counts};

use super::{block_on, check_schema, database_settings, open, session, CliError, SettingFlags};
use crate::cli::error::{failed, failed_at};

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// Write this file, which must not exist, for its owner only; without it, standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn run(flags: Export) -> Result<(), CliError> {
    let Export { output, settings } = flags;
    let (_, settings) = database_settings(settings)?;
    let (users, ships) = block_on(async {
        check_schema(&open(&settings)?).await?;
        let mut session = session(&settings).await?;
        match &output {
            Some(path) => to_file(&mut session, path).await,
            None => export::export(&mut session, &mut BufWriter::new(io::stdout())).await.map_err(failed),
        }
    })?;
    super::super::say(&format!("exported {users} users and {ships} ships"));
    Ok(())
}

/// An incomplete file is removed.
async fn to_file(session: &mut Session, path: &Path) -> Result<Counts, CliError> {
    let file = create(path).map_err(CliError::file(path))?;
    let done = export::export(session, &mut BufWriter::new(&file)).await;
    let done = match done {
        Ok(counts) => file.sync_all().map(|()| counts).map_err(CliError::file(path)),
        Err(error) => Err(failed_at(path.display(), error)),
    };
    if done.is_err() {
        let _ = std::fs::remove_file(path);
    }
    done
}

/// The hashes of passwords are for no one else.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
