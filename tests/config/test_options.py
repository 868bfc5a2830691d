"""The table of options is sound."""

from banish.config.options import JAIL_OPTIONS, OPTIONS, SERVER_OPTIONS
from banish.model.duration import parse_duration
from banish.model.settings import JailSettings, ServerSettings


def test_every_option_has_a_name_of_its_own_and_a_meaning() -> None:
    names = [option.name for option in OPTIONS]
    assert len(set(names)) == len(names)
    assert all(option.name == option.name.lower() for option in OPTIONS)
    assert all(option.meaning.endswith(".") for option in OPTIONS)


def test_every_default_fits_its_kind() -> None:
    for option in OPTIONS:
        if option.kind == "boolean":
            assert option.default in ("true", "false")
        elif option.kind == "number":
            assert option.least <= int(option.default) <= option.most
        elif option.kind == "duration" and option.default:
            assert parse_duration(option.default) >= 0
        elif option.kind == "choice":
            assert option.default in option.choices


def test_every_setting_of_a_jail_and_of_the_server_has_its_option() -> None:
    not_options = {"name", "filter", "logpaths", "uses_journal", "escalation", "actions"}
    not_options |= {"enforcement", "places", "journal", "networks", "budget"}
    assert set(JailSettings.__struct_fields__) - not_options <= set(JAIL_OPTIONS)
    assert set(ServerSettings.__struct_fields__) - {"places", "takeover_dbfile", "access"} <= set(
        SERVER_OPTIONS
    )


def test_server_defaults_are_those_of_the_settings() -> None:
    settings = ServerSettings()
    for name in ("loglevel", "logtarget", "socket", "pidfile", "dbfile", "allowipv6"):
        assert SERVER_OPTIONS[name].default == getattr(settings, name)
