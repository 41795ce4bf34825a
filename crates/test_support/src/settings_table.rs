//! The table of settings in docs/settings.md.

use crate::program::here;

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    /// The default, without the backquotes that only mark it as code.
    pub default: String,
    pub meaning: String,
}

impl Row {
    /// The range that the meaning states, as it stands there.
    pub fn range(&self) -> Option<(String, String)> {
        let words: Vec<&str> = self.meaning.split_whitespace().collect();
        let is_number = |word: &str| word.starts_with(|character: char| character.is_ascii_digit());
        let stated = words.windows(4).find(|words| words[0] == "from" && is_number(words[1]))?;
        let [_, least, to, most] = stated else { return None };
        assert_eq!(*to, "to", "{self:?}");
        let most = most.trim_end_matches([',', ';', '.']);
        Some(((*least).to_owned(), most.to_owned()))
    }
}

/// Every row.
pub fn rows() -> Vec<Row> {
    let document = std::fs::read_to_string(here().join("docs/settings.md")).unwrap();
    let section = document.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').splitn(4, '|').map(str::trim).collect();
        let [name, _, default, meaning] = cells[..] else { panic!("{line}") };
        let name = name.trim_matches('`').to_owned();
        let is_one_code =
            default.matches('`').count() == 2 && default.starts_with('`') && default.ends_with('`');
        let default = if is_one_code { default.trim_matches('`') } else { default };
        Row { name, default: default.to_owned(), meaning: meaning.to_owned() }
    })
    .collect()
}
