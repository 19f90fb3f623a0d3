//! Values that are stored in a form of their own, for `#[serde(with = "stored")]`.

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
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

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
        let forms = Vec::<T::Form>::deserialize(deserializer)?;
        forms.into_iter().map(|form| T::try_from(form).map_err(D::Error::custom)).collect()
    }
}
