"""The console on screen. See docs/console.md for how it is built."""

import os

# Textual reads it when it is imported. After a paint it waits up to two frames for the next one, which is 33 ms at its
# own 60, and a key may have to wait for it; what does not change is painted no more often.
os.environ.setdefault("TEXTUAL_FPS", "120")
