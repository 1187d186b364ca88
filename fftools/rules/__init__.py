"""The learning rules, each in a module of its own: a `Learner` that says what its blocks learn from."""
