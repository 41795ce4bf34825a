//! A job as JSON on standard input, its report as JSON on standard output.
//!
//! Exit code: 0 there is a report (if the server erred, it says so), 2 the job is not in order.

use std::error::Error;
use std::process::ExitCode;

use load::job::Job;

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
    let job = Job::read(std::io::stdin().lock())?;
    println!("{}", serde_json::to_string(&load::run(&job))?);
    Ok(())
}
