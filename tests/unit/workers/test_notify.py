"""What the notify TDE sends through apprise to a real server, and what it says when a channel fails."""

import io
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp
from procos_workers.notify import NotifyFailed, notify
from procos_workers.notify_channel import mask
from procos_workers.notify_task import LOCAL_SCHEMES, SECRETS, NotifyConfig, NotifyInput
from tests.unit.workers.http_caller import unused_port
from tests.unit.workers.loopback_server import Reply, by_path, serving
from tests.unit.workers.notifier import NotifyJob

# One of apprise's services loads a library (tweepy) that uses what Python is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

ROOT = Path(__file__).parents[3]


@pytest.fixture
def everything_logged():
    """What comes to the root logger; caplog would listen to loggers that keep their records for themselves, too."""
    root, text = logging.getLogger(), io.StringIO()
    listener, level = logging.StreamHandler(text), root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(listener)
    root.setLevel(level)


def test_the_tde_is_registered_under_its_job_type_with_its_secrets():
    assert (notify.name, notify.job_type, notify.secrets) == ("notify", "tde.notify", SECRETS)
    notify.manifest()


def test_title_message_and_severity_reach_the_service():
    with serving() as server:
        job = NotifyJob({"team": f"json://127.0.0.1:{server.port}/hook"})
        answer = job.attempt(title="Größe ✓", message="Fertig: 日本\nzwei", severity="warning")
    said = json.loads(server.asked[0].body)
    assert (said["title"], said["message"], said["type"]) == ("Größe ✓", "Fertig: 日本\nzwei", "warning")
    assert (answer.notified, answer.failed, server.asked[0].path) == (["team"], [], "/hook")


def test_several_channels_of_different_kinds_are_notified_once_each():
    with serving() as server:
        job = NotifyJob(
            {kind: f"{kind}://127.0.0.1:{server.port}/{kind}" for kind in ("json", "xml", "form")},
        )
        answer = job.attempt(["xml", "form", "json", "xml"], title="T & <t>")
    assert [asked.path for asked in server.asked] == ["/xml", "/form", "/json"]
    assert b"T &amp; &lt;t&gt;" in server.asked[0].body
    assert parse_qs(server.asked[1].body.decode())["title"] == ["T & <t>"]
    assert answer.notified == ["xml", "form", "json"]


def test_a_message_is_converted_to_the_format_that_the_service_takes():
    with serving() as server:
        job = NotifyJob({"team": f"json://127.0.0.1:{server.port}/?format=html"})
        job.attempt(message="*much* & more", format="markdown")
        job.attempt(message="<b>bold</b>", format="html")
    assert [json.loads(asked.body)["message"] for asked in server.asked] == [
        "<p><em>much</em> &amp; more</p>",
        "<b>bold</b>",
    ]


def test_what_looks_like_an_escape_an_emoji_or_a_template_is_sent_as_it_is():
    with serving() as server:
        NotifyJob({"team": f"json://127.0.0.1:{server.port}/"}).attempt(message=r"a\nb :smile: ${HOME} {{x}} %s")
    assert json.loads(server.asked[0].body)["message"] == r"a\nb :smile: ${HOME} {{x}} %s"


def test_a_service_in_trouble_is_tried_again_with_its_reason():
    with serving(Reply.text("out of paper", 500)) as server:
        job = NotifyJob({"team": f"json://127.0.0.1:{server.port}/"})
        with pytest.raises(NotifyFailed, match=r"not notified: team: .*error=500.*out of paper"):
            job.attempt()
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_service_that_refuses_gives_up(status):
    with serving(Reply.text("invalid_auth", status)) as server:
        job = NotifyJob({"team": f"json://127.0.0.1:{server.port}/"})
        with pytest.raises(GiveUp, match=rf"team: .*error={status}.*invalid_auth"):
            job.attempt()


def test_a_service_that_asks_to_wait_is_tried_again():
    with serving(Reply(429)) as server, pytest.raises(NotifyFailed, match="error=429"):
        NotifyJob({"team": f"json://127.0.0.1:{server.port}/"}).attempt()


