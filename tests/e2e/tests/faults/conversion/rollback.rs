//! To this version and back.
