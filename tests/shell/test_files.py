"""No file that holds a value is run as a program, however its name is spelled."""

import shutil
from pathlib import Path

import pytest

from banish.shell.fitting import Value
from banish.shell.script import Filled, Script, ignore_script, scripts
from tests.shell.test_hostile import folder, run

__all__ = ["folder"]

RUN = [
    'f=x.sh; echo "<F-X>" > $f; sh ${f}',
    'f=x.sh; echo "<F-X>" > ${f}; sh "$f"',
    'f=x.sh; echo "<F-X>" > "$f"; sh x.sh',
    'f=x.sh; echo "<F-X>" > x.sh; sh $f',
    'echo "<F-X>" > ${f:-x.sh}; sh x.sh',
    'echo "<F-X>" > x.sh; sh ${f:-x.sh}',
    'echo "<F-X>" > "${f:=x.sh}"; sh "$f"',
    'f=x.sh.y; echo "<F-X>" > ${f%.y}; sh x.sh',
    'f=x.sh.y; echo "<F-X>" > x.sh; . ./${f%.y}',
    'a=x; b=sh; echo "<F-X>" > $a.$b; sh "x"".sh"',
    'a=x; echo "<F-X>" > "$a".sh; sh x\\.sh',
    'echo "<F-X>" > ./x.sh; sh x.sh',
    'echo "<F-X>" > x.sh; sh "$PWD/x.sh"',
    'echo "<F-X>" > $PWD/x.sh; sh ./x.sh',
    'mkdir d; cd d; echo "<F-X>" > x.sh; cd ..; sh d/x.sh',
    'd=.; echo "<F-X>" > $d/x.sh; (cd $d; sh x.sh)',
    'echo "<F-X>" > x.tmp; mv x.tmp x.sh; sh x.sh',
    'f=x.tmp; echo "<F-X>" > $f; cp ${f} y.sh; . ./y.sh',
    'f=y.sh; echo "<F-X>" > x.tmp; ln -s x.tmp $f; sh ${f}',
    'ln -s x.tmp y.sh; echo "<F-X>" > x.tmp; sh y.sh',
    'mkdir d; echo "<F-X>" > x.sh; mv x.sh d/; sh d/x.sh',
    't=$(mktemp); echo "<F-X>" > $t; sh "${t}"; rm $t',
    't=$(mktemp); echo "<F-X>" > "$t"; mv ${t} x.sh; sh x.sh',
    'f=x.sh; echo "<F-X>" | tee $f; sh ${f}',
    'f=x.sh; echo "<F-X>" | tee -a ./$f > /dev/null; sh x.sh',
    'f=x.sh; echo "<F-X>" | dd of=$f; sh ${f}',
    'echo "<F-X>" | dd of=x.sh; sh ./x.sh',
    'f=x.sh; echo "<F-X>" >| $f; sh ${f}',
    'f=x.sh; echo "<F-X>" >> $f; sh ${f}',
    'f=x.sh; (exec > $f; echo "<F-X>"); sh ${f}',
    'f=x.sh; exec 3> $f; echo "<F-X>" >&3; exec 3>&-; sh ${f}',
    'exec 3<> x.sh; echo "<F-X>" >&3; sh x.sh',
    'f=x.sh; { echo "<F-X>"; } > $f; sh ${f}',
    'f=x.sh; for i in 1; do echo "<F-X>"; done > $f; sh ${f}',
    'for f in x.sh; do echo "<F-X>" > $f; done; sh x.sh',
    'w() { echo "$2" > "$1"; }; w x.sh "<F-X>"; sh x.sh',
    'r() { sh "$1"; }; echo "<F-X>" > x.sh; r x.sh',
    'set -- x.sh; echo "<F-X>" > $1; sh x.sh',
    'echo x.sh > n; read f < n; echo "<F-X>" > $f; sh x.sh',
    'f=$(echo x.sh); echo "<F-X>" > $f; sh x.sh',
    'f=$(echo x.sh); echo "<F-X>" > x.sh; sh $f',
    'f=x.sh; cat > $f <<E\n<F-X>\nE\nsh ${f}',
    'f=x.sh; cat <<E > $f\n<F-X>\nE\n. ./${f}',
    'f=x.sh; echo "<F-X>" > $f; cat ${f} | sh',
    'f=x.sh; echo "<F-X>" > $f; sh < ${f}',
    'f=x.sh; echo "<F-X>" > $f; eval "$(cat ${f})"',
    'f=x.sh; echo "<F-X>" > $f; while read -r l; do eval "$l"; done < ${f}',
    'f=x.sh; echo "<F-X>" > $f; chmod +x ${f}; ./${f}',
    'f=x.sh; echo "<F-X>" > $f; chmod +x x.sh; PATH=.:$PATH; x.sh',
    'f=x.sh; echo "<F-X>" > $f; c="sh x.sh"; $c',
    'f=x.sh; echo "<F-X>" > $f; c=sh; $c ${f}',
    'f=x.sh; echo "<F-X>" > $f; sh -c "sh ${f}"',
    'f=x.sh; echo "<F-X>" > $f; sh -c ". ./x.sh"',
    'f=x.sh; echo "<F-X>" > $f; eval sh x.sh',
    'f=x.sh; echo "<F-X>" > $f; eval "sh ${f}"',
    'f=x.sh; echo "<F-X>" > $f; trap "sh x.sh" EXIT',
    'f=x.sh; echo "<F-X>" > $f; echo x.sh | xargs sh',
    'f=x.sh; echo "<F-X>" > $f; echo sh x.sh | sh',
    'f=x.sh; echo "<F-X>" > $f; find . -name "x.*" -exec sh {} \\;',
    'f=x.sh; echo "<F-X>" > $f; sh *.sh',
    'f=x.sh; echo "<F-X>" > $f; sh x.s?',
    'f=x.sh; echo "<F-X>" > $f; env sh ${f}',
    'f=x.sh; echo "<F-X>" > $f; sudo -n sh ${f}',
    'f=x.sh; echo "<F-X>" > $f; awk \'BEGIN {system("sh x.sh")}\'',
    'f=x.sh; echo "<F-X>" > $f; perl -e \'system("sh x.sh")\'',
    'echo "<F-X>" | awk \'{print > "x.sh"}\'; sh x.sh',
    'echo "<F-X>" | sed -n "w x.sh"; sh x.sh',
    'echo "<F-X>" | sort -o x.sh; sh x.sh',
    'f=x.sh; echo "<F-X>" > $f; sh -x ${f}',
    'f=x.sh; g=$f; echo "<F-X>" > $g; sh ${f}',
    'f=x; f=${f}.sh; echo "<F-X>" > "$f"; sh x.sh',
    'f=x; f=$f.sh; echo "<F-X>" > "$f"; sh x.sh',
    'f=x; f="$f".sh; echo "<F-X>" > x.sh; sh "$f"',
    'f=x; f=${f#y}; echo "<F-X>" > x.sh; sh ${f}.sh',
    'f="-x x.sh"; echo "<F-X>" > x.sh; sh $f',
    'export f=x.sh; echo "<F-X>" > x.sh; sh -c \'sh "$f"\'',
    'f=x.sh; echo "<F-X>" > $f; sh -c \'sh "$1"\' sh ${f}',
    'sh -c \'echo "$1" > x.sh\' sh "<F-X>"; sh x.sh',
    'u="<F-X>"; f=x.sh; echo "$u" > $f; sh ${f}',
    'f=x.sh; echo "<F-X>" > $f 2>&1; sh ${f}',
    'f=x.sh; echo "<F-X>" 1> $f; sh ${f}',
    'f=x.sh; echo "<F-X>" > $f & wait; sh ${f}',
    'f=x.sh; printf "%s\\n" "<F-X>" > $f && sh ${f}',
    'f=x.sh; echo "<F-X>" | cat > $f; sh ${f}',
    'echo "<F-X>" > x.sh; cat x.sh > y; cp y z; sh z',
    'f=x; echo "<F-X>" > $f; install -m 755 ${f} y; ./y',
    'f=x.sh; echo "<F-X>" | gzip > $f.gz; gunzip x.sh.gz; sh ${f}',
    'f=a.awk; echo "BEGIN { system(\\"<F-X>\\") }" > $f; awk -f ${f}',
    'f=x.sh; echo "<F-X>" > $f; make -s -f /dev/null; sh ./../in/x.sh',
    'p=x; echo "<F-X>" > $p; notify < ${p}',
    'echo "<F-X>" | split -l 1 - x.; sh x.aa',
    'alias r="sh x.sh"\nf=x.sh; echo "<F-X>" > $f\nr',
    'f=x.sh; unset f; f=y.sh; echo "<F-X>" > $f; sh ./y.sh',
    'f=x.sh; if true; then f=y.sh; fi; echo "<F-X>" > $f; sh y.sh',
    'echo "<F-X>" > "$(echo x.sh)"; sh x.sh',
    'echo "<F-X>" > `echo x.sh`; sh x.sh',
    'mkfifo p; f=p; sh < ${f} & echo "<F-X>" > $f; wait',
    'cd /; cd "$OLDPWD"; echo "<F-X>" > "$PWD"/x.sh; sh x.sh',
    'f=x.sh; echo "<F-X>" > /proc/self/cwd/$f; sh x.sh',
    'f=x.sh; sh -c "cat > $f" <<E\n<F-X>\nE\nsh x.sh',
    'echo "<F-X>" | sh -c "cat > x.sh"; sh x.sh',
    'echo "<F-X>" | ( cat > x.sh ); sh x.sh',
    'f=x.sh; cat /dev/null "<F-X>" > $f; echo "<F-X>" | cp /dev/stdin $f; sh ${f}',
    'echo "<F-X>" | cp /dev/stdin x.sh; sh x.sh',
    'echo "<F-X>" | sh /dev/stdin',
    'echo "<F-X>" | . /dev/stdin',
    'echo "<F-X>" > x.sh; sh /dev/fd/3 3< x.sh',
    'echo "<F-X>" > x.sh; exec 3< x.sh; sh <&3',
    'echo "<F-X>" > x.sh; exec < x.sh; sh',
    'echo "<F-X>" > x.sh; exec < x.sh; read -r l; eval "$l"',
    'echo "<F-X>" > x.sh; exec 3< x.sh; read -r l <&3; $l',
    'exec 3> x.sh; w() { echo "$1" >&3; }; w "<F-X>"; sh x.sh',
    'echo "<F-X>" > x; tar -cf a.tar x; rm x; tar -xf a.tar; sh x',
    'f=x.sh; { echo "<F-X>" | tee /dev/fd/3; } 3> $f; sh ${f}',
    'mkdir d; f=d; echo "<F-X>" > d/x; for s in d/*; do sh $s; done',
    'mkdir d; echo "<F-X>" > d/x; run-parts d; cat d/* | sh',
    'f=x.sh; echo "<F-X>" > $f; busybox sh ${f}',
    'f=x.sh; echo "<F-X>" > $f; "s"h ${f}',
    'f=x.sh; echo "<F-X>" > $f; ENV=./x.sh sh -i -c true',
    'f=x.sh; echo "<F-X>" > $f; bash --rcfile x.sh -i -c true',
    'f=x.sh; echo "<F-X>" > $f; BASH_ENV=x.sh bash -c true',
    'echo "true; <F-X>" > Makefile.sh; cp Makefile.sh y; sh y',
    'echo \'eval "$U"\' > x.sh; export U="<F-X>"; f=x.sh; sh ${f}',
    'f=x.sh; echo "<F-X>" > $f; nohup sh ${f}',
    'f=x.sh; echo "<F-X>" > $f; timeout 5 ./../in/x.sh; timeout 5 sh ${f}',
    'f=x.sh; echo "<F-X>" > $f; (sh ${f})',
    'f=x.sh; echo "<F-X>" > $f; echo "$(sh ${f})"',
    'f=x.sh; echo "<F-X>" > $f; `sh ${f}`',
    'f=x.sh; echo "<F-X>" > $f; case x in x) sh ${f};; esac',
    'f=x.sh; while true; do echo "<F-X>" > $f; sh ${f}; break; done',
    'f=x.sh; echo "<F-X>" > ${f}; x=$(cat $f); sh -c "$x"',
    'f=x.sh; sed "s/.*/<F-X>/" /etc/hostname > $f; sh ${f}',
    'f=x.sh; echo x > $f; sed -i "s/x/<F-X>/" ${f}; sh x.sh',
    'f=x.sh; { cat > $f; } <<E\n<F-X>\nE\nsh ${f}',
    'f=x.sh\necho "<F-X>" \\\n > $f\nsh \\\n ${f}',
    'f="x.sh"; echo "<F-X>" > "${f}"; sh \'x.sh\'',
    'f=\'x.sh\'; >$f echo "<F-X>"; sh ${f}',
    'f=x.sh; if echo "<F-X>" > $f; then . ./${f}; fi',
    'echo "<F-X>" > x.sh; ls x.* | while read -r f; do sh $f; done',
    'echo "<F-X>" > x.sh; for f in *; do . ./$f; done',
    'echo "<F-X>" > x.sh; ln x.sh y; mv y z; sh z',
    'echo "<F-X>" > x; cp -t . ./../in/x 2>/dev/null; sh x',
    'f=x; rm -f $f; cp /dev/null $f; echo "<F-X>" >> x; sh ${f}',
]  # fmt: skip
"""Commands that write a value to a file and run that."""

