//! How does the page look, by day and by night?

pub(super) const STYLE: &str = "
:root { color-scheme: light dark; --page: #f7f8fa; --card: #ffffff; --ink: #1c2430; --soft: #5b6675; --line: #dfe3e8;
  --mark: #2563c9; --mark-soft: #b9d0f5; --good: #1a7f4b; --bad: #c02b2b; --bad-soft: #fbe6e6; --warm: #b26a00; }
@media (prefers-color-scheme: dark) {
:root { --page: #12161c; --card: #1a2029; --ink: #e6eaf0; --soft: #9aa6b5; --line: #2d3642; --mark: #6ea3f5;
  --mark-soft: #2b4470; --good: #4cc38a; --bad: #ff7b72; --bad-soft: #3a1d1f; --warm: #e3a64a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 4px; overflow-wrap: anywhere; } h2 { font-size: 17px; margin: 34px 0 10px; }
h3 { font-size: 14px; margin: 0 0 6px; color: var(--soft); font-weight: 600; }
p { margin: 4px 0 10px; } .soft { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; margin: 18px 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; } .tile small { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 14px; }
.bad, .tile b.bad { color: var(--bad); } .good, .tile b.good { color: var(--good); }
.banner { border-radius: 10px; padding: 10px 14px; margin: 14px 0; border: 1px solid var(--line); background: var(--card); }
.banner.fails { border-color: var(--bad); background: var(--bad-soft); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: 7px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: 13px; } tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child, .text { text-align: left; }
td:first-child, td.text { white-space: normal; overflow-wrap: anywhere; min-width: 125px; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg text.ink { fill: var(--ink); } .bar { fill: var(--mark); } .back { fill: var(--mark-soft); }
.grid { stroke: var(--line); stroke-width: 1; } .whisker { stroke: var(--ink); stroke-width: 1.5; }
.curve { fill: none; stroke-width: 2.2; } .l0 { stroke: #2563c9; } .l1 { stroke: #d9730d; } .l2 { stroke: #1a9f6a; }
.l3 { stroke: #a23bbf; } .l4 { stroke: #c02b4b; } .d0 { fill: #2563c9; } .d1 { fill: #d9730d; } .d2 { fill: #1a9f6a; }
.d3 { fill: #a23bbf; } .d4 { fill: #c02b4b; } .up { fill: var(--good); } .down { fill: var(--bad); }
footer { margin-top: 36px; color: var(--soft); font-size: 13px; }
@media print { body { background: #fff; } .card, .tile, .wide { break-inside: avoid; } }
";
