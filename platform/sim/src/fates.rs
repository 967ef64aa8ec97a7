//! How what was wished for ended.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How many cases ended how, over all runs that share it.
#[derive(Clone, Default)]
pub struct Fates(Arc<Mutex<BTreeMap<String, u64>>>);
impl Fates {
    /// Another one ended so.
    pub fn count(&self, fate: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(fate).or_default() += 1;
    }
    /// All that were counted.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
