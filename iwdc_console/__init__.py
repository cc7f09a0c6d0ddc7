"""The console: a typed client of the API, and the commands people and scripts use."""
