//! `shipyard spec`.

use std::path::{Path, PathBuf};

use clap::Args;
use shipyard::api::openapi;
use shipyard::regular_file;

use super::error::{failed, CliError};
use super::{print, shell_word};

/// The largest file that is compared with the specification, in bytes.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Spec {
    /// Compare the file with the code; exit with 1 if they differ
    #[arg(long, group = "mode")]
    check: bool,
    /// Write the file
    #[arg(long, group = "mode")]
    write: bool,
    /// The file to compare or to write [default: spec/openapi.json]
    #[arg(value_name = "FILE", requires = "mode")]
    file: Option<PathBuf>,
}

pub(super) fn run(flags: &Spec) -> Result<(), CliError> {
    let text = openapi::text().map_err(failed)?;
    let file = flags.file.as_deref().unwrap_or(Path::new(openapi::SPEC_PATH));
    if flags.write {
        std::fs::write(file, text).map_err(CliError::file(file))
    } else if flags.check {
        check(file, &text)
    } else {
        print(&text)
    }
}

fn check(file: &Path, text: &str) -> Result<(), CliError> {
    let found = regular_file::read_to_string(file, MAX_SIZE).map_err(CliError::file(file))?;
    if found == text {
        return Ok(());
    }
    let same = found.split('\n').zip(text.split('\n')).take_while(|(found, code)| found == code).count();
    let name = file.display().to_string();
    Err(failed(format!(
        "{name}: line {} is not what the code says; `shipyard spec --write {}` updates the file",
        same + 1,
        shell_word(&name)
    )))
}
