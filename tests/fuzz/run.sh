#!/usr/bin/env bash
# Runs the fuzzers: run.sh [SECONDS] [TARGET…]. Needs a stable Rust and a C++ compiler. What was learned stays in
# CORPUS (target/fuzz unless set); what was found lies there too, named crash-*. `files-FORMAT` is `files` with that
# format alone.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-600}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(token sources access_log audit_log texts filter imports
    files-{pdf,docx,pptx,xlsx,mail,html,markdown,json,notebook,csv,tsv})
corpus=${CORPUS:-../../target/fuzz}
built=${CARGO_TARGET_DIR:-../../target}
triple=$(rustc -vV | sed -n 's/^host: //p')

# The coverage that libFuzzer reads; a target of its own, so that build scripts go without.
flags="-Cpasses=sancov-module -Ccodegen-units=1"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    flags="$flags -Cllvm-args=-sanitizer-coverage-$option"
done
[ -n "${BUILT:-}" ] || RUSTFLAGS="$flags" CARGO_TARGET_DIR="$built" cargo build --target "$triple"
[ "$seconds" != 0 ] || exit 0

python3 seeds.py "$corpus/seeds"
for target in "${targets[@]}"; do
    mkdir -p "$corpus/$target"
    program=${target%%-*} format=${target#*-} words=words.dict
    [ ! -e "$program.dict" ] || words=$program.dict
    # Under a name that says what it runs.
    [ "$target" = "$program" ] || ln -f "$built/$triple/debug/$program" "$built/$triple/debug/$target"
    [ "$target" = "$program" ] && unset FORMAT || export FORMAT=$format
    RAYON_NUM_THREADS=1 "$built/$triple/debug/$target" -max_total_time="$seconds" -max_len=8192 -timeout=20 \
        -rss_limit_mb=2048 -dict="$words" -artifact_prefix="$corpus/crash-$target-" -print_final_stats=1 \
        "$corpus/$target" "$corpus/seeds/$target" 2>&1 | tee "$corpus/$target.log" | grep -E '^(stat::|Done|SUMMARY|==)|panicked|DONE' \
        || { echo "$target: see $corpus/$target.log"; exit 1; }
done
