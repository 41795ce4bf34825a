//! Passwords: hashed with argon2id (RFC 9106), verified in the same time whether the user exists or not,
//! both away from the threads that serve requests. No HTTP here.

mod queue;

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use thiserror::Error;

use self::queue::Queue;
use crate::auth::rate_limit::Admission;
use crate::internal_error::{InternalError, OperationError};
use crate::model::password::Password;

/// The hash of a password, with everything that verifying against it takes. It cannot be printed with `{:?}`.
#[derive(Clone)]
pub struct Hash(Arc<Parsed>);

struct Parsed {
    text: String,
    argon2: Argon2<'static>,
    salt: Salt,
    output: Output,
}

impl Hash {
    /// The greatest memory a given hash may ask for: 1 GiB, in KiB.
    pub const MAX_MEMORY: u32 = 1024 * 1024;
    /// The greatest number of passes a given hash may ask for.
    pub const MAX_ITERATIONS: u32 = 64;
    /// The greatest number of lanes a given hash may ask for. They are worked on one after the other: thousands would
    /// only make memory slow.
    pub const MAX_PARALLELISM: u32 = 256;
    /// The greatest product of memory and passes, in KiB: a few seconds of a core. With both at their greatest, a login
    /// would take longer than any client waits, and the cores would do nothing else meanwhile.
    pub const MAX_WORK: u64 = 4 * 1024 * 1024;

    /// Reads a PHC string: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
    ///
    /// # Errors
    /// One line that says why the text is no hash that a password can be verified against: another
    /// algorithm than argon2id, another version than 19, parts missing, or a cost beyond
    /// [`Hash::MAX_MEMORY`], [`Hash::MAX_ITERATIONS`], [`Hash::MAX_PARALLELISM`] or [`Hash::MAX_WORK`], which would let one
    /// login stop the machine.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hash = PasswordHash::new(text).map_err(|error| format!("not a PHC string: {error}"))?;
        if Algorithm::try_from(hash.algorithm.as_str()) != Ok(Algorithm::Argon2id) {
            return Err(format!("the algorithm is {}, expected argon2id", hash.algorithm));
        }
        if hash.version != Some(Version::V0x13.into()) {
            return Err("expected version 19 (v=19)".to_owned());
        }
        let params = Params::try_from(&hash).map_err(|error| format!("bad parameters: {error}"))?;
        let (memory, passes) = (params.m_cost(), params.t_cost());
        if is_too_costly(memory, passes) {
            let (most, most_passes, most_work) = (Self::MAX_MEMORY, Self::MAX_ITERATIONS, Self::MAX_WORK);
            let most = if memory > most || passes > most_passes {
                format!("m={most} (KiB) and t={most_passes}")
            } else {
                format!("m*t={most_work}")
            };
            return Err(format!("m={memory} t={passes} is too costly; at most {most}"));
        }
        if params.p_cost() > Self::MAX_PARALLELISM {
            return Err(format!("p={} is too costly; at most p={}", params.p_cost(), Self::MAX_PARALLELISM));
        }
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err("the salt or the hash is missing".to_owned());
        };
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self(Arc::new(Parsed { text: text.to_owned(), argon2, salt, output })))
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    fn matches(&self, password: &Password, memory: &mut Vec<Block>) -> Result<bool, InternalError> {
        let Parsed { argon2, salt, output, .. } = &*self.0;
        // Outputs are compared in constant time.
        Ok(digest(argon2, password, salt, output.len(), memory)? == *output)
    }
}

fn is_too_costly(memory: u32, passes: u32) -> bool {
    memory > Hash::MAX_MEMORY
        || passes > Hash::MAX_ITERATIONS
        || u64::from(memory) * u64::from(passes) > Hash::MAX_WORK
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Hash {}

/// What argon2 makes of a password. `memory` is what it works in, made as large as it must be.
fn digest(
    argon2: &Argon2<'_>,
    password: &Password,
    salt: &Salt,
    length: usize,
    memory: &mut Vec<Block>,
) -> Result<Output, InternalError> {
    let blocks = argon2.params().block_count();
    if let Some(more) = blocks.checked_sub(memory.len()) {
        // Memory that is not there fails one request, not the process.
        memory.try_reserve_exact(more).map_err(broken)?;
        memory.resize(memory.len() + more, Block::default());
    }
    let mut output = vec![0; length];
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, memory.as_mut_slice())
        .map_err(broken)?;
    Output::new(&output).map_err(broken)
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
        Self::DEFAULT
    }
}

impl Cost {
    /// The first choice of the OWASP Password Storage Cheat Sheet.
    pub const DEFAULT: Self = Self { memory: 19 * 1024, iterations: 2, parallelism: 1 };

    /// The least memory for each lane, in KiB (RFC 9106, section 3.1).
    pub const LEAST_MEMORY: u32 = 8;

