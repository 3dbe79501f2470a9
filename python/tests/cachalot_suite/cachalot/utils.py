"""What the tests take from cachalot's internals, answered by Kogia's analysis."""

from django.core.exceptions import EmptyResultSet
from django.db import connections

from kogia import conf, link


class UncachableQuery(Exception):
    """A query is not cached."""


def _get_tables(db_alias, query, compiler=False):
    """The tables that a query reads."""
    wrapper = connections[db_alias]
    wrapper.ensure_connection()
    try:
        sql, params = query.get_compiler(db_alias).as_sql()
    except EmptyResultSet:
        # Django itself sends no query; cachalot names the tables of its model.
        return {query.get_meta().db_table}
    found = link.of(wrapper)
    # A table of a moment ago is in the catalog after the next read.
    found.look_up(sql, params, b"tables")
    reads, _, why = found.database.analyze(sql)
    if why is not None:
        raise UncachableQuery(why)
    return {_name(wrapper, table) for table in reads}


def _name(wrapper, table):
    names = wrapper.introspection.django_table_names()
    return next((name for name in names if conf.canonical(name) == table), table)


def _get_tables_from_sql(connection, lowercased_sql, enable_quote=False):
    """There is no such step; two tests of internals patch it."""
    raise NotImplementedError
