"""One installation for each file that asks for it: its tests rotate, break and delete things."""

from collections.abc import Iterator

import pytest

from tests.install.certificates import Certs
from tests.install.deployed import Deployed, by_kubectl, deployed_cluster
from tests.install.installed import Installed, installed_cluster
from webhook.cli import main


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """No pod runs, and nothing is active."""
    with installed_cluster(tmp_path_factory.mktemp("installed")) as found:
        yield found


@pytest.fixture(scope="module")
def installed(bare: Installed) -> Installed:
    """Two servers and one controller, enforcing."""
    servers = bare.serve(2)
    bare.control()
    bare.pods.await_ready(*servers)
    bare.await_active()
    return bare


@pytest.fixture(scope="package")
def chart_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """What the chart installs, enforcing; for `deployed`, which sees to its pods."""
    with deployed_cluster(tmp_path_factory.mktemp("deployed"), by_kubectl) as found:
        yield found


@pytest.fixture
def deployed(chart_cluster: Deployed) -> Deployed:
    """As many servers and controllers as the Deployments ask for, whatever happened before."""
    chart_cluster.start()
    return chart_cluster


@pytest.fixture
def certs(installed: Installed, capsys: pytest.CaptureFixture[str]) -> Certs:
    """`netreeve certs` with the administrator's kubeconfig: exit code, and what it says."""

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["certs", *arguments, "--kubeconfig", str(installed.plane.kubeconfig)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run
