//! Password hashing with argon2id (RFC 9106).

mod service;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::{self, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use thiserror::Error;

pub use self::service::{Passwords, QueueFull};
use crate::internal_error::InternalError;
use crate::model::password::Password;

/// A password hash that has been parsed. `{:?}` does not print it.
#[derive(Clone)]
pub struct Hash(Arc<HashParts>);

struct HashParts {
    text: String,
    argon2: Argon2<'static>,
    salt: Salt,
    output: Output,
}

impl Hash {
    /// The maximum memory cost of a hash in the data file: 1 GiB, in KiB.
    pub const MAX_MEMORY: u32 = 1024 * 1024;
    /// The maximum number of passes of a hash in the data file.
    pub const MAX_ITERATIONS: u32 = 64;
    /// The maximum number of lanes of a hash in the data file. Lanes are filled one after another here, so thousands of
    /// them only slow memory access down.
    pub const MAX_PARALLELISM: u32 = 256;
    /// The maximum product of memory and passes, in KiB: a few seconds of a core. With both at their maximum, a login
    /// would occupy a core for longer than any client waits.
    pub const MAX_WORK: u64 = 4 * 1024 * 1024;

    /// Parses a PHC string: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
    ///
    /// # Errors
    /// [`InvalidHash`] for another algorithm than argon2id, another version than 19, a missing part, or a cost above
    /// [`Hash::MAX_MEMORY`], [`Hash::MAX_ITERATIONS`], [`Hash::MAX_PARALLELISM`] or [`Hash::MAX_WORK`]: one login must
    /// not stop the machine.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let hash = PasswordHash::new(text)?;
        if Algorithm::try_from(hash.algorithm.as_str()) != Ok(Algorithm::Argon2id) {
            return Err(InvalidHash::Algorithm(hash.algorithm.to_string()));
        }
        if hash.version != Some(Version::V0x13.into()) {
            return Err(InvalidHash::Version);
        }
        let params = Params::try_from(&hash).map_err(InvalidHash::Parameters)?;
        let (memory, iterations, parallelism) = (params.m_cost(), params.t_cost(), params.p_cost());
        if is_too_costly(memory, iterations) {
            return Err(InvalidHash::TooCostly { memory, iterations });
        }
        if parallelism > Self::MAX_PARALLELISM {
            return Err(InvalidHash::TooManyLanes(parallelism));
        }
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err(InvalidHash::MissingPart);
        };
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self(Arc::new(HashParts { text: text.to_owned(), argon2, salt, output })))
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    fn matches(&self, password: &Password, memory: &mut Vec<Block>) -> Result<bool, InternalError> {
        let HashParts { argon2, salt, output, .. } = &*self.0;
        // `Output` compares in constant time.
        Ok(digest(argon2, password, salt, output.len(), memory)? == *output)
    }
}

