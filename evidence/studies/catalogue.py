"""What a study is: a base configuration, and a list of what its runs change in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


def change(config: dict, *changes: dict) -> dict:
    """A configuration with changes: parts that are dicts are changed likewise, and None leaves a key out."""
    changed = dict(config)
    for key, value in (item for each in changes for item in each.items()):
        if value is None:
            changed.pop(key, None)
        else:
            changed[key] = change(changed.get(key, {}), value) if isinstance(value, dict) else value
    return changed


@dataclass(frozen=True)
class Study:
    """What a study asks, what it starts from, and what each run changes; `quick` makes a miniature of it.

    name       of its folder in `results/`
    changes    one for each configuration, by the name that tables give it, or without names
    quick      settings that replace those of every configuration in the quick profile
    """

    name: str
    about: str
    base: dict
    changes: Sequence[dict] | Mapping[str, dict]
    quick: dict = field(default_factory=dict)

    @property
    def configs(self) -> list[dict]:
        """The configurations at full scale."""
        return list(self.named("full").values())

    def grid(self, profile: str) -> list[dict]:
        """The configurations of a profile, "quick" or "full"."""
        return list(self.named(profile).values())

    def named(self, profile: str) -> dict[str, dict]:
        """The same by name: the study's own, or what the change says. ValueError for another profile."""
        if profile not in ("quick", "full"):
            raise ValueError(f'profile must be "quick" or "full"; got {profile!r}')
        quick = self.quick if profile == "quick" else {}
        own = isinstance(self.changes, Mapping)
        named = self.changes if own else {in_words(each): each for each in self.changes}
        return {name: change(self.base, each) | quick for name, each in named.items()}


def in_words(wanted: dict) -> str:
    """A change as text: `lr 0.001, network.local False`; "as it is" for none."""
    flat = lambda part, before: [
        word
        for key, value in part.items()
        for word in (flat(value, f"{key}.") if isinstance(value, dict) else [f"{before}{key} {value}"])
    ]
    return ", ".join(flat(wanted, "")) or "as it is"
