"""No value from a log runs a program, is an option, or writes a file, whatever the command is."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from banish.shell.fitting import FittedValue
from banish.shell.script import Filled, Script, ignore_script

pytestmark = pytest.mark.slow

SHELLS = ["/bin/sh", *filter(None, map(shutil.which, ["bash", "ksh"]))]

RUNS = (
    "touch canary",
    "$(touch canary)",
    "`touch canary`",
    ";touch canary;",
    "x\ntouch canary\nx",
    "'; touch canary; '",
    '"; touch canary; "',
    "a[$(touch canary)]",
    'system("touch canary")',
    "x/e;1e touch canary;#",
    "|touch canary",
    "\\n~!touch canary\\n",
    "~!touch canary",
    "${IFS}&&touch${IFS}canary",
    "./plant",
    "plant",
    "-exec touch canary ;",
    "'||(select writefile('canary','x'))||'",
    "x\n.shell touch canary\n",
    "canary",
    "../canary",
)
"""Values that make a file called canary if anything reads them as more than text."""

STRANGERS = {
    **dict.fromkeys(("zsh", "ksh", "ash", "fish", "at", "batch", "parallel"), 'exec /bin/sh "$@"'),
    **dict.fromkeys(("busybox", "doas", "wsudo"), 'exec "$@"'),
    "sudo": 'while [ "$1" = -n ]; do shift; done; exec "$@"',
    "mailx": 'while read -r l; do case $l in "~!"*) sh -c "${l#??}";; esac; done',
    "notify": "exec /bin/sh",
    "teller": "for w; do case $w in --) break;; -*canary*) touch canary;; esac; done\n"
    'eval "true \\"\\$@\\""',
}
"""Programs that this host need not have, as far as they matter here."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder to run in, and programs below it."""
    for name, text in {**STRANGERS, "plant": "touch canary"}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    (tmp_path / "in").mkdir()
    return tmp_path


