//! `shipyard hash-password`.

use std::io::{self, IsTerminal, Read};

use rocket::figment::value::Dict;
use serde_json::json;
use shipyard::model;
use shipyard::model::user::UserInput;
use thiserror::Error;

use super::error::{failed, CliError};
use super::{print, settings};

pub(super) fn run() -> Result<(), CliError> {
    let settings = settings(Dict::new())?;
    let password = password()?;
    // The rule of the API: a shorter password must not get in through the data file.
    let user: UserInput = model::read(json!({"name": "name", "password": password}))
        .map_err(|errors| failed(errors.first().unwrap_or_default()))?;
    let hash = settings.hasher.hash(&user.password)?;
    print(&format!("{}\n", hash.as_str()))
}

/// The password: typed at a terminal without echo, or else the one line of standard input.
fn password() -> Result<String, CliError> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Password: ").map_err(failed);
    }
    /// Bounds the memory that endless input takes.
    const MAX_SIZE: u64 = 64 * 1024;
    let mut input = Vec::new();
    io::stdin().lock().take(MAX_SIZE + 1).read_to_end(&mut input).map_err(failed)?;
    if input.len() as u64 > MAX_SIZE {
        return Err(failed(format!("password: Longer than {MAX_SIZE} bytes.")));
    }
    line(input).map_err(failed)
}

/// Why standard input is not a password.
#[derive(Debug, Error)]
enum InvalidInput {
    #[error(
        "password: standard input must be UTF-8 without a byte order mark (in PowerShell first: \
         $OutputEncoding = [Text.UTF8Encoding]::new($false))"
    )]
    NotUtf8,
    #[error("password: standard input has more than one line; a password is one")]
    SeveralLines,
    #[error("password: standard input has a NUL; it must be text in UTF-8")]
    Nul,
}

/// The one line, without its end. Nothing else is left out: the hash must be of exactly what a user types to log in.
fn line(input: Vec<u8>) -> Result<String, InvalidInput> {
    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    if marks.iter().any(|mark| input.starts_with(mark)) {
        return Err(InvalidInput::NotUtf8);
    }
    let text = String::from_utf8(input).map_err(|_| InvalidInput::NotUtf8)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        return Err(InvalidInput::SeveralLines);
    }
    // UTF-16 without a mark has many.
    if line.contains('\0') {
        return Err(InvalidInput::Nul);
    }
    Ok(line.to_owned())
}
