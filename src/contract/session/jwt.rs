//! JSON Web Tokens in exchanges: their claims, the order of claims, and their signature. This is not authorization, for
//! which see [`crate::auth::token`].

use std::fmt;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use uuid::Builder;

use crate::auth::keys::install_provider;
use crate::auth::secret::Secret;
use crate::internal_error::InternalError;

/// The members of an object, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(pub Vec<(String, Value)>);

impl Members {
    /// The first member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Replaces the value of a member, if there is one.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(member) = self.0.iter_mut().find(|(known, _)| known == name) {
            member.1 = value.into();
        }
    }

    /// The names, separated by spaces.
    #[must_use]
    pub fn names(&self) -> String {
        self.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A parsed token in the compact serialization (RFC 7515, section 7.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Jwt {
    /// The JOSE header.
    pub header: Members,
    /// The claims.
    pub claims: Members,
    message: String,
    signature: String,
}

impl Jwt {
    /// Parses a token; `None` if the text is not one.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        Some(Self {
            header: decode(header)?,
            claims: decode(claims)?,
            message: message.to_owned(),
            signature: signature.to_owned(),
        })
    }

    /// Whether it is signed with a key, by HS256.
    #[must_use]
    pub fn is_signed_with(&self, key: &Secret) -> bool {
        install_provider();
        let key = DecodingKey::from_secret(key.bytes());
        self.header.get("alg").and_then(Value::as_str) == Some("HS256")
            && jsonwebtoken::crypto::verify(&self.signature, self.message.as_bytes(), &key, Algorithm::HS256)
                .unwrap_or(false)
    }

    /// A token as a server issues it to a user, with placeholders for its times and its id.
    #[must_use]
    pub fn issued(kind: &str, user: u64, lifetime: u64) -> Self {
        let id = Builder::from_random_bytes([0; 16]).into_uuid().to_string();
        let member = |name: &str, value: Value| (name.to_owned(), value);
        let mut claims = vec![
            member("iat", 0.into()),
            member("nbf", 0.into()),
            member("jti", id.into()),
            member("exp", lifetime.into()),
            member("identity", user.into()),
        ];
        if kind == "access" {
            claims.push(member("fresh", false.into()));
        }
        claims.push(member("type", kind.into()));
        let header = Members(vec![member("typ", "JWT".into()), member("alg", "HS256".into())]);
        Self { header, claims: Members(claims), message: String::new(), signature: String::new() }
    }

    /// The same header and signature around other claims.
    ///
    /// # Errors
    /// [`InternalError`] if the claims cannot be written as JSON.
    pub fn around(&self, claims: &Members) -> Result<String, InternalError> {
        let header = self.message.split('.').next().unwrap_or_default();
        Ok(format!("{header}.{}.{}", encode(claims)?, self.signature))
    }

    /// The same header and other claims, signed with a key.
    ///
    /// # Errors
    /// [`InternalError`] if signing fails.
    pub fn signed_again(&self, claims: &Members, key: &Secret) -> Result<String, InternalError> {
        install_provider();
        let message = format!("{}.{}", encode(&self.header)?, encode(claims)?);
        let key = EncodingKey::from_secret(key.bytes());
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256)
            .map_err(|error| InternalError::new("signing a token", error))?;
        Ok(format!("{message}.{signature}"))
    }

    /// A claim that is a string.
    #[must_use]
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a number of seconds or an id.
    #[must_use]
    pub fn number(&self, claim: &str) -> Option<u64> {
        self.claims.get(claim)?.as_u64()
    }
}

fn encode(members: &Members) -> Result<String, InternalError> {
    serde_json::to_string(members)
        .map(|text| URL_SAFE_NO_PAD.encode(text))
        .map_err(|error| InternalError::new("writing a token", error))
}

fn decode(segment: &str) -> Option<Members> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok()
}
