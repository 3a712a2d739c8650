"""The errors that whyrec raises.

WhyrecError
├── ConfigError        whyrec.toml, an environment variable or an option is wrong
├── DataError          a source, a build or the sample data can't be used
│   └── TooManyRejects   more rows were rejected than the configuration allows
├── NotFound           a person, item, prompt, model or build that does not exist
├── ArtefactError      a trained model's folder is corrupt, truncated or mismatched
├── StoreError         the database can't be reached or is locked
├── MissingExtra       an optional dependency is not installed
└── ModelError         a language model's call failed; `cause` says how (rerank/types.py lists the causes)

Every message names the thing, the value and the remedy. Library exceptions are translated once, at
the adapter, with `raise … from error`.
"""


class WhyrecError(Exception):
    """Base of every error that whyrec raises on purpose; its text is meant for a person."""


class ConfigError(WhyrecError):
    pass


class DataError(WhyrecError):
    pass


class TooManyRejects(DataError):
    pass


class NotFound(WhyrecError):
    pass


class ArtefactError(WhyrecError):
    pass


class StoreError(WhyrecError):
    pass


class MissingExtra(WhyrecError):
    """`extra` names the optional dependency group that brings what is missing."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed: pip install 'whyrec[{extra}]'")
        self.extra = extra


class ModelError(WhyrecError):
    """A call to a language model failed. `cause` is one of rerank.types.Cause."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause
