//! What a body comes to in memory while it is judged: many times its own size, if it is made for that.
//!
//! A review is read into a tree, copied for the plugins, read as an MCPServer, compared, and written as text again. How much
//! that takes depends on the shape of the JSON, and is counted before any of it is read. The factors are measured by the test
//! below, which takes reviews of all shapes through the handlers.

/// For each byte of the body: texts, in all the copies that there are at once.
const BYTE: usize = 10;
/// For each value: an item of a list of numbers is one and a comma.
const VALUE: usize = 340;
/// Besides, for each member of an object: a place in a tree, and a name.
const MEMBER: usize = 1200;
/// Besides, for each object with members: its first node has room for eleven members.
const OBJECT: usize = 2400;

/// Bytes of memory that judging a review takes at most, besides the body itself.
pub(crate) fn of(body: &[u8]) -> usize {
    let (mut values, mut members, mut objects) = (1_usize, 0_usize, 0_usize);
    let (mut in_text, mut escaped) = (false, false);
    for (at, byte) in body.iter().enumerate() {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b',' => values += 1,
            b':' => members += 1,
            b'{' => {
                values += 1;
                // One without members takes no more than a number.
                objects += usize::from(body.get(at + 1) != Some(&b'}'));
            }
            _ => {}
        }
    }
    let parts = [
        (body.len(), BYTE),
        (values, VALUE),
        (members, MEMBER),
        (objects, OBJECT),
    ];
    let products = parts
        .into_iter()
        .map(|(count, cost)| count.saturating_mul(cost));
    products.fold(0, usize::saturating_add)
}

#[cfg(test)]
#[path = "heap_cost_tests.rs"]
mod tests;
