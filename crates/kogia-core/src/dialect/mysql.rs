//! MySQL 8 and MariaDB: functions, settings, implicit commits, system relations, keys.

use super::{FunctionKind, Setting, contains};
use crate::schema::KeyKind;

/// First words of statements that commit the open transaction before they run, whether they then
/// succeed or not, in upper case. Between two of the words others may stand (`ANALYZE LOCAL
/// TABLE`), and `CREATE` and `DROP` commit only if `TEMPORARY` is not their second word (third,
/// after `OR REPLACE`).
///
/// Tried on MariaDB 10.11. Statements of replication and of key caches (`CACHE INDEX`, `LOAD
/// INDEX`, `CHANGE MASTER`, `START` or `STOP SLAVE`) commit on MySQL and not on MariaDB, and
/// `UNLOCK TABLES` commits only if `LOCK TABLES` locked some; they are not listed.
/// `SET autocommit = 1` commits only if it was 0.
#[rustfmt::skip]
pub(super) static IMPLICIT_COMMIT: &[&[&str]] = &[
    &["ALTER"], &["ANALYZE", "TABLE"], &["BACKUP"], &["BEGIN"], &["CHECK", "TABLE"], &["CHECK", "VIEW"],
    &["CREATE"], &["DROP"], &["FLUSH"], &["GRANT"], &["IMPORT", "TABLE"], &["INSTALL"], &["LOCK", "TABLE"],
    &["LOCK", "TABLES"], &["OPTIMIZE"], &["RENAME"], &["REPAIR"], &["RESET"], &["REVOKE"],
    &["SET", "DEFAULT", "ROLE"], &["SET", "PASSWORD"], &["START", "TRANSACTION"], &["TRUNCATE"], &["UNINSTALL"],
];

/// Whether a statement that begins with these words, in upper case, commits the open transaction
/// before it runs. Six words are enough.
pub(super) fn implicitly_commits(words: &[&str]) -> bool {
    let temporary = matches!(
        words,
        ["CREATE" | "DROP", "TEMPORARY", ..] | ["CREATE", "OR", "REPLACE", "TEMPORARY", ..]
    );
    let other_meaning = matches!(
        words,
        ["BEGIN", "NOT", "ATOMIC", ..] | ["DROP", "PREPARE", ..] | ["RESET", "PERSIST", ..]
    );
    !temporary
        && !other_meaning
        && IMPLICIT_COMMIT
            .iter()
            .any(|start| starts_with(words, start))
}

fn starts_with(words: &[&str], start: &[&str]) -> bool {
    let Some((first, rest)) = start.split_first() else {
        return true;
    };
    // `NO_WRITE_TO_BINLOG` or `LOCAL` may stand after the verb, never elsewhere.
    let after = match words {
        [verb, "LOCAL" | "NO_WRITE_TO_BINLOG", after @ ..] if verb == first => after,
        [verb, after @ ..] if verb == first => after,
        _ => return false,
    };
    after.starts_with(rest)
}

/// What becomes of a setting that is in neither list.
pub(super) fn setting(name: &str) -> Setting {
    match name {
        "autocommit" => Setting::Autocommit,
        "transaction_isolation" | "tx_isolation" => Setting::Isolation,
        "transaction_read_only" | "tx_read_only" => Setting::ReadOnly,
        _ => Setting::Unknown,
    }
}

/// What a setting is once its value is known.
pub(super) fn setting_to(name: &str, value: &str, by_name: Setting) -> Setting {
    let understood = match name {
        "sql_mode" => sql_mode_is_understood(value),
        "names" | "character_set" | "character_set_client" => is_safe_charset(value),
        // With it on, `id IS NULL` finds the row inserted last.
        "sql_auto_is_null" => return off(value),
        // `COMMIT` would begin another transaction, or end the session.
        "completion_type" if matches!(value, "no_chain" | "0") => return Setting::Harmless,
        _ => true,
    };
    if understood {
        by_name
    } else {
        Setting::Unknown
    }
}

