"""What a run is told: a party's private settings, and the terms that both sides hold."""
