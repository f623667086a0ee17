"""`evaluate`: what is measured, what does not pass, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from safepassage import Identity, Index, InvalidError, NotFoundError, evaluate, learn_fusion

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
MUSEUM = FIXTURES / "beir-mini"


@pytest.fixture(scope="module")
def museum(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The ship museum, embedded by the built-in model."""
    index = Index.create(tmp_path_factory.mktemp("museum") / "index")
    index.sync(str(MUSEUM))
    return index


def test_a_beir_folder_with_its_personas(museum: Index, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    gate = {"ndcg@10": {"min": 0.8}, "k_fill": {"min": 1}, "personas": {"*": {"leaks": {"max": 0}}}}
    report = evaluate(museum, MUSEUM, k=[10, 30], gate=gate, html=page)
    assert report["passed"] and report["gate"]["passed"] and report["leaks"] == []
    assert [persona["persona"] for persona in report["personas"]][:2] == ["visitor", "trustee"]
    assert report["all"]["measures"]["recall@30"]["mean"] == 1
    assert report["all"]["recall_of_search"] == 1
    assert page.read_text().startswith("<!doctype html>")
    assert "questions" not in report
    shown = evaluate(museum, MUSEUM, show_questions=True)
    assert shown["questions"][0]["text"].endswith("?")


def test_personas_by_identity_and_a_leak(museum: Index, tmp_path: Path) -> None:
    line = {"question": "When is the museum open?", "expected": ["d05"], "must_not_see": ["d06"]}
    (tmp_path / "questions.jsonl").write_text(json.dumps(line))
    ann = Identity.asserted("ann")
    report = evaluate(museum, tmp_path, personas={"ann": ann}, k=30)
    assert not report["passed"]
    assert report["leaks"] == [{"persona": "ann", "question": "1", "document": "d06"}]
    file = tmp_path / "personas.jsonl"
    file.write_text(json.dumps({"_id": "bob", "identity": {"user": "bob", "groups": []}}))
    assert evaluate(museum, tmp_path / "questions.jsonl", personas=file)["personas"][0]["persona"] == "bob"


def test_two_sides(museum: Index) -> None:
    gate = {"against": {"ndcg@10": {"max_drop": 0.01}}}
    report = evaluate(museum, MUSEUM, against=museum, against_recall=1, gate=gate)
    compared = report["against"]["measures"]["ndcg@10"]
    assert report["passed"] and compared["p"] == 1 and compared["difference"]["mean"] == 0


def test_what_cannot_be_evaluated(museum: Index, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        evaluate(museum, tmp_path / "gone")
    (tmp_path / "questions.jsonl").write_text('{"question": "One?", "expected": ["a"]}\n{')
    with pytest.raises(InvalidError, match="line `2`"):
        evaluate(museum, tmp_path)
    with pytest.raises(InvalidError, match="ndgc"):
        evaluate(museum, MUSEUM, gate={"ndgc@10": {"min": 1}})
    with pytest.raises(InvalidError, match="nobody asks"):
        evaluate(museum, MUSEUM, personas={})
    with pytest.raises(InvalidError, match="from 1 on"):
        evaluate(museum, MUSEUM, k=[])
    with pytest.raises(TypeError):
        evaluate(museum, MUSEUM, personas=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        evaluate(museum, MUSEUM, gate=3)  # type: ignore[arg-type]


def test_with_a_reranker_and_without(museum: Index) -> None:
    def worst_first(question: str, passages: list[str]) -> list[float]:
        return [-float(place) for place, _ in enumerate(reversed(passages))]

    def first_last(question: str, passages: list[str]) -> list[float]:
        return [float(place) for place, _ in enumerate(passages)]

    plain = evaluate(museum, MUSEUM)["all"]["measures"]["ndcg@10"]["mean"]
    report = evaluate(museum, MUSEUM, rerank=first_last, against_rerank="none")
    assert report["all"]["measures"]["ndcg@10"]["mean"] < plain
    assert report["against"]["measures"]["ndcg@10"]["difference"]["mean"] < 0
    same = evaluate(museum, MUSEUM, rerank=worst_first, against_rerank=worst_first)
    assert same["against"]["measures"]["ndcg@10"]["difference"]["mean"] == 0


def test_the_weight_of_words_is_learnt(museum: Index, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="20"):
        learn_fusion(museum, MUSEUM)
    texts = [(f"When is the museum open, {n}?", "d05") for n in range(24)]
    lines = [json.dumps({"question": text, "expected": [document]}) for text, document in texts]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines))
    learnt = learn_fusion(museum, tmp_path, personas={"ann": Identity.asserted("ann")}, k=3)
    assert learnt["questions"] == 24 and learnt["measure"] == "ndcg@3" and len(learnt["weights"]) == 21
    assert learnt["argument"].startswith("scores:")
