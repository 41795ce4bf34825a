//! What a node looks at before it uses a database: its clock, its durability, and room for connections.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio_postgres::Row;

use super::database::{Database, DatabaseError};
use crate::internal_error::InternalError;

/// By how many seconds the clock of a node may differ from that of the database.
pub const MAX_DIFFERENCE: u32 = 5;

/// By how many seconds the clocks of two nodes may differ. Tokens of one node are accepted by another whose clock is that much
/// behind.
pub const LEEWAY: u32 = 2 * MAX_DIFFERENCE;

/// What the server says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The version.
    pub version: String,
    /// By how many seconds the clock of this node is ahead of that of the database.
    pub ahead: f64,
    /// `default_transaction_isolation`.
    pub isolation: String,
    /// The connections that the server accepts from users that are not superusers.
    pub max_connections: i32,
    /// Whether it has standbys at the moment.
    pub has_standbys: bool,
    /// `synchronous_standby_names`.
    pub synchronous_standbys: String,
    /// `synchronous_commit`.
    pub synchronous_commit: String,
    /// `fsync`.
    pub fsync: String,
}

impl Inspection {
    /// Asks the server.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn of(database: &Database) -> Result<Self, DatabaseError> {
        const STATEMENT: &str = "\
            SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())::float8, \
                current_setting('default_transaction_isolation'), \
                current_setting('max_connections')::int4 - current_setting('superuser_reserved_connections')::int4, \
                EXISTS (SELECT FROM pg_stat_replication), current_setting('synchronous_standby_names'), \
                current_setting('synchronous_commit'), current_setting('fsync')";
        let before = now();
        let rows = database.query(STATEMENT, &[]).await?;
        // The server looked at its clock in between.
        let middle = f64::midpoint(before, now());
        let wrong = |error| DatabaseError::Internal(InternalError::new("inspecting the database", error));
        let row = rows.first().ok_or_else(|| {
            DatabaseError::Internal(InternalError::new("inspecting the database", "it returned no row"))
        })?;
        Self::read(row, middle).map_err(wrong)
    }

    fn read(row: &Row, now: f64) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            version: row.try_get(0)?,
            ahead: now - row.try_get::<_, f64>(1)?,
            isolation: row.try_get(2)?,
            max_connections: row.try_get(3)?,
            has_standbys: row.try_get(4)?,
            synchronous_standbys: row.try_get(5)?,
            synchronous_commit: row.try_get(6)?,
            fsync: row.try_get(7)?,
        })
    }

    /// Why this node must not serve with its clock, if it must not.
    #[must_use]
    pub fn clock_problem(&self) -> Option<String> {
        let differs = self.ahead.abs() > f64::from(MAX_DIFFERENCE);
        differs.then(|| {
            let (seconds, direction) = (self.ahead.abs(), if self.ahead > 0.0 { "ahead of" } else { "behind" });
            format!(
                "the clock of this machine is {seconds:.1} s {direction} that of the database, more than {MAX_DIFFERENCE} s: tokens of \
                 one node would be refused by another; set the clocks (NTP)"
            )
        })
    }

    /// What an operator should know about the durability of what the nodes acknowledge.
    #[must_use]
    pub fn durability_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let commit = self.synchronous_commit.as_str();
        if self.fsync != "on" {
            warnings.push(format!(
                "fsync = {}: a crash of the database's machine can destroy the data",
                self.fsync
            ));
        }
        if commit == "off" {
            warnings.push(
                "synchronous_commit = off: a crash loses writes and logouts that were acknowledged"
                    .to_owned(),
            );
        }
        if self.has_standbys && (self.synchronous_standbys.is_empty() || ["off", "local"].contains(&commit)) {
            warnings.push(
                "replication is asynchronous: a failover loses writes and logouts that were acknowledged; set \
                 synchronous_standby_names"
                    .to_owned(),
            );
        }
        warnings
    }

    /// How many nodes have room, each with that many connections.
    #[must_use]
    pub fn room_for(&self, connections: usize) -> usize {
        usize::try_from(self.max_connections).unwrap_or(0) / connections.max(1)
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspection() -> Inspection {
        Inspection {
            version: "15.1".to_owned(),
            ahead: 0.0,
            isolation: "read committed".to_owned(),
            max_connections: 97,
            has_standbys: false,
            synchronous_standbys: String::new(),
            synchronous_commit: "on".to_owned(),
            fsync: "on".to_owned(),
        }
    }

    #[test]
    fn clocks_may_differ_by_the_leeway() {
        for (ahead, expected) in [
            (0.0, None),
            (4.9, None),
            (-4.9, None),
            (5.1, Some("5.1 s ahead of")),
            (-60.0, Some("60.0 s behind")),
        ] {
            let problem = Inspection { ahead, ..inspection() }.clock_problem();
            assert_eq!(problem.is_some(), expected.is_some(), "{ahead}");
            assert!(problem.unwrap_or_default().contains(expected.unwrap_or_default()), "{ahead}");
        }
    }

    #[test]
    fn warnings_name_what_can_lose_writes() {
        assert_eq!(inspection().durability_warnings(), [""; 0]);
        let standbys = Inspection { has_standbys: true, ..inspection() };
        assert!(standbys.durability_warnings().concat().contains("asynchronous"));
        let synchronous = Inspection { synchronous_standbys: "*".to_owned(), ..standbys };
        assert_eq!(synchronous.durability_warnings(), [""; 0]);
        let local = Inspection { synchronous_commit: "local".to_owned(), ..synchronous };
        assert!(local.durability_warnings().concat().contains("asynchronous"));
        let unsafe_settings =
            Inspection { synchronous_commit: "off".to_owned(), fsync: "off".to_owned(), ..inspection() };
        assert_eq!(unsafe_settings.durability_warnings().len(), 2);
    }

    #[test]
    fn nodes_share_the_connections_of_the_server() {
        assert_eq!(
            (inspection().room_for(5), inspection().room_for(98), inspection().room_for(0)),
            (19, 0, 97)
        );
    }
}
