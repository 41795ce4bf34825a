//! `shipyard health`: a probe for container runtimes and init systems. An image without a shell has no other client.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use rocket::http::Method;
use shipyard::contract::client::wire::Target;
use shipyard::contract::recording::message::Request;

use super::error::{failed, wrong_usage, CliError};
use super::setting_flags::SettingFlags;
use super::{print_lines, settings};

/// How long one attempt may take: less than the time after which container runtimes give up.
const LIMIT: Duration = Duration::from_secs(2);

/// Between two attempts of `--wait`.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Health {
    /// Ask whether the server runs, not whether it can serve: this does not ask the database
    #[arg(long)]
    live: bool,
    /// Ask again until the answer is yes, for up to that many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u16,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn run(flags: Health) -> Result<(), CliError> {
    let SettingFlags(values) = flags.settings;
    let Some(address) = settings(values)?.admin_address else {
        return Err(wrong_usage("no admin_address is set: the server answers /health/ready there"));
    };
    let target = Target::parse(&format!("http://{address}")).map_err(wrong_usage)?;
    let path = if flags.live { "/health/live" } else { "/health/ready" };
    let deadline = Instant::now() + Duration::from_secs(flags.wait.into());
    loop {
        match ask(&target, path) {
            Ok(body) => return print_lines(&body),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => sleep(PAUSE),
        }
    }
}

/// The body of the answer, if the answer is yes.
fn ask(target: &Target, path: &str) -> Result<String, CliError> {
    let response = target.send(&Request::new(Method::Get, path), LIMIT).map_err(failed)?;
    let body = String::from_utf8_lossy(&response.body).trim_end().to_owned();
    match response.status {
        200 => Ok(body),
        status => Err(failed(format!("{}{path} says {status}: {body}", target.base()))),
    }
}
