//! Any bytes are an entry or an error.

use kogia_core::{Entry, EntryHeader};
use xxhash_rust::xxh3::xxh3_64;

use crate::Target;

/// Reads the bytes as an entry; then again with the checksum that they ought to have.
pub const ENTRY: Target = Target {
    name: "entry",
    run: entry,
    dictionary: &[],
};

fn entry(data: &[u8]) {
    read(data);
    let mut data = data.to_vec();
    let Some((covered, checksum)) = data.split_last_chunk_mut() else {
        return;
    };
    *checksum = xxh3_64(covered).to_le_bytes();
    read(&data);
    if let Some(damaged) = data.first_mut() {
        *damaged ^= 0x80;
        assert!(
            Entry::parse(&data).is_err(),
            "an entry of another format was read"
        );
    }
}

fn read(data: &[u8]) {
    let header = EntryHeader::parse(data);
    let Ok(entry) = Entry::parse(data) else {
        return;
    };
    let header = header.expect("an entry begins with a header");
    assert_eq!(
        header.entry_len(),
        data.len(),
        "the header told another length"
    );
    assert_eq!(header.key(), entry.key(), "the header told another key");
    let again = Entry {
        key: entry.key(),
        stamp: &entry.stamp(),
        expires: entry.expires(),
        value: entry.value(),
    };
    assert_eq!(
        again.encode().as_deref(),
        Ok(data),
        "an entry did not come back as it was"
    );
    let mut buffer = vec![0; data.len()];
    assert_eq!(
        again.encode_into(&mut buffer),
        Ok(()),
        "the length was told wrong"
    );
    assert_eq!(buffer, data, "the two ways to encode differ");
}
