"""A flow that waits for a file. As a program it is deployed to the control pool and started: prints the run's id."""

import sys
import time
from pathlib import Path

from prefect import flow
from prefect.deployments import run_deployment
from prefect.deployments.runner import RunnerDeployment


@flow
def doze(until: Path) -> None:
    while not until.exists():
        time.sleep(0.1)


if __name__ == "__main__":
    RunnerDeployment.from_entrypoint("tests.embedded.dozing.doze", name="test", work_pool_name="control").apply()
    print(run_deployment("doze/test", parameters={"until": sys.argv[1]}, timeout=0).id)
