"""The stores that are made of entries of `CACHES`."""

import pytest
from django.conf import settings
from django.test.utils import override_settings

from kogia import caches, checks, engine, faults, stores

from .helpers import elsewhere, names, store
from .shop.models import Author

DJANGO_REDIS = "django.core.cache.backends.redis.RedisCache"
REDIS = "django_redis.cache.RedisCache"
SENTINEL = "django_redis.client.SentinelClient"
PYMEMCACHE = "django.core.cache.backends.memcached.PyMemcacheCache"
PYLIBMC = "django.core.cache.backends.memcached.PyLibMCCache"
OLD_PYLIBMC = "django_pylibmc.memcached.PyLibMCCache"
BMEMCACHED = "django_bmemcached.memcached.BMemcached"
LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


def entry(backend, location, **others):
    return {"BACKEND": backend, "LOCATION": location, **others}


@pytest.mark.parametrize(
    ("cache", "url"),
    [
        (entry(DJANGO_REDIS, "redis://h"), "redis://h"),
        (entry(DJANGO_REDIS, "redis://h:6380/2"), "redis://h:6380/2"),
        (entry(DJANGO_REDIS, "redis://h?db=3"), "redis://h/3"),
        (entry(DJANGO_REDIS, "redis://"), "redis://localhost"),
        (entry(DJANGO_REDIS, "redis://h", OPTIONS={"db": 4}), "redis://h/4"),
        # What the URL says wins, and its query over the rest of it.
        (entry(DJANGO_REDIS, "redis://h/1", OPTIONS={"db": 4}), "redis://h/1"),
        (entry(DJANGO_REDIS, "redis://h/1?db=3", OPTIONS={"db": 4}), "redis://h/3"),
        (entry(DJANGO_REDIS, "redis://u:a%2Fb@h/1"), "redis://u:a%2Fb@h/1"),
        (
            entry(DJANGO_REDIS, "redis://h", OPTIONS={"username": "u", "password": "p@/:?"}),
            "redis://u:p%40%2F%3A%3F@h",
        ),
        (entry(DJANGO_REDIS, "rediss://:p@h:6390"), "rediss://:p@h:6390"),
        (entry(DJANGO_REDIS, "redis://[::1]:6379/1"), "redis://[::1]:6379/1"),
        # The first one is the primary.
        (entry(DJANGO_REDIS, "redis://a;redis://b,redis://c"), "redis://a"),
        (entry(DJANGO_REDIS, ["redis://a:1", "redis://b:2"]), "redis://a:1"),
        (entry(DJANGO_REDIS, "redis://h", KEY_PREFIX="my app"), "redis://h?prefix=my%20app"),
        (entry(DJANGO_REDIS, "unix:///run/redis.sock"), "unix:///run/redis.sock"),
        (
            entry(DJANGO_REDIS, "unix://u:p@/run/redis.sock?db=2", KEY_PREFIX="a&b"),
            "unix://u:p@/run/redis.sock?db=2&prefix=a%26b",
        ),
        (entry(DJANGO_REDIS, "unix:///r.sock", OPTIONS={"db": 5}), "unix:///r.sock?db=5"),
        (entry(REDIS, "redis://h/1", OPTIONS={"PASSWORD": "p"}), "redis://:p@h/1"),
        (entry(REDIS, "redis://:mine@h/1", OPTIONS={"PASSWORD": "p"}), "redis://:mine@h/1"),
        (
            entry(REDIS, "redis://h", OPTIONS={"CONNECTION_POOL_KWARGS": {"password": "p"}}),
            "redis://:p@h",
        ),
        (
            entry(
                REDIS,
                ["redis://a/1", "redis://b/1"],
                OPTIONS={
                    "CLIENT_CLASS": "django_redis.client.DefaultClient",
                    "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
                    "SOCKET_TIMEOUT": 5,
                    "IGNORE_EXCEPTIONS": True,
                },
            ),
            "redis://a/1",
        ),
        (
            entry(REDIS, "redis://h", OPTIONS={"CLIENT_CLASS": "django_redis.client.HerdClient"}),
            "redis://h",
        ),
        (entry(REDIS, "valkey://h/1"), "valkey://h/1"),
        (
            entry(
                REDIS,
                "redis://u:p@service/1",
                KEY_PREFIX="app",
                OPTIONS={
                    "CLIENT_CLASS": SENTINEL,
                    "SENTINELS": [("a", 26379), ("::1", 26380)],
                    "SENTINEL_KWARGS": {"password": "p&", "socket_timeout": 1},
                    "CONNECTION_POOL_CLASS": "redis.sentinel.SentinelConnectionPool",
                },
            ),
            "redis-sentinel://u:p@a:26379,[::1]:26380/service/1?prefix=app&sentinel_password=p%26",
        ),
        # With `DJANGO_REDIS_CONNECTION_FACTORY`, the client is the usual one.
        (
            entry(REDIS, "redis://service/0?is_master=1", OPTIONS={"SENTINELS": [("a", 1)]}),
            "redis-sentinel://a:1/service/0",
        ),
        (
            entry(
                DJANGO_REDIS,
                "rediss://h",
                KEY_PREFIX="app",
                OPTIONS={"ssl_ca_certs": "/etc/my ca.pem", "ssl_cert_reqs": "required"},
            ),
            "rediss://h?prefix=app&ca=/etc/my%20ca.pem",
        ),
        (entry(PYMEMCACHE, "h:11212"), "memcached://h:11212"),
        (entry(PYMEMCACHE, "h"), "memcached://h:11211"),
        # The order is that of the ring.
        (entry(PYMEMCACHE, ["b:1", "a:2"]), "memcached://b:1,a:2"),
        (entry(PYLIBMC, "b:1;a:2, c"), "memcached://b:1,a:2,c:11211"),
        (entry(PYMEMCACHE, "[::1]:11212"), "memcached://[::1]:11212"),
        (entry(PYMEMCACHE, "inet6:[::1]"), "memcached://[::1]:11211"),
        (entry(PYMEMCACHE, "unix:/tmp/m.sock"), "memcached:///tmp/m.sock"),
        (entry(PYLIBMC, "/tmp/m.sock"), "memcached:///tmp/m.sock"),
        (entry(PYMEMCACHE, "h:1", KEY_PREFIX="app"), "memcached://h:1?prefix=app"),
    ],
)
def test_servers_of_caches_are_those_of_the_store(cache, url):
    assert caches.store_url(cache) == url


