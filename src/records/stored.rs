//! Values that are stored in a form of their own, for `#[serde(with = "stored")]`.
//!
//! Items of a list are converted one by one while the list is written or read, so that a long list
//! is not held twice.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value with a stored form.
pub(super) trait Stored: TryFrom<Self::Form, Error: fmt::Display> {
    /// The form.
    type Form: Serialize + DeserializeOwned + for<'a> From<&'a Self>;
}

/// Serializes a value in its form.
pub(super) fn serialize<T: Stored, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    T::Form::from(value).serialize(serializer)
}

/// Deserializes a value from its form.
pub(super) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::try_from(T::Form::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Lists of such values, for `#[serde(with = "stored::list")]`.
pub(super) mod list {
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::{Error as _, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    use super::Stored;

    /// Serializes each value in its form.
    pub(in crate::records) fn serialize<T: Stored, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(T::Form::from))
    }

    /// Deserializes each value from its form.
    pub(in crate::records) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }

    struct ListVisitor<T>(PhantomData<T>);

    impl<'de, T: Stored> Visitor<'de> for ListVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut forms: A) -> Result<Vec<T>, A::Error> {
            let mut values = Vec::new();
            while let Some(form) = forms.next_element::<T::Form>()? {
                values.push(T::try_from(form).map_err(A::Error::custom)?);
            }
            Ok(values)
        }
    }
}
