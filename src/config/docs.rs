//! Documentation of the settings, made from their table.

use std::fmt::Write;

use rocket::figment::value::{Dict, Value};

use super::setting::{Kind, Preset, Setting};
use super::table;

/// The width of a line in Rocket.toml.
const WIDTH: usize = 100;

const TOML_HEAD: &str = "\
# Every setting with its default. docs/settings.md says more. `shipyard config` prints the values in effect.
# The environment (ROCKET_<SETTING>) wins over this file, and the command line over both.
[default]
";

/// The table of docs/settings.md.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = "| Setting | Flag | Default | Meaning |\n|---|---|---|---|\n".to_owned();
    for setting in table::settings() {
        let flag = setting.flag.map(|flag| format!("`--{}` ", flag.long)).unwrap_or_default();
        let mut default = in_markdown(&setting.default);
        if !default.is_empty() {
            default.push(' ');
        }
        let mut meaning = text(setting);
        for further in [setting.details, of_a_path(setting)] {
            if !further.is_empty() {
                meaning += ". ";
                meaning += further;
            }
        }
        let _ = writeln!(table, "| `{}` | {flag}| {default}| {meaning} |", setting.name);
    }
    table
}

/// The file Rocket.toml of the repository.
#[must_use]
pub fn rocket_toml() -> String {
    let mut file = TOML_HEAD.to_owned();
    for setting in table::settings() {
        file.push('\n');
        let mut line = "#".to_owned();
        for word in plain(&text(setting)).split_whitespace() {
            if line.len() + 1 + word.chars().count() > WIDTH {
                file += &line;
                file += "\n#";
                line.clear();
            }
            line.push(' ');
            line += word;
        }
        let (value, remark) = in_toml(&setting.default);
        let _ = writeln!(file, "{line}.\n# {} = {value}{remark}", setting.name);
    }
    file
}

/// The text of a flag in `--help`.
#[must_use]
pub fn help(setting: &Setting) -> String {
    let default = in_markdown(&setting.default);
    let mut help = plain(&text(setting));
    if !default.is_empty() {
        let _ = write!(help, " [default: {}]", plain(&default));
    }
    help
}

/// A value as TOML.
#[must_use]
pub fn toml(value: &Value) -> String {
    let all = |list: &[Value]| list.iter().map(toml).collect::<Vec<_>>().join(", ");
    let members = |members: &Dict| {
        members.iter().map(|(name, value)| format!("{name} = {}", toml(value))).collect::<Vec<_>>().join(", ")
    };
    match value {
        // A JSON string is a TOML string too.
        Value::String(_, text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::Char(_, character) => serde_json::Value::from(character.to_string()).to_string(),
        Value::Bool(_, value) => value.to_string(),
        Value::Num(..) => match (value.to_u128(), value.to_i128(), value.to_f64()) {
            (Some(number), ..) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (_, _, Some(number)) => format!("{number:?}"),
            _ => String::new(),
        },
        Value::Empty(..) => "\"\"".to_owned(),
        Value::Dict(_, dict) => format!("{{ {} }}", members(dict)),
        Value::Array(_, list) => format!("[{}]", all(list)),
    }
}

/// The text of a setting with its range, in Markdown.
fn text(setting: &Setting) -> String {
    setting.text.replace("{range}", &setting.kind.range().unwrap_or_default())
}

fn of_a_path(setting: &Setting) -> &'static str {
    match setting.kind {
        Kind::Path => "Relative to Rocket.toml if set there",
        _ => "",
    }
}

fn plain(markdown: &str) -> String {
    markdown.replace('`', "")
}

fn in_markdown(default: &Preset) -> String {
    match default {
        Preset::Unset { instead, .. } => (*instead).to_owned(),
        Preset::OptionalFile(name) => format!("`{name}`"),
        Preset::Cores(_) => "one for each core".to_owned(),
        Preset::ByTerminal { terminal, other } => {
            format!("`{terminal}` if standard error is a terminal, else `{other}`")
        }
        value => match value.value() {
            Some(Value::String(_, text)) => format!("`{text}`"),
            Some(other) => format!("`{}`", toml(&other)),
            None => String::new(),
        },
    }
}

/// The value for Rocket.toml, and a remark that follows it.
fn in_toml(default: &Preset) -> (String, String) {
    match default {
        Preset::Unset { example, .. } | Preset::OptionalFile(example) => {
            (toml(&Value::from(*example)), String::new())
        }
        Preset::Cores(_) => ("4".to_owned(), "  # one for each core".to_owned()),
        Preset::ByTerminal { terminal, other } => {
            (toml(&Value::from(*terminal)), format!("  # {other:?} if standard error is not a terminal"))
        }
        value => (value.value().map(|value| toml(&value)).unwrap_or_default(), String::new()),
    }
}
