//! What breaks inside: panics, descriptors that run out, clients that go away.
