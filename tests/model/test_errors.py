from banish.errors import ConfigError, EnforceError


def test_an_operator_reads_where_what_and_the_cure() -> None:
    error = ConfigError("wrong", where="jail.local:3", cure="write it so")
    assert str(error) == "jail.local:3: wrong\n    write it so"
    assert str(ConfigError("wrong")) == "wrong"


def test_a_failing_machine_says_what_and_the_cure() -> None:
    assert str(EnforceError("no table")) == "no table"
    assert str(EnforceError("no right", cure="run as root", retry=False)) == (
        "no right\n    run as root"
    )
