//! Nothing by itself: what its dependency builds on the way is linked into the fuzzer of `tests/fuzz`.
