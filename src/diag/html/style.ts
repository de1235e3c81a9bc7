/** The look of the page, in light and in dark. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--back:#fff;--card:#f6f8fa;--bad:#b3261e;--set:#7aa2e3;--first:#0b3d91}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--line:#30363d;--back:#0d1117;--card:#161b22;--bad:#ff7b72;--set:#3d6db5;--first:#a5c8ff}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.25rem;overflow-wrap:anywhere}h2{display:inline;font-size:1.15rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}h4{margin:.8rem 0 .2rem;font-size:.9rem}
article{border:1px solid var(--line);border-radius:8px;background:var(--card);padding:1rem 1.2rem;margin:1.2rem 0}
.badge{background:var(--bad);color:var(--back);border-radius:4px;padding:.1rem .5rem;margin-right:.6rem;font-size:.8rem;font-weight:600}
.informative .badge{background:var(--soft)}
.where,.hint,small{color:var(--soft)}.where{margin:.2rem 0}.verdict{font-size:1.1rem;font-weight:600;margin:.6rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.8rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
ul{margin:.2rem 0;padding-left:1.2rem}
code{font:12px/1.4 ui-monospace,monospace}
table{border-collapse:collapse;font-size:.85rem}th,td{text-align:left;padding:.1rem .7rem .1rem 0;vertical-align:top;font-weight:400}
.pes th,.pes td{border-bottom:1px solid var(--line);padding:.25rem .7rem .25rem 0}.faulted{font-weight:600}
.bits{display:inline-flex;gap:4px;flex-wrap:wrap}.bits b{display:inline-flex;gap:1px;position:relative;padding-top:11px}
.bits b::before{content:attr(data-bit);position:absolute;top:0;left:0;font:8px/10px ui-monospace,monospace;color:var(--soft)}
nav ol{padding-left:1.6rem}a{color:inherit}
.register table,.pes{display:block;overflow-x:auto}
.bits i{width:8px;height:12px;border:1px solid var(--line);background:var(--back)}.bits .set{background:var(--set)}.bits .first{background:var(--first)}
li.first code{font-weight:700}
.path{width:100%;height:auto;margin:.4rem 0}.path rect{fill:var(--back);stroke:var(--line);stroke-width:1.5}.path text{text-anchor:middle;fill:var(--ink)}
.path .name{font-size:13px;font-weight:600}.path .small{font-size:10px;fill:var(--soft)}
.path>path{stroke:var(--soft);stroke-width:1.5;fill:none}.path marker path{fill:var(--soft)}
.path .broken rect{stroke:var(--bad);stroke-width:3}.path .mark{font-size:12px;font-weight:700;fill:var(--bad)}
@media print{:root{--ink:#000;--soft:#444;--line:#999;--back:#fff;--card:#fff;--bad:#b3261e;--set:#7aa2e3;--first:#0b3d91}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}body{margin:0;max-width:none}nav{display:none}
h3,h4{break-after:avoid}.register,.path,tr,li{break-inside:avoid}}
`;
