//! Here is a PDF: how large are its streams once they are inflated, and which numbers does it claim?
//!
//! The reader inflates a stream whole, and makes room for as many letters and columns as a file says it has: a small file
//! can fill the memory. So every stream is inflated here first, a little at a time and counted, by the filters that stand
//! before it, and what comes out is searched for numbers that no document has. A stream whose filters are said elsewhere
//! in the file is taken for the common one. Who takes pains can hide both from this; only a process of its own is safe
//! from such a file.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::ZlibDecoder;
use regex::bytes::Regex;
use safepassage_error::{Error, Result};

use crate::parse::PARSE;

/// What one stream, and all of them, may have.
const MOST_STREAM: usize = 128 << 20;
const MOST_ALL: usize = 1 << 30;
/// Of one stream, searched for numbers.
const MOST_SEARCHED: usize = 16 << 20;
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

/// Tables of letters and pictures that claim to be larger than any is; and lists of numbers in which the second of three
/// is where a run of letters ends.
static CLAIMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?-u)/(?:FirstChar|LastChar|Columns|Rows|Colors|BitsPerComponent)\s+\+?0*[1-9][0-9]{5,}|\[[0-9\s.\[\]+-]*\b[0-9]+\s+\+?0*[1-9][0-9]{6,}\s+[0-9.]",
    )
    .ok()
});
/// Filters of pictures, which are never undone here.
static PICTURE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?-u)/(CCITTFaxDecode|CCF|JBIG2Decode|DCTDecode|DCT|JPXDecode)\b").ok());

fn claims(bytes: &[u8]) -> Result<()> {
    if CLAIMS.as_ref().is_some_and(|claims| claims.is_match(bytes)) {
        return Err(Error::invalid(PARSE, "it claims to have more letters or columns than any document has"));
    }
    Ok(())
}

fn endless() -> Error {
    Error::invalid(PARSE, "it is packed far smaller than any document is: a stream has no end")
}

/// Whether every stream has an end.
pub(super) fn check(content: &[u8]) -> Result<()> {
    let Some(streams) = STREAM.as_ref() else { return Ok(()) };
    claims(content)?;
    let mut all = 0;
    for found in streams.find_iter(content) {
        if content[..found.start()].ends_with(b"end") {
            continue;
        }
        let dictionary = dictionary(&content[..found.start()]);
        // Small pictures of pages have a width and no kind.
        let is_picture = dictionary.windows(6).any(|six| matches!(six, b"/Image" | b"/Width"));
        if !is_picture && PICTURE.as_ref().is_some_and(|filter| filter.is_match(dictionary)) {
            return Err(Error::invalid(PARSE, "a stream that is no picture is packed as one"));
        }
        let mut inflated = Vec::new();
        all += inflate(&content[found.end()..], &filters(dictionary), &mut |some| {
            if !is_picture && inflated.len() < MOST_SEARCHED {
                inflated.extend_from_slice(some);
            }
        })?;
        claims(&inflated)?;
        if all > MOST_ALL {
            return Err(endless());
        }
    }
    Ok(())
}

/// What stands before a stream, behind the last object that ended.
fn dictionary(before: &[u8]) -> &[u8] {
    let window = &before[before.len().saturating_sub(DICTIONARY)..];
    let start = window.windows(6).rposition(|six| six == b"endobj").map_or(0, |at| at + 6);
    &window[start..]
}

/// The filters that a dictionary names, in the order in which they are undone.
fn filters(dictionary: &[u8]) -> Vec<Filter> {
    let Some(names) = FILTERS.as_ref() else { return Vec::new() };
    names
        .captures_iter(dictionary)
        .filter_map(|found| match found.get(1)?.as_bytes() {
            b"ASCIIHexDecode" | b"AHx" => Some(Filter::Hex),
            b"ASCII85Decode" | b"A85" => Some(Filter::Base85),
            b"LZWDecode" | b"LZW" => Some(Filter::Lzw),
            b"RunLengthDecode" | b"RL" => Some(Filter::RunLength),
            _ => Some(Filter::Flate),
        })
        .collect()
}

/// Gives `out` what the stream at the start of `content` is in the end; how many bytes that is.
fn inflate(content: &[u8], filters: &[Filter], out: &mut dyn FnMut(&[u8])) -> Result<usize> {
    let Some((last, firsts)) = filters.split_last() else { return flate(content, out) };
    let mut held = Vec::new();
    for filter in firsts {
        let from = if held.is_empty() { content } else { &held[..] };
        let mut next = Vec::new();
        undo(*filter, from, &mut |some| next.extend_from_slice(some))?;
        held = next;
    }
    undo(*last, if firsts.is_empty() { content } else { &held }, out)
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
    fn numbers_that_no_document_has_are_refused_wherever_they_stand() {
        for bad in [
            "/W [0 4294967295 500]",
            "/W [1 [500 600] 7 +99999999 1.5]",
            "/FirstChar 999999999",
            "/Columns 00123456789",
        ] {
            assert!(check(format!("1 0 obj <<{bad}>> endobj").as_bytes()).is_err(), "{bad}");
            assert!(check(&file("/Type /ObjStm /Filter /FlateDecode", &deflated(bad.as_bytes()))).is_err(), "{bad}");
        }
        let well = "xref\n10 1\n0001234567 00000 n\n/W [0 65535 500] /FirstChar 32 /L 12345678 /Columns 4 [1 2345678]";
        assert!(check(well.as_bytes()).is_ok());
        assert!(check(&file("/Filter /CCITTFaxDecode", b"")).is_err());
        assert!(check(&file("/Subtype /Image /Filter /DCTDecode", b"")).is_ok());
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
