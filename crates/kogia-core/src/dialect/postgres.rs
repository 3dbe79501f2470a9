//! PostgreSQL: functions up to version 18 and of the common extensions, settings, system
//! relations, keys.
//!
//! The functions come from `pg_proc` of PostgreSQL 15 with all contrib extensions. Immutable ones
//! are pure; stable ones were sorted by hand; volatile ones count as volatile, unless they write.
//! Functions that only implement an operator are left out, except where people call them.

use super::{FunctionKind, Setting, contains};
use crate::schema::KeyKind;

/// What becomes of a setting that is in neither list.
pub(super) fn setting(name: &str) -> Setting {
    match name {
        "default_transaction_isolation" | "transaction_isolation" => Setting::Isolation,
        "default_transaction_read_only" | "transaction_read_only" => Setting::ReadOnly,
        // Settings of extensions and of applications (`app.tenant`): policies and functions read
        // them.
        _ if name.contains('.') => Setting::Key,
        _ => Setting::Unknown,
    }
}

/// What a setting is once its value is known.
pub(super) fn setting_to(name: &str, value: &str, by_name: Setting) -> Setting {
    let harmless = match name {
        "standard_conforming_strings" => matches!(value, "on" | "true" | "yes" | "1"),
        // With standard-conforming strings it only decides what is an error.
        "backslash_quote" => true,
        "gin_fuzzy_search_limit" => value == "0",
        "zero_damaged_pages" | "ignore_checksum_failure" | "allow_system_table_mods" => {
            matches!(value, "off" | "false" | "no" | "0")
        }
        "client_encoding" => {
            return if is_safe_encoding(value) {
                by_name
            } else {
                Setting::Unknown
            };
        }
        _ => return by_name,
    };
    if harmless { Setting::Harmless } else { by_name }
}

/// Whether no character of the encoding has a quote or a backslash among its later bytes, so that
/// the server finds the same tokens in a text as the analysis does.
fn is_safe_encoding(value: &str) -> bool {
    let unsafe_prefixes = [
        "big5", "gb", "johab", "shift", "sjis", "uhc", "win936", "win949", "win950", "win932",
        "mskanji",
    ];
    !value.is_empty()
        && !unsafe_prefixes
            .iter()
            .any(|prefix| value.starts_with(prefix))
}

/// Whether a relation belongs to the database system.
pub(super) fn is_system_relation(schema: Option<&str>, name: &str) -> bool {
    let in_system_schema = schema.is_some_and(|schema| {
        schema == "pg_catalog" || schema == "information_schema" || schema.starts_with("pg_toast")
    });
    // The prefix is reserved for schemas only, but extensions follow it (`pg_stat_statements`).
    in_system_schema || name.starts_with("pg_") || contains(GEOMETRY_VIEWS, name)
}

/// How values of a column of that type compare; the name is as `format_type` gives it.
pub(super) fn key_kind(type_name: &str, deterministic: bool) -> Option<KeyKind> {
    match type_name {
        "bigint" | "int8" | "integer" | "int" | "int4" | "smallint" | "int2" => {
            Some(KeyKind::Integer)
        }
        "bigserial" | "serial8" | "serial" | "serial4" | "smallserial" | "serial2" => {
            Some(KeyKind::Integer)
        }
        "uuid" => Some(KeyKind::Uuid),
        "bytea" => Some(KeyKind::Bytes),
        "text" | "character varying" | "varchar" if deterministic => Some(KeyKind::Text),
        // A value that is too long is cut without an error if only spaces go: `'abc '` becomes
        // `'abc'` in `varchar(3)`. Trailing spaces therefore must not tell keys apart.
        _ if deterministic && is_bounded_text(type_name) => Some(KeyKind::PaddedText),
        _ => None,
    }
}

fn is_bounded_text(type_name: &str) -> bool {
    ["character varying(", "varchar("]
        .iter()
        .any(|prefix| type_name.starts_with(prefix))
        && type_name.ends_with(')')
}

/// The words that mean the clock where text becomes a date or a time.
pub(super) static TIME_WORDS: &[&str] = &["now", "today", "tomorrow", "yesterday"];

/// PostGIS: views over the catalog.
pub(super) static GEOMETRY_VIEWS: &[&str] = &[
    "geography_columns",
    "geometry_columns",
    "raster_columns",
    "raster_overviews",
];

/// The functions, by what calling one means.
pub(super) static FUNCTIONS: &[(FunctionKind, &[&str])] = &[
    (FunctionKind::Pure, PURE),
    (FunctionKind::Volatile, VOLATILE),
    (FunctionKind::Session, SESSION),
    (FunctionKind::Writes, WRITES),
    (FunctionKind::External, EXTERNAL),
    (FunctionKind::Locks, LOCKS),
    (FunctionKind::System, SYSTEM),
];

