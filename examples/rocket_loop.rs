//! This server behind Rocket's own loop, without the limits of the HTTP server in `src/http`: the baseline of its
//! measurement (docs/reliability.md). Takes no settings but `ROCKET_PORT` and, since Rocket starts the threads, `ROCKET_WORKERS`.

use std::error::Error;

use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::secret::Secret;
use shipyard::config::Settings;
use shipyard::json::Style;
use shipyard::store::seed::Data;
use shipyard::AppConfig;

fn main() -> Result<(), Box<dyn Error>> {
    let mut settings = Settings::defaults().map_err(|error| error.to_string())?;
    settings.rocket.port = std::env::var("ROCKET_PORT")?.parse()?;
    settings.json = Style::Compact;
    let parts = AppConfig {
        settings,
        data: Data::find(None).map_err(|error| error.to_string())?.0,
        keys: Secret::random().map_err(|error| error.to_string())?.into(),
        clock: Clock::System,
        token_ids: TokenIds::Random,
    };
    let rocket = shipyard::build(parts).map_err(|error| error.to_string())?;
    rocket::execute(rocket.launch())?;
    Ok(())
}
