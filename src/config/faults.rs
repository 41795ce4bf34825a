//! Settings of fault injection, for tests of clients.

use super::error::{invalid, ConfigError, Reason};
use super::http::REQUEST_TIMEOUT;
use super::setting::{Kind, Preset, Setting};
use super::values::Values;
use crate::http::fault_injection::{Delay, FaultSettings, Percentage};

const DELAY: Setting = Setting::new(
    "delay",
    Preset::Text("0"),
    Kind::TextOrNumber(|text| text.parse::<Delay>().map(drop).map_err(Reason::from)),
    "For tests of clients, milliseconds by which each response of an operation is delayed, or a range such as `200..800`",
)
.details("Shorter than `request_timeout`. See [front-end-tests.md](front-end-tests.md)")
.flag("delay", None, "MILLISECONDS");

const FAIL: Setting = Setting::new(
    "fail",
    Preset::Text("0%"),
    Kind::Text(|text| text.parse::<Percentage>().map(drop).map_err(Reason::from)),
    "For tests of clients, percentage of requests for operations that get 503 and change nothing, such as `5%`",
)
.flag("fail", None, "PERCENTAGE");

const SEED: Setting = Setting::new(
    "seed",
    Preset::Integer(0),
    Kind::Integer(0, u32::MAX as u64),
    "Seed of `delay` and `fail`, {range}; the same seed and the same sequence of requests give the same faults",
)
.flag("seed", None, "NUMBER");

pub(super) const SETTINGS: &[Setting] = &[DELAY, FAIL, SEED];

pub(super) fn read(values: &Values) -> Result<FaultSettings, ConfigError> {
    let delay: Delay = values.parse(&DELAY)?;
    let limit: f64 = values.get(&REQUEST_TIMEOUT)?;
    if delay.longest().as_secs_f64() >= limit {
        return Err(invalid(
            DELAY.name,
            format!("{delay} is not shorter than request_timeout = {limit} seconds"),
        ));
    }
    Ok(FaultSettings { delay, fail: values.parse(&FAIL)?, seed: values.get(&SEED)? })
}
