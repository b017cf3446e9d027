//! Lines of bounded length out of any stream. A longer one is skipped to its end and told, so that it costs no memory
//! and the next line is read as what it is.
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line taken, without its end: 1 MiB.
pub const LIMIT: usize = 1 << 20;

/// What a line was.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Its bytes are in the buffer.
    Whole,
    /// It was longer than [`LIMIT`]; nothing of it was kept.
    TooLong,
    /// The stream ended.
    End,
}

/// Reads the next line into `buffer` (emptied first). Not cancel safe: give it a task of its own.
pub async fn next(reader: &mut (impl AsyncBufRead + Unpin), buffer: &mut Vec<u8>) -> std::io::Result<Line> {
    buffer.clear();
    let mut too_long = false;
    loop {
        let chunk = reader.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(match (too_long, buffer.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Whole,
            });
        }
        let end = chunk.iter().position(|b| *b == b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        too_long |= buffer.len() + part.len() > LIMIT;
        if too_long {
            buffer.clear();
        } else {
            buffer.extend_from_slice(part);
        }
        let used = end.map_or(chunk.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_line_too_long_costs_only_itself() {
        let mut input = vec![b'x'; LIMIT + 1];
        input.extend_from_slice(b"\nnext\n\nlast");
        let mut reader = tokio::io::BufReader::with_capacity(1000, &input[..]);
        let mut buffer = Vec::new();
        assert_eq!(next(&mut reader, &mut buffer).await.expect("reads"), Line::TooLong);
        for want in ["next", "", "last"] {
            assert_eq!(next(&mut reader, &mut buffer).await.expect("reads"), Line::Whole);
            assert_eq!(buffer, want.as_bytes());
        }
        assert_eq!(next(&mut reader, &mut buffer).await.expect("reads"), Line::End);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_longest_line_is_taken_and_an_endless_one_is_not_kept() {
        let mut buffer = Vec::new();
        let whole = vec![b'x'; LIMIT];
        assert_eq!(next(&mut &whole[..], &mut buffer).await.expect("reads"), Line::Whole);
        assert_eq!(buffer.len(), LIMIT);
        let endless = vec![b'x'; 8 * LIMIT];
        let mut buffer = Vec::new();
        let mut reader = tokio::io::BufReader::with_capacity(4096, &endless[..]);
        assert_eq!(next(&mut reader, &mut buffer).await.expect("reads"), Line::TooLong);
        assert!(buffer.capacity() <= 2 * LIMIT);
    }
}