/// Answers that depend on arguments, tables and settings of the key alone.
#[rustfmt::skip]
static PURE: &[&str] = &[
    "abbrev", "abs", "acos", "acosd", "acosh", "akeys", "all", "any", "any_value", "area", "armor",
    "array", "array_agg", "array_append", "array_cat", "array_dims", "array_fill", "array_length",
    "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend",
    "array_remove", "array_replace", "array_reverse", "array_sort", "array_to_json",
    "array_to_string", "array_to_tsvector", "array_upper", "arraycontained", "arraycontains",
    "arrayoverlap", "ascii", "asin", "asind", "asinh", "atan", "atan2", "atan2d", "atand", "atanh",
    "avals", "avg", "bigint", "binary_quantize", "bit", "bit_and", "bit_count", "bit_length",
    "bit_or", "bit_xor", "bool", "bool_and", "bool_or", "boolean", "bound_box", "box", "box2d",
    "box3d", "bpchar", "bpchariclike", "bpcharicnlike", "bpcharicregexeq", "bpcharicregexne",
    "bpcharlike", "bpcharnlike", "bpcharregexeq", "bpcharregexne", "btrim", "bytea", "byteacmp",
    "bytealike", "byteanlike", "cardinality", "casefold", "cash_words", "cast", "cbrt", "ceil",
    "ceiling", "center", "char", "char_length", "character", "character_length", "chr", "cidr",
    "circle", "citext", "coalesce", "collation_for", "concat", "concat_ws", "convert",
    "convert_from", "convert_to", "corr", "cos", "cosd", "cosh", "cosine_distance", "cot", "cotd",
    "count", "covar_pop", "covar_samp", "crc32", "crc32c", "crypt", "cube", "cube_coord",
    "cube_coord_llur", "cube_dim", "cube_distance", "cube_enlarge", "cube_inter", "cube_is_point",
    "cube_ll_coord", "cube_overlap", "cube_size", "cube_subset", "cube_union", "cube_ur_coord",
    "cume_dist", "daitch_mokotoff", "date", "date_add", "date_bin", "date_cmp_timestamp",
    "date_part", "date_subtract", "date_trunc", "datemultirange", "daterange", "dearmor", "decimal",
    "decode", "decrypt", "decrypt_iv", "degrees", "dense_rank", "dexp", "diagonal", "diameter",
    "digest", "distance_chebyshev", "distance_taxicab", "div", "dlog1", "dlog10", "dmetaphone",
    "dmetaphone_alt", "double", "dround", "dtrunc", "earth", "earth_box", "earth_distance",
    "elem_contained_by_multirange", "elem_contained_by_range", "encode", "encrypt", "encrypt_iv",
    "enum_first", "enum_last", "enum_range", "erf", "erfc", "every", "exists", "exists_all",
    "exists_any", "exp", "extract", "factorial", "family", "first_value", "float", "float4",
    "float8", "floor", "format", "gamma", "gc_to_sec", "gcd", "generate_series",
    "generate_subscripts", "geo_distance", "geography", "geography_overlaps", "geometry",
    "geometry_overlaps", "geometrytype", "get_bit", "get_byte", "greatest", "grouping",
    "hamming_distance", "hash_array", "hash_array_extended", "hash_multirange",
    "hash_multirange_extended", "hash_numeric", "hash_numeric_extended", "hash_range",
    "hash_range_extended", "hash_record", "hash_record_extended", "hashbpchar",
    "hashbpcharextended", "hashchar", "hashcharextended", "hashenum", "hashenumextended",
    "hashfloat4", "hashfloat4extended", "hashfloat8", "hashfloat8extended", "hashinet",
    "hashinetextended", "hashint2", "hashint2extended", "hashint4", "hashint4extended", "hashint8",
    "hashint8extended", "hashmacaddr", "hashmacaddr8", "hashmacaddr8extended",
    "hashmacaddrextended", "hashname", "hashnameextended", "hashoid", "hashoidextended",
    "hashoidvector", "hashoidvectorextended", "hashtext", "hashtextextended", "hashtid",
    "hashtidextended", "height", "hmac", "host", "hostmask", "hs_concat", "hs_contained",
    "hs_contains", "hstore", "hstore_to_array", "hstore_to_json", "hstore_to_json_loose",
    "hstore_to_jsonb", "hstore_to_jsonb_loose", "hstore_to_matrix", "icount", "icu_unicode_version",
    "in", "inet", "inet_merge", "inet_same_family", "initcap", "inner_product", "int", "int2",
    "int4", "int4inc", "int4multirange", "int4range", "int8", "int8multirange", "int8range",
    "int_array_aggregate", "int_array_enum", "intarray_del_elem", "intarray_push_array",
    "intarray_push_elem", "integer", "interval", "intset", "intset_subtract", "intset_union_elem",
    "is_normalized", "isbn", "isbn13", "isclosed", "isdefined", "isempty", "isexists", "isfinite",
    "ishorizontal", "ismn", "ismn13", "isopen", "isparallel", "isperp", "issn", "issn13",
    "isvertical", "jaccard_distance", "json", "json_agg", "json_agg_strict", "json_array",
    "json_array_element", "json_array_element_text", "json_array_elements",
    "json_array_elements_text", "json_array_length", "json_arrayagg", "json_build_array",
    "json_build_object", "json_each", "json_each_text", "json_exists", "json_extract_path",
    "json_extract_path_text", "json_object", "json_object_agg", "json_object_agg_strict",
    "json_object_agg_unique", "json_object_agg_unique_strict", "json_object_field",
    "json_object_field_text", "json_object_keys", "json_objectagg", "json_populate_record",
    "json_populate_recordset", "json_query", "json_scalar", "json_serialize", "json_strip_nulls",
    "json_table", "json_to_record", "json_to_recordset", "json_to_tsvector", "json_typeof",
    "json_value", "jsonb", "jsonb_agg", "jsonb_agg_strict", "jsonb_array_element",
    "jsonb_array_element_text", "jsonb_array_elements", "jsonb_array_elements_text",
    "jsonb_array_length", "jsonb_build_array", "jsonb_build_object", "jsonb_concat",
    "jsonb_contained", "jsonb_contains", "jsonb_delete", "jsonb_delete_path", "jsonb_each",
    "jsonb_each_text", "jsonb_exists", "jsonb_exists_all", "jsonb_exists_any", "jsonb_extract_path",
    "jsonb_extract_path_text", "jsonb_insert", "jsonb_object", "jsonb_object_agg",
    "jsonb_object_agg_strict", "jsonb_object_agg_unique", "jsonb_object_agg_unique_strict",
    "jsonb_object_field", "jsonb_object_field_text", "jsonb_object_keys", "jsonb_path_exists",
    "jsonb_path_exists_opr", "jsonb_path_exists_tz", "jsonb_path_match", "jsonb_path_match_opr",
    "jsonb_path_match_tz", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_array_tz", "jsonb_path_query_first", "jsonb_path_query_first_tz",
    "jsonb_path_query_tz", "jsonb_populate_record", "jsonb_populate_recordset", "jsonb_pretty",
    "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset",
    "jsonb_to_tsvector", "jsonb_typeof", "jsonpath", "justify_days", "justify_hours",
    "justify_interval", "l1_distance", "l2_distance", "l2_norm", "l2_normalize", "lag",
    "last_value", "latitude", "lca", "lcm", "lead", "least", "left", "length", "levenshtein",
    "levenshtein_less_equal", "lgamma", "like", "like_escape", "line", "ll_to_earth", "ln", "log",
    "log10", "longitude", "lower", "lower_inc", "lower_inf", "lpad", "lseg", "lt_q_regex",
    "ltq_regex", "ltree2text", "ltree_addltree", "ltree_addtext", "ltree_isparent",
    "ltree_risparent", "ltree_textadd", "ltrim", "ltxtq_exec", "macaddr", "macaddr8",
    "macaddr8_set7bit", "make_date", "make_interval", "make_time", "make_timestamp",
    "make_timestamptz", "masklen", "max", "md5", "metaphone", "min", "min_scale", "mod", "mode",
    "money", "multirange", "multirange_adjacent_multirange", "multirange_adjacent_range",
    "multirange_after_multirange", "multirange_after_range", "multirange_before_multirange",
    "multirange_before_range", "multirange_contained_by_multirange",
    "multirange_contained_by_range", "multirange_contains_elem", "multirange_contains_multirange",
    "multirange_contains_range", "multirange_intersect", "multirange_minus",
    "multirange_overlaps_multirange", "multirange_overlaps_range", "multirange_overleft_multirange",
    "multirange_overleft_range", "multirange_overright_multirange", "multirange_overright_range",
    "multirange_union", "name", "nameiclike", "nameicnlike", "nameicregexeq", "nameicregexne",
    "namelike", "namenlike", "nameregexeq", "nameregexne", "netmask", "network", "nlevel",
    "normalize", "not", "notlike", "npoints", "nth_value", "ntile", "nullif", "num_nonnulls",
    "num_nulls", "numeric", "nummultirange", "numnode", "numrange", "octet_length", "oid",
    "overlaps", "overlay", "parse_ident", "path", "pclose", "percent_rank", "percentile_cont",
    "percentile_disc", "pg_basetype", "pg_collation_for", "pg_input_error_info",
    "pg_input_is_valid", "pg_size_bytes", "pg_size_pretty", "pg_typeof", "pg_wal_lsn_diff",
    "pgp_armor_headers", "pgp_key_id", "pgp_pub_decrypt", "pgp_pub_decrypt_bytea",
    "pgp_sym_decrypt", "pgp_sym_decrypt_bytea", "phraseto_tsquery", "pi", "plainto_tsquery",
    "point", "polygon", "popen", "position", "postgis_addbbox", "postgis_dropbbox",
    "postgis_getbbox", "postgis_hasbbox", "postgis_noop", "pow", "power", "querytree",
    "quote_ident", "quote_literal", "quote_nullable", "radians", "radius", "range_adjacent",
    "range_adjacent_multirange", "range_after", "range_after_multirange", "range_agg",
    "range_before", "range_before_multirange", "range_contained_by",
    "range_contained_by_multirange", "range_contains", "range_contains_elem",
    "range_contains_multirange", "range_intersect", "range_intersect_agg", "range_merge",
    "range_minus", "range_overlaps", "range_overlaps_multirange", "range_overleft",
    "range_overleft_multirange", "range_overright", "range_overright_multirange", "range_union",
    "rank", "real", "regexp_count", "regexp_instr", "regexp_like", "regexp_match", "regexp_matches",
    "regexp_replace", "regexp_split_to_array", "regexp_split_to_table", "regexp_substr",
    "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx",
    "regr_sxy", "regr_syy", "repeat", "replace", "reverse", "right", "round", "row", "row_number",
    "row_to_json", "rpad", "rtrim", "scale", "sec_to_gc", "set_bit", "set_byte", "set_masklen",
    "setweight", "sha224", "sha256", "sha384", "sha512", "show_trgm", "sign", "similar_escape",
    "similar_to_escape", "similarity", "similarity_dist", "similarity_op", "sin", "sind", "sinh",
    "skeys", "slice_array", "slope", "smallint", "some", "sort_asc", "sort_desc", "soundex",
    "split_part", "sqrt", "st_3dclosestpoint", "st_3ddfullywithin", "st_3ddistance", "st_3ddwithin",
    "st_3dextent", "st_3dintersects", "st_3dlength", "st_3dlineinterpolatepoint",
    "st_3dlongestline", "st_3dmakebox", "st_3dmaxdistance", "st_3dperimeter", "st_3dshortestline",
    "st_addmeasure", "st_addpoint", "st_affine", "st_angle", "st_area", "st_area2d", "st_asbinary",
    "st_asencodedpolyline", "st_asewkb", "st_asewkt", "st_asflatgeobuf", "st_asgeobuf",
    "st_asgeojson", "st_asgml", "st_ashexewkb", "st_askml", "st_aslatlontext", "st_asmarc21",
    "st_asmvt", "st_asmvtgeom", "st_assvg", "st_astext", "st_astwkb", "st_asx3d", "st_azimuth",
    "st_bdmpolyfromtext", "st_bdpolyfromtext", "st_boundary", "st_boundingdiagonal",
    "st_box2dfromgeohash", "st_buffer", "st_buildarea", "st_centroid", "st_chaikinsmoothing",
    "st_cleangeometry", "st_clipbybox2d", "st_closestpoint", "st_closestpointofapproach",
    "st_clusterdbscan", "st_clusterintersecting", "st_clusterintersectingwin", "st_clusterkmeans",
    "st_clusterwithin", "st_clusterwithinwin", "st_collect", "st_collectionextract",
    "st_collectionhomogenize", "st_combinebbox", "st_concavehull", "st_contains",
    "st_containsproperly", "st_convexhull", "st_coorddim", "st_coverageclean",
    "st_coverageinvalidedges", "st_coveragesimplify", "st_coverageunion", "st_coveredby",
    "st_covers", "st_cpawithin", "st_crosses", "st_curven", "st_curvetoline",
    "st_delaunaytriangles", "st_dfullywithin", "st_difference", "st_dimension", "st_disjoint",
    "st_distance", "st_distancecpa", "st_distancesphere", "st_distancespheroid", "st_dump",
    "st_dumppoints", "st_dumprings", "st_dumpsegments", "st_dwithin", "st_endpoint", "st_envelope",
    "st_equals", "st_expand", "st_extent", "st_exteriorring", "st_filterbym", "st_flipcoordinates",
    "st_force2d", "st_force3d", "st_force3dm", "st_force3dz", "st_force4d", "st_forcecollection",
    "st_forcecurve", "st_forcepolygonccw", "st_forcepolygoncw", "st_forcerhr", "st_forcesfs",
    "st_frechetdistance", "st_fromflatgeobuf", "st_geogfromtext", "st_geogfromwkb",
    "st_geographyfromtext", "st_geohash", "st_geomcollfromtext", "st_geomcollfromwkb",
    "st_geometricmedian", "st_geometryfromtext", "st_geometryn", "st_geometrytype",
    "st_geomfromewkb", "st_geomfromewkt", "st_geomfromgeohash", "st_geomfromgeojson",
    "st_geomfromgml", "st_geomfromkml", "st_geomfrommarc21", "st_geomfromtext", "st_geomfromtwkb",
    "st_geomfromwkb", "st_gmltosql", "st_hasarc", "st_hasm", "st_hasz", "st_hausdorffdistance",
    "st_hexagon", "st_hexagongrid", "st_interiorringn", "st_interpolatepoint", "st_intersection",
    "st_intersects", "st_inversetransformpipeline", "st_isclosed", "st_iscollection", "st_isempty",
    "st_ispolygonccw", "st_ispolygoncw", "st_isring", "st_issimple", "st_isvalid",
    "st_isvaliddetail", "st_isvalidreason", "st_isvalidtrajectory", "st_largestemptycircle",
    "st_length", "st_length2d", "st_lengthspheroid", "st_letters", "st_linecrossingdirection",
    "st_lineextend", "st_linefromencodedpolyline", "st_linefrommultipoint", "st_linefromtext",
    "st_linefromwkb", "st_lineinterpolatepoint", "st_lineinterpolatepoints", "st_linelocatepoint",
    "st_linemerge", "st_linestringfromwkb", "st_linesubstring", "st_linetocurve", "st_locatealong",
    "st_locatebetween", "st_locatebetweenelevations", "st_longestline", "st_m", "st_makebox2d",
    "st_makeenvelope", "st_makeline", "st_makepoint", "st_makepointm", "st_makepolygon",
    "st_makevalid", "st_maxdistance", "st_maximuminscribedcircle", "st_memcollect", "st_memsize",
    "st_memunion", "st_minimumboundingcircle", "st_minimumboundingradius", "st_minimumclearance",
    "st_minimumclearanceline", "st_mlinefromtext", "st_mlinefromwkb", "st_mpointfromtext",
    "st_mpointfromwkb", "st_mpolyfromtext", "st_mpolyfromwkb", "st_multi", "st_multilinefromwkb",
    "st_multilinestringfromtext", "st_multipointfromtext", "st_multipointfromwkb",
    "st_multipolyfromwkb", "st_multipolygonfromtext", "st_ndims", "st_node", "st_normalize",
    "st_npoints", "st_nrings", "st_numcurves", "st_numgeometries", "st_numinteriorring",
    "st_numinteriorrings", "st_numpatches", "st_numpoints", "st_offsetcurve", "st_orderingequals",
    "st_orientedenvelope", "st_overlaps", "st_patchn", "st_perimeter", "st_perimeter2d", "st_point",
    "st_pointfromgeohash", "st_pointfromtext", "st_pointfromwkb", "st_pointinsidecircle",
    "st_pointm", "st_pointn", "st_pointonsurface", "st_points", "st_pointz", "st_pointzm",
    "st_polyfromtext", "st_polyfromwkb", "st_polygon", "st_polygonfromtext", "st_polygonfromwkb",
    "st_polygonize", "st_project", "st_quantizecoordinates", "st_reduceprecision", "st_relate",
    "st_relatematch", "st_removeirrelevantpointsforview", "st_removepoint",
    "st_removerepeatedpoints", "st_removesmallparts", "st_reverse", "st_rotate", "st_rotatex",
    "st_rotatey", "st_rotatez", "st_scale", "st_scroll", "st_segmentize", "st_seteffectivearea",
    "st_setpoint", "st_setsrid", "st_sharedpaths", "st_shiftlongitude", "st_shortestline",
    "st_simplify", "st_simplifypolygonhull", "st_simplifypreservetopology", "st_simplifyvw",
    "st_snap", "st_snaptogrid", "st_split", "st_square", "st_squaregrid", "st_srid",
    "st_startpoint", "st_subdivide", "st_summary", "st_swapordinates", "st_symdifference",
    "st_symmetricdifference", "st_tileenvelope", "st_touches", "st_transform",
    "st_transformpipeline", "st_translate", "st_transscale", "st_triangulatepolygon",
    "st_unaryunion", "st_union", "st_voronoilines", "st_voronoipolygons", "st_within",
    "st_wkbtosql", "st_wkttosql", "st_wrapx", "st_x", "st_xmax", "st_xmin", "st_y", "st_ymax",
    "st_ymin", "st_z", "st_zmax", "st_zmflag", "st_zmin", "starts_with", "stddev", "stddev_pop",
    "stddev_samp", "strict_word_similarity", "strict_word_similarity_commutator_op",
    "strict_word_similarity_dist_commutator_op", "strict_word_similarity_dist_op",
    "strict_word_similarity_op", "string_agg", "string_to_array", "string_to_table", "strip",
    "strpos", "subarray", "subltree", "subpath", "substr", "substring", "subvector", "sum", "svals",
    "tan", "tand", "tanh", "text", "text2ltree", "text_soundex", "textcat", "texticlike",
    "texticnlike", "texticregexeq", "texticregexne", "textlen", "textlike", "textnlike",
    "textregexeq", "textregexne", "time", "timestamp", "timestamp_cmp_date", "timestamptz",
    "timetz", "timezone", "to_ascii", "to_bin", "to_char", "to_date", "to_hex", "to_json",
    "to_jsonb", "to_number", "to_oct", "to_timestamp", "to_tsquery", "to_tsvector", "translate",
    "treat", "trim", "trim_array", "trim_scale", "trunc", "ts_debug", "ts_delete", "ts_filter",
    "ts_headline", "ts_lexize", "ts_match_qv", "ts_match_tq", "ts_match_tt", "ts_match_vq",
    "ts_parse", "ts_rank", "ts_rank_cd", "ts_token_type", "tsmultirange", "tsq_mcontained",
    "tsq_mcontains", "tsquery", "tsquery_and", "tsquery_not", "tsquery_or", "tsquery_phrase",
    "tsrange", "tstzmultirange", "tstzrange", "tsvector", "tsvector_concat", "tsvector_to_array",
    "unaccent", "unicode_assigned", "unicode_version", "unistr", "unnest", "upc", "upper",
    "upper_inc", "upper_inf", "uuid", "uuid_extract_timestamp", "uuid_extract_version",
    "uuid_generate_v3", "uuid_generate_v5", "uuid_nil", "uuid_ns_dns", "uuid_ns_oid", "uuid_ns_url",
    "uuid_ns_x500", "values", "var_pop", "var_samp", "varbit", "varchar", "variance", "vector_dims",
    "vector_negative_inner_product", "vector_norm", "vector_spherical_distance",
    "websearch_to_tsquery", "width", "width_bucket", "word_similarity",
    "word_similarity_commutator_op", "word_similarity_dist_commutator_op",
    "word_similarity_dist_op", "word_similarity_op", "xid", "xml", "xml_encode_special_chars",
    "xml_is_well_formed", "xml_is_well_formed_content", "xml_is_well_formed_document", "xmlagg",
    "xmlattributes", "xmlcomment", "xmlconcat", "xmlelement", "xmlexists", "xmlforest",
    "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable", "xmltext",
    "xmlvalidate", "xpath", "xpath_bool", "xpath_exists", "xpath_list", "xpath_nodeset",
    "xpath_number", "xpath_string",
];

