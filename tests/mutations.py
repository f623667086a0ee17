#!/usr/bin/env python3
"""Would the tests see it? Breaks permissions on purpose, one way at a time, in a copy of the tree: each must turn red.

    mutations.py COPY [NAME…]

COPY is a folder that is filled with the tree as committed; build it into a target folder of its own, because cargo takes two
trees in one for the same. Prints a table: what was broken, and the test that saw it.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = pathlib.Path(sys.argv[1])
WANTED = sys.argv[2:]

PLANE = "crates/access/src/plane"
# Name, what it stands for, file, what stands there, what is put there instead.
MUTATIONS = [
    ("drop-the-deny", "who is allowed and denied is allowed", f"{PLANE}/acls.rs",
     "denied.iter().for_each(|id| allowed.remove(id));", "let _ = &mut allowed;"),
    ("skip-a-tombstone", "deleted documents are found", "crates/index/src/snapshot/mod.rs",
     "let dead = read_tombstones(storage, entry)?;",
     "let dead = read_tombstones(storage, entry).map(|_| RoaringBitmap::new())?;"),
    ("remember-past-an-epoch", "what was remembered at another epoch counts", "crates/access/src/remembered.rs",
     "if epoch != self.epoch {\n            return None;\n        }", "let _ = epoch;"),
    ("asker-past-an-epoch", "who asks again is not looked at again", "crates/index/src/asker.rs",
     " && rows.epoch() == epoch", " && rows.epoch() <= epoch"),
    ("empty-is-everyone", "an ACL that names nobody permits all", f"{PLANE}/acls.rs",
     "        denied.iter().for_each(|id| allowed.remove(id));",
     "        (0..self.len() as u32).filter(|id| self.get(*id).iter().all(|some| some.is_empty())).for_each(|id| drop(allowed.insert(id)));\n"
     "        denied.iter().for_each(|id| allowed.remove(id));"),
    ("incomplete-groups", "a denied group that may be the asker's is not theirs", f"{PLANE}/acls.rs",
     "if !groups_complete {", "if groups_complete && denied.is_empty() && allowed.is_empty() {"),
    ("label-turned", "low clearance opens high labels", f"{PLANE}/table.rs",
     "effective.label <= self.clearance.highest", "effective.label >= self.clearance.highest"),
    ("label-ignored", "any clearance opens any label", f"{PLANE}/table.rs",
     "effective.label <= self.clearance.highest\n            && self", "self"),
    ("tenant-dropped", "another tenant's rows open", "crates/access/src/segment.rs",
     "        let rows = self.column.rows();\n        if self.column.tenant() != permitted.tenant() {",
     "        let rows = self.column.rows();\n        if rows == u32::MAX {"),
    ("snapshot-loses-a-revocation", "revocations are gone after a snapshot", f"{PLANE}/stored.rs",
     "revoked.entry(document).or_default().insert(principal);",
     "revoked.entry(document).or_default().remove(&principal);"),
    ("widening-opens-old", "only the newest ACL counts, for any version", f"{PLANE}/state.rs",
     "self.bindings().skip(from)", "self.bindings().skip(from.max(all.saturating_sub(1)))"),
    ("child-overrides-lost", "a child's allow opens what its object lost", f"{PLANE}/table.rs",
     "(Lost, _, _) | (_, Lost, _) => Lost,",
     "(Lost, _, _) => Lost,\n            (_, Lost, Inherit::DenyWins | Inherit::ParentOverrides | Inherit::BothPermit) => Lost,"),
    ("all-of-as-any-of", "one of several principals is enough", f"{PLANE}/acls.rs",
     "met.retain(|clause, met| *met == self.all[*clause as usize].len());", "met.retain(|_, met| *met > 0);"),
    ("section-off-by-one", "a section has the ACL of the one before", f"{PLANE}/state.rs",
     "sections.get(usize::from(at))?", "sections.get(usize::from(at).saturating_sub(1))?"),
    ("section-of-older", "rows of older content need no section of the newer", f"{PLANE}/state.rs",
     "            bases.extend(table.rules.sections_of(later.acl));\n", ""),
    ("inputs-ignored", "a summary is seen without what it sums up", f"{PLANE}/table.rs",
     "if !self.rules.inputs.all().is_empty() {", "if self.rules.inputs.all().len() == usize::MAX {"),
    ("steps-uncounted", "what is derived through any number of steps is judged", f"{PLANE}/derived.rs",
     "Some(most).filter(|most| *most <= MOST_STEPS)", "Some(most)"),
    ("unstated-object-allows", "an object of which nothing is stated permits", f"{PLANE}/table.rs",
     "own.unwrap_or(Verdict::Denied) };", "own.unwrap_or(Verdict::Allowed) };"),
    ("expiry-unchecked", "an identity holds for ever", "crates/access/src/identity.rs",
     "if now >= self.expires_at {", "if now >= self.expires_at && now.0 == u64::MAX {"),
    ("refresh-skipped", "another process's revocation is not looked for", "crates/index/src/index.rs",
     "let epoch = self.access.refresh(&*self.storage)?;\n        let plane = self.access.plane();",
     "let plane = self.access.plane();\n        let epoch = plane.epoch();"),
    ("own-kept", "what a row needed before is kept beside what it needs now", "crates/access/src/segment.rs",
     "                    resolved.own.remove(&i);\n", ""),
    ("object-revocation-forgotten", "what an object lost is not asked", f"{PLANE}/table.rs",
     "let lost = object.revoked_lists.is_some_and(|lists| said.denied.contains(lists));",
     "let lost = object.revoked_lists.is_some_and(|lists| said.allowed.contains(lists));"),
    ("both-permit-as-either", "either of child and parent is enough", f"{PLANE}/table.rs",
     "(_, _, Inherit::BothPermit) => Denied,", "(Allowed, _, Inherit::BothPermit) => Allowed,\n            (_, _, Inherit::BothPermit) => Denied,"),
]

# Tried one after the other until one is red.
SUITES = [
    ("access", ["cargo", "test", "-p", "safepassage-access", "--tests", "--no-fail-fast"]),
    ("proof", ["cargo", "run", "-p", "safepassage-tests", "--bin", "proof", "--", "200000", "20000"]),
    ("index", ["cargo", "test", "-p", "safepassage-index", "--tests", "--no-fail-fast"]),
]


def red(output):
    failed = re.findall(r"^test (\S+) \.\.\. FAILED", output, re.M)
    if failed:
        return ", ".join(sorted(set(failed))[:3])
    said = re.search(r"seed \d+( step \d+)?( asker \d+)?", output)
    return said.group(0) if said else "it does not end well"


def suites():
    prefix = os.environ.get("BEFORE_CARGO", "").split()
    for name, command in SUITES:
        run = subprocess.run(prefix + command, cwd=COPY, capture_output=True, text=True)
        if "could not compile" in run.stderr:
            print(run.stderr[-2000:], file=sys.stderr)
            return "NOT BUILT", ""
        if run.returncode:
            return name, red(run.stdout + run.stderr)
    return None, ""


archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
COPY.mkdir(parents=True, exist_ok=True)
subprocess.run(["tar", "-x", "-C", str(COPY)], input=archive, check=True)
survived = 0
if not WANTED:
    suite, test = suites()
    assert suite is None, f"red before anything is broken: {suite}: {test}"
print("| broken on purpose | what it would mean | seen by | test |\n|---|---|---|---|", flush=True)
for name, meaning, file, old, new in MUTATIONS:
    if WANTED and name not in WANTED:
        continue
    path = COPY / file
    text = path.read_text()
    assert text.count(old) >= 1, f"{name}: {file} has changed"
    path.write_text(text.replace(old, new, 1))
    suite, test = suites()
    path.write_text(text)
    survived += suite in (None, "NOT BUILT")
    print(f"| {name} | {meaning} | {suite or '**nothing**'} | {test} |", flush=True)
sys.exit(bool(survived))
