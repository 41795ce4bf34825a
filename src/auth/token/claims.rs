//! Claims of a token (RFC 7519, section 4), and its compact form (RFC 7515, section 3.1).

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use serde::Serialize;
use uuid::Uuid;

use super::TokenError;
use crate::json::{Member, Members};
use crate::model::id::Id;

/// The kind of a token: what it is accepted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Accepted for changing ships and the user's own data.
    Access,
    /// Accepted for getting new access tokens.
    Refresh,
}

impl Kind {
    /// The value of the `type` claim.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    /// Reads the `type` claim.
    pub(super) fn from_claims(claims: &Members) -> Result<Self, TokenError> {
        match claims.get("type").ok_or(TokenError::MissingClaim("type"))? {
            Member::Text(name) if name == Self::Access.name() => Ok(Self::Access),
            Member::Text(name) if name == Self::Refresh.name() => Ok(Self::Refresh),
            _ => Err(TokenError::UnknownKind),
        }
    }
}

/// The lifetimes of tokens, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// The lifetime of an access token.
    pub access: u64,
    /// The lifetime of a refresh token.
    pub refresh: u64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Lifetimes {
    /// 15 minutes and 30 days.
    pub const DEFAULT: Self = Self { access: 15 * 60, refresh: 30 * 24 * 60 * 60 };

    /// The longest lifetime: ten years.
    pub const MAX: u64 = 10 * 365 * 24 * 60 * 60;

    pub(super) fn get(self, kind: Kind) -> u64 {
        match kind {
            Kind::Access => self.access,
            Kind::Refresh => self.refresh,
        }
    }
}

/// The claims of a verified token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user that the token was issued to.
    pub identity: Id,
    /// The token's id.
    pub jti: Uuid,
    /// The time at which the token was issued, in seconds since 1970.
    pub iat: u64,
    /// The first second in which the token is no longer valid.
    pub exp: u64,
    /// The place of a refresh token among those of its login, with refresh rotation.
    pub family: Option<Family>,
}

/// The place of a refresh token in its family: the refresh tokens of one login, each but the first issued for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The id of the first token of the family, which the login returned.
    pub id: Uuid,
    /// How many tokens came before it, one issued for the other.
    pub generation: u32,
}

impl Family {
    /// Reads the claims `family` and `generation`. Neither occurs without the other.
    pub(super) fn from_claims(claims: &Members) -> Result<Option<Self>, TokenError> {
        if claims.get("family").is_none() && claims.get("generation").is_none() {
            return Ok(None);
        }
        let id = uuid_claim(claims, "family")?;
        let generation = u32::try_from(u64_claim(claims, "generation")?);
        Ok(Some(Self { id, generation: generation.map_err(|_| TokenError::InvalidClaim("generation"))? }))
    }

    /// The place of a token that is issued for this one.
    pub(super) fn next(self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }
    }
}

/// The payload of a token, in the order of the recorded tokens.
#[derive(Serialize)]
pub(super) struct WireClaims {
    pub(super) iat: u64,
    pub(super) nbf: u64,
    pub(super) jti: String,
    pub(super) exp: u64,
    pub(super) identity: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fresh: Option<bool>,
    pub(super) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<u32>,
}

/// A claim by name. A claim that is null counts as missing.
fn claim<'a>(claims: &'a Members, name: &'static str) -> Result<&'a Member, TokenError> {
    claims.get(name).filter(|value| **value != Member::Null).ok_or(TokenError::MissingClaim(name))
}

pub(super) fn u64_claim(claims: &Members, name: &'static str) -> Result<u64, TokenError> {
    match claim(claims, name)? {
        Member::Whole(number) => Ok(*number),
        _ => Err(TokenError::InvalidClaim(name)),
    }
}

fn str_claim<'a>(claims: &'a Members, name: &'static str) -> Result<&'a str, TokenError> {
    match claim(claims, name)? {
        Member::Text(text) => Ok(text),
        _ => Err(TokenError::InvalidClaim(name)),
    }
}

pub(super) fn uuid_claim(claims: &Members, name: &'static str) -> Result<Uuid, TokenError> {
    Uuid::try_parse(str_claim(claims, name)?).map_err(|_| TokenError::InvalidClaim(name))
}

/// The segments of a token: header, payload and signature.
pub(super) struct Segments<'a> {
    pub(super) token: &'a str,
    pub(super) header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Segments<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::NotEnoughSegments)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::NotEnoughSegments)?;
        Ok(Self { token, header, payload, signature })
    }

    /// The error of a token that jsonwebtoken cannot decode; `None` if only the payload is malformed, which it decodes
    /// last.
    pub(super) fn decode_error(&self) -> Option<TokenError> {
        // A dot in the payload means a fourth segment: this server never signed such a token.
        if self.payload.contains('.') {
            return Some(TokenError::BadSignature);
        }
        if jsonwebtoken::decode_header(self.token).is_err() {
            return Some(TokenError::MalformedHeader);
        }
        base64url(self.signature).is_none().then_some(TokenError::BadSignature)
    }

    /// The header.
    pub(super) fn header(&self) -> Result<Members, TokenError> {
        let header = base64url(self.header).ok_or(TokenError::MalformedHeader)?;
        Members::read(&header).ok_or(TokenError::MalformedHeader)
    }

    /// The payload. Its signature is not checked.
    pub(super) fn claims(&self) -> Result<Members, TokenError> {
        let payload = base64url(self.payload).ok_or(TokenError::MalformedPayload)?;
        Members::read(&payload).ok_or(TokenError::MalformedPayload)
    }
}

/// The key id (`kid`) in a header, if there is one.
///
/// # Errors
/// [`TokenError`] if `kid` is not a string, the algorithm is not HS256, or there are critical parameters.
pub(super) fn key_id(header: &Members) -> Result<Option<&str>, TokenError> {
    // RFC 7515, section 4.1.4: an optional string. null is not a string.
    let id = match header.get("kid") {
        None => None,
        Some(Member::Text(id)) => Some(id.as_str()),
        Some(_) => return Err(TokenError::MalformedHeader),
    };
    if !matches!(header.get("alg"), Some(Member::Text(alg)) if alg == "HS256") {
        return Err(TokenError::AlgorithmNotAllowed);
    }
    // RFC 7515, section 4.1.11: a server that does not understand a listed parameter must reject the token. This
    // server understands none.
    if header.get("crit").is_some() {
        return Err(TokenError::CriticalHeader);
    }
    Ok(id)
}

fn base64url(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok()
}
