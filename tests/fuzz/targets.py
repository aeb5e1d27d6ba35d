"""The fuzz targets of the format, as archive-format/src/fuzzing.rs lists them."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMAT = ROOT / "archive-format"
CORPUS = FORMAT / "fuzz" / "corpus"


def targets():
    """Name to source files of each target."""
    text = (FORMAT / "src" / "fuzzing.rs").read_text()
    found = re.findall(r'name: "(\w+)",\s*modules: &\[([^\]]*)\]', text)
    listed = {name: re.findall(r'"([^"]+)"', modules) for name, modules in found}
    programs = {path.stem for path in (FORMAT / "fuzz" / "targets").glob("*.rs")}
    if set(listed) != programs or not all(listed.values()):
        raise SystemExit(f"The targets {sorted(listed)} are not the programs {sorted(programs)}")
    return listed