/// Why a text is not a hash that a password can be verified against.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages describe the variants")]
pub enum InvalidHash {
    #[error("not a PHC string")]
    NotPhc(#[from] phc::Error),
    #[error("the algorithm is {0}, expected argon2id")]
    Algorithm(String),
    #[error("expected version 19 (v=19)")]
    Version,
    #[error("bad parameters")]
    Parameters(#[source] argon2::password_hash::Error),
    #[error("m={memory} t={iterations} is too costly; at most {}", exceeded_limit(*memory, *iterations))]
    TooCostly { memory: u32, iterations: u32 },
    #[error("p={0} is too costly; at most p={most}", most = Hash::MAX_PARALLELISM)]
    TooManyLanes(u32),
    #[error("the salt or the hash is missing")]
    MissingPart,
}

fn exceeded_limit(memory: u32, iterations: u32) -> String {
    let (most, most_iterations, most_work) = (Hash::MAX_MEMORY, Hash::MAX_ITERATIONS, Hash::MAX_WORK);
    if memory > most || iterations > most_iterations {
        format!("m={most} (KiB) and t={most_iterations}")
    } else {
        format!("m*t={most_work}")
    }
}

fn is_too_costly(memory: u32, iterations: u32) -> bool {
    memory > Hash::MAX_MEMORY
        || iterations > Hash::MAX_ITERATIONS
        || u64::from(memory) * u64::from(iterations) > Hash::MAX_WORK
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Hash {}

/// The argon2 output for a password. `memory` is the working memory; it grows to the size that argon2 needs.
fn digest(
    argon2: &Argon2<'_>,
    password: &Password,
    salt: &Salt,
    length: usize,
    memory: &mut Vec<Block>,
) -> Result<Output, InternalError> {
    let blocks = argon2.params().block_count();
    if let Some(more) = blocks.checked_sub(memory.len()) {
        // If the memory is not available, one request fails, not the process.
        memory.try_reserve_exact(more).map_err(hashing_error)?;
        memory.resize(memory.len() + more, Block::default());
    }
    let mut output = vec![0; length];
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, memory.as_mut_slice())
        .map_err(hashing_error)?;
    Output::new(&output).map_err(hashing_error)
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

/// The cost of hashing a password. The default is the first choice of the OWASP Password Storage Cheat
/// Sheet: 19 MiB, 2 passes, 1 lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB; at least 8 for each lane.
    pub memory: u32,
    /// Passes over the memory; at least 1.
    pub iterations: u32,
    /// Lanes; at least 1.
    pub parallelism: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Cost {
    /// The first choice of the OWASP Password Storage Cheat Sheet.
    pub const DEFAULT: Self = Self { memory: 19 * 1024, iterations: 2, parallelism: 1 };

    /// The minimum memory for each lane, in KiB (RFC 9106, section 3.1).
    pub const LEAST_MEMORY: u32 = 8;

    /// The hasher with this cost.
    ///
    /// # Errors
    /// [`InvalidCost`]: the value that is out of range.
    pub fn hasher(self) -> Result<Hasher, InvalidCost> {
        let Self { memory, iterations, parallelism } = self;
        if is_too_costly(memory, iterations) {
            return Err(InvalidCost::TooCostly { memory, iterations });
        }
        if parallelism > Hash::MAX_PARALLELISM {
            return Err(InvalidCost::TooManyLanes(parallelism));
        }
        if u64::from(memory) < u64::from(parallelism) * u64::from(Self::LEAST_MEMORY) {
            return Err(InvalidCost::TooLittleMemory { memory, parallelism });
        }
        let params = Params::new(memory, iterations, parallelism, None)?;
        Ok(Hasher(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)))
    }
}

/// Why passwords cannot be hashed with a [`Cost`].
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages describe the variants")]
pub enum InvalidCost {
    #[error(
        "{memory} KiB and {iterations} iterations; at most {most} KiB, {most_iterations} iterations, and \
         {most_work} for the product of the two",
        most = Hash::MAX_MEMORY, most_iterations = Hash::MAX_ITERATIONS, most_work = Hash::MAX_WORK
    )]
    TooCostly { memory: u32, iterations: u32 },
    #[error("{0} lanes; at most {most}", most = Hash::MAX_PARALLELISM)]
    TooManyLanes(u32),
    #[error("{memory} KiB for {parallelism} lanes; at least {least} KiB for each lane", least = Cost::LEAST_MEMORY)]
    TooLittleMemory { memory: u32, parallelism: u32 },
    #[error("bad parameters")]
    Parameters(#[from] argon2::Error),
}

/// Hashes passwords on the calling thread.
#[derive(Clone)]
pub struct Hasher(Argon2<'static>);

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = self.0.params();
        write!(f, "Hasher(m={}, t={}, p={})", params.m_cost(), params.t_cost(), params.p_cost())
    }
}

impl Hasher {
    /// Hashes `password` with a random salt of 16 bytes.
    ///
    /// # Errors
    /// [`InternalError`] if the system returns no random bytes or not enough memory.
    pub fn hash(&self, password: &Password) -> Result<Hash, InternalError> {
        self.hash_in(password, &mut Vec::new())
    }

    /// As [`Hasher::hash`], with reusable working memory.
    pub(crate) fn hash_in(
        &self,
        password: &Password,
        memory: &mut Vec<Block>,
    ) -> Result<Hash, InternalError> {
        let salt = Salt::new(&random::<16>()?).map_err(hashing_error)?;
        let output = digest(&self.0, password, &salt, Params::DEFAULT_OUTPUT_LEN, memory)?;
        self.encode(salt, output)
    }

    /// A hash that no password has. Verifying a password against it takes as long as against a real hash; making it
    /// takes no such work.
    fn dummy_hash(&self) -> Result<Hash, InternalError> {
        let salt = Salt::new(&random::<16>()?).map_err(hashing_error)?;
        let output = Output::new(&random::<{ Params::DEFAULT_OUTPUT_LEN }>()?).map_err(hashing_error)?;
        self.encode(salt, output)
    }

    fn encode(&self, salt: Salt, output: Output) -> Result<Hash, InternalError> {
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(self.0.params()).map_err(hashing_error)?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(Hash(Arc::new(HashParts { text: hash.to_string(), argon2: self.0.clone(), salt, output })))
    }
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], InternalError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(hashing_error)?;
    Ok(bytes)
}

fn hashing_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> InternalError {
    InternalError::new("hashing a password", error)
}
