//! Order of checks: if several fail for a request, the first decides the response.
//!
//! The HTTP server walks [`HeadCheck::ORDER`] and then reads the body; the catcher walks [`RouteCheck::ORDER`]. Rocket makes
//! [`OperationCheck`]s up to the body, since it runs request guards before data guards, and the store makes the others. A
//! test sends, for each check, a request that fails it and every later one.

/// A check of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The head of the request.
    Head(HeadCheck),
    /// Whether the body arrives, complete and well-formed.
    BodyArrival,
    /// The route.
    Route(RouteCheck),
    /// The operation.
    Operation(OperationCheck),
}

impl Check {
    /// All checks, in order.
    pub fn order() -> impl Iterator<Item = Self> {
        let head = HeadCheck::ORDER.into_iter().map(Self::Head);
        let route = RouteCheck::ORDER.into_iter().filter(|check| *check != RouteCheck::Guards);
        head.chain([Self::BodyArrival])
            .chain(route.map(Self::Route))
            .chain(OperationCheck::ORDER.into_iter().map(Self::Operation))
    }
}

/// A check that needs the head only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadCheck {
    /// No more header fields than `max_headers`.
    FieldCount,
    /// Not CONNECT.
    Tunnel,
    /// No transfer coding but `chunked`.
    TransferCoding,
    /// No expectation but `100-continue`.
    Expectation,
    /// One valid Host header.
    Host,
    /// A path, or an `http://` address; `*` with OPTIONS.
    Target,
}

impl HeadCheck {
    /// The order.
    pub const ORDER: [Self; 6] =
        [Self::FieldCount, Self::Tunnel, Self::TransferCoding, Self::Expectation, Self::Host, Self::Target];
}

/// A check of the path and the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteCheck {
    /// A known path with well-formed ids.
    Path,
    /// A method that the path has.
    Method,
    /// The guards of the operation.
    Guards,
}

impl RouteCheck {
    /// The order.
    pub const ORDER: [Self; 3] = [Self::Path, Self::Method, Self::Guards];
}

/// A check of an operation. No operation makes all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationCheck {
    /// A valid token of an existing user.
    Token,
    /// The user of the token is the user of the path.
    Owner,
    /// The Content-Type of a login, the size of the body, its JSON and its fields.
    Body,
    /// The rate limits, then the queue of passwords to be hashed.
    Rate,
    /// The thing exists. For a login: name and password match.
    Existence,
    /// The `id` in the body.
    Id,
    /// The name is not taken.
    Name,
    /// `If-Match` and `If-None-Match`.
    Precondition,
    /// There is room for one more.
    Capacity,
}

impl OperationCheck {
    /// The order.
    pub const ORDER: [Self; 9] = [
        Self::Token,
        Self::Owner,
        Self::Body,
        Self::Rate,
        Self::Existence,
        Self::Id,
        Self::Name,
        Self::Precondition,
        Self::Capacity,
    ];
}
