//! To be written.

mod arguments;
mod catalog;
mod codec;
mod driver;
#[cfg(test)]
mod testing;