fn off(value: &str) -> Setting {
    if matches!(value, "0" | "off" | "false") {
        Setting::Harmless
    } else {
        Setting::Unknown
    }
}

/// Whether no character has a quote or a backslash among its later bytes, so that the server finds
/// the same tokens in a text as the analysis does.
fn is_safe_charset(value: &str) -> bool {
    let name = value.split_whitespace().next().unwrap_or_default();
    contains(SAFE_CHARSETS, name.trim_matches(['\'', '"', '`']))
}

/// Whether the analysis reads a text as the server does under that `sql_mode`.
///
/// Modes that change what quotes, backslashes or keywords mean are not understood, nor are numbers
/// (which are sets of modes) and modes that this list does not know. The value may be an
/// expression over the current mode, as sqlx sends it:
/// `(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION'))`.
pub(super) fn sql_mode_is_understood(value: &str) -> bool {
    value
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .all(|word| contains(UNDERSTOOD_MODES, &word.to_ascii_lowercase()))
}

/// Whether a relation belongs to the database system.
pub(super) fn is_system_relation(schema: Option<&str>, _name: &str) -> bool {
    let schema = schema.map(str::to_ascii_lowercase);
    matches!(
        schema.as_deref(),
        Some("information_schema" | "mysql" | "ndbinfo" | "performance_schema" | "sys")
    )
}

/// How values of a column of that type compare; the name is `COLUMN_TYPE`, or its first word.
pub(super) fn key_kind(type_name: &str, collation: Option<&str>) -> Option<KeyKind> {
    let base = type_name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    let integer = |bits: u32| {
        let unsigned = ["unsigned", "zerofill"]
            .iter()
            .any(|word| type_name.contains(word));
        Some(KeyKind::BoundedInteger {
            min: if unsigned { 0 } else { i64::MIN >> (64 - bits) },
            max: u64::MAX >> (64 - bits + u32::from(!unsigned)),
        })
    };
    let length = || -> Option<u32> {
        let (_, length) = type_name.split_once('(')?;
        length.split_once(')')?.0.trim().parse().ok()
    };
    match base {
        "tinyint" => integer(8),
        "smallint" => integer(16),
        "mediumint" => integer(24),
        "int" | "integer" => integer(32),
        "bigint" => integer(64),
        "uuid" => Some(KeyKind::Uuid),
        "binary" => length().map(KeyKind::FixedBytes),
        "varbinary" => length().map(KeyKind::BoundedBytes),
        // Texts longer than a row are keys by a prefix only, so that their values do not name rows.
        // Collations without padding are no exception: `varchar(3)` stores `'abc '` as `'abc'`.
        "char" | "varchar" if collation.is_some_and(is_plain_collation) => {
            length().map(KeyKind::BoundedText)
        }
        _ => None,
    }
}

/// Whether texts compare letter by letter, and every letter of ASCII has a place of its own.
fn is_plain_collation(name: &str) -> bool {
    name.ends_with("_bin")
        && ["utf8", "ascii", "latin1"]
            .iter()
            .any(|set| name.starts_with(set))
}

/// Character sets that clients use and `is_safe_charset` accepts; MySQL refuses the wide ones.
#[rustfmt::skip]
pub(super) static SAFE_CHARSETS: &[&str] = &[
    "armscii8", "ascii", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866",
    "dec8", "default", "eucjpms", "euckr", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u",
    "latin1", "latin2", "latin5", "latin7", "macce", "macroman", "swe7", "tis620", "ujis", "utf8",
    "utf8mb3", "utf8mb4",
];

/// Modes under which a text means what the analysis reads, and the words of expressions over the
/// current mode.
#[rustfmt::skip]
pub(super) static UNDERSTOOD_MODES: &[&str] = &[
    "allow_invalid_dates", "concat", "default", "empty_string_is_null", "error_for_division_by_zero",
    "global", "ignore_bad_table_options", "ignore_space", "no_auto_create_user", "no_auto_value_on_zero",
    "no_dir_in_create", "no_engine_substitution", "no_field_options", "no_key_options", "no_table_options",
    "no_unsigned_subtraction", "no_zero_date", "no_zero_in_date", "only_full_group_by",
    "pad_char_to_full_length", "pipes_as_concat", "real_as_float", "select", "session",
    "simultaneous_assignment", "sql_mode", "strict_all_tables", "strict_trans_tables",
    "time_round_fractional", "time_truncate_fractional", "traditional",
];

