//! Here is a PDF: how large are its streams once they are inflated?
//!
//! The reader inflates a stream whole, and a small file can name one that fills the memory. So every stream is inflated
//! here first, a little at a time and counted, by the filters that stand before it. A stream whose filters are said
//! elsewhere in the file is taken for the common one.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::ZlibDecoder;
use regex::bytes::Regex;
use safepassage_error::{Error, Result};

/// What one stream, and all of them, may have.
const MOST_STREAM: usize = 128 << 20;
const MOST_ALL: usize = 1 << 30;
/// How far before a stream its filters stand, at most.
const DICTIONARY: usize = 4 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Hex,
    Base85,
    Lzw,
    Flate,
    RunLength,
}

static STREAM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?-u)stream\r?\n").ok());
static FILTERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?-u)/(ASCIIHexDecode|AHx|ASCII85Decode|A85|LZWDecode|LZW|FlateDecode|Fl|RunLengthDecode|RL)\b").ok()
});

fn endless() -> Error {
    Error::invalid("parse", "it is packed far smaller than any document is: a stream has no end")
}

/// Whether every stream has an end.
pub(super) fn check(content: &[u8]) -> Result<()> {
    let Some(streams) = STREAM.as_ref() else { return Ok(()) };
    let mut all = 0;
    for found in streams.find_iter(content) {
        if content[..found.start()].ends_with(b"end") {
            continue;
        }
        all += inflated(&content[found.end()..], &filters(&content[..found.start()]))?;
        if all > MOST_ALL {
            return Err(endless());
        }
    }
    Ok(())
}

/// The filters that the dictionary at the end of `before` names, in the order in which they are undone.
fn filters(before: &[u8]) -> Vec<Filter> {
    let window = &before[before.len().saturating_sub(DICTIONARY)..];
    // Behind the last object that ended: what stands before belongs to another stream.
    let start = window.windows(6).rposition(|six| six == b"endobj").map_or(0, |at| at + 6);
    let Some(names) = FILTERS.as_ref() else { return Vec::new() };
    names
        .captures_iter(&window[start..])
        .filter_map(|found| match found.get(1)?.as_bytes() {
            b"ASCIIHexDecode" | b"AHx" => Some(Filter::Hex),
            b"ASCII85Decode" | b"A85" => Some(Filter::Base85),
            b"LZWDecode" | b"LZW" => Some(Filter::Lzw),
            b"RunLengthDecode" | b"RL" => Some(Filter::RunLength),
            _ => Some(Filter::Flate),
        })
        .collect()
}

/// How many bytes the stream at the start of `content` has in the end.
fn inflated(content: &[u8], filters: &[Filter]) -> Result<usize> {
    let Some((last, firsts)) = filters.split_last() else { return flate(content, &mut |_| ()) };
    let mut held = Vec::new();
    for filter in firsts {
        let from = if held.is_empty() { content } else { &held[..] };
        let mut next = Vec::new();
        undo(*filter, from, &mut |some| next.extend_from_slice(some))?;
        held = next;
    }
    undo(*last, if firsts.is_empty() { content } else { &held }, &mut |_| ())
}