def run(folder: Path, filled: Filled, shell: str = "/bin/sh") -> str:
    """Run a script in *folder*, return what it wrote, and see that it made no canary."""
    done = subprocess.run(
        [shell, "-c", filled.text, "sh"],
        cwd=folder / "in",
        env={"PATH": f"{folder}/bin:/usr/bin:/bin", **filled.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert not list(folder.rglob("canary*")), filled
    return done.stdout.decode()


PROGRAMS = [
    'printf "%s" <F-X> | sh',
    'printf "%s" <F-X> | bash -s',
    'printf "%s" <F-X> | env sh',
    'printf "%s" <F-X> | timeout 5 sh',
    'printf "%s" <F-X> | nice -n 5 sh',
    'printf "%s" <F-X> | sudo -n sh',
    'printf "%s" <F-X> | busybox sh',
    'printf "%s" <F-X> | ( cat; true ) | sh',
    'printf "%s" <F-X> | { cat; } | sh -e',
    'printf "%s" <F-X> | ( sh )',
    'printf "%s" <F-X> | { true; sh; }',
    'printf "%s" <F-X> | if true; then sh; fi',
    'printf "%s" <F-X> | tee copy | sh',
    'printf "%s" <F-X> | xargs -0 sh -c',
    'printf "%s" <F-X> | xargs',
    'printf "%s" <F-X> | xargs -I{} sh -c "{}"',
    'printf "%s" <F-X> | zsh',
    'printf "%s" <F-X> | at now',
    'printf "%s" <F-X> | parallel',
    'printf "%s" <F-X> | notify',
    'printf "%s\\n" "<F-X>" | mailx -s x root',
    'echo "Hello <F-X>" | mailx -s x root',
    'printf "Hello <F-X>" | mailx -s x root',
    'printf %b "Hello\\n<F-X>\\n" | mailx -s x root',
    'printf "%s" <F-X> | perl',
    'printf "%s" <F-X> | python3 -',
    'printf "%s" <F-X> | sqlite3 db',
    'printf "%s" <F-X> | awk -f -',
    'printf "%s" <F-X> | sed -n -f /dev/stdin',
    'echo <F-X> | while read -r l; do sh -c "$l"; done',
    'echo <F-X> | while read -r l; do $l; done',
    'echo <F-X> | { read -r l; eval "$l"; }',
    'for l in <F-X>; do eval "$l"; done',
    'u=<F-X>; printf "%s" "$u" | sh',
    'u="<F-X>"; v=$u; eval "$v"',
    'u="$(printf %s "<F-X>")"; sh -c "$u"',
    'export U="<F-X>"; sh -c "$U"',
    'set -- "<F-X>"; eval "$1"',
    'f() { eval "$1"; }; f "<F-X>"',
    'f() { sh; }; echo "<F-X>" | f',
    'printf -v l "%s" "<F-X>"; eval "$l"',
    'echo "<F-X>" > file; sh file',
    'echo "<F-X>" > file; . ./file',
    'echo "<F-X>" > ./file; chmod +x ./file; ./file',
    'echo "<F-X>" | tee file >/dev/null; sh < file',
    't=$(mktemp); echo "<F-X>" > "$t"; sh "$t"; rm "$t"',
    "cat <<E > file\n<F-X>\nE\nsh file",
    "sh <<E\n<F-X>\nE",
    "sh -s <<'E'\n<F-X>\nE",
    "cat <<E | sh\n<F-X>\nE",
    "while read -r l; do eval \"$l\"; done <<E\n<F-X>\nE",
    "cat <<E\n$(sh -c '<F-X>')\nE",
    "cat <<E\n`<F-X>`\nE",
    'u="<F-X>"; cat <<E | sh\n$u\nE',
    'sh <<< "<F-X>"',
    'sh <(printf "%s" "<F-X>")',
    'printf "%s" "<F-X>" > >(sh)',
    'sh -c "<F-X>"',
    "sh -c '<F-X>'",
    "sh -c 'echo \"<F-X>\"'",
    "bash -c 'echo $((<F-X>))'",
    'echo $((<F-X>))',
    'u="<F-X>"; echo $((u + 1))',
    'eval "<F-X>"',
    'eval echo "<F-X>"',
    "<F-X>",
    '"<F-X>"',
    "true && <F-X>",
    "exec <F-X>",
    "env <F-X>",
    "env -i PATH=$PATH <F-X>",
    "command <F-X>",
    "nohup <F-X>",
    "timeout 5 <F-X>",
    "timeout -k 1 5 <F-X>",
    "nice <F-X>",
    "sudo <F-X>",
    "doas <F-X>",
    "busybox <F-X>",
    "$(echo <F-X>)",
    "`echo <F-X>`",
    "trap '<F-X>' EXIT",
    "alias x='<F-X>'",
    "awk 'BEGIN {<F-X>}'",
    'awk "BEGIN {<F-X>}"',
    "u='<F-X>'; awk \"BEGIN {$u}\"",
    'sed -n "s/x/<F-X>/" /etc/hostname',
    'sed "<F-X>" /etc/hostname',
    'u="<F-X>"; sed "/$u/d" /etc/hostname',
    "perl -e '<F-X>'",
    'python3 -c "<F-X>"',
    'sqlite3 :memory: "select \'<F-X>\'"',
    'find . -name x -o -name "<F-X>"',
    "find . -maxdepth 0 -exec sh -c '<F-X>' \\;",
    "case x in x) sh -c <F-X>;; esac",
    "case <F-X> in (a) true;; *) <F-X>;; esac",
    "if true; then <F-X>; fi",
    "wsudo sh -c <F-X>",
    "wsudo -c <F-X>",
    "fish -c <F-X>",
    'echo x > "<F-X>"',
    "echo x > <F-X>",
    "echo x > ./<F-X>",
    "echo x | tee ../in/<F-X>",
    'd=.; echo x > "$d/../<F-X>.log"',
    'teller "<F-X>"',
    "teller <F-X>",
    "u='<F-X>'; teller $u",
    'teller $(echo "<F-X>")',
    'teller $(printf "%s" "a <F-X>")',
    "for w in <F-X>; do teller $w; done",
    'export "<F-X>"',
    "read <F-X> < /etc/hostname",
    "cd <F-X>",
    'printf "%s" <F-X> | \\\nsh',
    'printf "%s" <F-X> |\n sh',
    'printf "%s" <F-X> | s\\h',
    'printf "%s" <F-X> | "/bin/sh"',
    'printf "%s" <F-X> | $SHELL',
    'printf "%s" <F-X> | $(command -v sh)',
    'printf "%s" <F-X> | sh -c "cat | sh"',
    "printf '%s' <F-X> | sh -c 'read -r u; eval \"$u\"'",
    "sh -c 'eval \"$1\"' sh <F-X>",
    "sh -c 'sort $1' sh <F-X>",
    "sh -c '$0' <F-X>",
    "U=<F-X> sh -c 'eval \"$U\"'",
    "export U=<F-X>; sh -c 'eval \"$U\"'",
    "export U=<F-X>; perl -e 'system(\"$ENV{U}\")'",
    "U=<F-X> awk 'BEGIN {system(ENVIRON[\"U\"])}'",
    "PATH=<F-X>:$PATH true",
    "exec 3> >(sh); echo <F-X> >&3",
    "mkfifo p; sh < p & echo <F-X> > p; wait",
    'echo "<F-X>" > a; cp a b; sh b',
    'echo "<F-X>" > a; cat a > b; sh ./b',
    'echo "<F-X>" > a; u=$(cat a); eval "$u"',
    'echo "<F-X>" > a; while read -r l; do eval "$l"; done < a',
    "u=<F-X>; case x in $u) true;; esac",
    'sort "<F-Y><F-X>"',
    "teller <F-Y><F-X>",
    "sh -c 'exec <F-X>'",
    "sh -c 'true && sudo \"<F-X>\"'",
    "sh -c \"if true; then <F-X>; fi\"",
    "sh -c 'u=<F-X>; $u'",
    "sh -c 'sh -c \"exec <F-X>\"'",
    "eval exec <F-X>",
    "sh <<E\nexec <F-X>\nE",
    "bash -c 'env <F-X>'",
    "trap 'exec <F-X>' EXIT",
    "perl -e 'system(\"<F-X>\")'",
    "perl -e 'print `<F-X>`'",
    "awk 'BEGIN {system(\"<F-X>\")}'",
    "awk 'BEGIN {\"<F-X>\" | getline}'",
    "python3 -c 'import os; os.system(\"<F-X>\")'",
    "sqlite3 :memory: '.shell <F-X>'",
    "sed '1e <F-X>' /etc/hostname",
    "wsudo -c 'exec <F-X>'",
    "find . -maxdepth 0 -exec <F-X> \\;",
    "echo <F-X> | awk '{system($0)}'",
    "exec > f; echo '<F-X>'; exec > /dev/null; sh f",
    'f=x.sh; echo "<F-X>" > "$f"; sh x.sh',
    ': "${u:=<F-X>}"; eval "$u"',
    "export U=<F-X>; sh <<'E'\neval \"$U\"\nE",
    "env U=<F-X> sh -c 'eval \"$U\"'",
    "test <F-X> -a x",
    'printf "%s\\n" "<F-X>" | sed --expression=e',
    'printf "%s\\n" "<F-X>" | sed -ne e',
    'sed e <<< "<F-X>"',
    'printf "%s" "<F-X>" &> file; sh file',
    'g() { printf "%s" "<F-X>"; }; g > file; sh file',
    'g() { printf "%s" "<F-X>"; }; g | sh',
    'g() { printf "%s" "<F-X>"; }; if true; then g; fi | sh',
    'function g { eval "$1"; }; g "<F-X>"',
    'function g() { eval "$1"; }; g "<F-X>"',
    'sh() { command sh -c "$1"; }; sh "<F-X>"',
    'declare -i a="<F-X>"',
    'declare -i a; a="<F-X>"',
    'u="<F-X>"; declare -i a; a=$u',
    'typeset -i a=<F-X>',
    'test -v "<F-X>"',
    '[ -v "a[<F-X>]" ]',
    'a="<F-X>"; [ -v "$a" ]',
    'a="<F-X>"; echo "${!a}"',
    'a="<F-X>"; echo "${a@P}"',
    'x=abc; a="<F-X>"; echo "${x:a}"',
    'a="<F-X>"; echo "${x[a]}"',
    'a="<F-X>"; x[a]=1',
    'echo $[<F-X>]',
    'a="<F-X>"; echo $[a]',
    'coproc <F-X>',
    'choom -n 1 -- <F-X>',
    'linux64 <F-X>',
    'ssh -o ProxyCommand="<F-X>" localhost',
    'ssh -o "ProxyCommand <F-X>" localhost',
    'scp -o ProxyCommand="<F-X>" a localhost:',
    'a="<F-X>"; b=\'$a\'; eval "$b"',
]  # fmt: skip


@pytest.mark.parametrize("command", PROGRAMS)
def test_no_value_makes_a_file_whatever_reads_it(folder: Path, command: str) -> None:
    targets = ("canary", "../canary")
    for value in RUNS:
        if ">" in command and "file" not in command and value in targets[:1]:
            continue  # a file in that folder is what the operator asked for
        if "tee ../in/" in command and value in targets[:1]:
            continue
        fills = [
            each.fill({"F-X": FittedValue(value)})
            for each in (Script(command), ignore_script(command))
        ]
        for filled in fills[: 1 + (fills[0] != fills[1])]:
            run(folder, filled)


@pytest.mark.parametrize("shell", SHELLS[1:])
@pytest.mark.parametrize("command", [text for text in PROGRAMS if any(c in text for c in "<>$`")])
def test_nor_does_it_in_another_shell(folder: Path, command: str, shell: str) -> None:
    for value in ("$(touch canary)", "touch canary", "a[$(touch canary)]", "./plant"):
        run(folder, Script(command).fill({"F-X": FittedValue(value)}), shell)


@pytest.mark.parametrize("command", PROGRAMS[:12])
def test_the_values_that_are_tried_do_make_a_file_where_nothing_is_done_about_them(
    folder: Path, command: str
) -> None:
    plain = command.replace("<F-X>", '"touch canary"')
    with pytest.raises(AssertionError, match="canary"):
        run(folder, Filled(plain))
    assert (folder / "in" / "canary").exists()


OPTIONS = [
    ("tar -cf x.tar -C / etc/hostname <F-X>", "--use-compress-program=touch canary"),
    ("tar -cf x.tar --checkpoint=1 /etc/hostname <F-X>", "--checkpoint-action=exec=touch canary"),
    ("sort <F-X>", "--output=canary"),
    ('sort "<F-X>" < /dev/null', "-ocanary"),
    ("u='<F-X>'; sort $u", "--output=canary"),
    ("u='<F-X>'; sort x $u", "x --output=canary"),
    ("sort $(echo '<F-X>')", "x --output=canary"),
    ("find <F-X>", "-fprint canary"),
    ("find -- <F-X>", "-fprintcanary"),
    ("curl -s <F-X>", "-ocanary"),
    ("curl -s file:///etc/hostname -o <F-X>.x -D <F-X>", "/canary"),
    ("dd <F-X> < /dev/null", "of=canary"),
    ("sed <F-X> /etc/hostname", "--expression=wcanary"),
    ("git init -q <F-X>", "--separate-git-dir=canary"),
    ("rsync -a <F-X> localhost:", "--rsh=touch canary"),
    ("ssh <F-X> true", "-oProxyCommand=touch canary"),
    ("xargs -a /etc/hostname <F-X>", "touch canary"),
    ("set -- <F-X>; sort $1", "--output=canary"),
    ("set -- <F-X>; sort \"$@\"", "--output=canary"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "value"), OPTIONS)
def test_no_value_is_an_option(folder: Path, command: str, value: str) -> None:
    run(folder, Script(command).fill({"F-X": FittedValue(value)}))


@pytest.mark.parametrize(
    "command",
    [
        'touch "<F-X>"',
        "mkdir -p <F-X>",
        'cp /etc/hostname "<F-X>"',
        'mv copy "<F-X>"',
        'ln -s /etc/hostname "<F-X>"',
        'tar -cf "<F-X>" .',
        'dd if=/etc/hostname of="<F-X>"',
        'split /etc/hostname "<F-X>"',
        'uniq /etc/hostname "<F-X>"',
        'sort -o "<F-X>" /etc/hostname',
        'sort --output="<F-X>" /etc/hostname',
        'curl -so "<F-X>.json" file:///etc/hostname',
        'u="<F-X>"; echo x > "$u"',
        "u=<F-X>; : > $u",
        'u="<F-X>"; echo x | tee "$u"',
        'u="<F-X>"; touch "$u"',
        'echo x <> "<F-X>"',
    ],
)
def test_no_value_names_a_file_in_another_folder(folder: Path, command: str) -> None:
    (folder / "in" / "copy").touch()
    for value in ("../canary", "x/../../canary", "./../canary"):
        run(folder, Script(command).fill({"F-X": FittedValue(value)}))
        run(folder, Script(command).fill({"F-X": FittedValue(f"{folder}/canary")}))


def test_no_file_is_sent_in_place_of_a_value(folder: Path) -> None:
    (folder / "bin" / "curl").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (folder / "bin" / "curl").chmod(0o755)
    for command in ("curl -d <F-X>", "curl --data=<F-X>", "curl -F x=<F-X>", "curl -d<F-X>"):
        for value in ("@/etc/shadow", "</etc/shadow", "=@/etc/shadow"):
            said = run(folder, Script(command).fill({"F-X": FittedValue(value)}))
            assert f"_{value}" in said


@pytest.mark.parametrize(
    "command",
    [
        "printf %s <F-X>",
        'printf "%s" "<F-X>"',
        "printf '%s' \"user <F-X>\"",
        'mail -s "<ip> as <F-X>" root',
        'mail -s "<ip>" root <<E\nuser <F-X>\nE',
        'printf "%s" "user <F-X>" | mail -s x root',
        'echo "user <F-X>" | logger -t banish',
        'logger -- "<F-X>"',
        'tell "user <F-X>" && sudo -u www tell "user <F-X>"',
        'u="<F-X>"; tell "user $u"',
        'case "<F-X>" in root) true;; esac',
        '[ "<F-X>" = root ] && exit 0',
        'printf "%s" "<F-X>" | sed s/a/b/ | sort | tee -a banned.log',
        'curl --data-urlencode "comment=<F-X>" https://192.0.2.1/',
        'x=$(printf "%.100s" "<F-X>"); curl --data-urlencode "comment=$x" https://192.0.2.1/',
    ],
)
def test_where_a_value_is_text_it_stays_whole(command: str) -> None:
    for value in ('it\'s $(me); `x` | "y" & (z) > * ? {1} [2] # ! %s', "bob", "Grüße"):
        filled = Script(command).fill(
            {"F-X": FittedValue(value), "ip": FittedValue("192.0.2.1", is_ours=True)}
        )
        assert set(filled.environment.values()) <= {value, "192.0.2.1"}
        assert filled.changed == ()


@pytest.mark.parametrize(
    "command",
    [
        'curl -s -X POST https://192.0.2.1/send -d chat_id=1 -d text="[sshd] <ip> <F-X>"',
        """curl -H 'Content-Type: application/json' -d '{"text":"<ip> <F-X>"}' https://192.0.2.1""",
        'echo "{\\"user\\": \\"<F-X>\\"}" | curl -d @- https://192.0.2.1/',
        '/usr/local/bin/telegram.sh <ip> "<F-X>"',
        'bash /usr/local/bin/telegram.sh ban "<ip>" "<F-X>"',
        'python3 /opt/tell.py --ip=<ip> --user="<F-X>"',
        'php -f /opt/tell.php "<F-X>" || php /opt/tell.php "<F-X>"',
        "mysql -e \"INSERT INTO bans VALUES ('<ip>', '<F-X>')\" db",
        "ssh root@192.0.2.1 \"tell <ip> '<F-X>'\"",
        'sh -c \'tell "$1"\' sh "<F-X>"',
        "sh -c 'tell \"<F-X>\"'",
        "printf '%s\\n' \"<ip> <F-X>\" | nc 192.0.2.1 1234",
        'echo "<ip> <F-X>" | /usr/local/bin/notify',
        'echo "<ip> <F-X>" >> /etc/nginx/list.conf',
        'x="<F-X>"; [ -n "$x" ] && tell "$x"',
        'for x in "<F-X>"; do tell "$x"; done',
        'echo "<F-X>" | while read -r x; do tell "$x"; done',
        'sudo -u www tell "<F-X>"; timeout 5 tell "<F-X>"; env A=b tell "<F-X>"',
        "mail -s x root <<E\nuser <F-X>\nE",
        'awk -v x="<F-X>" \'$1 == x\' /etc/list; grep -qx "<F-X>" /etc/list',
        "sqlite3 /var/lib/x.db \"insert into bans values ('<F-X>')\"",
    ],
)
def test_a_harmless_value_is_the_same_everywhere(command: str) -> None:
    values = {"F-X": FittedValue("bob_1"), "ip": FittedValue("192.0.2.1", is_ours=True)}
    filled = Script(command).fill(values)
    assert set(filled.environment.values()) <= {"bob_1", "192.0.2.1"}
    assert filled.changed == ()


def test_a_backslash_is_one_wherever_it_is_written(folder: Path) -> None:
    value = r"DOM\new\041 100%d"
    for command in (
        'printf "<F-X>"',
        'printf %b "<F-X>"',
        'printf -- "%b" "<F-X>"',
        'printf %s "<F-X>"',
        'printf "a" && printf "<F-X>"',
    ):
        said = run(folder, Script(command).fill({"F-X": FittedValue(value)}))
        assert said.removeprefix("a") == value
    if os.path.realpath("/bin/sh").endswith("dash"):
        assert run(folder, Script('echo "<F-X>"').fill({"F-X": FittedValue(value)})) == f"{value}\n"


def test_a_pattern_matches_nothing_but_the_value(folder: Path) -> None:
    (folder / "in" / "list").write_text("alice\nb.ob\n")

    def matches(command: str, value: str) -> bool:
        filled = ignore_script(f"{command} && echo yes").fill({"F-X": FittedValue(value)})
        return not filled.changed and "yes" in run(folder, filled)

    for command in ('grep -q "^<F-X>$" list', 'grep -qe "<F-X>" list', "grep -qF -- <F-X> list"):
        assert matches(command, "alice")
        assert matches(command, "b.ob")
        for value in ("", ".*", "b[.]ob", "a\\|b", "^", "x\n", "bxob", "-v"):
            assert not matches(command, value), (command, value)


def test_after_two_dashes_a_value_stays_as_it_is(folder: Path) -> None:
    filled = Script("sort -- <F-X>").fill({"F-X": FittedValue("-o")})
    assert filled.environment == {"f2bV_F_X_": "-o"}
    assert not filled.changed


def test_a_value_of_our_own_is_as_it_is_everywhere() -> None:
    for command in ("sh -c 'ban <ip>'", "ban <ip>", "echo <ip> | sh", "nft -f - <<E\n<ip>\nE"):
        filled = Script(command).fill({"ip": FittedValue("2001:db8::1", is_ours=True)})
        assert list(filled.environment.values()) == ["2001:db8::1"]
        assert not filled.changed


PARTS = st.sampled_from(
    [
        "<F-X>", '"<F-X>"', "'<F-X>'", "x=<F-X>", 'x="<F-X>"', '"$x"', "$x", "${x:-<F-X>}",
        '"$(echo "<F-X>")"', "$(echo <F-X>)", "`echo <F-X>`", "echo", "printf '%s\\n'", "cat",
        "sh", "sh -c", "eval", "xargs", "sort", "teller", "notify", "awk", "sed -e", "grep",
        "read x", "set --", "\"$@\"", "$1", "|", "|", "|", ";", ";", "\n", "&&", "||", "(", ")",
        "{", "}", "while", "if", "then", "fi", "do", "done", "for x in", "case x in x)", "esac",
        ";;",
        ">file", "<file", "sh file", "./file", ". ./file", "<<E\n<F-X>\nE\n", "<<'E'\n<F-X>\nE\n",
        "f()", "f", "env", "sudo", "timeout 5", "exec", "export", "#", "$((<F-X>))", "2>&1", "\\",
        "--", "-x", "$'", "'", '"', "mailx", "tee file", "find .", "=", " ",
        "cp file f2; sh f2", "$SHELL", "exec 3> >(sh);", ">&3", "U=<F-X>", "sh -c 'eval \"$1\"' x",
        "sh -c 'eval \"$U\"'", "\\\n", "sort <F-Y><F-X>", "u=$(cat file)", "eval $u",
    ]
)  # fmt: skip


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(PARTS, min_size=1, max_size=10),
    value=st.sampled_from([value for value in RUNS if value not in ("canary", "../canary")]
                          + ["-o canary", "--output=canary"]),
)  # fmt: skip
@example(parts=["x=<F-X>", ";", "echo", '"$x"', "|", "sh"], value="touch canary")
@example(parts=["echo", "<F-X>", ">file", "\n", ". ./file"], value="touch canary")
@example(parts=["sort", "<F-X>"], value="--output=canary")
def test_whatever_the_command_is_no_value_makes_a_file_or_is_text_of_it(
    folder: Path, parts: list[str], value: str
) -> None:
    filled = Script(f"set -f; {' '.join(parts)}").fill({"F-X": FittedValue(value)})
    assert "canary" not in filled.text
    assert "plant" not in filled.text
    shutil.rmtree(folder / "in")
    (folder / "in").mkdir()
    run(folder, filled)
