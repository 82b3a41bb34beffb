"""Errors that a person can cause and mend. The command line prints them without a traceback."""


class RetraceError(Exception):
    """A problem whose message names the file, key or value at fault and says what to do about it."""


class SettingsError(RetraceError):
    """A setting is unknown, of the wrong type or impossible."""


class DataError(RetraceError):
    """A data file is missing, or is not the file that it should be."""


class CheckpointError(RetraceError):
    """A training state or a weights file cannot be read."""


class SolverError(RetraceError):
    """A solver could not reach its tolerance or produced values that are not finite."""


class RefusedError(RetraceError):
    """Something that cannot be measured as asked; the message is the reason shown in the tables."""


class UnsupportedModelError(RefusedError):
    """A sampler needs something that this model cannot answer."""