/// Another answer each time, or one that depends on the session, but nothing is written.
#[rustfmt::skip]
static VOLATILE: &[&str] = &[
    "age", "array_sample", "array_shuffle", "clock_timestamp", "current_catalog", "current_date",
    "current_query", "current_role", "current_schema", "current_schemas", "current_setting",
    "current_time", "current_timestamp", "current_user", "currtid2", "currval", "gen_random_bytes",
    "gen_random_uuid", "gen_salt", "getpgusername", "lastval", "lo_close", "lo_get", "lo_lseek",
    "lo_lseek64", "lo_open", "lo_tell", "lo_tell64", "localtime", "localtimestamp", "loread",
    "merge_action", "mxid_age", "nextval", "normal_rand", "now", "pg_backend_pid",
    "pg_cancel_backend", "pg_current_snapshot", "pg_current_xact_id",
    "pg_current_xact_id_if_assigned", "pg_export_snapshot", "pg_get_multixact_members",
    "pg_isolation_test_session_is_blocked", "pg_last_committed_xact", "pg_my_temp_schema",
    "pg_notify", "pg_sequence_last_value", "pg_sleep", "pg_sleep_for", "pg_sleep_until",
    "pg_snapshot_xip", "pg_snapshot_xmax", "pg_snapshot_xmin", "pg_terminate_backend",
    "pg_trigger_depth", "pg_visible_in_snapshot", "pg_xact_commit_timestamp", "pg_xact_status",
    "pgp_pub_encrypt", "pgp_pub_encrypt_bytea", "pgp_sym_encrypt", "pgp_sym_encrypt_bytea",
    "random", "random_normal", "row_security_active", "session_user", "setseed", "setval",
    "show_limit", "st_generatepoints", "statement_timestamp", "system_user", "timeofday",
    "transaction_timestamp", "txid_current", "txid_current_if_assigned", "txid_current_snapshot",
    "txid_snapshot_xip", "txid_snapshot_xmax", "txid_snapshot_xmin", "txid_status",
    "txid_visible_in_snapshot", "user", "uuid_generate_v1", "uuid_generate_v1mc",
    "uuid_generate_v4", "uuidv4", "uuidv7",
];

