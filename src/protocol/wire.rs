//! The lib0 primitives under limits: what every dialect and every update is made of.
//!
//! A `uint` has seven bits per byte, the low ones first, the top bit saying that more follow, and at most
//! 53 bits in all, because JavaScript counts no further. A `buffer` is a `uint` length and that many bytes;
//! a `string` is a buffer of UTF-8. [`Reader`] never allocates and never believes a length: what it hands
//! out is a slice of bytes that are there.

use bytes::BufMut;

/// The greatest integer that travels: 2^53 - 1, where JavaScript stops counting exactly.
pub const MAX_UINT: u64 = (1 << 53) - 1;

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end in the middle of something.
    #[error("the bytes end too early")]
    Incomplete,
    /// An integer of more than 53 bits, or one that does not end.
    #[error("an integer has more than 53 bits")]
    Overflow,
    /// A buffer or string longer than the caller accepts.
    #[error("{length} bytes where at most {limit} are allowed")]
    TooLong {
        /// The length that was announced.
        length: u64,
        /// The length the caller accepts.
        limit: usize,
    },
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// Bytes are left where everything should have been read.
    #[error("{0} bytes are left over")]
    Trailing(usize),
}

impl Error {
    /// A label for a metric: short, and the same for every occurrence.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Overflow => "integer-overflow",
            Self::TooLong { .. } => "too-long",
            Self::NotUtf8 => "not-utf8",
            Self::Trailing(_) => "trailing-bytes",
        }
    }
}

/// Reads primitives from the front of a slice.
///
/// What it returns borrows from the slice. A caller that holds the whole as [`bytes::Bytes`] keeps a part
/// without copying through [`bytes::Bytes::slice_ref`].
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Begins at byte `at`, or at the end if there are fewer bytes.
    #[inline]
    pub fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    /// How many bytes have been read.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// What has been read since byte `at`.
    #[inline]
    pub fn since(&self, at: usize) -> &'a [u8] {
        &self.bytes[at.min(self.at)..self.at]
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether everything has been read.
    #[inline]
    pub fn is_at_end(&self) -> bool {
        self.remaining() == 0
    }

    /// Fails with [`Error::Trailing`] unless everything has been read.
    #[inline]
    pub fn finish(self) -> Result<(), Error> {
        if self.is_at_end() { Ok(()) } else { Err(Error::Trailing(self.remaining())) }
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Error> {
        let byte = *self.bytes.get(self.at).ok_or(Error::Incomplete)?;
        self.at += 1;
        Ok(byte)
    }

    /// An unsigned integer of at most 53 bits.
    #[inline]
    pub fn uint(&mut self) -> Result<u64, Error> {
        let first = self.byte()?;
        if first < 0x80 {
            Ok(u64::from(first))
        } else {
            self.uint_after(u64::from(first & 0x7f), 7, MAX_UINT)
        }
    }

    /// A signed integer of at most 53 bits, as lib0's `writeVarInt` writes it: the first byte has six bits
    /// of the value and the sign.
    #[inline]
    pub fn int(&mut self) -> Result<i64, Error> {
        let first = self.byte()?;
        let low = u64::from(first & 0x3f);
        let magnitude = if first < 0x80 { low } else { self.uint_after(low, 6, MAX_UINT)? };
        let magnitude = i64::try_from(magnitude).map_err(|_| Error::Overflow)?;
        Ok(if first & 0x40 == 0 { magnitude } else { -magnitude })
    }

    /// The rest of an integer whose first byte said that more follows.
    fn uint_after(&mut self, low: u64, bits: u32, max: u64) -> Result<u64, Error> {
        let mut value = low;
        let mut shift = bits;
        while shift < 56 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if value <= max { Ok(value) } else { Err(Error::Overflow) };
            }
            shift += 7;
        }
        Err(Error::Overflow)
    }

    /// Exactly `length` bytes.
    #[inline]
    pub fn exact(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(length).ok_or(Error::Incomplete)?;
        let slice = self.bytes.get(self.at..end).ok_or(Error::Incomplete)?;
        self.at = end;
        Ok(slice)
    }

    /// A length and that many bytes, at most `limit`.
    #[inline]
    pub fn buffer(&mut self, limit: usize) -> Result<&'a [u8], Error> {
        let length = self.uint()?;
        match usize::try_from(length) {
            Ok(length) if length <= limit => self.exact(length),
            _ => Err(Error::TooLong { length, limit }),
        }
    }

    /// A string of at most `limit` bytes of UTF-8.
    #[inline]
    pub fn string(&mut self, limit: usize) -> Result<&'a str, Error> {
        std::str::from_utf8(self.buffer(limit)?).map_err(|_| Error::NotUtf8)
    }
}