@pytest.mark.parametrize(
    ("cache", "why"),
    [
        (entry(REDIS, "redis://service/0", OPTIONS={"CLIENT_CLASS": SENTINEL}), "SENTINELS"),
        (entry(REDIS, "rediss://service/0", OPTIONS={"SENTINELS": [("h", 1)]}), "TLS"),
        (
            entry(
                REDIS,
                "redis://service/0",
                OPTIONS={"SENTINELS": [("h", 1)], "SENTINEL_KWARGS": {"ssl": True}},
            ),
            "SENTINEL_KWARGS have ssl",
        ),
        (
            entry(REDIS, "redis://a", OPTIONS={"CLIENT_CLASS": "django_redis.client.ShardClient"}),
            "ShardClient",
        ),
        (entry(REDIS, "redis://a", OPTIONS={"CLIENT_CLASS": "mine.Client"}), "mine.Client"),
        (entry(REDIS, "redis://a", OPTIONS={"CLIENT_CLASS": None}), "CLIENT_CLASS"),
        (entry(REDIS, "127.0.0.1:6379:1"), "redis://"),
        (entry(DJANGO_REDIS, ""), "no LOCATION"),
        (entry(DJANGO_REDIS, []), "no LOCATION"),
        (entry(DJANGO_REDIS, "rediss://h", OPTIONS={"ssl_keyfile": "/key"}), "ssl_keyfile"),
        (entry(DJANGO_REDIS, "rediss://h?ssl_cert_reqs=none"), "ssl_cert_reqs"),
        (
            entry(REDIS, "rediss://h", OPTIONS={"CONNECTION_POOL_KWARGS": {"ssl_keyfile": "k"}}),
            "ssl_keyfile",
        ),
        (entry(PYMEMCACHE, [("h", 1)]), "texts"),
        (entry(PYMEMCACHE, "h:port"), "'h:port'"),
        (entry(PYMEMCACHE, ["unix:/a", "h:1"]), "socket"),
        (entry(PYMEMCACHE, "h:1", OPTIONS={"tls_context": object()}), "tls_context"),
        (entry(PYLIBMC, "h:1", OPTIONS={"binary": True, "username": "u"}), "SASL"),
        (entry(OLD_PYLIBMC, "h:1", USERNAME="u", PASSWORD="p:"), "SASL"),
        (entry(BMEMCACHED, ["h:1"], OPTIONS={"username": "u", "password": "p"}), "SASL"),
        (entry("mine.RedisCache", "redis://h"), "mine.RedisCache"),
    ],
)
def test_what_cannot_be_mapped_says_why(cache, why):
    with pytest.raises(caches.Unmappable, match=why):
        caches.store_url(cache)
    with override_settings(KOGIA={}, CACHES={"default": cache}):
        choice = stores.choose()
        assert (choice.url, why in choice.refusal) == (stores.NONE, True)
        [found] = checks.check_store()
        assert (found.id, why in found.msg) == ("kogia.E006", True)


