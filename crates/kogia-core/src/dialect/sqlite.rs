//! SQLite: functions of the library, of its extensions, of SpatiaLite and of Django, pragmas, system
//! relations, keys.

use super::{FunctionKind, Setting};
use crate::schema::KeyKind;

/// What becomes of a pragma that is in neither list.
pub(super) fn setting(name: &str) -> Setting {
    match name {
        "query_only" => Setting::ReadOnly,
        _ => Setting::Unknown,
    }
}

/// What a pragma is once its value is known.
pub(super) fn setting_to(name: &str, value: &str, by_name: Setting) -> Setting {
    match name {
        "read_uncommitted" | "writable_schema"
            if matches!(value, "0" | "off" | "false" | "no" | "reset") =>
        {
            Setting::Harmless
        }
        _ => by_name,
    }
}

/// Whether a relation belongs to the library: names that begin with `sqlite_` are reserved.
pub(super) fn is_system_relation(name: &str) -> bool {
    name.starts_with("sqlite_")
        || name.starts_with("pragma_")
        || matches!(
            name,
            "bytecode" | "completion" | "dbstat" | "fsdir" | "tables_used" | "zipfile"
        )
}

/// How values of a column of that declared type compare, by the rules of type affinity.
pub(super) fn key_kind(type_name: &str, collation: Option<&str>) -> Option<KeyKind> {
    let has = |part: &str| type_name.contains(part);
    if has("int") {
        return Some(KeyKind::Integer);
    }
    if has("char") || has("clob") || has("text") {
        let binary = collation.is_none_or(|name| name.eq_ignore_ascii_case("binary"));
        return binary.then_some(KeyKind::Text);
    }
    // Affinity `BLOB` leaves every value as it is, and binary strings equal only each other.
    has("blob").then_some(KeyKind::Bytes)
}

/// The words that mean the clock, or the time zone of this very process, in arguments of date
/// functions.
pub(super) static TIME_WORDS: &[&str] = &["localtime", "now", "subsec", "subsecond", "utc"];

/// The functions, by what calling one means.
pub(super) static FUNCTIONS: &[(FunctionKind, &[&str])] = &[
    (FunctionKind::Pure, PURE),
    (FunctionKind::SqliteTime, TIME),
    (FunctionKind::Volatile, VOLATILE),
    (FunctionKind::Session, SESSION),
    (FunctionKind::Writes, WRITES),
    (FunctionKind::External, EXTERNAL),
    (FunctionKind::System, SYSTEM),
];

