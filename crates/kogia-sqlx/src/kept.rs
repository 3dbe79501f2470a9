//! Rows that can be kept.

use std::fmt;
use std::marker::PhantomData;

use kogia::Encoded;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Error;

use crate::codec::{self, Encoder};

/// A row that can be kept: everything that `serde` writes and reads, and
/// [`CachedRow`](crate::CachedRow).
///
/// Sealed: implement `Serialize` and `DeserializeOwned` for the type of a row.
pub trait Kept: Sized + Send + 'static {
    #[doc(hidden)]
    type Collector: Collector<Self>;

    #[doc(hidden)]
    fn decode(value: &[u8]) -> Result<Vec<Self>, Error>;
}

/// Makes a value of rows.
#[doc(hidden)]
pub trait Collector<T>: Default + Send {
    /// Adds a row.
    fn push(&mut self, row: &T);

    /// The value, or why there is none. `columns` are the names of what the database gave.
    fn finish(&self, columns: &[String], ignores_columns: bool) -> Result<Encoded, String>;
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Kept for T {
    type Collector = Typed<T>;

    /// The key says that this very program wrote the value for this very type, and all of it was
    /// read back before it was kept. What still cannot be read is a bug of the type, and the
    /// caller's to know.
    fn decode(value: &[u8]) -> Result<Vec<T>, Error> {
        codec::decode(value).map_err(|error| Error::Decode(Box::new(error)))
    }
}

/// Rows as serde writes them.
#[doc(hidden)]
pub struct Typed<T> {
    encoder: Encoder,
    refused: Option<String>,
    row: PhantomData<fn(T)>,
}

impl<T> Default for Typed<T> {
    fn default() -> Self {
        Typed {
            encoder: Encoder::default(),
            refused: None,
            row: PhantomData,
        }
    }
}

impl<T> Typed<T> {
    fn refuse(&mut self, why: impl fmt::Display) {
        self.refused = Some(why.to_string());
        self.encoder = Encoder::default();
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Collector<T> for Typed<T> {
    fn push(&mut self, row: &T) {
        if self.refused.is_some() {
            return;
        }
        match self.encoder.push(row) {
            Err(error) => self.refuse(format_args!(
                "a {} cannot be kept: {error}",
                std::any::type_name::<T>()
            )),
            Ok(()) if self.encoder.len() > LARGEST => self.refuse(TOO_LARGE),
            Ok(()) => {}
        }
    }

    fn finish(&self, columns: &[String], ignores_columns: bool) -> Result<Encoded, String> {
        if let Some(why) = &self.refused {
            return Err(why.clone());
        }
        let value = self.encoder.finish();
        let row = std::any::type_name::<T>();
        codec::check::<T>(&value)
            .map_err(|why| format!("serde does not give back a {row} as it takes it: {why}"))?;
        if let Some(column) = self.lost(columns)
            && !ignores_columns
        {
            return Err(format!(
                "serde writes no field of {row} for the column {column}; if the type leaves it \
                 out on purpose, say .ignoring_columns()"
            ));
        }
        Ok(Encoded {
            value: value.into(),
            rows: self.encoder.rows(),
        })
    }
}

impl<T> Typed<T> {
    /// A column that is not among the fields, if the rows have fields.
    fn lost<'a>(&self, columns: &'a [String]) -> Option<&'a String> {
        let names = self.encoder.names();
        columns
            .iter()
            .find(|column| !names.is_empty() && !names.iter().any(|name| is_same(name, column)))
    }
}

/// Whether two names differ in case and underscores at most.
fn is_same(one: &str, other: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = char> {
        name.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
    }
    one == other || letters(one).eq(letters(other))
}

/// The largest value that is kept, in bytes: a larger one would drive thousands of others out.
pub(crate) const LARGEST: usize = 16 << 20;

pub(crate) const TOO_LARGE: &str = "the rows take more than 16 MiB";
