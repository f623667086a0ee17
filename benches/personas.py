#!/usr/bin/env python3
"""Made-up permissions for a BEIR folder: everybody sees all of it, personas see a random share.

    benches/personas.py BEIR_FOLDER OUT [--seed N]

writes OUT/acl.jsonl and OUT/personas.jsonl. Every document allows `public` and denies the groups that do not see it, so
that one index serves the whole collection and every share of it. A share is drawn document by document from a digest of
seed, share and id: the same whatever the order of the corpus, and larger shares do not hold the smaller ones.
"""
import argparse
import hashlib
import json
import pathlib

SHARES = {"half": 0.5, "tenth": 0.1, "hundredth": 0.01}


def sees(seed, share, part, document):
    digest = hashlib.sha256(f"{seed}\0{share}\0{document}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < part * 2**64


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.folder / "corpus.jsonl").open() as corpus, (options.out / "acl.jsonl").open("w") as out:
        for line in corpus:
            document = json.loads(line)["_id"]
            deny = [f"group:{share}" for share, part in SHARES.items() if not sees(options.seed, share, part, document)]
            out.write(json.dumps({"_id": document, "acl": {"allow": ["public"], "deny": deny}}) + "\n")
    with (options.out / "personas.jsonl").open("w") as out:
        for persona in ["all", *SHARES]:
            groups = [] if persona == "all" else [persona]
            out.write(json.dumps({"_id": persona, "identity": {"user": persona, "groups": groups, "groups_complete": True}}) + "\n")


if __name__ == "__main__":
    main()
