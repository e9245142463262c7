//! Numbers, names and texts, read from bytes that may be damaged.

use super::{Damage, Result, damage};
use crate::{
    ids::{DocumentName, InvalidName},
    store::Collection,
};

/// Bytes that are read from the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            return damage("a row is cut short");
        };
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(super) fn name(&mut self, length: usize) -> Result<DocumentName> {
        let name = std::str::from_utf8(self.take(length)?).map_err(|_| InvalidName::NotUtf8);
        name.and_then(DocumentName::parse_stored)
            .map_err(|invalid| Damage(format!("an impossible name: {invalid}")))
    }

    pub(super) fn collection(&mut self) -> Result<Collection> {
        let number = self.u8()?;
        let known = Collection::ALL.into_iter().find(|collection| *collection as u8 == number);
        known.ok_or_else(|| Damage(format!("unknown collection {number}")))
    }

    pub(super) fn text(&mut self, length: usize) -> Result<String> {
        let text = std::str::from_utf8(self.take(length)?);
        Ok(text.map_err(|_| Damage("a title or kind is not UTF-8".into()))?.to_owned())
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        damage("a number does not end")
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { damage(format!("{} bytes too many in a row", self.0.len())) }
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
