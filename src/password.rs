//! Passwords: hashed with argon2id (RFC 9106), verified in the same time whether the user exists or not,
//! both away from the threads that serve requests. No HTTP here.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::internal::Internal;

/// A password in clear text. It cannot be printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Takes a text for a password.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The hash of a password, as a PHC string (`$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`). It cannot be
/// printed with `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(Arc<str>);

impl Hash {
    /// The greatest memory a given hash may ask for: 1 GiB, in KiB.
    pub const MAX_MEMORY: u32 = 1024 * 1024;
    /// The greatest number of passes a given hash may ask for.
    pub const MAX_ITERATIONS: u32 = 64;

    /// Reads a PHC string.
    ///
    /// # Errors
    /// One line that says why the text is no hash that a password can be verified against: another
    /// algorithm than argon2id, parts missing, or a cost beyond [`Hash::MAX_MEMORY`] or
    /// [`Hash::MAX_ITERATIONS`], which would let one login stop the machine.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hash = PasswordHash::new(text).map_err(|error| format!("not a PHC string: {error}"))?;
        if Algorithm::try_from(hash.algorithm.as_str()) != Ok(Algorithm::Argon2id) {
            return Err(format!("the algorithm is {}, expected argon2id", hash.algorithm));
        }
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err("the salt or the hash is missing".to_owned());
        }
        let params = Params::try_from(&hash).map_err(|error| format!("bad parameters: {error}"))?;
        if params.m_cost() > Self::MAX_MEMORY || params.t_cost() > Self::MAX_ITERATIONS {
            return Err(format!(
                "m={} t={} is too costly; at most m={} (KiB) and t={}",
                params.m_cost(),
                params.t_cost(),
                Self::MAX_MEMORY,
                Self::MAX_ITERATIONS
            ));
        }
        Ok(Self(text.into()))
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

/// What hashing a password costs. The default is the first choice of the OWASP Password Storage Cheat
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
        Self { memory: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

impl Cost {
    /// The hasher of that cost.
    ///
    /// # Errors
    /// One line that says which part is out of range.
    pub fn hasher(self) -> Result<Hasher, String> {
        if self.memory > Hash::MAX_MEMORY || self.iterations > Hash::MAX_ITERATIONS {
            return Err(format!(
                "at most {} KiB of memory and {} iterations",
                Hash::MAX_MEMORY,
                Hash::MAX_ITERATIONS
            ));
        }
        let params = Params::new(self.memory, self.iterations, self.parallelism, None)
            .map_err(|error| error.to_string())?;
        Ok(Hasher(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)))
    }
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
    /// The hash of `password` with a fresh random salt of 16 bytes.
    ///
    /// # Errors
    /// [`Internal`] where the system gives no random bytes.
    pub fn hash(&self, password: &Password) -> Result<Hash, Internal> {
        let hash: PasswordHash = self
            .0
            .hash_password(password.0.as_bytes())
            .map_err(|error| Internal::new("hashing a password", error))?;
        Ok(Hash(hash.to_string().into()))
    }
}

/// Hashes and verifies passwords on the blocking threads, no more at a time than the machine has cores:
/// each takes [`Cost::memory`].
#[derive(Clone)]
pub struct Passwords {
    hasher: Hasher,
    /// What is verified against when there is no such user.
    nobody: Hash,
    cores: Arc<Semaphore>,
}

impl Passwords {
    /// With that cost for every new hash.
    ///
    /// # Errors
    /// [`Internal`] where the system gives no random bytes.
    pub fn new(hasher: Hasher) -> Result<Self, Internal> {
        let nobody = hasher.hash(&Password::new(String::new()))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { hasher, nobody, cores: Arc::new(Semaphore::new(cores)) })
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// [`Internal`] where the system gives no random bytes or no thread.
    pub async fn hash(&self, password: Password) -> Result<Hash, Internal> {
        let hasher = self.hasher.clone();
        self.on_a_blocking_thread(move || hasher.hash(&password)).await?
    }

    /// Whether `password` is the one that was hashed. With no hash the answer is no, after the same work.
    ///
    /// # Errors
    /// [`Internal`] where the hash is unusable, or the system gives no thread.
    pub async fn verify(&self, password: Password, hash: Option<Hash>) -> Result<bool, Internal> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let hasher = self.hasher.clone();
        let matches = self
            .on_a_blocking_thread(move || {
                match hasher.0.verify_password(password.0.as_bytes(), hash.as_str()) {
                    Ok(()) => Ok(true),
                    Err(password_hash::Error::PasswordInvalid) => Ok(false),
                    Err(error) => Err(Internal::new("verifying a password", error)),
                }
            })
            .await??;
        Ok(known && matches)
    }

    async fn on_a_blocking_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Internal> {
        let cores = Arc::clone(&self.cores);
        let core = cores.acquire_owned().await.map_err(|error| Internal::new("waiting for a core", error))?;
        // The permit moves along: a client that leaves does not free a core that is still hashing.
        let job = spawn_blocking(move || {
            let done = work();
            drop(core);
            done
        });
        job.await.map_err(|error| Internal::new("hashing on a blocking thread", error))
    }
}
