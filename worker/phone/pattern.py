"""Parser for the regular expressions in libphonenumber's metadata; compiles them to programs over decimal digits.

Supports digits, sets of digits, groups, alternatives, `$` and bounded repeats: all that the metadata uses. Raises
`UnsupportedPattern` for anything else, which is then left to the library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

ANY_DIGIT = 0b11_1111_1111
_TOKEN = re.compile(r"\\d|\(\?:|\{\d+(?:,\d+)?\}|\[[\d-]+\]|[0-9()|?$]")


class UnsupportedPattern(ValueError):  # noqa: N818  (the name says what is wrong with the pattern)
    """The expression uses syntax that this parser does not support."""


@dataclass(frozen=True)
class Digit:
    """One digit out of a set; bit d of `mask` stands for digit d."""

    mask: int


@dataclass(frozen=True)
class Sequence:
    """Parts in a row."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Either:
    """Alternatives, the preferred one first."""

    options: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """A part repeated `low` to `high` times, as often as possible."""

    part: Node
    low: int
    high: int


@dataclass(frozen=True)
class Group:
    """A capturing group; indices start at 1."""

    part: Node
    index: int


@dataclass(frozen=True)
class End:
    """The end of the number (`$`)."""


Node = Digit | Sequence | Either | Repeat | Group | End


@dataclass
class _Reader:
    """Recursive descent parser for the tokens of one expression."""

    tokens: list[str]
    place: int = 0
    groups: int = 0

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        piece = self.peek()
        self.place += 1
        return piece

    def either(self) -> Node:
        options = [self.sequence()]
        while self.peek() == "|":
            self.take()
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Either(tuple(options))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in {"", "|", ")"}:
            parts.append(self.repeated(self.atom()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def repeated(self, part: Node) -> Node:
        while self.peek() == "?" or self.peek().startswith("{"):
            piece = self.take()
            bounds = [0, 1] if piece == "?" else [int(bound) for bound in piece[1:-1].split(",")]
            part = Repeat(part, bounds[0], bounds[-1])
        return part

    def atom(self) -> Node:
        piece = self.take()
        if piece in {"(", "(?:"}:
            return self.group(capturing=piece == "(")
        if piece == "$":
            return End()
        if piece in {")", "?"} or piece.startswith("{"):
            raise UnsupportedPattern(piece)
        return Digit(_mask(piece))

    def group(self, *, capturing: bool) -> Node:
        self.groups += capturing
        index = self.groups
        inside = self.either()
        if self.take() != ")":
            raise UnsupportedPattern("a group is not closed")
        return Group(inside, index) if capturing else inside


def _mask(piece: str) -> int:
    if piece == r"\d":
        return ANY_DIGIT
    ranges = re.findall(r"(\d)(?:-(\d))?", piece)
    return sum({1 << digit for low, high in ranges for digit in range(int(low), int(high or low) + 1)})


def read_pattern(text: str) -> tuple[Node, int]:
    """Return the expression as a tree, and its number of capturing groups. Raises `UnsupportedPattern`."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text:
        raise UnsupportedPattern(text)
    reader = _Reader(tokens)
    node = reader.either()
    if reader.peek():
        raise UnsupportedPattern(text)
    return node, reader.groups


class Kind(IntEnum):
    """The effect of an instruction: only DIGIT consumes, only ACCEPT ends."""

    DIGIT = 0
    FORK = 1
    OPEN = 2
    CLOSE = 3
    END = 4
    ACCEPT = 5


@dataclass(frozen=True)
class Step:
    """One instruction; `value` is the mask of a DIGIT or the label of an ACCEPT, `then` the next instructions."""

    kind: Kind
    value: int = 0
    then: tuple[int, ...] = ()


@dataclass
class Program:
    """Instructions of any number of patterns, built backwards from their ends."""

    steps: list[Step] = field(default_factory=list)
    captured: int = 0  # the only group whose position is recorded; 0 for none

    def add(self, kind: Kind, value: int = 0, then: tuple[int, ...] = ()) -> int:
        """Add one instruction and return its index."""
        self.steps.append(Step(kind, value, then))
        return len(self.steps) - 1

    def pattern(self, text: str, label: int) -> int:
        """Add an expression that ends in `label` and return its first instruction."""
        node, _ = read_pattern(text)
        return self._build(node, self.add(Kind.ACCEPT, label))

    def _build(self, node: Node, then: int) -> int:
        match node:
            case Digit(mask):
                return self.add(Kind.DIGIT, mask, (then,))
            case Sequence(parts):
                for part in reversed(parts):
                    then = self._build(part, then)
                return then
            case Either(options):
                return self.add(Kind.FORK, 0, tuple(self._build(option, then) for option in options))
            case Repeat():
                return self._repeat(node, then)
            case Group():
                return self._group(node, then)
            case End():
                return self._end(then)

    def _group(self, node: Group, then: int) -> int:
        if node.index != self.captured:
            return self._build(node.part, then)
        return self.add(Kind.OPEN, 0, (self._build(node.part, self.add(Kind.CLOSE, 0, (then,))),))

    def _repeat(self, node: Repeat, then: int) -> int:
        after = then
        for _ in range(node.high - node.low):
            then = self.add(Kind.FORK, 0, (self._build(node.part, then), after))
        for _ in range(node.low):
            then = self._build(node.part, then)
        return then

    def _end(self, then: int) -> int:
        if self.steps[then].kind is not Kind.ACCEPT:
            raise UnsupportedPattern("$ before the end")
        return self.add(Kind.END, 0, (then,))
