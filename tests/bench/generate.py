"""Makes a folder like that of a team that trains models: weights, generations of a checkpoint, job documents,
notebooks, logs. The same seed and size give the same bytes on every machine.

    python tests/bench/generate.py DIR [--bytes 1e9] [--seed 7] [--changed]

With `--changed` the folder, which must be there, goes one day on: a further checkpoint, some documents and notebooks
edited, logs grown, one model gone.

What the numbers imitate: weights are normally distributed with another scale in each tensor, which compresses within
a point or two of real ones; of a checkpoint's tensors two in five stay frozen between generations; job documents
differ in names, times and a few values; notebooks hold pictures as base64 of compressed noise.
"""

import argparse
import base64
import json
import math
import pathlib
import struct
import zlib

import numpy as np

WIDTHS = {"F32": 4, "BF16": 2, "F16": 2}
# Parts of the whole, in bytes.
SHARES = {"F32": 0.22, "BF16": 0.22, "F16": 0.08, "checkpoints": 0.30, "jobs": 0.05, "notebooks": 0.06, "logs": 0.07}
GENERATIONS = 3


def as_bytes(values: np.ndarray, sort: str) -> bytes:
    """Float32 values in the tensor type's own bytes; bfloat16 by rounding to the nearest."""
    if sort == "F32":
        return values.astype("<f4").tobytes()
    if sort == "F16":
        return values.astype("<f2").tobytes()
    bits = values.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def tensors(random: np.random.Generator, sort: str, size: int):
    """Names and bytes of tensors that together have about this size."""
    left, layer = size // WIDTHS[sort], 0
    while left > 0:
        count = min(left, int(random.integers(1 << 18, 1 << 21)))
        scale = 0.5 / math.sqrt(float(random.integers(256, 4096)))
        yield f"layers.{layer}.weight", as_bytes(random.standard_normal(count, dtype=np.float32) * scale, sort)
        left, layer = left - count, layer + 1


