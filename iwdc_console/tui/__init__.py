"""The console on screen. See docs/console.md for how it is built."""