RUN_BY_BASH = [
    'f=x.sh; echo "<F-X>" &> $f; sh ${f}',
    'f=x.sh; echo "<F-X>" &>> $f; sh x.sh',
    'f=x.sh; echo "<F-X>" >& $f; sh x.sh',
    'exec {n}> x.sh; echo "<F-X>" >&$n; sh x.sh',
    'f=(x.sh); echo "<F-X>" > $f; sh x.sh',
    'f=(x.sh); echo "<F-X>" > ${f[0]}; sh x.sh',
    'echo "<F-X>" > $\'x.sh\'; sh x.sh',
    'echo "<F-X>" > $\'\\x78.sh\'; sh x.sh',
    'echo "<F-X>" > $"x.sh"; sh x.sh',
    'echo "<F-X>" > x.sh; sh x.{sh,y}',
    'f=x.sh; declare -n r=f; echo "<F-X>" > $r; sh x.sh',
    'f=x; f+=.sh; echo "<F-X>" > $f; sh x.sh',
    'g=x.sh; f=g; echo "<F-X>" > ${!f}; sh x.sh',
    'printf -v f %s x.sh; echo "<F-X>" > $f; sh x.sh',
    'read -r f <<< x.sh; echo "<F-X>" > $f; sh x.sh',
    'mapfile -t f <<< x.sh; echo "<F-X>" > $f; sh x.sh',
    'f=X.SH; echo "<F-X>" > ${f,,}; sh x.sh',
    'declare -l f=X.SH; echo "<F-X>" > $f; sh x.sh',
    'f=x.sh; echo "<F-X>" > $f; source ${f}',
    'f=x.sh; echo "<F-X>" > $f; eval "$(<${f})"',
    'f=x.sh; echo "<F-X>" > $f; mapfile -t l < ${f}; eval "${l[0]}"',
    'f=x.sh; echo "<F-X>" > >(cat > $f); sleep 0.2; sh ${f}',
    'f=x.sh; echo "<F-X>" | tee >(cat > x.sh); sleep 0.2; sh ${f}',
    'f=x.sh; echo "<F-X>" |& tee $f; sh ${f}',
    'coproc { cat > x.sh; }; echo "<F-X>" >&${COPROC[1]}; sleep 0.2; sh x.sh',
    'f=x.sh; sh <(cat ${f}) ; echo "<F-X>" > $f; sh <(cat x.sh)',
]  # fmt: skip

