"""From services to nouns: what pages show and the API answers."""
