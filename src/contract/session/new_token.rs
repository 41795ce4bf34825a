//! Comparison of a new token with the recorded one.

use serde_json::Value;
use uuid::Uuid;

use crate::auth::secret::Secret;
use crate::contract::recording::history::USERS;
use crate::contract::session::ids::Ids;
use crate::contract::session::jwt::{Jwt, Members};

/// The differences between a new token and the recorded one that count.
pub(crate) fn faults(was: &Jwt, is: &Jwt, ids: &Ids, key: Option<&Secret>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |what: &str, was: &dyn std::fmt::Display, is: &dyn std::fmt::Display| {
        let (was, is) = (was.to_string(), is.to_string());
        if was != is {
            faults.push(format!("{what}: recorded {was}, here {is}"));
        }
    };
    let text = |members: &Members| serde_json::to_string(members).unwrap_or_default();
    expect("the header", &text(&was.header), &text(&is.header));
    expect("the claims and their order", &was.claims.names(), &is.claims.names());
    let seconds = |jwt: &Jwt, from: &str, to: &str| {
        let (from, to) = (jwt.number(from), jwt.number(to));
        from.zip(to).map_or_else(
            || "no number of seconds".to_owned(),
            |(from, to)| format!("{} s", i128::from(to) - i128::from(from)),
        )
    };
    expect("the lifetime (exp - iat)", &seconds(was, "iat", "exp"), &seconds(is, "iat", "exp"));
    expect("nbf - iat", &seconds(was, "iat", "nbf"), &seconds(is, "iat", "nbf"));
    let value = |jwt: &Jwt, claim: &str| jwt.claims.get(claim).map_or("nothing".to_owned(), Value::to_string);
    expect("type", &value(was, "type"), &value(is, "type"));
    expect("fresh", &value(was, "fresh"), &value(is, "fresh"));
    let identity = is.number("identity").and_then(|id| ids.recorded(USERS, id));
    let identity = identity.map_or_else(|| value(is, "identity"), |id| id.to_string());
    expect("identity", &value(was, "identity"), &identity);
    let version = |jwt: &Jwt| {
        let id = jwt.text("jti").and_then(|jti| Uuid::try_parse(jti).ok());
        id.map_or_else(|| "no UUID".to_owned(), |id| format!("UUID v{}", id.get_version_num()))
    };
    expect("jti", &version(was), &version(is));
    if key.is_some_and(|key| !is.is_signed_with(key)) {
        faults.push("the signature: not made with the --secret that was given".to_owned());
    }
    faults
}
