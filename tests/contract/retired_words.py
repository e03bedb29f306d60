"""Words that this project used in senses of its own, each with the term to use instead.

None may be part of the name of a module, a public function or a public class, nor stand in comments, docstrings, texts
or documents (`tests/contract/test_words.py`).
"""

from __future__ import annotations

# word: (the sense that is retired, the term to use)
RETIRED: dict[str, tuple[str, str]] = {
    "anew": ("again", "again"),
    "anybody": ("any user", "anyone"),
    "aside": ("stored aside", "background_writes"),
    "beside": ("what is shown beside a job", "the noun, such as undo_relations"),
    "chosen": ("what a user selected", "selected, or the noun"),
    "credit": ("of a consumer", "prefetch count, watchdog"),
    "deed": ("what can be done with a number", "action"),
    "door": ("API, portal or command line", "API, entry point"),
    "found": ("any result", "the noun"),
    "frame": ("what portal pages share", "shared"),
    "gift": ("numbers granted to a user", "grant"),
    "given": ("any argument", "the noun"),
    "guard": ("the process between parent and child", "subreaper"),
    "hint": ("a message that there is work; an option for reading", "wake-up; option"),
    "kin": ("jobs that undo each other", "related jobs"),
    "known": ("what was looked up", "the noun"),
    "ledger": ("tables of jobs and work items", "job_state, database"),
    "lest": ("so that nothing happens", "so that ... does not"),
    "look": ("to read, to check", "get, check, format"),
    "mend": ("to correct", "correct, fix"),
    "nobody": ("no user", "the noun"),
    "once": ("idempotent requests", "idempotency"),
    "outbox": ("the thread that publishes messages", "publisher"),
    "patience": ("how long transient failures may last", "deadline, wait"),
    "piece": ("unit of work", "work item"),
    "place": ("index, position, URL", "row_index, address, connection"),
    "said": ("a message shown once", "flash message"),
    "setback": ("failure that does not count", "transient failure"),
    "somebody": ("a user", "the noun"),
    "stamp": ("the job that last wrote a number", "version"),
    "sweep": ("round that releases leases", "rescue"),
    "taken": ("matched; lost to another holder", "the noun"),
    "tell": ("to show, to add a message", "the verb of the field"),
    "tidy": ("round that removes files; to normalise", "clean, collapse"),
    "told": ("given as an argument; shown", "the noun"),
    "wanted": ("requested", "requested"),
    "whoever": ("the caller", "the noun"),
    "world": ("facts that stages need", "facts"),
}

# Names that stay, with the reason.
KEPT = {
    "webhook/portal/jobs/labels.py:taken_from": "labels of the field `taken_from` of the API",
    "worker/jobs/import_profiles.py:taken": "R32: a profile is taken without being asked for",
    "worker/jobs/import_profiles.py:NameTakenError": "as the code NAME_TAKEN",
    "worker/storage/files.py:tell": "the method of files in Python",
    "worker/storage/joined_files.py:tell": "the method of files in Python",
    "worker/numbers/inventory.py:look_up": "standard for finding by key",
}

# Retired words whose usual senses prose cannot do without; only names are checked for them.
ONLY_IN_NAMES = {
    "beside": "next to",
    "chosen": "participle of choose",
    "found": "participle of find",
    "given": "participle of give",
    "known": "participle of know",
    "once": "one time; as soon as",
    "taken": "participle of take",
}

# Other forms of retired words.
FORMS = {
    "look": ("looked", "looking"),
    "mend": ("mended", "mending"),
    "stamp": ("stamped", "stamping"),
    "sweep": ("sweeping", "swept"),
    "tell": ("telling",),
    "tidy": ("tidied", "tidies", "tidying"),
}

# Phrases in which such a word has its usual sense, as regular expressions.
ORDINARY_PHRASES = [
    r"in (its )?place( of)?",
    r"data frames?",
    r"looks? (\w+ ){1,3}up",
    r"look(s|ed|ing)?[- ](up|ups|like|for|ahead)",
    r"looks? the same",
]

# Uses in prose that stay, as "path:word", with the reason.
KEPT_IN_PROSE = {
    "ARCHITECTURE.md:patience": "entry of the glossary: the name of a setting",
    "ARCHITECTURE.md:piece": "entry of the glossary: published names contain it",
    "ARCHITECTURE.md:sweep": "entry of the glossary: published names contain it",
    "worker/runtime/embedded/identity.py:nobody": "the account `nobody` of Unix",
    "worker/runtime/processes/child.py:guard": "the name of the process in lists of processes",
    "worker/runtime/processes/subreaper.py:guard": "the name of the process in lists of processes",
}
