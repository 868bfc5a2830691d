"""What the pages tell a reader to type, write or follow is there."""

import re
import shlex
from pathlib import Path

import pytest

from banish.cli.dispatch import VERBS, build_parser
from banish.config.addons import ACTIONS
from banish.config.options import OPTIONS

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TEXTS = {str(page.relative_to(ROOT)): page.read_text("utf-8") for page in PAGES}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^ *|(?<=\$ )|(?<=&& ))(?:sudo )?banish ([a-z][^#|>\n]*)", re.MULTILINE)


def code(text: str) -> str:
    """Return what a page shows as code, one piece a line."""
    blocks = [block for _, block in BLOCK.findall(text)]
    rest = re.sub(BLOCK, "", text)
    pieces = re.findall(r"`([^`\n]+)`", rest) + re.findall(r"^ {4,}(.+)$", rest, re.MULTILINE)
    return "\n".join([*blocks, *pieces])


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the site makes them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(BLOCK, "", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", head.lower()).strip() for head in heads)
    return {re.sub(r"[\s-]+", "-", head) for head in plain}


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_within_the_pages_leads_somewhere(page: str) -> None:
    text = re.sub(r"`[^`\n]*`", "", re.sub(BLOCK, "", TEXTS[page]))
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        is_lost = not target.exists()
        if not is_lost and anchor and target.suffix == ".md":
            is_lost = anchor not in anchors(target.read_text("utf-8"))
        if is_lost:
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_of_the_pages_is_one(page: str) -> None:
    wrong = []
    for found in COMMAND.findall(code(TEXTS[page])):
        command = found.replace("...", "").replace("[", "").strip()
        words = shlex.split(command.replace("'", ""))
        verb = words[0]
        if verb not in VERBS:
            if verb not in ("fail2ban-regex", "fail2ban-client"):
                wrong.append(found)
            continue
        flags = {flag for flag in words if re.fullmatch(r"--?[a-z][a-z-]*", flag)}
        parser = build_parser([verb])
        known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", parser.format_help()))
        for action in parser._actions:
            if isinstance(action.choices, dict) and verb in action.choices:
                known |= set(action.choices[verb]._option_string_actions)
        wrong += [f"{found}: {flag}" for flag in flags - known]
    assert wrong == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_option_that_a_page_sets_is_one(page: str) -> None:
    names = {option.name for option in OPTIONS}
    unknown = []
    for kind, block in BLOCK.findall(TEXTS[page]):
        if kind == "ini":
            set_here = re.findall(r"^([a-z][\w.]*)\s*=", block, re.MULTILINE)
            unknown += [name for name in set_here if name not in names]
    assert unknown == []


def test_no_page_promises_a_metric_that_cannot_be_had() -> None:
    for page, text in TEXTS.items():
        assert re.findall(r"banish_\w+_total", text) == [], page


def test_every_notifier_has_a_line_in_its_page() -> None:
    told = TEXTS["docs/notifications.md"] + TEXTS["docs/firewalls.md"]
    files = (ROOT / "share/config/action.d").glob("*.conf")
    texts = {path.stem: path.read_text("utf-8") for path in files}
    for kind in ACTIONS:
        line = re.compile(rf"^kind\s*=\s*{kind}$", re.MULTILINE)
        names = [name for name, text in texts.items() if line.search(text)]
        assert names, kind
        assert any(f"`{name}`" in told for name in names), kind


def test_every_page_is_in_the_navigation_and_every_decision_in_the_index() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    index = TEXTS["docs/adr/README.md"]
    for page in sorted((ROOT / "docs").rglob("*.md")):
        name = str(page.relative_to(ROOT / "docs"))
        assert re.search(rf"[-:] {re.escape(name)}$", navigation, re.MULTILINE), name
    for decision in sorted((ROOT / "docs" / "adr").glob("0*.md")):
        number, title = re.findall(r"^# (\d+)\. (.+)$", decision.read_text("utf-8"), re.MULTILINE)[
            0
        ]
        assert f"| {number} | [{title}]({decision.name}) |" in index


def test_who_is_never_banned_is_called_by_one_word() -> None:
    """Names of options, fields of ``--json`` and Fail2Ban's own log texts keep theirs."""
    other = re.compile(r"\b(spared|spares|shields|shielded|ignore lists?|IgnoreList)\b(?!\":)")
    detection = ROOT / "src" / "banish" / "detect"
    for path in (ROOT / "src" / "banish").rglob("*.py"):
        if detection not in path.parents:
            text = path.read_text("utf-8").replace("spares the kernel work", "")
            assert not other.search(text), path
    for page, text in TEXTS.items():
        assert not other.search(text.replace("spares a library", "")), page
