//! To be written.

mod arguments;
mod codec;
