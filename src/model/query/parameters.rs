//! Parameters of a list, as the specification describes them.

use super::{fields, is_sortable, Bound, BOUND, DEFAULT_LIMIT, LIMIT, SEARCH};
use crate::model::field::Field;
use crate::model::rule::Rule;
use crate::model::Input;

/// A parameter of a list, for the specification.
#[derive(Debug)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// The description.
    pub about: String,
    /// The rule of its values.
    pub rule: Rule,
    /// A regular expression that its values match, if there is one (ECMA-262).
    pub pattern: Option<String>,
    /// Whether it can be given more than once.
    pub repeats: bool,
}

impl Parameter {
    /// One that can be given once.
    fn single(name: &str, about: impl Into<String>, rule: Rule) -> Self {
        Self { name: name.to_owned(), about: about.into(), rule, pattern: None, repeats: false }
    }
}

/// Every parameter of a list of such resources.
#[must_use]
pub fn parameters<T: Input>() -> Vec<Parameter> {
    /// The length of a cursor or an order, which the limit of a request's head keeps far below.
    const TEXT: Rule = Rule::Text { min_length: 1, max_length: 8192 };
    let names: Vec<&str> =
        fields::<T>().filter(|(_, field)| is_sortable(field)).map(|(_, field)| field.name).collect();
    let sort = format!(
        "Fields to sort by, with commas between them; `-` before one sorts its greatest value first. Texts are compared by \
         code points; items that are equal are in the order of their ids. Fields: {}.",
        names.join(", ")
    );
    let name = format!("-?({})", names.join("|"));
    let mut all = vec![
        Parameter::single(
            "limit",
            format!(
                "The most items on a page. With any of these parameters it is {DEFAULT_LIMIT} by default."
            ),
            LIMIT,
        ),
        Parameter::single(
            "cursor",
            "Where the page before ended: from its header `Link`, whose other parameters must not change.",
            TEXT,
        ),
        Parameter { pattern: Some(format!("^{name}(,{name})*$")), ..Parameter::single("sort", sort, TEXT) },
        Parameter::single(
            "q",
            "A text that one of the item's texts contains. ASCII letters match in either case.",
            SEARCH,
        ),
    ];
    all.extend(fields::<T>().flat_map(|(_, field)| filters_by(field)));
    all
}

/// The parameters that select rows by a field.
fn filters_by(field: &Field) -> Vec<Parameter> {
    let name = field.name;
    let about = match field.rule {
        Rule::TextList { .. } => {
            format!("A text that the list `{name}` has. Given more than once: one of them.")
        }
        _ => format!("The value of `{name}`. Given more than once: one of them."),
    };
    let value = Parameter { repeats: true, ..Parameter::single(name, about, field.rule.item()) };
    let bounds = Bound::ALL.into_iter().filter(|_| matches!(field.rule, Rule::Integer { .. }));
    let bounds = bounds.map(|(_, end, beginning)| {
        Parameter::single(&format!("{name}.{end}"), format!("{beginning} this `{name}`."), BOUND)
    });
    std::iter::once(value).chain(bounds).collect()
}
