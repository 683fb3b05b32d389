//! The plugins in force.
