//! Resource descriptions: one line for each field. The types, the order of JSON members, the reading of bodies and the
//! JSON Schemas follow from these lines.

use super::id::Id;
use super::password::Password;
use super::rule::Accepted;

/// Defines a resource: the type that is stored and sent in responses, the type that a request body is read into, and the
/// type of a change.
///
/// A line has a field's name, type, rule, description and example. Lines are sorted by name, because the members of
/// responses are. An `Option` is an optional field; responses leave it out if it has no value. `id` is always optional
/// in a body. The fields in the second block are in bodies only, never in responses.
macro_rules! resource {
    (
        $stored:ident, $stored_about:literal {
            $( $name:ident: $type:ty, $rule:expr, $about:literal, $example:expr; )*
        }
        $input:ident, $patch:ident, $input_about:literal {
            $( $extra:ident: $extra_type:ty, $extra_rule:expr, $extra_about:literal, $extra_example:expr; )*
        }
    ) => {
        #[doc = $stored_about]
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
        pub struct $stored {
            $(
                #[doc = $about]
                #[serde(skip_serializing_if = "crate::model::resource::FieldType::is_absent")]
                pub $name: $type,
            )*
        }

        #[doc = $input_about]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $input {
            $( #[doc = $about] pub $name: $crate::model::resource::input_type!($name $type), )*
            $( #[doc = $extra_about] pub $extra: $extra_type, )*
        }

        /// The fields that a change has.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $patch {
            $( #[doc = $about] pub $name: Option<$crate::model::resource::input_type!($name $type)>, )*
            $( #[doc = $extra_about] pub $extra: Option<$extra_type>, )*
        }

        impl $input {
            /// The resource with that id.
            #[must_use]
            pub fn with_id(self, id: $crate::model::id::Id) -> $stored {
                $stored { $( $name: $crate::model::resource::stored_value!($name self id), )* }
            }

            /// Replaces the fields that the change has.
            pub fn apply(&mut self, patch: $patch) {
                $( if let Some(value) = patch.$name { self.$name = value; } )*
                $( if let Some(value) = patch.$extra { self.$extra = value; } )*
            }
        }

        /// The change that replaces every field.
        impl From<$input> for $patch {
            fn from(input: $input) -> Self {
                Self { $( $name: Some(input.$name), )* $( $extra: Some(input.$extra), )* }
            }
        }

        impl $crate::model::Input for $input {
            type Patch = $patch;

            const RESOURCE: &'static str = stringify!($stored);

            const FIELDS: &'static [$crate::model::field::Field] = &[
                $( $crate::model::field::Field {
                    name: stringify!($name),
                    about: $about,
                    required: <$crate::model::resource::input_type!($name $type)
                        as $crate::model::resource::FieldType>::IS_REQUIRED,
                    write_only: false,
                    rule: $rule,
                    example: || serde_json::json!($example),
                }, )*
                $( $crate::model::field::Field {
                    name: stringify!($extra),
                    about: $extra_about,
                    required: <$extra_type as $crate::model::resource::FieldType>::IS_REQUIRED,
                    write_only: true,
                    rule: $extra_rule,
                    example: || serde_json::json!($extra_example),
                }, )*
            ];

            fn from_values(mut values: $crate::model::Values) -> Option<Self> {
                Some(Self {
                    $( $name: values.next()?, )*
                    $( $extra: values.next()?, )*
                })
            }

            fn patch_from_values(mut values: $crate::model::Values) -> Option<$patch> {
                Some($patch {
                    $( $name: values.next_change()?, )*
                    $( $extra: values.next_change()?, )*
                })
            }
        }

        impl schemars::JsonSchema for $stored {
            fn schema_name() -> String {
                stringify!($stored).to_owned()
            }

            fn json_schema(_: &mut schemars::gen::SchemaGenerator) -> schemars::schema::Schema {
                $crate::model::stored_schema::<$input>($stored_about)
            }
        }
    };
}

/// The type of a field in a body.
macro_rules! input_type {
    (id $type:ty) => { Option<$type> };
    ($name:ident $type:ty) => { $type };
}

/// The value of a field of a resource that gets an id.
macro_rules! stored_value {
    (id $input:ident $id:ident) => {
        $id
    };
    ($name:ident $input:ident $id:ident) => {
        $input.$name
    };
}

pub(super) use {input_type, resource, stored_value};

/// A type that a field can have.
pub(super) trait FieldType: Sized {
    /// Whether a body without the field is refused.
    const IS_REQUIRED: bool = true;

    /// The value of the field; `None` stands for a field that the body does not have. The result is `None` if the
    /// field's rule does not fit its type.
    fn from_value(value: Option<Accepted>) -> Option<Self>;

    /// Whether the field has no value, and is left out of responses.
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T: FieldType> FieldType for Option<T> {
    const IS_REQUIRED: bool = false;

    fn from_value(value: Option<Accepted>) -> Option<Self> {
        match value {
            None | Some(Accepted::Null) => Some(None),
            value => T::from_value(value).map(Some),
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// Types whose values come from one kind of accepted value.
macro_rules! field_types {
    ($( $type:ty: $kind:ident($value:ident) => $made:expr; )*) => { $(
        impl FieldType for $type {
            fn from_value(value: Option<Accepted>) -> Option<Self> {
                match value? {
                    Accepted::$kind($value) => $made,
                    _ => None,
                }
            }
        }
    )* };
}

field_types! {
    Id: Integer(number) => number.try_into().ok().map(Id::new);
    Password: Text(text) => Some(Self::new(text));
    String: Text(text) => Some(text);
    Vec<String>: TextList(texts) => Some(texts);
    i32: Integer(number) => number.try_into().ok();
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "`resource!` makes public types")]
mod tests {
    use proptest::prelude::*;
    use serde_json::{json, Value};

    use crate::model::id::Id;
    use crate::model::rule::Rule;
    use crate::model::ship::ShipInput;
    use crate::model::user::UserInput;
    use crate::model::{
        create_schema, parse, parse_patch, patch_schema, read, stored_schema, update_schema, Input,
        InputError,
    };

    const CALLSIGN: Rule = Rule::Text { min_length: 1, max_length: 8 };
    const RANGE: Rule = Rule::Integer { min: 0, max: 9 };

    resource! {
        Probe, "A stored probe." {
            callsign: Option<String>, CALLSIGN, "An optional field.", "ann";
            id: Id, Rule::ID, "The id of the probe.", 3;
            range: i32, RANGE, "A required field.", 5;
        }
        ProbeInput, ProbePatch, "A probe in a request body." {}
    }

    #[test]
    fn an_optional_field_may_be_left_out() {
        let stored =
            |body: Value| read::<ProbeInput>(body).map(|probe| json!(probe.with_id(Id::new(7))).to_string());
        let with = json!({"callsign": "bob", "range": 1});
        assert_eq!(stored(with).as_deref(), Ok(r#"{"callsign":"bob","id":7,"range":1}"#));
        assert_eq!(stored(json!({"range": 1})).as_deref(), Ok(r#"{"id":7,"range":1}"#));
        let errors = |body: Value| json!(stored(body).err());
        assert_eq!(
            errors(json!({"range": 1, "callsign": null})),
            json!({"callsign": ["Field may not be null."]})
        );
        assert_eq!(
            errors(json!({"callsign": ""})),
            json!({
                "callsign": ["Shorter than minimum length 1."],
                "range": ["Missing data for required field."],
            })
        );
    }

    #[test]
    fn the_schemas_follow_from_the_lines() {
        let schema = |schema| {
            let schema = serde_json::to_value(schema).expect("a schema");
            let at = |pointer| schema.pointer(pointer).expect("a member").clone();
            let properties = at("/properties");
            let names: Vec<&str> =
                properties.as_object().expect("an object").keys().map(String::as_str).collect();
            (names.join(" "), at("/required"), at("/examples/0"))
        };
        let expected = |names: &str, required: Value, example: Value| (names.to_owned(), required, example);
        let body = json!({"callsign": "ann", "range": 5});
        let stored = json!({"callsign": "ann", "id": 3, "range": 5});
        assert_eq!(
            schema(create_schema::<ProbeInput>("")),
            expected("callsign range", json!(["range"]), body.clone())
        );
        assert_eq!(
            schema(update_schema::<ProbeInput>("")),
            expected("callsign id range", json!(["range"]), body)
        );
        assert_eq!(
            schema(stored_schema::<ProbeInput>("")),
            expected("callsign id range", json!(["id", "range"]), stored)
        );
        let patch = serde_json::to_value(patch_schema::<ProbeInput>("")).expect("a schema");
        assert_eq!(patch.pointer("/properties/callsign/nullable"), Some(&json!(true)));
        assert_eq!((patch.pointer("/properties/range/nullable"), patch.get("required")), (None, None));
    }

    #[test]
    fn a_change_keeps_the_fields_that_it_does_not_have() {
        let changed = |patch: &str| {
            let mut probe: ProbeInput = read(json!({"callsign": "ann", "range": 1})).expect("it fits");
            probe.apply(parse_patch::<ProbeInput>(patch.as_bytes()).expect("it fits"));
            json!(probe.with_id(Id::new(7)))
        };
        assert_eq!(changed("{}"), json!({"callsign": "ann", "id": 7, "range": 1}));
        assert_eq!(changed(r#"{"range":2}"#), json!({"callsign": "ann", "id": 7, "range": 2}));
        assert_eq!(changed(r#"{"callsign":"bob"}"#), json!({"callsign": "bob", "id": 7, "range": 1}));
        // Null removes a field that need not be there.
        assert_eq!(changed(r#"{"callsign":null}"#), json!({"id": 7, "range": 1}));
        for wrong in
            [r#"{"range":null}"#, r#"{"range":10}"#, r#"{"callsign":""}"#, r#"{"other":null}"#, "[]", "null"]
        {
            let refused = parse_patch::<ProbeInput>(wrong.as_bytes());
            assert!(matches!(refused, Err(InputError::Invalid(_))), "{wrong}: {refused:?}");
        }
    }

    proptest! {
        /// In any order, and with any of them absent.
        #[test]
        fn a_body_is_accepted_if_its_schema_accepts_it(
            members in prop::collection::vec(
                (prop::sample::select(vec!["callsign", "id", "range", "other"]), -1..11_i32, any::<bool>()),
                0..5,
            )
        ) {
            let value = |number: i32, text: bool| match text {
                true => json!("n".repeat(number.max(0) as usize)),
                false => json!(number),
            };
            let body: Value =
                members.iter().map(|&(name, number, text)| (name.to_owned(), value(number, text))).collect();
            let text: Vec<String> =
                members.iter().map(|&(name, number, text)| format!("\"{name}\":{}", value(number, text))).collect();
            let schema = serde_json::to_value(update_schema::<ProbeInput>("")).expect("a schema");
            let is_valid = jsonschema::is_valid(&schema, &body);
            prop_assert_eq!(read::<ProbeInput>(body.clone()).is_ok(), is_valid, "{}", body);
            let is_unique = body.as_object().is_some_and(|body| body.len() == members.len());
            let parsed = parse::<ProbeInput>(format!("{{{}}}", text.join(",")).as_bytes());
            prop_assert_eq!(parsed.is_ok(), is_valid && is_unique, "{:?}", text);
        }
    }

    #[test]
    fn a_name_that_occurs_twice_is_refused() {
        for members in [
            r#""range":1,"range":1"#,
            r#""range":1,"callsign":"ann","\u0072ange":2"#,
            r#""range":"x","range":1"#,
            r#""range":1,"other":1,"other":2"#,
        ] {
            let parsed = parse::<ProbeInput>(format!("{{{members}}}").as_bytes());
            assert!(matches!(parsed, Err(InputError::Malformed(_))), "{members}: {parsed:?}");
        }
    }

    fn is_sound<T: Input>() {
        assert!(read::<T>(T::example()).is_ok(), "the example of a {} fits its rules", T::RESOURCE);
        let stored = T::FIELDS.iter().filter(|field| !field.write_only);
        assert!(stored.is_sorted_by_key(|field| field.name), "the lines of a {} are sorted", T::RESOURCE);
    }

    #[test]
    fn every_description_is_sound() {
        is_sound::<ShipInput>();
        is_sound::<UserInput>();
        is_sound::<ProbeInput>();
    }
}
