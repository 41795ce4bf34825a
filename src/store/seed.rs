//! Data file: the users and ships to start with. An invalid file stops startup; the error names the line.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::{io, thread};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::Value;
use thiserror::Error;

use crate::auth::password::{Hash, Hasher, InvalidHash, Passwords};
use crate::escape::escape_invisible;
use crate::internal_error::{chain, InternalError};
use crate::json::{self, Malformed};
use crate::model::id::Id;
use crate::model::ship::{Ship, ShipInput};
use crate::model::user::UserInput;
use crate::model::{self, Input};
use crate::regular_file;
use crate::store::initial_rows::InitialRows;
use crate::store::{StoreLimits, StoredUser};

/// The example data, which is also in the repository as `data.json`.
pub const EXAMPLE: &str = include_str!("../../data.json");

/// The data file if none is set; it need not exist.
pub const DEFAULT_FILE: &str = "data.json";

/// The largest data file, in bytes: three million of the longest ships in ASCII. Reading takes several times as much memory.
const MAX_SIZE: u64 = 2 * 1024 * 1024 * 1024;

/// Where the data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The example data in this program.
    BuiltIn,
}

impl Source {
    /// Its name, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::BuiltIn => "the built-in data".to_owned(),
        }
    }
}

/// What a server starts with.
#[derive(Debug, Default)]
pub struct Data {
    users: BTreeMap<Id, DataUser>,
    ships: BTreeMap<Id, Ship>,
}

#[derive(Debug, PartialEq, Eq)]
struct DataUser {
    name: String,
    secret: UserSecret,
}

#[derive(Debug, PartialEq, Eq)]
enum UserSecret {
    Password(crate::model::password::Password),
    Hash(Hash),
}

/// An invalid data file: which file, where in it, and why.
#[derive(Debug, Error)]
// The reason may quote what is in the file.
#[error("{file}: {place}{}", escape_invisible(&reason.to_string()))]
pub struct DataError {
    file: String,
    /// Empty, or the place of an element and a colon.
    place: String,
    reason: Reason,
}

/// Why a data file is invalid.
#[derive(Debug, Error)]
enum Reason {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Layout(#[from] serde_json::Error),
    #[error("expected an object with `users` and `ships` at line 1 column 1")]
    NotAnObject,
    #[error(
        "unknown collection `{name}` at line {line} column {column}; there are only `users` and `ships`"
    )]
    UnknownCollection { name: String, line: usize, column: usize },
    #[error("name: {name:?} is the name of user {other} already")]
    NameTwice { name: String, other: Id },
    #[error("id: {id} is the id of another {kind} already")]
    IdTwice { id: Id, kind: &'static str },
    #[error("id: Missing data for required field.")]
    NoId,
    /// A field breaks a rule of the API.
    #[error("{0}")]
    Field(String),
    #[error("password_hash: Not a valid string.")]
    HashNotText,
    #[error("password_hash: {}", chain(.0))]
    Hash(#[from] InvalidHash),
    #[error("password_hash: there is a password too; give one of the two")]
    HashAndPassword,
    #[error("{list}: {count} are more than {setting} = {most}")]
    TooMany { list: &'static str, count: usize, setting: &'static str, most: usize },
}

/// The collections of the file. The texts of the elements tell their lines.
#[derive(Deserialize)]
struct Layout<'a> {
    #[serde(borrow)]
    users: Vec<&'a RawValue>,
    #[serde(borrow)]
    ships: Vec<&'a RawValue>,
}

/// The names of the collections.
const COLLECTIONS: [&str; 2] = ["users", "ships"];

