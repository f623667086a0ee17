"""The shapes of the dicts that go in and come out."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypedDict, Union

__all__ = [
    "Acl",
    "AclDiff",
    "AclObject",
    "AppliedImport",
    "ArrowArray",
    "ArrowStream",
    "AuditHead",
    "AuditLine",
    "AuditMended",
    "AuditRetired",
    "AuditSettings",
    "AuditVerified",
    "Bucket",
    "Candidate",
    "Change",
    "Citation",
    "Counted",
    "DocumentAcl",
    "EvaluatedBand",
    "EvaluatedPersona",
    "Evaluation",
    "EvaluationReport",
    "LearntFusion",
    "WeighedFusion",
    "Explanation",
    "FacetValue",
    "Facets",
    "FieldStats",
    "Generation",
    "Imported",
    "OperatorExplanation",
    "Policies",
    "ReEmbedReport",
    "Reason",
    "Report",
    "Section",
    "Skipped",
    "Stats",
    "Suggestion",
    "Usage",
    "Verified",
    "Visible",
]


class ArrowStream(Protocol):
    """What gives record batches by the Arrow PyCapsule interface: a table of pyarrow, polars, duckdb."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


class ArrowArray(Protocol):
    """What is one record batch by the Arrow PyCapsule interface."""

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any: ...


class Acl(TypedDict, total=False):
    """Principals under allow and deny: `user:ID`, `group:ID`, with `ISSUER|` before or not, `everyone`, `public`.

    `all_of` are lists of principals wanted together; `parent` names the ACL object it inherits from."""

    allow: list[str]
    all_of: list[list[str]]
    deny: list[str]
    parent: str
    inherit: Literal["deny-wins", "child-overrides", "parent-overrides", "both-permit"]


class Section(TypedDict):
    """A part of a text, bytes of its UTF-8, that fewer may read than the whole."""

    span: tuple[int, int] | list[int]
    acl: Acl


class AclObject(TypedDict):
    """What stands written about an ACL object: for operators. One that is not stated denies what is under it."""

    name: str
    stated: bool
    parent: str | None
    inherit: Literal["deny-wins", "child-overrides", "parent-overrides", "both-permit"]
    allow: list[str]
    all_of: list[list[str]]
    deny: list[str]
    revoked: list[str]
    origin: str | None
    acl_epoch: int


class Policies(TypedDict):
    """Policies as they were written."""

    language: str
    policies: str
    schema: str
    entities: str
    attributes: list[str]


class Change(TypedDict):
    """What one principal could not see and can, and could see and cannot."""

    principal: str
    gained: list[str]
    lost: list[str]


# `from` is no name that a class body can have.
AclDiff = TypedDict("AclDiff", {"from": int, "to": int, "changes": list[Change]})
"""What changed between two epochs, over the documents that are live now."""


class AppliedImport(TypedDict):
    """What an import of permissions did."""

    changed: int
    unknown: int
    acl_epoch: int


class Imported(TypedDict):
    """What was read of another product's permissions, and what was done or would be."""

    objects: int
    documents: int
    warnings: list[str]
    applied: AppliedImport | None
    changes: list[Change] | None


class DocumentAcl(TypedDict):
    """What stands written about a document: for operators."""

    document: str
    allow: list[str]
    all_of: list[list[str]]
    deny: list[str]
    parent: str | None
    inherit: Literal["deny-wins", "child-overrides", "parent-overrides", "both-permit"]
    revoked: list[str]
    label: str
    origin: str
    acl_epoch: int


class Reason(TypedDict):
    """One thing that spoke for or against: `effect` is `allow`, `deny`, `revoked`, `no_allow`, `label`,
    `groups_incomplete`, `not_stated` (an ACL object that is only named), `derived` (from what they may not read) or
    `policy`."""

    effect: str
    principal: str | None
    object: str
    path: list[str]


class Explanation(TypedDict):
    """A decision with what led to it."""

    visible: bool
    reasons: list[Reason]


class OperatorExplanation(Explanation):
    """As operators have it, with the epoch it holds for."""

    acl_epoch: int


class Visible(TypedDict):
    """What an asker may see, ids in byte order."""

    count: int
    documents: list[str]


class Skipped(TypedDict):
    """Something that a sync put aside, and why."""

    document: str
    reason: str


class Report(TypedDict):
    """What a sync did, or with `dry_run` would do: counts, unless shown otherwise."""

    added: int
    changed: int
    permission_only: int
    deleted: int
    unchanged: int
    skipped: list[Skipped]
    acl_objects: int
    without_acl: int
    without_acl_documents: list[str]
    warnings: list[str]
    chunks: int
    embedded: int
    truncated: int
    truncated_documents: list[str]
    tokens: int
    cost: float | None
    currency: str | None
    priced: str | None
    stopped: str | None
    left: int
    generation: int
    acl_epoch: int
    dry_run: bool


class Generation(TypedDict):
    """One generation; `operation` is `create`, `commit`, `merge`, `rollback`, `fields` or `switch`. `model` is None if the
    caller brings vectors."""

    generation: int
    parent: int
    created_ms: int
    operation: str
    acl_epoch: int
    model: str | None
    dim: int
    segments: int
    documents: int
    chunks: int


class ReEmbedReport(TypedDict):
    """What a change of model did; `left` are documents that the candidate still lacks, `skipped` those it does without."""

    from_model: str
    to_model: str
    documents: int
    chunks: int
    embedded: int
    truncated: int
    truncated_documents: list[str]
    deleted: int
    tokens: int
    cost: float | None
    currency: str | None
    priced: str | None
    stopped: str | None
    left: int
    skipped: list[Skipped]
    warnings: list[str]
    ready: bool
    generation: int
    dry_run: bool