/// Functions that change the session.
#[rustfmt::skip]
static SESSION: &[&str] = &[
    "isn_weak", "pg_replication_origin_session_reset", "pg_replication_origin_session_setup",
    "pg_replication_origin_xact_reset", "pg_replication_origin_xact_setup", "set_config",
    "set_limit",
];

/// Functions that may write, or run SQL text that the analysis does not see.
#[rustfmt::skip]
static WRITES: &[&str] = &[
    "addgeometrycolumn", "binary_upgrade_create_empty_extension",
    "binary_upgrade_set_missing_value", "binary_upgrade_set_next_array_pg_type_oid",
    "binary_upgrade_set_next_heap_pg_class_oid", "binary_upgrade_set_next_heap_relfilenode",
    "binary_upgrade_set_next_index_pg_class_oid", "binary_upgrade_set_next_index_relfilenode",
    "binary_upgrade_set_next_multirange_array_pg_type_oid",
    "binary_upgrade_set_next_multirange_pg_type_oid", "binary_upgrade_set_next_pg_authid_oid",
    "binary_upgrade_set_next_pg_enum_oid", "binary_upgrade_set_next_pg_tablespace_oid",
    "binary_upgrade_set_next_pg_type_oid", "binary_upgrade_set_next_toast_pg_class_oid",
    "binary_upgrade_set_next_toast_relfilenode", "binary_upgrade_set_record_init_privs",
    "connectby", "crosstab", "crosstab2", "crosstab3", "crosstab4", "cursor_to_xml",
    "cursor_to_xmlschema", "database_to_xml", "database_to_xml_and_xmlschema", "dblink",
    "dblink_exec", "dblink_fetch", "dblink_get_result", "dblink_open", "dblink_send_query",
    "dropgeometrycolumn", "dropgeometrytable", "heap_force_freeze", "heap_force_kill", "lo_creat",
    "lo_create", "lo_export", "lo_from_bytea", "lo_import", "lo_put", "lo_truncate",
    "lo_truncate64", "lo_unlink", "lowrite", "pg_clear_attribute_stats", "pg_clear_relation_stats",
    "pg_copy_logical_replication_slot", "pg_copy_physical_replication_slot",
    "pg_create_logical_replication_slot", "pg_create_physical_replication_slot",
    "pg_drop_replication_slot", "pg_extension_config_dump", "pg_import_system_collations",
    "pg_logical_emit_message", "pg_logical_slot_get_binary_changes", "pg_logical_slot_get_changes",
    "pg_nextoid", "pg_promote", "pg_reload_conf", "pg_replication_origin_advance",
    "pg_replication_origin_create", "pg_replication_origin_drop", "pg_replication_slot_advance",
    "pg_restore_attribute_stats", "pg_restore_relation_stats", "pg_stop_making_pinned_objects",
    "pg_sync_replication_slots", "pg_truncate_visibility_map", "pg_wal_replay_pause",
    "pg_wal_replay_resume", "populate_geometry_columns", "postgis_extensions_upgrade",
    "query_to_xml", "query_to_xml_and_xmlschema", "query_to_xmlschema", "schema_to_xml",
    "schema_to_xml_and_xmlschema", "table_to_xml", "table_to_xml_and_xmlschema", "ts_rewrite",
    "ts_stat", "updategeometrysrid", "xpath_table",
];

