"""Why a node did not answer, in the language that is spoken."""

from iwdc_console.locale import text
from iwdc_console.silence import read


def unanswered(why: str) -> str:
    """Why a node did not answer, or several reasons apart by semicolons; the system's own words stay as they are."""
    known = ((each, read(each)) for each in why.split("; "))
    return "; ".join(each if said is None else text(f"silence.{said[0]}", **said[1]) for each, said in known)
