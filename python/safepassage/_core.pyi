from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import Any, Literal, TypeAlias, final, overload

import numpy as np
import numpy.typing as npt
import pandas as pd  # type: ignore[import-untyped, import-not-found, unused-ignore]
import pyarrow as pa  # type: ignore[import-untyped, import-not-found, unused-ignore]

from .types import (
    Acl,
    AclDiff,
    AclObject,
    ArrowArray,
    ArrowStream,
    AuditHead,
    AuditLine,
    AuditMended,
    AuditRetired,
    AuditSettings,
    AuditVerified,
    Candidate,
    Citation,
    Counted,
    DocumentAcl,
    EvaluationReport,
    LearntFusion,
    Explanation,
    Facets,
    FieldStats,
    Generation,
    Imported,
    OperatorExplanation,
    Policies,
    ReEmbedReport,
    Report,
    Section,
    Stats,
    Suggestion,
    Usage,
    Verified,
    Visible,
)

__all__ = [
    "Answer",
    "AnswerStream",
    "BreakGlass",
    "ConflictError",
    "CorruptedError",
    "DeniedError",
    "Generator",
    "Guardrail",
    "Hit",
    "Identity",
    "Index",
    "InternalError",
    "InvalidError",
    "NotFoundError",
    "Reranker",
    "Results",
    "SafepassageError",
    "Session",
    "ThrottledError",
    "UnavailableError",
    "Verifier",
    "__version__",
    "evaluate",
    "export_spans",
    "flush_spans",
    "learn_fusion",
]

__version__: str

class SafepassageError(Exception):
    """What every call of safepassage raises."""

    kind: str
    """What kind of failure it is: `Invalid`, `NotFound` and so on."""
    message: str
    """What happened, for a person."""
    retryable: bool
    """Whether the same call may succeed later as it is."""

class InvalidError(SafepassageError, ValueError):
    """The input cannot be used as it is: change it."""

class NotFoundError(SafepassageError):
    """There is no such thing, or the asker may not know of it."""

class DeniedError(SafepassageError):
    """The identity may not do this, or is expired."""

class ConflictError(SafepassageError):
    """Somebody else holds or changed what this call needs."""

class UnavailableError(SafepassageError):
    """A part that this call needs cannot be reached now."""

class ThrottledError(SafepassageError):
    """A limit was reached: slow down."""

class CorruptedError(SafepassageError):
    """Stored bytes are not what was written."""

class InternalError(SafepassageError):
    """A fault of safepassage itself."""

@final
class Identity:
    """Who asks, for as long as it holds. Made by a program that has authenticated the asker, or from a token."""

    @staticmethod
    def asserted(
        user: str,
        groups: Sequence[str] = ...,
        tenant: str | None = None,
        clearance: str | None = None,
        groups_complete: bool = True,
        ttl_seconds: int = 900,
    ) -> Identity:
        """The identity of `user`, in `groups` (ids such as `hr`, all of them, transitive ones included).

        With `groups_complete=False` nothing that denies a group is visible.
        """

    @staticmethod
    def anonymous(tenant: str | None = None, ttl_seconds: int = 900) -> Identity:
        """Somebody who has not signed in: sees only what `public` may see."""

    @staticmethod
    def from_json(json: str | bytes | dict[str, Any]) -> Identity:
        """The identity that a JSON text, or a dict of the same shape, describes.

        `groups_complete` counts as false when it is missing.
        """

    @staticmethod
    def from_jwt(token: str | bytes, verifier: Verifier) -> Identity:
        """The identity that `token` (a JWT) stands for, if `verifier` takes it; it ends with the token.

        Raises `DeniedError` with a `reason` for a token that is refused, and `UnavailableError` if the issuer's keys
        cannot be had.
        """

    @property
    def user(self) -> str | None:
        """The user's id, or None for somebody who has not signed in."""

    @property
    def tenant(self) -> str:
        """The tenant; empty for the default one."""

    @property
    def clearance(self) -> str | None:
        """The highest label it may see; None is the lowest."""

    @property
    def groups_complete(self) -> bool:
        """Whether the groups are all there are."""

    @property
    def principals(self) -> list[str]:
        """Every principal it is, as an ACL names them."""

    @property
    def expires_at(self) -> datetime:
        """When it ends (UTC)."""

_Pieces: TypeAlias = str | Iterable[str | dict[str, int]] | AsyncIterable[str | dict[str, int]]
_GeneratorLike: TypeAlias = (
    Generator
    | Callable[[list[dict[str, str]], int], _Pieces]
    | Callable[[list[dict[str, str]], int], Awaitable[_Pieces]]
)

@final
class Generator:
    """A model that answers prompts, opened once and used by many questions."""

    def __new__(
        cls,
        callable: Callable[[list[dict[str, str]], int], _Pieces]
        | Callable[[list[dict[str, str]], int], Awaitable[_Pieces]],
        *,
        name: str | None = None,
        window: int = 8192,
    ) -> Generator:
        """The model that `callable` is: from messages, dicts with `role` and `content`, and how many tokens there may be,
        to a str or pieces of one, or either of them to be awaited. A dict among the pieces says
        `{"tokens_in", "tokens_out"}`. `window` is how many tokens prompt and answer may have together."""

    @staticmethod
    def from_catalogue(models: str | PathLike[str], name: str) -> Generator:
        """The generator `name` of the catalogue in the file `models`; it is sent the question, and passages up to its label."""

    @staticmethod
    def local(url: str, model: str, *, highest_label: str, window: int = 4096) -> Generator:
        """The model of a server on this machine that speaks OpenAI's interface; passages up to `highest_label` are sent."""

    @property
    def name(self) -> str:
        """What it is called in the audit log."""

