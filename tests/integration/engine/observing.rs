//! Reads that overlap with saves of the caller.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Release that answers every read with the caller's card, which the caller saves after the first
/// cards were read.
struct SavingCaller {
    id: PortalId,
    requests: AtomicU32,
}

impl ReadPortal for SavingCaller {
    fn portal(&self) -> &PortalId {
        &self.id
    }

    async fn identify(&self) -> Result<Identity, PortalError> {
        Ok(InMemoryPortal::new(&world(&[])).identity())
    }

    async fn departments(&self) -> Result<Vec<Department>, PortalError> {
        Ok(Vec::new())
    }

    async fn people(&self, _: &PeopleQuery) -> Result<Vec<Person>, PortalError> {
        Ok(Vec::new())
    }

    async fn catalog(&self, _: &CatalogQuery) -> Result<CardCatalog, PortalError> {
        Ok(CardCatalog::default())
    }

    async fn read_cards(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        let first = self.requests.fetch_add(1, Ordering::Relaxed) == 0;
        for key in keys {
            let before_the_save = first && key.user() == Some(user(2));
            sink.take(
                *key,
                CardRead::Read(Some(layout(if before_the_save { "old" } else { "new" }))),
            );
        }
        Ok(())
    }
}

#[tokio::test]
async fn observe_caller_saves_between_reads_proves_nothing() {
    let portal = SavingCaller {
        id: PortalId::new("company.bitrix24.com").unwrap(),
        requests: AtomicU32::new(0),
    };
    let caller =
        Identity { release_sign: ReleaseSign::Unknown, ..portal.identify().await.unwrap() };
    let snapshot = observe(&portal, &caller, &[simple(1), simple(2)], &quiet).await.unwrap();
    assert_eq!(snapshot.trust, ReadTrust::Unproven);
}
