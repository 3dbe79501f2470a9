//! What a live connection says about its database, asked in the words of [`kogia::introspect`].

#[cfg(test)]
mod tests;

use kogia::core::{DatabaseId, Schema};
use kogia::introspect::{self, Answer, Identity, IdentityError};
use sqlx::Error;

use crate::driver::Sealed;

/// Which database a connection is to, and everything about a fresh session of it that can change
/// a result.
pub(crate) async fn identify<DB: Sealed>(
    connection: &mut DB::Connection,
) -> Result<Identity, Error> {
    let answers = ask::<DB>(connection, introspect::identity_questions(DB::DIALECT)).await;
    let answers = answers.map_err(DB::explain_refusal)?;
    introspect::identity(DB::DIALECT, &answers).map_err(unidentified)
}

/// The databases that are attached to a connection beside its own (SQLite).
pub(crate) async fn attached<DB: Sealed>(
    connection: &mut DB::Connection,
) -> Result<Vec<DatabaseId>, Error> {
    let Some(question) = introspect::attached_question(DB::DIALECT) else {
        return Ok(Vec::new());
    };
    let answer = DB::ask(connection, question).await?;
    introspect::attached(&answer).map_err(unidentified)
}

/// The facts of the schema.
pub(crate) async fn catalog_of<DB: Sealed>(
    connection: &mut DB::Connection,
) -> Result<Schema, Error> {
    let answers = ask::<DB>(connection, introspect::catalog_questions(DB::DIALECT)).await?;
    Ok(introspect::catalog(DB::DIALECT, &answers))
}

async fn ask<DB: Sealed>(
    connection: &mut DB::Connection,
    questions: &[&'static str],
) -> Result<Vec<Answer>, Error> {
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        answers.push(DB::ask(connection, question).await?);
    }
    Ok(answers)
}

fn unidentified(error: IdentityError) -> Error {
    Error::Configuration(error.into())
}
