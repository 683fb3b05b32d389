//! How much memory a call takes.

use mcp_testkit::CountingAllocator;
pub(crate) use mcp_testkit::most_during;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator::new(|layout| layout.size());
