"""Builds what pyproject.toml cannot say: the track core from ext/ and swipegate.v1 from protos/."""

import os
import sys
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError, LinkError, PlatformError

ROOT = Path(__file__).parent
PROTOS = ROOT / "protos"
SOURCES = ROOT / "src"
GENERATED = SOURCES / "swipegate" / "v1"

# SWIPEGATE_DEBUG=1 builds the core with bounds checks, line tracing and annotated HTML.
DEBUG = os.environ.get("SWIPEGATE_DEBUG") == "1"
# SWIPEGATE_SANITIZE=address,undefined builds it with gcc's sanitizers, SWIPEGATE_FUZZ=1 to be fuzzed (docs/testing.md);
# both in a folder of their own, so that no other build picks up what they leave.
SANITIZE = os.environ.get("SWIPEGATE_SANITIZE", "")
FUZZ = os.environ.get("SWIPEGATE_FUZZ") == "1"
COVERAGE = "tests/fuzz/coverage.c"
BUILD = "build" + (f"/sanitize-{SANITIZE.replace(',', '-')}" if SANITIZE else "") + ("/fuzz" if FUZZ else "")
NO_COMPILER = (
    "swipegate cannot be installed: its track core needs a working C compiler "
    "(on Debian or Ubuntu: apt install gcc python3-dev) and none was found."
)


def generate_protos() -> None:
    """Write swipegate.v1 (messages, stubs, type stubs) from every proto under protos/."""
    import grpc_tools
    from grpc_tools import protoc

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    protos = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    GENERATED.mkdir(exist_ok=True)
    arguments = ["protoc", f"-I{PROTOS}", f"-I{well_known}"]
    arguments += [f"--{kind}_out={SOURCES}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main([*arguments, *protos]) != 0:
        raise SystemExit("swipegate: protoc refused the files under protos/ (its reason is above)")
    package = '"""Generated from protos/swipegate/v1 at build time: edit the protos, not this package."""\n'
    (GENERATED / "__init__.py").write_text(package)


class BuildPy(build_py):
    """build_py that first generates swipegate.v1."""

    def run(self) -> None:
        generate_protos()
        super().run()


class BuildExt(build_ext):
    """build_ext that says in one sentence when there is no compiler, and links into every module what fuzzing needs."""

    def build_extensions(self) -> None:
        self._probe_compiler()
        if FUZZ:  # compiled once: the modules are built side by side
            objects = self.compiler.compile([COVERAGE], output_dir=self.build_temp, extra_postargs=flags()[0])
            for extension in self.extensions:
                extension.extra_objects = objects
        super().build_extensions()

    def _probe_compiler(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text("#include <Python.h>\nint swipegate_probe(void) { return PY_MAJOR_VERSION; }\n")
            try:
                self.compiler.compile([str(probe)], output_dir=folder)
            except (CompileError, LinkError, PlatformError, OSError):
                raise SystemExit(NO_COMPILER) from None


def flags() -> tuple[list[str], list[str]]:
    """What the C compiler and the linker are told."""
    if sys.platform == "win32":
        return [], []
    compiling = ["-Wall", "-Wextra", "-Wno-unused-parameter"]
    compiling.append("-fno-builtin-memset")  # inlined it is `rep stos`, which takes long to start
    if not SANITIZE and not FUZZ:
        # debug information is nine tenths of a module
        return [*compiling, "-O3", *([] if DEBUG else ["-g0"])], []
    compiling += ["-O1", "-g", "-fno-omit-frame-pointer"]
    linking = []
    if SANITIZE:
        linking = [f"-fsanitize={SANITIZE}"]
        compiling += [*linking, "-fno-sanitize-recover=all"]
    if FUZZ:
        compiling += ["-fsanitize-coverage=trace-pc,trace-cmp", "-foptimize-sibling-calls"]
    return compiling, linking


def extensions() -> list[Extension]:
    """One extension module a stage: ext/flux.pyx becomes swipegate.core.flux."""
    from Cython.Build import cythonize

    compiling, linking = flags()
    modules = [
        Extension(
            f"swipegate.core.{path.stem}",
            [str(path.relative_to(ROOT))],
            extra_compile_args=compiling,
            extra_link_args=linking,
            depends=[COVERAGE] if FUZZ else [],
        )
        for path in sorted((ROOT / "ext").glob("*.pyx"))
    ]
    return cythonize(
        modules,
        include_path=["src"],  # the .pxd of a stage lies beside its .pyi, where the module lands
        build_dir=f"{BUILD}/cython",
        annotate=DEBUG,
        compiler_directives={
            "language_level": 3,
            "embedsignature": True,
            "freethreading_compatible": True,
            "boundscheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "linetrace": DEBUG,
        },
    )


GENERATED.mkdir(exist_ok=True)
setup(
    packages=[
        *sorted(
            {str(p.parent.relative_to(SOURCES)).replace(os.sep, ".") for p in SOURCES.rglob("__init__.py")}
            | {"swipegate.v1"}
        )
    ],
    package_dir={"": "src"},
    ext_modules=extensions(),
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
    options={"build": {"build_base": BUILD, "parallel": os.cpu_count() or 1}},
)
