"""There is no `AtomicCache`; its tests are listed in `expected.toml`."""


class AtomicCache:
    """Nothing."""

    def __init__(self, *args):
        raise NotImplementedError
