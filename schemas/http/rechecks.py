"""The request body of a re-check (R31), version 1. A published contract."""

from __future__ import annotations

from schemas.http.import_profiles import ProfileName
from schemas.http.resources import UploadOptions


class RecheckBody(UploadOptions):
    """The options to change when a stored file is checked again; options that are left out stay the same.

    `save_profile`: the name under which the mapping is saved as an import profile, once the file has been read by it.
    """

    save_profile: ProfileName | None = None