/// Undoes `filter` as far as it goes: what follows the stream is garbage to it and ends it.
fn undo(filter: Filter, content: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<usize> {
    match filter {
        Filter::Flate => flate(content, out),
        Filter::Lzw => lzw(content),
        Filter::RunLength => run_length(content, out),
        Filter::Hex => {
            let digits = content.iter().take_while(|b| **b != b'>').filter_map(|b| char::from(*b).to_digit(16));
            let digits: Vec<u8> = digits.map(|digit| digit as u8).collect();
            let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect();
            out(&bytes);
            Ok(bytes.len())
        }
        Filter::Base85 => {
            let bytes = base85(content);
            out(&bytes);
            Ok(bytes.len())
        }
    }
}

fn flate(content: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<usize> {
    let (mut decoder, mut buffer, mut all) = (ZlibDecoder::new(content), vec![0; 64 << 10], 0);
    // A damaged stream has what came before the damage.
    while let Ok(read @ 1..) = decoder.read(&mut buffer) {
        all += read;
        if all > MOST_STREAM {
            return Err(endless());
        }
        out(&buffer[..read]);
    }
    Ok(all)
}

fn run_length(content: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<usize> {
    let (mut at, mut all) = (0, 0);
    while let Some(&length) = content.get(at) {
        let some = match length {
            128 => break,
            0..128 => {
                let some = content.get(at + 1..).unwrap_or_default();
                let some = &some[..some.len().min(usize::from(length) + 1)];
                at += some.len() + 1;
                some.to_vec()
            }
            _ => {
                let Some(&byte) = content.get(at + 1) else { break };
                at += 2;
                vec![byte; 257 - usize::from(length)]
            }
        };
        all += some.len();
        if all > MOST_STREAM {
            return Err(endless());
        }
        out(&some);
    }
    Ok(all)
}

/// Only the length: a code stands for one letter more than the one before it did.
fn lzw(content: &[u8]) -> Result<usize> {
    let mut lengths: Vec<usize> = vec![1; 258];
    let (mut bits, mut held, mut width, mut all, mut before) = (0u32, 0, 9, 0, None::<usize>);
    for &byte in content {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        if held < width {
            continue;
        }
        held -= width;
        let code = (bits >> held) as usize & ((1 << width) - 1);
        bits &= (1 << held) - 1;
        match code {
            256 => {
                lengths.truncate(258);
                (width, before) = (9, None);
                continue;
            }
            257 => break,
            _ => {}
        }
        let length = match (lengths.get(code), before) {
            (Some(length), _) => *length,
            (None, Some(before)) => before + 1,
            (None, None) => break,
        };
        all += length;
        if all > MOST_STREAM {
            return Err(endless());
        }
        if let Some(before) = before.filter(|_| lengths.len() < 4096) {
            lengths.push(before + 1);
        }
        before = Some(length);
        width = match lengths.len() {
            ..511 => 9,
            511..1023 => 10,
            1023..2047 => 11,
            _ => 12,
        };
    }
    Ok(all)
}

fn base85(content: &[u8]) -> Vec<u8> {
    let (mut bytes, mut group, mut held) = (Vec::with_capacity(content.len() / 5 * 4), 0u32, 0);
    for &byte in content {
        match byte {
            b'z' if held == 0 => bytes.extend([0; 4]),
            b'!'..=b'u' => {
                group = group.wrapping_mul(85).wrapping_add(u32::from(byte - b'!'));
                held += 1;
                if held == 5 {
                    bytes.extend(group.to_be_bytes());
                    (group, held) = (0, 0);
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => break,
        }
    }
    if held > 1 {
        (held..5).for_each(|_| group = group.wrapping_mul(85).wrapping_add(84));
        bytes.extend(&group.to_be_bytes()[..held - 1]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn file(dictionary: &str, stream: &[u8]) -> Vec<u8> {
        [b"%PDF-1.7\n1 0 obj\n<<", dictionary.as_bytes(), b">>\nstream\n", stream, b"\nendstream\nendobj\n"].concat()
    }

    #[test]
    fn streams_without_an_end_are_refused_however_they_are_packed() {
        let zeros = vec![0; MOST_STREAM + 1];
        let bomb = deflated(&zeros);
        let twice = deflated(&bomb);
        let hex: Vec<u8> = twice.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
        assert!(hex.len() < 4096);
        assert!(check(&file("/Filter /FlateDecode", &bomb)).is_err());
        assert!(check(&file("/Filter [/FlateDecode /FlateDecode]", &twice)).is_err());
        assert!(check(&file("/Filter [/AHx /Fl /Fl]", &[&hex[..], b">"].concat())).is_err());
        assert!(check(&file("/Filter 9 0 R", &bomb)).is_err());
        assert!(check(&file("/Filter /RunLengthDecode", &[129, 0].repeat(MOST_STREAM / 128 + 1))).is_err());
        assert!(check(&file("/Filter /FlateDecode", &deflated(&zeros[..1 << 20]))).is_ok());
        assert!(check(b"no pdf").is_ok());
    }

    #[test]
    fn filters_are_undone_as_they_are_defined() {
        let undone = |filter, content: &[u8]| {
            let mut bytes = Vec::new();
            undo(filter, content, &mut |some| bytes.extend_from_slice(some)).unwrap();
            bytes
        };
        assert_eq!(undone(Filter::Base85, b"87cUR\nD]j7BEbo80~>"), b"Hello world!");
        assert_eq!(undone(Filter::Base85, b"z87cURDZ~>"), b"\0\0\0\0Hello");
        assert_eq!(undone(Filter::Hex, b"48 656C6c6f 7>x"), b"Hellop");
        assert_eq!(undone(Filter::RunLength, &[1, b'a', b'b', 254, b'c', 128, 7]), b"abccc");
        // The example of the specification: 45 45 45 45 45 65 45 45 45 66.
        assert_eq!(lzw(&[0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01]).unwrap(), 10);
    }
}
