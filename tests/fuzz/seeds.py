#!/usr/bin/env python3
"""What the fuzzers begin with: the fixtures, cut as each target wants them. Usage: seeds.py FOLDER"""
import base64
import io
import json
import pathlib
import sys
import zipfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent.parent / "fixtures"
OUT = pathlib.Path(sys.argv[1])
BETWEEN = b"\n====\n"
MOST = 6_000


def seed(target, name, content):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content[:MOST])


def read(path):
    return path.read_bytes() if path.is_file() else b""


def unpadded(part):
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


token = read(FIXTURES / "tokens/alice.jwt").strip()
header, claims = (unpadded(part) for part in token.split(b".")[:2])
seed("token", "whole", b"\0" + token)
seed("token", "header", b"\1" + b'{"alg":"HS256","typ":"JWT","kid":"1"}\n' + claims)
seed("token", "claims", b"\2" + claims)
more = {"tid": "t", "oid": "o", "email": "a@b", "cognito:groups": ["hr"], "cognito:username": "a", "token_use": "id",
        "_claim_names": {"groups": "src1"}, "nbf": 1, "iat": 1, "azp": "x", "client_id": "safepassage", "scope": "a b"}
seed("token", "more", b"\2" + json.dumps({**json.loads(claims), **more}).encode())
seed("token", "keys", b"\3" + read(FIXTURES / "tokens/jwks.json"))
seed("token", "settings", b"\4" + read(FIXTURES / "tokens/verifier.json").replace(b"EdDSA", b"HS256"))
seed("token", "groups", b'\5{"payroll": ["hr"], "hr": ["staff"]}')
group = {"id": "hr", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
         "members": [{"value": "a", "type": "User", "$ref": "../Users/a"}, {"value": "it", "type": "Group"}]}
seed("token", "scim", b"\6" + json.dumps({"totalResults": 1, "Resources": [group]}).encode())
for path in [*FIXTURES.glob("identities/*.json"), *FIXTURES.glob("bad/identities/*.json")]:
    seed("token", f"identity-{path.parent.parent.name}-{path.stem}", b"\7" + read(path))

objects = b'{"name":"o","allow":["group:hr"],"deny":["user:x"]}\n{"name":"p","parent":"o","inherit":"both-permit"}'
for path in FIXTURES.glob("bad/*.jsonl"):
    for mode in (0, 9):
        seed("sources", f"{path.stem}-{mode}", bytes([mode]) + BETWEEN.join([b"", objects, read(path)]))
    seed("sources", f"{path.stem}-objects", b"\0" + BETWEEN.join([b"", read(path), b""]))
for path in FIXTURES.glob("bad/*/acl.jsonl"):
    sidecar = b"".join(read(found) for found in path.parent.glob("*.metadata.json"))
    seed("sources", path.parent.name, b"\x08" + BETWEEN.join([read(path), b"", sidecar]))
whole = {"id": "a/b.md", "text": "# A\n\nb ü c", "title": "t", "acl": {"all_of": [["group:a", "user:b"]]},
         "acl_object": "p", "label": "internal", "tenant": "acme", "metadata": {"dept": "hr"},
         "sections": [{"span": [0, 3], "acl": {"allow": ["user:b"]}}], "derived_from": ["c"]}
seed("sources", "whole", b"\0" + BETWEEN.join([
    b'{"_id":"./","acl":{"deny":["user:x"]}}\n{"_id":"a/","acl":{"parent":"o","inherit":"child-overrides"}}', objects,
    json.dumps(whole).encode() + b'\n{"id":"c","text":"c","tenant":"acme","acl":{"allow":["everyone"]}}']))
entries = [{"name": "hr", "type": "GROUP", "access": "ALLOW"}, {"name": "b", "type": "USER", "access": "DENY"}]
attributes = {"dept": "hr", "year": {"value": {"type": "NUMBER", "numberValue": 7}}}
seed("sources", "sidecar", b"\x08" + BETWEEN.join([b'{"_id":"a.md","acl":{"deny":["user:x"]}}', b"", json.dumps(
    {"metadataAttributes": attributes, "accessControlList": entries}).encode()]))
for name in ("company", "beir-mini"):
    corpus = read(FIXTURES / name / "corpus.jsonl").split(b"\n")[:4]
    seed("sources", name, b"\1" + BETWEEN.join([read(FIXTURES / name / "acl.jsonl")[:2000], b"", b"\n".join(corpus)]))

