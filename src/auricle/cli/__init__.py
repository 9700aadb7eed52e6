"""The command ``auricle``: one binary, verbs.

Every verb is a small module with a dataclass ``Command``: its fields are the options, its docstrings the help, its
``run()`` the work. Only the module of the verb asked for is imported, so ``auricle --help`` is instant.

Exit codes: 0 done (an honest empty answer too), 1 it could not be done and standard error says why, 2 the command line
is wrong, 130 stopped by Ctrl-C, 141 the reader of the output went away.
"""

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from auricle import __version__
from auricle.errors import AuricleError

VERBS = {  # verb -> what it does and the module that does it
    "index": ("listen to every new or changed sound file in folders", "auricle.cli.index"),
    "search": ("find stretches of sound by words, by example, or both", "auricle.cli.search"),
    "similar": ("find recordings that sound like one", "auricle.cli.similar"),
    "events": ("show what was heard when", "auricle.cli.events"),
    "identify": ("find the recording that a clip is from, and where in it", "auricle.cli.identify"),
    "tag": ("say what files sound like, without a library", "auricle.cli.tag"),
    "duplicates": ("find files that hold the same sound", "auricle.cli.duplicates"),
    "speakers": ("tell who speaks where, or whether two voices are one", "auricle.cli.speakers"),
    "versions": ("find other performances of the same work", "auricle.cli.versions"),
    "teach": ("teach a tag of your own from examples", "auricle.cli.teach"),
    "serve": ("open the page and the HTTP API", "auricle.cli.serve"),
    "mcp": ("let language models search, as an MCP server", "auricle.cli.mcp"),
    "stats": ("show the library in numbers", "auricle.cli.stats"),
    "show": ("show what is known of one file", "auricle.cli.show"),
    "export": ("write events or recordings to a file", "auricle.cli.export"),
    "doctor": ("check the library and the installation", "auricle.cli.doctor"),
    "prune": ("forget files that are gone", "auricle.cli.prune"),
    "systems": ("list the systems auricle knows", "auricle.cli.systems"),
    "train": ("train a system, or a model of your own sounds", "auricle.cli.train"),
    "evaluate": ("measure what was trained, or a published model", "auricle.cli.evaluate"),
    "replicate": ("re-check the claim of a paper", "auricle.cli.replicate"),
}

USAGE = f"""\
usage: auricle VERB [OPTIONS]

Listens once to a folder of recordings, then answers anything asked of it.

  auricle index recordings/
  auricle search "dog barking in the distance"

verbs:
{chr(10).join(f"  {verb:<11} {what}" for verb, (what, _) in VERBS.items())}

`auricle VERB --help` explains a verb. Every verb but mcp takes --json; --version prints {__version__}.
The library is --library DIR, or $AURICLE_LIBRARY, or a folder in the user's data directory.
"""

STOPPED = 130  # 128 + SIGINT
READER_GONE = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        argv: the words after ``auricle``; by default those of the command line.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may hold what the terminal cannot show
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except AuricleError as error:
        print(f"auricle: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("auricle: stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # What is still buffered must not fail again when the interpreter closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if words[0] in ("-V", "--version"):
        print(f"auricle {__version__}")
        return 0
    return _run(*words) if words[0] in VERBS else _unknown(words[0])


def _run(verb: str, *words: str) -> int:
    # Matrices here are small, and threads of a server, or of programs beside it, would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import tyro

    module = import_module(VERBS[verb][1])
    command = module.command(words) if hasattr(module, "command") else module.Command  # some depend on what is asked
    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.UseAppendAction)
    try:
        parsed = tyro.cli(command, args=words, prog=f"auricle {verb}", config=config)
    except SystemExit as parsing:  # --help, or a wrong option that tyro has explained
        return parsing.code if isinstance(parsing.code, int) else 2
    return parsed.run() or 0


def _unknown(word: str) -> int:
    from difflib import get_close_matches

    close = get_close_matches(word.lower(), VERBS, n=3, cutoff=0.5)
    if word.startswith("-"):
        hint = "Options follow the verb: auricle VERB --option"
    elif close:
        hint = f"Perhaps you meant: {', '.join(close)}"
    else:
        hint = "`auricle --help` lists the verbs"
    print(f"auricle: error: there is no verb {word!r}. {hint}.", file=sys.stderr)
    return 2
