//! Records beside a document: read and kept for as long as anybody should wait for it, each of them JSON behind a byte that
//! says its format.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    document::{Config, StoreError},
    ids::{DocumentName, Timestamp},
    store::{Collection, Kept, Life, Quota, Record, Store},
};

/// The records of all documents.
#[derive(Clone)]
pub(super) struct Records {
    store: Arc<dyn Store>,
    answer_within: Duration,
    read_within: Duration,
}

impl Records {
    pub(super) fn new(store: Arc<dyn Store>, config: &Config) -> Self {
        Self { store, answer_within: config.answer_within, read_within: config.read_within }
    }

    /// Keeps new ones, all or none ([`Store::keep`]).
    pub(super) async fn keep(
        &self,
        document: &DocumentName,
        life: Life,
        at: Timestamp,
        records: Vec<Record>,
        quota: Quota,
    ) -> Result<Kept, StoreError> {
        let kept = self.store.keep(document.clone(), life, at, records, quota);
        within(self.answer_within, kept).await
    }

    /// Forgets some for ever; whether they were there ([`Store::forget`]).
    pub(super) async fn forget(
        &self,
        document: &DocumentName,
        life: Life,
        keys: Vec<(Collection, Uuid)>,
    ) -> Result<bool, StoreError> {
        within(self.answer_within, self.store.forget(document.clone(), life, keys)).await
    }

    /// One of them ([`Store::record`]).
    pub(super) async fn get(
        &self,
        document: &DocumentName,
        collection: Collection,
        key: Uuid,
    ) -> Result<Option<Bytes>, StoreError> {
        // What may be megabytes, behind whatever others have the store read.
        within(self.read_within, self.store.record(document.clone(), collection, key)).await
    }

    /// The last of them before a key ([`Store::records`]).
    pub(super) async fn page(
        &self,
        document: &DocumentName,
        collection: Collection,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        within(self.read_within, self.store.records(document.clone(), collection, before, limit)).await
    }
}

async fn within<T>(
    patience: Duration,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(patience, asked).await.unwrap_or(Err(StoreError::Unanswered(patience)))
}

/// The format of everything that is written.
const VERSION: u8 = 1;

/// The value of a record.
pub(super) fn encode(value: &impl Serialize) -> Bytes {
    let mut bytes = vec![VERSION];
    // Cannot fail: strings and numbers. Were it to, the value would be one that is found damaged.
    let _ = serde_json::to_writer(&mut bytes, value);
    bytes.into()
}

/// What was stored. `what` names the record for whoever has to look into the damage.
pub(super) fn decode<T: DeserializeOwned>(
    document: &DocumentName,
    what: &str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    let damaged = |what| StoreError::Damaged { document: document.clone(), what };
    match bytes {
        [VERSION, json @ ..] => {
            serde_json::from_slice(json).map_err(|error| damaged(format!("{what}: {error}")))
        }
        _ => Err(damaged(format!("{what} has a format that this weft does not know"))),
    }
}