class Candidate(TypedDict):
    """What stands beside an index to take its place: `missing` documents that it lacks, `gone` that it has too many."""

    model: str
    dim: int
    documents: int
    missing: int
    gone: int


class Stats(TypedDict):
    """Sizes of an index. `model` is None if the caller brings vectors; `merging`: whether this process does so now."""

    generation: int
    acl_epoch: int
    segments: int
    graphs: int
    documents: int
    chunks: int
    tombstones: int
    distinct_acls: int
    default_label: str
    dim: int
    model: dict[str, Any] | None
    chunker: dict[str, Any] | None
    merging: bool
    merge_error: str | None


class Verified(TypedDict):
    """What was checked."""

    generations: int
    acl_epochs: int
    segments: int
    documents: int
    bytes: int


class AuditSettings(TypedDict):
    """How an index is audited; `durability` is `synced` or `written`."""

    on: bool
    texts: bool
    durability: str
    rotate_bytes: int
    rotate_days: int
    keep_days: int


class AuditHead(TypedDict):
    """The last line of the audit log."""

    seq: int
    hash: str


class AuditVerified(TypedDict):
    """What was checked of the audit log."""

    files: int
    lines: int
    first_seq: int
    seq: int
    hash: str
    set_aside: int
    unfinished_bytes: int


class AuditRetired(TypedDict):
    """What was removed from the audit log."""

    files: int
    first_seq: int


class AuditMended(TypedDict):
    """How a mended audit log goes on."""

    seq: int
    head_seq: int | None
    set_aside_bytes: int


class _AuditLine(TypedDict):
    seq: int
    time: str
    action: str
    outcome: str
    prev: str
    hash: str


class AuditLine(_AuditLine, total=False):
    """One line of the audit log; what is not known is left out."""

    tenant: str
    issuer: str
    user: str
    identity: str
    acl_epoch: int
    generation: int
    candidate: bool
    documents: list[str]
    documents_count: int
    documents_sha256: str
    plan: str
    k: int
    hits: int
    verdict: str
    reason: str
    change: str
    answer: str
    query_sha256: str
    query: str
    filter_sha256: str
    filter: str
    field: str
    aside: dict[str, Any]
    kept: dict[str, Any]
    standing: dict[str, Any]


class Evaluation(TypedDict):
    """What came of many questions. `measures` has `{"mean", "low", "high"}` by names such as `ndcg@10`."""

    asked: int
    answerable: int
    unanswerable: float
    below_least_score: float | None
    measures: dict[str, dict[str, float]]
    k_fill: float
    recall_of_search: float | None
    exact: float
    leaks: int
    out_of_reach: int
    missing: int
    latency: dict[str, float]


class EvaluatedPersona(Evaluation):
    """What came of one persona."""

    persona: str
    visible: int
    live: int
    selectivity: float


class EvaluatedBand(Evaluation):
    """What came of the personas who may see about as large a share."""

    band: str
    personas: list[str]
    precision_at_recall: list[float]


class _EvaluationReport(TypedDict):
    collection: dict[str, Any]
    index: dict[str, Any]
    run: dict[str, Any]
    all: Evaluation
    personas: list[EvaluatedPersona]
    bands: list[EvaluatedBand]
    leaks: list[dict[str, Any]]
    distributions: dict[str, Any]
    passed: bool


class EvaluationReport(_EvaluationReport, total=False):
    """What `evaluate` found, as `safepassage eval --json` prints it: for operators."""

    canaries: dict[str, Any]
    against: dict[str, Any]
    gate: dict[str, Any]
    questions: list[dict[str, Any]]


class WeighedFusion(TypedDict):
    """A weight of words, and the measure over all questions with it."""

    words: float
    mean: float


class LearntFusion(TypedDict):
    """What `learn_fusion` found; `held_out` and `default` are of questions that the choice was not made with."""

    fusion: dict[str, Any]
    argument: str
    measure: str
    questions: int
    weights: list[WeighedFusion]
    held_out: float
    default: float


class Counted(TypedDict):
    """How many the asker may see."""

    documents: int
    passages: int


class FacetValue(TypedDict):
    """A value and how many documents have it."""

    value: str | bool
    count: int


Bucket = TypedDict("Bucket", {"from": Union[int, float, str], "to": Union[int, float, str], "count": int})
"""An interval of numbers or dates and how many documents have a value in it."""


class _Facets(TypedDict):
    field: str
    type: Literal["string", "number", "bool", "list", "date"]
    documents: int
    present: int


class Facets(_Facets, total=False):
    """The values of a field: `values` of strings, lists and bools, `buckets` of numbers and dates."""

    distinct: int
    values: list[FacetValue]
    min: int | float | str | None
    max: int | float | str | None
    buckets: list[Bucket]


class FieldStats(TypedDict):
    """A declared field and how many live documents have it, or something of another type."""

    field: str
    type: Literal["string", "number", "bool", "list", "date"]
    documents: int
    mistyped: int


class Suggestion(TypedDict):
    """A schema that fits, and what is of no one type."""

    fields: dict[str, Literal["string", "number", "bool", "list", "date"]]
    mixed: dict[str, dict[str, int]]


class Citation(TypedDict):
    """A passage that an answer names."""

    number: int
    document: str
    chunk: int
    span: list[int]
    page: Union[int, None]
    title: Union[str, None]
    uri: Union[str, None]
    heading: str


class Usage(TypedDict):
    """Tokens, as the model's provider counts them."""

    tokens_in: int
    tokens_out: int
    tokens_cached: int
