//! What the bookshop's pages ask, and what its customers change.

/// One kind of query.
pub(super) struct ReadKind {
    /// What the report calls it.
    pub(super) name: &'static str,
    /// The text, with `$1` for the parameter if there is one.
    pub(super) sql: &'static str,
    /// What the parameter is.
    pub(super) parameter: Subject,
    /// How often it is asked, in relation to the others.
    pub(super) weight: u32,
}

/// What a statement is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Book,
    Author,
    Genre,
    Nothing,
}

/// The queries, by the types of their columns: see `worker.rs`.
pub(super) const READS: [ReadKind; 8] = [
    ReadKind {
        name: "book page (3 tables)",
        sql: "SELECT b.title, b.genre, a.name, p.name, b.id, b.price, b.stock \
              FROM kogia_demo_book b JOIN kogia_demo_author a ON a.id = b.author_id \
              JOIN kogia_demo_publisher p ON p.id = b.publisher_id WHERE b.id = $1",
        parameter: Subject::Book,
        weight: 30,
    },
    ReadKind {
        name: "price and stock by key",
        sql: "SELECT id, price, stock FROM kogia_demo_book WHERE id = $1",
        parameter: Subject::Book,
        weight: 20,
    },
    ReadKind {
        name: "author by key",
        sql: "SELECT name, bio, id FROM kogia_demo_author WHERE id = $1",
        parameter: Subject::Author,
        weight: 10,
    },
    ReadKind {
        name: "latest reviews of a book",
        sql: "SELECT body, id, stars FROM kogia_demo_review WHERE book_id = $1 \
              ORDER BY id DESC LIMIT 10",
        parameter: Subject::Book,
        weight: 15,
    },
    ReadKind {
        name: "rating (a view)",
        sql: "SELECT book_id, reviews, stars FROM kogia_demo_rating WHERE book_id = $1",
        parameter: Subject::Book,
        weight: 10,
    },
    ReadKind {
        name: "books of an author",
        sql: "SELECT title, id, price FROM kogia_demo_book WHERE author_id = $1 \
              ORDER BY title, id LIMIT 20",
        parameter: Subject::Author,
        weight: 9,
    },
    ReadKind {
        name: "genres (aggregate)",
        sql: "SELECT genre, COUNT(*), MAX(price) FROM kogia_demo_book GROUP BY genre \
              ORDER BY genre",
        parameter: Subject::Nothing,
        weight: 5,
    },
    ReadKind {
        name: "bestsellers (view, join)",
        sql: "SELECT b.title, b.id, r.reviews FROM kogia_demo_book b \
              JOIN kogia_demo_rating r ON r.book_id = b.id WHERE b.genre = $1 \
              ORDER BY r.reviews DESC, b.id LIMIT 10",
        parameter: Subject::Genre,
        weight: 1,
    },
];

pub(super) const SELL: &str =
    "UPDATE kogia_demo_book SET stock = stock - 1, price = $1 WHERE id = $2";
pub(super) const REVIEW: &str =
    "INSERT INTO kogia_demo_review (book_id, stars, body) VALUES ($1, $2, $3)";
pub(super) const BIOGRAPHY: &str = "UPDATE kogia_demo_author SET bio = $1 WHERE id = $2";
pub(super) const WITHDRAW: &str = "DELETE FROM kogia_demo_book WHERE id = $1";
pub(super) const REPRINT: &str = "INSERT INTO kogia_demo_book \
     (id, title, author_id, publisher_id, genre, price, stock) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

pub(super) const GENRES: [&str; 12] = [
    "adventure",
    "biography",
    "children",
    "cooking",
    "crime",
    "fantasy",
    "history",
    "poetry",
    "romance",
    "science",
    "sea",
    "travel",
];
