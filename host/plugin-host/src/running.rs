//! What every call needs, and every plugin keeps alive.

use tokio::sync::Semaphore;

use crate::ticker::Ticker;

/// What every call needs, and every plugin keeps alive.
pub(crate) struct Running {
    /// A permit for each slot of the pool. Without, a call too many would be an error and not a wait.
    pub(crate) slots: Semaphore,
    _ticker: Ticker,
}

impl Running {
    /// For so many calls at once.
    pub(crate) fn new(concurrency: u32, ticker: Ticker) -> Self {
        let slots = Semaphore::new(concurrency as usize);
        Self {
            slots,
            _ticker: ticker,
        }
    }
}
