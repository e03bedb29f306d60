"""Compilation of digit patterns into state tables (finite automata): one lookup per digit, for many rows at once.

`recognise` builds a table that finds which of several patterns match a whole number. `find_prefix` builds a table that
finds the prefix that a pattern matches, preferring alternatives in written order like Python's `re.match`. Neither
backtracks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from worker.phone.pattern import Kind, Program

PAD = 10  # value after the last digit of a row
COLUMNS = 16  # table columns per state: ten digits, PAD, and filler up to a power of two
DEAD = 0


@dataclass(frozen=True)
class Recogniser:
    """A state table for whole numbers.

    `moves[state][digit]`: the next state, where 1 is the start and 0 is dead. `labels[state]`: bits of the patterns
    that match.
    """

    moves: list[list[int]]
    labels: list[int]


@dataclass(frozen=True)
class PrefixMatch:
    """The match of a prefix pattern: whether it needs the number to end here, and where its group begins and ends."""

    at_end: bool
    group_start: int
    group_end: int


@dataclass(frozen=True)
class PrefixFinder:
    """A state table for prefixes.

    `moves`: as in `Recogniser`. `taken[state]`: the digits so far are the match, unless a later state has another.
    """

    moves: list[list[int]]
    taken: list[PrefixMatch | None]


def recognise(program: Program, starts: list[int]) -> Recogniser:
    """Return the table that runs all patterns that begin at `starts` at once."""
    reach = _Reach(program)
    entry: frozenset[int] = frozenset().union(*(reach.of(start) for start in starts))
    numbers: dict[frozenset[int], int] = {frozenset(): DEAD, entry: 1}
    moves, queue = [[DEAD] * COLUMNS], deque([entry])
    while queue:
        state = queue.popleft()
        row = [numbers[state]] * COLUMNS  # PAD keeps the state, so a row of any length ends in its own final state
        for digit, target in enumerate(reach.after(state)):
            if target not in numbers:
                numbers[target] = len(numbers)
                queue.append(target)
            row[digit] = numbers[target]
        moves.append(row)
    return Recogniser(moves, [reach.labels(state) for state in numbers])


def beginnings(program: Program, start: int, most: int) -> list[str]:
    """Return the first `most` digits, or all if there are fewer, of the numbers that the pattern at `start` matches."""
    reach = _Reach(program)
    after: dict[frozenset[int], list[frozenset[int]]] = {}
    starts, alive = [], {"": reach.of(start)}
    for _ in range(most):
        ahead: dict[str, frozenset[int]] = {}
        for begin, state in alive.items():
            if reach.labels(state):
                starts.append(begin)
                continue
            if state not in after:
                after[state] = reach.after(state)
            ahead |= {f"{begin}{digit}": then for digit, then in enumerate(after[state]) if then}
        alive = ahead
    return [*starts, *alive]


class _Reach:
    """The consuming or accepting instructions that an instruction leads to without consuming a digit."""

    def __init__(self, program: Program) -> None:
        self._steps = program.steps
        self._known: dict[int, frozenset[int]] = {}

    def of(self, index: int) -> frozenset[int]:
        if index not in self._known:
            step = self._steps[index]
            if step.kind in {Kind.DIGIT, Kind.ACCEPT}:
                self._known[index] = frozenset((index,))
            else:
                self._known[index] = frozenset().union(*(self.of(then) for then in step.then))
        return self._known[index]

    def after(self, state: frozenset[int]) -> list[frozenset[int]]:
        """Return the ten next states, indexed by digit."""
        consuming = [(step.value, self.of(step.then[0])) for index in state if (step := self._steps[index]).then]
        if len(consuming) == 1:
            mask, target = consuming[0]
            return [target if mask >> digit & 1 else frozenset() for digit in range(PAD)]
        return [frozenset().union(*(target for mask, target in consuming if mask >> digit & 1)) for digit in range(PAD)]

    def labels(self, state: frozenset[int]) -> int:
        bits = 0
        for index in state:
            step = self._steps[index]
            if step.kind is Kind.ACCEPT:
                bits |= 1 << step.value
        return bits


@dataclass(frozen=True)
class _Thread:
    """One partial match: its next instruction, and where the captured group begins and ends (-1: not set)."""

    place: int
    start: int = -1
    end: int = -1


@dataclass(frozen=True)
class _State:
    """Threads in order of preference, after `depth` digits; threads below an accepted one are dropped."""

    depth: int
    threads: tuple[_Thread, ...]
    taken: PrefixMatch | None = None
    taken_at_end: PrefixMatch | None = None


def find_prefix(program: Program, start: int) -> PrefixFinder:
    """Return the table for one pattern anchored at the start of a number."""
    entry = _advance(program, 0, [_Thread(start)])
    numbers: dict[_State | None, int] = {None: DEAD, entry: 1}
    moves: list[list[int]] = [[DEAD] * COLUMNS]
    queue: deque[_State] = deque([entry])
    while queue:
        state = queue.popleft()
        row = [DEAD] * COLUMNS
        for digit in range(PAD + 1):
            target = _state_at_end(state) if digit == PAD else _step(program, state, digit)
            if target is not None and target not in numbers:
                numbers[target] = len(numbers)
                queue.append(target)
            row[digit] = numbers[target]
        moves.append(row)
    return PrefixFinder(moves, [state.taken if state else None for state in numbers])


def _state_at_end(state: _State) -> _State | None:
    return _State(state.depth + 1, (), state.taken_at_end) if state.taken_at_end else None


def _step(program: Program, state: _State, digit: int) -> _State | None:
    going = [
        _Thread(program.steps[thread.place].then[0], thread.start, thread.end)
        for thread in state.threads
        if program.steps[thread.place].value >> digit & 1
    ]
    return _advance(program, state.depth + 1, going) if going else None


def _advance(program: Program, depth: int, going: list[_Thread]) -> _State:
    """Follow the instructions that consume nothing, preferred thread first, until one thread accepts."""
    threads: dict[int, _Thread] = {}
    taken_at_end: PrefixMatch | None = None
    stack = going[::-1]
    while stack:
        thread = stack.pop()
        step = program.steps[thread.place]
        match step.kind:
            case Kind.DIGIT:
                threads.setdefault(thread.place, thread)
            case Kind.ACCEPT:
                match = PrefixMatch(at_end=False, group_start=thread.start, group_end=thread.end)
                return _State(depth, tuple(threads.values()), match, taken_at_end)
            case Kind.END:
                taken_at_end = taken_at_end or PrefixMatch(at_end=True, group_start=thread.start, group_end=thread.end)
            case Kind.OPEN:
                stack.append(_Thread(step.then[0], depth, -1))
            case Kind.CLOSE:
                stack.append(_Thread(step.then[0], thread.start, depth))
            case Kind.FORK:
                stack.extend(_Thread(then, thread.start, thread.end) for then in reversed(step.then))
    return _State(depth, tuple(threads.values()), None, taken_at_end)
