//! Locking what requests share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic leaves no inconsistent state, so poisoning is ignored.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