/// The functions, by what calling one means.
pub(super) static FUNCTIONS: &[(FunctionKind, &[&str])] = &[
    (FunctionKind::Pure, PURE),
    (FunctionKind::Volatile, VOLATILE),
    (FunctionKind::Writes, WRITES),
    (FunctionKind::External, EXTERNAL),
    (FunctionKind::Locks, LOCKS),
    (FunctionKind::System, SYSTEM),
];

/// Answers that depend on arguments, tables and settings of the key alone.
#[rustfmt::skip]
static PURE: &[&str] = &[
    "abs", "acos", "add_months", "adddate", "addtime", "aes_decrypt", "aes_encrypt", "any",
    "any_value", "area", "asbinary", "ascii", "asin", "astext", "aswkb", "aswkt", "atan", "atan2",
    "avg", "bin", "bin_to_uuid", "binary", "bit_and", "bit_count", "bit_length", "bit_or",
    "bit_xor", "boolean", "boundary", "buffer", "cast", "ceil", "ceiling", "centroid", "char",
    "char_length", "character_length", "charset", "chr", "coalesce", "coercibility", "collation",
    "column_add", "column_check", "column_create", "column_delete", "column_exists", "column_get",
    "column_json", "column_list", "compress", "concat", "concat_operator_oracle", "concat_ws",
    "contains", "conv", "convert", "convert_tz", "convexhull", "cos", "cot", "count", "crc32",
    "crc32c", "crosses", "cume_dist", "date", "date_add", "date_format", "date_sub", "datediff",
    "datetime", "day", "dayname", "dayofmonth", "dayofweek", "dayofyear", "decimal", "decode",
    "decode_histogram", "decode_oracle", "degrees", "dense_rank", "dimension", "disjoint",
    "distance", "elt", "encode", "endpoint", "envelope", "equals", "exists", "exp", "export_set",
    "exteriorring", "extract", "extractvalue", "field", "find_in_set", "first_value", "float",
    "floor", "format", "format_bytes", "format_pico_time", "from_base64", "from_days",
    "from_unixtime", "geomcollfromtext", "geomcollfromwkb", "geometrycollection",
    "geometrycollectionfromtext", "geometrycollectionfromwkb", "geometryfromtext",
    "geometryfromwkb", "geometryn", "geometrytype", "geomfromtext", "geomfromwkb", "get_format",
    "glength", "greatest", "group_concat", "grouping", "gtid_subset", "gtid_subtract", "hex",
    "hour", "if", "ifnull", "in", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_ntoa", "insert",
    "instr", "interiorringn", "intersects", "interval", "is_ipv4", "is_ipv4_compat",
    "is_ipv4_mapped", "is_ipv6", "is_uuid", "isclosed", "isempty", "isnull", "isring", "issimple",
    "json", "json_array", "json_array_append", "json_array_insert", "json_array_intersect",
    "json_arrayagg", "json_compact", "json_contains", "json_contains_path", "json_depth",
    "json_detailed", "json_equals", "json_exists", "json_extract", "json_insert", "json_key_value",
    "json_keys", "json_length", "json_loose", "json_merge", "json_merge_patch",
    "json_merge_preserve", "json_normalize", "json_object", "json_object_filter_keys",
    "json_object_to_array", "json_objectagg", "json_overlaps", "json_pretty", "json_query",
    "json_quote", "json_remove", "json_replace", "json_schema_valid",
    "json_schema_validation_report", "json_search", "json_set", "json_storage_free",
    "json_storage_size", "json_table", "json_type", "json_unquote", "json_valid", "json_value",
    "kdf", "lag", "last_day", "last_value", "lcase", "lead", "least", "left", "length", "lengthb",
    "linefromtext", "linefromwkb", "linestring", "linestringfromtext", "linestringfromwkb", "ln",
    "locate", "log", "log10", "log2", "lower", "lpad", "lpad_oracle", "ltrim", "ltrim_oracle",
    "make_set", "makedate", "maketime", "match", "max", "mbrcontains", "mbrcoveredby", "mbrcovers",
    "mbrdisjoint", "mbrequal", "mbrequals", "mbrintersects", "mbroverlaps", "mbrtouches",
    "mbrwithin", "md5", "median", "microsecond", "mid", "min", "minute", "mlinefromtext",
    "mlinefromwkb", "mod", "month", "monthname", "months_between", "mpointfromtext",
    "mpointfromwkb", "mpolyfromtext", "mpolyfromwkb", "multilinestring", "multilinestringfromtext",
    "multilinestringfromwkb", "multipoint", "multipointfromtext", "multipointfromwkb",
    "multipolygon", "multipolygonfromtext", "multipolygonfromwkb", "name_const", "natural_sort_key",
    "not", "nth_value", "ntile", "nullif", "numgeometries", "numinteriorrings", "numpoints", "nvl",
    "nvl2", "oct", "octet_length", "old_password", "ord", "overlaps", "password", "percent_rank",
    "percentile_cont", "percentile_disc", "period_add", "period_diff", "pi", "point",
    "pointfromtext", "pointfromwkb", "pointn", "pointonsurface", "polyfromtext", "polyfromwkb",
    "polygon", "polygonfromtext", "polygonfromwkb", "position", "pow", "power", "quarter", "quote",
    "radians", "rank", "regexp_instr", "regexp_like", "regexp_replace", "regexp_substr", "repeat",
    "replace", "replace_oracle", "reverse", "right", "round", "row", "row_number", "rpad",
    "rpad_oracle", "rtrim", "rtrim_oracle", "sec_to_time", "second", "sformat", "sha", "sha1",
    "sha2", "sign", "signed", "sin", "some", "soundex", "space", "sqrt", "srid", "st_area",
    "st_asbinary", "st_asgeojson", "st_astext", "st_aswkb", "st_aswkt", "st_boundary", "st_buffer",
    "st_buffer_strategy", "st_centroid", "st_collect", "st_contains", "st_convexhull", "st_crosses",
    "st_difference", "st_dimension", "st_disjoint", "st_distance", "st_distance_sphere",
    "st_endpoint", "st_envelope", "st_equals", "st_exteriorring", "st_frechetdistance",
    "st_geohash", "st_geomcollfromtext", "st_geomcollfromtxt", "st_geomcollfromwkb",
    "st_geometrycollectionfromtext", "st_geometrycollectionfromwkb", "st_geometryfromtext",
    "st_geometryfromwkb", "st_geometryn", "st_geometrytype", "st_geomfromgeojson",
    "st_geomfromtext", "st_geomfromwkb", "st_hausdorffdistance", "st_interiorringn",
    "st_intersection", "st_intersects", "st_isclosed", "st_isempty", "st_isring", "st_issimple",
    "st_isvalid", "st_latfromgeohash", "st_latitude", "st_length", "st_linefromtext",
    "st_linefromwkb", "st_lineinterpolatepoint", "st_lineinterpolatepoints",
    "st_linestringfromtext", "st_linestringfromwkb", "st_longfromgeohash", "st_longitude",
    "st_makeenvelope", "st_mlinefromtext", "st_mlinefromwkb", "st_mpointfromtext",
    "st_mpointfromwkb", "st_mpolyfromtext", "st_mpolyfromwkb", "st_multilinestringfromtext",
    "st_multilinestringfromwkb", "st_multipointfromtext", "st_multipointfromwkb",
    "st_multipolygonfromtext", "st_multipolygonfromwkb", "st_numgeometries", "st_numinteriorring",
    "st_numinteriorrings", "st_numpoints", "st_overlaps", "st_pointatdistance",
    "st_pointfromgeohash", "st_pointfromtext", "st_pointfromwkb", "st_pointn", "st_pointonsurface",
    "st_polyfromtext", "st_polyfromwkb", "st_polygonfromtext", "st_polygonfromwkb", "st_relate",
    "st_simplify", "st_srid", "st_startpoint", "st_swapxy", "st_symdifference", "st_touches",
    "st_transform", "st_union", "st_validate", "st_within", "st_x", "st_y", "startpoint",
    "statement_digest", "statement_digest_text", "std", "stddev", "stddev_pop", "stddev_samp",
    "str_to_date", "strcmp", "string_to_vector", "subdate", "substr", "substr_oracle", "substring",
    "substring_index", "subtime", "sum", "tan", "time", "time_format", "time_to_sec", "timediff",
    "timestamp", "timestampadd", "timestampdiff", "to_base64", "to_char", "to_date", "to_days",
    "to_number", "to_seconds", "touches", "trim", "trim_oracle", "trunc", "truncate", "ucase",
    "uncompress", "uncompressed_length", "unhex", "unsigned", "updatexml", "upper", "uuid_to_bin",
    "value", "values", "var_pop", "var_samp", "variance", "vec_distance", "vec_distance_cosine",
    "vec_distance_euclidean", "vec_fromtext", "vec_totext", "vector_dim", "vector_to_string",
    "week", "weekday", "weekofyear", "weight_string", "within", "x", "xor", "y", "year", "yearweek",
];

