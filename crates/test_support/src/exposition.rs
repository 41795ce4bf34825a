//! Strict reader of the text format of Prometheus, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::{BTreeMap, BTreeSet};

/// A metric with its samples.
#[derive(Debug, Default)]
pub struct Family {
    pub help: String,
    pub kind: String,
    /// The values by name of the sample (that of the metric, or of a part of a histogram) and labels.
    pub samples: BTreeMap<(String, Labels), f64>,
}

/// The values of labels by name.
pub type Labels = BTreeMap<String, String>;

/// A text that was read.
#[derive(Debug)]
pub struct Exposition(pub BTreeMap<String, Family>);

impl Exposition {
    /// The value of the sample with exactly these labels, 0 if there is none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let family = self.0.iter().find(|(family, _)| is_part(family, name)).map(|(_, family)| family);
        family.and_then(|family| family.samples.get(&(name.to_owned(), labels))).copied().unwrap_or_default()
    }

    /// The labels and the value of every sample of that metric.
    pub fn samples(&self, name: &str) -> Vec<(&Labels, f64)> {
        let family = self.0.get(name).into_iter().flat_map(|family| &family.samples);
        family.map(|((_, labels), value)| (labels, *value)).collect()
    }

    /// The number of series.
    pub fn series(&self) -> usize {
        self.0.values().map(|family| family.samples.len()).sum()
    }
}

/// Whether `sample` is the metric, or a part of it if it is a histogram.
fn is_part(family: &str, sample: &str) -> bool {
    sample.strip_prefix(family).is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
}

/// Reads a text. Panics at anything that the format or the conventions for names do not allow.
pub fn parse(text: &str) -> Exposition {
    assert!(text.ends_with('\n') && !text.contains('\r'), "{text:?}");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(name) && !help.is_empty(), "{line}");
            let family = Family { help: help.to_owned(), ..Family::default() };
            assert!(families.insert(name.to_owned(), family).is_none(), "twice: {line}");
            current = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert_eq!(current.as_deref(), Some(name), "TYPE after HELP of the same metric: {line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let family = families.get_mut(name).unwrap();
            assert!(family.kind.is_empty() && family.samples.is_empty(), "{line}");
            kind.clone_into(&mut family.kind);
        } else {
            let (name, labels, value) = sample(line);
            let family_name = current.as_deref().unwrap_or_else(|| panic!("no metric begins: {line}"));
            let family = families.get_mut(family_name).unwrap();
            let suffix =
                name.strip_prefix(family_name).unwrap_or_else(|| panic!("within {family_name}: {line}"));
            match family.kind.as_str() {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
                "" => panic!("no TYPE: {line}"),
                _ => assert_eq!(suffix, "", "{line}"),
            }
            assert_eq!(suffix == "_bucket", labels.contains_key("le"), "{line}");
            assert!(value.is_finite() && (family.kind == "gauge" || value >= 0.0), "{line}");
            assert!(family.samples.insert((name, labels), value).is_none(), "twice: {line}");
        }
    }
    for (name, family) in &families {
        assert!(!family.samples.is_empty(), "{name} has no samples");
        let mut names = BTreeSet::new();
        for (_, labels) in family.samples.keys() {
            names.insert(labels.keys().filter(|label| *label != "le").collect::<Vec<_>>());
        }
        assert_eq!(names.len(), 1, "{name} has the same labels everywhere: {names:?}");
        if family.kind == "histogram" {
            check_histogram(name, family);
        }
    }
    Exposition(families)
}

/// Buckets are cumulative and sorted, and the last is `+Inf`, which is the count.
fn check_histogram(name: &str, family: &Family) {
    let mut by_labels: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for ((sample, labels), value) in &family.samples {
        let mut labels = labels.clone();
        let bound = labels.remove("le");
        let buckets = by_labels.entry(labels).or_default();
        if sample.ends_with("_bucket") {
            let bound = bound.unwrap();
            buckets.push((if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() }, *value));
        }
    }
    for (labels, mut buckets) in by_labels {
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.len() > 1, "{name} {labels:?}");
        assert!(
            buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1),
            "{buckets:?}"
        );
        let (last, all) = *buckets.last().unwrap();
        let part = |suffix: &str| family.samples.get(&(format!("{name}{suffix}"), labels.clone()));
        assert_eq!((last, Some(&all)), (f64::INFINITY, part("_count")), "{name} {labels:?}");
        assert!(part("_sum").is_some(), "{name} {labels:?}");
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

/// A line `name{label="value",...} value`. Timestamps are not used here.
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label), "{line}");
            let (text, after) = quoted(value, line);
            assert!(labels.insert(label.to_owned(), text).is_none(), "{line}");
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',').unwrap_or_else(|| panic!("{line}"));
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    (name.to_owned(), labels, value.parse().unwrap_or_else(|error| panic!("{error}: {line}")))
}

/// The text up to the closing quotation mark, and the rest.
fn quoted<'a>(value: &'a str, line: &str) -> (String, &'a str) {
    let mut text = String::new();
    let mut letters = value.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, &value[at + 1..]),
            '\\' => text.push(match letters.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('\\' | '"'))) => escaped,
                _ => panic!("{line}"),
            }),
            _ => text.push(letter),
        }
    }
    panic!("{line}")
}
