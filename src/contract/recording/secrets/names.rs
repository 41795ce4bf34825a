//! Names of fields that hold secrets.

/// Endings of names of fields that hold secrets, without case, `-` and `_`.
const SECRET_NAMES: [&str; 21] = [
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "authkey",
    "subscriptionkey",
    "functionskey",
    "token",
    "secret",
    "signature",
    "session",
    "sessionid",
    "sid",
    "jwt",
    "cookie",
    "authorization",
    "credential",
    "bearer",
    "auth",
    "otp",
];

/// Further names, as a whole, of URL parameters that hold secrets.
const SECRET_PARAMETERS: [&str; 4] = ["key", "sig", "code", "ticket"];

const PASSWORDS: [&str; 6] = ["password", "passwd", "pwd", "passphrase", "passcode", "pass"];

/// A name without case, separators and plural.
pub(super) fn plain(name: &str) -> String {
    // In forms, `user[password]` is a member of `user`.
    let name = name.to_ascii_lowercase().replace(['-', '_', '.', '[', ']'], "");
    name.trim_end_matches('s').to_owned()
}

pub(super) fn is_password(name: &str) -> bool {
    PASSWORDS.iter().any(|known| plain(name).ends_with(known))
}

pub(super) fn is_secret_name(name: &str) -> bool {
    SECRET_NAMES.iter().any(|known| plain(name).ends_with(known))
}

pub(super) fn is_secret_parameter(name: &str) -> bool {
    is_secret_name(name) || is_password(name) || SECRET_PARAMETERS.contains(&plain(name).as_str())
}
