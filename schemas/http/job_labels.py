"""What a client attaches to a job: an id of its own, by which it finds the job, and metadata. A published contract."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from schemas.http.constraints import LINE, none_if_empty
from schemas.http.json_text import from_text

LONGEST_EXTERNAL_ID = 100  # characters
MOST_METADATA = 20  # members
LONGEST_METADATA_KEY = 40  # characters
LONGEST_METADATA_VALUE = 500  # characters

# Not as pydantic has it, where a name that does not match the pattern may have any value.
_METADATA = {
    "type": "object",
    "maxProperties": MOST_METADATA,
    "propertyNames": {"minLength": 1, "maxLength": LONGEST_METADATA_KEY, "pattern": LINE},
    "additionalProperties": {"type": "string", "maxLength": LONGEST_METADATA_VALUE},
}
ExternalId = Annotated[str, Field(max_length=LONGEST_EXTERNAL_ID, pattern=LINE), AfterValidator(none_if_empty)]
Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_METADATA_KEY, pattern=LINE)],
        Annotated[str, StringConstraints(max_length=LONGEST_METADATA_VALUE)],
    ],
    BeforeValidator(from_text),
    Field(max_length=MOST_METADATA),
    WithJsonSchema(_METADATA),
]


class JobLabels(BaseModel):
    """Fields of every request that creates a job."""

    model_config = ConfigDict(extra="forbid")

    external_id: ExternalId | None = Field(
        None, description="An ID of your own, to find the job by. Several jobs may have the same."
    )
    metadata: Metadata | None = Field(
        None,
        description=f"Up to {MOST_METADATA} texts of your own that the job shows, by their names.",
        examples=[{"ticket": "4711"}],
    )
