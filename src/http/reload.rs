//! SIGHUP: reloads the keys.

#[cfg(unix)]
use std::future::poll_fn;
#[cfg(unix)]
use std::task::Poll;

use super::signals::Signals;
use crate::auth::keys::file::KeyFile;
use crate::auth::token::Tokens;
#[cfg(unix)]
use crate::internal_error::chain;

/// Reads the keys of `tokens` from `file` again at each SIGHUP, unless SIGHUP ends the server. If the file is invalid, the
/// keys stay as they are. Without a file, SIGHUP changes nothing. A SIGHUP that arrived since the start of the process is
/// handled before this returns. Returns whether the start goes on: a signal that ends it does not wait for a file.
#[cfg(unix)]
#[must_use]
pub async fn reload_keys_on_sighup(signals: &mut Signals, tokens: Tokens, file: Option<KeyFile>) -> bool {
    let Some(mut hangup) = signals.take_hangup() else { return true };
    // The runtime receives signals when a task yields.
    tokio::task::yield_now().await;
    let has_come = poll_fn(|context| Poll::Ready(hangup.poll_recv(context).is_ready())).await;
    if has_come {
        tokio::select! {
            biased;
            _ = signals.ended() => return false,
            () = reload(&tokens, file.as_ref()) => {}
        }
    }
    tokio::spawn(async move {
        // Signals that arrive while the file is being read count as one.
        while hangup.recv().await.is_some() {
            reload(&tokens, file.as_ref()).await;
        }
    });
    true
}

/// Does nothing: this system has no such signal.
#[cfg(not(unix))]
#[must_use]
pub async fn reload_keys_on_sighup(_: &mut Signals, _: Tokens, _: Option<KeyFile>) -> bool {
    true
}

#[cfg(unix)]
async fn reload(tokens: &Tokens, file: Option<&KeyFile>) {
    match file {
        Some(file) => reload_in_background(tokens.clone(), file.clone()).await,
        None => tracing::warn!("SIGHUP changes nothing: there is no jwt_secret_file to read again"),
    }
}

/// Reads the file in a thread of its own, for which the end of the server does not wait: the file may be on a slow disk.
#[cfg(unix)]
async fn reload_in_background(tokens: Tokens, file: KeyFile) {
    let (done, read) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("shipyard-keys".to_owned()).spawn(move || {
        change_keys(&tokens, &file);
        // The receiver is gone if the server has ended.
        let _ = done.send(());
    });
    match thread {
        // An error means that the thread panicked.
        Ok(_) => drop(read.await),
        Err(error) => tracing::error!("keys stay as they were: no thread to read them: {error}"),
    }
}

#[cfg(unix)]
fn change_keys(tokens: &Tokens, file: &KeyFile) {
    match file.read() {
        Ok(found) => {
            // A warning, so that it is logged even if requests are not.
            tracing::warn!("keys read again: {}", found.keys);
            tokens.change_keys(found.keys);
            if let Some(exposed) = found.exposed {
                tracing::warn!("{exposed}");
            }
        }
        Err(error) => tracing::error!("keys stay as they were: {}", chain(&error)),
    }
}
