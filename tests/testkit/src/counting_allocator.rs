//! How much memory a call takes.

#![expect(
    unsafe_code,
    reason = "an allocator that counts is one by an unsafe trait"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, and how much each thread has of it: for a `#[global_allocator]`.
#[derive(Debug)]
pub struct CountingAllocator {
    size: fn(Layout) -> usize,
}

impl CountingAllocator {
    /// What is allocated counts as so many bytes.
    pub const fn new(size: fn(Layout) -> usize) -> Self {
        Self { size }
    }

    fn size(&self, layout: Layout) -> isize {
        isize::try_from((self.size)(layout)).unwrap_or(isize::MAX)
    }
}

fn count(change: isize) {
    // A thread that ends frees what it has after its counters are gone.
    let _ = HELD.try_with(|held| {
        held.set(held.get().wrapping_add(change));
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: everything is the system allocator's, by the very arguments.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(self.size(layout));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-self.size(layout));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What a call gives, and the bytes that it takes at most beyond what its thread holds before it.
pub fn most_during<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let result = call();
    let most = MOST.get().wrapping_sub(before);
    (result, usize::try_from(most).unwrap_or_default())
}
