//! What a typed value looks like, for keys.

use std::any::TypeId;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::sync::OnceLock;

use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3Default;

/// How many rows of the answer a value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    All,
    First,
}

/// The shape of rows of type `T`: this very program, and the type in it.
///
/// Another program, or another build of the same one, may have other fields under the same name of
/// a type, and would read defaults where this one wrote values.
pub(crate) fn of<T: 'static>(rows: Rows) -> SmallVec<[u8; 128]> {
    let mut shape = SmallVec::new();
    shape.extend_from_slice(b"kogia-sqlx/1");
    shape.push(match rows {
        Rows::All => b'*',
        Rows::First => b'1',
    });
    shape.extend_from_slice(&program());
    let mut hasher = DefaultHasher::new();
    TypeId::of::<T>().hash(&mut hasher);
    shape.extend_from_slice(&hasher.finish().to_le_bytes());
    shape.extend_from_slice(std::any::type_name::<T>().as_bytes());
    shape
}

/// A digest of the running program's file.
pub(crate) fn program() -> [u8; 16] {
    static PROGRAM: OnceLock<[u8; 16]> = OnceLock::new();
    *PROGRAM.get_or_init(|| {
        digest().unwrap_or_else(|_| {
            // Nobody else reads what it writes then, not even another process of the same program.
            let mut random = [0; 16];
            let _ = getrandom::fill(&mut random);
            random
        })
    })
}

fn digest() -> std::io::Result<[u8; 16]> {
    // On Linux this is the file that runs, even if another one has its path by now.
    let own = std::path::Path::new("/proc/self/exe");
    let mut file = match std::fs::File::open(own) {
        Ok(file) => file,
        Err(_) => std::fs::File::open(std::env::current_exe()?)?,
    };
    let mut hasher = Xxh3Default::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let length = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(hasher.digest128().to_le_bytes());
        };
        hasher.update(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_one_name_differ() {
        fn first() -> SmallVec<[u8; 128]> {
            struct Row;
            of::<Row>(Rows::All)
        }
        let shapes = [
            first(),
            {
                struct Row;
                of::<Row>(Rows::All)
            },
            {
                struct Row;
                of::<Row>(Rows::All)
            },
            of::<i64>(Rows::All),
            of::<i64>(Rows::First),
            of::<(i64,)>(Rows::All),
        ];
        for (i, one) in shapes.iter().enumerate() {
            for (j, other) in shapes.iter().enumerate() {
                assert_eq!(one == other, i == j);
            }
        }
        assert_eq!(first(), first());
    }
}
