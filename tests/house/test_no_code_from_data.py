"""Files of users are data: nothing in the source executes what it reads."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [p for place in ("src", "benchmarks", "research") for p in (ROOT / place).rglob("*.py")]

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.jit.load",
    "torch.hub.load", "pd.read_pickle", "read_pickle", "load_from_checkpoint",
}  # fmt: skip
LOADERS = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
LOADERS |= {"numpy.load": LOADERS["np.load"]}


def faults(text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.partition(".")[0] in MODULES]
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            found.append(str(node.module))
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {k.arg: getattr(k.value, "value", "?") for k in node.keywords}
        if name in CALLS or name.endswith(".load_from_checkpoint"):
            found.append(name)
        if given.get("shell") or given.get("weights_only") is False or given.get("allow_pickle"):
            found.append(ast.unparse(node))
        key, wanted = LOADERS.get(name, (None, None))
        if key is not None and given.get(key) is not wanted:
            found.append(f"{name} without {key}={wanted}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_executed(path: Path) -> None:
    assert not faults(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from yaml import load", "eval(x)", "torch.load(f)", "np.load(f)",
        "torch.load(f, weights_only=False)", "trainer.fit(t, weights_only=False)",
        "np.load(f, allow_pickle=True)", "run(x, shell=True)", "Net.load_from_checkpoint(f)",
    ],
)  # fmt: skip
def test_the_test_above_sees_what_it_should(text: str) -> None:
    assert faults(text)
