//! Table of all settings.

use rocket::Config;

use super::setting::{Flag, Setting};
use super::{api, auth, faults, http, log, store};

/// Old names of settings, accepted with a warning for one version, and the names that replace them.
pub(super) const RENAMED: [(&str, &str); 1] = [("kept_answers", "response_cache_size")];

/// Every setting, in the order of the documentation.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    [http::SETTINGS, api::SETTINGS, auth::SETTINGS, store::SETTINGS, log::SETTINGS, faults::SETTINGS]
        .into_iter()
        .flatten()
}

/// The flag of the setting of that name, if it has one.
pub(super) fn flag(name: &str) -> Option<Flag> {
    settings().find(|setting| setting.name == name)?.flag
}

/// Whether there is a setting of that name: in the table, an old name, or one of Rocket's.
pub(super) fn is_known(name: &str) -> bool {
    // Figment's own marker, which Rocket leaves out of its list.
    const FURTHER: &str = "profile";
    settings().any(|setting| setting.name == name)
        || RENAMED.iter().any(|(old, _)| *old == name)
        || Config::PARAMETERS.contains(&name)
        || name == FURTHER
}

/// What to do about an unknown name.
pub(super) fn hint(unknown: &str) -> String {
    /// Below this, two names have little in common.
    const SIMILAR: f64 = 0.85;
    let likeness = |setting: &'static Setting| (strsim::jaro_winkler(setting.name, unknown), setting.name);
    let nearest = settings().map(likeness).max_by(|(one, _), (other, _)| one.total_cmp(other));
    match nearest {
        Some((likeness, name)) if likeness >= SIMILAR => format!("did you mean `{name}`?"),
        _ => "docs/settings.md lists all settings".to_owned(),
    }
}