/// Another answer each time, or one that depends on the session, but nothing is written.
#[rustfmt::skip]
static VOLATILE: &[&str] = &[
    "benchmark", "binlog_gtid_pos", "connection_id", "curdate", "current_date", "current_role",
    "current_time", "current_timestamp", "current_user", "curtime", "default", "encrypt",
    "found_rows", "last_insert_id", "lastval", "localtime", "localtimestamp", "master_gtid_wait",
    "master_pos_wait", "nextval", "now", "ps_current_thread_id", "ps_thread_id", "rand",
    "random_bytes", "row_count", "rownum", "session_user", "setval", "sleep", "source_pos_wait",
    "sys_guid", "sysdate", "system_user", "unix_timestamp", "user", "utc_date", "utc_time",
    "utc_timestamp", "uuid", "uuid_short", "uuid_v4", "uuid_v7", "wait_for_executed_gtid_set",
    "wsrep_last_seen_gtid", "wsrep_last_written_gtid", "wsrep_sync_wait_upto_gtid",
];

/// Functions that may write, or run SQL text that the analysis does not see.
#[rustfmt::skip]
static WRITES: &[&str] = &[
    "asynchronous_connection_failover_add_managed", "asynchronous_connection_failover_add_source",
    "asynchronous_connection_failover_delete_managed",
    "asynchronous_connection_failover_delete_source", "asynchronous_connection_failover_reset",
    "audit_log_filter_flush", "audit_log_filter_remove_filter", "audit_log_filter_remove_user",
    "audit_log_filter_set_filter", "audit_log_filter_set_user", "group_replication_set_as_primary",
    "group_replication_switch_to_multi_primary_mode",
    "group_replication_switch_to_single_primary_mode", "mysql_firewall_flush_status", "sys_eval",
    "sys_exec", "sys_set",
];

