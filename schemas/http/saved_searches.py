"""Bodies of the portal's forms about saved searches."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from schemas.name_matching import collapse_spaces

LONGEST_NAME = 60  # characters


def _short(name: str) -> str:
    collapsed = collapse_spaces(name)
    if len(collapsed) > LONGEST_NAME:
        raise ValueError(f"a name has at most {LONGEST_NAME} characters")
    return collapsed


class SearchName(BaseModel):
    """The name of a saved search."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, AfterValidator(_short)]