impl Data {
    /// Reads a data file.
    ///
    /// # Errors
    /// [`DataError`]: the file cannot be read, is not JSON, or breaks a rule of the store.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let file = path.display().to_string();
        let bytes = regular_file::read(path, MAX_SIZE).map_err(|error| DataError {
            file: file.clone(),
            place: String::new(),
            reason: error.into(),
        })?;
        Self::parse(&file, &bytes)
    }

    /// Reads this file. Without one, reads [`DEFAULT_FILE`], or if that does not exist, the example.
    ///
    /// # Errors
    /// As [`Data::read`].
    pub fn find(file: Option<&Path>) -> Result<(Self, Source), DataError> {
        let default = Path::new(DEFAULT_FILE);
        match file.or_else(|| default.symlink_metadata().is_ok().then_some(default)) {
            Some(path) => Ok((Self::read(path)?, Source::File(path.to_owned()))),
            None => Ok((Self::parse(&Source::BuiltIn.name(), EXAMPLE.as_bytes())?, Source::BuiltIn)),
        }
    }

    /// Whether these are the users of the example, whose passwords are public.
    #[must_use]
    pub fn has_example_users(&self) -> bool {
        Self::parse("", EXAMPLE.as_bytes()).is_ok_and(|example| example.users == self.users)
    }

    /// The names of the users that have the password of a user of the example, which is public.
    #[must_use]
    pub fn public_logins(&self) -> Vec<&str> {
        let example = Self::parse("", EXAMPLE.as_bytes()).unwrap_or_default();
        let is_public = |user: &&DataUser| example.users.values().any(|known| known == *user);
        self.users.values().filter(is_public).map(|user| user.name.as_str()).collect()
    }

    /// Reads the text of a data file; `file` is its name for messages.
    ///
    /// # Errors
    /// [`DataError`]: the text is not JSON, or breaks a rule of the store.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, DataError> {
        let refuse = |place: String, reason: Reason| DataError { file: file.to_owned(), place, reason };
        let anywhere = |reason: Reason| refuse(String::new(), reason);
        let Value::Object(mut whole) = json::parse(bytes).map_err(|error| anywhere(error.into()))? else {
            return Err(anywhere(Reason::NotAnObject));
        };
        let text = json::text(bytes).map_err(|error| anywhere(error.into()))?;
        if whole.keys().any(|name| !COLLECTIONS.contains(&name.as_str())) {
            let unknown = unknown_collection(text).map_err(|error| anywhere(error.into()))?;
            if let Some(unknown) = unknown {
                return Err(anywhere(unknown));
            }
        }
        let layout: Layout<'_> = serde_json::from_str(text).map_err(|error| anywhere(error.into()))?;
        let place = |list: &str, index: usize, raw: &RawValue| {
            format!("line {}, {list}[{index}]: ", place_of(text, raw.get()).0)
        };
        let mut elements = |list: &str| match whole.remove(list) {
            Some(Value::Array(elements)) => elements,
            _ => Vec::new(),
        };
        let mut data = Self::default();
        let mut names: HashMap<String, Id> = HashMap::new();
        for (index, (value, raw)) in elements("users").into_iter().zip(layout.users).enumerate() {
            let here = || place("users", index, raw);
            let (id, user) = user(value).map_err(|reason| refuse(here(), reason))?;
            if let Some(other) = names.insert(user.name.clone(), id) {
                return Err(refuse(here(), Reason::NameTwice { name: user.name, other }));
            }
            if data.users.insert(id, user).is_some() {
                return Err(refuse(here(), Reason::IdTwice { id, kind: "user" }));
            }
        }
        for (index, (value, raw)) in elements("ships").into_iter().zip(layout.ships).enumerate() {
            let here = || place("ships", index, raw);
            let ship = ship(value).map_err(|reason| refuse(here(), reason))?;
            let id = ship.id;
            if data.ships.insert(id, ship).is_some() {
                return Err(refuse(here(), Reason::IdTwice { id, kind: "ship" }));
            }
        }
        Ok(data)
    }

    /// Checks that the data is within the limits of the store; `source` is for the message.
    ///
    /// # Errors
    /// [`DataError`]: there are too many users or ships.
    pub fn check_limits(&self, source: &Source, limits: StoreLimits) -> Result<(), DataError> {
        for (list, count, most, setting) in [
            ("users", self.users.len(), limits.users, "max_users"),
            ("ships", self.ships.len(), limits.ships, "max_ships"),
        ] {
            if count > most {
                let reason = Reason::TooMany { list, count, setting, most };
                return Err(DataError { file: source.name(), place: String::new(), reason });
            }
        }
        Ok(())
    }

    /// The rows of this data. Passwords in clear text are hashed, which takes the time of one login each, as many at
    /// a time as when clients log in.
    ///
    /// # Errors
    /// [`InternalError`] where the system gives no random bytes or no threads.
    pub fn hashed(self, hasher: &Hasher) -> Result<InitialRows, InternalError> {
        let users: Vec<(Id, DataUser)> = self.users.into_iter().collect();
        let share = users.len().div_ceil(Passwords::cores()).max(1);
        let broken = |why: Box<dyn std::error::Error + Send + Sync>| {
            InternalError::new("hashing the passwords of the data file", why)
        };
        let hashed: Result<Vec<_>, InternalError> = thread::scope(|scope| {
            let one = |share| thread::Builder::new().spawn_scoped(scope, move || hashed(share, hasher));
            let shares: io::Result<Vec<_>> = users.chunks(share).map(one).collect();
            let shares = shares.map_err(|error| broken(error.into()))?;
            shares
                .into_iter()
                .map(|share| share.join().map_err(|_| broken("a thread panicked".into()))?)
                .collect()
        });
        Ok(InitialRows { users: hashed?.into_iter().flatten().collect(), ships: self.ships })
    }

    /// The numbers of users and ships.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.users.len(), self.ships.len())
    }
}

