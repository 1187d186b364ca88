"""What a study is: a base configuration, and a list of what its runs change in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from evidence.records import is_full


def change(config: dict, *changes: dict) -> dict:
    """A configuration with changes: parts that are dicts are changed likewise, and None leaves a key out."""
    changed = dict(config)
    for key, value in (item for each in changes for item in each.items()):
        if value is None:
            changed.pop(key, None)
        else:
            changed[key] = change(changed.get(key, {}), value) if isinstance(value, dict) else value
    return changed


def part(config: dict, path: str):
    """What lies at a dotted path of a configuration, or None."""
    step = lambda inner, key: inner.get(key) if isinstance(inner, dict) else None
    return reduce(step, path.split("."), config)


def leaves(config: dict, above: str = "") -> list[str]:
    """The dotted paths of all that is no dict."""
    below = lambda key, value: leaves(value, f"{above}{key}.") if isinstance(value, dict) else [above + key]
    return [path for item in config.items() for path in below(*item)]


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

    def grid(self, profile: str) -> list[dict]:
        """The configurations of a profile, "quick" or "full"."""
        return list(self.named(profile).values())

    def named(self, profile: str) -> dict[str, dict]:
        """The same by name: the study's own, or the change in words. ValueError for another profile."""
        quick = {} if is_full(profile) else self.quick
        words = lambda each: ", ".join(f"{path} {part(each, path)}" for path in leaves(each)) or "as it is"
        own = isinstance(self.changes, Mapping)
        named = self.changes if own else {words(each): each for each in self.changes}
        return {name: change(self.base, each) | quick for name, each in named.items()}
