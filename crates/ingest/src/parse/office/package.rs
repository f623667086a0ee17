//! Here is a zip with parts in it: give me one of them, and do not let it fill the memory.
//!
//! A part is inflated when it is asked for. How much comes out is counted while it comes, whatever the file says of
//! itself: parts that lie over each other, or are a thousand times what they are packed, stop at the same place.

use std::io::{Cursor, Read};

use safepassage_error::{Error, Result};
use zip::ZipArchive;
use zip::result::ZipError;

/// More parts than any document has.
const MOST_PARTS: usize = 10_000;
/// What all parts may have together, inflated.
const MOST_BYTES: u64 = 256 << 20;
/// A part larger than [`FREE_BYTES`] may be this many times what it is packed.
const MOST_RATIO: u64 = 300;
const FREE_BYTES: u64 = 8 << 20;

pub(in crate::parse) struct Package<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

fn refused(what: impl Into<String>) -> Error {
    Error::invalid("parse", what)
}

fn broken(error: &ZipError) -> Error {
    refused(match error {
        ZipError::UnsupportedArchive(_) | ZipError::InvalidPassword => {
            "it has a password, or is packed in a way that no office program does"
        }
        _ => "it is not a whole file of its kind: the parcel is damaged",
    })
}

impl<'a> Package<'a> {
    pub fn open(content: &'a [u8]) -> Result<Self> {
        if content.starts_with(b"\xd0\xcf\x11\xe0") {
            return Err(refused("it has a password, or is of an older office program; save it again without"));
        }
        let zip = ZipArchive::new(Cursor::new(content)).map_err(|e| broken(&e))?;
        if zip.len() > MOST_PARTS {
            return Err(refused(format!("it has {} parts; the most is {MOST_PARTS}", zip.len())));
        }
        Ok(Self { zip, left: MOST_BYTES })
    }

    /// The bytes of the part `name`, if there is one.
    pub fn part(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(number) = self.zip.index_for_name(name) else { return Ok(None) };
        let mut bytes = Vec::new();
        self.inflate(number, &mut |some| bytes.extend_from_slice(some))?;
        Ok(Some(bytes))
    }

    /// The part `name`, which every file of the kind has.
    pub fn needed(&mut self, name: &str) -> Result<Vec<u8>> {
        self.part(name)?.ok_or_else(|| refused(format!("it is not what its name says: it has no part `{name}`")))
    }

    /// Whether all parts can be inflated within what is allowed: for readers that open the parcel themselves.
    pub fn check(&mut self) -> Result<()> {
        (0..self.zip.len()).try_for_each(|number| self.inflate(number, &mut |_| ()))
    }

    fn inflate(&mut self, number: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let mut part = self.zip.by_index(number).map_err(|e| broken(&e))?;
        let most = self.left.min((part.compressed_size().saturating_mul(MOST_RATIO)).max(FREE_BYTES));
        let (mut buffer, mut inflated) = (vec![0; 64 << 10], 0);
        loop {
            let read = part.read(&mut buffer).map_err(|_| refused("one of its parts is damaged"))?;
            if read == 0 {
                break;
            }
            inflated += read as u64;
            if inflated > most {
                return Err(refused("it is packed far smaller than any document is: a part has no end"));
            }
            each(&buffer[..read]);
        }
        self.left -= inflated;
        Ok(())
    }
}

#[cfg(test)]
pub(in crate::parse) mod tests {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    /// A zip of these parts.
    pub fn zipped<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in parts {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_part_that_never_ends_is_refused() {
        let zeros = vec![0; 32 << 20];
        let bomb = zipped([("a", &b"x"[..]), ("b", &zeros)]);
        assert!(bomb.len() < 64 << 10);
        let mut package = Package::open(&bomb).unwrap();
        assert_eq!(package.part("a").unwrap().as_deref(), Some(&b"x"[..]));
        assert_eq!(package.part("c").unwrap(), None);
        let said = package.part("b").unwrap_err();
        assert!(said.message().contains("no end"), "{said}");
        assert!(package.check().is_err());
    }

    #[test]
    fn all_parts_together_have_an_end() {
        // Half noise, so that each is within the ratio.
        let mut noise = 7u64;
        let mut bytes = vec![0; 8 << 20];
        for byte in bytes.iter_mut().step_by(64) {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (noise >> 56) as u8;
        }
        let names: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let many = zipped(names.iter().map(|name| (name.as_str(), &bytes[..])));
        assert!(Package::open(&many).unwrap().check().is_err());
        assert!(Package::open(b"PK\x03\x04").is_err());
        assert!(Package::open(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1").err().unwrap().message().contains("password"));
    }
}