READ = [
    'echo "<F-X>" >> /var/log/x.log',
    't=$(mktemp); echo "<F-X>" > $t; mail -s x root < "${t}"; rm -f $t',
    't=$(mktemp); trap "rm -f $t" EXIT; echo "<F-X>" > $t; mail -s x root < "${t}"',
    't=$(mktemp); trap \'rm -f "$t"\' EXIT; echo "<F-X>" > $t; sendmail root < "${t}"',
    'f=/tmp/x.txt; echo "<F-X>" >> $f; curl -d @$f https://192.0.2.1/; wc -l ${f}',
    'f=x.txt; echo "<F-X>" > $f; l=$(wc ${f} | awk \'{print $1}\'); [ "$l" = 5 ] || mail me < $f',
    'echo "<F-X>" >> /var/log/x.log; /usr/local/bin/tell.sh "<F-X>"',
    'echo "<F-X>" >> /var/log/x.log; sh /usr/local/bin/tell.sh "<F-X>"',
    'echo "<F-X>" >> "$LOG"; logger -t mail "<F-X>"; mail -s x root < /dev/null',
]  # fmt: skip
"""Commands that write a value to a file and run other programs."""

BASH = shutil.which("bash") or "/bin/bash"
CASES = [("/bin/sh", text) for text in RUN] + [(BASH, text) for text in RUN_BY_BASH]


