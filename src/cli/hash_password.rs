//! `shipyard hash-password`.

use std::io::{self, IsTerminal, Read};

use rocket::figment::value::Dict;
use serde_json::json;
use shipyard::model;
use shipyard::model::user::UserInput;

use super::{failed, print, settings, Failure};

pub(super) fn run() -> Result<(), Failure> {
    let settings = settings(Dict::new())?;
    let password = password()?;
    // By the rule of the API: one that is too short for it must not come in by the back door.
    let user: UserInput = model::read(json!({"name": "name", "password": password}))
        .map_err(|errors| failed(errors.first().unwrap_or_default()))?;
    let hash = settings.hasher.hash(&user.password).map_err(failed)?;
    print(&format!("{}\n", hash.as_str()))
}

/// The password: typed unseen at a terminal, else the one line of standard input.
fn password() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Password: ").map_err(failed);
    }
    /// What has no end must not fill the memory.
    const MOST: u64 = 64 * 1024;
    let mut input = Vec::new();
    io::stdin().lock().take(MOST + 1).read_to_end(&mut input).map_err(failed)?;
    if input.len() as u64 > MOST {
        return Err(failed(format!("password: Longer than {MOST} bytes.")));
    }
    line(input).map_err(|reason| failed(format!("password: standard input {reason}")))
}

/// The one line, without its end. Nothing else is left out: what the hash is of must be what a user types at a login.
fn line(input: Vec<u8>) -> Result<String, &'static str> {
    const UTF_8: &str = "must be UTF-8 without a byte order mark (in PowerShell first: \
                         $OutputEncoding = [Text.UTF8Encoding]::new($false))";
    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    if marks.iter().any(|mark| input.starts_with(mark)) {
        return Err(UTF_8);
    }
    let text = String::from_utf8(input).map_err(|_| UTF_8)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        return Err("has more than one line; a password is one");
    }
    // UTF-16 without a mark is full of them.
    if line.contains('\0') {
        return Err("has a NUL; it must be text in UTF-8");
    }
    Ok(line.to_owned())
}
