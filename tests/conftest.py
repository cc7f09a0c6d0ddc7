"""What all tests share."""

from hypothesis import settings

# The machines that run this are busy with other things as well: an example may take long and be right.
settings.register_profile("project", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("project")
