"""`make lint` refuses the words of tools/words.txt."""

import re
from pathlib import Path

from tests.stack.repository import ROOT, run


def test_every_word_is_found(tmp_path: Path) -> None:
    """Also the phrases, which codespell finds only if the expression in pyproject.toml has them."""
    words = [line.partition("->")[0] for line in (ROOT / "tools/words.txt").read_text("utf-8").splitlines()]
    file = tmp_path / "text"
    file.write_text("".join(f"{word} here\n" for word in words))
    done = run("codespell", f"--toml={ROOT}/pyproject.toml", f"--dictionary={ROOT}/tools/words.txt", str(file))
    assert re.findall(r"\d+: (.+) ==>", done.stdout) == words
