//! Bytes that are made smaller for the way. What they mean does not matter here.

use std::io::{self, Write};

/// How bytes are made smaller, in the order in which we like to do it: the first is smallest for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Zstandard.
    Zstd,
    /// Brotli.
    Brotli,
    /// Gzip.
    Gzip,
}

/// How hard each tries. What is compressed here is read once or twice, so that its time counts more than the last percent.
const ZSTD: i32 = 3;
const BROTLI: u32 = 5;
const GZIP: u32 = 6;

impl Compression {
    /// All, as we like them.
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// The content coding of HTTP.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The same bytes, smaller.
    pub(super) fn of(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        // As a guess, so that the buffer is not copied again and again while it grows.
        let smaller = Vec::with_capacity(bytes.len() / 4);
        match self {
            Self::Zstd => {
                let mut into = zstd::stream::write::Encoder::new(smaller, ZSTD)?;
                // Browsers take windows of 8 MiB and no larger ones.
                into.window_log(23)?;
                into.write_all(bytes)?;
                into.finish()
            }
            Self::Brotli => {
                let mut into = brotli::CompressorWriter::new(smaller, 64 << 10, BROTLI, 22);
                into.write_all(bytes)?;
                into.flush()?;
                Ok(into.into_inner())
            }
            Self::Gzip => {
                let mut into = flate2::write::GzEncoder::new(smaller, flate2::Compression::new(GZIP));
                into.write_all(bytes)?;
                into.finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_compressed_is_whole_when_it_is_read() {
        for length in [0, 1, 1000, 300_000] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| (n / 7 % 200) as u8).collect();
            for compression in Compression::ALL {
                let smaller = compression.of(&bytes).unwrap();
                assert!(smaller.len() < bytes.len() / 2 + 40, "{compression:?}: {}", smaller.len());
                let mut read = Vec::new();
                match compression {
                    Compression::Zstd => read = zstd::decode_all(&*smaller).unwrap(),
                    Compression::Brotli => {
                        brotli::Decompressor::new(&*smaller, 4096).read_to_end(&mut read).map(drop).unwrap();
                    }
                    Compression::Gzip => {
                        flate2::read::GzDecoder::new(&*smaller).read_to_end(&mut read).map(drop).unwrap();
                    }
                }
                assert!(read == bytes, "{compression:?} of {length}");
            }
        }
    }
}
