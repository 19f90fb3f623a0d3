//! Lists that are converted item by item.
//!
//! A converted copy of a long list would hold a plan or a journal of many people a second time.
//! Each item is therefore converted when it is written, and converted back when it is read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// List of items that are written in the form `F`.
pub(super) struct LazySeq<'a, T: Clone, F> {
    items: Cow<'a, [T]>,
    form: PhantomData<F>,
}

impl<'a, T: Clone, F> LazySeq<'a, T, F> {
    /// Creates a list to be written.
    pub(super) fn from_slice(items: &'a [T]) -> Self {
        Self { items: Cow::Borrowed(items), form: PhantomData }
    }

    /// Returns the items of a list that was read.
    pub(super) fn into_items(self) -> Vec<T> {
        self.items.into_owned()
    }
}

impl<T: Clone + fmt::Debug, F> fmt::Debug for LazySeq<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.fmt(f)
    }
}

impl<T: Clone, F> Serialize for LazySeq<'_, T, F>
where
    F: Serialize + for<'b> From<&'b T>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.items.iter().map(F::from))
    }
}

impl<'de, T, F> Deserialize<'de> for LazySeq<'_, T, F>
where
    F: Deserialize<'de>,
    T: Clone + TryFrom<F, Error: fmt::Display>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let forms = Vec::<F>::deserialize(deserializer)?.into_iter();
        let items = forms.map(T::try_from).collect::<Result<_, _>>().map_err(D::Error::custom)?;
        Ok(Self { items: Cow::Owned(items), form: PhantomData })
    }
}
