//! Locking what threads share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic leaves nothing inconsistent behind, so poisoning is ignored.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
