//! Lock of a portal: the right to write.
//!
//! The owner of a lock that another process left behind is taken for dead only if the medium proves
//! it.

use std::sync::Arc;
use std::time::Duration;

use super::medium::Medium;
#[cfg(feature = "postgres")]
use super::medium::MediumLock;
use super::place::LockState;
use super::{Store, WriteGuard};
use crate::i18n::Text;
use crate::ports::{Claim, Clock, LockOwner, StoreError};
use crate::records::AuditEvent;

/// Interval at which a waiting process checks the lock. A quarter of a second is not noticeable,
/// and four checks a second are cheap.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

impl Store {
    /// Returns `true` if the lock is a lease, which outlasts every request that its holder sent.
    pub fn has_leases(&self) -> bool {
        match &self.medium {
            Medium::Folder(_) => false,
            #[cfg(feature = "postgres")]
            Medium::Postgres(_) => true,
        }
    }

    /// Takes the lock. Returns a notice with it if the last owner left the lock behind.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process holds it, or may hold it without being visible
    /// here.
    pub async fn lock(
        &self,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
    ) -> Result<(WriteGuard, Option<Text>), StoreError> {
        let (held, note) = self.medium.lock(owner.clone(), &clock).await?;
        // Read under the lock: a copy may have ended just before.
        self.refuse_moved().await?;
        let mut locked = WriteGuard::new(self.clone(), held, owner, clock);
        if let Some(note) = &note {
            locked.audit_lock(AuditEvent::LockTakenOver(note.english().to_owned())).await?;
        }
        Ok((locked, note))
    }

    /// Returns the permission for each request that writes to the portal. A lock in a database is a
    /// lease, which must outlast the request; one in a folder lasts as long as its process.
    pub fn write_permit(&self) -> Arc<dyn Fn() -> Result<(), String> + Send + Sync> {
        match &self.medium {
            Medium::Folder(_) => Arc::new(|| Ok(())),
            #[cfg(feature = "postgres")]
            Medium::Postgres(records) => {
                let permit = records.permit.clone();
                Arc::new(move || permit.check().map_err(|refused| refused.reason().to_owned()))
            }
        }
    }

    /// Takes the lock for the round of a claim. In a database the lease of the claim is the lock,
    /// and its worker keeps it.
    ///
    /// # Errors
    ///
    /// As [`Store::lock`]; [`StoreError::LeaseLost`] if the claim is not the present one.
    pub async fn adopt(
        &self,
        claim: &Claim,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
    ) -> Result<(WriteGuard, Option<Text>), StoreError> {
        match &self.medium {
            #[cfg(feature = "postgres")]
            Medium::Postgres(records) => {
                let held = MediumLock::Postgres(records.adopt(claim, &owner).await?);
                Ok((WriteGuard::new(self.clone(), held, owner, clock), None))
            }
            Medium::Folder(_) => {
                // Its one worker has no lease to prove.
                let _ = claim;
                self.lock(owner, clock).await
            }
        }
    }

    /// Takes the lock, and waits a limited time for it if another process holds it.
    ///
    /// # Errors
    ///
    /// As [`Store::lock`]; with the owner at the last check.
    pub async fn lock_waiting(
        &self,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Result<(WriteGuard, Option<Text>), StoreError> {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            match self.lock(owner.clone(), Arc::clone(&clock)).await {
                Err(StoreError::Locked(_)) if tokio::time::Instant::now() < deadline => {
                    let next = tokio::time::Instant::now() + POLL_INTERVAL;
                    tokio::time::sleep_until(next.min(deadline)).await;
                }
                settled => return settled,
            }
        }
    }

    /// Returns the owner that the lock names, who holds it or left it behind. Only an attempt to
    /// take the lock tells which.
    pub async fn lock_owner(&self) -> Result<Option<LockOwner>, StoreError> {
        self.medium.lock_owner().await
    }

    /// Returns the owner of the lock and its liveness, as far as it is visible here. The caller
    /// compares the host names.
    pub async fn lock_state(&self) -> Result<LockState, StoreError> {
        self.medium.lock_state().await
    }

    /// Removes a dead owner's name from the lock, for a person who has made sure that the owner is
    /// dead. The owner must be the one that this person was shown.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if the owner is alive on this host, or another process holds the lock
    /// now.
    pub async fn unlock(&self, shown: &LockOwner) -> Result<(), StoreError> {
        self.medium.unlock(shown.clone()).await
    }
}
