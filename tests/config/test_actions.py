"""What a jail's actions close, and what of them is not carried out."""

import pytest

from banish.config import explain
from banish.config.actions import Actions, read_actions
from banish.config.merge import Library
from banish.config.problem import FaultError, Problems
from banish.config.search import Tree
from banish.config.text import Text, single
from banish.model.instant import Seconds
from banish.model.settings import Enforcement, Place
from tests.config.tree import WriteTree

HERE = Place("jail.local", 5)

FILES = {
    "action.d/iptables.conf": "[Definition]\nactionban = x\ntype = oneport\n[Init]\nport = 2222\n"
    "protocol = udp\nblocktype = REJECT\n",
    "action.d/iptables-allports.conf": "[INCLUDES]\nbefore = iptables.conf\n"
    "[Definition]\ntype = allports\n",
    "action.d/pf.conf": "[Definition]\nactiontype = <multiport>\n[Init]\nport = ssh\n"
    "multiport = any port <port>\nallports = any\n",
    "action.d/custom.conf": "[Definition]\nactionban = x\n",
    "action.d/looped.conf": "[Definition]\nactionban = x\n",
    "action.d/nftables.conf": "[Definition]\ntype = <type>\n",
    "action.d/own.py": "class Action:\n    def __init__(self, jail, name, key): pass\n"
    "    def unban(self, aInfo): pass\n",
    "action.d/smtp.py": "class Mail(ActionBase):\n"
    "    def __init__(self, jail, name, host='localhost', dest='root'): pass\nAction = Mail\n",
    "action.d/tell.conf": "[Definition]\nactionban = tell <dest> <ip>\nnorestored = yes\n"
    "[Init]\ndest = root\nkind = <dest>s\ntimeout = 2m\n[Init?family=inet6]\nkind = six\n",
}


@pytest.fixture
def library(write_tree: WriteTree) -> Library:
    return Library(Tree((write_tree(FILES),)), Problems())


def read(library: Library, action: str | None, **variables: str) -> Actions:
    def named(option: str) -> Text | None:
        return single(variables[option], HERE) if option in variables else None

    text = None if action is None else single(action, HERE)
    return read_actions(library, "web", text, lambda _option: None, named)


def closed(actions: Actions) -> str:
    """Return an enforcement as ``protocols ports blocktype``, ``-`` for none."""
    found: Enforcement | None = actions.enforcement
    if found is None:
        return "-"
    protocols = "+".join(found.protocols) or "all"
    return f"{protocols} {','.join(map(str, found.ports)) or 'all'} {found.blocktype}"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (None, "tcp 80 reject"),
        ("iptables[name=SSH, port=ssh, protocol=tcp]", "tcp 22 reject"),
        ("iptables", "udp 2222 reject"),
        ("iptables[port=ssh]\n iptables[port=1234, name=x]", "udp 22,1234 reject"),
        ("iptables[port=53, protocol=tcp] iptables[port=53, protocol=udp]", "tcp+udp 53 reject"),
        ("iptables[type=allports, protocol=tcp]", "tcp all reject"),
        ("iptables-allports", "udp all reject"),
        ('iptables[port="80,443", protocol=tcp, blocktype=DROP]', "tcp 80,443 drop"),
        ("iptables[blocktype=DROP] iptables[port=22]", "udp 22,2222 reject"),
        ("iptables-multiport[port=25]", "tcp 25 reject"),
        ("iptables-allports[protocol=all]", "all all reject"),
        ("iptables-ipset-proto6-allports", "tcp all reject"),
        ("nftables-multiport", "tcp 80 reject"),
        ("nftables-allports", "tcp all reject"),
        ("firewallcmd-ipset[actiontype=<allports>]", "tcp all reject"),
        ("pf[actiontype=<allports>]", "tcp all reject"),
        ("pf", "tcp 22 reject"),
        ("ufw", "all all reject"),
        ("csf iptables[port=22]", "all all reject"),
        ("ufw[blocktype=drop]", "all all drop"),
    ],
)
def test_an_action_closes_what_it_would_close_in_fail2ban(
    library: Library, action: str | None, expected: str
) -> None:
    assert closed(read(library, action, port="80", protocol="tcp")) == expected
    assert not library.problems.all()