/// Functions that read outside the tables: files, other servers, statistics.
#[rustfmt::skip]
static EXTERNAL: &[&str] = &[
    "dblink_cancel_query", "dblink_close", "dblink_connect", "dblink_connect_u",
    "dblink_disconnect", "dblink_error_message", "dblink_get_connections", "dblink_get_notify",
    "dblink_is_busy", "pg_current_logfile", "pg_file_length", "pg_file_read", "pg_file_rename",
    "pg_file_sync", "pg_file_unlink", "pg_file_write", "pg_hba_file_rules",
    "pg_ident_file_mappings", "pg_logdir_ls", "pg_ls_archive_statusdir", "pg_ls_dir",
    "pg_ls_logdir", "pg_ls_logicalmapdir", "pg_ls_logicalsnapdir", "pg_ls_replslotdir",
    "pg_ls_summariesdir", "pg_ls_tmpdir", "pg_ls_waldir", "pg_read_binary_file", "pg_read_file",
    "pg_read_file_old", "pg_rotate_logfile", "pg_rotate_logfile_old", "pg_show_all_file_settings",
    "pg_stat_clear_snapshot", "pg_stat_file", "pg_stat_force_next_flush", "pg_stat_get_activity",
    "pg_stat_get_analyze_count", "pg_stat_get_archiver", "pg_stat_get_autoanalyze_count",
    "pg_stat_get_autovacuum_count", "pg_stat_get_backend_activity",
    "pg_stat_get_backend_activity_start", "pg_stat_get_backend_client_addr",
    "pg_stat_get_backend_client_port", "pg_stat_get_backend_dbid", "pg_stat_get_backend_idset",
    "pg_stat_get_backend_io", "pg_stat_get_backend_pid", "pg_stat_get_backend_start",
    "pg_stat_get_backend_subxact", "pg_stat_get_backend_userid", "pg_stat_get_backend_wait_event",
    "pg_stat_get_backend_wait_event_type", "pg_stat_get_backend_wal",
    "pg_stat_get_backend_xact_start", "pg_stat_get_bgwriter_buf_written_checkpoints",
    "pg_stat_get_bgwriter_buf_written_clean", "pg_stat_get_bgwriter_maxwritten_clean",
    "pg_stat_get_bgwriter_requested_checkpoints", "pg_stat_get_bgwriter_stat_reset_time",
    "pg_stat_get_bgwriter_timed_checkpoints", "pg_stat_get_blocks_fetched",
    "pg_stat_get_blocks_hit", "pg_stat_get_buf_alloc", "pg_stat_get_buf_fsync_backend",
    "pg_stat_get_buf_written_backend", "pg_stat_get_checkpoint_sync_time",
    "pg_stat_get_checkpoint_write_time", "pg_stat_get_checkpointer_num_timed",
    "pg_stat_get_db_active_time", "pg_stat_get_db_blk_read_time", "pg_stat_get_db_blk_write_time",
    "pg_stat_get_db_blocks_fetched", "pg_stat_get_db_blocks_hit",
    "pg_stat_get_db_checksum_failures", "pg_stat_get_db_checksum_last_failure",
    "pg_stat_get_db_conflict_all", "pg_stat_get_db_conflict_bufferpin",
    "pg_stat_get_db_conflict_lock", "pg_stat_get_db_conflict_snapshot",
    "pg_stat_get_db_conflict_startup_deadlock", "pg_stat_get_db_conflict_tablespace",
    "pg_stat_get_db_deadlocks", "pg_stat_get_db_idle_in_transaction_time",
    "pg_stat_get_db_numbackends", "pg_stat_get_db_session_time", "pg_stat_get_db_sessions",
    "pg_stat_get_db_sessions_abandoned", "pg_stat_get_db_sessions_fatal",
    "pg_stat_get_db_sessions_killed", "pg_stat_get_db_stat_reset_time", "pg_stat_get_db_temp_bytes",
    "pg_stat_get_db_temp_files", "pg_stat_get_db_tuples_deleted", "pg_stat_get_db_tuples_fetched",
    "pg_stat_get_db_tuples_inserted", "pg_stat_get_db_tuples_returned",
    "pg_stat_get_db_tuples_updated", "pg_stat_get_db_xact_commit", "pg_stat_get_db_xact_rollback",
    "pg_stat_get_dead_tuples", "pg_stat_get_function_calls", "pg_stat_get_function_self_time",
    "pg_stat_get_function_total_time", "pg_stat_get_ins_since_vacuum", "pg_stat_get_io",
    "pg_stat_get_last_analyze_time", "pg_stat_get_last_autoanalyze_time",
    "pg_stat_get_last_autovacuum_time", "pg_stat_get_last_vacuum_time", "pg_stat_get_lastscan",
    "pg_stat_get_live_tuples", "pg_stat_get_mod_since_analyze", "pg_stat_get_numscans",
    "pg_stat_get_progress_info", "pg_stat_get_recovery_prefetch", "pg_stat_get_replication_slot",
    "pg_stat_get_slru", "pg_stat_get_snapshot_timestamp", "pg_stat_get_subscription",
    "pg_stat_get_subscription_stats", "pg_stat_get_total_vacuum_time", "pg_stat_get_tuples_deleted",
    "pg_stat_get_tuples_fetched", "pg_stat_get_tuples_hot_updated", "pg_stat_get_tuples_inserted",
    "pg_stat_get_tuples_returned", "pg_stat_get_tuples_updated", "pg_stat_get_vacuum_count",
    "pg_stat_get_wal", "pg_stat_get_wal_receiver", "pg_stat_get_wal_senders",
    "pg_stat_get_xact_blocks_fetched", "pg_stat_get_xact_blocks_hit",
    "pg_stat_get_xact_function_calls", "pg_stat_get_xact_function_self_time",
    "pg_stat_get_xact_function_total_time", "pg_stat_get_xact_numscans",
    "pg_stat_get_xact_tuples_deleted", "pg_stat_get_xact_tuples_fetched",
    "pg_stat_get_xact_tuples_hot_updated", "pg_stat_get_xact_tuples_inserted",
    "pg_stat_get_xact_tuples_returned", "pg_stat_get_xact_tuples_updated", "pg_stat_have_stats",
    "pg_stat_reset", "pg_stat_reset_backend_stats", "pg_stat_reset_replication_slot",
    "pg_stat_reset_shared", "pg_stat_reset_single_function_counters",
    "pg_stat_reset_single_table_counters", "pg_stat_reset_slru", "pg_stat_reset_subscription_stats",
    "pg_stat_statements", "pg_stat_statements_info", "pg_stat_statements_reset",
    "postgres_fdw_disconnect", "postgres_fdw_disconnect_all", "postgres_fdw_get_connections",
    "st_estimatedextent", "st_findextent", "xslt_process",
];

