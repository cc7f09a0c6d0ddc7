"""What answers look like to people and to `cut`. Pure functions of an answer's data and a `Screen`."""