    /// The hasher of that cost.
    ///
    /// # Errors
    /// One line that says which part is out of range.
    pub fn hasher(self) -> Result<Hasher, String> {
        let Self { memory, iterations, parallelism } = self;
        if is_too_costly(memory, iterations) {
            let (most, most_iterations, most_work) = (Hash::MAX_MEMORY, Hash::MAX_ITERATIONS, Hash::MAX_WORK);
            return Err(format!(
                "{memory} KiB and {iterations} iterations; at most {most} KiB, {most_iterations} iterations, and \
                 {most_work} for the product of the two"
            ));
        }
        if parallelism > Hash::MAX_PARALLELISM {
            return Err(format!("{parallelism} lanes; at most {}", Hash::MAX_PARALLELISM));
        }
        if u64::from(memory) < u64::from(parallelism) * u64::from(Self::LEAST_MEMORY) {
            let least = Self::LEAST_MEMORY;
            return Err(format!("{memory} KiB for {parallelism} lanes; at least {least} KiB for each lane"));
        }
        let params = Params::new(memory, iterations, parallelism, None).map_err(|error| error.to_string())?;
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
    /// [`InternalError`] where the system gives no random bytes.
    pub fn hash(&self, password: &Password) -> Result<Hash, InternalError> {
        self.hash_in(password, &mut Vec::new())
    }

    /// Works in `memory`, which it makes as large as it must be.
    pub(crate) fn hash_in(
        &self,
        password: &Password,
        memory: &mut Vec<Block>,
    ) -> Result<Hash, InternalError> {
        let salt = Salt::new(&random::<16>()?).map_err(broken)?;
        let output = digest(&self.0, password, &salt, Params::DEFAULT_OUTPUT_LEN, memory)?;
        self.finished(salt, output)
    }

    /// What is no password's hash, and takes as long to find out. Made without that work.
    fn dummy_hash(&self) -> Result<Hash, InternalError> {
        let salt = Salt::new(&random::<16>()?).map_err(broken)?;
        let output = Output::new(&random::<{ Params::DEFAULT_OUTPUT_LEN }>()?).map_err(broken)?;
        self.finished(salt, output)
    }

    fn finished(&self, salt: Salt, output: Output) -> Result<Hash, InternalError> {
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(self.0.params()).map_err(broken)?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(Hash(Arc::new(Parsed { text: hash.to_string(), argon2: self.0.clone(), salt, output })))
    }
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], InternalError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(broken)?;
    Ok(bytes)
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> InternalError {
    InternalError::new("hashing a password", error)
}

/// As many passwords wait to be hashed as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many passwords wait to be hashed")]
pub struct QueueFull;

/// Hashes and verifies passwords on the blocking threads, on at most half of the machine's cores: the other half keeps
/// answering all other requests. A few more requests wait in a queue; when it is full, a request fails at once.
///
/// Each job works in [`Cost::memory`]. The memory is reused for the next job: freed each time, it would stay in the
/// allocator of every thread that ever hashed a password.
#[derive(Clone)]
pub struct Passwords {
    hasher: Hasher,
    /// What is verified against when there is no such user.
    dummy_hash: Hash,
    queue: Arc<Queue>,
    cores: Arc<Semaphore>,
    spare: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Passwords {
    /// How many may wait, unless configured (`password_queue`): less than half a second's work on 2 cores.
    pub const DEFAULT_QUEUE: usize = 16;

    /// With that cost for every new hash, and at most `queue` that wait.
    ///
    /// # Errors
    /// [`InternalError`] where the system gives no random bytes.
    pub fn new(hasher: Hasher, queue: usize) -> Result<Self, InternalError> {
        let dummy_hash = hasher.dummy_hash()?;
        let cores = Self::cores();
        Ok(Self {
            hasher,
            dummy_hash,
            queue: Arc::new(Queue::new(cores, queue)),
            cores: Arc::new(Semaphore::new(cores)),
            spare: Arc::default(),
        })
    }

    /// How many passwords are hashed at a time: half as many as there are cores, but one at least.
    #[must_use]
    pub fn cores() -> usize {
        (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)
    }

    /// The hash of a new password, for a request that was let through.
    ///
    /// # Errors
    /// [`QueueFull`], or [`InternalError`] where the system gives no random bytes or no thread.
    pub async fn hash(
        &self,
        admission: &Admission,
        password: Password,
    ) -> Result<Hash, OperationError<QueueFull>> {
        let hasher = self.hasher.clone();
        self.on_a_blocking_thread(admission, move |memory| hasher.hash_in(&password, memory)).await
    }

    /// Whether `password` is the one that was hashed, for a request that was let through. With no hash the answer is
    /// no, after the work that a hash of the configured cost takes.
    ///
    /// # Errors
    /// [`QueueFull`], or [`InternalError`] where the system gives no thread.
    pub async fn verify(
        &self,
        admission: &Admission,
        password: Password,
        hash: Option<Hash>,
    ) -> Result<bool, OperationError<QueueFull>> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy_hash.clone());
        let matches =
            self.on_a_blocking_thread(admission, move |memory| hash.matches(&password, memory)).await?;
        Ok(known && matches)
    }

