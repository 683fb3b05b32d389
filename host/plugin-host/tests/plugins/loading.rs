//! From bytes to a plugin: what is refused, and the cache.
