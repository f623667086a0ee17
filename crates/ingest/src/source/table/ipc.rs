//! An Arrow file or stream, batch by batch.
//!
//! Where its messages lie is found once, without their bodies being read; a stream is a file without the list of them at
//! its end. What a message claims is held against what is there before anything is reserved for it.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, Message, MessageHeader, MetadataVersion};
use arrow_schema::{Schema, SchemaRef};

use super::bytes::{Place, ReadAt, part};
use super::columns::Columns;

/// A batch is in memory whole: larger ones are refused.
const MOST_BYTES: u64 = 1 << 30;
const MAGIC: &[u8] = b"ARROW1";
const MARKER: [u8; 4] = [0xff; 4];

/// What an open file says of itself.
#[derive(Debug)]
pub(super) struct Ipc {
    place: Place,
    schema: SchemaRef,
    version: MetadataVersion,
    columns: Columns,
    dictionaries: Vec<Lies>,
    batches: Vec<Lies>,
    /// Of a file all dictionaries are of all batches; of a stream those before a batch are.
    is_stream: bool,
    /// The last batch that was read: rows are asked for some at a time.
    last: Mutex<Option<(usize, RecordBatch)>>,
}

/// Where a message lies.
#[derive(Debug, Clone, Copy)]
struct Lies {
    at: u64,
    head: u64,
    body: u64,
}

impl Lies {
    fn new(at: i64, head: i64, body: i64) -> Result<Self, String> {
        let number = |n: i64| u64::try_from(n).map_err(|_| "a message lies outside the file".to_owned());
        let lies = Self { at: number(at)?, head: number(head)?, body: number(body)? };
        match lies.body.checked_add(lies.head) {
            Some(bytes) if bytes <= MOST_BYTES => Ok(lies),
            _ => Err("a batch has more than 1 GiB; write the table in smaller ones".into()),
        }
    }

    fn block(self) -> Block {
        Block::new(self.at as i64, self.head as i32, self.body as i64)
    }

    fn read(self, bytes: &dyn ReadAt) -> Result<Buffer, String> {
        let read = part(bytes, self.at, self.head + self.body).map_err(|e| e.to_string())?;
        check_sizes(&read, self.head as usize)?;
        Ok(Buffer::from_vec(read))
    }
}

impl Ipc {
    pub fn open(place: Place, with_vectors: bool) -> Result<Self, String> {
        let bytes = place.open().map_err(|e| e.to_string())?;
        let start = part(&*bytes, 0, bytes.bytes().min(8)).map_err(|e| e.to_string())?;
        if start.starts_with(b"FEA1") {
            return Err("it is Feather of version 1; write version 2".into());
        }
        let is_stream = !start.starts_with(MAGIC);
        let (schema, version, dictionaries, batches) = if is_stream { of_stream(&*bytes)? } else { of_file(&*bytes)? };
        let columns = Columns::of(&schema, with_vectors)?;
        let (schema, last) = (Arc::new(schema), Mutex::default());
        Ok(Self { place, schema, version, columns, dictionaries, batches, is_stream, last })
    }

    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// How many batches there are.
    pub fn parts(&self) -> usize {
        self.batches.len()
    }

    /// Bytes of a batch, as it lies there.
    pub fn bytes(&self, batch: usize) -> u64 {
        self.batches[batch].body
    }

    fn batch(&self, number: usize, of: Option<Vec<usize>>) -> Result<RecordBatch, String> {
        let bytes = self.place.open().map_err(|e| e.to_string())?;
        let lies = self.batches[number];
        let mut decoder = FileDecoder::new(Arc::clone(&self.schema), self.version);
        if let Some(of) = of {
            decoder = decoder.with_projection(of);
        }
        for dictionary in self.dictionaries.iter().filter(|dictionary| !self.is_stream || dictionary.at < lies.at) {
            let read = dictionary.read(&*bytes)?;
            decoder.read_dictionary(&dictionary.block(), &read).map_err(|e| e.to_string())?;
        }
        let read = decoder.read_record_batch(&lies.block(), &lies.read(&*bytes)?).map_err(|e| e.to_string())?;
        read.ok_or_else(|| "a batch is empty".into())
    }

    /// Calls `each` with a batch, of which there is only what says which documents its rows are.
    pub fn ids(
        &self,
        number: usize,
        each: &mut dyn FnMut(&RecordBatch, &Columns) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut of = self.columns.of_id();
        of.sort_unstable();
        each(&self.batch(number, Some(of))?, &self.columns.only_id())
    }

