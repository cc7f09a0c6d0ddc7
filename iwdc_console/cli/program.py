"""What this program is called, and which version it is."""

PROGRAM = "iwdc-distributed"


def program_version() -> str:
    """The installed package's version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("iwdc-distributed")
    except PackageNotFoundError:
        return "not installed as a package"
