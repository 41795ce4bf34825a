//! Live tokens in the place of recorded ones: the same token, with times and an identity that are right now.

use crate::auth::secret::Secret;
use crate::contract::recording::history::USERS;
use crate::contract::recording::transcript::Exchange;
use crate::contract::session::jwt::{Jwt, Members};
use crate::contract::session::live::{NotSent, Session};
use crate::contract::session::plan::{flaw_in_time, TokenSource};

/// By how many seconds at least a token that was good is good here, and one that was expired is expired while only a Date
/// tells the time: no machine is so slow, and no two clocks are so far apart.
const MARGIN: u64 = 300;

impl Session<'_> {
    pub(super) fn live_token(
        &self,
        token: &str,
        origin: &TokenSource,
        exchange: &Exchange,
    ) -> Result<String, NotSent> {
        let known = || self.live_tokens.get(token).cloned();
        let lost = |reason: &str| NotSent::Impossible(reason.to_owned());
        match origin {
            TokenSource::AsRecorded => Ok(token.to_owned()),
            TokenSource::Damaged => self.moved(token, exchange),
            TokenSource::Answer => known().ok_or_else(|| {
                lost("its token was to come from an earlier answer, which had none (see above)")
            }),
            TokenSource::Login(slot) => known().ok_or_else(|| {
                lost(self.failed_logins.get(slot).map_or("no login gave its token", String::as_str))
            }),
            TokenSource::Key(reason) => {
                let key = self.key.ok_or_else(|| {
                    NotSent::Skipped(format!("--secret is needed to sign its token: {reason}"))
                })?;
                self.signed(token, exchange, key)
            }
        }
    }

    /// The claims of a recorded token with the live times and identity.
    fn live_claims(&self, jwt: &Jwt, exchange: &Exchange, damaged: bool) -> Members {
        let mut claims = self.in_time(jwt, exchange.date, damaged);
        if let Some(user) = jwt.number("identity") {
            claims.set("identity", self.ids.live(USERS, user));
        }
        claims
    }

    /// A token that is broken as the recorded one is, and in nothing else: the times in it are good now, as they were
    /// then. Its signature was not that of the recorded server, and no key makes it now.
    fn moved(&self, token: &str, exchange: &Exchange) -> Result<String, NotSent> {
        let Some(jwt) = Jwt::parse(token) else { return Ok(token.to_owned()) };
        let claims = self.live_claims(&jwt, exchange, true);
        jwt.around(&claims).map_err(|error| NotSent::Impossible(error.to_string()))
    }

    /// A token like the recorded one, as old and as long valid as it was then, signed with the live key.
    fn signed(&self, token: &str, exchange: &Exchange, key: &Secret) -> Result<String, NotSent> {
        let impossible = |reason: String| NotSent::Impossible(reason);
        let jwt =
            Jwt::parse(token).ok_or_else(|| impossible("its token cannot be taken apart".to_owned()))?;
        let claims = self.live_claims(&jwt, exchange, false);
        jwt.signed_again(&claims, key).map_err(|error| impossible(error.to_string()))
    }

    /// The claims of a recorded token with live times. A damaged token is not made one of an earlier run: that would
    /// be a second reason to refuse it.
    fn in_time(&self, jwt: &Jwt, date: u64, damaged: bool) -> Members {
        let mut claims = jwt.claims.clone();
        let number = |claim: &str| jwt.number(claim);
        let expired = number("exp").is_some_and(|exp| exp <= date);
        let early = number("nbf").is_some_and(|nbf| nbf > date);
        // Before the start of the recorded server, and otherwise without a flaw in its times.
        let old = !damaged
            && number("iat").is_some_and(|iat| iat < self.scenario.start())
            && flaw_in_time(jwt, date).is_none()
            && jwt.claims.names().starts_with("iat nbf jti exp identity");
        let shifted = |value: u64, now: u64| value.saturating_add(now).saturating_sub(date);
        if expired {
            let since = number("exp").map_or(0, |exp| date.saturating_sub(exp));
            // The clock that verifies tokens shows at least what it is thought to: one that had expired two seconds
            // ago still has, by no less. A Date may be of another clock, which says no such thing.
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
            // A server may refuse what was issued before its start; it has whole seconds to go by.
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