/// Advisory locks.
#[rustfmt::skip]
static LOCKS: &[&str] = &[
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared",
    "pg_try_advisory_lock", "pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
];

/// Facts about the server, the catalog and the storage.
#[rustfmt::skip]
static SYSTEM: &[&str] = &[
    "acldefault", "aclexplode", "amvalidate", "brin_desummarize_range", "brin_summarize_new_values",
    "brin_summarize_range", "bt_index_check", "bt_index_parent_check", "col_description",
    "current_database", "database_to_xmlschema", "format_type", "get_current_ts_config",
    "get_raw_page", "getdatabaseencoding", "gin_clean_pending_list", "has_any_column_privilege",
    "has_column_privilege", "has_database_privilege", "has_foreign_data_wrapper_privilege",
    "has_function_privilege", "has_language_privilege", "has_largeobject_privilege",
    "has_parameter_privilege", "has_schema_privilege", "has_sequence_privilege",
    "has_server_privilege", "has_table_privilege", "has_tablespace_privilege", "has_type_privilege",
    "inet_client_addr", "inet_client_port", "inet_server_addr", "inet_server_port",
    "obj_description", "oidvectortypes", "pg_available_extension_versions",
    "pg_available_extensions", "pg_available_wal_summaries", "pg_backup_start", "pg_backup_stop",
    "pg_blocking_pids", "pg_buffercache_pages", "pg_char_to_encoding", "pg_client_encoding",
    "pg_collation_actual_version", "pg_collation_is_visible", "pg_column_compression",
    "pg_column_is_updatable", "pg_column_size", "pg_column_toast_chunk_id", "pg_conf_load_time",
    "pg_config", "pg_control_checkpoint", "pg_control_init", "pg_control_recovery",
    "pg_control_system", "pg_conversion_is_visible", "pg_create_restore_point",
    "pg_current_wal_flush_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_lsn", "pg_cursor",
    "pg_database_collation_actual_version", "pg_database_size", "pg_describe_object",
    "pg_encoding_max_length", "pg_encoding_to_char", "pg_extension_update_paths",
    "pg_filenode_relation", "pg_freespace", "pg_function_is_visible", "pg_get_acl", "pg_get_aios",
    "pg_get_backend_memory_contexts", "pg_get_catalog_foreign_keys", "pg_get_constraintdef",
    "pg_get_expr", "pg_get_function_arg_default", "pg_get_function_arguments",
    "pg_get_function_identity_arguments", "pg_get_function_result", "pg_get_function_sqlbody",
    "pg_get_functiondef", "pg_get_indexdef", "pg_get_keywords", "pg_get_loaded_modules",
    "pg_get_object_address", "pg_get_partition_constraintdef", "pg_get_partkeydef",
    "pg_get_publication_tables", "pg_get_replica_identity_index", "pg_get_replication_slots",
    "pg_get_ruledef", "pg_get_serial_sequence", "pg_get_shmem_allocations",
    "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
    "pg_get_statisticsobjdef_expressions", "pg_get_triggerdef", "pg_get_userbyid", "pg_get_viewdef",
    "pg_get_wal_replay_pause_state", "pg_get_wal_resource_managers", "pg_get_wal_summarizer_state",
    "pg_has_role", "pg_identify_object", "pg_identify_object_as_address",
    "pg_index_column_has_property", "pg_index_has_property", "pg_indexam_has_property",
    "pg_indexam_progress_phasename", "pg_indexes_size", "pg_is_in_recovery",
    "pg_is_other_temp_schema", "pg_is_wal_replay_paused", "pg_jit_available",
    "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
    "pg_listening_channels", "pg_lock_status", "pg_log_backend_memory_contexts",
    "pg_logical_slot_peek_binary_changes", "pg_logical_slot_peek_changes", "pg_mcv_list_items",
    "pg_notification_queue_usage", "pg_numa_available", "pg_opclass_is_visible",
    "pg_operator_is_visible", "pg_opfamily_is_visible", "pg_options_to_table",
    "pg_partition_ancestors", "pg_partition_root", "pg_partition_tree", "pg_postmaster_start_time",
    "pg_prepared_statement", "pg_prepared_xact", "pg_prewarm", "pg_relation_filenode",
    "pg_relation_filepath", "pg_relation_is_publishable", "pg_relation_is_updatable",
    "pg_relation_size", "pg_relpages", "pg_replication_origin_oid",
    "pg_replication_origin_progress", "pg_replication_origin_session_is_setup",
    "pg_replication_origin_session_progress", "pg_safe_snapshot_blocking_pids",
    "pg_sequence_parameters", "pg_settings_get_flags", "pg_show_all_settings",
    "pg_show_replication_origin_status", "pg_split_walfile_name", "pg_statistics_obj_is_visible",
    "pg_switch_wal", "pg_table_is_visible", "pg_table_size", "pg_tablespace_databases",
    "pg_tablespace_location", "pg_tablespace_size", "pg_timezone_abbrevs", "pg_timezone_names",
    "pg_total_relation_size", "pg_ts_config_is_visible", "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible", "pg_ts_template_is_visible", "pg_type_is_visible",
    "pg_wal_summary_contents", "pg_walfile_name", "pg_walfile_name_offset",
    "pg_xact_commit_timestamp_origin", "pgrowlocks", "pgstatginindex", "pgstathashindex",
    "pgstatindex", "pgstattuple", "pgstattuple_approx", "postgis_full_version",
    "postgis_geos_version", "postgis_lib_build_date", "postgis_lib_version",
    "postgis_libxml_version", "postgis_proj_version", "postgis_scripts_version", "postgis_version",
    "regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper",
    "regoperator", "regproc", "regprocedure", "regrole", "regtype", "schema_to_xmlschema",
    "shobj_description", "ssl_cipher", "ssl_client_cert_present", "ssl_client_dn",
    "ssl_client_dn_field", "ssl_client_serial", "ssl_is_used", "ssl_issuer_dn", "ssl_issuer_field",
    "ssl_version", "table_to_xmlschema", "to_regclass", "to_regcollation", "to_regnamespace",
    "to_regoper", "to_regoperator", "to_regproc", "to_regprocedure", "to_regrole", "to_regtype",
    "to_regtypemod", "verify_heapam", "version",
];

