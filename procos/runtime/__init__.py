"""One job: taken, run, delivered."""