def test_the_alias_of_cachalot_counts():
    both = {
        "default": entry(DJANGO_REDIS, "redis://default"),
        "queries": entry(PYMEMCACHE, "queries:1"),
        "memory": LOCAL,
    }
    with override_settings(KOGIA={}, CACHES=both):
        assert stores.choose() == ("redis://default", DJANGO_REDIS, None)
        with override_settings(CACHALOT_CACHE="queries"):
            assert stores.choose() == ("memcached://queries:1", PYMEMCACHE, None)
        with override_settings(CACHALOT_CACHE="memory"):
            assert stores.choose().url == "memory:"
        with override_settings(KOGIA={"CACHE": "memory"}):
            # Nobody chose a store for queries that only one process sees.
            assert stores.choose().url.startswith("file:")
        with override_settings(KOGIA={"STORE": "file:///mine"}):
            assert stores.choose() == ("file:///mine", None, None)


def test_no_password_is_shown():
    cache = entry(DJANGO_REDIS, "redis://u:s3cret@h/1")
    with override_settings(KOGIA={}, CACHES={"default": cache}):
        found = checks.check_settings() + checks.check_store()
        shown = next(found.msg for found in found if found.id == "kogia.I001")
        assert "redis://u:***@h/1" in shown
        assert not any("s3cret" in str(message) for message in found)
    sentinels = {"SENTINELS": [("a", 1)], "SENTINEL_KWARGS": {"password": "s3cret"}}
    cache = entry(REDIS, "redis://service/0", OPTIONS=sentinels)
    with override_settings(KOGIA={}, CACHES={"default": cache}):
        found = checks.check_settings() + checks.check_store()
        assert "redis-sentinel://a:1/service/0" in str(found)
        assert not any("s3cret" in str(message) for message in found)
    with override_settings(KOGIA={"STORE": "radis://:s3cret@h/1"}):
        found = checks.check_settings() + checks.check_store()
        assert "kogia.E002" in [message.id for message in found]
        assert not any("s3cret" in str(message) for message in found)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("memory:", True),
        ("file:///a", True),
        ("unix:///a", True),
        ("redis://localhost:6379/1", True),
        ("redis://u:p@127.0.0.1", True),
        ("redis://[::1]:6379", True),
        ("memcached:///tmp/m.sock", True),
        ("redis+unix:///a", True),
        ("redis-cluster://localhost:1,localhost:2", True),
        ("redis-cluster://localhost:1,b:2", False),
        ("redis-sentinel://u:p@a:1,b:2/service/0", False),
        ("redis://cache/1", False),
        ("redis://localhost@cache/1", False),
        ("memcached://localhost:1,b:2", False),
        ("none:", False),
    ],
)
def test_stores_that_other_machines_do_not_see(url, is_local, monkeypatch):
    assert stores.is_of_this_machine(url) == is_local
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "far")
    with override_settings(KOGIA={"STORE": url}):
        ids = [found.id for found in checks.check_store()]
        assert ("kogia.W001" in ids) == (is_local and url != "memory:")


SHARDS = entry(REDIS, "redis://a", OPTIONS={"CLIENT_CLASS": "django_redis.client.ShardClient"})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("url", "cache", "check"),
    [
        ("nonsense://h", LOCAL, "kogia.E007"),
        ("memcached://h?local=2MB&mode=pushed", LOCAL, "kogia.E007"),
        (None, SHARDS, "kogia.E006"),
    ],
)
def test_an_engine_that_does_not_take_the_store_leaves_the_application_alone(
    url, cache, check, caplog
):
    faults.reset()
    with override_settings(CACHES={"default": cache}), store(url):
        Author.objects.create(name="Melville")
        assert names() == names() == elsewhere(names) == ["Melville"]
        assert engine.is_without_store()
        assert check in [found.id for found in checks.check_store()]
    assert [record.message.count("cannot be opened") for record in caplog.records] == [1]


def test_a_store_that_cannot_be_opened_now_is_a_warning(monkeypatch):
    def refuse(url):
        raise RuntimeError("nobody answers")

    with override_settings(KOGIA={"STORE": "redis://far?local=2MB&mode=pushed"}):
        assert checks.check_store() == []
        monkeypatch.setattr(checks._kogia, "Cache", refuse)
        [found] = checks.check_store()
        assert (found.id, "nobody answers" in found.msg) == ("kogia.W009", True)
        with override_settings(KOGIA={"STORE": "memory:"}):
            # Stores of this machine are not opened by a check.
            assert [found.id for found in checks.check_store()] == ["kogia.W002"]
