//! One of several processes that share a database and a store: the tests start it.

use std::process::ExitCode;

use kogia_conformance::process::Orders;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let orders: Orders = match serde_json::from_str(&argument) {
        Ok(orders) => orders,
        Err(error) => {
            eprintln!("error: the orders cannot be read: {error}; the tests start this program");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(orders.obey()),
        Err(error) => Err(error.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