    async fn on_a_blocking_thread<T: Send + 'static>(
        &self,
        admission: &Admission,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T, InternalError> + Send + 'static,
    ) -> Result<T, OperationError<QueueFull>> {
        let place = self.queue.enter(admission).ok_or(OperationError::Rejected(QueueFull))?;
        let core = Arc::clone(&self.cores).acquire_owned().await;
        let core = core.map_err(|error| InternalError::new("waiting for a core", error))?;
        let spare = Arc::clone(&self.spare);
        let usual = self.hasher.0.params().block_count();
        // Both move along: a client that leaves does not free a core that is still hashing.
        let job = spawn_blocking(move || {
            let mut memory = spare.lock().pop().unwrap_or_default();
            let done = work(&mut memory);
            // A hash in the data file may have asked for more than is worth keeping.
            if memory.len() <= usual {
                spare.lock().push(memory);
            }
            drop((core, place));
            done
        });
        Ok(job.await.map_err(|error| InternalError::new("hashing on a blocking thread", error))??)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::auth::rate_limit::{Operation, RateLimiter};

    /// Polls once, so that nothing is done yet when the last comes: how many of `count` are turned away.
    fn turned_away<'a, F>(jobs: &mut [std::pin::Pin<Box<F>>]) -> usize
    where
        F: Future<Output = Result<bool, OperationError<QueueFull>>> + 'a,
    {
        let mut context = Context::from_waker(Waker::noop());
        let polls = jobs.iter_mut().map(|job| job.as_mut().poll(&mut context));
        polls.filter(|poll| matches!(poll, Poll::Ready(Err(OperationError::Rejected(QueueFull))))).count()
    }

    #[test]
    fn no_more_hash_and_wait_than_may_and_whoever_leaves_makes_room() {
        // Of many networks, none of which is known: to them a quarter of the queue is closed.
        let admission = |number: usize| {
            let client = std::net::Ipv4Addr::from(u32::try_from(number).expect("it fits"));
            RateLimiter::new(None).admit(Operation::LogIn, Some(client.into()).into()).expect("no limits")
        };
        let admissions: Vec<Admission> = (0..200).map(admission).collect();
        // Enough for the first to be still at it when the last comes.
        let hasher = Cost { memory: 32 * 1024, iterations: 8, parallelism: 1 }.hasher().expect("a cost");
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
            let passwords = Passwords::new(hasher, 16).expect("a hash");
            let verify =
                |admission| Box::pin(passwords.verify(admission, Password::new(String::new()), None));
            let most = Passwords::cores() + 12;
            let mut jobs: Vec<_> = admissions.iter().map(verify).collect();
            assert_eq!(turned_away(&mut jobs), 200 - most);
            jobs.truncate(most);
            assert_eq!(turned_away(&mut [verify(admissions.last().expect("one"))]), 1);
            // Clients that are gone wait no longer; but what is being hashed is hashed to its end.
            jobs.clear();
            let mut jobs: Vec<_> = admissions.iter().map(verify).collect();
            assert_eq!(turned_away(&mut jobs), 200 - 12);
        });
    }

    /// One login must not be able to stop the machine, wherever the hash came from.
    #[test]
    fn hashes_beyond_the_greatest_cost_are_refused() {
        let given = |memory: u32, passes: u32| {
            let salt_and_hash = "c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
            Hash::parse(&format!("$argon2id$v=19$m={memory},t={passes},p=1${salt_and_hash}")).is_ok()
        };
        let own = |memory, iterations| Cost { memory, iterations, parallelism: 1 }.hasher().is_ok();
        let lanes = |lanes: u32| {
            let own = Cost { memory: 4096, iterations: 1, parallelism: lanes }.hasher().is_ok();
            let text = format!("$argon2id$v=19$m=4096,t=1,p={lanes}$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
            (own, Hash::parse(&text).is_ok())
        };
        assert_eq!((lanes(256), lanes(257)), ((true, true), (false, false)));
        for accepts in [given as fn(u32, u32) -> bool, own] {
            assert!(accepts(1_048_576, 4) && accepts(65_536, 64));
            assert!(!accepts(1_048_577, 1) && !accepts(8, 65));
            // Each is within its range.
            assert!(!accepts(1_048_576, 5) && !accepts(65_537, 64) && !accepts(1_048_576, 64));
        }
    }
}