def write_weights(path: pathlib.Path, sort: str, parts) -> None:
    """A container like safetensors: length of the header, JSON header, tensors one after another."""
    parts, header, at = list(parts), {}, 0
    for name, data in parts:
        header[name] = {"dtype": sort, "shape": [len(data) // WIDTHS[sort]], "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, data in parts:
            out.write(data)


def checkpoint(seed: int, generation: int, size: int):
    """One generation: every tensor is drawn anew, but for the frozen ones, which are those of the first."""
    shape = np.random.default_rng([seed, 100])
    left, layer = size // 2, 0
    while left > 0:
        count = min(left, int(shape.integers(1 << 18, 1 << 21)))
        frozen = layer % 5 < 2
        own = np.random.default_rng([seed, 101, layer, 0 if frozen else generation])
        yield f"layers.{layer}.weight", as_bytes(own.standard_normal(count, dtype=np.float32) * 0.02, "BF16")
        left, layer = left - count, layer + 1


def job(random: np.random.Generator, number: int) -> bytes:
    started = f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:00Z"
    name = f"train_{random.bytes(6).hex()}"
    root = "/subscriptions/5f0c2c1e-0000-4000-8000-000000000001/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/ws"
    document = {
        "id": f"{root}/jobs/{name}", "name": name, "type": "Microsoft.MachineLearningServices/workspaces/jobs",
        "properties": {
            "jobType": "Command", "displayName": f"train {number}", "experimentName": f"exp-{number % 17}", "status": "Completed",
            "command": "python train.py --data ${{inputs.data}} --lr ${{inputs.lr}} --epochs ${{inputs.epochs}}",
            "computeId": f"{root}/computes/gpu", "codeId": f"{root}/codes/{random.bytes(16).hex()}/versions/1",
            "environmentId": f"{root}/environments/torch/versions/{1 + number % 9}",
            "environmentVariables": {f"VARIABLE_{i}": f"value of the variable {i}" for i in range(24)},
            "inputs": {
                "data": {"jobInputType": "uri_folder", "mode": "ReadOnlyMount", "uri": f"azureml:images:{1 + number % 5}"},
                "lr": {"jobInputType": "literal", "value": f"{float(random.random()) / 100:.6f}"},
                "epochs": {"jobInputType": "literal", "value": str(1 + number % 90)},
            },
            "outputs": {"model": {"jobOutputType": "custom_model", "mode": "ReadWriteMount"}},
            "resources": {"instanceCount": 1 + number % 4, "shmSize": "16g"},
            "services": {"Studio": {"endpoint": f"https://ml.azure.com/runs/{name}", "jobServiceType": "Studio", "status": None}},
            "tags": {"team": f"team-{number % 7}", "git": random.bytes(20).hex()},
        },
        "systemData": {"createdAt": started, "createdBy": f"user {number % 23}", "createdByType": "User", "lastModifiedAt": started},
    }
    return json.dumps(document, indent=1).encode()


def notebook(random: np.random.Generator, number: int) -> bytes:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": [f"# Notebook {number}\n", "What we saw in the data.\n"]}]
    for cell in range(6):
        picture = zlib.compress(random.bytes(int(random.integers(8_000, 60_000))), 1)
        cells.append({
            "cell_type": "code", "execution_count": cell, "metadata": {},
            "source": ["import pandas as pd\n", f"frame = pd.read_parquet('part-{cell}.parquet')\n", "frame.describe()\n"],
            "outputs": [{"data": {"image/png": base64.b64encode(picture).decode()}, "output_type": "display_data", "metadata": {}}],
        })
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode()


def log(random: np.random.Generator, size: int) -> bytes:
    lines, written, step = [], 0, 0
    while written < size:
        values = random.random(3)
        line = f"2026-11-20 10:{step // 60 % 60:02d}:{step % 60:02d},{int(values[0] * 1000):03d} INFO trainer step={step} loss={values[1]:.6f} grad_norm={values[2]:.4f} lr=3e-4 tokens_per_second={int(20000 + values[0] * 999)}\n"
        lines.append(line)
        written, step = written + len(line), step + 1
    return "".join(lines).encode()


def fill(folder: pathlib.Path, size: int, make, name) -> None:
    """Files of one sort until they have this size together."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while size > 0:
        data = make(number)
        (folder / name(number)).write_bytes(data)
        size, number = size - len(data), number + 1


def generate(folder: pathlib.Path, size: int, seed: int) -> None:
    share = {name: int(part * size) for name, part in SHARES.items()}
    random = np.random.default_rng([seed, 0])
    for sort in WIDTHS:
        for model in range(2):
            write_weights(folder / "models" / f"{sort.lower()}-{model}" / "model.safetensors", sort, tensors(random, sort, share[sort] // 2))
    for generation in range(GENERATIONS):
        path = folder / "checkpoints" / f"step-{generation}.safetensors"
        write_weights(path, "BF16", checkpoint(seed, generation, share["checkpoints"] // GENERATIONS))
    fill(folder / "jobs", share["jobs"], lambda number: job(random, number), lambda number: f"job-{number:06d}.json")
    fill(folder / "notebooks", share["notebooks"], lambda number: notebook(random, number), lambda number: f"notebook-{number:04d}.ipynb")
    fill(folder / "logs", share["logs"], lambda number: log(random, 1 << 20), lambda number: f"run-{number:04d}.log")


def change(folder: pathlib.Path, size: int, seed: int) -> None:
    random = np.random.default_rng([seed, 1])
    path = folder / "checkpoints" / f"step-{GENERATIONS}.safetensors"
    write_weights(path, "BF16", checkpoint(seed, GENERATIONS, int(SHARES["checkpoints"] * size) // GENERATIONS))
    for number, path in enumerate(sorted((folder / "jobs").iterdir())):
        if number % 50 == 0:
            path.write_bytes(job(random, number))
    for number, path in enumerate(sorted((folder / "notebooks").iterdir())):
        if number % 20 == 0:
            path.write_bytes(path.read_bytes().replace(b"What we saw", b"What we understood"))
    for number, path in enumerate(sorted((folder / "logs").iterdir())):
        if number % 10 == 0:
            with path.open("ab") as out:
                out.write(log(random, 1 << 16))
    (folder / "models" / "f16-1" / "model.safetensors").unlink()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--bytes", type=float, default=1e9)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--changed", action="store_true")
    given = arguments.parse_args()
    (change if given.changed else generate)(given.folder, int(given.bytes), given.seed)


if __name__ == "__main__":
    main()