def test_a_service_that_is_not_there_is_tried_again():
    with pytest.raises(NotifyFailed, match="the service refused the connection"):
        NotifyJob({"team": f"json://127.0.0.1:{unused_port()}/"}).attempt()
    with pytest.raises(NotifyFailed, match="host name cannot be resolved"):
        NotifyJob({"team": "json://notify.invalid/"}).attempt()


def test_a_service_whose_certificate_is_not_trusted_gives_up():
    with serving(tls=True) as server, pytest.raises(GiveUp, match="certificate is not trusted"):
        NotifyJob({"team": f"jsons://127.0.0.1:{server.port}/"}).attempt()
    assert server.asked == []


def test_a_service_that_is_slow_is_tried_again():
    answered = threading.Event()

    def wait(_handler):
        answered.wait(20)

    with serving(wait) as server:
        job = NotifyJob({"team": f"json://127.0.0.1:{server.port}/"}, answer_limit_seconds=0.3)
        with pytest.raises(NotifyFailed, match=r"no answer within 0\.3 s \(tde\.notify\.answer_limit_seconds\)"):
            job.attempt()
        answered.set()


def test_a_repeated_job_notifies_only_the_channels_that_failed():
    with serving(by_path(a=Reply(), b=Reply(503))) as server:
        url = f"json://127.0.0.1:{server.port}"
        job = NotifyJob({"a": f"{url}/a", "b": f"{url}/b"})
        with pytest.raises(NotifyFailed, match=r"b: .*503.*\(notified: a\)"):
            job.attempt(["a", "b"])
        server.script = [Reply()]
        answer = job.attempt(["a", "b"])
    assert [asked.path for asked in server.asked] == ["/a", "/b", "/b"]
    assert (answer.notified, answer.failed) == (["a", "b"], [])


def test_a_message_that_was_changed_since_goes_to_every_channel():
    with serving() as server:
        job = NotifyJob({"team": f"json://127.0.0.1:{server.port}/"})
        job.attempt(message="one")
        job.attempt(message="one")
        job.attempt(message="two")
    assert [json.loads(asked.body)["message"] for asked in server.asked] == ["one", "two"]


def test_one_channel_is_enough_where_the_task_says_so():
    with serving(by_path(a=Reply(), b=Reply(500))) as server:
        url = f"json://127.0.0.1:{server.port}"
        answer = NotifyJob({"a": f"{url}/a", "b": f"{url}/b"}).attempt(["b", "a"], require="any")
    assert answer.notified == ["a"]
    assert [failed.channel for failed in answer.failed] == ["b"]
    assert "error=500" in answer.failed[0].reason


def test_any_fails_when_no_channel_works():
    with serving(Reply(500)) as server, pytest.raises(NotifyFailed, match="not notified: team"):
        NotifyJob({"team": f"json://127.0.0.1:{server.port}/"}).attempt(require="any")


def test_a_job_is_tried_again_if_one_of_its_failures_may_pass():
    with serving(by_path(a=Reply(401), b=Reply(500))) as server:
        url = f"json://127.0.0.1:{server.port}"
        with pytest.raises(NotifyFailed):
            NotifyJob({"a": f"{url}/a", "b": f"{url}/b"}).attempt(["a", "b"])


def test_an_unknown_channel_gives_up_before_anybody_is_notified_and_names_the_nearest():
    with serving() as server:
        job = NotifyJob({"team": f"json://127.0.0.1:{server.port}/", "oncall": "json://127.0.0.1/"})
        with pytest.raises(GiveUp, match=r"no channel 'on-call'; is 'oncall' meant\?"):
            job.attempt(["team", "on-call"])
        with pytest.raises(GiveUp, match="there is: oncall, team"):
            job.attempt("zzz")
    assert server.asked == []


def test_without_channels_it_says_where_they_are_set():
    with pytest.raises(GiveUp, match=r"tde\.notify\.channels of the settings; there is: none"):
        NotifyJob({}).attempt()


@pytest.mark.parametrize("scheme", [*LOCAL_SCHEMES, "DBUS"])
def test_what_speaks_to_the_workers_own_machine_is_not_allowed(scheme):
    with pytest.raises(GiveUp, match=r"not allowed; see tde\.notify\.allow_schemes"):
        NotifyJob({"team": f"{scheme}://x"}).attempt()