_GuardrailLike: TypeAlias = Guardrail | Callable[[str, str], str | None | Awaitable[str | None]]

@final
class Guardrail:
    """Looks at what goes to a model and comes back, opened once and used by many questions."""

    @staticmethod
    def from_catalogue(models: str | PathLike[str], name: str) -> Guardrail:
        """The guardrail `name` of the catalogue in the file `models`: one of Bedrock."""

    @property
    def name(self) -> str:
        """What it is called in spans."""

@final
class Answer:
    """What a model answered, and from what."""

    @property
    def id(self) -> str:
        """Its name in the audit log and in the ledger."""

    @property
    def text(self) -> str:
        """What the model wrote; empty if nothing was sent to it."""

    @property
    def citations(self) -> list[Citation]:
        """The passages that the answer names, in the order in which it does."""

    @property
    def unknown_citations(self) -> list[int]:
        """Numbers that the answer names and no passage had."""

    @property
    def passages(self) -> list[Hit]:
        """The passages of the prompt: the first has the number 1 there."""

    @property
    def sent(self) -> bool:
        """Whether anything was sent."""

    @property
    def withheld(self) -> int:
        """How many passages were left out because the model is not cleared for their label."""

    @property
    def suspects(self) -> list[dict[str, Any]]:
        """Texts that look like instructions to the model, where `suspected` asks to look."""

    @property
    def model(self) -> str:
        """Which model answered."""

    @property
    def template(self) -> str:
        """By which template, `name@version`."""

    @property
    def stop(self) -> Literal["end", "length", "stop_word", "guardrail", "filtered", "tool", "other"] | None:
        """Why the answer ended."""

    @property
    def usage(self) -> Usage | None:
        """Tokens, if the model's provider counts."""

    @property
    def cost(self) -> float | None:
        """What the call cost, if the catalogue names prices and the provider counts."""

    @property
    def recorded(self) -> bool:
        """Whether the call is in the ledger as far as calls are written down; False where its folder cannot be written."""

    @property
    def redacted(self) -> dict[str, int]:
        """How often something of each kind was taken out."""

    @property
    def complete(self) -> bool:
        """Whether there were as many passages as asked for, or as there are."""

    @property
    def acl_epoch(self) -> int:
        """Of the permissions right before the prompt left: for operators."""

    def feedback(self, verdict: int, note: str | None = None) -> None:
        """Writes into the audit log what the asker thinks of it: 1 if it was good, -1 if not."""

    def to_dict(self) -> dict[str, Any]:
        """All of it."""

@final
class AnswerStream:
    """An answer as it is written: iterate over its pieces, with `for` or `async for`. To close it, or to let go of it,
    ends the call."""

    def __iter__(self) -> AnswerStream: ...
    def __next__(self) -> str: ...
    def __aiter__(self) -> AnswerStream: ...
    async def __anext__(self) -> str: ...
    def __enter__(self) -> AnswerStream: ...
    def __exit__(self, *_raised: object) -> None: ...
    def _next(self) -> str: ...
    def finish(self) -> Answer:
        """Waits for the rest, and gives all of it. Raises what the answer breaks off with."""

    async def finish_async(self) -> Answer:
        """As `finish`, awaited; to cancel it ends the call."""

    def close(self) -> None:
        """Ends the call, also while another thread waits for the next piece."""

@final
class Reranker:
    """A model that reads question and passage together, opened once and used by many searches."""

    def __new__(cls, folder: str | PathLike[str]) -> Reranker:
        """The BERT or RoBERTa cross-encoder in `folder`."""

    @staticmethod
    def from_catalogue(models: str | PathLike[str], name: str) -> Reranker:
        """The reranker `name` of the catalogue in the file `models`: one of Bedrock, or a server with `/v1/rerank`. It is
        sent the question, and passages up to the label that it is cleared for."""

    @property
    def name(self) -> str:
        """What it is called in the audit log."""

@final
class Verifier:
    """Takes the tokens of one issuer and turns them into identities; `Identity.from_jwt` asks it."""

    def __new__(
        cls,
        issuer: str,
        audience: str | Sequence[str],
        jwks: str | bytes | dict[str, Any] | Callable[[], str | bytes | dict[str, Any]],
        algorithms: Sequence[str] | None = None,
        *,
        claims: str | dict[str, Any] | None = None,
        tenant: str | None = None,
        local_issuer: bool = False,
        leeway_seconds: int = 0,
        max_lifetime_seconds: int | None = None,
        group_parents: dict[str, list[str]] | None = None,
    ) -> Verifier:
        """Tokens that `issuer` made for `audience` (one or several) and signed by a key of `jwks`.

        `jwks` is a key set as JSON text or dict, or a function that fetches one: it is called when keys are an hour old
        or a token names an unknown one, at most twice a minute. `algorithms` are of one family, by default those that
        the keys are for. `claims` says which claim means what: `oidc`, `entra`, `cognito`, `cognito-access`, `okta`, or
        a dict. With `local_issuer` groups are written `group:hr` and not `ISSUER|group:hr`. `group_parents` is a dict of
        the groups that groups are in. Raises `InvalidError` for settings that cannot be used.
        """

    @property
    def issuer(self) -> str:
        """From whom tokens are taken."""

    @property
    def audiences(self) -> list[str]:
        """For whom tokens must be made."""

