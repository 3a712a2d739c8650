"""The database: live events, decisions about links, aliases, consent, tombstones."""

from recall.store.config import StoreConfig
from recall.store.engine import Store, open_store
from recall.store.tables import METADATA

__all__ = ["METADATA", "Store", "StoreConfig", "open_store"]
