"""What must be well before workers start; the same checks serve the bootstrap process and `procos doctor`."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from procos.errors import EngineError, KernelError, ProcosError
from procos.kernel.home import Home
from procos.kernel.plugins import Plugins
from procos.model.kernel_state import Problem
from procos.ports.engine import Engine

ENGINE_FREE_BYTES: Final = 2 * 1024**3
"""Zeebe stops processing below 2 GiB of free disk space (`zeebe.broker.data.disk.freeSpace.processing`)."""
STATE_FREE_BYTES: Final = 100 * 1024**2

Check = Callable[[], Awaitable[str]]
"""Returns what is well in a few words; raises ProcosError with a hint when it is not."""


@dataclass(frozen=True, kw_only=True)
class HealthChecks:
    """The checks by the names under which `bootstrap.bpmn` asks for them."""

    engine: Engine
    home: Home
    plugins: Plugins
    embedded: bool

    def by_name(self) -> dict[str, Check]:
        """All checks, in the order in which `procos doctor` shows them."""
        return {"engine": self.check_engine, "home": self.check_home, "disk": self.check_disk, "tdes": self.check_tdes}

    async def run(self, name: str) -> str:
        """Runs one check.

        Raises:
            ProcosError: something is wrong; or the process asks for a check that this version does not have.
        """
        check = self.by_name().get(name)
        if check is None:
            raise KernelError(
                f"this kernel has no health check '{name}'",
                hint=f"it has {', '.join(self.by_name())}; deploy the bootstrap process of this version",
            )
        return await check()

    async def problems(self) -> list[Problem]:
        """Runs all checks and returns what is wrong."""
        found = []
        for check in self.by_name().values():
            try:
                await check()
            except ProcosError as error:
                found.append(Problem(what=error.message, hint=error.hint or ""))
        return found

    async def check_engine(self) -> str:
        """Every partition has a healthy leader."""
        topology = await self.engine.topology()
        if not topology.is_ready:
            raise EngineError(
                f"not each of {topology.partitions_count} partitions at {self.engine.address} has a healthy leader",
                hint="wait until its brokers are up; `zbctl status` shows them",
            )
        return (
            f"Zeebe {topology.gateway_version} at {self.engine.address}, {topology.partitions_count} partition(s) led"
        )

    async def check_home(self) -> str:
        """The home can be written."""
        await asyncio.to_thread(self._write_something)
        return f"{self.home.path} is writable"

    async def check_disk(self) -> str:
        """There is enough free space for what is kept on this machine."""
        needed = ENGINE_FREE_BYTES if self.embedded else STATE_FREE_BYTES
        free = shutil.disk_usage(self.home.path).free
        if free < needed:
            raise KernelError(
                f"only {_size(free)} are free under {self.home.path}; {_size(needed)} are needed",
                hint="free some disk space, or use a --home on another disk; below that Zeebe stops taking work",
            )
        return f"{_size(free)} free under {self.home.path}"

    async def check_tdes(self) -> str:
        """There is something that can do work."""
        if not self.plugins.tdes:
            raise KernelError(
                "no TDE is installed",
                hint="install ProcOS anew (`pip install --force-reinstall procos`), or a package that brings TDEs",
            )
        broken = f", {len(self.plugins.broken)} broken" if self.plugins.broken else ""
        return f"{len(self.plugins.tdes)} TDEs{broken}"

    def _write_something(self) -> None:
        try:
            with tempfile.NamedTemporaryFile(dir=self.home.state, prefix="health-") as file:
                file.write(b"well")
                file.flush()
        except OSError as error:
            raise KernelError(
                f"the home folder {self.home.state} cannot be written: {error.strerror}",
                hint="make it writable, or choose another with --home or PROCOS_HOME",
            ) from error


def _size(number: int) -> str:
    return f"{number / 1024**3:.1f} GiB" if number >= 1024**3 else f"{number / 1024**2:.0f} MiB"