@pytest.mark.parametrize(("shell", "command"), CASES)
def test_a_file_with_a_value_runs_no_program_of_it(folder: Path, shell: str, command: str) -> None:
    for script in (Script(command), ignore_script(command)):
        filled = script.fill({"F-X": Value("touch canary")})
        assert filled.changed == ("F-X",)  # an ignorecommand is not run then
        run(folder, filled, shell)


@pytest.mark.parametrize("command", RUN[:12])
def test_these_commands_do_run_what_they_write(folder: Path, command: str) -> None:
    with pytest.raises(AssertionError, match="canary"):
        run(folder, Filled(command.replace("<F-X>", "touch canary")))


@pytest.mark.parametrize("command", READ)
def test_a_file_that_is_only_read_holds_the_whole_value(command: str) -> None:
    filled = Script(command).fill({"F-X": Value("it's $(me) `x` | y")})
    assert filled.changed == ()


def test_a_file_of_one_command_of_an_action_is_not_run_by_another(folder: Path) -> None:
    found = scripts({"actionban": 'f=x.sh; echo "<F-X>" > $f', "actionunban": "f=x.sh; sh ${f}"})
    values = {"F-X": Value("touch canary")}
    text = found["actionban"].fill(values)
    assert text.changed == ("F-X",)
    run(folder, text)
    run(folder, found["actionunban"].fill(values))
