//! Live tokens for recorded ones: the same token with live times and a live identity.

use crate::auth::secret::Secret;
use crate::contract::recording::history::USERS;
use crate::contract::recording::transcript::Exchange;
use crate::contract::session::jwt::{Jwt, Members};
use crate::contract::session::live::{MissingInput, NoRequest, NotSent, Session};
use crate::contract::session::plan::{flaw_in_time, TokenSource};

/// The minimum time, in seconds, for which a valid token stays valid, and by which an expired one has expired if only a
/// Date header tells the time. No machine is so slow, and no two clocks differ so much.
const MARGIN: u64 = 300;

impl Session<'_> {
    pub(super) fn live_token(
        &self,
        token: &str,
        origin: &TokenSource,
        exchange: &Exchange,
    ) -> Result<String, NotSent> {
        let known = || self.live_tokens.get(token).cloned();
        Ok(match origin {
            TokenSource::AsRecorded => token.to_owned(),
            TokenSource::Damaged => self.with_live_times(token, exchange)?,
            TokenSource::Response => known().ok_or(NoRequest::NoTokenInResponse)?,
            TokenSource::Login(slot) => known().ok_or_else(|| {
                let reason = self.failed_logins.get(slot).map_or("no login gave its token", String::as_str);
                NoRequest::NoTokenFromLogin(reason.to_owned())
            })?,
            TokenSource::Key(reason) => {
                let key = self.key.ok_or_else(|| MissingInput::Key(reason.clone()))?;
                self.signed(token, exchange, key)?
            }
        })
    }

    /// The claims of a recorded token with live times and identity.
    fn live_claims(&self, jwt: &Jwt, exchange: &Exchange, damaged: bool) -> Members {
        let mut claims = self.in_time(jwt, exchange.date, damaged);
        if let Some(user) = jwt.number("identity") {
            claims.set("identity", self.ids.live(USERS, user));
        }
        claims
    }

    /// A damaged token with live times: its damage must be its only flaw. It keeps its signature, which no key makes.
    fn with_live_times(&self, token: &str, exchange: &Exchange) -> Result<String, NoRequest> {
        let Some(jwt) = Jwt::parse(token) else { return Ok(token.to_owned()) };
        let claims = self.live_claims(&jwt, exchange, true);
        Ok(jwt.around(&claims)?)
    }

    /// A token with the age and lifetime of the recorded one, signed with the live key.
    fn signed(&self, token: &str, exchange: &Exchange, key: &Secret) -> Result<String, NoRequest> {
        let jwt = Jwt::parse(token).ok_or(NoRequest::UnreadableToken)?;
        let claims = self.live_claims(&jwt, exchange, false);
        Ok(jwt.signed_again(&claims, key)?)
    }

    /// The claims of a recorded token with live times. A damaged token does not become one from before the start: that
    /// would be a second flaw.
    fn in_time(&self, jwt: &Jwt, date: u64, damaged: bool) -> Members {
        let mut claims = jwt.claims.clone();
        let number = |claim: &str| jwt.number(claim);
        let expired = number("exp").is_some_and(|exp| exp <= date);
        let early = number("nbf").is_some_and(|nbf| nbf > date);
        // Issued before the start of the recorded server, and otherwise without a flaw in its times.
        let old = !damaged
            && number("iat").is_some_and(|iat| iat < self.scenario.start())
            && flaw_in_time(jwt, date).is_none()
            && jwt.claims.names().starts_with("iat nbf jti exp identity");
        let shifted = |value: u64, now: u64| value.saturating_add(now).saturating_sub(date);
        if expired {
            let since = number("exp").map_or(0, |exp| date.saturating_sub(exp));
            // The clock that issues tokens is never behind this estimate of it: a token that expired two seconds ago
            // has expired there as well. A Date header may come from another clock.
            let is_sure = since > 0 && self.clock.issues();
            let more = if is_sure { 0 } else { MARGIN.saturating_sub(since) };
            for claim in ["iat", "nbf", "exp"] {
                if let Some(value) = number(claim) {
                    claims.set(claim, shifted(value, self.clock.now()).saturating_sub(more));
                }
            }
            return claims;
        }
        if old {
            let now = self.clock.now().min(self.clock.first().saturating_sub(MARGIN));
            for claim in ["iat", "nbf"] {
                if let Some(value) = number(claim) {
                    claims.set(claim, shifted(value, now).min(now));
                }
            }
        } else if let Some(iat) = number("iat") {
            // A server may refuse tokens from before its start, and `iat` has whole seconds.
            let first_good = self.clock.first().saturating_add(1);
            let now = self.clock.wait_for(first_good);
            claims.set("iat", shifted(iat, now).clamp(first_good, now));
        }
        let now = self.clock.now();
        if let (Some(nbf), false) = (number("nbf"), old) {
            let live = shifted(nbf, now);
            claims.set("nbf", if early { live.max(now.saturating_add(MARGIN)) } else { live });
        }
        if let Some(exp) = number("exp") {
            claims.set("exp", shifted(exp, now).max(now.saturating_add(MARGIN)));
        }
        claims
    }
}