def test_only_the_allowed_kinds_of_service_are_used():
    with serving() as server:
        channels = {"team": f"json://127.0.0.1:{server.port}/", "other": f"xml://127.0.0.1:{server.port}/"}
        job = NotifyJob(channels, allow_schemes=["json*"])
        job.attempt("team")
        with pytest.raises(GiveUp, match="not allowed"):
            job.attempt("other")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "url", ["", "tok3n-value", "nosuch://tok3n-value", "json://", "discord://tok3n-value", "slack://tok3n-value/x"]
)
def test_a_url_that_apprise_cannot_use_gives_up_without_showing_it(url):
    with pytest.raises(GiveUp, match=r"channel 'team'.*NOTIFY_TEAM") as caught:
        NotifyJob({"team": url}).attempt()
    assert "tok3n" not in str(caught.value)


def test_a_secret_that_is_not_there_gives_up():
    job = NotifyJob({"team": "json://127.0.0.1/"})
    job.secrets.clear()
    with pytest.raises(GiveUp, match="NOTIFY_TEAM"):
        job.attempt()


def test_no_part_of_a_channels_url_is_shown_or_logged(everything_logged):
    echo = Reply.text("bad: s3cr3t-token/pa%24sword/pa$sword", 403)
    with serving(echo) as server:
        job = NotifyJob({"team": f"json://user:pa%24sword@127.0.0.1:{server.port}/s3cr3t-token?+X-Key=k3y-value"})
        with pytest.raises(GiveUp) as caught:
            job.attempt()
    assert server.asked[0].path.startswith("/s3cr3t-token")
    assert "bad: ***/***/***" in str(caught.value)
    assert "channel 'team' was not notified" in everything_logged.getvalue()
    for secret in ("s3cr3t-token", "pa$sword", "pa%24sword", "k3y-value"):
        assert secret not in str(caught.value)
        assert secret not in everything_logged.getvalue()


def test_the_url_of_a_channel_is_never_sent():
    with serving() as server:
        url = f"json://127.0.0.1:{server.port}/"
        with pytest.raises(GiveUp, match="holds the URL of a channel"):
            NotifyJob({"team": url}).attempt(message=f"use {url}")
    assert server.asked == []


def test_a_job_that_is_gone_notifies_nobody():
    with serving() as server:
        job = NotifyJob({"team": f"json://127.0.0.1:{server.port}/"})
        job.is_cancelled = True
        with pytest.raises(NotifyFailed, match="the job is gone"):
            job.attempt()
    assert server.asked == []


def test_the_longest_secret_is_masked_first():
    assert mask("abcdef abcd", ["abcd", "abcdef"]) == "*** ***"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"channels": []}, "channels"),
        ({"channels": None}, "channels"),
        ({"channels": 7}, "channels"),
        ({"message": ""}, "message"),
        ({"message": None}, "message"),
        ({"message": "\ud83d"}, "unicode"),
        ({"title": "\ud83d"}, "half a character"),
        ({"severity": "bad"}, "severity"),
        ({"format": "rtf"}, "format"),
        ({"attach": "/etc/passwd"}, "attach"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(task, message):
    with pytest.raises(ValidationError, match=message):
        NotifyInput.model_validate({"channels": "team", "message": "x"} | task)


def test_settings_hold_names_of_secrets_and_no_urls():
    with pytest.raises(ValidationError, match="belongs among the secrets") as caught:
        NotifyConfig.model_validate({"channels": {"team": "slack://tok3n/x/y"}})
    assert "tok3n" not in str(caught.value)
    with pytest.raises(ValidationError, match="begins with NOTIFY_"):
        NotifyConfig.model_validate({"channels": {"team": "API_TOKEN"}})
    NotifyConfig.model_validate({"channels": {"team": "notify.team", "b": "NOTIFY_B"}})


def test_apprise_is_not_loaded_before_it_is_used():
    program = "import sys, procos_workers.notify; sys.exit('apprise' in sys.modules)"
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'workers'}"}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


def test_without_apprise_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(GiveUp, match=r"install procos\[notify\]"):
        NotifyJob({"team": "json://127.0.0.1/"}).attempt()
