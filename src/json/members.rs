//! Members of a JSON object, read without building a tree.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::strict::UniqueKeys;

/// The members of a JSON object by name, with the values of strings, whole numbers and nulls. Names are unique, also within
/// other values: if one occurred twice, another program with the key might read another token than this one does (RFC
/// 7515, section 4; RFC 7519, section 4).
pub(crate) struct Members(Vec<(String, Member)>);

/// The value of a member.
#[derive(Debug, PartialEq)]
pub(crate) enum Member {
    Text(String),
    Whole(u64),
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

impl Members {
    /// Reads the object as strictly as [`super::parse`] does. `None` if it is not JSON or not an object.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The member with that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Member> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, member)| member)
    }

    fn are_unique(&self) -> bool {
        /// Up to so many names are compared with each other, which is quicker than hashing them.
        const FEW: usize = 16;
        if self.0.len() > FEW {
            return self.0.iter().map(|(name, _)| name).collect::<HashSet<_>>().len() == self.0.len();
        }
        let differs =
            |(at, (name, _)): (usize, &(String, _))| self.0.iter().take(at).all(|(before, _)| before != name);
        self.0.iter().enumerate().all(differs)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Members, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some(name) = entries.next_key()? {
            members.push((name, entries.next_value_seed(MemberVisitor)?));
        }
        let members = Members(members);
        members.are_unique().then_some(members).ok_or_else(|| A::Error::custom("duplicate name"))
    }
}

/// Reads one value; of a value that is kept as [`Member::Other`], it only checks that it is valid.
#[derive(Clone, Copy)]
struct MemberVisitor;

impl<'de> DeserializeSeed<'de> for MemberVisitor {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Member, E> {
        Ok(u64::try_from(value).map_or(Member::Other, Member::Whole))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Member, E> {
        Ok(Member::Whole(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Member, E> {
        UniqueKeys.visit_f64(value).map(|_| Member::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Member, E> {
        Ok(Member::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Member, A::Error> {
        UniqueKeys.visit_seq(items).map(|_| Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Member, A::Error> {
        UniqueKeys.visit_map(entries).map(|_| Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_strictly_as_everything_else() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let many = |last: usize| {
            let names: Vec<String> = (0..20).chain([last]).map(|name| format!("\"{name}\":1")).collect();
            format!("{{{}}}", names.join(","))
        };
        let (many_names, name_twice) = (many(20), many(7));
        let texts = [
            &many_names,
            &name_twice,
            "",
            " ",
            "[]",
            "1",
            "\"a\"",
            "{",
            "{}x",
            "{}{}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"b\":2,\"\\u0061\":3}",
            "{\"a\":{\"b\":1,\"b\":2}}",
            "{\"a\":[{\"b\":1,\"b\":2}]}",
            "{\"a\":1e999}",
            "{1:2}",
            "\u{feff}{}",
            "{\"a\":01}",
            &deep,
            " {} ",
            "{\"a\":1}",
            "{\"a\":{\"a\":{}}}",
            "{\"b\":1,\"a\":-1,\"c\":1.0,\"d\":null,\"\\u0065\":\"\\n\"}",
        ];
        for text in texts {
            let strict = super::super::parse(text.as_bytes()).ok().filter(serde_json::Value::is_object);
            let members = Members::read(text.as_bytes());
            assert_eq!(members.is_some(), strict.is_some(), "{text}");
            for (name, value) in strict.iter().filter_map(serde_json::Value::as_object).flatten() {
                let member = match (value.as_str(), value.as_u64()) {
                    (Some(text), _) => Member::Text(text.into()),
                    (_, Some(number)) => Member::Whole(number),
                    _ if value.is_null() => Member::Null,
                    _ => Member::Other,
                };
                assert_eq!(members.as_ref().and_then(|members| members.get(name)), Some(&member), "{text}");
            }
            assert_eq!(members.and_then(|members| members.get("f").map(drop)), None);
        }
    }
}
