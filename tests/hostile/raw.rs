//! Bytes that are no request in order.
