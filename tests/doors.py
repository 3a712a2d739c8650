"""The service's doors for tests: a real service over tests/whole.py's platforms, with a store of its own.

    async with doors(whole, tmp_path) as door:
        answer = await door.post("/v1/events", json=…)

`door.service` is the opened service; keyword arguments replace sections of the settings.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from api.app import create_app
from api.security import SecurityConfig
from api.service import Service
from api.settings import Settings, load_settings
from recall.store import StoreConfig
from rerank.llm import LLMConfig


class Door(httpx.AsyncClient):
    service: Service


@asynccontextmanager
async def doors(config: Path, folder: Path, **sections: Any) -> AsyncIterator[Door]:
    async with Service.open(alone(config, folder, **sections)) as service:
        transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
        async with Door(transport=transport, base_url="http://test") as door:
            door.service = service
            yield door


def alone(config: Path, folder: Path, **sections: Any) -> Settings:
    """The settings with a store in `folder`, no keys and, unless `llm` says otherwise, no model."""
    usual = {
        "store": StoreConfig(url=f"sqlite:///{folder / 'doors.db'}"),
        "security": SecurityConfig(open=True),
        "llm": LLMConfig(engine="none"),
    }
    return load_settings(config).model_copy(update={**usual, **sections})