/// Functions that read outside the tables: files, other servers, statistics.
#[rustfmt::skip]
static EXTERNAL: &[&str] = &[
    "des_decrypt", "des_encrypt", "keyring_key_fetch", "keyring_key_generate",
    "keyring_key_length_fetch", "keyring_key_remove", "keyring_key_store", "keyring_key_type_fetch",
    "load_file", "sys_get",
];

/// Advisory locks.
#[rustfmt::skip]
static LOCKS: &[&str] = &[
    "get_lock", "is_free_lock", "is_used_lock", "release_all_locks", "release_lock",
    "service_get_read_locks", "service_get_write_locks", "service_release_locks",
];

/// Facts about the server, the catalog and the storage.
#[rustfmt::skip]
static SYSTEM: &[&str] = &[
    "can_access_column", "can_access_database", "can_access_table", "can_access_user",
    "can_access_view", "current_catalog", "database", "icu_version", "internal_auto_increment",
    "internal_avg_row_length", "internal_check_time", "internal_checksum", "internal_data_free",
    "internal_data_length", "internal_dd_char_length", "internal_get_comment_or_error",
    "internal_get_enabled_role_json", "internal_get_hostname", "internal_get_username",
    "internal_get_view_warning_or_error", "internal_index_column_cardinality",
    "internal_index_length", "internal_is_enabled_role", "internal_is_mandatory_role",
    "internal_keys_disabled", "internal_max_data_length", "internal_table_rows",
    "internal_update_time", "roles_graphml", "schema", "schemas", "validate_password_strength",
    "version",
];

