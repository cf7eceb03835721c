"""Why one row is not used."""


class ObjectionError(ValueError):
    """The message is the reason under which the row is counted; it is the same for all rows of the reason."""


class EmptyRowError(ObjectionError):
    """Every column is empty."""
