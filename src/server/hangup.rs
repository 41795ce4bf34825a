//! What SIGHUP does: has the keys read anew.

use std::io;

use crate::keys::file::KeyFile;
use crate::token::Tokens;

/// Reads the keys of `tokens` anew from `file` each time a SIGHUP comes. If the file is not in order, they stay as they
/// are. Without a file, SIGHUP changes nothing.
///
/// If SIGHUP is one of the signals that end the server, it does that. And where nothing is to be read, a server
/// started by hand at a terminal ends when the terminal is closed, as programs do.
///
/// # Errors
/// The system's, if the signal cannot be listened for.
#[cfg(unix)]
pub fn read_keys_on_hangup(
    tokens: Tokens,
    file: Option<KeyFile>,
    config: &rocket::config::Shutdown,
) -> io::Result<()> {
    use std::io::IsTerminal;
    use tokio::signal::unix::{signal, SignalKind};

    let by_hand = file.is_none() && io::stdin().is_terminal();
    if by_hand || config.signals.contains(&rocket::config::Sig::Hup) {
        return Ok(());
    }
    let mut signals = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        // Signals that come while the file is being read are one when it has been read.
        while signals.recv().await.is_some() {
            match &file {
                Some(file) => in_a_thread(tokens.clone(), file.clone()).await,
                None => tracing::warn!("SIGHUP changes nothing: there is no jwt_secret_file to read anew"),
            }
        }
    });
    Ok(())
}

/// There is no such signal here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn read_keys_on_hangup(_: Tokens, _: Option<KeyFile>, _: &rocket::config::Shutdown) -> io::Result<()> {
    Ok(())
}

/// In one of its own, which the end of the server does not wait for, wherever the file lies.
#[cfg(unix)]
async fn in_a_thread(tokens: Tokens, file: KeyFile) {
    let (done, read) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("shipyard-keys".to_owned()).spawn(move || {
        change_keys(&tokens, &file);
        // Whoever does not wait any more has ended.
        let _ = done.send(());
    });
    match thread {
        // An error says that the thread has ended without a word.
        Ok(_) => drop(read.await),
        Err(error) => tracing::error!("keys stay as they were: no thread to read them: {error}"),
    }
}

#[cfg(unix)]
fn change_keys(tokens: &Tokens, file: &KeyFile) {
    match file.read() {
        Ok(found) => {
            // Who has asked for it must hear of it, whether requests are logged or not.
            tracing::warn!("keys read anew: {}", found.keys);
            tokens.change_keys(found.keys);
            if let Some(exposed) = found.exposed {
                tracing::warn!("{exposed}");
            }
        }
        Err(error) => tracing::error!("keys stay as they were: {error}"),
    }
}
