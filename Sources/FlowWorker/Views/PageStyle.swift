extension Page {
  /// The look of a page: in one column on a small screen, light or dark as the reader has it, and printable.
  static let style = """
    <meta name="viewport" content="width=device-width,initial-scale=1"><style>
    :root{color-scheme:light dark;--text:#1b2227;--soft:#566069;--page:#fff;--line:#d5dbdf;--box:#f3f5f6;
    --good:#1a6e41;
    --bad:#b3261e;--running:#2a7f56;--failed:#c8372d;--waiting:#b9c4ca;--pausing:#d9a441;--copying:#3f73b5;
    --other:#d8dde0}
    @media(prefers-color-scheme:dark){:root{--text:#e3e8eb;--soft:#a3aeb6;--page:#14191c;--line:#333c42;--box:#1e2529;
    --good:#6fcf9a;--bad:#ff8f85;--running:#3f9d6f;--failed:#e0584d;--waiting:#4c5960;--pausing:#b98a35;
    --copying:#5b8fd0;
    --other:#3a444a}}
    *{box-sizing:border-box}
    body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;margin:0;color:var(--text);
    background:var(--page)}
    main{max-width:66rem;margin:0 auto;padding:1.5rem 1rem 3rem}
    h1{font-size:1.5rem;line-height:1.25;margin:0 0 .3rem;overflow-wrap:anywhere}
    h2{font-size:1.05rem;margin:1.8rem 0 .5rem}h3{font-size:.95rem;margin:.9rem 0 .3rem}
    h4{font-size:.8rem;margin:.6rem 0 .15rem;color:var(--soft)}
    p{margin:.3rem 0;overflow-wrap:anywhere}small,.small,.left{font-size:.8rem;color:var(--soft)}
    code,pre{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
    .status{font-size:.95rem;font-weight:600;padding:.1rem .55rem;border-radius:1rem;border:1px solid;
    white-space:nowrap;
    vertical-align:.15rem}
    .good{color:var(--good)}.bad,.message{color:var(--bad)}.likely,.note,.tried{font-size:.93rem}
    .message{border-left:3px solid var(--failed);padding-left:.6rem;white-space:pre-wrap}
    dl{display:grid;grid-template-columns:fit-content(40%) 1fr;gap:.1rem 1rem;margin:.6rem 0}
    dt{color:var(--soft);overflow-wrap:anywhere}.soft{color:var(--soft)}dd{margin:0;min-width:0;
    overflow-wrap:anywhere;white-space:pre-wrap}
    .phases{display:flex;height:1rem;border-radius:.2rem;overflow:hidden;background:var(--box)}
    .phases i{min-width:1px}
    ul{list-style:none;margin:.5rem 0;padding:0;display:flex;flex-wrap:wrap;gap:.1rem 1.4rem}
    li i{display:inline-block;width:.75rem;height:.75rem;border-radius:.15rem;margin-right:.4rem;
    vertical-align:-.05rem}
    i.running{background:var(--running)}i.running.bad{background:var(--failed)}i.waiting{background:var(--waiting)}
    i.pausing{background:var(--pausing)}i.copying{background:var(--copying)}i.other{background:var(--other)}
    .row{display:grid;grid-template-columns:minmax(8rem,16rem) 1fr minmax(6rem,12rem);gap:0 .9rem;align-items:center}
    summary{cursor:pointer;padding:.3rem 0}summary:hover{background:var(--box)}
    summary:focus-visible{outline:2px solid var(--copying)}
    .what{min-width:0;overflow-wrap:anywhere}.end{text-align:right;font-variant-numeric:tabular-nums}
    .what::before{content:"\\25B8";color:var(--soft);margin-right:.4rem}
    details[open]>.row>.what::before{content:"\\25BE"}
    .gone{color:var(--soft);padding:.3rem 0}.gone .what::before{visibility:hidden}.row{list-style:none}
    .row::-webkit-details-marker{display:none}
    .lane{display:block;position:relative;height:1rem;background:var(--box);border-radius:.15rem;overflow:hidden}
    .lane i{position:absolute;top:0;bottom:0;min-width:2px;border-radius:.1rem}.lane i.waiting{top:.3rem;bottom:.3rem}
    .lane i.step{border-right:1px solid var(--page)}.plain{color:var(--soft)}
    .why{font-size:.8rem;overflow-wrap:anywhere}
    #path ol{list-style:none;margin:.3rem 0;padding:0}
    .past{font-size:.75rem;line-height:1rem;color:var(--soft);background:none;white-space:nowrap;
    text-overflow:ellipsis}
    .axis{padding:0 12.9rem 0 16.9rem}.axis .lane{background:none;border-bottom:1px solid var(--line);
    overflow:visible;
    border-radius:0;height:1.3rem}.axis .lane span{position:absolute;font-size:.75rem;color:var(--soft);
    white-space:nowrap;
    transform:translateX(-50%)}
    .axis .lane span:first-child{transform:none}.axis .lane span:last-child{transform:translateX(-100%)}
    .step,.row.gone{border-bottom:1px solid var(--line)}.body{padding:.1rem 0 .8rem 1.1rem}
    .command{border:1px solid var(--line);border-radius:.3rem;margin:.4rem 0;padding:0 .6rem}
    .command[open]{padding-bottom:.6rem}.command .end{float:right;margin-left:.8rem;font-size:.85rem}
    .attempt{border-left:3px solid var(--line);padding-left:.8rem;margin:.5rem 0}
    pre{background:var(--box);border-radius:.25rem;padding:.5rem .6rem;margin:0;max-height:24rem;overflow:auto;
    white-space:pre-wrap}
    .wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem}
    th,td{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
    th{color:var(--soft);font-weight:500}td:nth-child(n+5){white-space:nowrap}
    @media(max-width:44rem){.row{grid-template-columns:1fr auto}.what{grid-area:1/1}.end{grid-area:1/2}
    .row .lane{grid-area:2/1/auto/span 2;height:.8rem;margin:.15rem 0 .1rem}.row .past{height:1rem}
    .gone .lane{display:none}
    .axis{padding:0}.axis .lane span:nth-child(even){display:none}.body{padding-left:.3rem}
    main{padding:1rem .8rem 2rem}
    .command .end{float:none;display:block;text-align:left;margin:0}
    #steps .row .end{max-width:11rem}}
    @media print{main{max-width:none;padding:0}details::details-content{content-visibility:visible;display:block}
    pre{max-height:none}.step,.command{break-inside:avoid-page}i,.phases{print-color-adjust:exact}}
    </style>

    """
}
