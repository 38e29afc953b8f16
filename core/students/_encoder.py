"""What students that read with a pretrained encoder share: how it is named, and its files' hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from core import encoders
from core.students.base import Student


class ReadsWithEncoder(Student):
    """A student that reads texts with a pretrained encoder."""

    if TYPE_CHECKING:  # members declare it, with a default and a meaning of their own
        max_length: int
    # A browser names no folder of the server.
    encoder: str = Field(
        default=encoders.EMBEDDED,
        min_length=1,
        description=(
            "'embedded' (all-MiniLM-L6-v2), a local folder, or with a revision a model id of the "
            "Hugging Face Hub"
        ),
        json_schema_extra={"command_line_only": True},
    )
    revision: str = Field(
        default="",
        pattern=r"^([0-9a-f]{40})?$",
        description="full commit of a model of the Hub; empty for the others",
        json_schema_extra={"command_line_only": True},
    )

    def fingerprint(self) -> str:
        """Return the hash of the encoder's files.

        Raises:
            Problem: the encoder is not there or not the file it should be.
        """
        return encoders.fingerprint(self._encoder)

    @property
    def _encoder(self) -> encoders.Encoder:
        return encoders.Encoder(self.encoder, self.revision, self.max_length)
