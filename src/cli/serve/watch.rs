//! Watch: reads the data file again when it changes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use shipyard::api::routes::index::HasExampleUsers;
use shipyard::http::listen::Address;
use shipyard::internal_error::chain;
use shipyard::store::memory::initial_data::InitialData;
use shipyard::store::seed::{Data, Source};
use shipyard::store::StoreLimits;

use super::warn_of_public_logins;

/// How often the server looks at the file. It reads a file that has not changed for this time: a program may still be
/// writing it.
const PERIOD: Duration = Duration::from_millis(500);

/// What tells one version of a file from the next. `None` if it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Option<(SystemTime, u64, u64)>);

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        let metadata = path.metadata().ok();
        Self(
            metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len(), inode(&metadata)))),
        )
    }
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}

/// What the watch needs.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) file: PathBuf,
    pub(super) limits: StoreLimits,
    pub(super) address: Address,
    pub(super) initial_data: InitialData,
    pub(super) has_example_users: HasExampleUsers,
}

impl Watch {
    /// Looks at the file for as long as the runtime lives. `read` is the stamp from before it was last read.
    pub(super) async fn run(self, mut read: Stamp) {
        let mut last = read;
        loop {
            tokio::time::sleep(PERIOD).await;
            // In another thread: the file may be on a slow disk.
            let path = self.file.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || Stamp::of(&path)).await else { continue };
            let is_stable = now == std::mem::replace(&mut last, now);
            if now != read && is_stable {
                read = now;
                let watch = self.clone();
                if let Err(error) = tokio::task::spawn_blocking(move || watch.read_again()).await {
                    tracing::error!("the data file cannot be read again: {error}");
                }
            }
        }
    }

    fn read_again(&self) {
        let data = Data::read(&self.file)
            .and_then(|data| data.check_limits(&Source::File(self.file.clone()), self.limits).map(|()| data));
        let data = match data {
            Ok(data) => data,
            Err(error) => return tracing::error!("users and ships stay as they were: {}", chain(&error)),
        };
        warn_of_public_logins(self.address, &data);
        let ((users, ships), has_example_users) = (data.counts(), data.has_example_users());
        match self.initial_data.replace(data) {
            Ok(()) => {
                self.has_example_users.set(has_example_users);
                // A warning, so that it is logged even if requests are not.
                tracing::warn!(
                    users,
                    ships,
                    "data read again from {}; all tokens have ended",
                    self.file.display()
                );
            }
            Err(error) => tracing::error!("users and ships stay as they were: {}", chain(&error)),
        }
    }
}
