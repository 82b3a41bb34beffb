"""One package per paper. Papers import `common`, and each other only back in time."""
