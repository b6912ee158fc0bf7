"""What tests of data sets share: a listing read to its end."""

from __future__ import annotations

from rtconform.reference_models.data.items import Recording
from rtconform.reference_models.data.listing import LeftOut, Listing, read


def everything(listing: Listing) -> tuple[list[Recording], list[LeftOut]]:
    """The plain recordings in the order of the table, and all that is left out."""
    found = [read(candidate) for candidate in listing.candidates]
    left_out = [entry for entry in found if isinstance(entry, LeftOut)]
    return [entry for entry in found if isinstance(entry, Recording)], [*listing.left_out, *left_out]
