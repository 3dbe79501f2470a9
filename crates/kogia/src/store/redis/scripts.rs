//! What runs in the server: the store's half of the protocol, as `kogia_core::TagState` has it.

use std::sync::LazyLock;

use redis::Script;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $($file:literal),+;)*) => {
        $($(#[$doc])*
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(
                include_str!("lua/prelude.lua"),
                $(include_str!(concat!("lua/", $file))),+
            ))
        });)*
    };
}

scripts! {
    BEGIN: "begin.lua";
    CREATE: "guard.lua", "create.lua";
    MARK: "guard.lua", "mark.lua";
    CLEAR: "guard.lua", "clear.lua";
    EXTEND: "guard.lua", "extend.lua";
    OWNERS: "guard.lua", "owners.lua";
    RENEW_ALL: "guard.lua", "renew_all.lua";
    FORGET: "forget.lua";
}