/// Answers that depend on arguments, tables and settings of the key alone.
#[rustfmt::skip]
static PURE: &[&str] = &[
    "->", "->>", "abs", "acos", "acosh", "any_value", "asbinary", "asewkb", "asewkt", "asin",
    "asinh", "assvg", "astext", "atan", "atan2", "atanh", "avg", "azimuth", "base64", "base85",
    "bitxor", "bm25", "buffer", "cast", "ceil", "ceiling", "centroid", "char", "closestpoint",
    "coalesce", "collect", "concat", "concat_ws", "contains", "convexhull", "cos", "cosh", "cot",
    "count", "coveredby", "covers", "crosses", "cume_dist", "decimal", "decimal_add", "decimal_cmp",
    "decimal_exp", "decimal_mul", "decimal_pow2", "decimal_sub", "decimal_sum", "degrees",
    "dense_rank", "difference", "disjoint", "django_date_extract", "django_date_trunc",
    "django_datetime_cast_date", "django_datetime_cast_time", "django_datetime_extract",
    "django_datetime_trunc", "django_format_dtdelta", "django_power", "django_time_diff",
    "django_time_extract", "django_time_trunc", "django_timestamp_diff", "envelope", "equals",
    "exists", "exp", "extent", "first_value", "floor", "format", "fts5_get_locale",
    "fts5_insttoken", "fts5_locale", "generate_series", "geohash", "geomcollfromtext",
    "geometryconstraints", "geometryfromtext", "geomfromewkb", "geomfromewkt", "geomfromtext",
    "geomfromwkb", "geosminimumboundingcircle", "glob", "group_concat", "gunion", "hex",
    "highlight", "ieee754", "ieee754_exponent", "ieee754_from_blob", "ieee754_inc",
    "ieee754_mantissa", "ieee754_to_blob", "if", "ifnull", "iif", "in", "instr", "intersection",
    "intersects", "isempty", "issimple", "isvalid", "json", "json_array", "json_array_insert",
    "json_array_length", "json_each", "json_error_position", "json_extract", "json_group_array",
    "json_group_object", "json_insert", "json_object", "json_patch", "json_pretty", "json_quote",
    "json_remove", "json_replace", "json_set", "json_tree", "json_type", "json_valid", "jsonb",
    "jsonb_array", "jsonb_array_insert", "jsonb_each", "jsonb_extract", "jsonb_group_array",
    "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove",
    "jsonb_replace", "jsonb_set", "jsonb_tree", "lag", "last_value", "lead", "length", "like",
    "likelihood", "likely", "ln", "log", "log10", "log2", "lower", "lpad", "ltrim", "makeline",
    "makepoint", "makepolygon", "makevalid", "match", "matchinfo", "max", "mbrcontains",
    "mbrdisjoint", "mbrequal", "mbrintersects", "mbroverlaps", "mbrtouches", "mbrwithin", "md5",
    "median", "min", "mod", "not", "nth_value", "ntile", "nullif", "numpoints", "octet_length",
    "offsets", "overlaps", "percent_rank", "percentile", "percentile_cont", "percentile_disc", "pi",
    "pointonsurface", "pow", "power", "printf", "quote", "radians", "rank", "regexp", "regexpi",
    "relate", "repeat", "replace", "reverse", "round", "row_number", "rpad", "rtrim", "scalecoords",
    "sha1", "sha224", "sha256", "sha3", "sha384", "sha3_agg", "sha512", "shiftcoords", "sign",
    "sin", "sinh", "snaptogrid", "snippet", "soundex", "sqrt", "srid", "st_asbinary", "st_astext",
    "st_aswkb", "st_azimuth", "st_buffer", "st_centroid", "st_closestpoint", "st_collect",
    "st_contains", "st_convexhull", "st_coveredby", "st_covers", "st_crosses", "st_difference",
    "st_disjoint", "st_endpoint", "st_envelope", "st_equals", "st_exteriorring", "st_forcelhr",
    "st_forcepolygoncw", "st_geometryn", "st_geometrytype", "st_geomfromtext", "st_geomfromwkb",
    "st_intersection", "st_intersects", "st_isclosed", "st_isempty", "st_isring", "st_issimple",
    "st_isvalid", "st_line_interpolate_point", "st_line_locate_point", "st_makevalid", "st_npoints",
    "st_numgeometries", "st_numpoints", "st_overlaps", "st_point", "st_pointn", "st_pointonsurface",
    "st_relate", "st_reverse", "st_snaptogrid", "st_srid", "st_startpoint", "st_symdifference",
    "st_touches", "st_translate", "st_union", "st_within", "st_x", "st_y", "st_z", "stddev_pop",
    "stddev_samp", "string_agg", "substr", "substring", "subtype", "sum", "symdifference", "tan",
    "tanh", "total", "touches", "trim", "trunc", "typeof", "unhex", "unicode", "unistr",
    "unistr_quote", "unlikely", "upper", "values", "var_pop", "var_samp", "within", "zeroblob",
];

/// Date functions, which depend on the clock if an argument says so.
#[rustfmt::skip]
static TIME: &[&str] = &[
    "date", "datetime", "julianday", "strftime", "time", "timediff", "unixepoch",
];

