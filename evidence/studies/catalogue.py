"""What a study is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Study:
    """What a study asks, its configurations at full scale, and what `quick` changes in each of them."""

    about: str
    configs: tuple[dict, ...]
    quick: dict

    def grid(self, profile: str) -> list[dict]:
        """The configurations of a profile, "quick" or "full"."""
        if profile not in ("quick", "full"):
            raise ValueError(f'profile must be "quick" or "full"; got {profile!r}')
        return [{**config, **(self.quick if profile == "quick" else {})} for config in self.configs]
