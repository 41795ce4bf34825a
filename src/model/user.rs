//! Users.

use super::id::Id;
use super::password::Password;
use super::resource::resource;
use super::rule::Rule;

/// The maximum length of a name, in characters.
pub const MAX_NAME: u32 = 64;

const NAME: Rule = Rule::Name { min_length: 2, max_length: MAX_NAME };
const PASSWORD: Rule = Rule::Password { min_length: 4, max_bytes: Password::MAX_BYTES };

resource! {
    User, "A stored user, without the password." {
        id: Id, Rule::ID, "The id of the user.", 3;
        name: String, NAME, "The unique name to log in with, compared in Unicode's normal form C. It has neither \
            control nor invisible characters, and no space at either end.", "new user";
    }
    UserInput, UserPatch, "A user in a request body." {
        password: Password, PASSWORD, "The password, of at most 128 bytes in UTF-8. It is never answered.", "secret";
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, Value};

    use super::*;
    use crate::model::{read, Input};

    #[test]
    fn a_stored_user_has_no_password() {
        let user: UserInput = read(UserInput::example()).expect("the example fits");
        assert_eq!(json!(user.with_id(Id::new(3))), json!({"id": 3, "name": "new user"}));
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let errors = |name: &str, password: &str| {
            let read = read::<UserInput>(json!({"name": name, "password": password}));
            json!(read.err())
        };
        assert_eq!(errors("éé", "éééé"), Value::Null);
        let short = json!({
            "name": ["Shorter than minimum length 2."],
            "password": ["Shorter than minimum length 4."],
        });
        assert_eq!(errors("é", "ééé"), short);
        assert_eq!(errors("🚀", "🚀🚀🚀"), short);
        assert_eq!(errors(&"🚀".repeat(64), "éééé"), Value::Null);
        assert_eq!(errors(&"🚀".repeat(65), "éééé"), json!({"name": ["Longer than maximum length 64."]}));
    }

    #[test]
    fn a_name_is_read_in_normal_form_and_measured_then() {
        let name =
            |name: &str| read::<UserInput>(json!({"name": name, "password": "secret"})).map(|user| user.name);
        assert_eq!(name("Andre\u{301}").as_deref(), Ok("Andr\u{e9}"));
        // Two characters become one, and 65 become 64; one becomes two, and 64 become 65.
        let wrong = |text: &str| json!(name(text).err());
        assert_eq!(wrong("e\u{301}"), json!({"name": ["Shorter than minimum length 2."]}));
        assert_eq!(name(&format!("{}e\u{301}", "n".repeat(63))), Ok(format!("{}\u{e9}", "n".repeat(63))));
        let long = json!({"name": ["Longer than maximum length 64."]});
        assert_eq!(wrong(&format!("{}\u{958}", "n".repeat(63))), long);
        assert_eq!(wrong("user\u{200b}"), json!({"name": ["May not contain U+200B."]}));
    }

    /// What is hashed is bytes.
    #[test]
    fn the_greatest_length_of_a_password_is_counted_in_bytes() {
        let errors =
            |password: String| json!(read::<UserInput>(json!({"name": "ann", "password": password})).err());
        let long = json!({"password": ["Longer than maximum length 128 bytes."]});
        for (character, most) in [("a", 128), ("é", 64), ("🚀", 32)] {
            assert_eq!(errors(character.repeat(most)), Value::Null, "{character}");
            assert_eq!(errors(character.repeat(most + 1)), long, "{character}");
        }
    }
}
