//! A body in chunks (RFC 9112, section 7.1), taken in pieces of any size.

/// The longest line of a chunk's size, or of a trailer.
const LONGEST_LINE: usize = 4096;

#[derive(Debug, PartialEq)]
enum Next {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
}

/// How far the body has come.
#[derive(Debug)]
pub(crate) struct Chunked {
    next: Next,
    line: Vec<u8>,
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Self { next: Next::Size, line: Vec::new() }
    }

    /// Takes bytes off the front of `bytes`. Gives those of the body if they are such, and whether the body is over.
    pub(crate) fn take<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<(&'a [u8], bool), String> {
        if let Next::Data(left) = self.next {
            let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (data, rest) = bytes.split_at(count);
            *bytes = rest;
            let left = left - count as u64;
            self.next = if left == 0 { Next::DataEnd } else { Next::Data(left) };
            return Ok((data, false));
        }
        let end = bytes.iter().position(|&byte| byte == b'\n').map(|position| position + 1);
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        *bytes = rest;
        self.line.extend_from_slice(line);
        if self.line.len() > LONGEST_LINE {
            return Err("a chunk with a line that does not end".into());
        }
        let over = end.is_some() && self.line_is_there()?;
        Ok((&[], over))
    }

    fn line_is_there(&mut self) -> Result<bool, String> {
        let line = std::mem::take(&mut self.line);
        let empty = line == b"\r\n";
        self.next = match self.next {
            Next::Size => match httparse::parse_chunk_size(&line) {
                Ok(httparse::Status::Complete((_, 0))) => Next::Trailer,
                Ok(httparse::Status::Complete((_, size))) => Next::Data(size),
                _ => return Err(format!("a chunk of size {:?}", String::from_utf8_lossy(&line))),
            },
            Next::DataEnd if empty => Next::Size,
            Next::DataEnd | Next::Data(_) => return Err("a chunk longer than its size".into()),
            Next::Trailer if empty => return Ok(true),
            Next::Trailer => Next::Trailer,
        };
        Ok(false)
    }
}