    /// Calls `each` with these rows of a batch, ascending numbers from 0.
    pub fn rows(&self, number: usize, rows: &[u32], each: &mut dyn FnMut(&RecordBatch, usize)) -> Result<(), String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let batch = match last {
            Some((known, batch)) if known == number => batch,
            _ => self.batch(number, None)?,
        };
        rows.iter().filter(|row| (**row as usize) < batch.num_rows()).for_each(|row| each(&batch, *row as usize));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, batch));
        Ok(())
    }

    /// Forgets the batch that was read last.
    pub fn forget(&self) {
        drop(self.last.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

type Found = (Schema, MetadataVersion, Vec<Lies>, Vec<Lies>);

fn of_file(bytes: &dyn ReadAt) -> Result<Found, String> {
    let cut = || "it ends too early: the file is cut off, or damaged".to_owned();
    let end = bytes.bytes().checked_sub(10).ok_or_else(cut)?;
    let tail = part(bytes, end, 10).map_err(|e| e.to_string())?;
    let tail: [u8; 10] = tail.try_into().map_err(|_| cut())?;
    let length = read_footer_length(tail).map_err(|_| cut())? as u64;
    let at = end.checked_sub(length).ok_or_else(cut)?;
    let footer = part(bytes, at, length).map_err(|e| e.to_string())?;
    let footer = arrow_ipc::root_as_footer(&footer).map_err(|_| "the list of its batches cannot be read".to_owned())?;
    let schema = footer.schema().ok_or("it does not say which columns it has")?;
    let lies = |block: &Block| Lies::new(block.offset(), block.metaDataLength().into(), block.bodyLength());
    let dictionaries = footer.dictionaries().iter().flatten().map(lies).collect::<Result<_, _>>()?;
    let batches = footer.recordBatches().iter().flatten().map(lies).collect::<Result<_, _>>()?;
    let schema = try_fb_to_schema(schema).map_err(|e| e.to_string())?;
    Ok((schema, footer.version(), dictionaries, batches))
}

fn of_stream(bytes: &dyn ReadAt) -> Result<Found, String> {
    let (mut schema, mut dictionaries, mut batches) = (None, Vec::new(), Vec::new());
    let mut at = 0;
    while at < bytes.bytes() {
        let word = |at| part(bytes, at, 4).map_err(|e| e.to_string());
        let (mut length, mut lead) = (word(at)?, 4);
        if length == MARKER {
            (length, lead) = (word(at + 4)?, 8);
        }
        let length = length.try_into().map(i32::from_le_bytes).ok().and_then(|length| u64::try_from(length).ok());
        let length = length.ok_or("it is no stream of Arrow")?;
        if length == 0 {
            break;
        }
        let head = part(bytes, at + lead, length).map_err(|e| e.to_string())?;
        let message = arrow_ipc::root_as_message(&head).map_err(|_| "it is no stream of Arrow".to_owned())?;
        let lies = Lies::new(at as i64, (lead + length) as i64, message.bodyLength())?;
        match (message.header_type(), &schema) {
            (MessageHeader::Schema, None) => {
                let said = message.header_as_schema().ok_or("it does not say which columns it has")?;
                schema = Some((try_fb_to_schema(said).map_err(|e| e.to_string())?, message.version()));
            }
            (MessageHeader::DictionaryBatch, Some(_)) => dictionaries.push(lies),
            (MessageHeader::RecordBatch, Some(_)) => batches.push(lies),
            _ => return Err("it is no stream of Arrow".into()),
        }
        at = at.checked_add(lead + length + lies.body).ok_or("a message lies outside the file")?;
        if at > bytes.bytes() {
            return Err("it ends too early: the file is cut off, or damaged".into());
        }
    }
    let (schema, version) = schema.ok_or("it is no stream of Arrow")?;
    Ok((schema, version, dictionaries, batches))
}

/// What compressed buffers claim to become is reserved at once: more than a batch may have is refused before.
fn check_sizes(message: &[u8], head: usize) -> Result<(), String> {
    let damaged = || "a message of it cannot be read".to_owned();
    let start = if message.starts_with(&MARKER) { 8 } else { 4 };
    let (head, body) = (message.get(start..head).ok_or_else(damaged)?, message.get(head..).ok_or_else(damaged)?);
    let message: Message<'_> = arrow_ipc::root_as_message(head).map_err(|_| damaged())?;
    let dictionary = message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let Some(batch) = message.header_as_record_batch().or(dictionary) else { return Ok(()) };
    if batch.compression().is_none() {
        return Ok(());
    }
    let mut all = 0u64;
    for buffer in batch.buffers().iter().flatten().filter(|buffer| buffer.length() > 0) {
        let at = usize::try_from(buffer.offset()).map_err(|_| damaged())?;
        let claim = at.checked_add(8).and_then(|end| body.get(at..end)).and_then(|claim| claim.try_into().ok());
        // -1 stands for what is not compressed.
        let claim = i64::from_le_bytes(claim.ok_or_else(damaged)?).max(0) as u64;
        all = all.saturating_add(claim);
    }
    if all > MOST_BYTES {
        return Err("a batch has more than 1 GiB; write the table in smaller ones".into());
    }
    Ok(())
}
