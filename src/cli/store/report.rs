//! What a node checks in a database before it serves.

use std::fmt;

use shipyard::auth::keys::KeyCheck;
use shipyard::internal_error::chain;
use shipyard::store::sql::database::{Database, DatabaseError, DatabaseSettings};
use shipyard::store::sql::inspection::Inspection;
use shipyard::store::sql::key_checks;
use shipyard::store::sql::schema::{SchemaState, SCHEMA};

/// What keeps a node from serving, what can lose data, and what is in order.
#[derive(Debug, Default)]
pub(in crate::cli) struct Report {
    pub(in crate::cli) wrong: Vec<String>,
    pub(in crate::cli) warnings: Vec<String>,
    pub(in crate::cli) notes: Vec<String>,
}

/// The connections of a node: those of its workers, and one for its monitor.
pub(in crate::cli) fn connections(database: &DatabaseSettings, workers: usize) -> usize {
    workers * database.pool_size + 1
}

impl Report {
    /// Looks at the database for a node with these keys and so many connections.
    pub(in crate::cli) async fn of(
        database: &Database,
        keys: &[KeyCheck],
        connections: usize,
    ) -> Result<Self, DatabaseError> {
        let mut report = Self::default();
        let server = Inspection::of(database).await?;
        report.notes.push(format!("PostgreSQL {}, isolation {}", server.version, server.isolation));
        match SCHEMA.state(database).await? {
            SchemaState::Usable(number) => {
                report.notes.push(format!("schema {number}"));
                match key_checks::check(database, keys, false).await? {
                    Ok(()) => report.notes.push("the keys are those of the other nodes".to_owned()),
                    Err(error) => report.wrong.push(chain(&error)),
                }
            }
            state => report.wrong.extend(state.problem(SCHEMA)),
        }
        match server.clock_problem() {
            Some(problem) => report.wrong.push(problem),
            None => report.notes.push(format!("clocks differ by {:.1} s", server.ahead.abs())),
        }
        let (room, most) = (server.room_for(connections), server.max_connections);
        let of_node =
            format!("a node uses up to {connections} connections of {most}: there is room for {room} nodes");
        if room < 2 {
            report
                .warnings
                .push(format!("{of_node}; change database_pool, workers or max_connections of the server"));
        } else {
            report.notes.push(of_node);
        }
        report.warnings.extend(server.durability_warnings());
        Ok(report)
    }
}

/// A line for each.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all =
            |kind: &str, lines: &[String]| lines.iter().try_for_each(|line| writeln!(f, "{kind:<8} {line}"));
        all("ok", &self.notes)?;
        all("warning", &self.warnings)?;
        all("wrong", &self.wrong)
    }
}