seed("access_log", "everything", b"0" + read(HERE / "everything.jsonl"))
for path in sorted(FIXTURES.glob("format/*/access/log/*.json")):
    events = json.loads(path.read_text().split("\n", 1)[1])["events"]
    seed("access_log", f"{path.parts[-4]}-{path.stem}", b"0" + json.dumps(events).encode())
for line in read(HERE / "everything.jsonl").split(b"\n"):
    seed("access_log", f"line-{len(line)}", b"0" + line)
seed("access_log", "columns", b"1" + bytes(range(64)))

entry = (b'{"seq":1,"time":"2026-01-01T00:00:00Z","action":"search","tenant":"","user":"a","documents":["d"],"k":3,'
         b'"outcome":"ok","aside":{"from":0,"bytes":1,"sha256":"' + b"0" * 64 + b'"},"prev":"' + b"0" * 64 + b'"')
seed("audit_log", "line", b"0" + entry + b',"hash":"' + b"0" * 64 + b'"}')
seed("audit_log", "body", b"1" + entry)
seed("audit_log", "edits", b"2" + bytes(range(40)))
seed("audit_log", "head", b"3" + b'{"head":{"seq":1},"sha256":""}')

for n, path in enumerate(sorted(p for p in FIXTURES.rglob("*") if p.suffix in (".md", ".html", ".txt"))[:60]):
    mode = {".md": b"\1", ".html": b"\2", ".txt": b"\0"}[path.suffix]
    seed("texts", f"{n}{path.suffix}", mode + read(path)[:2000].decode("utf-8", "ignore").encode())
seed("texts", "markup", b"\2<h1>A &amp; b</h1><p>c<pre>d</pre><table><tr><td>e<script>f</script></table><!-- g -->")

schema = b'{"dept":"string","year":"number","open":"bool","tags":"list","day":"date","a.b":"number"}'
metadata = b'{"dept":"hr","year":2020.5,"open":true,"tags":["a","b"],"day":"2024-05-01T10:00:00.5+02:00","a":{"b":-0.0}}'
values = {"dept": ["hr"], "year": [2020, 9007199254740993, 1e300], "open": [True], "tags": ["a"], "day": ["2024-05-01"],
          "a.b": [0]}
operators = {"equals", "notEquals", "in", "notIn", "greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals",
             "startsWith", "stringContains", "listContains"}
for operator in sorted(operators):
    for key, some in values.items():
        compared = {operator: {"key": key, "value": some if operator in ("in", "notIn") else some[0]}}
        seed("filter", f"{operator}-{key}", BETWEEN.join([json.dumps(compared).encode(), schema, metadata]))
nested = {"andAll": [{"orAll": [{"equals": {"key": "dept", "value": "\u00e9"}}] * 2}, {"in": {"key": "x", "value": []}}]}
seed("filter", "nested", BETWEEN.join([json.dumps(nested).encode(), schema, metadata]))

# The first byte is the place in `Format::ALL`; with 0x80 an office file comes as it is, else as these parts of it.
FORMATS = {".txt": "plain", ".md": "markdown", ".html": "html", ".py": "code", ".csv": "csv", ".tsv": "tsv", ".json": "json",
           ".ipynb": "notebook", ".eml": "mail", ".docx": "docx", ".pptx": "pptx", ".xlsx": "xlsx", ".pdf": "pdf"}
PARTS = {
    "docx": ["word/document.xml", "word/styles.xml", "docProps/core.xml"],
    "pptx": ["ppt/presentation.xml", "ppt/_rels/presentation.xml.rels", "ppt/slides/slide2.xml",
             "ppt/slides/_rels/slide2.xml.rels"],
    "xlsx": ["[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml",
             "xl/worksheets/sheet1.xml", "xl/styles.xml"],
}


def of_format(kind, name, content, first=0):
    number = list(FORMATS.values()).index(kind)
    for target in ("files", f"files-{kind}"):
        seed(target, name, bytes([number | first]) + content)


