"""What is compared: each system by the settings that it needs."""

LOCMEM = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "OPTIONS": {"MAX_ENTRIES": 1_000_000},
}

SYSTEMS = {
    "none": "Django without a cache",
    "floor": "a dictionary by SQL and parameters, which is never invalidated: what Django itself costs",
    "cachalot-locmem": "django-cachalot in the process's own memory",
    "cachalot-redis": "django-cachalot on Redis",
    "cacheops": "django-cacheops on Redis",
    "kogia-memory": "Kogia in the process's own memory",
    "kogia-file": "Kogia on a file that all processes of the machine share",
    "kogia-redis": "Kogia on Redis",
}

NEED_REDIS = {"cachalot-redis", "cacheops", "kogia-redis"}


def settings_of(system, redis_url, folder):
    """The settings of a system, beside those of all."""
    if system == "cachalot-locmem":
        return {"INSTALLED_APPS": ["cachalot"], "CACHES": {"default": LOCMEM}}
    if system == "cachalot-redis":
        redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis_url}
        return {"INSTALLED_APPS": ["cachalot"], "CACHES": {"default": redis}}
    if system == "cacheops":
        everything = {"*.*": {"ops": "all", "timeout": 3600}}
        return {"INSTALLED_APPS": ["cacheops"], "CACHEOPS_REDIS": redis_url, "CACHEOPS": everything}
    if system == "kogia-memory":
        store = {"STORE": "memory:?capacity=256MB", "ONE_MACHINE": True}
        return {"INSTALLED_APPS": ["kogia"], "KOGIA": store}
    if system == "kogia-file":
        store = {"STORE": f"file://{folder}/store?capacity=256MB", "ONE_MACHINE": True}
        return {"INSTALLED_APPS": ["kogia"], "KOGIA": store}
    if system == "kogia-redis":
        # The database is a new one: there are no marks that could have been lost.
        return {"INSTALLED_APPS": ["kogia"], "KOGIA": {"STORE": f"{redis_url}?quarantine=0s"}}
    return {}


def install_floor():
    """Answers every query from a dictionary, in place of the compiler's own way."""
    from django.db.models.sql.compiler import SQLCompiler
    from django.db.models.sql.constants import MULTI, SINGLE

    answers = {}
    execute = SQLCompiler.execute_sql

    def execute_sql(self, result_type=MULTI, chunked_fetch=False, chunk_size=100):
        # Writes ask for neither.
        if result_type not in (MULTI, SINGLE):
            return execute(self, result_type, chunked_fetch, chunk_size)
        sql, parameters = self.as_sql()
        key = (sql, parameters)
        found = answers.get(key)
        if found is None:
            found = execute(self, result_type, chunked_fetch, chunk_size)
            if result_type == MULTI:
                found = list(found)
            answers[key] = found
        return found

    SQLCompiler.execute_sql = execute_sql
