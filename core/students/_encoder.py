"""Settings of students that read with a pretrained encoder, with the same words."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# A browser names no folder of the server.
_BY_COMMAND = {"command_line_only": True}

Source = Annotated[
    str,
    Field(
        min_length=1,
        description="'embedded' (all-MiniLM-L6-v2), a local folder, or with a revision a model id "
        "of the Hugging Face Hub",
        json_schema_extra=_BY_COMMAND,
    ),
]
Revision = Annotated[
    str,
    Field(
        pattern=r"^([0-9a-f]{40})?$",
        description="full commit of a model of the Hub; empty for the others",
        json_schema_extra=_BY_COMMAND,
    ),
]