@final
class Index:
    """An index in a folder, with its model. May be used from any thread; documents are staged by `add` and `delete`
    and made a generation by `commit`."""

    @staticmethod
    def create(
        path: str | PathLike[str],
        dim: int | None = None,
        default_label: str | None = None,
        *,
        embedder: str | PathLike[str] | Callable[[list[str], str], Sequence[Sequence[float]]] | None = None,
        models: str | PathLike[str] | None = None,
        chunker: str | None = None,
        chunk_tokens: int | None = None,
        overlap: int | None = None,
        metric: Literal["cosine", "inner_product", "l2"] = "cosine",
        precision: Literal["f32", "f16"] = "f32",
        language: str = "english",
        schema: Mapping[str, Literal["string", "number", "bool", "list", "date"]] | None = None,
    ) -> Index:
        """Makes a new index in the folder `path`.

        With `dim` the caller brings vectors of that many numbers; without, `embedder` makes them from texts: the path
        of a BERT-family model folder, with `models` a name in that catalogue of models elsewhere, a callable, or the
        built-in all-MiniLM-L6-v2. A callable `(texts, purpose) -> vectors` gets `"document"` or `"query"`, must be given to
        `open` too, and needs `dim`; it decides itself where texts go. `metric` says what near means (by L2 the score
        is the squared distance, negative), `precision` how exact vectors are kept. `language` is that of the documents,
        for search by words; `"none"` for several. `schema` says which fields of the metadata filters can ask for.

        `chunker` says by what texts are cut, and `chunk_tokens` and `overlap` into how many tokens: `"structure"` (the
        default), `"fixed"`, `"sentences:3"` (each is found by itself and `search` gives it with three on either side),
        `"hierarchical:512"` (small chunks are found and the parent of 512 tokens is given), `"semantic:95"` (breaks at the
        95th percentile of the distances between sentences; embeds every sentence besides, and refuses a model elsewhere)
        or `"none"` (a chunk a document, if the model reads it at once). The number may be left out. Of windows and
        parents an asker gets the passages that they may read.
        """

    @staticmethod
    def open(
        path: str | PathLike[str],
        *,
        embedder: Callable[[list[str], str], Sequence[Sequence[float]]] | None = None,
    ) -> Index:
        """Opens the index in the folder `path`. `embedder` is the callable the index was made with, if it was."""

    @staticmethod
    def open_candidate(
        path: str | PathLike[str],
        *,
        embedder: Callable[[list[str], str], Sequence[Sequence[float]]] | None = None,
    ) -> Index:
        """Opens the candidate of `re_embed` in the folder `path`, to be searched and measured; it cannot be written."""

    @property
    def path(self) -> str:
        """The folder."""

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""

    def session(self, identity: Identity) -> Session:
        """The index as `identity` sees it: there is no search without."""

    def add(
        self,
        ids: Iterable[str],
        texts: Iterable[str | None] | None = None,
        vectors: npt.ArrayLike | None = None,
        acls: Iterable[Acl | Mapping[str, Any] | None] | None = None,
        labels: Iterable[str | None] | None = None,
        metadata: Iterable[dict[str, Any] | None] | None = None,
        titles: Iterable[str | None] | None = None,
        *,
        sections: Iterable[Sequence[Section] | None] | None = None,
        derived_from: Iterable[Sequence[str] | None] | None = None,
        tenant: str | None = None,
    ) -> None:
        """Stages documents for the next `commit`; one with the id of another replaces it.

        `vectors` is n x dim float32, one row for each id. A document without ACL is visible to nobody. `sections` are
        parts of the text that fewer may read; whoever may not read all of `derived_from` may not read the document. If anything cannot be used, nothing of this call is staged.
        """

    async def add_async(
        self,
        ids: Iterable[str],
        texts: Iterable[str | None] | None = None,
        vectors: npt.ArrayLike | None = None,
        acls: Iterable[Acl | Mapping[str, Any] | None] | None = None,
        labels: Iterable[str | None] | None = None,
        metadata: Iterable[dict[str, Any] | None] | None = None,
        titles: Iterable[str | None] | None = None,
        *,
        sections: Iterable[Sequence[Section] | None] | None = None,
        derived_from: Iterable[Sequence[str] | None] | None = None,
        tenant: str | None = None,
    ) -> None:
        """As `add`, awaited."""

    def add_rows(self, table: ArrowStream | ArrowArray) -> int:
        """Stages the rows of `table` for the next `commit`, each a document; returns how many.

        `table` is anything that speaks Arrow (pyarrow, polars, duckdb). Columns are `id` and `text` and, or not, `title`,
        `uri`, `acl`, `acl_object`, `label`, `tenant`, `sections`, `derived_from`, `metadata` and `vector`; no others.
        """

    async def add_rows_async(self, table: ArrowStream | ArrowArray) -> int:
        """As `add_rows`, awaited."""

    def delete(self, ids: Iterable[str], *, tenant: str | None = None) -> int:
        """Stages deletions for the next `commit`. Returns how many of the ids are live or staged now."""

    def commit(self) -> int:
        """Makes a generation of everything staged and returns its number.

        Warns (`UserWarning`) of documents of which the model knows the beginning of a passage only.
        """

    async def commit_async(self) -> int:
        """As `commit`, awaited."""

    def sync(
        self,
        source: str | PathLike[str] | Sequence[str | PathLike[str]],
        *,
        acl: str | PathLike[str] | None = None,
        acl_objects: str | PathLike[str] | None = None,
        strict: bool = False,
        rehash: bool = False,
        dry_run: bool = False,
        max_cost: float | None = None,
        max_minutes: float | None = None,
        retry_dead_letters: bool = False,
        parser_memory: int = 2048,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> Report:
        """Brings the index up to date with folders and files; `progress(stage, done, total)` is called from working
        threads. PDF, Office files and mails are parsed in processes with at most `parser_memory` MB each; 0 parses them
        here."""

    async def sync_async(
        self,
        source: str | PathLike[str] | Sequence[str | PathLike[str]],
        *,
        acl: str | PathLike[str] | None = None,
        acl_objects: str | PathLike[str] | None = None,
        strict: bool = False,
        rehash: bool = False,
        dry_run: bool = False,
        max_cost: float | None = None,
        max_minutes: float | None = None,
        retry_dead_letters: bool = False,
        parser_memory: int = 2048,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> Report:
        """As `sync`, awaited."""

    def sync_rows(
        self,
        table: ArrowStream | ArrowArray,
        name: str,
        *,
        acl: str | PathLike[str] | None = None,
        acl_objects: str | PathLike[str] | None = None,
        strict: bool = False,
        dry_run: bool = False,
        max_cost: float | None = None,
        max_minutes: float | None = None,
        retry_dead_letters: bool = False,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> Report:
        """Brings what the index has of the source `name` up to date with the rows of `table`: what is no longer among them
        is deleted. Columns as in `add_rows`, without `vector`."""

    async def sync_rows_async(
        self,
        table: ArrowStream | ArrowArray,
        name: str,
        *,
        acl: str | PathLike[str] | None = None,
        acl_objects: str | PathLike[str] | None = None,
        strict: bool = False,
        dry_run: bool = False,
        max_cost: float | None = None,
        max_minutes: float | None = None,
        retry_dead_letters: bool = False,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> Report:
        """As `sync_rows`, awaited."""

    def re_embed(
        self,
        embedder: str | PathLike[str] | Callable[[list[str], str], Sequence[Sequence[float]]],
        *,
        dim: int | None = None,
        models: str | PathLike[str] | None = None,
        dry_run: bool = False,
        max_cost: float | None = None,
        max_minutes: float | None = None,
        retry_dead_letters: bool = False,
        leave_out: bool = False,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> ReEmbedReport:
        """Embeds every passage with another model, in a candidate beside the index; what it has is not embedded again."""

    async def re_embed_async(
        self,
        embedder: str | PathLike[str] | Callable[[list[str], str], Sequence[Sequence[float]]],
        *,
        dim: int | None = None,
        models: str | PathLike[str] | None = None,
        dry_run: bool = False,
        max_cost: float | None = None,
        max_minutes: float | None = None,
        retry_dead_letters: bool = False,
        leave_out: bool = False,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> ReEmbedReport:
        """As `re_embed`, awaited."""

    def switch(
        self,
        *,
        embedder: Callable[[list[str], str], Sequence[Sequence[float]]] | None = None,
        max_cost: float | None = None,
        max_minutes: float | None = None,
        leave_out: bool = False,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> ReEmbedReport:
        """Takes in what changed since the candidate was made, and makes it the newest generation."""

    async def switch_async(
        self,
        *,
        embedder: Callable[[list[str], str], Sequence[Sequence[float]]] | None = None,
        max_cost: float | None = None,
        max_minutes: float | None = None,
        leave_out: bool = False,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> ReEmbedReport:
        """As `switch`, awaited."""

    def candidate(self) -> Candidate | None:
        """The candidate beside the index; None if there is none."""

    def drop_candidate(self) -> bool:
        """Takes the candidate away and gives its disk back. Returns whether there was one."""

    def acl(self, id: str, *, tenant: str | None = None) -> DocumentAcl:
        """What stands written about the document `id`: for operators."""

    def set_acl(
        self,
        id: str,
        allow: Sequence[str] | None = None,
        deny: Sequence[str] | None = None,
        *,
        all_of: Sequence[Sequence[str]] | None = None,
        parent: str | None = None,
        inherit: Literal["deny-wins", "child-overrides", "parent-overrides", "both-permit"]
        | None = None,
        tenant: str | None = None,
    ) -> int:
        """Replaces the ACL of a document; returns the epoch from which it holds.

        `all_of` are lists of principals wanted together; `parent` names the ACL object it inherits from.
        """

    def revoke(self, id: str, principal: str, *, tenant: str | None = None) -> int:
        """Takes a document from a principal, whatever its ACL says now or later, until `restore`."""

    def restore(self, id: str, principal: str, reason: str, *, tenant: str | None = None) -> int:
        """Lifts a revocation; the reason is kept in the access log."""

    def acl_object(self, name: str, *, tenant: str | None = None) -> AclObject:
        """What stands written about the ACL object `name`: for operators."""

    def acl_objects(self, *, tenant: str | None = None) -> list[AclObject]:
        """Every ACL object of a tenant: for operators."""

    def set_acl_object(
        self,
        name: str,
        allow: Sequence[str] | None = None,
        deny: Sequence[str] | None = None,
        *,
        all_of: Sequence[Sequence[str]] | None = None,
        parent: str | None = None,
        inherit: Literal["deny-wins", "child-overrides", "parent-overrides", "both-permit"]
        | None = None,
        tenant: str | None = None,
    ) -> int:
        """States an ACL object, or moves it by giving another `parent`; documents under it are not written."""

    def remove_acl_object(self, name: str, *, tenant: str | None = None) -> int:
        """Takes back what was stated of an ACL object: what is under it is closed."""

    def revoke_acl_object(self, name: str, principal: str, *, tenant: str | None = None) -> int:
        """Takes everything under an ACL object from a principal, whatever is said below or above it, until
        `restore_acl_object`."""

    def restore_acl_object(self, name: str, principal: str, reason: str, *, tenant: str | None = None) -> int:
        """Lifts the revocation of an ACL object; the reason is kept in the access log."""

    def diff(
        self,
        from_epoch: int,
        to_epoch: int | None = None,
        *,
        identity: Identity | None = None,
        tenant: str | None = None,
    ) -> AclDiff:
        """Which documents became visible or invisible to whom between two epochs: for operators.

        With `identity` to it, exactly; without, to every principal that an ACL ever named, by itself.
        """

    def import_acls(
        self,
        format: Literal["bedrock", "kendra", "azure", "posix", "nfs4", "owners", "codeowners"],
        path: str | PathLike[str],
        *,
        dry_run: bool = False,
        root: str | PathLike[str] | None = None,
        prefix: str | None = None,
        strip: str | None = None,
        key: str | None = None,
        alias_prefix: str | None = None,
        tenant: str | None = None,
    ) -> Imported:
        """Reads permissions that another product has and puts them in force at one epoch; with `dry_run` writes nothing
        and says what would become visible to whom: for operators."""

    def policies(self) -> Policies | None:
        """The policies in force."""

    def set_policies(
        self,
        policies: str,
        schema: str,
        *,
        reason: str,
        entities: str | None = None,
        attributes: Sequence[str] | None = None,
    ) -> int:
        """Replaces the policies (Cedar): they and the ACLs must both permit. `attributes` are the fields of a
        document's metadata that they know."""

    def remove_policies(self, *, reason: str) -> int:
        """Takes the policies out of force: the ACLs alone decide."""

    def set_max_acl_age(self, seconds: int | None, reason: str) -> int:
        """States for how many seconds permissions that nobody confirmed open anything; None: for ever."""

    def confirm_acls(self, reason: str) -> int:
        """Says that the permissions in the folder are the newest there are; the access log keeps the reason."""

    def explain(self, identity: Identity, id: str) -> OperatorExplanation:
        """Why `identity` may or may not read the document `id`: for operators."""

    def stats(self) -> Stats:
        """Sizes of the index."""

    def verify(self) -> Verified:
        """Checks every byte and every rule of the format."""

    def digest(self) -> str:
        """A digest of everything that can be asked of the index: the same for indexes that say the same."""

    def merge(self) -> int:
        """Merges all segments and drops what is dead. Returns the generation now current."""

    def generations(self) -> list[Generation]:
        """All generations, oldest first."""

    def rollback(self, generation: int) -> int:
        """Makes a generation with the content of an earlier one; permissions stay as they are now."""

    @property
    def fields(self) -> dict[str, Literal["string", "number", "bool", "list", "date"]]:
        """The declared fields of the metadata."""

    def set_fields(self, schema: Mapping[str, Literal["string", "number", "bool", "list", "date"]]) -> int:
        """Declares other fields; writes no document. Returns the generation from which it holds."""

    def field_stats(self) -> list[FieldStats]:
        """The declared fields, with how many live documents have them."""

    def suggest_fields(self) -> Suggestion:
        """A schema that the metadata of all live documents fits: for operators."""

    def audit_settings(self) -> AuditSettings:
        """How the index is audited now."""

    def set_audit(
        self,
        *,
        on: bool | None = None,
        texts: bool | None = None,
        durability: Literal["synced", "written"] | None = None,
        rotate_bytes: int | None = None,
        rotate_days: int | None = None,
        keep_days: int | None = None,
    ) -> AuditSettings:
        """Changes how the index is audited, in every process; that it was changed is a line of the log."""

    def audit_head(self) -> AuditHead:
        """The number and the hash of the last line: kept somewhere else they show a log written anew."""

    def audit_verify(self, expect: str | None = None) -> AuditVerified:
        """Reads the whole log; with `expect` the line that had this hash must still be there."""

    def audit_show(
        self,
        since: int | None = None,
        user: str | None = None,
        document: str | None = None,
        action: str | None = None,
    ) -> list[AuditLine]:
        """The wanted lines, oldest first."""

    def audit_retire(
        self, keep_days: int | None = None, *, keep_files: int | None = None, reason: str = ""
    ) -> AuditRetired:
        """Removes whole old files; a line says so."""

    def audit_mend(self, reason: str) -> AuditMended:
        """Lets a log whose end is damaged go on; a line says so and why."""

    def usage(self, days: int = 30) -> list[dict[str, Any]]:
        """The calls of models in the last so many days, oldest first; `pyarrow.Table.from_pylist` makes a table of them."""

    def measured(self, days: int = 30) -> list[dict[str, Any]]:
        """What `eval --record` and `eval drift --record` measured in the last so many days, oldest first."""

    def usage_settings(self) -> dict[str, Any]:
        """Whether calls are written down, and the budgets."""

    def set_usage(self, settings: Mapping[str, Any]) -> None:
        """Puts settings in force: `{"on", "budget": [{"tenant", "user", "feature", "per", "tokens", "cost"}]}`."""

    def enable_break_glass(self) -> str:
        """Makes a secret that breaks the glass and returns it; the index stores only a digest."""

    def disable_break_glass(self) -> None:
        """Lets no secret break the glass any more."""

    def break_glass(self, secret: str, identity: Identity, reason: str) -> BreakGlass:
        """Breaks the glass for `identity`, in its tenant; every attempt is written into the audit log."""

@final
class BreakGlass:
    """An index with broken glass: every document of one tenant, for fifteen minutes; every call is written down."""

    @property
    def identity(self) -> Identity:
        """Who broke it."""

    @property
    def expires_at(self) -> datetime:
        """When it ends (UTC)."""

    def search(self, text: str, k: int = 10) -> Results:
        """The `k` passages of the tenant that answer `text` best."""

    def search_vector(self, vector: npt.ArrayLike, k: int = 10, recall: float = 0.95) -> Results:
        """The `k` passages of the tenant nearest to `vector` (dim numbers)."""

    def visible(self) -> Visible:
        """Every document of the tenant."""

@final
class Session:
    """An index as one identity sees it. Every call looks at the newest content and the newest permissions."""

    @property
    def identity(self) -> Identity:
        """Who asks."""

    def search(
        self,
        text: str,
        k: int = 10,
        filter: Mapping[str, Any] | str | None = None,
        mode: Literal["hybrid", "vector", "lexical"] = "hybrid",
        recall: float = 0.95,
        *,
        fusion: str | None = None,
        vector: npt.ArrayLike | None = None,
        rerank: Reranker | Callable[[str, list[str]], Sequence[float]] | str | PathLike[str] | None = None,
        candidates: int | None = None,
        diverse: float | None = None,
        distinct: bool = False,
        around: int | None = None,
        section: int | None = None,
        page: int | None = None,
        merged: bool = False,
        transform: Callable[[str], Sequence[str]] | None = None,
    ) -> Results:
        """The `k` visible passages that answer `text` best.

        `mode` is by what they are found: `"vector"` by meaning, `"lexical"` by words, `"hybrid"` by both, brought
        together by `fusion` (`"scores:W"` with the weight of words, or `"ranks:K"`). `vector` is that of the question,
        if the model is not to be asked. A passage without any of the words is not found by words alone.
        `rerank` puts the best `candidates` in its order; `diverse`, from 1 to 0, spreads what is given; `distinct` leaves out
        what says the same. `around`, `section` or `page` give each hit with what stands around it, under its heading or
        on its page, as far as the asker may see it; `merged` joins hits that follow each other. `transform` says what to ask instead of the question.
        """

    async def search_async(
        self,
        text: str,
        k: int = 10,
        filter: Mapping[str, Any] | str | None = None,
        mode: Literal["hybrid", "vector", "lexical"] = "hybrid",
        recall: float = 0.95,
        *,
        fusion: str | None = None,
        vector: npt.ArrayLike | None = None,
        rerank: Reranker | Callable[[str, list[str]], Sequence[float]] | str | PathLike[str] | None = None,
        candidates: int | None = None,
        diverse: float | None = None,
        distinct: bool = False,
        around: int | None = None,
        section: int | None = None,
        page: int | None = None,
        merged: bool = False,
        transform: Callable[[str], Sequence[str]] | None = None,
    ) -> Results:
        """As `search`, awaited."""

    def ask(
        self,
        text: str,
        generator: _GeneratorLike,
        *,
        k: int = 6,
        filter: Mapping[str, Any] | str | None = None,
        mode: Literal["hybrid", "vector", "lexical"] = "hybrid",
        recall: float = 0.95,
        template: str | PathLike[str] | None = None,
        inputs: Mapping[str, str] | None = None,
        tokens: int = 512,
        temperature: float | None = None,
        stop: Sequence[str] | None = None,
        above_label: Literal["drop", "refuse"] = "drop",
        without_passages: bool = False,
        redact: Sequence[Literal["question", "passages", "answer"]] | None = None,
        feature: str | None = None,
        hooks: Sequence[object] | None = None,
        guardrails: Sequence[_GuardrailLike] | None = None,
        suspected: Literal["mark", "drop", "refuse"] | None = None,
        suspected_from: float | None = None,
    ) -> Answer:
        """Puts the question `text` to `generator` with the `k` best passages that the asker may read and the model is
        cleared for.

        `template` is a file that says what stands where in the prompt, `inputs` what it wants besides. A passage with a
        label above the model's is left out, or with `above_label="refuse"` the question is refused. Without a passage
        nothing is sent, unless `without_passages`. `redact` names where identifiers are taken out. `feature` is what it is
        for, in the ledger and for budgets. `hooks` are objects with any of `before_request(messages)`, `on_piece(text)` and
        `after_response(text)`; what these give replaces what they were given. `guardrails` look at question and
        passages (`"in"`) and at the answer (`"out"`); what one gives is said instead. All of these may be `async def`.
        `suspected` says what is done with passages that look like instructions to the model. All of it is decided again
        by the newest permissions right before the prompt leaves.
        """

    def ask_stream(
        self,
        text: str,
        generator: _GeneratorLike,
        *,
        k: int = 6,
        filter: Mapping[str, Any] | str | None = None,
        mode: Literal["hybrid", "vector", "lexical"] = "hybrid",
        recall: float = 0.95,
        template: str | PathLike[str] | None = None,
        inputs: Mapping[str, str] | None = None,
        tokens: int = 512,
        temperature: float | None = None,
        stop: Sequence[str] | None = None,
        above_label: Literal["drop", "refuse"] = "drop",
        without_passages: bool = False,
        redact: Sequence[Literal["question", "passages", "answer"]] | None = None,
        feature: str | None = None,
        hooks: Sequence[object] | None = None,
        guardrails: Sequence[_GuardrailLike] | None = None,
        suspected: Literal["mark", "drop", "refuse"] | None = None,
        suspected_from: float | None = None,
    ) -> AnswerStream:
        """As `ask`, as soon as the model has begun to answer: pieces to iterate over."""

    def feedback(self, id: str, verdict: int, note: str | None = None) -> None:
        """Writes into the audit log what the asker thinks of the answer `id`: 1 if it was good, -1 if not."""

    async def ask_async(
        self,
        text: str,
        generator: _GeneratorLike,
        *,
        k: int = 6,
        filter: Mapping[str, Any] | str | None = None,
        mode: Literal["hybrid", "vector", "lexical"] = "hybrid",
        recall: float = 0.95,
        template: str | PathLike[str] | None = None,
        inputs: Mapping[str, str] | None = None,
        tokens: int = 512,
        temperature: float | None = None,
        stop: Sequence[str] | None = None,
        above_label: Literal["drop", "refuse"] = "drop",
        without_passages: bool = False,
        redact: Sequence[Literal["question", "passages", "answer"]] | None = None,
        feature: str | None = None,
        hooks: Sequence[object] | None = None,
        guardrails: Sequence[_GuardrailLike] | None = None,
        suspected: Literal["mark", "drop", "refuse"] | None = None,
        suspected_from: float | None = None,
    ) -> Answer:
        """As `ask`, awaited. What a callable gives to be awaited runs on the same event loop."""

    async def ask_stream_async(
        self,
        text: str,
        generator: _GeneratorLike,
        *,
        k: int = 6,
        filter: Mapping[str, Any] | str | None = None,
        mode: Literal["hybrid", "vector", "lexical"] = "hybrid",
        recall: float = 0.95,
        template: str | PathLike[str] | None = None,
        inputs: Mapping[str, str] | None = None,
        tokens: int = 512,
        temperature: float | None = None,
        stop: Sequence[str] | None = None,
        above_label: Literal["drop", "refuse"] = "drop",
        without_passages: bool = False,
        redact: Sequence[Literal["question", "passages", "answer"]] | None = None,
        feature: str | None = None,
        hooks: Sequence[object] | None = None,
        guardrails: Sequence[_GuardrailLike] | None = None,
        suspected: Literal["mark", "drop", "refuse"] | None = None,
        suspected_from: float | None = None,
    ) -> AnswerStream:
        """As `ask_stream`, awaited."""

    def search_vector(
        self,
        vector: npt.ArrayLike,
        k: int = 10,
        filter: Mapping[str, Any] | str | None = None,
        recall: float = 0.95,
    ) -> Results:
        """The `k` visible passages nearest to `vector` (dim numbers); texts are read when asked for."""

    async def search_vector_async(
        self,
        vector: npt.ArrayLike,
        k: int = 10,
        filter: Mapping[str, Any] | str | None = None,
        recall: float = 0.95,
    ) -> Results:
        """As `search_vector`, awaited."""

    def search_vectors(
        self,
        vectors: npt.ArrayLike,
        k: int = 10,
        filter: Mapping[str, Any] | str | None = None,
        recall: float = 0.95,
    ) -> list[Results]:
        """As `search_vector` for many questions (q x dim) on all cores."""

    async def search_vectors_async(
        self,
        vectors: npt.ArrayLike,
        k: int = 10,
        filter: Mapping[str, Any] | str | None = None,
        recall: float = 0.95,
    ) -> list[Results]:
        """As `search_vectors`, awaited."""

    def facets(self, field: str, filter: Mapping[str, Any] | str | None = None, limit: int = 20) -> Facets:
        """The values that documents have in a declared field, of those the asker may see, with their counts."""

    async def facets_async(
        self, field: str, filter: Mapping[str, Any] | str | None = None, limit: int = 20
    ) -> Facets:
        """As `facets`, awaited."""

    def count(self, filter: Mapping[str, Any] | str | None = None) -> Counted:
        """How many documents and passages the asker may see."""

    async def count_async(self, filter: Mapping[str, Any] | str | None = None) -> Counted:
        """As `count`, awaited."""

    def visible(self) -> Visible:
        """What the asker may see."""

    def explain(self, id: str) -> Explanation:
        """Why the asker may read the document `id`; without reasons if they may not."""

@final
class Hit:
    """A passage that the asker may read."""

    @property
    def rank(self) -> int:
        """From 1."""

    @property
    def score(self) -> float:
        """Higher is better: by vector the cosine of question and passage, by words BM25F, by both what the fusion gives."""

    @property
    def document(self) -> str:
        """Id of the document."""

    @property
    def chunk(self) -> int:
        """Its place within the document, from 0."""

    @property
    def title(self) -> str | None:
        """Of the document."""

    @property
    def uri(self) -> str | None:
        """Of the document."""

    @property
    def text(self) -> str:
        """The passage."""

    @property
    def page(self) -> int | None:
        """The page it begins on, from 1; None where the document has no pages."""

    @property
    def span(self) -> tuple[int, int]:
        """Bytes of the source text, half open."""

    @property
    def heading(self) -> str:
        """Headings above it, outermost first, joined by ` > `."""

    @property
    def label(self) -> str:
        """Its label."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Of the document."""

@final
class Results:
    """What a search gives, best first."""

    @property
    def ids(self) -> list[str]:
        """Ids of the documents."""

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """Scores, in the same order."""

    @property
    def hits(self) -> list[Hit]:
        """The passages."""

    @property
    def complete(self) -> bool:
        """Whether there are as many hits as k or as visible passages."""

    @property
    def exact(self) -> bool:
        """Whether no better passage can exist."""

    @property
    def recall(self) -> float:
        """The recall that was promised: 1 for an exact answer, else what was asked for."""

    @property
    def acl_epoch(self) -> int:
        """The epoch of the permissions it was made under: for operators."""

    @property
    def plan(self) -> str:
        """How it was found: for operators."""

    @property
    def generation(self) -> int:
        """The generation it was found in: for operators."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Hit]: ...
    @overload
    def __getitem__(self, index: int, /) -> Hit: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[Hit]: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...
    def to_arrow(self) -> pa.Table:
        """The hits as a `pyarrow.Table`; needs pyarrow."""

    def to_pandas(self) -> pd.DataFrame:
        """The hits as a `pandas.DataFrame`; needs pandas."""

def evaluate(
    index: Index,
    questions: str | PathLike[str],
    *,
    personas: str | PathLike[str] | Mapping[str, Identity] | None = None,
    k: int | Sequence[int] = 10,
    split: str | None = None,
    mode: Literal["hybrid", "vector", "lexical"] = "hybrid",
    fusion: str | None = None,
    recall: float = 0.95,
    least_score: float | None = None,
    seed: int = 1,
    rerank: Reranker | Callable[[str, list[str]], Sequence[float]] | str | PathLike[str] | None = None,
    against: Index | None = None,
    against_mode: Literal["hybrid", "vector", "lexical"] | None = None,
    against_fusion: str | None = None,
    against_recall: float | None = None,
    against_rerank: Reranker | Callable[[str, list[str]], Sequence[float]] | str | PathLike[str] | None = None,
    gate: str | PathLike[str] | dict[str, Any] | None = None,
    html: str | PathLike[str] | None = None,
    show_questions: bool = False,
) -> EvaluationReport:
    """Asks every question at `questions` (a BEIR folder, or a file or folder with `questions.jsonl`) as every persona and
    reports what came: for operators. `passed` says whether nothing leaked and the gate holds.

    `personas` is a file, or a dict of names and identities; without it the `personas.jsonl` beside the questions. With
    several `k`, ascending, searches are for the first. `rerank` is that of `Session.search`. `against` is another index;
    `against_mode`, `against_fusion`, `against_recall` and `against_rerank` (a reranker, or `"none"`) say how the other
    side is asked."""

def learn_fusion(
    index: Index,
    questions: str | PathLike[str],
    *,
    personas: str | PathLike[str] | Mapping[str, Identity] | None = None,
    k: int = 10,
    split: str | None = None,
) -> LearntFusion:
    """How much words should count beside meaning, by judged questions: `argument` is for `fusion=` of `Session.search`."""

def export_spans(url: str | None = None) -> bool:
    """Sends spans of searches, answers and calls of models from now on to the collector of OpenTelemetry at `url` (OTLP
    over HTTP), or to the one that `OTEL_EXPORTER_OTLP_ENDPOINT` names; true if there is one. Without any text."""

def flush_spans() -> None:
    """Sends the spans that have ended and were not sent yet."""

def _serve_parser(format: str, most_bytes: int) -> None: ...
