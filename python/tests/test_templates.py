"""Template tags and the Jinja2 extension, as django-cachalot documents them."""

import pytest
from django.core.cache import caches
from django.template import Context, Template
from django.test import override_settings
from jinja2 import Environment, FileSystemLoader, TemplateSyntaxError

from kogia import api

from .shop.models import Author, Tag

pytestmark = pytest.mark.django_db(transaction=True)

LOCAL = "django.core.cache.backends.locmem.LocMemCache"
CACHES = {
    "default": {"BACKEND": LOCAL, "LOCATION": "kogia-default"},
    "second": {"BACKEND": LOCAL, "LOCATION": "kogia-second"},
}


@pytest.fixture(autouse=True)
def two_caches():
    with override_settings(CACHES=CACHES):
        for alias in CACHES:
            caches[alias].clear()
        yield


class Counter:
    """Counts how often a fragment is made."""

    def __init__(self):
        self.made = 0

    def __str__(self):
        self.made += 1
        return f"made {self.made}"

    __html__ = __str__


@pytest.mark.parametrize("library", ["cachalot", "kogia"])
def test_the_tag(library):
    Author.objects.create(name="Melville")
    expected = api.get_last_invalidation(Author, "shop_book", db_alias="default")
    text = (
        f"{{% load {library} %}}"
        "{% get_last_invalidation 'shop.Author' 'shop_book' db_alias='default' as when %}{{ when }}"
    )
    assert float(Template(text).render(Context())) == pytest.approx(expected)
    api.invalidate(Author, cache_alias="second")
    other = (
        "{% load " + library + " %}{% get_last_invalidation 'shop.Author'%s as when %}{{ when }}"
    )
    assert float(Template(other.replace("%s", "")).render(Context())) == pytest.approx(expected)
    text = other.replace("%s", " cache_alias='second'")
    assert float(Template(text).render(Context())) > expected


def test_the_tag_shows_what_it_finds():
    Author.objects.create(name="Melville")
    text = "{% load cachalot %}{% get_last_invalidation 'shop_author' %}"
    assert float(Template(text).render(Context())) > 0


def test_a_fragment_of_django_is_made_again_when_a_table_changes():
    text = (
        "{% load cachalot cache %}"
        "{% get_last_invalidation 'shop.Author' 'shop_book' as last_invalidation %}"
        "{% cache 3600 short_profile last_invalidation %}{{ counter }}{% endcache %}"
    )
    check_fragments(Template(text), lambda template, **values: template.render(Context(values)))


def test_a_fragment_of_jinja2_is_made_again_when_a_table_changes():
    text = (
        "{% cache get_last_invalidation('shop.Author', 'shop_book'), "
        "cache_key='short_profile', timeout=3600 %}{{ counter }}{% endcache %}"
    )
    check_fragments(jinja2().from_string(text), lambda template, **values: template.render(values))


def check_fragments(template, render):
    counter = Counter()
    made = lambda: render(template, counter=counter)
    assert [made(), made()] == ["made 1"] * 2
    Author.objects.create(name="Melville")
    assert [made(), made()] == ["made 2"] * 2
    # Neither another table nor a read changes anything.
    Tag.objects.create(name="whales")
    list(Author.objects.all())
    assert made() == "made 2"


def jinja2(**options):
    return Environment(extensions=["kogia.jinja2ext.kogia"], autoescape=True, **options)


def test_the_extension_under_the_name_of_cachalot():
    environment = Environment(extensions=["kogia.jinja2ext.cachalot"], autoescape=True)
    Author.objects.create(name="Melville")
    text = environment.from_string("{{ get_last_invalidation('shop.Author') }}").render()
    assert float(text) == pytest.approx(api.get_last_invalidation(Author))


def test_what_stands_before_the_keywords_tells_fragments_apart():
    template = jinja2().from_string(
        "{% cache user, page, cache_key='profile' %}{{ counter }}{% endcache %}"
    )
    counter = Counter()
    made = lambda user, page: template.render(user=user, page=page, counter=counter)
    assert [made("Ada", 1), made("Ada", 2), made("Bo", 1)] == ["made 1", "made 2", "made 3"]
    assert [made("Ada", 1), made("Bo", 1)] == ["made 1", "made 3"]


def test_fragments_of_a_file_need_no_key(tmp_path):
    (tmp_path / "page.html").write_text(
        "{% cache %}{{ one }}{% endcache %}\n{% cache %}{{ two }}{% endcache %}"
    )
    template = jinja2(loader=FileSystemLoader(tmp_path)).get_template("page.html")
    assert template.render(one="a", two="b") == "a\nb"
    assert template.render(one="c", two="d") == "a\nb"


def test_a_fragment_in_another_cache_and_with_an_end():
    counter = Counter()
    text = (
        "{% cache cache_key='x', cache_alias=alias, timeout=timeout %}{{ counter }}{% endcache %}"
    )
    made = lambda alias, timeout: (
        jinja2().from_string(text).render(alias=alias, timeout=timeout, counter=counter)
    )
    assert [made("second", None), made("second", None)] == ["made 1"] * 2
    assert made("default", 0) == "made 2"
    assert made("default", 0) == "made 3"


def test_fragments_are_escaped_once():
    template = jinja2().from_string("{% cache cache_key='x' %}{{ text }}{% endcache %}")
    assert [template.render(text="<b>"), template.render(text="<b>")] == ["&lt;b&gt;"] * 2


def test_mistakes_are_named():
    with pytest.raises(TemplateSyntaxError, match="'key', but cache_key, timeout, cache_alias"):
        jinja2().from_string("{% cache key='x' %}{% endcache %}")
    with pytest.raises(TemplateSyntaxError):
        jinja2().from_string("{% cache cache_key='x' timeout=3 %}{% endcache %}")
    with pytest.raises(ValueError, match="cache_key"):
        jinja2().from_string("{% cache 1 %}{% endcache %}").render()
