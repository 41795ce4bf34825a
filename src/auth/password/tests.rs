use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::auth::rate_limit::{Admission, Operation, RateLimiter};
use crate::internal_error::OperationError;

/// Polls each job once, so that no job is finished when the last one starts. Returns how many are rejected.
fn count_rejected<'a, F>(jobs: &mut [Pin<Box<F>>]) -> usize
where
    F: Future<Output = Result<bool, OperationError<QueueFull>>> + 'a,
{
    let mut context = Context::from_waker(Waker::noop());
    let polls = jobs.iter_mut().map(|job| job.as_mut().poll(&mut context));
    polls.filter(|poll| matches!(poll, Poll::Ready(Err(OperationError::Rejected(QueueFull))))).count()
}

#[test]
fn rejects_jobs_beyond_cores_and_queue_and_a_dropped_job_frees_its_permit() {
    // Each job comes from another unknown network: a quarter of the queue is reserved for known ones.
    let admission = |number: usize| {
        let client = std::net::Ipv4Addr::from(u32::try_from(number).expect("it fits"));
        RateLimiter::new(None).admit(Operation::LogIn, Some(client.into()).into()).expect("no limits")
    };
    let admissions: Vec<Admission> = (0..200).map(admission).collect();
    // Slow enough that the first job still runs when the last one starts.
    let hasher = Cost { memory: 32 * 1024, iterations: 8, parallelism: 1 }.hasher().expect("a cost");
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
        let passwords = Passwords::new(hasher, 16).expect("a hash");
        let verify = |admission| Box::pin(passwords.verify(admission, Password::new(String::new()), None));
        let capacity = Passwords::cores() + 12;
        let mut jobs: Vec<_> = admissions.iter().map(verify).collect();
        assert_eq!(count_rejected(&mut jobs), 200 - capacity);
        jobs.truncate(capacity);
        assert_eq!(count_rejected(&mut [verify(admissions.last().expect("one"))]), 1);
        // A client that disconnects leaves the queue, but a hash that has begun runs to its end.
        jobs.clear();
        let mut jobs: Vec<_> = admissions.iter().map(verify).collect();
        assert_eq!(count_rejected(&mut jobs), 200 - 12);
    });
}

/// One login must not be able to stop the machine, with a hash from the data file or a configured cost.
#[test]
fn rejects_costs_above_the_maximum() {
    let from_file = |memory: u32, passes: u32| {
        let salt_and_hash = "c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        Hash::parse(&format!("$argon2id$v=19$m={memory},t={passes},p=1${salt_and_hash}")).is_ok()
    };
    let configured = |memory, iterations| Cost { memory, iterations, parallelism: 1 }.hasher().is_ok();
    let lanes = |lanes: u32| {
        let configured = Cost { memory: 4096, iterations: 1, parallelism: lanes }.hasher().is_ok();
        let text = format!("$argon2id$v=19$m=4096,t=1,p={lanes}$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        (configured, Hash::parse(&text).is_ok())
    };
    assert_eq!((lanes(256), lanes(257)), ((true, true), (false, false)));
    for accepts in [from_file as fn(u32, u32) -> bool, configured] {
        assert!(accepts(1_048_576, 4) && accepts(65_536, 64));
        assert!(!accepts(1_048_577, 1) && !accepts(8, 65));
        // Memory and iterations are in range, but their product is too large.
        assert!(!accepts(1_048_576, 5) && !accepts(65_537, 64) && !accepts(1_048_576, 64));
    }
}
