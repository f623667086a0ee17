"""Makes `tests/folders/static/`: two small folders of model2vec, each with texts and the vectors that model2vec gives them.

Run with `pip install model2vec`: python crates/models/scripts/static.py crates/models/tests/folders/static
"""

import json
import sys
from pathlib import Path

import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

CORPUS = ["the cell membrane", "Salaries rise by four percent in July.", "unbelievably long-winded minutes of the committee"]
TEXTS = [*CORPUS, "", "東京 the cell", "zzz qqq", "the " * 700 + "July", "July, the committee of cells"]


def main(out: Path) -> None:
    rng = np.random.default_rng(7)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=90, special_tokens=["[PAD]", "[UNK]"]))
    n = tokenizer.get_vocab_size()
    kinds = {
        "plain": (rng.standard_normal((n, 8)).astype(np.float32), {}),
        "weighted": (
            rng.standard_normal((20, 8)).astype(np.float16),
            {"weights": rng.random(n), "token_mapping": rng.integers(0, 20, n)},
        ),
    }
    for name, (vectors, more) in kinds.items():
        model = StaticModel(vectors, tokenizer, config={"model_type": "model2vec", "normalize": True}, normalize=True, **more)
        folder = out / name
        model.save_pretrained(folder)
        for other in ("README.md", "modules.json"):
            (folder / other).unlink(missing_ok=True)
        vectors = StaticModel.from_pretrained(folder, force_download=False).encode(TEXTS).astype(np.float32)
        expected = {"texts": TEXTS, "vectors": [[round(float(x), 6) for x in row] for row in vectors]}
        (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")


main(Path(sys.argv[1]))