/// Settings that cannot change what a query returns.
#[rustfmt::skip]
pub(super) static HARMLESS: &[&str] = &[
    "alter_algorithm", "analyze_max_length", "analyze_sample_percentage", "aria_repair_threads",
    "aria_sort_buffer_size", "aria_stats_method", "auto_increment_increment",
    "auto_increment_offset", "big_tables", "binlog_alter_two_phase", "binlog_annotate_row_events",
    "binlog_direct_non_transactional_updates", "binlog_format", "binlog_row_image",
    "binlog_row_value_options", "binlog_rows_query_log_events", "bulk_insert_buffer_size",
    "check_constraint_checks", "column_compression_threshold", "column_compression_zlib_level",
    "column_compression_zlib_strategy", "column_compression_zlib_wrap",
    "connection_memory_chunk_size", "connection_memory_limit", "deadlock_search_depth_long",
    "deadlock_search_depth_short", "deadlock_timeout_long", "deadlock_timeout_short", "debug_sync",
    "default_master_connection", "default_storage_engine", "default_table_encryption",
    "default_tmp_storage_engine", "end_markers_in_json", "enforce_storage_engine",
    "eq_range_index_dive_limit", "expensive_subquery_limit", "explain_format",
    "explain_json_format_version", "explicit_defaults_for_timestamp", "foreign_key_checks",
    "generated_random_password_length", "global_connection_memory_tracking", "gtid_domain_id",
    "gtid_next", "gtid_seq_no", "histogram_generation_max_mem_size", "histogram_size",
    "histogram_type", "identity", "idle_readonly_transaction_timeout", "idle_transaction_timeout",
    "idle_write_transaction_timeout", "in_predicate_conversion_threshold",
    "information_schema_stats_expiry", "innodb_compression_default", "innodb_ddl_buffer_size",
    "innodb_ddl_threads", "innodb_default_encryption_key_id", "innodb_interpreter",
    "innodb_interpreter_output", "innodb_lock_wait_timeout", "innodb_parallel_read_threads",
    "innodb_snapshot_isolation", "innodb_strict_mode", "innodb_table_locks", "innodb_tmpdir",
    "interactive_timeout", "internal_tmp_mem_storage_engine", "join_buffer_size",
    "join_buffer_space_limit", "join_cache_level", "keep_files_on_create", "last_insert_id",
    "lock_wait_timeout", "log_disabled_statements", "log_queries_not_using_indexes",
    "log_slow_admin_statements", "log_slow_disabled_statements", "log_slow_extra",
    "log_slow_filter", "log_slow_max_warnings", "log_slow_min_examined_row_limit", "log_slow_query",
    "log_slow_query_time", "log_slow_rate_limit", "log_slow_slave_statements", "log_slow_verbosity",
    "log_warnings", "long_query_time", "low_priority_updates", "max_delayed_threads",
    "max_error_count", "max_execution_time", "max_heap_table_size", "max_insert_delayed_threads",
    "max_join_size", "max_length_for_sort_data", "max_relay_log_size", "max_rowid_filter_size",
    "max_seeks_for_key", "max_session_mem_used", "max_sp_recursion_depth", "max_statement_time",
    "max_tmp_tables", "max_user_connections", "min_examined_row_limit", "mrr_buffer_size",
    "myisam_repair_threads", "myisam_sort_buffer_size", "myisam_stats_method", "net_buffer_length",
    "net_read_timeout", "net_retry_count", "net_write_timeout", "note_verbosity", "old_alter_table",
    "optimizer_adjust_secondary_key_costs", "optimizer_extra_pruning_depth",
    "optimizer_join_limit_pref_ratio", "optimizer_max_sel_arg_weight", "optimizer_max_sel_args",
    "optimizer_prune_level", "optimizer_search_depth", "optimizer_selectivity_sampling_limit",
    "optimizer_switch", "optimizer_trace", "optimizer_trace_features", "optimizer_trace_limit",
    "optimizer_trace_max_mem_size", "optimizer_trace_offset", "optimizer_use_condition_selectivity",
    "parser_max_mem_size", "preload_buffer_size", "print_identified_with_as_hex", "profiling",
    "profiling_history_size", "progress_report_time", "pseudo_replica_mode", "pseudo_slave_mode",
    "pseudo_thread_id", "query_alloc_block_size", "query_cache_strip_comments", "query_cache_type",
    "query_cache_wlock_invalidate", "query_prealloc_size", "rand_seed1", "rand_seed2",
    "range_alloc_block_size", "range_optimizer_max_mem_size", "rbr_exec_mode", "read_buffer_size",
    "read_rnd_buffer_size", "restrict_fk_on_non_standard_key", "rowid_merge_buff_size",
    "secondary_engine_cost_threshold", "select_into_buffer_size", "select_into_disk_sync",
    "select_into_disk_sync_delay", "server_id", "session_track_gtids", "session_track_schema",
    "session_track_state_change", "session_track_system_variables",
    "session_track_transaction_info", "set_operations_buffer_size",
    "show_create_table_skip_secondary_engine", "show_create_table_verbosity",
    "show_gipk_in_create_table_and_information_schema", "skip_parallel_replication",
    "skip_replication", "slow_query_log", "sort_buffer_size", "sql_big_selects",
    "sql_buffer_result", "sql_generate_invisible_primary_key", "sql_if_exists", "sql_log_bin",
    "sql_log_off", "sql_low_priority_updates", "sql_notes", "sql_quote_show_create",
    "sql_require_primary_key", "sql_safe_updates", "sql_warnings", "storage_engine", "tcp_nodelay",
    "terminology_use_previous", "thread_pool_high_priority_connection", "thread_pool_priority",
    "tmp_disk_table_size", "tmp_memory_table_size", "tmp_table_size",
    "transaction_alloc_block_size", "transaction_allow_batching", "transaction_prealloc_size",
    "transaction_write_set_extraction", "unique_checks", "updatable_views_with_limit",
    "use_stat_tables", "wait_timeout", "wsrep_causal_reads", "wsrep_retry_autocommit",
    "wsrep_sync_wait", "wsrep_trx_fragment_size", "wsrep_trx_fragment_unit", "xa_detach_on_prepare",
];

/// Settings that can change what a query returns.
#[rustfmt::skip]
pub(super) static KEY: &[&str] = &[
    "block_encryption_mode", "character_set", "character_set_client", "character_set_connection",
    "character_set_database", "character_set_filesystem", "character_set_results",
    "character_set_server", "collation_connection", "collation_database", "collation_server",
    "cte_max_recursion_depth", "default_collation_for_utf8mb4", "default_regex_flags",
    "default_week_format", "div_precision_increment", "group_concat_max_len",
    "innodb_ft_enable_stopword", "innodb_ft_user_stopword_table", "lc_messages", "lc_time_names",
    "max_allowed_packet", "max_points_in_geometry", "max_recursive_iterations", "max_sort_length",
    "names", "old_mode", "old_passwords", "regexp_stack_limit", "regexp_time_limit", "role",
    "sql_mode", "sql_select_limit", "standard_compliant_cte", "system_versioning_asof", "time_zone",
    "timestamp", "windowing_use_high_precision",
];
