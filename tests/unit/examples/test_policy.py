import re

import pytest

from licence_audit.policy import SHIPPED_POLICY, PolicyError, load


def test_the_shipped_policy_is_the_default():
    assert load() == load(str(SHIPPED_POLICY)) == load("")
    assert load()["licences"]["MIT"] == "allowed"


def test_a_policy_may_be_given_as_its_text():
    policy = load('name = "Ours"\n[licences]\nallowed = ["MIT"]\nforbidden = ["GPL-2.0"]\n')
    assert policy["name"] == "Ours"
    assert policy["licences"] == {"MIT": "allowed", "GPL-2.0-only": "forbidden"}


def test_package_names_are_compared_as_indexes_do(tmp_path):
    file = tmp_path / "policy.toml"
    file.write_text('[licences]\nallowed = ["MIT"]\n[replacements]\n"My.Package" = "other"\n', encoding="utf-8")
    assert load(str(file))["replacements"] == {"my-package": "other"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[licences\n", "is not TOML"),
        ("[licences]\n", "no licence is listed"),
        ('[licences]\ngood = ["MIT"]\n', "licences.good is no class"),
        ('[licences]\nallowed = "MIT"\n', "licences.allowed is 'MIT'; a list"),
        ("[licences]\nallowed = [1]\n", "an entry of licences.allowed is 1; text is expected"),
        ('[licences]\nallowed = ["MIT License"]\n', "is no licence expression"),
        ('[licences]\nallowed = ["MIT OR ISC"]\n', "names several licences"),
        ('[licences]\nallowed = ["GPL-2.0"]\nforbidden = ["GPL-2.0-only"]\n', "GPL-2.0-only is listed twice"),
        ('licences = ["MIT"]\n', "a table [licences] is expected"),
        ('[licenses]\nallowed = ["MIT"]\n', "'licenses' is not part of a policy"),
        ('[licences]\nallowed = ["MIT"]\n[packages]\nfoo = "MIT"\n', "packages.foo is 'MIT'"),
        ('[licences]\nallowed = ["MIT"]\n[replacements]\nfoo = 1\n', "replacements.foo is 1; text is expected"),
    ],
)
def test_a_wrong_policy_is_refused_with_what_is_wrong(text, message):
    with pytest.raises(PolicyError, match=re.escape(message)):
        load(text)


def test_a_policy_file_that_is_not_there_is_named(tmp_path):
    missing = tmp_path / "policy.toml"
    with pytest.raises(PolicyError, match=re.escape(f"the policy {missing} cannot be read")):
        load(str(missing))


def test_a_policy_file_that_is_not_utf8_is_named(tmp_path):
    file = tmp_path / "policy.toml"
    file.write_bytes(b'name = "caf\xe9"\n')
    with pytest.raises(PolicyError, match="is not UTF-8 text"):
        load(str(file))
