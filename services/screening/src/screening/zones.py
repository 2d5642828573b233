"""The tree of treated zones: "in field" means the same zone, an ancestor or a descendant. Source: domain.md, Day arithmetic."""

from collections.abc import Iterable, Iterator, Mapping

Tree = Mapping[str, str | None]
FACE = "face"  # an unknown zone counts as the face, domain.md section 3c


def up(tree: Tree, zone: str) -> Iterator[str]:
    """The zone itself, then its ancestors."""
    here: str | None = zone
    while here is not None:
        yield here
        here = tree[here]


def contains(tree: Tree, outer: str, inner: str) -> bool:
    """`inner` is `outer` or lies in it."""
    return outer in up(tree, inner)


def overlap(tree: Tree, one: str, other: str) -> bool:
    """Same zone, ancestor or descendant."""
    return contains(tree, one, other) or contains(tree, other, one)


def any_overlap(tree: Tree, zone: str, zones: Iterable[str]) -> bool:
    """`zone` overlaps one of `zones`; no zones at all = the zone is unknown = the face."""
    return any(overlap(tree, zone, other) for other in tuple(zones) or (FACE,))