for path in sorted(FIXTURES.glob("office/*/*")):
    kind = FORMATS[path.suffix]
    if kind not in PARTS:
        of_format(kind, path.name, read(path))
        continue
    whole = io.BytesIO()
    with zipfile.ZipFile(path) as parcel, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as smaller:
        parts = [parcel.read(name) if name in parcel.namelist() else b"" for name in PARTS[kind]]
        for name, part in zip(PARTS[kind], parts):
            if len(part) < 20_000:
                smaller.writestr(name, part)
    of_format(kind, path.name, whole.getvalue(), 0x80)
    of_format(kind, path.stem + "-parts", BETWEEN.join(part[:1500] for part in parts))
for suffix in (".md", ".html"):
    for n, path in enumerate(sorted(FIXTURES.rglob(f"*{suffix}"))[:30]):
        of_format(FORMATS[suffix], f"{n}{suffix}", read(path)[:2000])


def pdf(*objects):
    """A whole file of these objects, so that changes of it are still read."""
    out, at = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        at.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in at)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(at) + 1, table, len(at) + 1, len(out))


def stream(content, more=b""):
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), more, content)


CATALOG, PAGES = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/FirstChar 32/LastChar 34/Widths[278 278 355]>>"
CID = (b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/ToUnicode 6 0 R/DescendantFonts[<</Type/Font/Subtype/CIDFontType2"
       b"/BaseFont/A/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/W[0[500 600]2 5 400]/DW 1000>>]>>")
TO_UNICODE = (b"begincmap 1 begincodespacerange<0000><ffff>endcodespacerange 1 beginbfchar<0001><0041>endbfchar "
              b"1 beginbfrange<0002><0009><0042>endbfrange endcmap")
DRAWN = b"BT /F 12 Tf 1 0 0 1 72 700 Tm (A letter) Tj 0 -14 Td [(of) -200 (two)] TJ T* <0001> Tj ET q /X Do Q"
FORM = stream(b"BT /F 9 Tf (in a form) Tj ET", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</Font<</F 5 0 R>>>>")
PAGE = (b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>/XObject<</X 7 0 R>>>>"
        b"/Rotate 90>>")
of_format("pdf", "plain", pdf(CATALOG, PAGES, PAGE, stream(DRAWN), FONT, stream(TO_UNICODE), FORM))
of_format("pdf", "cid", pdf(CATALOG, PAGES, PAGE, stream(DRAWN), CID, stream(TO_UNICODE), FORM))
for name, packed in (("deflated", (zlib.compress(DRAWN), b"/Filter/FlateDecode")),
                     ("hex", (DRAWN.hex().encode() + b">", b"/Filter/ASCIIHexDecode")),
                     ("base85", (base64.a85encode(DRAWN) + b"~>", b"/Filter[/ASCII85Decode]"))):
    of_format("pdf", name, pdf(CATALOG, PAGES, PAGE, stream(*packed), FONT, stream(TO_UNICODE), FORM))
of_format("mail", "parts", b"""From: =?utf-8?q?Ann_=C3=BC?= <ann@example.com>\r
To: b@example.com, "C, D" <c@example.com>\r
Subject: =?iso-8859-1?B?R3L832U=?=\r
Date: Sun, 01 Nov 2026 10:00:00 +0100\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="x"\r
\r
--x\r
Content-Type: multipart/alternative; boundary=y\r
\r
--y\r
Content-Type: text/plain; charset=utf-16le\r
Content-Transfer-Encoding: base64\r
\r
YQBiAA==\r
--y\r
Content-Type: text/html\r
Content-Transfer-Encoding: quoted-printable\r
\r
<p>a=20b=\r
c</p>\r
--y--\r
--x\r
Content-Type: message/rfc822\r
\r
Subject: within\r
\r
a\r
--x\r
Content-Disposition: attachment; filename*=utf-8''a%20b.txt\r
\r
attached\r
--x--\r
""")

imports = FIXTURES / "import"
for number, name in ((1, "kendra.json"), (2, "azure.json"), (3, "posix.getfacl"), (4, "nfs4.getfacl"), (6, "CODEOWNERS")):
    seed("imports", name, bytes([number]) + read(imports / name))
for path in imports.rglob("*.metadata.json"):
    seed("imports", path.name, b"\0" + BETWEEN.join([read(path)] * 2))
owners = [read(path) for path in sorted(imports.rglob("OWNERS"))]
for number, one in enumerate(owners):
    seed("imports", f"owners-{number}", b"\5" + BETWEEN.join([owners[0], one, read(imports / "owners/OWNERS_ALIASES")]))
