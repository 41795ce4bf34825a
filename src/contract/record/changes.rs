//! Changes of a scenario by an update: exchanges removed, renamed, added, or turned into failures.

use crate::contract::recording::fixtures::Scenario;
use crate::contract::recording::message::Request;
use crate::contract::recording::transcript::Exchange;

/// The exchanges that an update turns into failures: a success into an error, or a client error into a server error. A
/// line for each.
#[must_use]
pub fn turned_into_failures(before: &Scenario, after: &Scenario) -> Vec<String> {
    let failure = |status: u16| status.max(399) / 100;
    let turned = before.exchanges.iter().zip(successors(before, after)).filter_map(|(was, now)| {
        let (was_status, status) = (was.response.status, now?.response.status);
        (failure(status) > failure(was_status))
            .then(|| format!("{}/{}: recorded {was_status}, now {status}", before.name, was.name))
    });
    turned.collect()
}

/// For each exchange of `before` its successor in `after`: the one with the same request or, if there is none, with the
/// same name. Names have numbers, which change when lines are added or removed, so requests take precedence.
fn successors<'a>(before: &Scenario, after: &'a Scenario) -> Vec<Option<&'a Exchange>> {
    let asks = |request: &Request| (request.method, request.path.clone(), request.body.clone());
    let same = |was: &Exchange, is: &Exchange| was.name == is.name;
    let alike = |was: &Exchange, is: &Exchange| asks(&was.request) == asks(&is.request);
    let mut free: Vec<&Exchange> = after.exchanges.iter().collect();
    let mut successors = vec![None; before.exchanges.len()];
    for (by_request, by_name) in [(true, true), (true, false), (false, true)] {
        let fits =
            |was: &Exchange, is: &Exchange| (!by_request || alike(was, is)) && (!by_name || same(was, is));
        for (was, successor) in before.exchanges.iter().zip(&mut successors) {
            if let (None, Some(at)) = (*successor, free.iter().position(|is| fits(was, is))) {
                *successor = Some(free.remove(at));
            }
        }
    }
    successors
}

/// The exchanges that an update removes, renames, gives another request, or adds. A line for each.
#[must_use]
pub fn moved(before: &Scenario, after: &Scenario) -> Vec<String> {
    let successors = successors(before, after);
    let place = |exchange: &Exchange| format!("{}/{}", before.name, exchange.name);
    let line = |exchange: &Exchange| format!("{}: {}", place(exchange), exchange.request.line());
    let changed = before.exchanges.iter().zip(&successors).filter_map(|(was, now)| match now {
        None => Some(format!("{} is removed", line(was))),
        Some(now) if now.name != was.name => Some(format!("{} is {} now", line(was), place(now))),
        Some(now) if line(now) != line(was) => Some(format!("{} is {} now", line(was), now.request.line())),
        Some(_) => None,
    });
    let is_new = |is: &&Exchange| !successors.iter().flatten().any(|known| std::ptr::eq(*known, *is));
    let added = after.exchanges.iter().filter(is_new).map(|is| format!("{} is added", line(is)));
    changed.chain(added).collect()
}