@pytest.mark.parametrize(
    ("action", "expected", "says"),
    [
        ("smtp.py[hots=x]", "-", 'smtp.py takes no "hots"; nobody is notified'),
        ("own.py", "tcp 80 reject", "own.py needs key; its bans close the jail's ports"),
        ("cstom", "tcp 80 reject", 'no action "cstom"'),
        ("other.py", "tcp 80 reject", "no action"),
        ("iptables[port=nosuchport]", "udp all reject", "every port"),
        ("", "-", "no action"),
        ("nftables", "tcp 80 reject", "refers to itself"),
    ],
)
def test_what_is_not_carried_out_is_told(
    library: Library, action: str, expected: str, says: str
) -> None:
    assert closed(read(library, action, port="80", protocol="tcp")) == expected
    problems = library.problems.all()
    assert any(says in problem.what for problem in problems)
    severity = "error" if says.startswith("no action ") or says == "no action" else "warning"
    if action:
        assert {problem.severity for problem in problems} == {severity}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("iptabels", "iptables"),
        ("iptables-multport", "iptables-multiport"),
        ("iptables-mulitport", "iptables-multiport"),
        ("nftable", "nftables"),
        ("firewallcmd-ipst", "firewallcmd-ipset"),
        ("shorewal", "shorewall"),
        ("iptables-all-ports", "iptables-allports"),
        ("ufww", "ufw"),
    ],
)
def test_a_mistyped_action_is_an_error_that_names_the_nearest_one(
    library: Library, written: str, meant: str
) -> None:
    actions = read(library, f"{written}[port=22]", port="80", protocol="tcp")
    (problem,) = library.problems.all()
    assert (problem.severity, problem.cure) == ("error", f'did you mean "{meant}"?')
    assert closed(actions) == "tcp 80 reject"


def test_a_mistyped_banaction_is_told_where_it_is_written(library: Library) -> None:
    there = Place("jail.local", 2)
    variables = {"banaction": single("nftable", there), "port": single("80", there)}
    text = single('nftable[port="80"]', Place("jail.conf", 90))
    read_actions(library, "web", text, lambda _option: None, variables.get)
    (problem,) = library.problems.all()
    assert (problem.option, problem.place) == ("banaction", there)


@pytest.mark.parametrize(
    ("content", "way"),
    [
        ("[Definition]\nactionban = curl <ip>\n", "commands"),
        ("[INCLUDES]\nbefore = iptables.conf\n[Init]\nblocktype = DROP\n", "native"),
        ("[Init]\nblocktype = DROP\n", "native"),
    ],
)
def test_an_action_of_the_operators_own_runs_as_it_says(
    write_tree: WriteTree, content: str, way: str
) -> None:
    tree = write_tree({**FILES, "action.d/iptables-ours.conf": content})
    (found,) = read(Library(Tree((tree,)), Problems()), "iptables-ours").settings
    assert found.way == way


def test_a_jail_without_ports_closes_every_port(library: Library) -> None:
    assert closed(read(library, None)) == "tcp all reject"
    assert closed(read(library, None, port="0:65535", protocol="udp")) == "udp all reject"


def test_each_action_is_kept_as_written_with_its_line(library: Library) -> None:
    (action,) = read(library, "iptables[name=SSH, port=22]").settings
    assert (action.name, dict(action.arguments), action.place) == (
        "iptables",
        {"name": "SSH", "port": "22"},
        HERE,
    )


def test_an_action_written_otherwise_is_refused(library: Library) -> None:
    with pytest.raises(FaultError):
        read(library, "iptables[port")