/// Settings that cannot change what a query returns.
#[rustfmt::skip]
pub(super) static HARMLESS: &[&str] = &[
    "allow_in_place_tablespaces", "application_name", "backend_flush_after", "backtrace_functions",
    "check_function_bodies", "client_connection_check_interval", "client_min_messages",
    "commit_delay", "commit_siblings", "compute_query_id", "constraint_exclusion",
    "cpu_index_tuple_cost", "cpu_operator_cost", "cpu_tuple_cost", "createrole_self_grant",
    "cursor_tuple_fraction", "deadlock_timeout", "debug_copy_parse_plan_trees",
    "debug_discard_caches", "debug_logical_replication_streaming", "debug_parallel_query",
    "debug_pretty_print", "debug_print_parse", "debug_print_plan", "debug_print_raw_parse",
    "debug_print_rewritten", "debug_raw_expression_coverage_test",
    "debug_write_read_parse_plan_trees", "default_statistics_target", "default_table_access_method",
    "default_tablespace", "default_toast_compression", "default_transaction_deferrable",
    "effective_cache_size", "effective_io_concurrency", "enable_async_append", "enable_bitmapscan",
    "enable_distinct_reordering", "enable_gathermerge", "enable_group_by_reordering",
    "enable_hashagg", "enable_hashjoin", "enable_incremental_sort", "enable_indexonlyscan",
    "enable_indexscan", "enable_material", "enable_memoize", "enable_mergejoin", "enable_nestloop",
    "enable_parallel_append", "enable_parallel_hash", "enable_partition_pruning",
    "enable_partitionwise_aggregate", "enable_partitionwise_join", "enable_presorted_aggregate",
    "enable_self_join_elimination", "enable_seqscan", "enable_sort", "enable_tidscan",
    "escape_string_warning", "event_triggers", "exit_on_error", "file_copy_method",
    "file_extend_method", "force_parallel_mode", "from_collapse_limit", "geqo", "geqo_effort",
    "geqo_generations", "geqo_pool_size", "geqo_seed", "geqo_selection_bias", "geqo_threshold",
    "gin_pending_list_limit", "hash_mem_multiplier", "icu_validation_level",
    "idle_in_transaction_session_timeout", "idle_replication_slot_timeout", "idle_session_timeout",
    "io_combine_limit", "io_max_combine_limit", "jit", "jit_above_cost", "jit_dump_bitcode",
    "jit_expressions", "jit_inline_above_cost", "jit_optimize_above_cost", "jit_tuple_deforming",
    "join_collapse_limit", "lo_compat_privileges", "lock_timeout", "log_duration",
    "log_error_verbosity", "log_executor_stats", "log_lock_failures", "log_lock_waits",
    "log_min_duration_sample", "log_min_duration_statement", "log_min_error_statement",
    "log_min_messages", "log_parameter_max_length", "log_parameter_max_length_on_error",
    "log_parser_stats", "log_planner_stats", "log_replication_commands", "log_statement",
    "log_statement_sample_rate", "log_statement_stats", "log_temp_files",
    "log_transaction_sample_rate", "logical_decoding_work_mem", "maintenance_io_concurrency",
    "maintenance_work_mem", "max_parallel_maintenance_workers", "max_parallel_workers",
    "max_parallel_workers_per_gather", "max_stack_depth", "md5_password_warnings",
    "min_parallel_index_scan_size", "min_parallel_table_scan_size", "operator_precedence_warning",
    "parallel_leader_participation", "parallel_setup_cost", "parallel_tuple_cost",
    "password_encryption", "plan_cache_mode", "quote_all_identifiers", "random_page_cost",
    "recursive_worktable_factor", "replacement_sort_tuples", "scram_iterations", "seed",
    "send_abort_for_crash", "send_abort_for_kill", "seq_page_cost", "ssl_renegotiation_limit",
    "statement_timeout", "stats_fetch_consistency", "synchronize_seqscans", "synchronous_commit",
    "tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout",
    "temp_buffers", "temp_file_limit", "temp_tablespaces", "trace_lock_oidmin", "trace_notify",
    "trace_sort", "track_activities", "track_cost_delay_timing", "track_counts", "track_functions",
    "track_io_timing", "track_wal_io_timing", "transaction_deferrable", "transaction_timeout",
    "update_process_title", "vacuum_buffer_usage_limit", "vacuum_cost_delay", "vacuum_cost_limit",
    "vacuum_cost_page_dirty", "vacuum_cost_page_hit", "vacuum_cost_page_miss",
    "vacuum_defer_cleanup_age", "vacuum_failsafe_age", "vacuum_freeze_min_age",
    "vacuum_freeze_table_age", "vacuum_max_eager_freeze_failure_rate",
    "vacuum_multixact_failsafe_age", "vacuum_multixact_freeze_min_age",
    "vacuum_multixact_freeze_table_age", "vacuum_truncate", "wal_compression",
    "wal_consistency_checking", "wal_init_zero", "wal_recycle", "wal_sender_timeout",
    "wal_skip_threshold", "work_mem",
];

