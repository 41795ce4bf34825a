//! Connection for administration: it is outside of the pools, runs transactions, and has no deadline for a statement.

use std::time::Duration;

use tokio_postgres::Client;

use super::connect::{Connector, Limit, Statements};
use super::failure::{describe, Reason};
use super::{DatabaseSettings, TlsError};
use crate::internal_error::Unavailable;

/// The longest time to connect.
const DEADLINE: Duration = Duration::from_secs(10);

/// A connection that runs transactions.
pub struct Session {
    client: Client,
    host: String,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The certificates cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No host gives a connection.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// An error of a statement, without text that may quote a value or name a user.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SqlError(Reason);

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(describe(&error))
    }
}

impl SqlError {
    /// The SQLSTATE, if the server sent the error.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn open(settings: &DatabaseSettings) -> Result<Self, SessionError> {
        // Without start-up parameters and names of statements, it works through every pooler.
        let connector = Connector::new(&settings.url, Statements::Unnamed, DEADLINE)?;
        let connected = connector.connect(Limit::None).await;
        let connection = connected
            .map_err(|error| Unavailable::new(format!("the database at {}", error.host), error.reason))?;
        let (client, host) = connection.into_client();
        Ok(Self { client, host })
    }

    /// The connection.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The host that it leads to.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}
