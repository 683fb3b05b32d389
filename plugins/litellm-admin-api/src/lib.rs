//! Registration through the admin API.
