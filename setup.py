"""Puts resources into wheels and source archives; all else is said in pyproject.toml.

They lie in resources/, where an app bundle takes them from, and outside of any package. A wheel
has them in mlx_music/_resources, where `mlx_music.resources` looks; an editable install uses the
originals.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RESOURCES = Path("resources")
SHIPPED = ("sketch", "icons", "presets.json", "style.qss")

#: How a model was made is no part of it.
LEFT_OUT = frozenset(("recipe", "__init__.py", "__pycache__"))


class BuildWithResources(build_py):
    """`build_py` with the files of `SHIPPED`, in the terms in which setuptools asks for them."""

    def run(self) -> None:
        super().run()
        for target, source in self._resources().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *self._resources()]

    def get_output_mapping(self) -> dict[str, str]:
        return {**super().get_output_mapping(), **self._resources()}

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *self._resources().values()]

    def _resources(self) -> dict[str, str]:
        """The original of every file to be written; none for an editable install."""
        if self.editable_mode:
            return {}
        target = Path(self.build_lib) / "mlx_music" / "_resources"
        return {
            str(target / file.relative_to(RESOURCES)): str(file)
            for name in SHIPPED
            for file in (RESOURCES / name, *sorted((RESOURCES / name).rglob("*")))
            if file.is_file()
            and file.suffix != ".icns"  # for a built app
            and LEFT_OUT.isdisjoint(file.relative_to(RESOURCES).parts)
        }


setup(cmdclass={"build_py": BuildWithResources})
