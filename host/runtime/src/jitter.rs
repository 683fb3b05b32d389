//! Spreads in time what would otherwise come together.

/// A number from 0.0 to 1.0 that differs from call to call. It need not be unpredictable: it only keeps retries apart.
pub fn jitter() -> f64 {
    f64::from(jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() % 1000) / 1000.0
}