/// Writes an unsigned integer.
#[inline]
pub fn put_uint(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Writes a length and the bytes.
#[inline]
pub fn put_buffer(out: &mut impl BufMut, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// Writes a string.
#[inline]
pub fn put_string(out: &mut impl BufMut, text: &str) {
    put_buffer(out, text.as_bytes());
}

/// How many bytes [`put_uint`] writes, so that a frame is allocated once.
#[inline]
pub fn uint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// How many bytes [`put_buffer`] writes for a buffer of `length` bytes.
#[inline]
pub fn buffer_len(length: usize) -> usize {
    uint_len(length as u64) + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uints_round_trip_and_have_53_bits() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), 1 << 52, MAX_UINT] {
            let mut bytes = Vec::new();
            put_uint(&mut bytes, value);
            assert_eq!(bytes.len(), uint_len(value), "{value}");
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.uint(), Ok(value));
            assert_eq!(reader.finish(), Ok(()));
            for cut in 0..bytes.len() {
                assert_eq!(Reader::new(&bytes[..cut]).uint(), Err(Error::Incomplete), "{value} cut at {cut}");
            }
        }
        let mut bytes = Vec::new();
        put_uint(&mut bytes, MAX_UINT + 1);
        assert_eq!(Reader::new(&bytes).uint(), Err(Error::Overflow));
        assert_eq!(Reader::new(&[0xff; 20]).uint(), Err(Error::Overflow));
    }

    #[test]
    fn ints_are_lib0s() {
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x40], 0), // JavaScript has a negative zero
            (&[0x3f], 63),
            (&[0x7f], -63),
            (&[0x80, 0x01], 64),
            (&[0xc0, 0x01], -64),
            (&[0xbf, 0xff, 0xff, 0xff, 0x0f], 0x7fff_ffff),
        ] {
            assert_eq!(Reader::new(bytes).int(), Ok(value), "{bytes:02x?}");
        }
        assert_eq!(Reader::new(&[0xff; 20]).int(), Err(Error::Overflow));
        assert_eq!(Reader::new(&[0x80]).int(), Err(Error::Incomplete));
    }

    #[test]
    fn buffers_are_bounded_twice() {
        assert_eq!(Reader::new(b"\x03abc").buffer(3), Ok(&b"abc"[..]));
        assert_eq!(Reader::new(b"\x03abc").buffer(2), Err(Error::TooLong { length: 3, limit: 2 }));
        assert_eq!(Reader::new(b"\x03ab").buffer(3), Err(Error::Incomplete));
        assert_eq!(Reader::new(b"\xff\xff\xff\x7f").buffer(usize::MAX), Err(Error::Incomplete));
        assert_eq!(Reader::new(b"\x01\xff").string(9), Err(Error::NotUtf8));
        assert_eq!(Reader::new(b"\x02\xc3\xa4").string(9), Ok("ä"));
        assert_eq!(buffer_len(127), 128);
        assert_eq!(buffer_len(128), 130);
    }

    #[test]
    fn leftovers_are_counted() {
        let mut reader = Reader::new(b"\x01\x02\x03");
        assert_eq!(reader.byte(), Ok(1));
        assert_eq!((reader.position(), reader.remaining()), (1, 2));
        assert_eq!(reader.finish(), Err(Error::Trailing(2)));
    }
}