/// Another answer each time, or one that depends on the session, but nothing is written.
#[rustfmt::skip]
static VOLATILE: &[&str] = &[
    "changes", "current_date", "current_time", "current_timestamp", "gen_random_uuid",
    "last_insert_rowid", "rand", "random", "randomblob", "sqlite_log", "sqlite_offset",
    "total_changes", "usleep", "uuid", "uuidv4", "uuidv7",
];

/// Functions that change the session.
#[rustfmt::skip]
static SESSION: &[&str] = &[
    "load_extension",
];

/// Functions that may write, or run SQL text that the analysis does not see.
#[rustfmt::skip]
static WRITES: &[&str] = &[
    "edit", "eval", "fts3_tokenizer", "fts5", "optimize", "sha3_query", "shell_add_schema",
    "writefile", "zipfile",
];

/// Functions that read outside the tables: files, other servers, statistics; of SpatiaLite, those
/// that may look a reference system up in a table that the text does not show.
#[rustfmt::skip]
static EXTERNAL: &[&str] = &[
    "area", "asgeojson", "asgml", "askml", "distance", "fsdir", "geodesiclength",
    "greatcirclelength", "lsmode", "perimeter", "ptdistwithin", "readfile", "sqlar_compress",
    "sqlar_uncompress", "st_area", "st_distance", "st_length", "st_perimeter", "st_transform",
    "transform", "zipfile_cds",
];

/// Facts about the server, the catalog and the storage.
#[rustfmt::skip]
static SYSTEM: &[&str] = &[
    "fts5_source_id", "geos_version", "proj4_version", "proj_version", "rtreecheck", "rtreedepth",
    "rtreenode", "rttopo_version", "shell_module_schema", "spatialite_target_cpu",
    "spatialite_version", "sqlite_compileoption_get", "sqlite_compileoption_used",
    "sqlite_source_id", "sqlite_version",
];

/// Settings that cannot change what a query returns.
#[rustfmt::skip]
pub(super) static HARMLESS: &[&str] = &[
    "analysis_limit", "application_id", "auto_vacuum", "automatic_index", "busy_timeout",
    "cache_size", "cache_spill", "cell_size_check", "checkpoint_fullfsync", "cipher",
    "cipher_compatibility", "cipher_hmac_algorithm", "cipher_kdf_algorithm", "cipher_log",
    "cipher_log_level", "cipher_memory_security", "cipher_page_size",
    "cipher_plaintext_header_size", "cipher_salt", "cipher_use_hmac", "collation_list",
    "compile_options", "count_changes", "data_store_directory", "data_version", "database_list",
    "default_cache_size", "defer_foreign_keys", "foreign_key_check", "foreign_key_list",
    "foreign_keys", "freelist_count", "fullfsync", "function_list", "hard_heap_limit", "hexkey",
    "ignore_check_constraints", "incremental_vacuum", "index_info", "index_list", "index_xinfo",
    "integrity_check", "journal_mode", "journal_size_limit", "kdf_iter", "key",
    "legacy_alter_table", "legacy_file_format", "lock_status", "locking_mode", "max_page_count",
    "mmap_size", "module_list", "optimize", "page_count", "page_size", "parser_trace",
    "pragma_list", "quick_check", "recursive_triggers", "rekey", "secure_delete", "shrink_memory",
    "soft_heap_limit", "stats", "synchronous", "table_info", "table_list", "table_xinfo",
    "temp_store", "temp_store_directory", "textkey", "threads", "trusted_schema", "user_version",
    "vdbe_addoptrace", "vdbe_debug", "vdbe_listing", "vdbe_trace", "wal_autocheckpoint",
    "wal_checkpoint",
];

/// Settings that can change what a query returns.
#[rustfmt::skip]
pub(super) static KEY: &[&str] = &[
    "case_sensitive_like", "empty_result_callbacks", "encoding", "full_column_names",
    "reverse_unordered_selects", "short_column_names",
];
