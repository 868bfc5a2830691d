"""Every claim that docs/compatibility.md makes is held to its word by a test named here."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "compatibility.md"

TESTS = {
    "The files": "compat/test_stock_config.py::test_every_effective_value_is_what_fail2ban_makes",
    "Filters": "compat/test_stock_samples.py::test_every_stock_sample_comes_out_as_annotated",
    "Jails": "compat/test_stock_config.py::test_every_stock_jail_loads_without_an_error",
    "Bans": "compat/test_takeover.py::test_bans_of_fail2ban_are_in_the_kernel_after_the_change",
    "The log": "telemetry/test_lines.py::test_classic_format_has_fail2bans_columns",
    "counting": "policy/test_window.py::test_it_agrees_with_keeping_every_time_and_sorting",
    "banning in this host's": "config/test_actions.py::test_an_action_closes_what_it_would_close",
    "values in other": "compat/test_stock_actions.py::test_no_text_of_an_attacker_is_run_by_any",
    "values that [another": "shell/test_hostile.py::test_no_value_makes_a_file_whatever_reads_it",
    "values that begin": "shell/test_hostile.py::test_no_value_is_an_option",
    "a backslash": "compat/test_stock_actions.py::test_a_backslash_in_a_line_is_one_in_the_mail",
    "actions that hang": "daemon/test_dispatcher.py::test_a_hanging_action_delays_no_other",
    "a firewall that an action": "daemon/test_dispatcher.py::test_after_a_new_start_all_bans",
    "a ban that an action": "daemon/test_dispatcher.py::test_a_ban_that_an_action_missed_is_tried",
    "`<time>`": "compat/test_stock_actions.py::test_every_stock_action_calls_the_same_programs",
    "a banned connection": "enforce/test_traffic.py::test_a_connection_that_stands_when_the_ban",
    "sessions": "detect/test_session.py::test_flood_of_one_address_pushes_out_its_own_sessions",
    "`<F-NOFAIL>`": "detect/test_matcher.py::test_line_that_only_informs_is_no_failure_without",
    "addresses that are none": "detect/test_matcher.py::test_what_nobody_can_be_banned_by_is",
    "a number where": "detect/test_matcher.py::test_a_number_is_no_name_to_be_looked_up",
    "0.0.0.0/8, loopback": "policy/test_reserved.py::test_nobody_is_banned_by_what_no_peer_has",
    "lines with two addresses": "compat/test_stock_names.py::test_no_name_bans_somebody_else",
    "octets with leading": "detect/test_matcher.py::test_octets_with_leading_zeros_are_decimal",
    "a name with its": "detect/test_beside.py::test_the_address_beside_a_name_counts",
    "`message repeated": "detect/test_repeated.py::test_a_repeated_message_counts_as_often_as_it",
    "some sixty rules of": "compat/test_stock_services.py::test_every_mended_rule_is_one_of",
    "`fail2ban-client -t`": "cli/fail2ban/test_client.py::test_a_wrong_configuration_is_told",
    "`fail2ban-regex`: a": "compat/test_fail2ban_regex.py::test_the_figures_for_every_stock_filter",
    "values in `ignorecommand`": "system/test_exempt.py::test_ignorecommand_decides_and_no_user",
    "`ignorecommand`: one": "exempt/test_command.py::test_a_command_that_hangs_is_killed",
    "`ignorecache`": "exempt/test_command.py::test_answers_are_kept_by_the_key_of",
    "`ignoreip = file": "exempt/test_file.py::test_a_change_counts_once_the_file_has_come",
    "DNS names": "exempt/test_lists.py::test_logs_wait_until_the_first_answers_came",
    "`backend = systemd": "config/test_journal.py::test_what_cannot_be_had_is_told_with_its_cure",
    "a `logpath` that names": "sources/test_many_files.py::test_more_files_than_may_be_open_are",
    "more than 1,000": "daemon/test_enforcing.py::test_many_restored_bans_are_told_as_one",
    "banning [networks]": "config/test_networks.py::test_in_a_tree_of_its_own_every_address_counts",
    "exempt [while logged in]": "config/test_exempt.py::test_in_a_tree_that_is_not_ours_guard",
    "a [budget for bans]": "config/test_budget.py::test_in_a_tree_of_its_own_bans_have_no_budget",
    "a line that keeps a regex": "compat/test_hostile_lines.py::test_hostile_lines_delay_no_other",
    "actions written in Python": "enforce/python/test_python_action.py::test_an_action_that_hangs",
    "a value that cannot": "config/test_jails.py::test_a_mistake_in_how_long_does_not_end_whether",
    "formulas": "policy/test_formula.py::test_what_is_no_formula_is_refused",
    "files of its own": "config/test_server.py::test_fail2bans_options_count_but_its_own_files",
    "`version`": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as_by",
    "what Debian's": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as_by",
    "`get dbfile`": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as_by",
    "`get JAIL failregex`": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as",
    "`get JAIL ignoreip`": "control/fail2ban/test_jailverbs.py::test_exempt_addresses_are_added",
    "`actionproperties`": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as_by",
    "`set JAIL action NAME": "control/fail2ban/test_jailverbs.py::test_properties_of_commands_are",
    "`set JAIL banip`": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as_by",
    "`set JAIL unbanip`": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as_by",
    "`set JAIL attempt`": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as_by",
    "a value that makes no sense": "compat/test_fail2ban_commands.py::test_every_command_is",
    "`set dbmaxmatches`": "compat/test_fail2ban_commands.py::test_every_command_is_answered_as_by",
    "`set JAIL addfailregex`": "control/fail2ban/test_jailverbs.py::test_regexes_are_added_and",
    "`reload` on the wire": "control/fail2ban/test_status.py::test_reload_takes_flags_and_jail_and",
    "`status JAIL cymru`": "control/fail2ban/test_status.py::test_cymru_has_its_three_lists",
    "a jail that was added": "control/fail2ban/test_known.py::test_a_jail_that_was_not_started",
    "Fail2Ban's socket": "control/fail2ban/test_bridge.py::test_many_commands_of_one_connection",
    "`fail2ban-client`, `fail2ban-server`": "compat/test_fail2ban_client.py::test_both_clients",
    "`<F-...>` tags": "compat/test_stock_actions.py::test_every_stock_action_calls_the_same",
    "a reload with": "system/test_reload.py::test_a_broken_jail_keeps_its_old_self_and",
    "the signal HUP": "system/test_reload.py::test_sighup_reloads",
    "Systems other": "enforce/test_nftables.py::test_the_table_reads_in_nft_as_it_is",
}
"""How each claim begins, and the beginning of the name of the test that stands for it."""


def claims() -> list[str]:
    """Return the page's claims: list entries and rows of tables."""
    text = PAGE.read_text("utf-8")
    entries = re.findall(r"^- (.+)$", text, re.MULTILINE)
    rows = re.findall(r"^\| ([^|]+?) \| [^|]+ \| .+ \|$", text, re.MULTILINE)
    return [claim for claim in entries + rows if not claim.startswith("---")]


@pytest.mark.parametrize("claim", claims())
def test_a_claim_of_the_page_has_a_test_that_holds_it_to_its_word(claim: str) -> None:
    named = [test for begin, test in TESTS.items() if claim.startswith(begin)]
    assert named, f"name a test for: {claim}"
    for test in named:
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / "tests" / file).read_text("utf-8")


def test_no_claim_is_listed_that_the_page_does_not_make() -> None:
    made = claims()
    assert [begin for begin in TESTS if not any(each.startswith(begin) for each in made)] == []
