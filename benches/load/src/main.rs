//! A job as JSON on standard input, its report as JSON on standard output. `load` measures, `load revoke` logs tokens
//! out.
//!
//! Exit code: 0 there is a report (if the server erred, it says so), 2 the job is not in order.

use std::error::Error;
use std::process::ExitCode;

use load::job::Job;
use load::revoke;

fn main() -> ExitCode {
    match answered() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::from(2)
        }
    }
}

fn answered() -> Result<(), Box<dyn Error>> {
    let stdin = std::io::stdin().lock();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let report = match words.as_slice() {
        [] => serde_json::to_string(&load::run(&Job::read(stdin)?))?,
        [word] if word == "revoke" => serde_json::to_string(&revoke::run(&revoke::Job::read(stdin)?))?,
        _ => return Err("usage: load [revoke] < JOB".into()),
    };
    println!("{report}");
    Ok(())
}