@pytest.mark.parametrize(
    ("action", "ways", "expected"),
    [
        ("tell", "commands", "-"),
        ("iptables[port=22] tell", "native commands", "udp 22 reject"),
        ("custom[a=1]", "commands", "-"),
        ("iptables[blocktype=RETURN]", "commands", "-"),
        ("own.py[key=1]", "python", "-"),
        ("own.py", "native", "tcp 80 reject"),
        ("no-such", "native", "tcp 80 reject"),
    ],
)
def test_what_no_enforcer_of_ours_can_do_runs_as_commands(
    library: Library, action: str, ways: str, expected: str
) -> None:
    actions = read(library, action, port="80", protocol="tcp")
    assert [each.way for each in actions.settings] == ways.split()
    assert closed(actions) == expected


@pytest.mark.parametrize(
    ("local", "action", "way"),
    [
        ("[Definition]\nactionban = curl <ip>\n", "iptables", "commands"),
        ("[Definition]\ntype = allports\n", "iptables", "native"),
        ("", "iptables[actionunban=true]", "commands"),
        ("", "iptables[port=ssh]", "native"),
    ],
)
def test_commands_that_the_operator_rewrote_are_run(
    write_tree: WriteTree, local: str, action: str, way: str
) -> None:
    tree = write_tree({**FILES, "action.d/iptables.local": local})
    (found,) = read(Library(Tree((tree,)), Problems()), action).settings
    assert found.way == way


def test_every_action_runs_as_commands_if_none_is_to_be_native(library: Library) -> None:
    text = single("iptables[port=22] custom", HERE)

    def options(option: str) -> Text | None:
        return single("false", HERE) if option == "nativeactions" else None

    actions = read_actions(library, "web", text, options, lambda _option: None)
    assert [action.way for action in actions.settings] == ["commands", "commands"]
    assert actions.enforcement is None
    assert actions.settings[0].properties["port"] == "22"


def test_an_action_as_commands_has_its_properties(library: Library) -> None:
    (action,) = read(library, "tell[dest=me]").settings
    assert action.properties == {
        "actionban": "tell me <ip>",
        "norestored": "true",
        "dest": "me",
        "name": "web",
        "actname": "tell",
        "kind": "<dest>s",
        "kind?family=inet6": "six",
        "timeout": "2m",
    }
    assert action.timeout == Seconds(120)
    assert action.flag("norestored")
    assert not action.flag("actionstart_on_demand")
    assert action.command("actionban") == "tell me <ip>"
    assert not action.is_enforcing


def test_a_time_limit_that_is_none_is_told(library: Library) -> None:
    (action,) = read(library, "tell[timeout=soon]").settings
    (problem,) = library.problems.all()
    assert problem.option == "timeout"
    assert problem.what.endswith("60s counts instead")
    assert (action.way, action.timeout) == ("commands", Seconds(60))


def test_actions_of_one_jail_have_names_of_their_own(library: Library) -> None:
    names = [
        action.actname
        for action in read(
            library, "tell tell[name=web-2] tell[name=x] tell tell[actname=mine]"
        ).settings
    ]
    assert names == ["tell", "tell-2", "tell-x", "tell-3", "mine"]


def test_each_action_is_explained_with_its_way(write_tree: WriteTree) -> None:
    jail = "[web]\naction = iptables[port=22]\n  tell[name=x]\n  smtp.py\n[bad]\naction = x[\n"
    root = write_tree(FILES | {"jail.conf": jail})
    lines = explain(root, builtin=root, jail="web")
    assert [
        (line.option, line.value, line.place and line.place.line)
        for line in lines
        if line.option.startswith("action ")
    ] == [
        ("action iptables", "natively by nftables", 2),
        ("action tell-x", "as commands", 3),
        ("action smtp.py", "as Python", 4),
    ]
    assert not [line for line in explain(root, builtin=root, jail="bad") if " " in line.option]
