"""Tables of the report."""


def tables(metrics):
    return iter(())
