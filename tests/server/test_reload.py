"""The configuration file changes while the server runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.clients import HOST_NETWORK_POD, Client, review
from tests.server.running import Running, now, running
from tests.server.test_health import scrape
from webhook.config import GateConfig, ruleset
from webhook.config.reload import ConfigFile
from webhook.server.reload import ConfigWatch, make_gate

TEXT = "{{apiVersion: netreeve.io/v1alpha1, kind: GateConfig, profile: {}}}\n"


def following(file: ConfigFile, server: Running) -> ConfigWatch:
    """What `netreeve serve` does with a file that changes."""

    def take(config: GateConfig) -> None:
        server.webhook.set_gate(make_gate(ruleset(config), None, server.telemetry))

    return ConfigWatch(file, take, server.telemetry, now=now)


def test_the_last_good_configuration_is_in_force(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = directory / "config.yaml"
    path.write_text(TEXT.format("standard"))
    file = ConfigFile(path)
    with running(directory, rules=ruleset(file.read())) as server:
        server.telemetry.config_loaded(ok=True, at=now())
        watch = following(file, server)
        client = Client(server.reviews, server.ca)

        def allowed() -> bool:
            watch.poll()
            watch.poll()
            answer: bool = client.ask("/validate", review(HOST_NETWORK_POD)).review["allowed"]
            return answer

        assert not allowed()
        path.write_text(TEXT.format("audit"))
        assert allowed()
        path.write_text(TEXT.format("strickt"))
        assert allowed()
        assert "strickt" in caplog.text or "strict" in caplog.text
        path.unlink()
        assert allowed()
        path.write_text(TEXT.format("strict"))
        assert not allowed()
        client.close()
        found = scrape(server)
    reloads = {labels["result"]: n for labels, n in found["netreeve_config_reloads_total"]}
    assert reloads == {"success": 3.0, "failure": 2.0}
    assert found["netreeve_config_generation"] == [({}, 3.0)]
    ((_, at),) = found["netreeve_config_last_success_timestamp_seconds"]
    assert now().timestamp() - 60 < at <= now().timestamp()


def test_resources_of_a_new_configuration_get_their_own_label(directory: Path) -> None:
    path = directory / "config.yaml"
    path.write_text(TEXT.format("standard"))
    file = ConfigFile(path)
    rollouts = {"group": "argoproj.io", "version": "v1", "resource": "rollouts"}
    with running(directory, rules=ruleset(file.read())) as server:
        watch = following(file, server)
        path.write_text(
            "apiVersion: netreeve.io/v1alpha1\nkind: GateConfig\nworkloads:\n"
            "- {group: argoproj.io, resource: rollouts, kind: Rollout, path: spec.template}\n"
        )
        watch.poll()
        client = Client(server.reviews, server.ca)
        template = {"spec": {"template": HOST_NETWORK_POD}}
        response = client.ask("/validate", review(template, resource=rollouts)).review
        client.close()
        assert "spec.template.spec.hostNetwork" in response["status"]["message"]
        counts = scrape(server)["netreeve_admission_review_duration_seconds_count"]
    assert [labels["resource"] for labels, _ in counts] == ["rollouts.argoproj.io"]
