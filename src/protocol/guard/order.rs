//! Puts the clients of an update into the order in which encoders write them today: the greatest first. Releases of yjs
//! before 13.5 wrote them as they came out of a map. To readers the order means nothing; yrs wants it.

use std::cmp::Reverse;

use bytes::Bytes;

use super::{
    Limits, Refusal,
    structs::{self, Block},
};
use crate::protocol::{
    ClientId,
    wire::{self, Reader},
};

/// The same update with its clients in descending order.
///
/// # Errors
/// Whatever is wrong with its structs; [`Refusal::RepeatedClient`]; and [`Refusal::ClientOrder`] still, if numbers are
/// written longer than any encoder writes them.
pub(super) fn descending(bytes: &Bytes, limits: &Limits) -> Result<Bytes, Refusal> {
    let mut reader = Reader::new(bytes);
    let mut sections = Sections { bytes, found: Vec::new() };
    structs::read_sections(&mut reader, limits, &mut sections)?;
    let deletes_at = reader.position();
    let sections = sections.found;
    let mut ends: Vec<usize> = sections.iter().skip(1).map(|section| section.from).collect();
    ends.push(deletes_at);
    let mut placed: Vec<_> = sections.into_iter().zip(ends).collect();
    placed.sort_unstable_by_key(|(section, _)| Reverse(section.client));
    if placed.windows(2).any(|pair| pair[0].0.client == pair[1].0.client) {
        return Err(Refusal::RepeatedClient);
    }
    let mut out = Vec::with_capacity(bytes.len());
    wire::put_uint(&mut out, placed.len() as u64);
    for (section, end) in placed {
        out.extend_from_slice(&bytes[section.from..end]);
    }
    out.extend_from_slice(&bytes[deletes_at..]);
    Ok(out.into())
}

/// Where each client's part lies.
struct Sections<'a> {
    bytes: &'a [u8],
    found: Vec<Place>,
}

struct Place {
    client: ClientId,
    /// Where its head begins: the number of structs, the client, the first clock.
    from: usize,
}

impl structs::Visitor<'_> for Sections<'_> {
    fn open(&mut self, client: ClientId, clock: u32, structs: usize, at: usize) -> Result<(), Refusal> {
        let head =
            wire::uint_len(structs as u64) + wire::uint_len(client.get()) + wire::uint_len(clock.into());
        let from = at - head;
        let mut again = Reader::starting_at(self.bytes, from);
        if (again.uint()?, again.uint()?, again.uint()?) != (structs as u64, client.get(), clock.into()) {
            return Err(Refusal::ClientOrder);
        }
        self.found.push(Place { client, from });
        Ok(())
    }

    fn block(&mut self, _: ClientId, _: &Block<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::guard::{Readiness, Update};

    fn check(bytes: &[u8]) -> Result<Update, Refusal> {
        Update::check(Bytes::copy_from_slice(bytes), &Limits::default())
    }

    #[test]
    fn clients_of_old_releases_are_put_into_order() {
        // "a" by client 5 and "b" by client 6, which deletes it.
        let [a, b] = [&[1, 5, 0, 4, 1, 1, b't', 1, b'a'], &[1, 6, 0, 4, 1, 1, b't', 1, b'b']];
        let deletes = &[1, 5, 1, 0, 1];
        let ascending = [&[2], &a[..], &b[..], &deletes[..]].concat();
        let descending = [&[2], &b[..], &a[..], &deletes[..]].concat();
        let update = check(&ascending).unwrap();
        assert_eq!(update.bytes(), &descending);
        assert_eq!(update.readiness(|_| 0), Readiness::Ready);
        assert_eq!(check(&descending).unwrap(), update);
    }

    #[test]
    fn what_no_encoder_writes_is_refused_all_the_same() {
        let section = [1, 5, 0, 4, 1, 1, b't', 1, b'a'];
        let twice = [&[2], &section[..], &section[..], &[0]].concat();
        assert_eq!(check(&twice), Err(Refusal::RepeatedClient));
        // The client 6 in two bytes.
        let long = [&[2], &section[..], &[1, 0x86, 0, 0, 4, 1, 1, b't', 1, b'b'], &[0]].concat();
        assert_eq!(check(&long), Err(Refusal::ClientOrder));
    }
}
