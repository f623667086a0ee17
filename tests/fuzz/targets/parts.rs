//! Where does one file end and the next begin, among the bytes of an input?

const BETWEEN: &[u8] = b"\n====\n";

/// The files that `bytes` are; at least one.
pub fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        parts.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    parts.push(rest);
    parts
}