/// Those users with their passwords hashed.
fn hashed(users: &[(Id, DataUser)], hasher: &Hasher) -> Result<Vec<(Id, StoredUser)>, InternalError> {
    let mut memory = Vec::new();
    let hashed = users.iter().map(|(id, user)| {
        let hash = match &user.secret {
            UserSecret::Hash(hash) => hash.clone(),
            UserSecret::Password(password) => hasher.hash_in(password, &mut memory)?,
        };
        Ok((*id, StoredUser { name: user.name.clone(), hash }))
    });
    hashed.collect()
}

/// The error of the first collection that is neither users nor ships, if there is one.
fn unknown_collection(text: &str) -> Result<Option<Reason>, serde_json::Error> {
    let collections: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let unknown = collections.into_iter().filter(|(name, _)| !COLLECTIONS.contains(&name.as_str()));
    let first = unknown.min_by_key(|(_, value)| place_of(text, value.get()));
    Ok(first.map(|(name, value)| {
        let (line, column) = place_of(text, value.get());
        Reason::UnknownCollection { name, line, column }
    }))
}

/// The line and the column, from 1, at which `part` begins; `part` is a slice of `text`.
fn place_of(text: &str, part: &str) -> (usize, usize) {
    let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    let lines = before.iter().filter(|&&byte| byte == b'\n').count();
    (lines + 1, before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1)
}

/// Reads an element by the rules of a body of the API.
fn read<T: Input>(value: Value) -> Result<T, Reason> {
    model::read(value).map_err(|errors| Reason::Field(errors.first().unwrap_or_default()))
}

fn ship(value: Value) -> Result<Ship, Reason> {
    let input: ShipInput = read(value)?;
    let id = input.id.ok_or(Reason::NoId)?;
    Ok(input.with_id(id))
}

fn user(mut value: Value) -> Result<(Id, DataUser), Reason> {
    let hash = value.as_object_mut().and_then(|user| user.remove("password_hash"));
    let Some(hash) = hash else {
        let UserInput { id, name, password } = read(value)?;
        return Ok((id.ok_or(Reason::NoId)?, DataUser { name, secret: UserSecret::Password(password) }));
    };
    let Value::String(hash) = hash else { return Err(Reason::HashNotText) };
    let hash = Hash::parse(&hash)?;
    if value.get("password").is_some() {
        return Err(Reason::HashAndPassword);
    }
    // The rules of a body require a password.
    if let Some(user) = value.as_object_mut() {
        user.insert("password".to_owned(), Value::from("hashed"));
    }
    let UserInput { id, name, .. } = read(value)?;
    Ok((id.ok_or(Reason::NoId)?, DataUser { name, secret: UserSecret::Hash(hash) }))
}