/// Settings that can change what a query returns.
#[rustfmt::skip]
pub(super) static KEY: &[&str] = &[
    "array_nulls", "bytea_output", "client_encoding", "datestyle", "default_text_search_config",
    "extra_float_digits", "intervalstyle", "lc_collate", "lc_ctype", "lc_messages", "lc_monetary",
    "lc_numeric", "lc_time", "restrict_nonsystem_relation_kind", "role", "row_security",
    "search_path", "session_authorization", "session_replication_role", "timezone",
    "timezone_abbreviations", "transform_null_equals", "xmlbinary", "xmloption",
];

/// Operators beyond arithmetic and comparison, of PostgreSQL, its contrib extensions, PostGIS and
/// pgvector. All call functions that are pure.
#[rustfmt::skip]
pub(super) static OPERATORS: &[&str] = &[
    "!!", "!~", "!~*", "!~~", "!~~*", "#", "##", "#-", "#<#", "#<=#", "#=", "#>", "#>#", "#>=#",
    "#>>", "%#", "%%", "%>", "%>>", "&", "&&", "&&&", "&/&", "&<", "&<|", "&>", "*<", "*<=", "*<>",
    "*=", "*>", "*>=", "->", "->>", "-|-", "<#", "<#>", "<%", "<%>", "<+>", "<->", "<->>", "<->>>",
    "<<", "<<#>>", "<<%", "<<->", "<<->>", "<<<->", "<<=", "<<@", "<<|", "<=>", "<@", "<@>", "<^",
    "<~>", ">>", ">>=", ">^", "?", "?#", "?&", "?-", "?-|", "?<@", "?@", "?@>", "?|", "?||", "?~",
    "@", "@-@", "@>", "@>>", "@?", "@@", "@@@", "^", "^<@", "^?", "^@", "^@>", "^~", "|", "|&>",
    "|/", "|=|", "|>>", "||", "||/", "~", "~*", "~<=~", "~<~", "~=", "~==", "~>", "~>=~", "~>~",
    "~~", "~~*", "~~=",
];
