//! Settings of responses.

use super::error::{invalid, ConfigError, Reason};
use super::setting::{Kind, Preset, Setting};
use super::values::Values;
use crate::api::base_url::{BaseUrl, InvalidBaseUrl};
use crate::api::cors::Cors;
use crate::api::routes::static_files::StaticDir;
use crate::http::listen::Address;
use crate::json::Style;

const STATIC_DIR: Setting = Setting::new(
    "static_dir",
    Preset::Text("static"),
    Kind::Path,
    "Folder that `/static/` serves; without the default folder, the built-in example",
)
.flag("static-dir", None, "FOLDER");

const JSON: Setting = Setting::new(
    "json",
    Preset::Text("pretty"),
    Kind::Choice(&["pretty", "compact"]),
    "Layout of JSON responses",
)
.details("`compact` has no white space; the example's list of ships is then 29 % smaller")
.flag("json", None, "LAYOUT");

const PUBLIC_URL: Setting = Setting::new(
    "public_url",
    Preset::Unset { instead: "`http://` and the request's Host", example: "https://ships.example" },
    Kind::Text(|text| text.parse::<BaseUrl>().map(drop).map_err(Reason::from)),
    "Start of `Location`: `http[s]://host[:port][/path]`",
)
.flag("public-url", None, "URL");

const CORS_ORIGINS: Setting = Setting::new(
    "cors_origins",
    Preset::Unset {
        instead: "`http://localhost`, `http://127.0.0.1` and `http://[::1]` with any port while `address` is loopback, else none",
        example: "https://app.example",
    },
    Kind::List,
    "Origins whose pages may read responses in a browser: one, a list of them, or `*` for any",
)
.details("`[]` refuses all. A refused origin is logged once");

const STRICT_QUERY: Setting = Setting::new(
    "strict_query",
    Preset::Bool(false),
    Kind::Bool,
    "Whether lists refuse unknown parameters with a 400; otherwise they ignore them",
);

const REQUIRE_IF_MATCH: Setting = Setting::new(
    "require_if_match",
    Preset::Bool(false),
    Kind::Bool,
    "Whether PUT, PATCH and DELETE need `If-Match`; without it they get 428",
);

// No version: it would tell an attacker which holes to try.
const IDENT: Setting =
    Setting::new("ident", Preset::Text("Shipyard"), Kind::Rocket, "The header `Server`; `false` for none");

pub(super) const SETTINGS: &[Setting] =
    &[STATIC_DIR, JSON, PUBLIC_URL, CORS_ORIGINS, STRICT_QUERY, REQUIRE_IF_MATCH, IDENT];

/// The folder of static files. Only one that is set must exist.
pub(super) fn static_dir(values: &Values) -> Result<StaticDir, ConfigError> {
    let path = values.path(&STATIC_DIR)?.unwrap_or_default();
    if values.is_default(&STATIC_DIR) {
        return Ok(StaticDir { path, or_built_in: true });
    }
    if !path.is_dir() {
        return Err(invalid(STATIC_DIR.name, format!("{}: no such folder", path.display())));
    }
    Ok(path.into())
}

pub(super) fn json(values: &Values) -> Result<Style, ConfigError> {
    values.get(&JSON)
}

pub(super) fn strict_query(values: &Values) -> Result<bool, ConfigError> {
    values.get(&STRICT_QUERY)
}

pub(super) fn require_if_match(values: &Values) -> Result<bool, ConfigError> {
    values.get(&REQUIRE_IF_MATCH)
}

pub(super) fn public_url(values: &Values) -> Result<Option<BaseUrl>, ConfigError> {
    let url = values.optional::<String>(&PUBLIC_URL)?;
    url.map(|url| url.parse().map_err(|reason: InvalidBaseUrl| invalid(PUBLIC_URL.name, reason))).transpose()
}

pub(super) fn cors(values: &Values, address: Address) -> Result<Cors, ConfigError> {
    match values.list(&CORS_ORIGINS)? {
        Some(origins) => Cors::parse(origins).map_err(|reason| invalid(CORS_ORIGINS.name, reason)),
        // Other machines reach neither the server nor the pages.
        None if address.first().is_loopback() => Ok(Cors::loopback()),
        None => Ok(Cors::default()),
    }
}
